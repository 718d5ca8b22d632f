/**
 * The RecordStore port: ordered tables of bytes with atomic, durable batches. Two implementations, `lmdb.ts` and
 * `memory.ts` (simulation: committed and flushed are told apart, a crash reverts to what was flushed).
 *
 * Reads see every batch that was handed to `commit`, durable or not, at once: the engine plans against the store plus the
 * pending batches. A reply that depends on a read of a pending batch must wait for `durable()`; `readBatch` tells.
 */
/** In the order of their numbers in the journal: a new one goes to the end. */
export const TABLES = [
  'meta',
  'inode',
  'edge',
  'counter',
  'ttl',
  'pin',
  'persist',
  'reclaim',
  'mount',
  'command',
  'block',
  'intent',
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

export interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

/**
 * Sees one row where it lies: the key is `keys[keyStart, keyEnd)`, the value the first `length` bytes of `values`. Both may be shared
 * memory that the next read overwrites: nothing of them is kept, and no other read is made meanwhile. False ends the scan.
 */
export type RowVisitor = (
  keys: Buffer,
  keyStart: number,
  keyEnd: number,
  values: Buffer,
  length: number,
) => boolean

export interface RecordStore {
  /** Made when the store was formatted; the same for every daemon of a cluster. */
  readonly clusterId: string
  /** Grows with every open. */
  readonly epoch: number
  /** Batch that changes handed in now belong to. Until it grows, buffers of the open batch may still be changed in place. */
  readonly openBatch: number
  /** Last batch that is durable. */
  readonly durableBatch: number
  /** Grows with every change: as long as it does not, reads say the same. */
  readonly version: number
  /**
   * Youngest batch that a `get` or `range` has read from since the caller last set it to 0: the reply may go out when
   * `durableBatch` has reached it.
   */
  readBatch: number

  get(table: Table, key: Buffer): Buffer | undefined
  /** In ascending byte order of the keys; stable against later commits for the length of one synchronous loop. */
  range(table: Table, options: RangeOptions): Iterable<Row>
  /** As `range`, without a copy of anything. */
  scan(table: Table, options: RangeOptions, visit: RowVisitor): void
  /**
   * Adds the changes to the open batch, which is written as one atomic step after every earlier batch. Resolves when they are
   * durable; rejects, with nothing applied, when the store is closed or (RESOURCE_EXHAUSTED) its disk is nearly full. A flush
   * that fails or is late ends the process (`onFatal`), it is never retried. All commits of one batch share one promise.
   */
  commit(changes: readonly Change[]): Promise<void>
  /** Why a commit would be refused now, if it would. Who asks, plans and commits in one turn is not refused afterwards. */
  refusal(): Error | undefined
  /** `contribute` is asked for more changes each time a batch is sealed (what is summed up per batch). */
  beforeSeal(contribute: (batch: number) => readonly Change[]): void
  /** Resolves when a batch, by default everything committed so far, is durable. */
  durable(batch?: number): Promise<void>
  stats(): { readonly diskBytes: number; readonly entries: number }
  close(): Promise<void>
}

/**
 * The tables under the group commit: reads of what was written, and one atomic, durable write at a time.
 */
export interface Medium {
  get(table: Table, key: Buffer): Buffer | undefined
  range(table: Table, options: RangeOptions): Iterable<Row>
  scan(table: Table, options: RangeOptions, visit: RowVisitor): void
  /** Resolves when the changes are durable; reads see them at that moment at the latest. Called one at a time. */
  write(changes: readonly Change[]): Promise<void>
  /** Bytes that may still be written before the disk is full; Infinity if unknown. */
  freeBytes(): number
  stats(): { readonly diskBytes: number; readonly entries: number }
  close(): Promise<void>
}
