/**
 * Lowers the cost of a matching without unmatching anything: a split moves to another host that holds it, two change places, or one
 * makes room for another. The cost is the time that splits wait and are read: the sum over the hosts of their seconds of work
 * squared, by the slots that work at once. Pure and deterministic; ends at a local optimum, or when its budget is spent.
 */
import type { Matching, MatchingProblem } from './matching.ts'

const NONE = -1
/** Edges that are looked at: so many for each edge, and so many at least. */
const LOOKS_AN_EDGE = 2
const LEAST_LOOKS = 200_000
/** Splits of a full host that are asked to make room. */
const MOST_ASKED = 32
/** Gains below this part of what moves are rounding. */
const ROUNDING = 1e-9

export class Polish {
  readonly #p: MatchingProblem
  readonly #matching: Matching
  /** Seconds of work of each host. */
  readonly #work: Float64Array
  #looks = 0
  /** The best change for the split at hand: its new host, who makes room there and where that one goes. */
  #gain = 0
  #to = NONE
  #other = NONE
  #otherTo = NONE

  constructor(problem: MatchingProblem, matching: Matching) {
    this.#p = problem
    this.#matching = matching
    this.#work = new Float64Array(problem.capacity.length)
    const { hostOf } = matching
    for (let s = 0; s < problem.splits; s++)
      if (hostOf[s] !== NONE) this.#work[hostOf[s]!]! += this.#secondsOf(s, hostOf[s]!)
  }

  /** What is lowered. */
  get cost(): number {
    let sum = 0
    for (let h = 0; h < this.#work.length; h++) sum += this.#work[h]! ** 2 / this.#slots(h)
    return sum
  }

  run(): void {
    const { splits, host } = this.#p
    const most = Math.max(LEAST_LOOKS, LOOKS_AN_EDGE * host.length)
    for (let changed = true; changed; ) {
      changed = false
      for (let s = 0; s < splits; s++) {
        if (this.#matching.hostOf[s] !== NONE && this.#improve(s)) changed = true
        if (this.#looks > most) return
      }
    }
  }

  #improve(s: number): boolean {
    const { first, host, seconds } = this.#p
    const matching = this.#matching
    const work = this.#work
    const from = matching.hostOf[s]!
    const now = this.#secondsOf(s, from)
    this.#gain = 0
    this.#to = NONE
    for (let e = first[s]!; e < first[s + 1]!; e++) {
      const to = host[e]!
      this.#looks++
      if (to === from) continue
      if (matching.fits(s, to))
        this.#consider(this.#change(from, -now) + this.#change(to, seconds[e]!), now, to)
      else if (seconds[e]! < now) this.#askThere(s, from, now, to, seconds[e]!)
    }
    if (this.#to === NONE) return false
    work[from]! -= now
    work[this.#to]! += this.#secondsOf(s, this.#to)
    const other = this.#other
    if (other !== NONE) {
      work[this.#to]! -= this.#secondsOf(other, this.#to)
      work[this.#otherTo]! += this.#secondsOf(other, this.#otherTo)
      matching.move(other, this.#otherTo)
    }
    matching.move(s, this.#to)
    return true
  }

  /** Whether one of a full host's splits can go elsewhere, or to where `s` comes from. */
  #askThere(s: number, from: number, now: number, to: number, then: number): void {
    const { first, host, seconds } = this.#p
    const matching = this.#matching
    let asked = 0
    for (let t = matching.firstOf(to); t !== NONE && asked < MOST_ASKED; t = matching.nextOf(t)) {
      asked++
      if (!matching.fitsInstead(s, to, t)) continue
      const there = this.#secondsOf(t, to)
      for (let e = first[t]!; e < first[t + 1]!; e++) {
        const away = host[e]!
        this.#looks++
        if (away === to) continue
        const inTurn = away === from
        if (!(inTurn ? matching.fitsInstead(t, from, s) : matching.fits(t, away))) continue
        const cost =
          this.#change(to, then - there) +
          (inTurn
            ? this.#change(from, seconds[e]! - now)
            : this.#change(from, -now) + this.#change(away, seconds[e]!))
        if (this.#consider(cost, now, to)) {
          this.#other = t
          this.#otherTo = away
        }
      }
    }
  }

  #consider(cost: number, now: number, to: number): boolean {
    if (cost >= this.#gain || cost > -ROUNDING * now * now) return false
    this.#gain = cost
    this.#to = to
    this.#other = NONE
    return true
  }

  /** By how much the cost grows when a host gets so many seconds more. */
  #change(host: number, seconds: number): number {
    return (2 * this.#work[host]! * seconds + seconds * seconds) / this.#slots(host)
  }

  #slots(host: number): number {
    return Math.max(1, this.#p.capacity[host]!)
  }

  #secondsOf(s: number, on: number): number {
    const { first, host, seconds } = this.#p
    for (let e = first[s]!; e < first[s + 1]!; e++) if (host[e] === on) return seconds[e]!
    return 0
  }
}
