/** Runs the real `bin/alluxio`, in an environment of its own. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { freePorts } from '../../support/cluster.ts'

const COMMAND = resolve('bin/alluxio')

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Called when the process has been started. */
  readonly onStart?: (kill: (signal: NodeJS.Signals) => void) => void
}

/** A data folder, ports and, once started, a cluster that only the commands run here see. */
export class Place {
  readonly folder: string
  readonly ports: {
    readonly masterRpc: number
    readonly masterWeb: number
    readonly workerRpc: number
    readonly workerWeb: number
  }
  readonly memory: string
  readonly env: Readonly<Record<string, string>>

  private constructor(folder: string, ports: readonly number[]) {
    this.folder = folder
    const [masterRpc, masterWeb, workerRpc, workerWeb, s3 = 0, webHdfs = 0, hints = 0, changes = 0] =
      ports as [number, number, number, number, ...number[]]
    this.ports = { masterRpc, masterWeb, workerRpc, workerWeb }
    this.memory = join('/dev/shm', basename(folder))
    this.env = {
      HOME: folder,
      PATH: process.env.PATH ?? '',
      ALLUXIO_DATA: join(folder, 'data'),
      ALLUXIO_MASTER_RPC_PORT: String(masterRpc),
      ALLUXIO_MASTER_WEB_PORT: String(masterWeb),
      ALLUXIO_WORKER_RPC_PORT: String(workerRpc),
      ALLUXIO_WORKER_WEB_PORT: String(workerWeb),
      ALLUXIO_HINTS_RPC_PORT: String(hints),
      ALLUXIO_HINTS_PUBLISH_PORT: String(changes),
      ALLUXIO_PROXY_WEB_PORT: String(s3),
      ALLUXIO_PROXY_WEBHDFS_PORT: String(webHdfs),
      ALLUXIO_WORKER_RAMDISK_MOUNT: 'NoMount',
      ALLUXIO_WORKER_BLOCK_HEARTBEAT_INTERVAL: '200ms',
      TZ: 'UTC',
    }
  }

  static async make(): Promise<Place> {
    const place = new Place(mkdtempSync(join(tmpdir(), 'alluxio-cli-')), await freePorts(8))
    // Builds what is not built yet, so that no command under test has anything to say about that.
    await place.run(['version'])
    return place
  }

  /** `-D` words for the memory tier. */
  get tier(): string[] {
    return [
      `-Dalluxio.worker.tieredstore.level0.dirs.path=${this.memory}`,
      '-Dalluxio.worker.tieredstore.level0.dirs.quota=128MB',
    ]
  }

  run(args: readonly string[], { env = {}, input = '', onStart }: RunOptions = {}): Promise<Ran> {
    return new Promise((done, failed) => {
      const child = spawn(COMMAND, args, { env: { ...this.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
      const out: Buffer[] = []
      const err: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
      onStart?.((signal) => child.kill(signal))
      child.stdin.on('error', () => {})
      child.stdin.end(input)
      child.on('error', failed)
      child.on('close', (status) => {
        done({
          status,
          stdout: Buffer.concat(out).toString('utf8'),
          stderr: Buffer.concat(err).toString('utf8'),
        })
      })
    })
  }

  /** The standard output of a command that has to succeed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(args)
    if (status !== 0) throw new Error(`alluxio ${args.join(' ')} ended with ${status}: ${stderr}`)
    return stdout
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.ok(...args, '--json')) as T
  }

  async dispose(): Promise<void> {
    await this.run(['stop', '--wait', '5'])
    rmSync(this.folder, { recursive: true, force: true })
    rmSync(this.memory, { recursive: true, force: true })
  }
}
