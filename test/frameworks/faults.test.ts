/** Daemons that die while a job runs: it ends, and what it wrote is right. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import type { Daemon } from '../support/cluster.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { Spark } from '../support/servers/spark.ts'
import { Yarn } from '../support/servers/yarn.ts'
import { writeWhole } from '../support/whole-file.ts'
import { type Gateways, hadoopJar, startGateways } from './gateways.ts'
import { hadoopProperties, textOf } from './mapreduce/jobs.ts'
import { sparkSettings } from './spark/settings.ts'

const LINES = 6000
const SLICES = 16
const AWAY_MS = 2000

const { server, reason } = await ifAvailable(() => Spark.install('4.0'))
const spark = server as Spark
const { server: yarn, reason: noYarn } = await ifAvailable(async () =>
  Yarn.start({ jars: [await hadoopJar()] }),
)
let gateways: Gateways
/** Killed one after the other, each in a job of its own. */
const victims = (): Record<string, Daemon> => ({
  worker: gateways.cluster.workers[0]!,
  proxy: gateways.cluster.proxy!,
  master: gateways.cluster.master,
})

beforeAll(async () => {
  if (reason === undefined || noYarn === undefined) gateways = await startGateways()
}, 300_000)
afterAll(async () => {
  spark?.remove()
  await yarn?.stop()
  await gateways?.cluster.dispose()
})

/** Waits until the job has made something below its output whose path is like `sign`. */
async function underWay(fs: FileSystem, folder: string, sign: RegExp, job: Promise<unknown>): Promise<void> {
  let ended = false
  const end = () => {
    ended = true
  }
  job.then(end, end)
  for (;;) {
    if (ended) throw new Error(`the job is over before it wrote to ${folder}: ${await job}`)
    if (await fs.exists(folder))
      for await (const { path } of fs.list(folder, { recursive: true })) if (sign.test(path)) return
    await pause(100)
  }
}

async function killed(victim: Daemon): Promise<void> {
  await victim.kill('SIGKILL')
  await pause(AWAY_MS)
  await victim.start()
}

const line = (i: number) => `line ${String(i).padStart(6, '0')} of a job that is hit`

const sparkSuite = reason === undefined ? describe : describe.skip
sparkSuite(`kill -9 in mid-job${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test.each(['webhdfs', 'alluxio', 's3a'] as const)(
    'Spark over %s',
    async (scheme) => {
      const { fs, roots, cluster } = gateways
      const home = `/data/faults-${scheme}`
      const text = Array.from({ length: LINES }, (_, i) => line(i)).join('\n')
      await writeWhole(fs, `${home}/slow-in/all`, Buffer.from(text), 'MUST_CACHE')
      const out = join(cluster.folder, `faults-${scheme}.json`)
      const job = spark.submit({
        program: resolve('test/frameworks/spark/workload.py'),
        args: [
          ...['--base', `it=${roots[scheme]}${home}`, '--sections', 'slow', '--out', out],
          ...['--times', String(Object.keys(victims()).length), '--slices', String(SLICES)],
        ],
        settings: await sparkSettings('4.0', gateways),
        master: 'local[2,20]',
      })
      for (const [number, victim] of Object.values(victims()).entries()) {
        await underWay(fs, `${home}/slow-${number}`, /part-/, job)
        await killed(victim)
      }
      await job
      expect(JSON.parse(readFileSync(out, 'utf8')).told[0].result).toEqual({})
      for (const number of Object.keys(victims()).keys()) {
        const lines: string[] = []
        for await (const { path } of fs.list(`${home}/slow-${number}`))
          lines.push(...(await textOf(fs, path)).split('\n').filter((each) => each !== ''))
        expect(lines.sort()).toEqual(Array.from({ length: LINES }, (_, i) => line(i).toUpperCase()))
        expect(await fs.exists(`${home}/slow-${number}/_temporary`)).toBe(false)
      }
    },
    400_000,
  )
})

const yarnSuite = noYarn === undefined ? describe : describe.skip
yarnSuite(`kill -9 in mid-job of MapReduce${noYarn === undefined ? '' : ` (skipped: ${noYarn})`}`, () => {
  const example = (...args: string[]) =>
    yarn!.run({
      main: 'org.apache.hadoop.examples.ExampleDriver',
      args,
      properties: {
        ...hadoopProperties(gateways, 'alluxio'),
        // An application master holds its history open; with the only worker that has it, it would end as with a HDFS of one replica.
        'fs.defaultFS': 'file:///',
        // Its list of partitions is sought in the folder of whoever sent the job, if local files are the default.
        'mapreduce.terasort.simplepartitioner': 'true',
        'yarn.app.mapreduce.am.staging-dir': `${gateways.cluster.folder}/staging`,
      },
    })

  test('TeraSort, its master, worker and proxy hit one after the other', async () => {
    const { fs, roots } = gateways
    const [input, output, report] = ['in', 'out', 'report'].map(
      (name) => `${roots.alluxio}/tera/${name}`,
    ) as [string, string, string]
    const drawn = await example('teragen', '-Dmapreduce.job.maps=2', '300000', input)
    const job = example('terasort', '-Dmapreduce.job.reduces=2', input, output)
    await underWay(fs, '/tera/out', /_temporary/, job)
    for (const victim of Object.values(victims())) await killed(victim)
    await job
    await example('teravalidate', output, report)
    const [, checksum] = /^checksum\t([0-9a-f]+)\n$/.exec(await textOf(fs, '/tera/report/part-r-00000')) ?? []
    expect(BigInt(`0x${checksum}`)).toBe(BigInt(/CHECKSUM=(\d+)/.exec(drawn)![1]!))
  }, 400_000)
})
