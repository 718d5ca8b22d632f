/** What a finished run leaves for the checkers to judge. */
import type { SimOptions } from '../options.ts'
import type { Kept } from '../workload/client-driver.ts'
import type { History } from '../workload/history.ts'

export interface Violation {
  /** K1 … K8 of reference/trust.md 1.9. */
  readonly checker: string
  readonly message: string
  /** Operations, paths or files that show it. */
  readonly evidence: readonly string[]
}

/** A path of the namespace after quiesce, as a fresh client sees it. */
export interface FinalEntry {
  readonly path: string
  readonly fileId: number
  readonly folder: boolean
  readonly completed: boolean
  readonly length: number
  readonly persistence: string
  /** Outcome of reading it whole: count of right bytes, or what went wrong. Absent for directories and incomplete files. */
  readonly read?: { readonly count: number; readonly wrong: number } | { readonly error: string }
}

export interface FinalTier {
  readonly worker: string
  readonly alias: string
  /** What the worker told the master that it uses, bytes; -1 if nothing. */
  readonly reportedBytes: number
  readonly capacityBytes: number
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly temporary: boolean }[]
}

export interface FinalObject {
  readonly path: string
  readonly bytes: Uint8Array
}

export interface Outcome {
  readonly options: SimOptions
  readonly history: History
  readonly kept: readonly Kept[]
  /** Whether cached bytes were taken away by a reboot or a wrong disk: then only the under-store's copies are promised. */
  readonly cacheLost: boolean
  /** Whether everything came to rest in time; `pending` says what did not. */
  readonly quiet: boolean
  readonly pending: readonly string[]
  readonly entries: readonly FinalEntry[]
  readonly tiers: readonly FinalTier[]
  readonly objects: readonly FinalObject[]
  /** Throws out of callbacks and promises nobody handled, in product code. */
  readonly uncaught: readonly string[]
}

export type Checker = (outcome: Outcome) => readonly Violation[]
