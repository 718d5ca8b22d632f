/**
 * Splits to hosts: as many as can be on a host that holds them, none above its capacity. Greedy from the scarcest split on, then
 * phases of Hopcroft and Karp's algorithm ("An n^5/2 algorithm for maximum matchings in bipartite graphs", 1973) on the graph of
 * hosts, where a host is an edge end as many times as it has capacity. Pure and deterministic. With room in bytes as well the count is
 * not always the largest one: that problem has no fast solution.
 */
export interface MatchingProblem {
  readonly splits: number
  /** Most splits a host takes. */
  readonly capacity: Int32Array
  /** The edges of split s are `first[s]` to before `first[s + 1]`. */
  readonly first: Int32Array
  readonly host: Int32Array
  /** Tier class of an edge: those of class 0 are matched before those of class 1, and so on. */
  readonly tier: Uint8Array
  /** Time to read the split on the edge's host, s. */
  readonly seconds: Float64Array
  /** Sizes of the splits, and what hosts take of them. Both or none. */
  readonly bytes?: Float64Array | undefined
  readonly roomBytes?: Float64Array | undefined
}

const NONE = -1
/** Steps of scarcity that are told apart. */
const STEPS = 65_536

export class Matching {
  readonly #p: MatchingProblem
  readonly #hosts: number
  /** Host of each split, or -1; the splits of a host are a list. */
  readonly hostOf: Int32Array
  readonly count: Int32Array
  readonly #head: Int32Array
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #waitSeconds: Float64Array
  /** Bytes that hosts still take; undefined: any. */
  readonly #room: Float64Array | undefined
  /** Of the phase at hand: distance from the unmatched splits, and the split that a search goes on with. */
  readonly #level: Int32Array
  readonly #arc: Int32Array
  readonly #queue: Int32Array

  constructor(problem: MatchingProblem) {
    this.#p = problem
    const hosts = problem.capacity.length
    this.#hosts = hosts
    this.hostOf = new Int32Array(problem.splits).fill(NONE)
    this.count = new Int32Array(hosts)
    this.#head = new Int32Array(hosts).fill(NONE)
    this.#next = new Int32Array(problem.splits)
    this.#previous = new Int32Array(problem.splits)
    this.#waitSeconds = new Float64Array(hosts)
    this.#room = problem.roomBytes?.slice()
    this.#level = new Int32Array(hosts)
    this.#arc = new Int32Array(hosts)
    this.#queue = new Int32Array(hosts)
  }

  /** Matches as many splits as can be matched. Returns how many. */
  run(): number {
    const { tier } = this.#p
    let classes = 0
    for (const c of tier) if (c >= classes) classes = c + 1
    const order = this.#byScarcity()
    for (let c = 0; c < classes; c++) {
      for (const split of order) if (this.hostOf[split] === NONE) this.#greedy(split, c)
      while (this.#levels(order, c)) {
        let found = false
        for (const split of order) if (this.hostOf[split] === NONE && this.#augment(split, c)) found = true
        if (!found) break
      }
    }
    let matched = 0
    for (const host of this.hostOf) if (host !== NONE) matched++
    return matched
  }

  /** Whether a host has room for a split. */
  fits(split: number, host: number): boolean {
    const { capacity, bytes } = this.#p
    if (this.count[host]! >= capacity[host]!) return false
    return this.#room === undefined || bytes![split]! <= this.#room[host]!
  }

  /** Whether a host has room for a split once another one has left it. */
  fitsInstead(split: number, host: number, other: number): boolean {
    const { bytes } = this.#p
    return this.#room === undefined || bytes![split]! <= this.#room[host]! + bytes![other]!
  }

  /** The splits of a host: the first one, and those after it; -1 at the end. */
  firstOf(host: number): number {
    return this.#head[host]!
  }

  nextOf(split: number): number {
    return this.#next[split]!
  }

  move(split: number, host: number): void {
    this.#take(split, this.hostOf[split]!)
    this.put(split, host)
  }

  put(split: number, host: number): void {
    const head = this.#head[host]!
    this.hostOf[split] = host
    this.#next[split] = head
    this.#previous[split] = NONE
    if (head !== NONE) this.#previous[head] = split
    this.#head[host] = split
    this.count[host]!++
    if (this.#room !== undefined) this.#room[host]! -= this.#p.bytes![split]!
  }

  #take(split: number, host: number): void {
    const before = this.#previous[split]!
    const after = this.#next[split]!
    if (before === NONE) this.#head[host] = after
    else this.#next[before] = after
    if (after !== NONE) this.#previous[after] = before
    this.count[host]!--
    if (this.#room !== undefined) this.#room[host]! += this.#p.bytes![split]!
  }

  /** Those whose hosts are wanted most come first; of equals the first. Sorted by counting. */
  #byScarcity(): Int32Array {
    const { splits, first, host } = this.#p
    const degree = new Int32Array(this.#hosts)
    for (const h of host) degree[h]!++
    const step = new Uint16Array(splits)
    const starts = new Int32Array(STEPS + 1)
    for (let s = 0; s < splits; s++) {
      let chances = 0
      for (let e = first[s]!; e < first[s + 1]!; e++)
        chances += this.#p.capacity[host[e]!]! / degree[host[e]!]!
      // Chances above 8 are plenty.
      step[s] = Math.min(STEPS - 1, Math.floor(chances * (STEPS / 8)))
      starts[step[s]! + 1]!++
    }
    for (let i = 1; i <= STEPS; i++) starts[i]! += starts[i - 1]!
    const order = new Int32Array(splits)
    for (let s = 0; s < splits; s++) order[starts[step[s]!]!++] = s
    return order
  }

  /** The host that has read it soonest, of those with room. */
  #greedy(split: number, tierClass: number): void {
    const { first, host, tier, seconds } = this.#p
    let best = NONE
    let bestAt = Number.POSITIVE_INFINITY
    for (let e = first[split]!; e < first[split + 1]!; e++) {
      const h = host[e]!
      if (tier[e]! > tierClass || !this.fits(split, h)) continue
      const at = seconds[e]! + this.#waitSeconds[h]!
      if (at < bestAt) {
        best = e
        bestAt = at
      }
    }
    if (best === NONE) return
    this.#waitSeconds[host[best]!]! += seconds[best]!
    this.put(split, host[best]!)
  }

  /** Distances of hosts from unmatched splits, up to the first that has room; false if none can be reached. */
  #levels(order: Int32Array, tierClass: number): boolean {
    const { first, host, tier, capacity } = this.#p
    const level = this.#level.fill(NONE)
    this.#arc.set(this.#head)
    const queue = this.#queue
    let end = 0
    const reach = (split: number, at: number) => {
      for (let e = first[split]!; e < first[split + 1]!; e++) {
        const h = host[e]!
        if (tier[e]! > tierClass || level[h] !== NONE) continue
        level[h] = at
        queue[end++] = h
      }
    }
    for (const split of order) if (this.hostOf[split] === NONE) reach(split, 0)
    let deepest = Number.POSITIVE_INFINITY
    for (let i = 0; i < end; i++) {
      const h = queue[i]!
      if (level[h]! > deepest) break
      if (this.count[h]! < capacity[h]!) deepest = level[h]!
      else if (deepest === Number.POSITIVE_INFINITY)
        for (let s = this.#head[h]!; s !== NONE; s = this.#next[s]!) reach(s, level[h]! + 1)
    }
    return deepest !== Number.POSITIVE_INFINITY
  }

  #augment(split: number, tierClass: number): boolean {
    const { first, host, tier } = this.#p
    for (let e = first[split]!; e < first[split + 1]!; e++) {
      const h = host[e]!
      if (tier[e]! > tierClass || this.#level[h] !== 0 || !this.#makeRoom(split, h, tierClass)) continue
      this.put(split, h)
      return true
    }
    return false
  }

  /** Whether the host has room for one more, or one of its splits could be moved a level on. */
  #makeRoom(comer: number, h: number, tierClass: number): boolean {
    const { first, host, tier } = this.#p
    if (this.fits(comer, h)) return true
    const below = this.#level[h]! + 1
    while (this.#arc[h] !== NONE) {
      const split = this.#arc[h]!
      // It stays the next one until all of its edges were tried.
      for (let e = first[split]!; e < first[split + 1]! && this.fitsInstead(comer, h, split); e++) {
        const other = host[e]!
        if (tier[e]! > tierClass || this.#level[other] !== below || !this.#makeRoom(split, other, tierClass))
          continue
        this.#arc[h] = this.#next[split]!
        this.#take(split, h)
        this.put(split, other)
        return true
      }
      this.#arc[h] = this.#next[split]!
    }
    this.#level[h] = NONE - 1
    return false
  }
}
