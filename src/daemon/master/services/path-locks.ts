/**
 * Orders operations that change an under-store and the namespace together: while one runs, others on the same path, its
 * ancestors or descendants wait. Operations on the namespace alone are atomic by themselves and only wait where such a
 * two-step operation is under way; with none under way the test is one comparison.
 */
import { isWithin } from '../../../core/index.ts'

/** Operations that are remembered after their end, for those who look at a store meanwhile. */
const REMEMBERED = 1024

export class PathLocks {
  readonly #held = new Map<string, Promise<void>>()
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

  /** The operation under way that touches `path`, if any: wait for it, then ask again. */
  blocking(path: string): Promise<void> | undefined {
    if (this.#held.size === 0) return undefined
    for (const [held, done] of this.#held) if (isWithin(path, held) || isWithin(held, path)) return done
    return undefined
  }

  /** Runs `work` while it alone may change the paths. */
  async exclusive<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    for (;;) {
      const wait = paths.map((path) => this.blocking(path)).find((promise) => promise !== undefined)
      if (wait === undefined) break
      await wait
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const distinct = [...new Set(paths)]
    for (const path of distinct) this.#held.set(path, promise)
    try {
      return await work()
    } finally {
      for (const path of distinct) {
        this.#held.delete(path)
        this.#ended.push(path)
      }
      if (this.#ended.length > 2 * REMEMBERED) {
        this.#ended.splice(0, REMEMBERED)
        this.#forgotten += REMEMBERED
      }
      resolve()
    }
  }
}
