/** (being written) Which worker holds which block on which tier. */
import type { BlockId, FileId, WorkerId } from '../core/index.ts'

export interface Replica {
  readonly workerId: WorkerId
  readonly tier: number
}

export declare class BlockMap {
  /** Number of blocks that have a replica; number of replicas. */
  readonly blocks: number
  readonly replicas: number
  add(worker: WorkerId, block: BlockId, tier: number): void
  remove(worker: WorkerId, block: BlockId): void
  locations(block: BlockId): Replica[]
  /** Cached bytes of a file: each block counts once, in memory if a replica lies on tier 0. */
  cached(file: FileId, length: number, blockSizeBytes: number): { cachedBytes: number; inMemoryBytes: number }
  /** A heartbeat: 8-byte f64 ids removed, then 9-byte (f64 id, u8 tier) entries added or moved. */
  applyDelta(worker: WorkerId, removed: Uint8Array, added: Uint8Array): void
  /** Re-registration: begin, any number of pages of 9-byte entries, end; what was not named is gone. */
  beginRegistration(worker: WorkerId): void
  registerPage(worker: WorkerId, page: Uint8Array): void
  endRegistration(worker: WorkerId): void
  workerLost(worker: WorkerId): void
  blocksOf(worker: WorkerId): Iterable<BlockId>
  blockCountOf(worker: WorkerId): number
  /** Block ids that the worker should drop (deleted, freed, orphaned or outdated), f64 little-endian; empties the list. */
  takeDrops(worker: WorkerId): Uint8Array
  hasDrops(worker: WorkerId): boolean
  /** Forgets a file's blocks and queues their drop. Returns the bytes freed. */
  drop(file: FileId, blockCount: number): number
}
