/**
 * Where writes through the cache put their objects: until a file is complete or given up, what stands at its path in the store
 * is no file of others, even when the file has gone from there meanwhile.
 */
import { isWithin, type Runtime } from '../../../core/index.ts'

/** A writer that has not completed its file for so long is not expected to put its object any more. */
export const EXPECTED_MS = 10 * 60_000

export class Uploads {
  readonly #runtime: Runtime
  /** Paths that through writes upload to, with how many and until when. */
  readonly #expected = new Map<string, { writers: number; untilMs: number }>()

  constructor(modules: { readonly runtime: Runtime }) {
    this.#runtime = modules.runtime
  }

  /** A file is being written through to this path; it may be moved or deleted before its object is there. */
  expect(path: string): void {
    const untilMs = this.#runtime.monotonic() + EXPECTED_MS
    this.#expected.set(path, { writers: (this.#expected.get(path)?.writers ?? 0) + 1, untilMs })
  }

  /** The object has come, and what is to become of it is decided. */
  arrived(path: string): void {
    const expected = this.#expected.get(path)
    if (expected !== undefined && --expected.writers === 0) this.#expected.delete(path)
  }

  /** Whether what stands there may be of a writer who has not completed its file. */
  isExpected(path: string): boolean {
    const expected = this.#expected.get(path)
    if (expected === undefined) return false
    if (expected.untilMs > this.#runtime.monotonic()) return true
    this.#expected.delete(path)
    return false
  }

  /** The same for a directory, which may be there only because of what is written below it. */
  isExpectedBelow(path: string): boolean {
    for (const target of this.#expected.keys())
      if (isWithin(target, path) && this.isExpected(target)) return true
    return false
  }
}
