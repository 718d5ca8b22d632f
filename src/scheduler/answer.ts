/** One answer in typed arrays that are used again for the next one, so that it can be written out without objects in between. */
import type { Hosts } from './hosts.ts'
import { type BlockHint, type HostHint, type PathHint, TIER_NAMES } from './types.ts'

const NO_HOSTS: BlockHint['hosts'] = []

/** The blocks of an answer; the holders of block i are those from `end[i - 1]` (0 for the first) to before `end[i]`, fastest first. */
export class BlockRows {
  count = 0
  /** Offset in the file and length of what was asked for, bytes. */
  offset = new Float64Array(64)
  length = new Float64Array(64)
  end = new Int32Array(64)
  holders = 0
  /** Index of the host, class of the tier, age of its worker's last words, ms. */
  host = new Int32Array(64)
  tier = new Uint8Array(64)
  freshMs = new Float64Array(64)

  clear(): void {
    this.count = 0
    this.holders = 0
  }

  /** Its holders are those since the last block. */
  add(offset: number, length: number): void {
    const at = this.count++
    if (at === this.offset.length) {
      this.offset = grown(this.offset, new Float64Array(at * 2))
      this.length = grown(this.length, new Float64Array(at * 2))
      this.end = grown(this.end, new Int32Array(at * 2))
    }
    this.offset[at] = offset
    this.length[at] = length
    this.end[at] = this.holders
  }

  /** A holder of the block that is added next, put in its place: by tier, then by name. */
  hold(host: number, tier: number, freshMs: number): void {
    const last = this.holders++
    if (last === this.host.length) {
      this.host = grown(this.host, new Int32Array(last * 2))
      this.tier = grown(this.tier, new Uint8Array(last * 2))
      this.freshMs = grown(this.freshMs, new Float64Array(last * 2))
    }
    const first = this.count === 0 ? 0 : this.end[this.count - 1]!
    let at = last
    for (; at > first; at--) {
      const before = at - 1
      if (this.tier[before]! < tier || (this.tier[before] === tier && this.host[before]! < host)) break
      this.host[at] = this.host[before]!
      this.tier[at] = this.tier[before]!
      this.freshMs[at] = this.freshMs[before]!
    }
    this.host[at] = host
    this.tier[at] = tier
    this.freshMs[at] = freshMs
  }
}

/** The hosts of an answer, best first. */
export class HostRows {
  count = 0
  readonly name: string[] = []
  readonly score: number[] = []
  /** Three for each host: MEM, SSD, HDD. */
  readonly bytes: number[] = []
  readonly load: number[] = []
  readonly confidence: number[] = []
  readonly reason: string[] = []
}

export class Answer {
  path = ''
  length = 0
  cold = false
  readonly blocks = new BlockRows()
  readonly hosts = new HostRows()
  readonly #hosts: Hosts

  constructor(hosts: Hosts) {
    this.#hosts = hosts
  }

  /** Name of a host of a block. */
  hostName(index: number): string {
    return this.#hosts.all[index]!.name
  }

  /** The same as a JSON text. */
  quotedName(index: number): string {
    return this.#hosts.quoted(index)
  }

  toHint(): PathHint {
    const { path, length, cold } = this
    return { path, length, cold, blocks: this.#blockHints(), hosts: this.#hostHints() }
  }

  #blockHints(): BlockHint[] {
    const { count, offset, length, end, host, tier, freshMs } = this.blocks
    const hints: BlockHint[] = []
    for (let i = 0, k = 0; i < count; i++) {
      const holders =
        k === end[i]!
          ? NO_HOSTS
          : Array.from({ length: end[i]! - k }, (_, n) => ({
              host: this.hostName(host[k + n]!),
              tier: TIER_NAMES[tier[k + n]!]!,
              freshMs: freshMs[k + n]!,
            }))
      k = end[i]!
      hints.push({ offset: offset[i]!, length: length[i]!, hosts: holders })
    }
    return hints
  }

  #hostHints(): HostHint[] {
    const { count, name, score, bytes, load, confidence, reason } = this.hosts
    return Array.from({ length: count }, (_, i) => ({
      host: name[i]!,
      score: score[i]!,
      bytes: { MEM: bytes[3 * i]!, SSD: bytes[3 * i + 1]!, HDD: bytes[3 * i + 2]! },
      load: load[i]!,
      confidence: confidence[i]!,
      reason: reason[i]!,
    }))
  }
}

function grown<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from)
  return into
}
