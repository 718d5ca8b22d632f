/**
 * Files that clients were just sent to a worker to create. `FileSystem.create(fs, path, permission)` of Hadoop, which submits every job of
 * MapReduce, sets the mode as soon as its request to the worker is out, and may be here before the worker has made the file.
 */
import { isAlluxioError, type Runtime, sleep } from '../../core/index.ts'
import type { Operation } from './operation.ts'

const WAIT_MS = 2_000
const MAX_FILES = 10_000

export class PromisedFiles {
  readonly #runtime: Runtime
  /** When each is waited for no more; oldest first. */
  readonly #until = new Map<string, number>()

  constructor({ runtime }: { readonly runtime: Runtime }) {
    this.#runtime = runtime
  }

  promise(path: string): void {
    const now = this.#runtime.monotonic()
    for (const [oldest, until] of this.#until) {
      if (until > now && this.#until.size < MAX_FILES) break
      this.#until.delete(oldest)
    }
    this.#until.delete(path)
    this.#until.set(path, now + WAIT_MS)
  }

  /** The operation, once the file is there. */
  readonly whenThere = (operation: Operation): Operation => {
    return async (call) => {
      for (let waitMs = 2; ; waitMs *= 2) {
        try {
          return await operation(call)
        } catch (error) {
          const until = this.#until.get(call.asked.path) ?? 0
          if (!isAlluxioError(error, 'NOT_FOUND') || this.#runtime.monotonic() >= until) throw error
        }
        await sleep(this.#runtime, waitMs)
      }
    }
  }
}
