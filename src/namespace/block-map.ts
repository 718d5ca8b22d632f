/**
 * Which worker holds which block on which tier. Not durable: workers report it, and report it again when the master or they
 * themselves restart.
 *
 * All in typed arrays. Sixteen consecutive blocks of a file are a segment: one entry of the hash table and a run of rows,
 * one row a block with room for two replicas (more are chained). So all replicas of a file lie together and are read in a few
 * cache lines: some 12 bytes a block of large files, 32 of files of one block, with two replicas each.
 *
 * A replica names its worker by an ordinal. A worker that is lost loses its ordinal: at once nothing names it any more, and
 * `sweep` takes its replicas out later, in slices. A worker that registers again gets a new ordinal in the same way: what
 * keeps the former one was not named again.
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
import { SegmentTable } from './segment-table.ts'

export interface Replica {
  readonly workerId: WorkerId
  /** Tier index of its worker, 0 the top. */
  readonly tier: number
}

/** Replicas of a range of blocks, in typed arrays that are used again and again. */
export class ReplicaList {
  length = 0
  /** Index of the block in its file. */
  index = new Int32Array(64)
  /** See `BlockMap.workerAt`. */
  ordinal = new Uint16Array(64)
  tier = new Uint8Array(64)

  add(index: number, ordinal: number, tier: number): void {
    const at = this.length++
    if (at === this.index.length) this.#grow(at * 2)
    this.index[at] = index
    this.ordinal[at] = ordinal
    this.tier[at] = tier
  }

  #grow(size: number): void {
    const { index, ordinal, tier } = this
    this.index = new Int32Array(size)
    this.ordinal = new Uint16Array(size)
    this.tier = new Uint8Array(size)
    this.index.set(index)
    this.ordinal.set(ordinal)
    this.tier.set(tier)
  }
}

/** Hears of each replica that comes, moves or goes; those of lost workers go when they are swept. */
export interface BlockObserver {
  /** @param tier -1: it is gone */
  replicaChanged(block: BlockId, worker: WorkerId, tier: number): void
}

/** An entry of a registration page: f64 little-endian block id, u8 tier. */
const ENTRY_BYTES = 9
const ID_BYTES = 8
const NONE = -1
/** Replicas of a row. */
const SLOTS = 2
const MAX_ORDINAL = 65_535
/** Blocks of a segment. */
const SEGMENT = SegmentTable.BLOCKS

interface WorkerRow {
  readonly id: WorkerId
  ordinal: number
  /** Ordinals of earlier registrations: what still has one when a registration ends is gone. */
  formers: number[]
  count: number
  drops: number[]
}

export class BlockMap {
  readonly #segments = new SegmentTable()
  /** Two slots a row: the ordinal of a worker, or 0. */
  #worker = new Uint16Array(1024 * SLOTS)
  #tier = new Uint8Array(1024 * SLOTS)
  /** Row of further replicas of the same block, or 0. Row 0 is no row. */
  #next = new Int32Array(1024)
  #blocks = 0
  #replicas = 0

  readonly #workers = new Map<WorkerId, WorkerRow>()
  readonly #byOrdinal: (WorkerRow | undefined)[] = [undefined]
  /** Replicas that name an ordinal, and whose it is or was. */
  readonly #held = new Int32Array(MAX_ORDINAL + 1)
  readonly #ownerOf = new Float64Array(MAX_ORDINAL + 1)
  readonly #freeOrdinals: number[] = []
  #ordinalsVersion = 0
  /** Replicas of retired ordinals that are still in rows, the segment that is looked at next, and how many have to be. */
  #retired = 0
  #sweepAt = 0
  #sweepLeft = 0

  /** Files whose blocks changed since `takeDirty`. */
  readonly #dirty = new IdTable(0)
  #dirtyQueue: FileId[] = []
  observer: BlockObserver | undefined

  /** Blocks that have a replica; until a lost worker is swept, its blocks too. */
  get blocks(): number {
    return this.#blocks
  }

  get replicas(): number {
    return this.#replicas
  }

  /** Bytes of the typed arrays that are in use. */
  get bytes(): number {
    return this.#segments.bytes + this.#segments.rows * (3 * SLOTS + 4)
  }

  /** Grows when an ordinal begins or ends to name a worker. */
  get ordinalsVersion(): number {
    return this.#ordinalsVersion
  }

  get ordinals(): number {
    return this.#byOrdinal.length
  }

  /** The worker that an ordinal of a `ReplicaList` names. */
  workerAt(ordinal: number): WorkerId | undefined {
    return this.#byOrdinal[ordinal]?.id
  }

  /** A replica appeared, or moved to another tier. */
  add(worker: WorkerId, block: BlockId, tier: number): void {
    this.#put(this.#workerRow(worker), block, tier)
  }

  remove(worker: WorkerId, block: BlockId): void {
    const owner = this.#workers.get(worker)
    const first = owner === undefined ? NONE : this.#segments.rowOf(block)
    if (first === NONE) return
    for (let row = first; row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        if (this.#byOrdinal[this.#worker[slot]!] !== owner) continue
        this.#clear(block, slot)
        this.#released(block, first)
        return
      }
    }
  }

  locations(block: BlockId): Replica[] {
    const found: Replica[] = []
    for (let row = Math.max(0, this.#segments.rowOf(block)); row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        const owner = this.#byOrdinal[this.#worker[slot]!]
        if (owner !== undefined) found.push({ workerId: owner.id, tier: this.#tier[slot]! })
      }
    }
    return found
  }

  /** Appends the replicas of the blocks `from` to before `to` of a file, block by block. */
  collect(file: FileId, from: number, to: number, into: ReplicaList): void {
    const segments = this.#segments
    for (let index = from; index < to; ) {
      const segment = segments.find(blockIdOf(file, index))
      const end = Math.min(to, index - (index % SEGMENT) + SEGMENT)
      if (segment !== NONE) {
        const start = segments.start(segment) - (index - (index % SEGMENT))
        const covered = Math.min(end, index - (index % SEGMENT) + segments.capacity(segment))
        for (; index < covered; index++) this.#collectRow(start + index, index, into)
      }
      index = end
    }
  }

  #collectRow(first: number, index: number, into: ReplicaList): void {
    const workers = this.#worker
    for (let row = first; row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        const ordinal = workers[slot]!
        if (ordinal !== 0) into.add(index, ordinal, this.#tier[slot]!)
      }
    }
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
        const block = blockIdOf(file, i)
        if (i % SEGMENT === 0 && this.#segments.find(block) === NONE) {
          i += SEGMENT - 1
          continue
        }
        const best = this.bestTier(block)
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
    let best = 256
    for (let row = Math.max(0, this.#segments.rowOf(block)); row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        if (this.#tier[slot]! < best && this.#byOrdinal[this.#worker[slot]!] !== undefined)
          best = this.#tier[slot]!
      }
    }
    return best === 256 ? NONE : best
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
    if (owner.count === 0) return
    owner.formers.push(owner.ordinal)
    owner.ordinal = this.#newOrdinal(owner)
  }

  /** @throws INVALID_ARGUMENT if the bytes are no whole number of entries */
  registerPage(worker: WorkerId, page: Uint8Array): void {
    checkLength(page, ENTRY_BYTES)
    this.#addAll(this.#workerRow(worker), page)
  }

  endRegistration(worker: WorkerId): void {
    const owner = this.#workerRow(worker)
    for (const former of owner.formers) {
      owner.count -= this.#held[former]!
      this.#retire(former)
    }
    owner.formers = []
  }

  /** From now on nothing names it; its replicas go when they are swept, and what it was to drop is forgotten. */
  workerLost(worker: WorkerId): void {
    const owner = this.#workers.get(worker)
    if (owner === undefined) return
    this.#workers.delete(worker)
    for (const ordinal of [...owner.formers, owner.ordinal]) this.#retire(ordinal)
  }

  blockCountOf(worker: WorkerId): number {
    return this.#workers.get(worker)?.count ?? 0
  }

  /** Takes replicas of lost workers out of up to `limit` segments; true when none is left. */
  sweep(limit: number): boolean {
    const segments = this.#segments
    for (let n = Math.min(limit, this.#sweepLeft); n > 0 && this.#retired > 0; n--) {
      if (this.#sweepAt >= segments.top) this.#sweepAt = 0
      const segment = this.#sweepAt++
      this.#sweepLeft--
      const first = segments.firstBlock(segment)
      const start = segments.start(segment)
      for (let i = 0; i < segments.capacity(segment); i++) {
        if (!this.#purge((first + i) as BlockId, start + i)) continue
        this.#released((first + i) as BlockId, start + i)
      }
    }
    if (this.#retired === 0) this.#sweepLeft = 0
    return this.#sweepLeft === 0
  }

  /** Forgets a file's blocks and queues their drop at the workers. Returns how many blocks had a replica. */
  drop(file: FileId, count: number): number {
    let dropped = 0
    if (this.#segments.size === 0) return dropped
    // A file of unknown length has no more blocks behind a segment without any.
    for (let i = 0, missed = false; i < count || !missed; i += SEGMENT) {
      missed = this.#segments.find(blockIdOf(file, i)) === NONE
      for (let k = i; !missed && k < i + SEGMENT; k++) if (this.#dropBlock(blockIdOf(file, k))) dropped++
    }
    return dropped
  }

  #dropBlock(block: BlockId): boolean {
    const first = this.#segments.rowOf(block)
    if (first <= 0) return false
    let found = false
    let held = false
    for (let row = first; row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        const ordinal = this.#worker[slot]!
        if (ordinal === 0) continue
        const owner = this.#byOrdinal[ordinal]
        found = true
        if (owner !== undefined) held = true
        owner?.drops.push(block)
        this.#clear(block, slot)
      }
    }
    if (found) this.#released(block, first)
    return held
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

  /** The replicas of the segments from `at` on, in no order; returns where to go on, -1 at the end. */
  page(
    at: number,
    segments: number,
    onReplica: (block: BlockId, worker: WorkerId, tier: number) => void,
  ): number {
    const table = this.#segments
    const end = Math.min(table.top, at + segments)
    for (let segment = at; segment < end; segment++) {
      const first = table.firstBlock(segment)
      if (first === NONE) continue
      for (let i = 0; i < SEGMENT; i++) {
        const block = (first + i) as BlockId
        for (const { workerId, tier } of this.locations(block)) onReplica(block, workerId, tier)
      }
    }
    return end < table.top ? end : NONE
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
    const first = this.#rowFor(block)
    let hole = NONE
    let last = first
    let empty = true
    for (let row = first; row > 0; row = this.#next[row]!) {
      last = row
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        const ordinal = this.#worker[slot]!
        if (ordinal !== 0) {
          empty = false
          const holder = this.#byOrdinal[ordinal]
          if (holder === owner) {
            this.#renew(owner, block, slot, tier)
            return
          }
          if (holder !== undefined) continue
          // Before the same worker's new one is told.
          this.#clear(block, slot)
        }
        if (hole === NONE) hole = slot
      }
    }
    if (empty) {
      this.#blocks++
      this.#segments.used(block, 1)
    }
    if (hole === NONE) hole = this.#chained(last) * SLOTS
    this.#worker[hole] = owner.ordinal
    this.#tier[hole] = tier
    this.#held[owner.ordinal]!++
    owner.count++
    this.#replicas++
    this.touch(fileOfBlock(block))
    this.observer?.replicaChanged(block, owner.id, tier)
  }

  /** A replica that is known is named again. */
  #renew(owner: WorkerRow, block: BlockId, slot: number, tier: number): void {
    const ordinal = this.#worker[slot]!
    if (ordinal !== owner.ordinal) {
      this.#held[ordinal]!--
      this.#held[owner.ordinal]!++
      this.#worker[slot] = owner.ordinal
    }
    if (this.#tier[slot] === tier) return
    this.#tier[slot] = tier
    this.touch(fileOfBlock(block))
    this.observer?.replicaChanged(block, owner.id, tier)
  }

  /** Takes a replica out of its slot; `#released` has to follow, unless another one takes its place. */
  #clear(block: BlockId, slot: number): void {
    const ordinal = this.#worker[slot]!
    const owner = this.#byOrdinal[ordinal]
    this.#worker[slot] = 0
    this.#held[ordinal]!--
    if (owner === undefined) {
      this.#retired--
      if (this.#held[ordinal] === 0) this.#freeOrdinals.push(ordinal)
    } else {
      this.#replicas--
      owner.count--
    }
    this.touch(fileOfBlock(block))
    this.observer?.replicaChanged(block, this.#ownerOf[ordinal] as WorkerId, NONE)
  }

  /** Clears slots of retired ordinals; true if there were any. */
  #purge(block: BlockId, first: number): boolean {
    let cleared = false
    for (let row = first; row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) {
        const ordinal = this.#worker[slot]!
        if (ordinal === 0 || this.#byOrdinal[ordinal] !== undefined) continue
        this.#clear(block, slot)
        cleared = true
      }
    }
    return cleared
  }

  /** After a replica went: a block without any gives its rows back. */
  #released(block: BlockId, first: number): void {
    for (let row = first; row > 0; row = this.#next[row]!) {
      for (let slot = row * SLOTS; slot < (row + 1) * SLOTS; slot++) if (this.#worker[slot] !== 0) return
    }
    for (let row = this.#next[first]!; row > 0; ) {
      const following = this.#next[row]!
      this.#next[row] = 0
      this.#segments.freeRun(row, 1)
      row = following
    }
    this.#next[first] = 0
    this.#blocks--
    this.#segments.used(block, -1)
  }

  /** The row of a block, whose segment is made or grown as needed. */
  #rowFor(block: BlockId): number {
    const segments = this.#segments
    const known = segments.rowOf(block)
    if (known > 0) return known
    const segment = segments.find(block)
    const formerly = segment === NONE ? 0 : segments.capacity(segment)
    const from = segment === NONE ? 0 : segments.start(segment)
    const row = segments.claim(block)
    if (segments.rows > this.#next.length) this.#growRows(segments.rows)
    const to = segments.start(segments.find(block))
    for (let i = 0; i < formerly; i++) {
      for (let slot = 0; slot < SLOTS; slot++) {
        this.#worker[(to + i) * SLOTS + slot] = this.#worker[(from + i) * SLOTS + slot]!
        this.#tier[(to + i) * SLOTS + slot] = this.#tier[(from + i) * SLOTS + slot]!
        this.#worker[(from + i) * SLOTS + slot] = 0
      }
      this.#next[to + i] = this.#next[from + i]!
      this.#next[from + i] = 0
    }
    if (formerly > 0) segments.freeRun(from, formerly)
    return row
  }

  #chained(last: number): number {
    const row = this.#segments.takeRun(1)
    if (this.#segments.rows > this.#next.length) this.#growRows(this.#segments.rows)
    this.#next[last] = row
    return row
  }

  #growRows(least: number): void {
    let rows = this.#next.length
    while (rows < least) rows *= 2
    const [worker, tier, next] = [this.#worker, this.#tier, this.#next]
    this.#worker = new Uint16Array(rows * SLOTS)
    this.#worker.set(worker)
    this.#tier = new Uint8Array(rows * SLOTS)
    this.#tier.set(tier)
    this.#next = new Int32Array(rows)
    this.#next.set(next)
  }

  #workerRow(worker: WorkerId): WorkerRow {
    const known = this.#workers.get(worker)
    if (known !== undefined) return known
    const made: WorkerRow = { id: worker, ordinal: 0, formers: [], count: 0, drops: [] }
    made.ordinal = this.#newOrdinal(made)
    this.#workers.set(worker, made)
    return made
  }

  #newOrdinal(owner: WorkerRow): number {
    if (this.#freeOrdinals.length === 0 && this.#byOrdinal.length > MAX_ORDINAL) {
      this.sweep(Number.POSITIVE_INFINITY)
      if (this.#freeOrdinals.length === 0)
        throw new AlluxioError('RESOURCE_EXHAUSTED', `more than ${MAX_ORDINAL} workers`)
    }
    const ordinal = this.#freeOrdinals.pop() ?? this.#byOrdinal.length
    this.#byOrdinal[ordinal] = owner
    this.#ownerOf[ordinal] = owner.id
    this.#ordinalsVersion++
    return ordinal
  }

  #retire(ordinal: number): void {
    this.#byOrdinal[ordinal] = undefined
    this.#ordinalsVersion++
    const held = this.#held[ordinal]!
    this.#replicas -= held
    if (held === 0) this.#freeOrdinals.push(ordinal)
    else {
      this.#retired += held
      this.#sweepLeft = this.#segments.top
    }
  }
}

function checkLength(bytes: Uint8Array, entry: number): void {
  if (bytes.length % entry !== 0) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${bytes.length} bytes are no whole number of ${entry}-byte entries`,
    )
  }
}
