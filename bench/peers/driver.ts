/** A client process of either side under orders: one line `verb key=value ...` in, one line `@{json}` out. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface Reply {
  /** Operations or bytes done. */
  readonly n: number
  /** Seconds of the work itself, measured in the client. */
  readonly secs: number
  readonly p50us?: number
  readonly p99us?: number
  readonly errors?: number
  readonly error?: string
}

export type Values = Readonly<Record<string, string | number>>

/** The loaded driver, kept warm between orders. */
export class Driver {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #waiting: ((line: string) => void)[] = []
  #tail = ''
  #exited = false

  private constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid ?? 0
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line.startsWith('@')) this.#waiting.shift()?.(line.slice(1))
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-4000)
    })
    child.on('exit', (code, signal) => {
      this.#exited = true
      const error = `driver ended with ${code ?? signal}: ${this.#tail}`
      for (const answer of this.#waiting.splice(0)) answer(JSON.stringify({ ok: false, error }))
    })
  }

  static async start(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<Driver> {
    const driver = new Driver(spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] }))
    await driver.#answer()
    return driver
  }

  async #answer(): Promise<Reply> {
    if (this.#exited) throw new Error(`driver has ended: ${this.#tail}`)
    const line = await new Promise<string>((resolve) => this.#waiting.push(resolve))
    const reply = JSON.parse(line) as Reply & { ok: boolean }
    if (!reply.ok) throw new Error(reply.error)
    return reply
  }

  /** Sends one order and waits for its answer. Throws when the work as a whole failed; single failed operations are counted. */
  order(verb: string, values: Values = {}): Promise<Reply> {
    const words = Object.entries(values).map(([key, value]) => `${key}=${value}`)
    this.#child.stdin!.write(`${[verb, ...words].join(' ')}\n`)
    return this.#answer()
  }

  async close(): Promise<void> {
    if (this.#exited) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    // One that still works on an order (the run was interrupted) would finish it first.
    if (this.#waiting.length > 0) this.#child.kill('SIGKILL')
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(timer)
  }
}
