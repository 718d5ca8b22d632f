/** A master, workers and clients in one process, over real sockets, disks and LMDB. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectFileSystem, type FileSystem } from '../../../src/client/index.ts'
import { Config } from '../../../src/core/config/index.ts'
import { type Log, silentLog, systemRuntime } from '../../../src/core/index.ts'
import '../../../src/core/options/index.ts'
import { type Master, startMaster } from '../../../src/daemon/master/index.ts'
import { startWorker, type Worker } from '../../../src/daemon/worker/index.ts'
import { ZeroMqTransport } from '../../../src/rpc/index.ts'

export { patternBytes } from '../../support/cluster.ts'

type Properties = Readonly<Record<string, string>>

export interface ClusterOptions {
  /** @default 1 */
  readonly workers?: number
  readonly properties?: Properties
  /** Quota of each worker's MEM tier. @default 64MB */
  readonly memory?: string
  /** Quota of a second tier on disk; none unless given. */
  readonly ssd?: string
}

const log = process.env.ALLUXIO_TEST_LOG === undefined ? silentLog : loud()

export class DataCluster {
  readonly folder: string
  readonly ufs: string
  readonly #options: ClusterOptions
  readonly #clients: FileSystem[] = []
  readonly #children: ChildProcess[] = []
  readonly workers: (Worker | undefined)[] = []
  master!: Master
  /** Errors that the daemons of this process logged. */
  readonly logged: { readonly message: string }[] = []

  private constructor(folder: string, options: ClusterOptions) {
    this.folder = folder
    this.ufs = join(folder, 'ufs')
    this.#options = options
  }

  static async start(options: ClusterOptions = {}): Promise<DataCluster> {
    const cluster = new DataCluster(await mkdtemp(join(tmpdir(), 'alluxio-data-')), options)
    try {
      await cluster.startMaster()
      for (let i = 0; i < (options.workers ?? 1); i++) await cluster.startWorker(i)
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  async startMaster(): Promise<void> {
    const port = this.master?.rpcPort ?? 0
    this.master = await startMaster(
      this.#config('master', {
        'alluxio.master.rpc.port': String(port),
        'alluxio.master.web.port': '0',
        'alluxio.hints.rpc.port': '0',
        'alluxio.hints.publish.port': '0',
      }),
      {
        ...modules(this.logged),
        superuser: { user: 'tester', group: 'tester' },
      },
    )
  }

  async startWorker(i: number): Promise<Worker> {
    const worker = await startWorker(
      this.#config(`worker-${i}`, this.#workerProperties(i)),
      modules(this.logged),
    )
    this.workers[i] = worker
    return worker
  }

  async stopWorker(i: number): Promise<void> {
    const worker = this.workers[i]
    this.workers[i] = undefined
    await worker?.stop()
  }

  /** A worker in a process of its own, which a test can kill. */
  async spawnWorker(i: number): Promise<ChildProcess> {
    const properties = Object.entries({ ...this.#shared(), ...this.#workerProperties(i) })
    const child = spawn(
      process.execPath,
      ['bench/scenario/daemon.ts', 'worker', ...properties.map(([key, value]) => `${key}=${value}`)],
      {
        env: { ...process.env, ALLUXIO_DATA: join(this.folder, `worker-${i}`) },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    this.#children.push(child)
    this.workers[i] ??= undefined
    await once(child.stdout!, 'data')
    return child
  }

  memoryFolder(i: number): string {
    return join('/dev/shm', `${this.folder.slice(this.folder.lastIndexOf('/') + 1)}-${i}`)
  }

  async connect(properties: Properties = {}): Promise<FileSystem> {
    const client = await connectFileSystem(
      { master: this.master.address, user: 'tester' },
      { config: this.#config('client', properties), log },
    )
    this.#clients.push(client)
    return client
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#clients.map((client) => client.close()))
    await Promise.allSettled(this.workers.map((worker) => worker?.stop()))
    await Promise.all(this.#children.map((child) => kill(child)))
    await this.master?.stop()
    const count = Math.max(this.workers.length, this.#options.workers ?? 1)
    const folders = [this.folder, ...Array.from({ length: count }, (_, i) => this.memoryFolder(i))]
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  }

  #workerProperties(i: number): Properties {
    const { memory = '64MB', ssd } = this.#options
    const tier = 'alluxio.worker.tieredstore'
    return {
      'alluxio.master.rpc.port': String(this.master.rpcPort),
      'alluxio.worker.rpc.port': '0',
      'alluxio.worker.web.port': '0',
      'alluxio.worker.ramdisk.mount': 'NoMount',
      [`${tier}.level0.dirs.path`]: this.memoryFolder(i),
      [`${tier}.level0.dirs.quota`]: memory,
      ...(ssd === undefined
        ? {}
        : {
            [`${tier}.levels`]: '2',
            [`${tier}.level1.dirs.path`]: join(this.folder, `ssd-${i}`),
            [`${tier}.level1.dirs.quota`]: ssd,
          }),
    }
  }

  #shared(): Properties {
    return {
      'alluxio.master.mount.table.root.ufs': this.ufs,
      'alluxio.worker.block.heartbeat.interval': '100ms',
      ...this.#options.properties,
    }
  }

  #config(name: string, properties: Properties): Config {
    return Config.load({
      env: { ALLUXIO_DATA: join(this.folder, name), ALLUXIO_HOME: this.folder },
      overrides: {
        ...this.#shared(),
        ...properties,
      },
    })
  }
}

/** SIGKILL, as a crash. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

function modules(logged: { readonly message: string }[]) {
  const error: Log['error'] = (message, fields) => {
    logged.push({ message, ...fields })
    log.error(message, fields)
  }
  return {
    runtime: systemRuntime,
    transport: new ZeroMqTransport({}, { runtime: systemRuntime }),
    log: { ...log, error },
    onFatal: (error: unknown) => {
      throw error
    },
  }
}

function loud(): typeof silentLog {
  const write = (message: string, fields?: object) => console.error(message, fields ?? '')
  return { debug: write, info: write, warn: write, error: write, child: loud }
}

export async function writeFile(
  fs: FileSystem,
  path: string,
  bytes: Uint8Array,
  options: Parameters<FileSystem['create']>[1] = {},
): Promise<void> {
  const writer = await fs.create(path, options)
  for (let at = 0; at < bytes.length; at += 2 ** 20) await writer.write(bytes.subarray(at, at + 2 ** 20))
  await writer.close()
}

/** The whole file, and where its bytes came from. */
export async function readFile(
  fs: FileSystem,
  path: string,
  options: Parameters<FileSystem['open']>[1] = {},
): Promise<{ bytes: Buffer; sources: Readonly<Record<string, number>> }> {
  const reader = await fs.open(path, options)
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of reader.stream()) chunks.push(Buffer.from(chunk))
    return { bytes: Buffer.concat(chunks), sources: reader.sources }
  } finally {
    await reader.close()
  }
}

/** Waits until `holds` does; for what happens in the background. */
export async function eventually(holds: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
