/**
 * Where the rows of blocks are: sixteen consecutive blocks of a file are a segment, whose rows lie in one run of 1, 2, 4, 8 or
 * 16. Owns the hash table of segments and the numbering of rows; what stands in a row is the block map's.
 */
import { hash } from './id-table.ts'

const NONE = -1
const BLOCKS = 16
const MIN_SLOTS = 16

export class SegmentTable {
  /** Blocks of a segment. */
  static readonly BLOCKS = BLOCKS

  /** Hash slots: number of a segment and one, or 0. Open addressing with linear probing, deletion by shifting back. */
  #slots = new Int32Array(MIN_SLOTS)
  #mask = MIN_SLOTS - 1
  size = 0

  /** Block id divided by 16; -1 for a number that is free. */
  #key = new Float64Array(1024)
  #start = new Int32Array(1024)
  #capacity = new Uint8Array(1024)
  /** Blocks that have a replica. */
  #used = new Uint8Array(1024)
  #free: number[] = []
  #top = 0

  /** Free runs by the binary logarithm of their length. */
  readonly #freeRuns: number[][] = [[], [], [], [], []]
  /** Row 0 is no row. */
  #rows = 1

  /** Numbers of segments are below this. */
  get top(): number {
    return this.#top
  }

  /** Numbers of rows are below this. */
  get rows(): number {
    return this.#rows
  }

  get bytes(): number {
    return this.#slots.byteLength + this.#top * 14
  }

  /** The segment of a block, or -1. */
  find(block: number): number {
    const key = Math.floor(block / BLOCKS)
    const slots = this.#slots
    for (let slot = hash(key) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const segment = slots[slot]! - 1
      if (segment === NONE || this.#key[segment] === key) return segment
    }
  }

  start(segment: number): number {
    return this.#start[segment]!
  }

  capacity(segment: number): number {
    return this.#capacity[segment]!
  }

  /** Block id, or -1 for a segment that is free. */
  firstBlock(segment: number): number {
    const key = this.#key[segment]!
    return key === NONE ? NONE : key * BLOCKS
  }

  /** Row of a block, or -1. */
  rowOf(block: number): number {
    const segment = this.find(block)
    const at = block % BLOCKS
    return segment === NONE || at >= this.#capacity[segment]! ? NONE : this.#start[segment]! + at
  }

  /**
   * Makes a row for a block that has none and returns it. A segment that was too short has a new run then: its rows are to be
   * moved by the caller, who frees the former one.
   */
  claim(block: number): number {
    const at = block % BLOCKS
    let segment = this.find(block)
    if (segment === NONE) segment = this.#insert(Math.floor(block / BLOCKS))
    let capacity = 1
    while (capacity <= at) capacity *= 2
    this.#start[segment] = this.takeRun(capacity)
    this.#capacity[segment] = capacity
    return this.#start[segment]! + at
  }

  /** Counts the blocks of a segment that have a replica; one that has none is gone, with its run. */
  used(block: number, change: 1 | -1): void {
    const segment = this.find(block)
    this.#used[segment]! += change
    if (this.#used[segment]! > 0) return
    this.freeRun(this.#start[segment]!, this.#capacity[segment]!)
    this.#delete(Math.floor(block / BLOCKS))
    this.#key[segment] = NONE
    this.#capacity[segment] = 0
    this.#free.push(segment)
  }

  /** Rows that are zero, as they were freed. */
  takeRun(length: number): number {
    const free = this.#freeRuns[Math.log2(length)]!.pop()
    if (free !== undefined) return free
    const start = this.#rows
    this.#rows += length
    return start
  }

  freeRun(start: number, length: number): void {
    this.#freeRuns[Math.log2(length)]!.push(start)
  }

  #insert(key: number): number {
    if ((this.size + 1) * 5 > this.#slots.length * 3) this.#growSlots()
    const segment = this.#free.pop() ?? this.#top++
    if (segment >= this.#key.length) this.#growSegments(segment * 2)
    this.#key[segment] = key
    this.#used[segment] = 0
    this.#place(key, segment)
    this.size++
    return segment
  }

  #place(key: number, segment: number): void {
    let slot = hash(key) & this.#mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask
    this.#slots[slot] = segment + 1
  }

  #delete(key: number): void {
    const slots = this.#slots
    const mask = this.#mask
    let hole = hash(key) & mask
    while (this.#key[slots[hole]! - 1] !== key) hole = (hole + 1) & mask
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hash(this.#key[slots[slot]! - 1]!) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = slots[slot]!
      hole = slot
    }
    slots[hole] = 0
    this.size--
  }

  #growSlots(): void {
    this.#slots = new Int32Array(this.#slots.length * 2)
    this.#mask = this.#slots.length - 1
    for (let segment = 0; segment < this.#top; segment++) {
      const key = this.#key[segment]!
      if (key !== NONE) this.#place(key, segment)
    }
  }

  #growSegments(length: number): void {
    this.#key = grown(this.#key, new Float64Array(length))
    this.#start = grown(this.#start, new Int32Array(length))
    this.#capacity = grown(this.#capacity, new Uint8Array(length))
    this.#used = grown(this.#used, new Uint8Array(length))
  }
}

function grown<T extends Float64Array | Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
