/** Differences between a store and the namespace, in the order in which they are applied, in bounded batches. */
import { type FileId, joinPath } from '../../../../core/index.ts'
import type { LoadedEntry, LoadOutcome, Namespace } from '../../../../namespace/index.ts'
import type { UfsStatus } from '../../../../ufs/index.ts'
import { loadedEntry } from '../loaded-entry.ts'
import type { Looks } from '../looks.ts'
import type { PathLocks } from '../path-locks.ts'
import type { Asked } from './pages.ts'

/** What a sync has done so far; it grows while the sync runs. */
export interface SyncTally {
  pages: number
  /** Entries of the store that were compared. */
  entries: number
  added: number
  updated: number
  removed: number
  /** Differences left alone, because this cluster was changing the path at that moment. */
  passed: number
}

export interface DifferencesOptions {
  /** Block size of new files, bytes. */
  readonly blockSizeBytes: number
  /** Nothing is applied. */
  readonly dry: boolean
}

export interface DifferencesModules {
  readonly namespace: Namespace
  readonly locks: PathLocks
  readonly looks: Looks
  /** Whether bytes of this cluster are on their way to a path: what the store has there is no file of others. */
  readonly busy: (path: string, directory: boolean) => boolean
  /** Told after files have changed or gone: their blocks are to be freed. */
  readonly onFreed: () => void
}

type Step =
  | { readonly op: 'found'; readonly path: string; readonly entries: LoadedEntry[] }
  | {
      readonly op: 'gone'
      readonly path: string
      readonly children: { readonly name: string; readonly id: FileId }[]
    }
  | { readonly op: 'loaded'; readonly path: string; readonly asked: Asked }

const FULL = 1000

export class Differences {
  readonly #options: DifferencesOptions
  readonly #modules: DifferencesModules
  readonly #tally: SyncTally
  #steps: Step[] = []
  #size = 0

  constructor(options: DifferencesOptions, modules: DifferencesModules, tally: SyncTally) {
    this.#options = options
    this.#modules = modules
    this.#tally = tally
  }

  get full(): boolean {
    return this.#size >= FULL
  }

  /** The store has a child that the namespace does not know, or knows otherwise. */
  found(directory: string, name: string, status: UfsStatus): void {
    const last = this.#steps[this.#steps.length - 1]
    const entry = loadedEntry(status, name)
    if (last?.op === 'found' && last.path === directory) last.entries.push(entry)
    else this.#steps.push({ op: 'found', path: directory, entries: [entry] })
    this.#size++
  }

  gone(directory: string, name: string, id: FileId): void {
    const last = this.#steps[this.#steps.length - 1]
    if (last?.op === 'gone' && last.path === directory) last.children.push({ name, id })
    else this.#steps.push({ op: 'gone', path: directory, children: [{ name, id }] })
    this.#size++
  }

  /** All children of the directory have been seen. */
  loaded(directory: string, { listedMs, mark, look }: Asked): void {
    // Without the page's entries.
    this.#steps.push({ op: 'loaded', path: directory, asked: { listedMs, mark, look } })
    this.#size++
  }

  /**
   * Applies what was gathered; resolves when it is durable. What this cluster has changed since the page was asked for, and what
   * a later look has told, is left alone.
   */
  async apply({ listedMs, mark, look }: Asked): Promise<void> {
    const { namespace, looks, onFreed } = this.#modules
    const steps = this.#steps
    this.#steps = []
    this.#size = 0
    const { blockSizeBytes, dry } = this.#options
    if (dry) return
    const outcomes: Promise<LoadOutcome | undefined>[] = []
    for (const step of steps) {
      const { path } = step
      if (step.op === 'loaded') {
        looks.listed(step.asked.look, path)
        outcomes.push(namespace.sync.loaded(path, step.asked.listedMs).then(() => undefined))
      } else if (step.op === 'gone') {
        const children = step.children.filter(({ name }) => {
          const child = joinPath(path, name)
          if (!looks.maySpeak(look, child) || !this.#isUntouched(child, mark)) return false
          looks.gone(look, child)
          return true
        })
        if (children.length > 0) outcomes.push(namespace.sync.gone({ path, children, listedMs }))
      } else {
        const entries = step.entries.filter((entry) => {
          const child = joinPath(path, entry.name)
          if (!looks.maySpeak(look, child) || !this.#isForeign(child, entry, mark)) return false
          looks.seen(look, child)
          return true
        })
        if (entries.length > 0)
          outcomes.push(namespace.sync.found({ path, entries, blockSizeBytes, listedMs }))
      }
    }
    let freed = false
    for (const outcome of await Promise.all(outcomes)) {
      if (outcome === undefined) continue
      this.#tally.added += outcome.added
      this.#tally.updated += outcome.updated
      this.#tally.removed += outcome.removed
      freed ||= outcome.changedFiles.length > 0
    }
    if (freed) onFreed()
  }

  #isForeign(path: string, { directory }: LoadedEntry, mark: number): boolean {
    const { busy, namespace } = this.#modules
    if (!this.#isUntouched(path, mark)) return false
    if (!busy(path, directory) || namespace.inode(path) !== undefined) return true
    this.#tally.passed++
    return false
  }

  /** What was seen of the store while this master changed it may be neither the old nor the new. */
  #isUntouched(path: string, mark: number): boolean {
    if (!this.#modules.locks.touched(path, mark)) return true
    this.#tally.passed++
    return false
  }
}
