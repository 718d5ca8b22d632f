/**
 * Adds up who holds what of one or more files: bytes by host and tier, and the time that reading from elsewhere takes. One tally is
 * used again and again; nothing of it is made anew for a file.
 */
import { blockIdOf, blockLength } from '../core/index.ts'
import { type BlockMap, ReplicaList } from '../namespace/index.ts'
import type { Hosts } from './hosts.ts'
import type { Rates } from './rates.ts'
import { type BlockHint, type BlockHost, type HintedFile, TIER_NAMES } from './types.ts'

export interface TallyModules {
  readonly blocks: BlockMap
  readonly hosts: Hosts
}

const CLASSES = TIER_NAMES.length
const NO_HOSTS: readonly BlockHost[] = []

export class Tally {
  readonly #rates: Rates
  readonly #modules: TallyModules
  readonly #list = new ReplicaList()
  /** Hosts that hold something, in the order in which they were found. */
  touched: Int32Array = new Int32Array(64)
  touchedCount = 0
  length = 0
  cachedBytes = 0
  /** Time to read all that is cached from other hosts, s. */
  remoteSeconds = 0
  /** By host * 3 + class. */
  #bytes: Float64Array = new Float64Array(0)
  /** By host: the part of `remoteSeconds` that is for what the host itself holds. */
  #savedSeconds: Float64Array = new Float64Array(0)
  #stamp: Int32Array = new Int32Array(0)
  #turn = 0
  /** Holders of the block at hand, and their classes. */
  readonly #holders: number[] = []
  readonly #classes: number[] = []
  readonly #ordinals: number[] = []

  constructor(rates: Rates, modules: TallyModules) {
    this.#rates = rates
    this.#modules = modules
  }

  /** Begins anew. `hosts` has to be fresh. */
  begin(): void {
    const count = this.#modules.hosts.all.length
    if (this.#stamp.length < count) {
      this.#bytes = new Float64Array(count * CLASSES)
      this.#savedSeconds = new Float64Array(count)
      this.#stamp = new Int32Array(count)
      this.touched = new Int32Array(count)
    }
    this.#turn++
    this.touchedCount = 0
    this.length = 0
    this.cachedBytes = 0
    this.remoteSeconds = 0
  }

  bytesOf(host: number, tierClass: number): number {
    return this.#stamp[host] === this.#turn ? this.#bytes[host * CLASSES + tierClass]! : 0
  }

  localBytes(host: number): number {
    return this.bytesOf(host, 0) + this.bytesOf(host, 1) + this.bytesOf(host, 2)
  }

  /** Time to read everything on a host, s, whose own reads take `slowdown` times as long as alone. */
  secondsOn(host: number, slowdown: number): number {
    const { tiers, store } = this.#rates
    const missing = (this.length - this.cachedBytes) / store
    if (host < 0 || this.#stamp[host] !== this.#turn) return missing + this.remoteSeconds
    let own = 0
    for (let c = 0; c < CLASSES; c++) own += this.#bytes[host * CLASSES + c]! / tiers[c]!
    return missing + own * slowdown + Math.max(0, this.remoteSeconds - this.#savedSeconds[host]!)
  }

  /** Adds the bytes `from` to before `to` of a file. With `into`, a hint for each block is appended there. */
  add(file: HintedFile, from: number, to: number, nowMs: number, into?: BlockHint[]): void {
    const end = Math.min(to, file.length)
    if (end <= from) return
    const { blockSizeBytes } = file
    const first = Math.floor(from / blockSizeBytes)
    const last = Math.ceil(end / blockSizeBytes)
    const list = this.#list
    list.length = 0
    this.#modules.blocks.collect(file.fileId, first, last, list)
    this.length += end - from
    let told = first
    for (let i = 0; i < list.length; ) {
      const index = list.index[i]!
      i = this.#holdersOf(i, nowMs)
      if (this.#holders.length === 0) continue
      const start = Math.max(from, index * blockSizeBytes)
      const bytes =
        Math.min(end, index * blockSizeBytes + blockLength(file.length, blockSizeBytes, index)) - start
      this.#count(bytes)
      if (into === undefined) continue
      for (; told < index; told++) into.push(unheld(file, told, from, end))
      into.push({ offset: start, length: bytes, hosts: this.#hostsOfBlock(nowMs) })
      told = index + 1
    }
    if (into !== undefined) for (; told < last; told++) into.push(unheld(file, told, from, end))
  }

  /** Finds the live hosts of the block whose replicas begin at `at`; returns where the next block's begin. */
  #holdersOf(at: number, nowMs: number): number {
    const list = this.#list
    const { hosts } = this.#modules
    this.#holders.length = 0
    this.#classes.length = 0
    this.#ordinals.length = 0
    const index = list.index[at]!
    let i = at
    for (; i < list.length && list.index[i] === index; i++) {
      const ordinal = list.ordinal[i]!
      const host = hosts.hostOf(ordinal, nowMs)
      if (host < 0) continue
      const tierClass = hosts.classOf(ordinal, list.tier[i]!)
      // Two workers of one host may both have it: the faster one counts.
      const known = this.#holders.indexOf(host)
      if (known < 0) {
        this.#holders.push(host)
        this.#classes.push(tierClass)
        this.#ordinals.push(ordinal)
      } else if (tierClass < this.#classes[known]!) {
        this.#classes[known] = tierClass
        this.#ordinals[known] = ordinal
      }
    }
    return i
  }

  #count(bytes: number): void {
    const { tiers, remote } = this.#rates
    let best = CLASSES - 1
    for (const tierClass of this.#classes) if (tierClass < best) best = tierClass
    const seconds = bytes / Math.min(remote, tiers[best]!)
    this.cachedBytes += bytes
    this.remoteSeconds += seconds
    for (let k = 0; k < this.#holders.length; k++) {
      const host = this.#holders[k]!
      const at = host * CLASSES
      if (this.#stamp[host] !== this.#turn) {
        this.#stamp[host] = this.#turn
        this.touched[this.touchedCount++] = host
        this.#bytes[at] = 0
        this.#bytes[at + 1] = 0
        this.#bytes[at + 2] = 0
        this.#savedSeconds[host] = 0
      }
      this.#bytes[at + this.#classes[k]!]! += bytes
      this.#savedSeconds[host]! += seconds
    }
  }

  #hostsOfBlock(nowMs: number): BlockHost[] {
    const { hosts } = this.#modules
    const told = this.#holders.map((host, k) => ({
      host: hosts.all[host]!.name,
      tier: TIER_NAMES[this.#classes[k]!]!,
      freshMs: Math.max(0, Math.round(nowMs - hosts.workerOf(this.#ordinals[k]!).heardMonotonicMs)),
    }))
    if (told.length > 1)
      told.sort(
        (a, b) => TIER_NAMES.indexOf(a.tier) - TIER_NAMES.indexOf(b.tier) || (a.host < b.host ? -1 : 1),
      )
    return told
  }
}

function unheld(file: HintedFile, index: number, from: number, end: number): BlockHint {
  const start = Math.max(from, index * file.blockSizeBytes)
  return { offset: start, length: Math.min(end, (index + 1) * file.blockSizeBytes) - start, hosts: NO_HOSTS }
}

/** The rendezvous key of a part of a file: that of its first block, as the client's policy DeterministicHash has it. */
export function placeKey(file: HintedFile, offset: number): number {
  return blockIdOf(file.fileId, Math.floor(offset / file.blockSizeBytes))
}
