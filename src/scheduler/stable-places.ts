/** Where cold data should go: by rendezvous hashing over the live workers, so that repeated cold reads meet. */
import { signedScore } from '../core/index.ts'
import type { Host, Hosts } from './hosts.ts'

export class StablePlaces {
  readonly #hosts: Host[] = []
  /** One for each live worker of them. */
  readonly #members: Int32Array
  readonly #hostOf: Int32Array
  /** The first ones for the key at hand. */
  #best = new Int32Array(16)
  #scores = new Int32Array(16)
  #found = 0

  /** @param among only these; absent: all */
  constructor(hosts: Hosts, nowMs: number, among: readonly (Host | undefined)[] = hosts.all) {
    const members: number[] = []
    const hostOf: number[] = []
    for (const host of among) {
      if (host === undefined || !hosts.isHostLive(host, nowMs)) continue
      for (const [i, worker] of host.workers.entries()) {
        if (!hosts.isLive(worker, nowMs)) continue
        members.push(host.members[i]!)
        hostOf.push(this.#hosts.length)
      }
      this.#hosts.push(host)
    }
    this.#members = Int32Array.from(members)
    this.#hostOf = Int32Array.from(hostOf)
  }

  /**
   * The first `count` hosts for a key, best first; of a host its best worker counts. The first one is the worker that policy
   * DeterministicHash of clients sends the block with this id to.
   */
  of(key: number, count: number): Host[] {
    if (this.#scores.length <= count) {
      this.#scores = new Int32Array(count + 1)
      this.#best = new Int32Array(count + 1)
    }
    this.#found = 0
    const low = key >>> 0
    const high = Math.floor(key / 2 ** 32) | 0
    const members = this.#members
    const scores = this.#scores
    // What a member needs to be among the first.
    let least = -(2 ** 31)
    for (let m = 0; m < members.length; m++) {
      const score = signedScore(low, high, members[m]!)
      if (score < least) continue
      this.#enter(this.#hostOf[m]!, score)
      if (this.#found > count) this.#found = count
      if (this.#found === count) least = scores[count - 1]!
    }
    return Array.from({ length: this.#found }, (_, i) => this.#hosts[this.#best[i]!]!)
  }

  #enter(host: number, score: number): void {
    const scores = this.#scores
    const best = this.#best
    let end = 0
    while (end < this.#found && best[end] !== host) end++
    if (end < this.#found) {
      if (scores[end]! >= score) return
    } else this.#found++
    let at = end
    for (
      ;
      at > 0 &&
      (scores[at - 1]! < score || (scores[at - 1] === score && this.#isBefore(host, best[at - 1]!)));
      at--
    ) {
      scores[at] = scores[at - 1]!
      best[at] = best[at - 1]!
    }
    scores[at] = score
    best[at] = host
  }

  #isBefore(a: number, b: number): boolean {
    return this.#hosts[a]!.index < this.#hosts[b]!.index
  }
}
