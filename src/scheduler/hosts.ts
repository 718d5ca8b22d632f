/**
 * The hosts of the cluster as hints see them: which workers stand on which, by what names they are known, and which ordinal of the
 * block map means which host. Made anew when a worker comes or goes; what changes with every heartbeat is read from the workers.
 */
import { AlluxioError, memberHash } from '../core/index.ts'
import type { BlockMap } from '../namespace/index.ts'
import type { HostAliases } from './host-aliases.ts'
import { slowdown } from './rates.ts'
import { TIER_NAMES, type WorkerFact, type WorkerFacts } from './types.ts'

export interface Host {
  readonly name: string
  readonly index: number
  readonly workers: readonly WorkerFact[]
  /** `memberHash` of the workers' uuids. */
  readonly members: readonly number[]
}

/** A host by the name that the asker gave it: answers name it so. */
export interface Candidate {
  readonly name: string
  readonly host: Host | undefined
}

export interface HostsOptions {
  /** A worker that was not heard of for so long is not named, ms. */
  readonly timeoutMs: number
}

export interface HostsModules {
  readonly blocks: BlockMap
  readonly workers: WorkerFacts
  readonly aliases: HostAliases
}

const TIERS = 16
/** How old the copies may be that are made of what workers say with every heartbeat, ms: what is told seems that much older at most. */
const LOOK_MS = 100
/** How often hosts are collected anew at most, ms: after a restart thousands of workers register within seconds. */
const COLLECT_MS = 100
/** Names that mean another host to each host. */
const NOBODYS = /^(localhost(\..*)?|127\..*|::1|0\.0\.0\.0|::)$/i

export class Hosts {
  readonly #options: HostsOptions
  readonly #modules: HostsModules
  #workersVersion = -1
  #collectedMs = Number.NEGATIVE_INFINITY
  #ordinalsVersion = -1
  #all: readonly Host[] = []
  #quoted: readonly string[] = []
  /** Grows when hosts come or go. */
  generation = 0
  /** By lower-case name; names that several hosts claim are not there. */
  #byName = new Map<string, Host>()
  #ambiguous = new Map<string, readonly string[]>()
  /** By ordinal of the block map. */
  #hostOf: Int32Array = new Int32Array(0)
  #workerOf: (WorkerFact | undefined)[] = []
  /** What is asked of each replica and host, copied from the workers now and then: they are all over the heap. */
  #aliveUntilMs: Float64Array = new Float64Array(0)
  #slowdown: Float64Array = new Float64Array(0)
  #load: Float64Array = new Float64Array(0)
  /** When the live worker was heard of that is silent the longest: of those that are registered, and of those that register. */
  #heardSteady: Float64Array = new Float64Array(0)
  #heardRegistering: Float64Array = new Float64Array(0)
  #lookedMs = Number.NEGATIVE_INFINITY
  /** Class of a tier (index into TIER_NAMES), by ordinal * 16 + tier. */
  #classOf: Uint8Array = new Uint8Array(0)

  constructor(options: HostsOptions, modules: HostsModules) {
    this.#options = options
    this.#modules = modules
  }

  /** Sorted by name. */
  get all(): readonly Host[] {
    return this.#all
  }

  /** Name of a host as a JSON text. */
  quoted(index: number): string {
    return this.#quoted[index]!
  }

  /** Names that workers of several hosts say are theirs, and of which. */
  get ambiguous(): ReadonlyMap<string, readonly string[]> {
    return this.#ambiguous
  }

  /** To be called before each use. */
  refresh(nowMs: number): void {
    const { blocks, workers } = this.#modules
    const isDue = nowMs - this.#collectedMs >= COLLECT_MS || nowMs < this.#collectedMs
    const isNew = isDue && workers.version !== this.#workersVersion
    if (isNew) {
      this.#collect()
      this.#collectedMs = nowMs
      this.#workersVersion = workers.version
    }
    if (isNew || blocks.ordinalsVersion !== this.#ordinalsVersion) {
      this.#ordinalsVersion = blocks.ordinalsVersion
      this.#number()
    } else if (nowMs - this.#lookedMs < LOOK_MS && nowMs >= this.#lookedMs) return
    this.#look(nowMs)
  }

  /** Index of the host that an ordinal means, -1 for none that may be named now. */
  hostOf(ordinal: number, nowMs: number): number {
    return this.#aliveUntilMs[ordinal]! >= nowMs ? this.#hostOf[ordinal]! : -1
  }

  /** How much longer reads take on a host than on an idle one. */
  slowdownOf(host: number): number {
    return this.#slowdown[host]!
  }

  /** When the worker of an ordinal was last heard of, as of the last look; monotonic ms. */
  heardMs(ordinal: number): number {
    return this.#aliveUntilMs[ordinal]! - this.#options.timeoutMs
  }

  /** Class of a tier of a worker: 0 MEM, 1 SSD, 2 HDD. */
  classOf(ordinal: number, tier: number): number {
    return this.#classOf[ordinal * TIERS + Math.min(tier, TIERS - 1)]!
  }

  isLive(worker: WorkerFact, nowMs: number): boolean {
    return worker.state === 'LIVE' && nowMs - worker.heardMonotonicMs <= this.#options.timeoutMs
  }

  isHostLive(host: Host, nowMs: number): boolean {
    for (const worker of host.workers) if (this.isLive(worker, nowMs)) return true
    return false
  }

  /** Open streams of its workers. */
  loadOf(host: number): number {
    return this.#load[host]!
  }

  /** 1 for a host whose workers were heard of right now, down to 0 at their timeout; half while one registers anew. */
  confidenceOf(host: number, nowMs: number): number {
    const { timeoutMs } = this.#options
    const steady = 1 - Math.max(0, nowMs - this.#heardSteady[host]!) / timeoutMs
    const heardMs = this.#heardRegistering[host]!
    if (heardMs === Number.POSITIVE_INFINITY) return Math.max(0, steady)
    return Math.max(0, Math.min(steady, (1 - Math.max(0, nowMs - heardMs) / timeoutMs) / 2))
  }

  /** Age of the oldest report among its live workers, ms. */
  ageOf(host: number, nowMs: number): number {
    return Math.max(0, nowMs - Math.min(this.#heardSteady[host]!, this.#heardRegistering[host]!))
  }

  find(name: string): Host | undefined {
    return this.#byName.get(name.toLowerCase())
  }

  /**
   * The hosts that names mean, each once, by its first name.
   * @throws INVALID_ARGUMENT, reason ALIAS_COLLISION, for a name that several hosts claim
   */
  candidates(names: readonly string[]): Candidate[] {
    const seen = new Set<Host | string>()
    const found: Candidate[] = []
    for (const name of names) {
      const claims = this.#ambiguous.get(name.toLowerCase())
      if (claims !== undefined) {
        throw new AlluxioError(
          'INVALID_ARGUMENT',
          `${name} is a name of several hosts, ${claims.join(' and ')}: use another name, or say in alluxio.hints.host.aliases whose it is`,
          { reason: 'ALIAS_COLLISION', details: { name, hosts: claims } },
        )
      }
      const host = this.find(name)
      const key = host ?? name.toLowerCase()
      if (seen.has(key)) continue
      seen.add(key)
      found.push({ name, host })
    }
    return found
  }

  /** Groups the workers by host and collects what the hosts are called. */
  #collect(): void {
    const { workers, aliases } = this.#modules
    const groups = new Map<string, WorkerFact[]>()
    for (const worker of workers.all()) {
      if (worker.state !== 'LIVE') continue
      const name = aliases.get(worker.address.host.toLowerCase()) ?? worker.address.host
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [worker])
      else group.push(worker)
    }
    this.generation++
    this.#all = [...groups].sort(byText).map(([name, group], index) => {
      const ordered = group.sort((a, b) => (a.address.uuid < b.address.uuid ? -1 : 1))
      return {
        name,
        index,
        workers: ordered,
        members: ordered.map(({ address }) => memberHash(address.uuid)),
      }
    })
    this.#quoted = this.#all.map(({ name }) => JSON.stringify(name))
    this.#byName = new Map()
    this.#ambiguous = new Map()
    for (const host of this.#all) this.#byName.set(host.name.toLowerCase(), host)
    // Whoever runs the cluster knows better than the hosts.
    for (const [alias, name] of aliases) {
      const host = this.#byName.get(name.toLowerCase())
      if (host !== undefined) this.#byName.set(alias, host)
    }
    this.#learn(new Set(this.#byName.keys()))
  }

  #learn(decided: ReadonlySet<string>): void {
    const claims = new Map<string, Set<Host>>()
    for (const host of this.#all) {
      for (const { names, address } of host.workers) {
        for (const given of [address.host, ...names]) {
          const name = given.toLowerCase()
          if (decided.has(name) || NOBODYS.test(name)) continue
          const claimed = claims.get(name)
          if (claimed === undefined) claims.set(name, new Set([host]))
          else claimed.add(host)
        }
      }
    }
    for (const [name, hosts] of claims) {
      const [first] = hosts
      if (hosts.size === 1) this.#byName.set(name, first!)
      else this.#ambiguous.set(name, [...hosts].map((host) => host.name).sort())
    }
  }

  #look(nowMs: number): void {
    const { timeoutMs } = this.#options
    const workerOf = this.#workerOf
    this.#lookedMs = nowMs
    for (let ordinal = 0; ordinal < workerOf.length; ordinal++) {
      const worker = workerOf[ordinal]
      if (worker !== undefined) this.#aliveUntilMs[ordinal] = worker.heardMonotonicMs + timeoutMs
    }
    for (let h = 0; h < this.#all.length; h++) this.#lookAt(h, this.#all[h]!.workers, nowMs)
  }

  #lookAt(h: number, workers: readonly WorkerFact[], nowMs: number): void {
    let load = 0
    let steady = Number.POSITIVE_INFINITY
    let registering = Number.POSITIVE_INFINITY
    for (let w = 0; w < workers.length; w++) {
      const worker = workers[w]!
      if (!this.isLive(worker, nowMs)) continue
      load += worker.load
      if (worker.registering) registering = Math.min(registering, worker.heardMonotonicMs)
      else steady = Math.min(steady, worker.heardMonotonicMs)
    }
    const none = steady === Number.POSITIVE_INFINITY && registering === Number.POSITIVE_INFINITY
    this.#load[h] = load
    this.#slowdown[h] = slowdown(load)
    this.#heardSteady[h] = none ? Number.NEGATIVE_INFINITY : steady
    this.#heardRegistering[h] = registering
  }

  /** Which ordinal of the block map means which of them. */
  #number(): void {
    const { blocks } = this.#modules
    const byWorker = new Map<number, { host: Host; worker: WorkerFact }>()
    for (const host of this.#all)
      for (const worker of host.workers) byWorker.set(worker.address.id, { host, worker })
    const count = blocks.ordinals
    this.#hostOf = new Int32Array(count).fill(-1)
    this.#aliveUntilMs = new Float64Array(count).fill(Number.NEGATIVE_INFINITY)
    this.#slowdown = new Float64Array(this.#all.length)
    this.#load = new Float64Array(this.#all.length)
    this.#heardSteady = new Float64Array(this.#all.length)
    this.#heardRegistering = new Float64Array(this.#all.length)
    this.#classOf = new Uint8Array(count * TIERS).fill(TIER_NAMES.length - 1)
    this.#workerOf = new Array<WorkerFact | undefined>(count).fill(undefined)
    for (let ordinal = 0; ordinal < count; ordinal++) {
      const id = blocks.workerAt(ordinal)
      const found = id === undefined ? undefined : byWorker.get(id)
      if (found === undefined) continue
      this.#hostOf[ordinal] = found.host.index
      this.#workerOf[ordinal] = found.worker
      for (const [tier, { alias }] of found.worker.tiers.entries()) {
        const known = TIER_NAMES.indexOf(alias as never)
        if (tier < TIERS && known >= 0) this.#classOf[ordinal * TIERS + tier] = known
      }
    }
  }
}

function byText([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
