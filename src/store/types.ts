/** The worker's block store as others see it. Byte counts are plain bytes, times milliseconds. */
import type { BlockId, FileId } from '../core/index.ts'
import type { PinnedFiles } from './pins.ts'

export type { PinnedFiles } from './pins.ts'

/** One folder of a tier. */
export interface TierFolderOptions {
  readonly path: string
  readonly quotaBytes: number
  /** Medium of the folder (`MEM`, `SSD`, `HDD`, …). @default the tier's alias */
  readonly medium?: string
}

export interface TierOptions {
  readonly alias: string
  readonly folders: readonly TierFolderOptions[]
  /**
   * Whether the tier outlives the machine's power. Durable tiers sync sole copies and verify pages at first touch; others
   * are memory: mapped, written synchronously, trusted by their seal. @default alias is not MEM
   */
  readonly durable?: boolean
}

export interface BlockStoreOptions {
  /** Fastest first. */
  readonly tiers: readonly TierOptions[]
  /** MaxFree, RoundRobin, Greedy, or the name of a module whose default export makes an `AllocationPolicy`. @default MaxFree */
  readonly allocation?: string
  /** LRU, LRFU, S3FIFO, or the name of a module whose default export makes an `EvictionPolicy`. @default LRU */
  readonly eviction?: string
  /** LRFU's step (0 is LFU, 1 is LRU) and attenuation factor. @default 0.25 and 2 */
  readonly lrfu?: { readonly step: number; readonly attenuation: number }
  /** Unit in which a miss fetches. A multiple of 4096. @default 1 MiB */
  readonly extentBytes?: number
  /** Most bytes fetched ahead of one sequential reader. @default 64 MiB */
  readonly readAheadBytes?: number
  /** Bytes kept free in each folder by background eviction. @default 0 */
  readonly freeAheadBytes?: number
  readonly align?: { readonly enabled: boolean; readonly intervalMs: number }
  /** Verification of sealed blocks in the background: bytes a second (0: none) and how old a check may get. @default none */
  readonly scrub?: { readonly bytesPerSecond: number; readonly intervalMs: number }
  /** First wait before a failed folder is tried again; doubles up to 64 times that. 0: never. @default 5 s */
  readonly probeIntervalMs?: number
  /** Open block files that are kept for the next read. @default 512 */
  readonly openFiles?: number
  /** A local writer that neither grows its file nor commits for so long is given up. @default 10 minutes */
  readonly localWriteTimeoutMs?: number
}

export interface CreateOptions {
  /** Expected length of the block; space for it is reserved before anything is written. */
  readonly sizeHint: number
  /** Never evicted from the store until unpinned (also: `setPinned`). */
  readonly pinned?: boolean
  /** Prefer a folder of this medium; a pinned block is kept on it. @default the media of the file's pin, else any */
  readonly medium?: string
}

export interface WriteOptions extends CreateOptions {
  /** No other copy exists: synced on durable tiers, demoted but never deleted until `markPersisted`. */
  readonly soleCopy: boolean
}

export interface BlockWriter {
  /** Resolves (or returns at once) when `bytes` may be reused. @throws RESOURCE_EXHAUSTED when no tier has space */
  append(bytes: Uint8Array): void | Promise<void>
  /** Seals the block; when it resolves the block is visible, and durable if it is the sole copy on a durable tier. */
  commit(): Promise<{ readonly length: number; readonly tier: string }>
  /** Nothing stays. */
  abort(): Promise<void>
}

/**
 * Reads a range of the block from the under-store, in order. Fewer bytes than asked are DATA_LOSS (the source is shorter
 * than the metadata says).
 */
export type BlockFetch = (offset: number, length: number, signal: AbortSignal) => AsyncIterable<Uint8Array>

export interface ReadRequest {
  readonly blockId: BlockId
  /** Length of the whole block. */
  readonly blockLength: number
  /** First byte within the block. */
  readonly offset: number
  readonly length: number
  /** Whether what is fetched stays here. */
  readonly cache: boolean
  /** Whether the block moves to the top tier. */
  readonly promote: boolean
  /** Whether more of the block is likely to be asked for: read ahead. */
  readonly sequential: boolean
  /** Where bytes that are not here come from; without it a miss is NOT_FOUND. */
  readonly fetch?: BlockFetch
  /** Size of one ranged request, and how many at once, that read one large object of the source fastest. @default 8 MiB, 4 */
  readonly rangeBytes?: number
  readonly rangeParallelism?: number
  readonly signal?: AbortSignal
}

export interface LoadRequest extends Omit<ReadRequest, 'offset' | 'length' | 'cache' | 'sequential'> {
  /** Told of bytes as they come. */
  readonly onProgress?: (bytes: number) => void
}

export interface BlockBytes {
  /** Must not be written. Valid as long as it is referenced, whatever happens to the block. */
  readonly bytes: Uint8Array
  /** Tier alias, or `UFS` for bytes that were fetched for this read. */
  readonly from: string
}

export interface BlockPiece extends BlockBytes {
  /** Optional: tells that the reader is done with `bytes`. Memory is never reused before it is unreachable. */
  release(): void
}

export interface TierUse {
  readonly alias: string
  readonly capacityBytes: number
  readonly usedBytes: number
  readonly folders: readonly {
    readonly path: string
    readonly medium: string
    readonly capacityBytes: number
    readonly usedBytes: number
    readonly blocks: number
    /** Why the folder is out of use, if it is. */
    readonly failure: string | undefined
  }[]
}

/** A sealed block and the index of its tier. */
export interface BlockPlace {
  readonly id: BlockId
  readonly tier: number
}

export interface BlockChanges {
  readonly removed: readonly BlockId[]
  readonly added: readonly BlockPlace[]
  /** Blocks, removed too, whose only known copy was damaged: their bytes are gone. */
  readonly lost: readonly BlockId[]
}

export interface RecoverySummary {
  readonly blocks: number
  readonly partialBlocks: number
  readonly temporaryFilesRemoved: number
  readonly evicted: number
  readonly ms: number
}

export interface BlockStore {
  /** Recovers what the folders hold and starts background work. A folder that fails is left out, never an error. */
  start(): Promise<RecoverySummary>
  /** Stops background work, waits for moves in progress, closes files. */
  stop(): Promise<void>

  /** Reserves space and names the temporary file that a writer on this host fills with an Arrow block. @throws ALREADY_EXISTS, RESOURCE_EXHAUSTED */
  createLocal(
    blockId: BlockId,
    options: CreateOptions,
  ): Promise<{ readonly path: string; readonly tier: string }>
  /** The temporary file is whole: checked, made durable if it must be, renamed. Idempotent. @throws NOT_FOUND, DATA_LOSS */
  commitLocal(
    blockId: BlockId,
    length: number,
    options: { readonly soleCopy: boolean },
  ): Promise<{ readonly tier: string }>
  abortLocal(blockId: BlockId): Promise<void>

  /** @throws ALREADY_EXISTS when the block is here or being written, RESOURCE_EXHAUSTED */
  write(blockId: BlockId, options: WriteOptions): Promise<BlockWriter>
  /** A whole block of at most a few MiB at once. @throws ALREADY_EXISTS, RESOURCE_EXHAUSTED */
  writeSmall(
    blockId: BlockId,
    bytes: Uint8Array,
    options: Omit<WriteOptions, 'sizeHint'>,
  ): Promise<{ readonly length: number; readonly tier: string }>

  /** The file of a sealed block, for a reader on this host; counts as an access. */
  localPath(
    blockId: BlockId,
    options: { readonly promote: boolean },
  ): { readonly path: string; readonly tier: string; readonly trustSeal: boolean } | undefined
  /** A range as pieces in order. @throws NOT_FOUND, OUT_OF_RANGE, DATA_LOSS, and what `fetch` throws */
  read(request: ReadRequest): AsyncIterable<BlockPiece>
  /** A short range at once; answers without a promise when the block is sealed in memory. */
  readAt(request: ReadRequest): BlockBytes | Promise<BlockBytes>
  /** Makes the whole block cached, without a reader. */
  load(request: LoadRequest): Promise<void>

  /** Whether the block is sealed here, and where. */
  place(blockId: BlockId): { readonly tier: number; readonly length: number } | undefined
  /** Looks whether the files of blocks are there and of the right size, and has `changes` tell of each, changed or not. */
  recheck(blockIds: readonly BlockId[]): Promise<void>
  /**
   * A sealed block becomes another one, which is not here, without being copied: for files that are given up for the other one's.
   * Idempotent. @throws NOT_FOUND, ALREADY_EXISTS, CONFLICT reason BLOCK_BUSY while it is moved
   */
  adopt(from: BlockId, to: BlockId, length: number): Promise<{ readonly tier: string }>
  /** Drops blocks, sole copies and pinned ones too. */
  remove(blockIds: readonly BlockId[]): Promise<void>
  /** The file is in the under-store: its blocks may be deleted by eviction. */
  markPersisted(fileId: FileId): void
  /**
   * Replaces the pinned files; each with the media that its blocks must lie on, or none for any. Their blocks are never deleted
   * by eviction, and move to such a medium in the background; where none has room they stay where they are.
   */
  setPinned(files: PinnedFiles): void

  /** What changed since the last call; only sealed blocks are reported. */
  changes(): BlockChanges
  /** `listener` is called, in the middle of the store's work, when `changes` has something to tell again. */
  onChanges(listener: () => void): void
  /** All sealed blocks, page by page, for registration. */
  blockPages(pageSize: number): Iterable<readonly BlockPlace[]>
  usage(): readonly TierUse[]
  /** Folders in use; `trustSeal` as of `localPath`. */
  folders(): { tier: string; path: string; trustSeal: boolean }[]
  /** Sealed blocks here. */
  readonly blocks: number
  /** Reads and writes in progress. */
  readonly inProgress: number
  /** Blocks that were moved aside because their bytes were bad, since the start. */
  readonly quarantined: number
}

/** A folder as an allocation policy sees it. */
export interface FolderState {
  readonly tier: number
  readonly index: number
  readonly medium: string
  readonly freeBytes: number
  readonly capacityBytes: number
}

/** Which folder takes a new block. A module of a third party exports a function that makes one as its default. */
export interface AllocationPolicy {
  readonly name: string
  /** The folder of one tier that takes `bytes`, from those that have the space; undefined when `folders` is empty. */
  choose(folders: readonly FolderState[], bytes: number): FolderState | undefined
}

/**
 * In which order blocks leave a tier. One instance serves one tier. A module of a third party exports a function
 * `(options) => EvictionPolicy` as its default.
 */
export interface EvictionPolicy {
  readonly name: string
  /** A block came into the tier. `bytes` is its size on disk. */
  added(blockId: BlockId, bytes: number): void
  accessed(blockId: BlockId): void
  /** The block's size on disk changed: a partial one grew. */
  resized?(blockId: BlockId, bytes: number): void
  /** The block left the tier: evicted (a policy may remember it) or deleted. */
  removed(blockId: BlockId, evicted: boolean): void
  /**
   * Blocks in the order in which they should leave. The store may skip one (pinned, being moved), stop at any time, and
   * calls `removed` for what it took, possibly in the middle of the iteration.
   */
  victims(): Iterable<BlockId>
}

export interface EvictionOptions {
  readonly capacityBytes: number
  readonly lrfu: { readonly step: number; readonly attenuation: number }
}
