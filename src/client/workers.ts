/**
 * The workers as a client knows them: addresses from the master's answers, room from its worker list, which of them is on
 * this host, and which failed lately and is better left alone for a while.
 */
import { isAlluxioError, type Log, type Runtime } from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'
import type { Client, Infer, MasterAdmin, WorkerAddress, WorkerBlock } from '../rpc/index.ts'
import { isThisHost } from './hosts.ts'
import { type Candidate, type Choice, rankingOf } from './policy.ts'

export type Address = Infer<typeof WorkerAddress>

/** One worker; its connection is made with the first call. */
export interface KnownWorker extends Candidate {
  readonly address: Address
  readonly block: Client<typeof WorkerBlock>
}

export interface WorkersOptions {
  readonly specificHost: string
  /** Whether tier files of workers on this host are opened directly. */
  readonly shortCircuit: boolean
}

export interface WorkersModules {
  readonly admin: Client<typeof MasterAdmin>
  readonly connect: (address: Address) => Client<typeof WorkerBlock>
  readonly hostNames: ReadonlySet<string>
  readonly runtime: Runtime
  readonly log: Log
}

/** How long a list of workers is used. */
const LIST_AGE_MS = 3_000
/** How long a worker that failed comes last. */
const SHUN_MS = 10_000

class Worker implements KnownWorker {
  readonly address: Address
  readonly local: boolean
  capacityBytes = 0
  usedBytes = 0
  shunnedUntil = 0
  readonly #connect: (address: Address) => Client<typeof WorkerBlock>
  #block: Client<typeof WorkerBlock> | undefined

  constructor(address: Address, local: boolean, connect: (address: Address) => Client<typeof WorkerBlock>) {
    this.address = address
    this.local = local
    this.#connect = connect
  }
  get id(): number {
    return this.address.id
  }
  get host(): string {
    return this.address.host
  }
  get uuid(): string {
    return this.address.uuid
  }
  get block(): Client<typeof WorkerBlock> {
    this.#block ??= this.#connect(this.address)
    return this.#block
  }
}

export class Workers {
  readonly options: WorkersOptions
  readonly #modules: WorkersModules
  readonly #byId = new Map<number, Worker>()
  readonly #rankings = new Map<LocationPolicy, ReturnType<typeof rankingOf>>()
  #live: readonly Worker[] = []
  #listedMs = Number.NEGATIVE_INFINITY
  #listing: Promise<void> | undefined

  constructor(options: WorkersOptions, modules: WorkersModules) {
    this.options = options
    this.#modules = modules
  }

  /** Takes addresses from an answer of the master. */
  learn(addresses: readonly Address[]): void {
    for (const address of addresses) this.#learn(address)
  }

  get(id: number): KnownWorker | undefined {
    return this.#byId.get(id)
  }

  /** A worker on this host, of those known. */
  anyLocal(): KnownWorker | undefined {
    for (const worker of this.#byId.values()) if (worker.local && !this.isShunned(worker)) return worker
    return undefined
  }

  /** A call to the worker failed; if that says something about the worker, it comes last for a while. */
  failed(worker: KnownWorker, error: unknown): void {
    if (!isUnreachable(error)) return
    const known = this.#byId.get(worker.id)
    if (known === undefined) return
    known.shunnedUntil = this.#modules.runtime.monotonic() + SHUN_MS
    this.#listedMs = Number.NEGATIVE_INFINITY
    this.#modules.log.debug('worker failed', { worker: worker.id, host: worker.host, error })
  }

  isShunned(worker: KnownWorker): boolean {
    const known = this.#byId.get(worker.id)
    return known !== undefined && known.shunnedUntil > this.#modules.runtime.monotonic()
  }

  /** Live workers in the order of the policy, those that failed lately at the end. */
  rank(policy: LocationPolicy, choice: Choice): readonly KnownWorker[] | Promise<readonly KnownWorker[]> {
    if (this.#modules.runtime.monotonic() - this.#listedMs < LIST_AGE_MS) {
      const ranked = this.#rank(policy, choice)
      // Before nobody is named, the master is asked again: one may just have come.
      if (ranked.length > 0) return ranked
    }
    return this.#refresh().then(() => this.#rank(policy, choice))
  }

  #rank(policy: LocationPolicy, choice: Choice): readonly KnownWorker[] {
    let ranking = this.#rankings.get(policy)
    if (ranking === undefined) {
      ranking = rankingOf(policy, this.#modules)
      this.#rankings.set(policy, ranking)
    }
    const { specificHost } = this.options
    const ranked = ranking(this.#live, specificHost === '' ? choice : { ...choice, host: specificHost })
    const now = this.#modules.runtime.monotonic()
    if (ranked.every(({ shunnedUntil }) => shunnedUntil <= now)) return ranked
    return [
      ...ranked.filter(({ shunnedUntil }) => shunnedUntil <= now),
      ...ranked.filter(({ shunnedUntil }) => shunnedUntil > now),
    ]
  }

  #refresh(): Promise<void> {
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined
    })
    return this.#listing
  }

  async #list(): Promise<void> {
    const { workers } = await this.#modules.admin.workers({})
    this.#live = workers
      .filter(({ state }) => state === 'LIVE')
      .map(({ address, tiers }) => {
        const worker = this.#learn(address)
        worker.capacityBytes = sum(tiers.map(({ capacityBytes }) => capacityBytes))
        worker.usedBytes = sum(tiers.map(({ usedBytes }) => usedBytes))
        return worker
      })
    this.#listedMs = this.#modules.runtime.monotonic()
  }

  #learn(address: Address): Worker {
    const known = this.#byId.get(address.id)
    if (known !== undefined && sameAddress(known.address, address)) return known
    const local = isThisHost(address.host, this.#modules.hostNames)
    const worker = new Worker(address, local, this.#modules.connect)
    this.#byId.set(address.id, worker)
    return worker
  }
}

const UNREACHABLE = new Set(['NOT_REACHABLE', 'CONNECTION_LOST', 'SHUTTING_DOWN'])

/** Whether a call failed because of the worker itself, not of what it asked for (an under-store may be away too). */
export function isUnreachable(error: unknown): boolean {
  if (!isAlluxioError(error)) return false
  if (error.code === 'UNAVAILABLE') return UNREACHABLE.has(error.reason ?? '')
  return error.code === 'TIMEOUT' && error.details.address !== undefined
}

function sameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.rpcPort === b.rpcPort && a.uuid === b.uuid
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
