/** Flink on the hosts of a site, one reader on each worker's: whose files each has read, and what the links carried. */
import { join } from 'node:path'
import { guideSettings, jobsMaven, pluginJar } from '../frameworks/flink/jobs.ts'
import type { LinkBytes } from '../support/hosts.ts'
import { Flink } from '../support/servers/flink.ts'
import { scratchFolder } from '../support/servers/process.ts'
import { type Site, WORKERS } from './site.ts'

/**
 * Flink holds no split back: who is done before another has begun its last file takes that one over. A file costs more than readers
 * differ in when they begin, so that this does not happen.
 */
const WORK_MS = 3000

export interface Scan {
  /** Folder of Alluxio. */
  readonly folder: string
  readonly by: 'hints' | 'wrong names'
  /** Of splits: Flink's or the plug-in's. */
  readonly assigner: 'default' | 'ours'
}

export interface Scanned {
  readonly sums: { readonly lines: string; readonly digest: string }
  /** Of the job. */
  readonly seconds: number
  /** How many files of a host were read on which: `h1.test by h2.test`. */
  readonly files: Readonly<Record<string, number>>
  /** Over the links from handing the job in to its end. */
  readonly bytes: Readonly<Record<string, LinkBytes>>
}

/** As `files`, if each host reads its own. */
export function allLocal(filesEach: number): Record<string, number> {
  return Object.fromEntries(WORKERS.map((name) => [`${name} by ${name}`, filesEach]))
}

/** Of `files`, those that were read on another host. */
export function remoteFiles({ files }: Scanned): number {
  const remote = Object.entries(files).filter(([key]) => new Set(key.split(' by ')).size > 1)
  return remote.reduce((sum, [, count]) => sum + count, 0)
}

export class FlinkSession implements AsyncDisposable {
  readonly #site: Site
  readonly #flink: Flink
  readonly #jar: string
  readonly #stack: AsyncDisposableStack

  private constructor(site: Site, flink: Flink, jar: string, stack: AsyncDisposableStack) {
    this.#site = site
    this.#flink = flink
    this.#jar = jar
    this.#stack = stack
  }

  /** @throws ServerMissing with the reason */
  static async start(site: Site): Promise<FlinkSession> {
    await using stack = new AsyncDisposableStack()
    const folder = scratchFolder('flink-hosts')
    stack.defer(() => folder.remove())
    const plugin = await pluginJar()
    await jobsMaven(folder.path, plugin, 'package', '-Dmaven.test.skip=true')
    const flink = await Flink.start({
      lib: [plugin],
      home: site.network.host('h0.test'),
      properties: {
        ...guideSettings(site.cluster),
        'taskmanager.numberOfTaskSlots': '1',
        'web.refresh-interval': '200ms',
        // Nobody is killed, and a busy machine is no reason to give a host up.
        'heartbeat.interval': '10000',
        'heartbeat.timeout': '60000',
      },
    })
    stack.defer(() => flink.stop())
    await Promise.all(WORKERS.map((name) => flink.addTaskManager(site.network.host(name))))
    return new FlinkSession(site, flink, join(folder.path, 'flink-jobs.jar'), stack.move())
  }

  async scan({ folder, by, assigner }: Scan): Promise<Scanned> {
    const flink = this.#flink
    const input = `alluxio://${this.#site.gateway(by)}${folder}`
    const args = [input, assigner, String(WORKERS.length), String(WORK_MS)]
    const { value: job, bytes } = await this.#site.network.counting(async () => {
      const id = await flink.submit({ jar: this.#jar, main: 'jobs.Scan', args })
      await flink.until(id, async () => (await flink.state(id)) === 'FINISHED')
      return id
    })
    const { lines = '', digest = '', ...files } = await flink.accumulators(job)
    return {
      sums: { lines, digest },
      seconds: await flink.seconds(job),
      files: Object.fromEntries(Object.entries(files).map(([key, count]) => [key, Number(count)])),
      bytes,
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}
