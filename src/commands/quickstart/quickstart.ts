import { Config, environment } from '../../core/config/index.ts'
import { AlluxioError, formatBytes, systemRuntime } from '../../core/index.ts'
import { DATA } from '../../core/options/index.ts'
import { DAEMONS, stopDaemon } from '../../daemon/launch/index.ts'
import { connect } from '../cluster.ts'
import { AlluxioCommand, Flags } from '../command.ts'
import { columns } from '../format.ts'
import { startDaemons } from '../launch/start.ts'
import { type DataSource, localSource, s3Source } from './data.ts'
import { writeSite } from './site.ts'
import { readsTable } from './table.ts'
import {
  showHosts,
  showListing,
  showPlaces,
  showWrite,
  type TimedRead,
  type Tour,
  timedReads,
} from './tour.ts'

const READY_MS = 60_000
/** The data has 42 MB. */
const MEM_LEAST_BYTES = 32 * 2 ** 20

export class Quickstart extends AlluxioCommand {
  static override summary = 'Start a cluster on this machine and show the main job on real data.'
  static override description =
    'Formats the data folder ($ALLUXIO_DATA, by default ~/.alluxio) if there is none, starts a master and a worker in the background, mounts the data sets of the npm package vega-datasets, lists, reads cold and warm, writes through, and shows where everything lies. The cluster stays up; a second run changes nothing but the timings.'
  static override usage = 'quickstart [--s3 <endpoint/bucket>] [--once]'
  static override examples = [
    'alluxio quickstart',
    'AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… alluxio quickstart --s3 http://127.0.0.1:9000/bucket',
  ]
  static override flags = {
    s3: Flags.string({
      helpValue: '<endpoint/bucket>',
      summary:
        'also mount this bucket; credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment',
    }),
    once: Flags.boolean({ summary: 'stop the cluster at the end' }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(Quickstart)
    const s3 = flags.s3 === undefined ? undefined : s3Source(flags.s3)
    const local = localSource()
    try {
      const reads = await this.#tour(s3 === undefined ? [local] : [local, s3])
      this.output.emit(
        () => ({ data: this.configuration.get(DATA), reads, running: !flags.once }),
        () => undefined,
      )
    } finally {
      if (flags.once) await this.#stopAll()
    }
    if (!flags.once) this.#whatNext(local, s3)
  }

  async #tour(sources: readonly DataSource[]): Promise<readonly TimedRead[]> {
    const { properties, signal } = this.invocation
    this.#step('A master, a worker and a proxy with the S3 and WebHDFS gateways')
    const site = writeSite(this.configuration)
    if (site !== undefined) this.#say(`Settings of this cluster: ${site}`)
    const config = Config.load({ properties })
    const report = (_json: unknown, text: string) => this.#say(text)
    await startDaemons(config, DAEMONS, { properties, deadlineMs: READY_MS, signal, report })
    const fs = await connect(properties)
    const tour: Tour = {
      fs,
      say: (text) => this.#say(text),
      signal,
      runtime: systemRuntime,
      home: this.invocation.home,
    }
    try {
      await checkMemory(tour)
      const reads: TimedRead[] = []
      for (const source of sources) {
        this.#step(`Real data: ${source.what}`)
        await source.mount(tour)
        this.#step(`List ${source.path}`)
        await showListing(tour, source)
        this.#step('Read it cold, then warm')
        reads.push(...(await timedReads(tour, source)))
        this.#step('Where its blocks lie')
        await showPlaces(tour, source)
      }
      this.#step('Write with CACHE_THROUGH: in the cache and in the under-store')
      await showWrite(tour, config)
      this.#step('Where to run work on it')
      await showHosts(tour, sources)
      this.#step('In short')
      for (const line of readsTable(reads)) this.#say(line)
      return reads
    } finally {
      await fs.close()
    }
  }

  #whatNext(local: DataSource, s3: DataSource | undefined): void {
    this.#step('The cluster keeps running. Try')
    // As it was typed: `bin/alluxio` where it is not on the PATH.
    const alluxio = environment().ALLUXIO_COMMAND ?? 'alluxio'
    const hints: [string, string][] = [
      [`fs ls -R ${s3?.path ?? local.path}`, 'everything that is mounted there'],
      [`fs head -c 300 ${local.path}/birdstrikes.csv`, 'the first lines of a file'],
      ['fsadmin report', 'how the cluster fares'],
      ['fs mount --help', 'your own data'],
      ['status', 'the daemons and their logs'],
      ['stop', `stop them; start again with ${alluxio} start`],
    ]
    for (const line of columns(hints.map(([words, meaning]) => [`${alluxio} ${words}`, `# ${meaning}`])))
      this.#say(line)
  }

  async #stopAll(): Promise<void> {
    this.#step('Stop')
    for (const name of [...DAEMONS].reverse()) {
      const outcome = await stopDaemon(
        this.configuration,
        { name, deadlineMs: 30_000 },
        { runtime: systemRuntime },
      )
      this.#say(`The ${name} ${outcome === 'absent' ? 'was not running' : 'has stopped'}`)
    }
  }

  #steps = 0

  #step(title: string): void {
    this.#steps++
    this.output.line(`\n${this.#steps}. ${title}`)
    this.output.flush()
  }

  #say(text: string): void {
    this.output.line(`   ${text.replaceAll('\n', '\n   ')}`)
    this.output.flush()
  }
}

async function checkMemory({ fs }: Tour): Promise<void> {
  for (const { address, tiers, state } of await fs.admin.workers()) {
    const [top] = tiers
    if (state !== 'LIVE' || top === undefined || top.capacityBytes >= MEM_LEAST_BYTES) continue
    throw new AlluxioError(
      'RESOURCE_EXHAUSTED',
      `the ${top.alias} tier of worker ${address.host}:${address.rpcPort} has only ${formatBytes(top.capacityBytes)}: /dev/shm is full or too small`,
      {
        reason: 'NO_MEMORY_SPACE',
        details: {
          suggestions: [
            'Free space in /dev/shm (df -h /dev/shm), or enlarge it: mount -o remount,size=2G /dev/shm (docker run --shm-size=2g)',
            'or use another folder: alluxio stop, then again with -Dalluxio.worker.tieredstore.level0.dirs.path=/some/folder',
          ],
        },
      },
    )
  }
}
