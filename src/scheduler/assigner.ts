/** Plans a whole stage: splits to hosts, most of them beside their bytes, none above its share. */
import { AlluxioError } from '../core/index.ts'
import type { Candidate, Host, Hosts } from './hosts.ts'
import { Matching } from './matching.ts'
import { StablePlaces } from './stable-places.ts'
import { placeKey, type Tally } from './tally.ts'
import type { Assignment, Placement, Plan, Split } from './types.ts'

export interface SplitRequest {
  /** Hosts that tasks can run on, with their slots. @default all hosts with live workers */
  readonly hosts?: readonly { readonly host: string; readonly slots?: number }[]
  /** What a host without slots may get above the mean, as a part of it. @default 0.1 */
  readonly slack?: number
}

export interface AssignerModules {
  readonly hosts: Hosts
  readonly tally: Tally
}

const SLACK = 0.1
/** Places of a cold split that are tried before the least loaded host takes it. */
const COLD_PLACES = 8
const ALTERNATES = 2
const NONE = -1

/** A host that tasks run on: with the worker's host, if one is there. */
interface Target extends Candidate {
  readonly slots: number
}

/** Which targets hold which splits, as `Matching` reads it. */
interface Edges {
  readonly first: Int32Array
  readonly host: Int32Array
  readonly tier: Uint8Array
  readonly seconds: Float64Array
  readonly bytes: Float64Array
  /** Time to read each split where nothing of it is, s. */
  readonly elsewhere: Float64Array
}

export class Assigner {
  readonly #modules: AssignerModules

  constructor(modules: AssignerModules) {
    this.#modules = modules
  }

  plan(given: readonly Split[], request: SplitRequest, nowMs: number): Plan {
    const targets = this.#targets(given.length, request, nowMs)
    // One order whatever the order of the question, so that the same question has the same answer.
    const order = canonicalOrder(given)
    const splits = Array.from(order, (i) => given[i]!)
    const edges = this.#edges(splits, targets, nowMs)
    const capacity = Int32Array.from(targets, ({ slots }) => slots)
    const matching = new Matching({ splits: splits.length, capacity, ...edges })
    const local = matching.run()
    const placements = new Array<Placement>(splits.length).fill('LOCAL')
    this.#placeRest(splits, targets, edges.first, matching, placements, nowMs)
    const answers = new Array<Assignment>(given.length)
    for (let s = 0; s < splits.length; s++)
      answers[order[s]!] = this.#describe(s, splits[s]!, targets, edges, matching.hostOf[s]!, placements[s]!)
    return { splits: answers, local, hosts: totals(targets, splits, matching.hostOf) }
  }

  #targets(splits: number, request: SplitRequest, nowMs: number): Target[] {
    const { hosts } = this.#modules
    const asked =
      request.hosts ??
      hosts.all.filter((host) => hosts.isHostLive(host, nowMs)).map(({ name }) => ({ host: name }))
    const slotsOf = new Map<string, number | undefined>()
    for (const { host, slots } of asked as readonly { host: string; slots?: number }[]) {
      const former = slotsOf.get(host)
      slotsOf.set(host, slots === undefined ? former : slots + (former ?? 0))
    }
    const candidates = hosts.candidates([...slotsOf.keys()])
    if (candidates.length === 0)
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        'no host to assign splits to: no worker is live, and none was named',
        {
          reason: 'NO_HOST',
        },
      )
    const { slack = SLACK } = request
    // Not one more for a rounding error.
    const share = Math.ceil((1 + slack) * (splits / candidates.length) - 1e-9)
    return candidates
      .map((candidate) => ({ ...candidate, slots: slotsOf.get(candidate.name) ?? share }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Which targets hold splits. One that holds less than half of what the best one has counts as none. */
  #edges(splits: readonly Split[], targets: readonly Target[], nowMs: number): Edges {
    const { hosts, tally } = this.#modules
    const targetOf = new Int32Array(hosts.all.length).fill(NONE)
    const slowed = new Float64Array(targets.length)
    for (const [t, { host }] of targets.entries()) {
      if (host === undefined) continue
      targetOf[host.index] = t
      slowed[t] = hosts.slowdownOf(host.index)
    }
    const first = new Int32Array(splits.length + 1)
    const list = new EdgeList()
    const elsewhere = new Float64Array(splits.length)
    for (const [s, { file, offset, length }] of splits.entries()) {
      first[s] = list.length
      tally.begin()
      tally.add(file, offset, offset + length, nowMs)
      elsewhere[s] = tally.secondsElsewhere
      let most = 0
      for (let i = 0; i < tally.touchedCount; i++) most = Math.max(most, tally.localBytes(tally.touched[i]!))
      for (let i = 0; i < tally.touchedCount; i++) {
        const h = tally.touched[i]!
        const t = targetOf[h]!
        if (t === NONE || tally.localBytes(h) * 2 < most) continue
        const tier =
          tally.bytesOf(h, 0) * 2 >= most
            ? 0
            : (tally.bytesOf(h, 0) + tally.bytesOf(h, 1)) * 2 >= most
              ? 1
              : 2
        list.add(t, tier, tally.secondsOn(h, slowed[t]!), tally.localBytes(h))
      }
      list.sortFrom(first[s]!)
    }
    first[splits.length] = list.length
    const { host, tier, seconds, bytes } = list
    const n = list.length
    return {
      first,
      host: host.subarray(0, n),
      tier: tier.subarray(0, n),
      seconds: seconds.subarray(0, n),
      bytes: bytes.subarray(0, n),
      elsewhere,
    }
  }

  /** What nobody holds goes to its stable place, or the next ones when that is full; what is left to the least loaded host. */
  #placeRest(
    splits: readonly Split[],
    targets: readonly Target[],
    first: Int32Array,
    matching: Matching,
    placements: Placement[],
    nowMs: number,
  ): void {
    const { hosts } = this.#modules
    const among = targets.map(({ host }) => host)
    const targetOf = new Map<Host | undefined, number>(among.map((host, t) => [host, t]))
    let places: StablePlaces | undefined
    const least = new LeastLoaded(targets, matching.count)
    for (let s = 0; s < splits.length; s++) {
      if (matching.hostOf[s] !== NONE) continue
      const cold = first[s] === first[s + 1]
      let target = NONE
      if (cold) {
        const { file, offset } = splits[s]!
        places ??= new StablePlaces(hosts, nowMs, among)
        for (const host of places.of(placeKey(file, offset), COLD_PLACES)) {
          const t = targetOf.get(host)!
          if (matching.count[t]! >= targets[t]!.slots) continue
          target = t
          break
        }
      }
      if (target === NONE) target = least.next()
      if (target !== NONE) matching.put(s, target)
      placements[s] = target === NONE ? 'NONE' : cold ? 'COLD' : 'OVERFLOW'
    }
  }

  #describe(
    s: number,
    { file, offset, length }: Split,
    targets: readonly Target[],
    edges: Edges,
    target: number,
    placement: Placement,
  ): Assignment {
    const { first, host, seconds, bytes, elsewhere } = edges
    const alternates: string[] = []
    let localBytes = 0
    let waitMs = 0
    for (let e = first[s]!; e < first[s + 1]!; e++) {
      if (host[e] === target) {
        localBytes = bytes[e]!
        waitMs = Math.max(0, Math.round((elsewhere[s]! - seconds[e]!) * 1000))
      } else if (alternates.length < ALTERNATES) alternates.push(targets[host[e]!]!.name)
    }
    const name = target === NONE ? '' : targets[target]!.name
    return { path: file.path, offset, length, host: name, placement, localBytes, alternates, waitMs }
  }
}

/** Edges in typed arrays that grow. */
class EdgeList {
  length = 0
  host = new Int32Array(1024)
  tier = new Uint8Array(1024)
  seconds = new Float64Array(1024)
  bytes = new Float64Array(1024)

  add(host: number, tier: number, seconds: number, bytes: number): void {
    const at = this.length++
    if (at === this.host.length) {
      const former = { host: this.host, tier: this.tier, seconds: this.seconds, bytes: this.bytes }
      this.host = new Int32Array(at * 2)
      this.tier = new Uint8Array(at * 2)
      this.seconds = new Float64Array(at * 2)
      this.bytes = new Float64Array(at * 2)
      this.host.set(former.host)
      this.tier.set(former.tier)
      this.seconds.set(former.seconds)
      this.bytes.set(former.bytes)
    }
    this.#set(at, host, tier, seconds, bytes)
  }

  /** The edges from `start` on, fastest first, of equals by host. By insertion: there are few. */
  sortFrom(start: number): void {
    for (let i = start + 1; i < this.length; i++) {
      const host = this.host[i]!
      const tier = this.tier[i]!
      const seconds = this.seconds[i]!
      const bytes = this.bytes[i]!
      let at = i
      while (
        at > start &&
        (this.seconds[at - 1]! > seconds || (this.seconds[at - 1] === seconds && this.host[at - 1]! > host))
      ) {
        this.#set(at, this.host[at - 1]!, this.tier[at - 1]!, this.seconds[at - 1]!, this.bytes[at - 1]!)
        at--
      }
      this.#set(at, host, tier, seconds, bytes)
    }
  }

  #set(at: number, host: number, tier: number, seconds: number, bytes: number): void {
    this.host[at] = host
    this.tier[at] = tier
    this.seconds[at] = seconds
    this.bytes[at] = bytes
  }
}

/** The host with the smallest part of its slots taken, of equals the first; counts only grow. */
class LeastLoaded {
  readonly #targets: readonly Target[]
  readonly #count: Int32Array

  constructor(targets: readonly Target[], count: Int32Array) {
    this.#targets = targets
    this.#count = count
  }

  next(): number {
    let best = NONE
    let bestPart = 1
    for (let t = 0; t < this.#targets.length; t++) {
      const part = this.#count[t]! / this.#targets[t]!.slots
      if (part < bestPart) {
        best = t
        bestPart = part
      }
    }
    return best
  }
}

/** Indexes of the splits: larger ones first, then by file and offset. */
function canonicalOrder(splits: readonly Split[]): Uint32Array {
  const order = Uint32Array.from(splits, (_, i) => i)
  const compare = (a: Split, b: Split) =>
    b.length - a.length || a.file.fileId - b.file.fileId || a.offset - b.offset
  for (let i = 1; i < splits.length; i++) {
    if (compare(splits[i - 1]!, splits[i]!) > 0) return order.sort((a, b) => compare(splits[a]!, splits[b]!))
  }
  return order
}

function totals(targets: readonly Target[], splits: readonly Split[], hostOf: Int32Array): Plan['hosts'] {
  const sums = targets.map(({ name }) => ({ host: name, splits: 0, bytes: 0 }))
  for (let s = 0; s < splits.length; s++) {
    const sum = sums[hostOf[s]!]
    if (sum === undefined) continue
    sum.splits++
    sum.bytes += splits[s]!.length
  }
  return sums.filter((sum) => sum.splits > 0)
}
