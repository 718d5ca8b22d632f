/**
 * Outcomes of recent commands by their 16-byte id, so that a repeat after a lost reply returns the first outcome instead of acting
 * twice. Each batch carries the outcomes of its own commands in the same transaction; at start they are read back. Bounded by
 * number and by age. Typed arrays, because a storm of creates must not leave a million strings to the garbage collector.
 */
import { AlluxioError, type Runtime } from '../core/index.ts'
import type { Change, RecordStore } from '../metastore/store.ts'
import { EVERYTHING, idKey, readId } from './keys.ts'

const ID_WORDS = 4
export const COMMAND_ID_BYTES = 16
const ENTRY_BYTES = COMMAND_ID_BYTES + 8
const HEADER_BYTES = 8
const EMPTY = -1

export interface CommandLogOptions {
  /** @default 2^18 */
  readonly maxCommands: number
  /** @default 10 min */
  readonly maxAgeMs: number
}

interface Logged {
  readonly batch: number
  readonly count: number
  readonly atMs: number
}

export class CommandLog {
  readonly #options: CommandLogOptions
  readonly #runtime: Runtime
  /** A ring of ids and outcomes, oldest at `#first`. */
  #ids: Uint32Array
  #outcomes: Float64Array
  #batchOf: Float64Array
  #first = 0
  #count = 0
  /** Open addressing over ring positions. */
  #slots: Int32Array
  /** Sealed batches that have entries in the ring, oldest first. */
  #batches: Logged[] = []
  #open = 0
  readonly #words = new Uint32Array(ID_WORDS)
  readonly #bytes = new Uint8Array(this.#words.buffer)

  constructor(
    options: CommandLogOptions,
    modules: { readonly store: RecordStore; readonly runtime: Runtime },
  ) {
    this.#options = options
    this.#runtime = modules.runtime
    this.#ids = new Uint32Array(1024 * ID_WORDS)
    this.#outcomes = new Float64Array(1024)
    this.#batchOf = new Float64Array(1024)
    this.#slots = new Int32Array(2048).fill(EMPTY)
    this.#load(modules.store)
    modules.store.beforeSeal((batch) => this.#seal(batch))
  }

  get size(): number {
    return this.#count
  }

  /** The outcome of the command and the batch that it belongs to; undefined for one that is new. @throws INVALID_ARGUMENT */
  find(id: Uint8Array): { readonly outcome: number; readonly batch: number } | undefined {
    this.#read(id)
    const slot = this.#slotOf()
    if (slot < 0) return undefined
    const at = this.#slots[slot]!
    return { outcome: this.#outcomes[at]!, batch: this.#batchOf[at]! }
  }

  add(id: Uint8Array, outcome: number, batch: number): void {
    this.#read(id)
    this.#append(outcome, batch)
    this.#open++
  }

  #load(store: RecordStore): void {
    for (const { key, value } of store.range('command', EVERYTHING)) {
      const batch = readId(key, 0)
      const count = Math.floor((value.length - HEADER_BYTES) / ENTRY_BYTES)
      for (let at = HEADER_BYTES; at + ENTRY_BYTES <= value.length; at += ENTRY_BYTES) {
        this.#read(value.subarray(at, at + COMMAND_ID_BYTES))
        this.#append(value.readDoubleLE(at + COMMAND_ID_BYTES), batch)
      }
      this.#batches.push({ batch, count, atMs: value.readDoubleLE(0) })
    }
  }

  /** The record of the batch's commands, and the deletion of records that fell out. */
  #seal(batch: number): Change[] {
    const nowMs = this.#runtime.now()
    const changes: Change[] = []
    if (this.#open > 0) {
      const value = Buffer.allocUnsafe(HEADER_BYTES + this.#open * ENTRY_BYTES)
      value.writeDoubleLE(nowMs, 0)
      const capacity = this.#outcomes.length
      for (let i = 0; i < this.#open; i++) {
        const at = (this.#first + this.#count - this.#open + i) % capacity
        const offset = HEADER_BYTES + i * ENTRY_BYTES
        value.set(new Uint8Array(this.#ids.buffer, at * COMMAND_ID_BYTES, COMMAND_ID_BYTES), offset)
        value.writeDoubleLE(this.#outcomes[at]!, offset + COMMAND_ID_BYTES)
      }
      changes.push({ table: 'command', key: idKey(batch), value })
      this.#batches.push({ batch, count: this.#open, atMs: nowMs })
      this.#open = 0
    }
    for (let old = this.#batches[0]; old !== undefined; old = this.#batches[0]) {
      if (this.#count <= this.#options.maxCommands && nowMs - old.atMs <= this.#options.maxAgeMs) break
      if (old.batch === batch) break
      this.#batches.shift()
      for (let i = 0; i < old.count; i++) this.#dropOldest()
      changes.push({ table: 'command', key: idKey(old.batch), value: null })
    }
    return changes
  }

  #read(id: Uint8Array): void {
    if (id.length !== COMMAND_ID_BYTES) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `a command id has ${COMMAND_ID_BYTES} bytes, not ${id.length}`,
      )
    }
    this.#bytes.set(id)
  }

  #slotOf(): number {
    const [a, b, c, d] = this.#words as unknown as [number, number, number, number]
    const ids = this.#ids
    const mask = this.#slots.length - 1
    for (let slot = (a ^ d) & mask; ; slot = (slot + 1) & mask) {
      const at = this.#slots[slot]!
      if (at === EMPTY) return -1
      const i = at * ID_WORDS
      if (ids[i] === a && ids[i + 1] === b && ids[i + 2] === c && ids[i + 3] === d) return slot
    }
  }

  #append(outcome: number, batch: number): void {
    if (this.#count === this.#outcomes.length) this.#grow()
    const at = (this.#first + this.#count++) % this.#outcomes.length
    this.#ids.set(this.#words, at * ID_WORDS)
    this.#outcomes[at] = outcome
    this.#batchOf[at] = batch
    this.#index(at)
  }

  #index(at: number): void {
    const mask = this.#slots.length - 1
    let slot = this.#home(at) & mask
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask
    this.#slots[slot] = at
  }

  #home(at: number): number {
    return this.#ids[at * ID_WORDS]! ^ this.#ids[at * ID_WORDS + 3]!
  }

  #dropOldest(): void {
    const at = this.#first
    const mask = this.#slots.length - 1
    let hole = this.#home(at) & mask
    while (this.#slots[hole] !== at) hole = (hole + 1) & mask
    for (let slot = (hole + 1) & mask; this.#slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const home = this.#home(this.#slots[slot]!) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      this.#slots[hole] = this.#slots[slot]!
      hole = slot
    }
    this.#slots[hole] = EMPTY
    this.#first = (at + 1) % this.#outcomes.length
    this.#count--
  }

  #grow(): void {
    const capacity = this.#outcomes.length
    const ids = new Uint32Array(capacity * 2 * ID_WORDS)
    const outcomes = new Float64Array(capacity * 2)
    const batchOf = new Float64Array(capacity * 2)
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#first + i) % capacity
      ids.set(this.#ids.subarray(from * ID_WORDS, (from + 1) * ID_WORDS), i * ID_WORDS)
      outcomes[i] = this.#outcomes[from]!
      batchOf[i] = this.#batchOf[from]!
    }
    this.#ids = ids
    this.#outcomes = outcomes
    this.#batchOf = batchOf
    this.#first = 0
    this.#slots = new Int32Array(capacity * 4).fill(EMPTY)
    for (let at = 0; at < this.#count; at++) this.#index(at)
  }
}
