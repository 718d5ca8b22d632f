/**
 * A small data centre of network namespaces: h0 with Alluxio's master and proxy, Spark's master and its drivers; h1 to h3 with a worker
 * of both each; a MinIO on a host of its own. Flink comes when Spark has gone.
 */
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { json } from 'node:stream/consumers'
import type { FileSystem, PathHint } from '../../src/client/index.ts'
import { hadoopJar } from '../frameworks/gateways.ts'
import { sparkSettings } from '../frameworks/spark/settings.ts'
import { Cluster } from '../support/cluster.ts'
import { type Host, Network } from '../support/hosts.ts'
import { type S3Server, startMinio } from '../support/servers/index.ts'
import { complete, scratchFolder } from '../support/servers/process.ts'
import { Spark, type StandaloneSpark } from '../support/servers/spark.ts'
import { PROGRAM, type Query, Session } from './session.ts'

export const WORKERS = ['h1.test', 'h2.test', 'h3.test'] as const
export type WorkerName = (typeof WORKERS)[number]

const NAMES = ['h0.test', ...WORKERS, 'store.test']
const RELEASE = '4.0'
/** Longest that an application may take. */
const SESSION_MS = 1_800_000
const LINE = 'a line of text that is summed up by a job which does not know where it lies '

export interface Input {
  /** On each worker. */
  readonly filesEach: number
  readonly fileBytes: number
}

export interface SiteOptions extends Input {
  /** Of each link, as tc writes it: `100mbit`. */
  readonly rate: string
  /** Of the Alluxio cluster. */
  readonly properties?: Readonly<Record<string, string>>
}

export class Site implements AsyncDisposable {
  readonly network: Network
  readonly minio: S3Server
  readonly cluster: Cluster
  /** Of the test itself: for metadata only, since it does not know the hosts by name. */
  readonly fs: FileSystem
  readonly #spark: Spark
  readonly #standalone: StandaloneSpark
  readonly #folder: ReturnType<typeof scratchFolder>
  readonly #stack: AsyncDisposableStack
  /** `host:port` of a gateway and a hint service that are wrong about hosts. */
  readonly #wrongNames: string

  private constructor(
    fields: Pick<Site, 'network' | 'minio' | 'cluster' | 'fs'> & {
      readonly spark: Spark
      readonly standalone: StandaloneSpark
      readonly folder: ReturnType<typeof scratchFolder>
      readonly stack: AsyncDisposableStack
      readonly wrongNames: string
    },
  ) {
    this.network = fields.network
    this.minio = fields.minio
    this.cluster = fields.cluster
    this.fs = fields.fs
    this.#spark = fields.spark
    this.#standalone = fields.standalone
    this.#folder = fields.folder
    this.#stack = fields.stack
    this.#wrongNames = fields.wrongNames
  }

  /** With its input written. @throws ServerMissing with the reason */
  static async start(options: SiteOptions): Promise<Site> {
    await hadoopJar()
    await using stack = new AsyncDisposableStack()
    const spark = await Spark.install(RELEASE)
    stack.defer(() => spark.remove())
    await Spark.s3aJars(RELEASE)
    const folder = scratchFolder('site')
    stack.defer(() => folder.remove())
    const network = stack.use(await Network.start(NAMES))
    const [home, ...workers] = network.hosts.slice(0, -1) as [Host, ...Host[]]
    const minio = await startMinio(network.host('store.test'))
    stack.defer(() => minio.stop())
    const cluster = await Cluster.start({
      workers: workers.length,
      places: [home, ...workers],
      proxy: true,
      memory: `${options.filesEach * options.fileBytes * WORKERS.length + 2 ** 28}B`,
      ...(options.properties === undefined ? {} : { properties: options.properties }),
    })
    stack.defer(() => cluster.dispose())
    const fs = await cluster.connect()
    await fs.mount('/data', `s3://${minio.bucket}/data`, { options: minio.options() })
    const standalone = stack.use(await spark.standalone({ home, workers, cores: 1 }))
    const wrong = await wrongNames(network.address, cluster.webHdfs)
    stack.defer(() => void wrong.close())
    const wrongAddress = `${network.address}:${(wrong.address() as AddressInfo).port}`
    const rest = { spark, standalone, folder, wrongNames: wrongAddress, stack: stack.move() }
    const site = new Site({ network, minio, cluster, fs, ...rest })
    try {
      await site.fill('/data', 'CACHE_THROUGH', options)
      await network.limit(options.rate)
    } catch (error) {
      await site[Symbol.asyncDispose]()
      throw error
    }
    return site
  }

  /** Files of text below a folder of each worker's name, written by a program on its host. */
  async fill(
    folder: string,
    writeType: 'CACHE_THROUGH' | 'MUST_CACHE',
    { filesEach, fileBytes }: Input,
  ): Promise<void> {
    await Promise.all(
      WORKERS.map(async (name) => {
        const share = join(this.#folder.path, folder, name)
        mkdirSync(share, { recursive: true })
        for (let i = 0; i < filesEach; i++) writeFileSync(join(share, `part-${i}`), text(name, i, fileBytes))
        const write = `-Dalluxio.user.file.writetype.default=${writeType}`
        await this.alluxio(name, ['fs', 'copyFromLocal', write, share, `${folder}/${name}`])
      }),
    )
  }

  /** Runs a command of Alluxio on a host; returns what it printed. */
  alluxio(host: string, args: readonly string[]): Promise<string> {
    const { flags, env } = this.cluster
    const command = this.network.host(host).command(resolve('bin/alluxio'), [...args, ...flags])
    return complete({ ...command, env })
  }

  /** The hint service over HTTP. */
  async hints<T = readonly PathHint[]>(operation: 'locate' | 'rank', question: object): Promise<T> {
    const { address } = this.network.host('h0.test')
    const url = `http://${address}:${this.cluster.master.webPort}/api/v1/hints/${operation}?user.name=root`
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(question) })
    if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  /** A query of all input: straight from the store, or through Alluxio, by whose hints tasks are placed or by names that nobody has. */
  query(by: 'hints' | 'wrong names' | 's3a'): Query {
    if (by === 's3a') return { uri: `s3a://${this.minio.bucket}/data/*` }
    const { name, address } = this.network.host('h0.test')
    const port = this.cluster.proxy!.webPort
    if (by === 'hints') return { uri: `alluxio://${name}:${port}/data/*` }
    // To Hadoop another authority is another file system, which has settings of its own.
    return { uri: `alluxio://${address}:${port}/data/*`, confs: { 'fs.alluxio.hints': this.#wrongNames } }
  }

  /** `host:port` for `alluxio://`: where schedulers learn true places, or places that nobody has. */
  gateway(by: 'hints' | 'wrong names'): string {
    return by === 'hints' ? this.cluster.webHdfs : this.#wrongNames
  }

  /** Ends Spark's master and workers, for good. */
  async stopSpark(): Promise<void> {
    await this.#standalone[Symbol.asyncDispose]()
  }

  /** A Spark application with an executor on each worker's host and the confs that `alluxio hints --for spark-submit` prints. */
  async session(settings: Readonly<Record<string, string>> = {}): Promise<Session> {
    const folder = join(this.#folder.path, 'session')
    const log = join(folder, 'log')
    mkdirSync(log, { recursive: true })
    const confs = await this.hints<Record<string, string>>('rank', { paths: ['/data'], for: 'spark-submit' })
    const all = await this.#settings({ ...confs, ...settings, 'spark.eventLog.dir': `file://${log}` })
    const program = this.#spark.submit({
      program: PROGRAM,
      args: [folder],
      settings: all,
      master: this.#standalone.url,
      place: this.network.host('h0.test'),
      timeoutMs: SESSION_MS,
    })
    return new Session({ folder, log, network: this.network }, program)
  }

  async #settings(more: Readonly<Record<string, string>>): Promise<string> {
    const s3a = await Spark.s3aJars(RELEASE)
    const jars = [await hadoopJar(), ...readdirSync(s3a).map((name) => join(s3a, name))]
    const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = this.minio
    const s3 = { endpoint, accessKeyId, secretAccessKey }
    return sparkSettings(
      RELEASE,
      { cluster: this.cluster, s3 },
      {
        // Every host has them: they are not sent.
        'spark.jars': jars.map((jar) => `local:${jar}`).join(),
        'spark.hadoop.fs.s3a.endpoint': endpoint,
        'spark.driver.host': 'h0.test',
        'spark.cores.max': String(WORKERS.length),
        'spark.executor.cores': '1',
        // All executors are there before the first task is placed.
        'spark.scheduler.minRegisteredResourcesRatio': '1.0',
        'spark.scheduler.maxRegisteredResourcesWaitingTime': '60s',
        'spark.eventLog.enabled': 'true',
        'spark.eventLog.compress': 'false',
        'spark.eventLog.rolling.enabled': 'false',
        ...more,
      },
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

/**
 * A hint service that says of every block that a host has it which nobody knows, as if executors had other names than workers; for all
 * else it leads to the gateway.
 */
async function wrongNames(address: string, gateway: string): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(307, { location: `http://${gateway}${request.url}`, 'content-length': 0 }).end()
      return
    }
    const { ranges } = (await json(request)) as { readonly ranges: readonly unknown[] }
    response.end(JSON.stringify(ranges.map(() => ({ locations: ['nobody.test'] }))))
  })
  server.listen(0, address)
  await once(server, 'listening')
  return server
}

/** Text of exactly so many bytes, no two lines alike. */
function text(host: string, file: number, bytes: number): Buffer {
  const lines: string[] = []
  for (let length = 0, i = 0; length < bytes; i++) {
    const line = `${host} ${file} ${i} ${LINE}\n`
    lines.push(line)
    length += line.length
  }
  const whole = Buffer.from(lines.join('')).subarray(0, bytes)
  whole[bytes - 1] = 10
  return whole
}
