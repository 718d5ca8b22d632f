/** Plans a whole stage: splits to hosts, most of them beside their bytes, none above its share. */
import { AlluxioError } from '../core/index.ts'
import type { Candidate, Host, Hosts } from './hosts.ts'
import { LeastLoaded } from './least-loaded.ts'
import { Matching } from './matching.ts'
import { Polish } from './polish.ts'
import { StablePlaces } from './stable-places.ts'
import { placeKey, type Tally } from './tally.ts'
import type { Assignment, Placement, Plan, Split } from './types.ts'

/** A host that tasks can run on. */
export interface HostRequest {
  readonly host: string
  /** Most splits. @default its share and the slack */
  readonly slots?: number
  /** Most bytes of splits. @default any */
  readonly bytes?: number
  /** Where what its neighbours hold and have no room for should rather go. */
  readonly rack?: string
}

export interface SplitRequest {
  /** Hosts that tasks can run on, with their slots. @default all hosts with live workers */
  readonly hosts?: readonly HostRequest[]
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
  readonly bytes: number
  readonly rack: string | undefined
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
    const problem = {
      ...{ splits: splits.length, ...edges, capacity: Int32Array.from(targets, ({ slots }) => slots) },
      ...(targets.some(({ bytes }) => bytes < Number.POSITIVE_INFINITY)
        ? {
            bytes: Float64Array.from(splits, ({ length }) => length),
            roomBytes: Float64Array.from(targets, ({ bytes }) => bytes),
          }
        : {}),
    }
    const matching = new Matching(problem)
    const local = matching.run()
    new Polish(problem, matching).run()
    const placements = new Array<Placement>(splits.length).fill('LOCAL')
    this.#placeRest(splits, targets, edges, matching, placements, nowMs)
    const answers = new Array<Assignment>(given.length)
    for (let s = 0; s < splits.length; s++)
      answers[order[s]!] = this.#describe(s, splits[s]!, targets, edges, matching.hostOf[s]!, placements[s]!)
    return { splits: answers, local, hosts: totals(targets, splits, matching.hostOf) }
  }

  #targets(splits: number, request: SplitRequest, nowMs: number): Target[] {
    const { hosts } = this.#modules
    const asked: readonly HostRequest[] =
      request.hosts ??
      hosts.all.filter((host) => hosts.isHostLive(host, nowMs)).map(({ name }) => ({ host: name }))
    const known = new Map<string, HostRequest>()
    for (const one of asked) {
      const former = known.get(one.host)
      known.set(one.host, former === undefined ? one : joined(former, one))
    }
    const candidates = hosts.candidates([...known.keys()])
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
      .map((candidate) => {
        const { slots = share, bytes = Number.POSITIVE_INFINITY, rack } = known.get(candidate.name)!
        return { ...candidate, slots, bytes, rack }
      })
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

  /**
   * What nobody holds goes to its stable place, or the next ones when that is full; what is left to the least loaded host, of the racks
   * of those that hold it if there is one with room.
   */
  #placeRest(
    splits: readonly Split[],
    targets: readonly Target[],
    { first, host: holders }: Edges,
    matching: Matching,
    placements: Placement[],
    nowMs: number,
  ): void {
    const { hosts } = this.#modules
    const among = targets.map(({ host }) => host)
    const targetOf = new Map<Host | undefined, number>(among.map((host, t) => [host, t]))
    let places: StablePlaces | undefined
    const least = new LeastLoaded(targets, matching)
    for (let s = 0; s < splits.length; s++) {
      if (matching.hostOf[s] !== NONE) continue
      const cold = first[s] === first[s + 1]
      let target = NONE
      if (cold) {
        const { file, offset } = splits[s]!
        places ??= new StablePlaces(hosts, nowMs, among)
        for (const host of places.of(placeKey(file, offset), COLD_PLACES)) {
          const t = targetOf.get(host)!
          if (!matching.fits(s, t)) continue
          target = t
          break
        }
      } else {
        for (let e = first[s]!; e < first[s + 1]! && target === NONE; e++)
          target = least.inRackOf(holders[e]!, s)
      }
      if (target === NONE) target = least.anywhere(s)
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

/** A host that was named twice has the room of both. */
function joined(one: HostRequest, other: HostRequest): HostRequest {
  const sum = (a: number | undefined, b: number | undefined) => (b === undefined ? a : b + (a ?? 0))
  const slots = sum(one.slots, other.slots)
  const bytes = sum(one.bytes, other.bytes)
  return {
    ...{ ...one, ...other },
    ...(slots === undefined ? {} : { slots }),
    ...(bytes === undefined ? {} : { bytes }),
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
