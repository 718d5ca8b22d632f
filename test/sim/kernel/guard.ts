/**
 * Watches for code that reads the host's clock, timers or dice while a world runs: each place is told once, with its stack.
 * The calls go through, so that the run shows what else it finds; its trace is no longer to be trusted.
 */
const realSetImmediate = globalThis.setImmediate

/** For the kernel, which alone may wait for the host. */
export function hostTurn(fn: () => void): void {
  realSetImmediate(fn)
}

export class HostGuard {
  readonly #leaks = new Map<string, string>()
  readonly #restore: (() => void)[] = []

  /** Frames of these files may use the host. */
  readonly #allowed: RegExp

  constructor(allowed = /node_modules|test\/sim\/|node:internal/) {
    this.#allowed = allowed
  }

  get leaks(): readonly string[] {
    return [...this.#leaks.values()]
  }

  start(): void {
    this.#watch(Date, 'now')
    this.#watch(Math, 'random')
    this.#watch(performance, 'now')
    for (const name of ['setTimeout', 'setInterval', 'setImmediate'] as const) this.#watch(globalThis, name)
    this.#watch(AbortSignal, 'timeout')
  }

  stop(): void {
    for (const restore of this.#restore.splice(0)) restore()
  }

  #watch<K extends string>(owner: Record<K, unknown> | object, name: K): void {
    const holder = owner as Record<string, unknown>
    const own = Object.getOwnPropertyDescriptor(holder, name)
    const real = holder[name] as (...args: unknown[]) => unknown
    const seen = (what: string) => this.#seen(what)
    function watched(this: unknown, ...args: unknown[]): unknown {
      seen(name)
      return real.apply(this, args)
    }
    Object.defineProperty(holder, name, { value: watched, configurable: true, writable: true })
    this.#restore.push(() => {
      if (own === undefined) delete holder[name]
      else Object.defineProperty(holder, name, own)
    })
  }

  #seen(what: string): void {
    const stack = new Error(what).stack ?? ''
    // Line 0 is the message, 1 and 2 are the guard's own.
    const caller = stack.split('\n').slice(3, 4).join('').trim()
    if (caller === '' || this.#allowed.test(caller)) return
    if (!this.#leaks.has(caller)) this.#leaks.set(caller, `${what} ${caller}`)
  }
}
