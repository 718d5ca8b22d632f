/** A server process of a test: started on a port that the system chose, stopped, paused and killed by its own id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ServerMissing } from './binary.ts'

/** Where a process runs: this machine, or a host of a test's network. */
export interface Place {
  readonly name: string
  readonly address: string
  /** The command that does there what `binary` with its arguments does here. */
  command(
    binary: string,
    args: readonly string[],
  ): { readonly binary: string; readonly args: readonly string[] }
}

export const HERE: Place = {
  name: '127.0.0.1',
  address: '127.0.0.1',
  command: (binary, args) => ({ binary, args }),
}

export interface ServerCommand {
  readonly binary: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds that it may take to be ready. @default 30,000 */
  readonly startMs?: number
}

export class ServerProcess {
  readonly #command: ServerCommand
  readonly #ready: () => Promise<boolean>
  #child: ChildProcess | undefined
  #said = ''

  constructor(command: ServerCommand, ready: () => Promise<boolean>) {
    this.#command = command
    this.#ready = ready
  }

  /** What the server printed last, on both channels. */
  get output(): string {
    return this.#said
  }

  async start(): Promise<void> {
    const { binary, args, env, startMs = 30_000 } = this.#command
    const child = spawn(binary, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const note = (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-4000)
    }
    child.stdout.on('data', note)
    child.stderr.on('data', note)
    let failure: string | undefined
    child.once('error', (error) => {
      failure = error.message
    })
    const end = Date.now() + startMs
    while (Date.now() < end) {
      if (failure !== undefined || child.exitCode !== null) break
      if (await this.#ready().catch(() => false)) return
      await delay(50)
    }
    await this.kill()
    throw new ServerMissing(`${binary} did not start: ${failure ?? this.#said}`)
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** kill -9, as a crash would. `start` brings it back on the same port and data. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    this.resume()
    await this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(timer)
  }
}

export interface Job extends Omit<ServerCommand, 'startMs'> {
  readonly cwd?: string
  /** Milliseconds until it is killed. @default 300,000 */
  readonly timeoutMs?: number
}

/** Runs a program to its end; returns what it printed. @throws Error with its last words */
export function complete({ binary, args, env, cwd, timeoutMs = 300_000 }: Job): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let printed = ''
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8000)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(printed)
      else {
        const words = `${said.trim()}\n${printed.slice(-2000).trim()}`
        reject(new Error(`${binary} ${args.join(' ')} ended with ${signal ?? code}: ${words}`))
      }
    })
  })
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

export function scratchFolder(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `alluxio-${name}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
