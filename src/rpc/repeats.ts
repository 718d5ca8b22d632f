/**
 * When calls go again whose session broke or that the server had no room for. All calls of one connection wait together: a
 * random time whose ceiling doubles with each failure in a row (`backoffMs` of core), so that the clients of a server that
 * comes back do not come at once; and then no more of them than a budget of tokens allows. Each answered call gives a token back, so
 * a server that answers is soon sent the rest, and one that does not is spared it.
 */
import { backoffMs, type Cancel, type Runtime } from '../core/index.ts'

export interface RepeatsOptions {
  /** Ceiling of the first wait, milliseconds. @default 50 */
  readonly baseMs?: number
  /** Ceiling of any wait, milliseconds: below what callers wait for a connection. @default 2000 */
  readonly capMs?: number
  /** Calls that may go again at once. @default 1000 */
  readonly burst?: number
  /** Tokens that come by themselves, so that a budget that was used up heals. @default 100 */
  readonly perSecond?: number
}

export interface RepeatsModules<C> {
  readonly runtime: Runtime
  /** Sends a call; told only of calls that are not done, in the order in which they were added. */
  readonly send: (call: C) => void
}

export class Repeats<C extends { readonly done: boolean }> {
  readonly #options: Required<RepeatsOptions>
  readonly #modules: RepeatsModules<C>
  #waiting: C[] = []
  /** Index of the first one that has not gone. */
  #next = 0
  #failures = 0
  #notBeforeMs = 0
  #tokens: number
  #countedMs: number
  #timer: Cancel | undefined

  constructor(options: RepeatsOptions, modules: RepeatsModules<C>) {
    this.#options = { baseMs: 50, capMs: 2000, burst: 1000, perSecond: 100, ...options }
    this.#modules = modules
    this.#tokens = this.#options.burst
    this.#countedMs = modules.runtime.monotonic()
  }

  /** The server failed; what fails during the wait that follows is the same failure. Returns that wait, milliseconds. */
  failed(): number {
    const { runtime } = this.#modules
    const { baseMs, capMs } = this.#options
    const now = runtime.monotonic()
    if (now >= this.#notBeforeMs)
      this.#notBeforeMs = now + backoffMs(runtime, this.#failures++, baseMs, capMs)
    return this.#notBeforeMs - now
  }

  /** The server answered a call. */
  succeeded(): void {
    this.#failures = 0
    if (this.#tokens < this.#options.burst) this.#tokens++
    if (this.#next < this.#waiting.length) this.#pump()
  }

  /** A session held for some time: what comes next is no longer the same trouble. */
  calm(): void {
    this.#failures = 0
  }

  /** Sends a call again when it is due. */
  add(call: C): void {
    this.#waiting.push(call)
    if (this.#timer === undefined) this.#pump()
  }

  /** No session stands: nothing is due. */
  clear(): void {
    this.#timer?.()
    this.#timer = undefined
    this.#waiting = []
    this.#next = 0
  }

  #pump(): void {
    this.#timer?.()
    this.#timer = undefined
    const wait = this.#notBeforeMs - this.#modules.runtime.monotonic()
    if (wait > 0) {
      this.#later(wait)
      return
    }
    this.#refill()
    for (; this.#next < this.#waiting.length; this.#next++) {
      const call = this.#waiting[this.#next]!
      if (call.done) continue
      if (this.#tokens < 1) {
        this.#later(1000 / this.#options.perSecond)
        return
      }
      this.#tokens--
      this.#modules.send(call)
    }
    this.#waiting = []
    this.#next = 0
  }

  #later(ms: number): void {
    this.#timer = this.#modules.runtime.after(
      ms,
      () => {
        this.#timer = undefined
        this.#pump()
      },
      true,
    )
  }

  #refill(): void {
    const { burst, perSecond } = this.#options
    const now = this.#modules.runtime.monotonic()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#countedMs) / 1000) * perSecond)
    this.#countedMs = now
  }
}
