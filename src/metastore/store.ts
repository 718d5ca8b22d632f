/**
 * The RecordStore port: ordered tables of bytes with atomic, durable batches. Two implementations, `lmdb.ts` and
 * `memory.ts` (simulation: committed and flushed are told apart, a crash reverts to what was flushed).
 *
 * Reads see every batch that was handed to `commit`, durable or not, at once: the engine plans against the store plus the
 * pending batches. A reply that depends on a read of a pending batch must wait for `durable()`.
 */
export const TABLES = [
  'meta',
  'inode',
  'edge',
  'counter',
  'ttl',
  'persist',
  'mount',
  'command',
  'block',
] as const
export type Table = (typeof TABLES)[number]

export interface Change {
  readonly table: Table
  readonly key: Buffer
  /** null deletes. */
  readonly value: Buffer | null
}

export interface RangeOptions {
  /** First key, inclusive. */
  readonly start: Buffer
  /** Last key, exclusive. */
  readonly end: Buffer
  readonly limit?: number
}

export interface RecordStore {
  get(table: Table, key: Buffer): Buffer | undefined
  /** In ascending byte order of the keys; stable against later commits for the length of one synchronous loop. */
  range(table: Table, options: RangeOptions): Iterable<{ readonly key: Buffer; readonly value: Buffer }>
  /**
   * Applies the changes as one atomic step, after every earlier batch. Resolves when they are durable; rejects only if the
   * store is closed. A flush that fails or is late ends the process (`onFatal`), it is never retried.
   */
  commit(changes: readonly Change[]): Promise<void>
  /** Resolves when everything committed so far is durable. */
  durable(): Promise<void>
  stats(): { readonly diskBytes: number; readonly entries: number }
  close(): Promise<void>
}
