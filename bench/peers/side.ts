/** What the sections know of a system under test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Driver } from './driver.ts'
import type { Target } from './http-load.ts'
import { processTree } from './machine.ts'

export type SideName = 'alluxio' | 'ours'

export interface DriverOptions {
  /** Client properties, with the same keys on both sides. */
  readonly properties?: Readonly<Record<string, string>>
  /** A process with little memory, to run many of. */
  readonly light?: boolean
}

export interface ClusterOptions {
  /** Folder for state, logs and the root under-store. On the disk that metadata is to be durable on. */
  readonly directory: string
  /** Folder of the only tier, and its quota. */
  readonly tier: string
  readonly tierBytes: number
  /** Largest heap of upstream's master, as -Xmx takes it; ours has no such need. */
  readonly masterHeap: string
}

/** An HTTP gateway of a side, as a process beside its other servers. */
export interface Gateway {
  readonly pids: readonly number[]
  /** What to send to read or write a path, which begins with a slash. */
  target(method: 'GET' | 'PUT', path: string): Target
}

export interface Side {
  readonly name: SideName
  /** Processes of the servers. */
  readonly pids: readonly number[]
  readonly masterPid: number
  /** Folders that hold the metadata. */
  readonly metadata: readonly string[]
  driver(options?: DriverOptions): Promise<Driver>
  /** Command line of the user's shell with `args` after it, and client properties. */
  shell(args: readonly string[], properties?: Readonly<Record<string, string>>): readonly string[]
  /** The proxy is started with the first gateway that is asked for, and stops with the side. */
  s3Gateway(): Promise<Gateway>
  /** Upstream has none. The path is that of the REST interface. */
  webHdfsGateway?(): Promise<Gateway>
  /** Ends the servers and starts them over the same state. Seconds from the master's start until `ready` has passed on it. */
  restart(ready: () => Promise<unknown>): Promise<number>
  /** The master's heap in use after a collection. */
  heapBytes(): Promise<number>
  stop(): Promise<void>
}

/** `-Dkey=value` for each. */
export function definitions(properties: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(properties).map(([key, value]) => `-D${key}=${value}`)
}

/** A server in the background, its output in `log`. */
export class Server {
  readonly log: string
  readonly #child: ChildProcess
  #exited = false

  constructor(command: readonly string[], log: string, env: NodeJS.ProcessEnv = process.env) {
    this.log = log
    const out = openSync(log, 'a')
    this.#child = spawn(command[0]!, command.slice(1), { env, stdio: ['ignore', out, out] })
    this.#child.on('exit', () => {
      this.#exited = true
    })
  }

  get pids(): number[] {
    return processTree(this.#child.pid!)
  }

  /** Waits until something listens on the port. */
  async listening(port: number, timeoutMs = 600_000): Promise<void> {
    const end = performance.now() + timeoutMs
    while (!(await accepts(port))) {
      if (this.#exited || performance.now() > end)
        throw new Error(`server did not come up:\n${readFileSync(this.log, 'utf8').slice(-3000)}`)
      await sleep(20)
    }
  }

  async stop(): Promise<void> {
    if (this.#exited) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(timer)
  }
}

interface Starts {
  readonly master: () => Promise<Server>
  readonly worker: () => Promise<Server>
}

/** The servers of one side, by functions that start one each and resolve when it listens. */
export class Servers {
  readonly #start: Starts
  #master: Server | undefined
  #worker: Server | undefined
  #pids: number[] = []

  constructor(start: Starts) {
    this.#start = start
  }

  get pids(): readonly number[] {
    return this.#pids
  }
  get masterPid(): number {
    return this.#master!.pids[0]!
  }

  async start(): Promise<void> {
    this.#master = await this.#start.master()
    await this.#startWorker()
  }

  /** Seconds from the master's new start until `ready` has passed on it. */
  async restart(ready: () => Promise<unknown>): Promise<number> {
    await this.stop()
    const started = performance.now()
    this.#master = await this.#start.master()
    await ready()
    const seconds = (performance.now() - started) / 1000
    await this.#startWorker()
    return seconds
  }

  async stop(): Promise<void> {
    await this.#worker?.stop()
    await this.#master?.stop()
  }

  async #startWorker(): Promise<void> {
    this.#worker = await this.#start.worker()
    this.#pids = [...this.#master!.pids, ...this.#worker.pids]
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
