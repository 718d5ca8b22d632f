/**
 * Adds up who holds what of one or more files: bytes by host and tier, and the time that reading from elsewhere takes. One tally is
 * used again and again; nothing of it is made anew for a file. Sums are of whole bytes, so that their order makes no difference.
 */
import { blockIdOf, blockLength } from '../core/index.ts'
import { type BlockMap, ReplicaList } from '../namespace/index.ts'
import type { BlockRows } from './answer.ts'
import type { Hosts } from './hosts.ts'
import type { Rates } from './rates.ts'
import { type HintedFile, TIER_NAMES } from './types.ts'

export interface TallyModules {
  readonly blocks: BlockMap
  readonly hosts: Hosts
}

const CLASSES = TIER_NAMES.length
/**
 * Numbers of a host, in one cache line: bytes that it holds, by class; bytes of the same blocks, by the class of their fastest
 * replica anywhere, for what reading them from there would take; the turn that they belong to.
 */
const ROW = 8
const FASTEST = CLASSES
const TURN = 2 * CLASSES

export class Tally {
  readonly #modules: TallyModules
  readonly #list = new ReplicaList()
  /** Seconds a byte: on a host's own tier by class, from another host by the class there, from the under-store. */
  readonly #own: Float64Array
  readonly #remote: Float64Array
  readonly #store: number
  /** Hosts that hold something, in the order in which they were found. */
  touched: Int32Array = new Int32Array(64)
  touchedCount = 0
  length = 0
  cachedBytes = 0
  /** Cached bytes by the class of their fastest replica. */
  readonly #fastest = new Float64Array(CLASSES)
  #rows: Float64Array = new Float64Array(0)
  #turn = 0
  /** Holders of the block at hand. */
  #holders = 0
  #holderHost: Int32Array = new Int32Array(0)
  #holderClass: Uint8Array = new Uint8Array(0)
  #holderOrdinal: Uint16Array = new Uint16Array(0)

  constructor({ tiers, remote, store }: Rates, modules: TallyModules) {
    this.#modules = modules
    this.#own = Float64Array.from(tiers, (rate) => 1 / rate)
    this.#remote = Float64Array.from(tiers, (rate) => 1 / Math.min(rate, remote))
    this.#store = 1 / store
  }

  /** Begins anew. `hosts` has to be fresh. */
  begin(): void {
    const count = this.#modules.hosts.all.length
    if (this.touched.length < count || this.#rows.length < count * ROW) {
      this.#rows = new Float64Array(count * ROW)
      this.touched = new Int32Array(Math.max(64, count))
      this.#holderHost = new Int32Array(count)
      this.#holderClass = new Uint8Array(count)
      this.#holderOrdinal = new Uint16Array(count)
    }
    this.#turn++
    this.touchedCount = 0
    this.length = 0
    this.cachedBytes = 0
    this.#fastest.fill(0)
  }

  bytesOf(host: number, tierClass: number): number {
    const at = host * ROW
    return this.#rows[at + TURN] === this.#turn ? this.#rows[at + tierClass]! : 0
  }

  localBytes(host: number): number {
    const at = host * ROW
    const rows = this.#rows
    return rows[at + TURN] === this.#turn ? rows[at]! + rows[at + 1]! + rows[at + 2]! : 0
  }

  /** Time to read everything where nothing of it is, s. */
  get secondsElsewhere(): number {
    const fastest = this.#fastest
    const remote = this.#remote
    return (
      (this.length - this.cachedBytes) * this.#store +
      fastest[0]! * remote[0]! +
      fastest[1]! * remote[1]! +
      fastest[2]! * remote[2]!
    )
  }

  /** Time to read everything on a host, s, whose own reads take `slowdown` times as long as alone. */
  secondsOn(host: number, slowdown: number): number {
    const at = host * ROW
    const rows = this.#rows
    if (rows[at + TURN] !== this.#turn) return this.secondsElsewhere
    const own = this.#own
    const remote = this.#remote
    const fastest = this.#fastest
    return (
      (this.length - this.cachedBytes) * this.#store +
      (rows[at]! * own[0]! + rows[at + 1]! * own[1]! + rows[at + 2]! * own[2]!) * slowdown +
      (fastest[0]! - rows[at + FASTEST]!) * remote[0]! +
      (fastest[1]! - rows[at + FASTEST + 1]!) * remote[1]! +
      (fastest[2]! - rows[at + FASTEST + 2]!) * remote[2]!
    )
  }

  /** Adds the bytes `from` to before `to` of a file. With `into`, each block and who holds it is appended there. */
  add(file: HintedFile, from: number, to: number, nowMs: number, into?: BlockRows): void {
    const end = Math.min(to, file.length)
    if (end <= from) return
    const { blockSizeBytes } = file
    const first = Math.floor(from / blockSizeBytes)
    const last = Math.ceil(end / blockSizeBytes)
    const list = this.#list
    list.length = 0
    this.#modules.blocks.collect(file.fileId, first, last, list)
    this.length += end - from
    const { index: indexes, length } = list
    let told = first
    for (let i = 0; i < length; ) {
      const index = indexes[i]!
      i = this.#holdersOf(i, nowMs)
      if (this.#holders === 0) continue
      const start = Math.max(from, index * blockSizeBytes)
      const bytes =
        Math.min(end, index * blockSizeBytes + blockLength(file.length, blockSizeBytes, index)) - start
      this.#count(bytes)
      if (into === undefined) continue
      for (; told < index; told++) unheld(file, told, from, end, into)
      this.#tell(into, nowMs)
      into.add(start, bytes)
      told = index + 1
    }
    if (into !== undefined) for (; told < last; told++) unheld(file, told, from, end, into)
  }

  /** Finds the live hosts of the block whose replicas begin at `at`; returns where the next block's begin. */
  #holdersOf(at: number, nowMs: number): number {
    const { index, ordinal: ordinals, tier: tiers, length } = this.#list
    const { hosts } = this.#modules
    const holderHost = this.#holderHost
    const block = index[at]!
    let holders = 0
    let i = at
    for (; i < length && index[i] === block; i++) {
      const ordinal = ordinals[i]!
      const host = hosts.hostOf(ordinal, nowMs)
      if (host < 0) continue
      const tierClass = hosts.classOf(ordinal, tiers[i]!)
      let k = 0
      while (k < holders && holderHost[k] !== host) k++
      if (k === holders) {
        holders++
        holderHost[k] = host
        // Two workers of one host may both have it: the faster one counts.
      } else if (tierClass >= this.#holderClass[k]!) continue
      this.#holderClass[k] = tierClass
      this.#holderOrdinal[k] = ordinal
    }
    this.#holders = holders
    return i
  }

  #count(bytes: number): void {
    const rows = this.#rows
    const classes = this.#holderClass
    const holders = this.#holders
    const turn = this.#turn
    let best = CLASSES - 1
    for (let k = 0; k < holders; k++) if (classes[k]! < best) best = classes[k]!
    this.cachedBytes += bytes
    this.#fastest[best]! += bytes
    for (let k = 0; k < holders; k++) {
      const host = this.#holderHost[k]!
      const at = host * ROW
      if (rows[at + TURN] !== turn) {
        for (let i = at; i < at + TURN; i++) rows[i] = 0
        rows[at + TURN] = turn
        this.touched[this.touchedCount++] = host
      }
      rows[at + classes[k]!]! += bytes
      rows[at + FASTEST + best]! += bytes
    }
  }

  #tell(into: BlockRows, nowMs: number): void {
    const { hosts } = this.#modules
    for (let k = 0; k < this.#holders; k++) {
      const fresh = Math.max(0, Math.round(nowMs - hosts.heardMs(this.#holderOrdinal[k]!)))
      into.hold(this.#holderHost[k]!, this.#holderClass[k]!, fresh)
    }
  }
}

function unheld(file: HintedFile, index: number, from: number, end: number, into: BlockRows): void {
  const start = Math.max(from, index * file.blockSizeBytes)
  into.add(start, Math.min(end, (index + 1) * file.blockSizeBytes) - start)
}

/** The rendezvous key of a part of a file: that of its first block, as the client's policy DeterministicHash has it. */
export function placeKey(file: HintedFile, offset: number): number {
  return blockIdOf(file.fileId, Math.floor(offset / file.blockSizeBytes))
}
