/**
 * Orders operations that change an under-store and the namespace together: while one runs, others on the same path, its
 * ancestors or descendants wait. Operations on the namespace alone are atomic by themselves and only wait where such a
 * two-step operation is under way; with none under way the test is one comparison.
 */
import { type AlluxioError, isWithin } from '../../../core/index.ts'

/** Operations that are remembered after their end, for those who look at a store meanwhile. */
const REMEMBERED = 1024

/** An operation that holds its paths. */
export class Hold {
  readonly #end = Promise.withResolvers<void>()
  #ended = this.#end.promise

  constructor() {
    // Nobody may be waiting when it stalls.
    this.#ended.catch(() => {})
  }

  /** Resolves at its end; rejects while it is stalled. */
  get ended(): Promise<void> {
    return this.#ended
  }

  /** It cannot end before something else changes: who waits for the paths is refused until then. */
  stall(error: AlluxioError): void {
    this.#end.reject(error)
    this.#ended = Promise.reject(error)
    this.#ended.catch(() => {})
  }

  end(): void {
    this.#end.resolve()
  }
}

export class PathLocks {
  readonly #held = new Map<string, Hold>()
  /** Paths of operations that ended, in order; the first one is number `#forgotten`. */
  readonly #ended: string[] = []
  #forgotten = 0

  /** A moment, for `touched`. */
  mark(): number {
    return this.#forgotten + this.#ended.length
  }

  /** Whether an operation on `path`, its ancestors or descendants is under way, or has ended since the moment. */
  touched(path: string, mark: number): boolean {
    if (this.blocking(path) !== undefined || mark < this.#forgotten) return true
    for (let i = mark - this.#forgotten; i < this.#ended.length; i++) {
      const ended = this.#ended[i]!
      if (isWithin(path, ended) || isWithin(ended, path)) return true
    }
    return false
  }

  /** The end of the operation under way that touches `path`, if any: wait for it, then ask again. @throws (awaited) its stall */
  blocking(path: string): Promise<void> | undefined {
    if (this.#held.size === 0) return undefined
    for (const [held, hold] of this.#held) if (isWithin(path, held) || isWithin(held, path)) return hold.ended
    return undefined
  }

  /** Runs `work` while it alone may change the paths. @throws what stalls an operation that holds one of them */
  async exclusive<T>(paths: readonly string[], work: (hold: Hold) => Promise<T>): Promise<T> {
    for (;;) {
      const wait = paths.map((path) => this.blocking(path)).find((promise) => promise !== undefined)
      if (wait === undefined) break
      await wait
    }
    const hold = new Hold()
    const distinct = [...new Set(paths)]
    for (const path of distinct) this.#held.set(path, hold)
    try {
      return await work(hold)
    } finally {
      for (const path of distinct) {
        this.#held.delete(path)
        this.#ended.push(path)
      }
      if (this.#ended.length > 2 * REMEMBERED) {
        this.#ended.splice(0, REMEMBERED)
        this.#forgotten += REMEMBERED
      }
      hold.end()
    }
  }
}
