/**
 * Which worker holds which block on which tier. Not durable: workers report it, and report it again when the master or they
 * themselves restart.
 *
 * Blocks and replicas are rows of typed arrays, some 60 bytes a block with one replica. Each replica is linked into its block's
 * list and its worker's list, so a lost worker costs its own replicas and nothing else.
 */
import {
  AlluxioError,
  type BlockId,
  blockCount,
  blockIdOf,
  blockLength,
  type FileId,
  fileOfBlock,
  type WorkerId,
} from '../core/index.ts'
import { IdTable } from './id-table.ts'

export interface Replica {
  readonly workerId: WorkerId
  /** Tier index of its worker, 0 the top. */
  readonly tier: number
}

/** An entry of a registration page: f64 little-endian block id, u8 tier. */
const ENTRY_BYTES = 9
const ID_BYTES = 8
const NONE = -1
/** How many blocks in a row must be missing before a file of unknown length is thought to have no more. */
const MISSES_TO_END = 16
const MAX_WORKERS = 65_535

interface WorkerRow {
  readonly id: WorkerId
  readonly ordinal: number
  /** First replica of its list. */
  head: number
  count: number
  /** Which marks are fresh while it registers again. */
  mark: number
  registering: boolean
  drops: number[]
}

export class BlockMap {
  /** Block id to row. */
  readonly #rows = new IdTable(1)
  #blockIds = new Float64Array(1024)
  #blockHead = new Int32Array(1024)
  #blockFree: number[] = []
  #blockTop = 0

  #block = new Int32Array(1024)
  #worker = new Uint16Array(1024)
  #tier = new Uint8Array(1024)
  #mark = new Uint8Array(1024)
  #next = new Int32Array(1024)
  #workerNext = new Int32Array(1024)
  #workerPrevious = new Int32Array(1024)
  #replicaFree = NONE
  #replicaTop = 0
  #replicas = 0

  readonly #workers = new Map<WorkerId, WorkerRow>()
  readonly #byOrdinal: (WorkerRow | undefined)[] = []
  /** Files whose blocks changed since `takeDirty`. */
  readonly #dirty = new IdTable(0)
  #dirtyQueue: FileId[] = []

  /** Blocks that have a replica. */
  get blocks(): number {
    return this.#rows.size
  }

  get replicas(): number {
    return this.#replicas
  }

  /** A replica appeared, or moved to another tier. */
  add(worker: WorkerId, block: BlockId, tier: number): void {
    this.#put(this.#workerRow(worker), block, tier)
  }

  remove(worker: WorkerId, block: BlockId): void {
    const owner = this.#workers.get(worker)
    if (owner === undefined || !this.#rows.has(block)) return
    const replica = this.#find(this.#rows.get(block, 0), owner.ordinal)
    if (replica !== NONE) this.#unlink(replica)
  }

  locations(block: BlockId): Replica[] {
    const found: Replica[] = []
    if (!this.#rows.has(block)) return found
    for (let r = this.#blockHead[this.#rows.get(block, 0)]!; r !== NONE; r = this.#next[r]!) {
      found.push({ workerId: this.#byOrdinal[this.#worker[r]!]!.id, tier: this.#tier[r]! })
    }
    return found
  }

  /** Cached bytes of a file: each block counts once, and in memory if a replica lies on a top tier. */
  cached(
    file: FileId,
    length: number,
    blockSizeBytes: number,
  ): { cachedBytes: number; inMemoryBytes: number } {
    let cachedBytes = 0
    let inMemoryBytes = 0
    if (length > 0 && this.#replicas > 0) {
      const count = blockCount(length, blockSizeBytes)
      for (let i = 0; i < count; i++) {
        const best = this.bestTier(blockIdOf(file, i))
        if (best === NONE) continue
        const bytes = blockLength(length, blockSizeBytes, i)
        cachedBytes += bytes
        if (best === 0) inMemoryBytes += bytes
      }
    }
    return { cachedBytes, inMemoryBytes }
  }

  /** Least tier index among the block's replicas; -1 if it has none. */
  bestTier(block: BlockId): number {
    if (!this.#rows.has(block)) return NONE
    let best = 256
    for (let r = this.#blockHead[this.#rows.get(block, 0)]!; r !== NONE; r = this.#next[r]!) {
      if (this.#tier[r]! < best) best = this.#tier[r]!
    }
    return best
  }

  /**
   * A heartbeat: 8-byte f64 ids removed, then 9-byte (f64 id, u8 tier) entries added or moved.
   * @throws INVALID_ARGUMENT if the bytes are no whole number of entries
   */
  applyDelta(worker: WorkerId, removed: Uint8Array, added: Uint8Array): void {
    checkLength(removed, ID_BYTES)
    checkLength(added, ENTRY_BYTES)
    const view = new DataView(removed.buffer, removed.byteOffset, removed.byteLength)
    for (let at = 0; at < removed.length; at += ID_BYTES)
      this.remove(worker, view.getFloat64(at, true) as BlockId)
    this.#addAll(this.#workerRow(worker), added)
  }

  /** Re-registration: begin, any number of pages, end; what was not named between them is gone. */
  beginRegistration(worker: WorkerId): void {
    const owner = this.#workerRow(worker)
    owner.mark = owner.mark === 1 ? 2 : 1
    owner.registering = true
  }

  /** @throws INVALID_ARGUMENT if the bytes are no whole number of entries */
  registerPage(worker: WorkerId, page: Uint8Array): void {
    checkLength(page, ENTRY_BYTES)
    this.#addAll(this.#workerRow(worker), page)
  }

  endRegistration(worker: WorkerId): void {
    const owner = this.#workerRow(worker)
    if (!owner.registering) return
    owner.registering = false
    for (let r = owner.head; r !== NONE; ) {
      const following = this.#workerNext[r]!
      if (this.#mark[r] !== owner.mark) this.#unlink(r)
      r = following
    }
  }

  /** All its replicas are gone, with what it was to drop. */
  workerLost(worker: WorkerId): void {
    const owner = this.#workers.get(worker)
    if (owner === undefined) return
    while (owner.head !== NONE) this.#unlink(owner.head)
    this.#workers.delete(worker)
    this.#byOrdinal[owner.ordinal] = undefined
  }

  *blocksOf(worker: WorkerId): Iterable<BlockId> {
    const owner = this.#workers.get(worker)
    for (let r = owner?.head ?? NONE; r !== NONE; r = this.#workerNext[r]!) {
      yield this.#blockIds[this.#block[r]!] as BlockId
    }
  }

  blockCountOf(worker: WorkerId): number {
    return this.#workers.get(worker)?.count ?? 0
  }

  /** Forgets a file's blocks and queues their drop at the workers. Returns how many blocks had a replica. */
  drop(file: FileId, count: number): number {
    let dropped = 0
    if (this.#replicas === 0) return dropped
    for (let i = 0, misses = 0; i < count || misses < MISSES_TO_END; i++) {
      const block = blockIdOf(file, i)
      if (!this.#rows.has(block)) {
        misses++
        continue
      }
      misses = 0
      dropped++
      const row = this.#rows.get(block, 0)
      while (this.#blockHead[row]! !== NONE) {
        const replica = this.#blockHead[row]!
        this.#byOrdinal[this.#worker[replica]!]!.drops.push(block)
        if (this.#unlink(replica)) break
      }
    }
    return dropped
  }

  /** Block ids that the worker should drop (deleted, freed, orphaned or outdated), f64 little-endian; empties the list. */
  takeDrops(worker: WorkerId): Uint8Array {
    const owner = this.#workers.get(worker)
    if (owner === undefined) return new Uint8Array(0)
    const ids = Float64Array.from(owner.drops)
    owner.drops = []
    return new Uint8Array(ids.buffer)
  }

  hasDrops(worker: WorkerId): boolean {
    return (this.#workers.get(worker)?.drops.length ?? 0) > 0
  }

  /** Files whose cached bytes may have changed. */
  get dirtyFiles(): number {
    return this.#dirty.size
  }

  /** Takes up to `limit` of them. */
  takeDirty(limit: number): FileId[] {
    const taken = this.#dirtyQueue.splice(Math.max(0, this.#dirtyQueue.length - limit))
    for (const id of taken) this.#dirty.delete(id)
    return taken
  }

  /** The file's length or place changed. */
  touch(file: FileId): void {
    if (this.#dirty.insert(file)) this.#dirtyQueue.push(file)
  }

  #addAll(owner: WorkerRow, entries: Uint8Array): void {
    const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength)
    for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
      this.#put(owner, view.getFloat64(at, true) as BlockId, entries[at + ID_BYTES]!)
    }
  }

  #put(owner: WorkerRow, block: BlockId, tier: number): void {
    if (!(block > 0 && Number.isSafeInteger(block))) {
      throw new AlluxioError('INVALID_ARGUMENT', `${block} is no block id`)
    }
    let row: number
    if (this.#rows.has(block)) {
      row = this.#rows.get(block, 0)
      const known = this.#find(row, owner.ordinal)
      if (known !== NONE) {
        this.#mark[known] = owner.mark
        if (this.#tier[known] !== tier) {
          this.#tier[known] = tier
          this.touch(fileOfBlock(block))
        }
        return
      }
    } else row = this.#newBlock(block)
    const r = this.#newReplica()
    this.#block[r] = row
    this.#worker[r] = owner.ordinal
    this.#tier[r] = tier
    this.#mark[r] = owner.mark
    this.#next[r] = this.#blockHead[row]!
    this.#blockHead[row] = r
    this.#workerPrevious[r] = NONE
    this.#workerNext[r] = owner.head
    if (owner.head !== NONE) this.#workerPrevious[owner.head] = r
    owner.head = r
    owner.count++
    this.touch(fileOfBlock(block))
  }

  #find(row: number, ordinal: number): number {
    for (let r = this.#blockHead[row]!; r !== NONE; r = this.#next[r]!)
      if (this.#worker[r] === ordinal) return r
    return NONE
  }

  /** Takes a replica out of both lists; true if it was its block's last one. */
  #unlink(replica: number): boolean {
    const row = this.#block[replica]!
    const following = this.#next[replica]!
    if (this.#blockHead[row] === replica) this.#blockHead[row] = following
    else {
      let before = this.#blockHead[row]!
      while (this.#next[before] !== replica) before = this.#next[before]!
      this.#next[before] = following
    }
    const owner = this.#byOrdinal[this.#worker[replica]!]!
    const previous = this.#workerPrevious[replica]!
    const later = this.#workerNext[replica]!
    if (previous === NONE) owner.head = later
    else this.#workerNext[previous] = later
    if (later !== NONE) this.#workerPrevious[later] = previous
    owner.count--
    this.#next[replica] = this.#replicaFree
    this.#replicaFree = replica
    this.#replicas--
    const block = this.#blockIds[row]! as BlockId
    this.touch(fileOfBlock(block))
    if (this.#blockHead[row] !== NONE) return false
    this.#rows.delete(block)
    this.#blockFree.push(row)
    return true
  }

  #newBlock(block: BlockId): number {
    const row = this.#blockFree.pop() ?? this.#blockTop++
    if (row >= this.#blockIds.length) {
      this.#blockIds = grown(this.#blockIds, new Float64Array(row * 2))
      this.#blockHead = grown(this.#blockHead, new Int32Array(row * 2))
    }
    this.#blockIds[row] = block
    this.#blockHead[row] = NONE
    this.#rows.set(block, 0, row)
    return row
  }

  #newReplica(): number {
    this.#replicas++
    const free = this.#replicaFree
    if (free !== NONE) {
      this.#replicaFree = this.#next[free]!
      return free
    }
    const r = this.#replicaTop++
    if (r >= this.#block.length) {
      this.#block = grown(this.#block, new Int32Array(r * 2))
      this.#worker = grown(this.#worker, new Uint16Array(r * 2))
      this.#tier = grown(this.#tier, new Uint8Array(r * 2))
      this.#mark = grown(this.#mark, new Uint8Array(r * 2))
      this.#next = grown(this.#next, new Int32Array(r * 2))
      this.#workerNext = grown(this.#workerNext, new Int32Array(r * 2))
      this.#workerPrevious = grown(this.#workerPrevious, new Int32Array(r * 2))
    }
    return r
  }

  #workerRow(worker: WorkerId): WorkerRow {
    const known = this.#workers.get(worker)
    if (known !== undefined) return known
    let ordinal = this.#byOrdinal.indexOf(undefined)
    if (ordinal === -1) ordinal = this.#byOrdinal.length
    if (ordinal > MAX_WORKERS)
      throw new AlluxioError('RESOURCE_EXHAUSTED', `more than ${MAX_WORKERS} workers`)
    const made: WorkerRow = {
      id: worker,
      ordinal,
      head: NONE,
      count: 0,
      mark: 1,
      registering: false,
      drops: [],
    }
    this.#workers.set(worker, made)
    this.#byOrdinal[ordinal] = made
    return made
  }
}

function grown<T extends Float64Array | Int32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}

function checkLength(bytes: Uint8Array, entry: number): void {
  if (bytes.length % entry !== 0) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${bytes.length} bytes are no whole number of ${entry}-byte entries`,
    )
  }
}
