/** A cluster of real processes for end-to-end tests: `bin/alluxio daemon …` on ports of its own with a data folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectFileSystem, type FileSystem } from '../../src/client/index.ts'
import { Config } from '../../src/core/config/index.ts'
import '../../src/core/options/index.ts'
import { HERE, type Place } from './servers/process.ts'

const COMMAND = resolve('bin/alluxio')
const READY_MS = 60_000

export interface ClusterOptions {
  /** @default 1 */
  readonly workers?: number
  readonly properties?: Readonly<Record<string, string>>
  /** Of one worker. */
  readonly workerProperties?: (worker: number) => Readonly<Record<string, string>>
  /** Quota of the MEM tier. @default 256MB */
  readonly memory?: string
  /** Starts a proxy as well. @default false */
  readonly proxy?: boolean
  /** Environment of the daemons, such as credentials. */
  readonly env?: Readonly<Record<string, string>>
  /** Hosts of a network: of the master and the proxy, then of a worker each. @default all on this one */
  readonly places?: readonly Place[]
}

/** What daemons need so that other hosts reach them and are believed. */
const REACHABLE = {
  'alluxio.security.transport': 'none',
  'alluxio.proxy.webhdfs.trust.user.name': 'true',
  ...Object.fromEntries(
    ['master', 'master.web', 'worker', 'worker.web', 'proxy.web'].map((door) => [
      `alluxio.${door}.bind.host`,
      '0.0.0.0',
    ]),
  ),
}

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))))
  return ports
}

/** One daemon that can be killed and started again with the same state. */
export class Daemon {
  readonly #args: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly log: string
  readonly webPort: number
  readonly #place: Place
  #child: ChildProcess | undefined

  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    log: string,
    webPort: number,
    place = HERE,
  ) {
    this.#args = args
    this.#env = env
    this.log = log
    this.webPort = webPort
    this.#place = place
  }

  get pid(): number {
    return this.#child?.pid ?? -1
  }

  async start(): Promise<void> {
    const out = openSync(this.log, 'a')
    const { binary, args } = this.#place.command(COMMAND, this.#args)
    this.#child = spawn(binary, args, {
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', out, out],
    })
    await this.ready()
  }

  /** Waits until the daemon serves. */
  async ready(): Promise<void> {
    const deadline = Date.now() + READY_MS
    while (Date.now() < deadline) {
      if (this.#child?.exitCode !== null && this.#child !== undefined) break
      const response = await fetch(`http://${this.#place.address}:${this.webPort}/healthz`).catch(
        () => undefined,
      )
      if (response?.ok) return
      await pause(50)
    }
    throw new Error(
      `daemon ${this.#args.join(' ')} is not ready:\n${(await readFile(this.log, 'utf8')).slice(-4000)}`,
    )
  }

  /** SIGKILL, as a crash; resolves when the process is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((exited) => child.once('exit', exited))
    child.kill(signal)
    await gone
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }
}

export class Cluster {
  readonly folder: string
  readonly master: Daemon
  readonly workers: readonly Daemon[]
  /** There is one if the options say so. */
  readonly proxy: Daemon | undefined
  readonly masterAddress: string
  /** `127.0.0.1:port` of the gateways, whether there is a proxy or not. */
  readonly webHdfs: string
  readonly s3: string
  /** `127.0.0.1:port` where hints are served, and where changes of replicas are published. */
  readonly hints: string
  readonly changes: string
  /** `-D` arguments for commands that talk to this cluster. */
  readonly flags: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly memoryFolders: readonly string[]
  readonly #clients = new Set<FileSystem>()

  private constructor(
    fields: Pick<
      Cluster,
      | 'folder'
      | 'master'
      | 'workers'
      | 'proxy'
      | 'masterAddress'
      | 'webHdfs'
      | 's3'
      | 'flags'
      | 'env'
      | 'memoryFolders'
      | 'hints'
      | 'changes'
    >,
  ) {
    this.folder = fields.folder
    this.master = fields.master
    this.workers = fields.workers
    this.proxy = fields.proxy
    this.webHdfs = fields.webHdfs
    this.s3 = fields.s3
    this.masterAddress = fields.masterAddress
    this.flags = fields.flags
    this.env = fields.env
    this.memoryFolders = fields.memoryFolders
    this.hints = fields.hints
    this.changes = fields.changes
  }

  static async start({
    workers = 1,
    properties = {},
    workerProperties = () => ({}),
    memory = '256MB',
    proxy = false,
    env: extra = {},
    places = [],
  }: ClusterOptions = {}): Promise<Cluster> {
    const [home = HERE, ...workerPlaces] = places
    const folder = await mkdtemp(join(tmpdir(), 'alluxio-e2e-'))
    const [rpc, web, webHdfs, s3, hints, changes, ...workerPorts] = await freePorts(6 + 2 * workers)
    await mkdir(join(folder, 'ufs'), { recursive: true })
    const common = {
      'alluxio.master.rpc.port': String(rpc),
      'alluxio.master.web.port': String(web),
      'alluxio.hints.rpc.port': String(hints),
      'alluxio.hints.publish.port': String(changes),
      'alluxio.proxy.webhdfs.port': String(webHdfs),
      'alluxio.proxy.web.port': String(s3),
      'alluxio.master.mount.table.root.ufs': join(folder, 'ufs'),
      'alluxio.worker.block.heartbeat.interval': '200ms',
      ...(home === HERE ? {} : { ...REACHABLE, 'alluxio.master.hostname': home.name }),
      ...properties,
    }
    const flags = flagsOf(common)
    const env = { ALLUXIO_DATA: join(folder, 'master'), ...extra }
    const master = new Daemon(['daemon', 'master', ...flags], env, join(folder, 'master.log'), web!, home)
    const memoryFolders: string[] = []
    const daemons = Array.from({ length: workers }, (_, i) => {
      const data = join(folder, `worker-${i}`)
      const memoryFolder = join('/dev/shm', `${folder.slice(folder.lastIndexOf('/') + 1)}-${i}`)
      memoryFolders.push(memoryFolder)
      const own = flagsOf({
        'alluxio.worker.rpc.port': String(workerPorts[2 * i]),
        'alluxio.worker.web.port': String(workerPorts[2 * i + 1]),
        'alluxio.worker.ramdisk.mount': 'NoMount',
        'alluxio.worker.tieredstore.level0.dirs.path': memoryFolder,
        'alluxio.worker.tieredstore.level0.dirs.quota': memory,
        ...(workerPlaces[i] === undefined ? {} : { 'alluxio.worker.hostname': workerPlaces[i].name }),
        ...properties,
        ...workerProperties(i),
      })
      const log = join(folder, `worker-${i}.log`)
      return new Daemon(
        ['daemon', 'worker', ...flags, ...own],
        { ...env, ALLUXIO_DATA: data },
        log,
        workerPorts[2 * i + 1]!,
        workerPlaces[i],
      )
    })
    const proxyEnv = { ...env, ALLUXIO_DATA: join(folder, 'proxy') }
    const cluster = new Cluster({
      folder,
      master,
      workers: daemons,
      proxy: proxy
        ? new Daemon(['daemon', 'proxy', ...flags], proxyEnv, join(folder, 'proxy.log'), webHdfs!, home)
        : undefined,
      masterAddress: `${home.address}:${rpc}`,
      webHdfs: `${home.address}:${webHdfs}`,
      s3: `${home.address}:${s3}`,
      flags,
      env,
      memoryFolders,
      hints: `${home.address}:${hints}`,
      changes: `${home.address}:${changes}`,
    })
    try {
      await master.start()
      await Promise.all(
        [...daemons, ...(cluster.proxy ? [cluster.proxy] : [])].map((daemon) => daemon.start()),
      )
      await cluster.workersLive(workers)
    } catch (error) {
      await cluster.dispose()
      throw error
    }
    return cluster
  }

  /** A client of this cluster, closed with it. */
  async connect(properties: Readonly<Record<string, string>> = {}): Promise<FileSystem> {
    const config = Config.load({ env: { ...this.env }, overrides: properties })
    const client = await connectFileSystem({ master: this.masterAddress }, { config })
    this.#clients.add(client)
    return client
  }

  /** Waits until so many workers are live and registered. */
  async workersLive(count: number): Promise<void> {
    const client = await this.connect()
    const deadline = Date.now() + READY_MS
    for (;;) {
      const live = (await client.admin.workers()).filter(({ state }) => state === 'LIVE')
      if (live.length === count && !(await client.admin.info()).safeMode) break
      if (Date.now() > deadline) throw new Error(`${live.length} of ${count} workers are live`)
      await pause(50)
    }
    this.#clients.delete(client)
    await client.close()
  }

  async dispose(): Promise<void> {
    await Promise.allSettled([...this.#clients].map((client) => client.close()))
    const daemons = [...this.workers, this.master, ...(this.proxy ? [this.proxy] : [])]
    await Promise.allSettled(daemons.map((daemon) => daemon.kill()))
    for (const folder of [this.folder, ...this.memoryFolders])
      await rm(folder, { recursive: true, force: true })
  }
}

function flagsOf(properties: Readonly<Record<string, string>>): string[] {
  return Object.entries(properties).map(([key, value]) => `-D${key}=${value}`)
}

/** Bytes that a test can tell apart from any other file's and offset's: a keyed xorshift over 4-byte words. */
export function patternBytes(seed: number, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4))
  let x = (seed * 2654435761) >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return Buffer.from(words.buffer, 0, length)
}
