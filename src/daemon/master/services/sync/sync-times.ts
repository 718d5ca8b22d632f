/** When subtrees were last compared with their stores as a whole, and which paths are wanted anew. In memory: a restart asks again. */
import { isWithin, type Runtime } from '../../../../core/index.ts'

const MAX_PATHS = 10_000

export class SyncTimes {
  readonly #runtime: Runtime
  /** Path to wall clock, ms; the latest last. */
  readonly #synced = new Map<string, number>()
  readonly #wanted = new Map<string, number>()

  constructor(modules: { readonly runtime: Runtime }) {
    this.#runtime = modules.runtime
  }

  /** A sync of all that is below the path began at this time and went well. */
  synced(path: string, startedMs: number): void {
    for (const known of this.#synced.keys()) if (isWithin(known, path)) this.#synced.delete(known)
    for (const [known, sinceMs] of this.#wanted)
      if (isWithin(known, path) && sinceMs <= startedMs) this.#wanted.delete(known)
    put(this.#synced, path, startedMs)
  }

  /** When the path was last compared as part of a subtree, ms; 0 never. */
  syncedMs(path: string): number {
    return this.#latest(this.#synced, path)
  }

  /** Whoever asks for the path, or for something below it, wants what the store has from now on. */
  want(path: string): void {
    put(this.#wanted, path, this.#runtime.now())
  }

  /** The age, ms, above which the path is to be checked: the given one (-1 never), or less where it was wanted anew. */
  intervalMs(path: string, given: number): number {
    if (this.#wanted.size === 0) return given
    const wantedMs = this.#latest(this.#wanted, path)
    if (wantedMs === 0) return given
    const ageMs = Math.max(0, this.#runtime.now() - wantedMs)
    return given < 0 ? ageMs : Math.min(given, ageMs)
  }

  #latest(times: ReadonlyMap<string, number>, path: string): number {
    if (times.size === 0) return 0
    let latest = times.get('/') ?? 0
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const ms = times.get(path.slice(0, end))
      if (ms !== undefined && ms > latest) latest = ms
    }
    return latest
  }
}

function put(times: Map<string, number>, path: string, ms: number): void {
  times.delete(path)
  if (times.size >= MAX_PATHS)
    for (const oldest of times.keys()) {
      times.delete(oldest)
      break
    }
  times.set(path, ms)
}
