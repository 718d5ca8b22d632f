/** A daemon of a scenario in a process of its own (`daemon.ts`), and what it uses. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A size in bytes from /proc/PID/status, such as `RssAnon`. */
export function memoryOf(pid: number | 'self', field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) * 1024
}

export class Daemon {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Resolves with its RPC port when it serves; a worker, when it is registered. */
  static async start(
    role: 'master' | 'worker',
    data: string,
    properties: Readonly<Record<string, string>>,
  ): Promise<{ daemon: Daemon; port: string }> {
    const flags = Object.entries(properties).map(([key, value]) => `${key}=${value}`)
    const script = join(import.meta.dirname, 'daemon.ts')
    const child = spawn(process.execPath, ['--expose-gc', script, role, ...flags], {
      env: { ...process.env, ALLUXIO_DATA: data },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const daemon = new Daemon(child)
    return { daemon, port: await daemon.#line() }
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the daemon ended')
    return value
  }

  /** Bytes after a collection. */
  async memory(): Promise<{ heapUsed: number; external: number; rssAnon: number }> {
    this.#child.kill('SIGUSR2')
    const { heapUsed, external } = JSON.parse(await this.#line())
    return { heapUsed, external, rssAnon: memoryOf(this.#child.pid!, 'RssAnon') }
  }

  /** Seconds of CPU so far. */
  get cpu(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  /** Most bytes in memory since the process began, or since `resetPeak`. */
  get peakBytes(): number {
    return memoryOf(this.#child.pid!, 'VmHWM')
  }

  resetPeak(): void {
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, '5')
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await gone
  }
}
