/**
 * A map from ids to rows of numbers, in typed arrays: open addressing with linear probing, deletion by shifting back. No
 * object an entry, so a million of them cost the garbage collector nothing.
 */
const EMPTY = 0
const MIN_SLOTS = 16

export class IdTable {
  readonly #columns: number
  #keys: Float64Array
  #values: Float64Array
  #mask: number
  size = 0

  /** @param columns numbers an id; 0 makes a set */
  constructor(columns: number, expected = 0) {
    this.#columns = columns
    let slots = MIN_SLOTS
    while (slots * 0.6 < expected) slots *= 2
    this.#keys = new Float64Array(slots)
    this.#values = new Float64Array(slots * columns)
    this.#mask = slots - 1
  }

  has(id: number): boolean {
    return this.#find(id) >= 0
  }

  /** 0 for an id that is not there. */
  get(id: number, column: number): number {
    const slot = this.#find(id)
    return slot < 0 ? 0 : this.#values[slot * this.#columns + column]!
  }

  set(id: number, column: number, value: number): void {
    // The claim comes first: it may replace the arrays.
    const i = this.#claim(id) * this.#columns + column
    this.#values[i] = value
  }

  add(id: number, column: number, delta: number): void {
    const i = this.#claim(id) * this.#columns + column
    this.#values[i] = this.#values[i]! + delta
  }

  /** Puts the id in; false if it was there. */
  insert(id: number): boolean {
    const before = this.size
    this.#claim(id)
    return this.size > before
  }

  delete(id: number): boolean {
    let hole = this.#find(id)
    if (hole < 0) return false
    const keys = this.#keys
    const mask = this.#mask
    for (let slot = (hole + 1) & mask; keys[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const home = hash(keys[slot]!) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      keys[hole] = keys[slot]!
      this.#copyRow(slot, hole)
      hole = slot
    }
    keys[hole] = EMPTY
    this.#values.fill(0, hole * this.#columns, (hole + 1) * this.#columns)
    this.size--
    return true
  }

  *ids(): Iterable<number> {
    for (const key of this.#keys) if (key !== EMPTY) yield key
  }

  get bytes(): number {
    return this.#keys.byteLength + this.#values.byteLength
  }

  #find(id: number): number {
    const keys = this.#keys
    const mask = this.#mask
    for (let slot = hash(id) & mask; ; slot = (slot + 1) & mask) {
      const key = keys[slot]!
      if (key === id) return slot
      if (key === EMPTY) return -1
    }
  }

  #claim(id: number): number {
    if ((this.size + 1) * 5 > (this.#mask + 1) * 3) this.#grow()
    const keys = this.#keys
    const mask = this.#mask
    for (let slot = hash(id) & mask; ; slot = (slot + 1) & mask) {
      const key = keys[slot]!
      if (key === id) return slot
      if (key === EMPTY) {
        keys[slot] = id
        this.size++
        return slot
      }
    }
  }

  #grow(): void {
    const keys = this.#keys
    const values = this.#values
    const columns = this.#columns
    const slots = keys.length * 2
    this.#keys = new Float64Array(slots)
    this.#values = new Float64Array(slots * columns)
    this.#mask = slots - 1
    for (let from = 0; from < keys.length; from++) {
      const key = keys[from]!
      if (key === EMPTY) continue
      let slot = hash(key) & this.#mask
      while (this.#keys[slot] !== EMPTY) slot = (slot + 1) & this.#mask
      this.#keys[slot] = key
      for (let c = 0; c < columns; c++) this.#values[slot * columns + c] = values[from * columns + c]!
    }
  }

  #copyRow(from: number, to: number): void {
    const columns = this.#columns
    for (let c = 0; c < columns; c++) this.#values[to * columns + c] = this.#values[from * columns + c]!
  }
}

/** Mixes both halves of an integer below 2^53 (block ids differ in the upper half, blocks of one file in the lower). */
export function hash(id: number): number {
  const low = id >>> 0
  const high = Math.floor(id / 4294967296) >>> 0
  let h = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
  h ^= h >>> 15
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
