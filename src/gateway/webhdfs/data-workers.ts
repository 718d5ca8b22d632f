/** Which daemon a client is sent to for the bytes of a file: a worker on its own host before all others. */
import { lookup } from 'node:dns/promises'
import { hostname, networkInterfaces } from 'node:os'
import type { Admin, BlockPlace, WorkerStatus } from '../../client/index.ts'
import type { Log, Runtime } from '../../core/index.ts'

export interface DataWorkersModules {
  /** As the user that this program runs as. */
  readonly admin: Admin
  readonly runtime: Runtime
  readonly log: Log
}

export interface DataWorker {
  readonly id: number
  readonly host: string
  readonly webPort: number
}

/** How long a list of workers is used. */
const LIST_AGE_MS = 1_000
/** A worker that was not heard of for so long may be gone: nobody is sent there while there are others. */
const SILENT_MS = 3_000
const HOST_AGE_MS = 60_000

export class DataWorkers {
  readonly #modules: DataWorkersModules
  #listing: Promise<void> | undefined
  #listedMs = Number.NEGATIVE_INFINITY
  #live: readonly DataWorker[] = []
  #byId = new Map<number, DataWorker>()
  /** Workers by the addresses of their hosts. */
  #byAddress = new Map<string, DataWorker[]>()
  readonly #addresses = new Map<string, { readonly found: readonly string[]; readonly foundMs: number }>()
  readonly #own: ReadonlySet<string>
  #turn = 0

  constructor(modules: DataWorkersModules) {
    this.#modules = modules
    const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address))
    this.#own = new Set([...own, hostname()])
  }

  /** Resolves when the list is young enough to be used; with the old one if the master does not answer. */
  refresh(): Promise<void> | undefined {
    if (this.#modules.runtime.monotonic() - this.#listedMs < LIST_AGE_MS) return undefined
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined
    })
    return this.#listing
  }

  get(id: number): DataWorker | undefined {
    return this.#byId.get(id)
  }

  /** On the host that an address belongs to. @param excluded `host:port` of those that the client could not reach */
  near(address: string, excluded: ReadonlySet<string>): DataWorker | undefined {
    const here = this.#byAddress.get(plainAddress(address))?.filter((worker) => !isExcluded(worker, excluded))
    return here === undefined ? undefined : this.#next(here)
  }

  /** One that holds the first of the blocks, else any. */
  holder(places: readonly BlockPlace[], excluded: ReadonlySet<string>): DataWorker | undefined {
    const usable = (worker: DataWorker) => !isExcluded(worker, excluded)
    const holders = (places[0]?.locations ?? []).flatMap(({ workerId }) =>
      this.#live.filter(({ id }) => id === workerId),
    )
    return this.#next(holders.filter(usable)) ?? this.#next(this.#live.filter(usable))
  }

  #next(workers: readonly DataWorker[]): DataWorker | undefined {
    return workers.length < 2 ? workers[0] : workers[this.#turn++ % workers.length]
  }

  async #list(): Promise<void> {
    const { admin, runtime, log } = this.#modules
    let workers: readonly WorkerStatus[]
    try {
      workers = await admin.workers()
    } catch (error) {
      log.warn('workers not listed', { error })
      return
    }
    const live = workers.filter(({ state, address }) => state === 'LIVE' && address.webPort > 0)
    const heard = live.filter(({ heartbeatAgeMs }) => heartbeatAgeMs < SILENT_MS)
    this.#byId = new Map(workers.map(({ address }) => [address.id, address]))
    this.#live = (heard.length > 0 ? heard : live).map(({ address }) => address)
    const byAddress = new Map<string, DataWorker[]>()
    for (const worker of this.#live) {
      for (const address of await this.#addressesOf(worker.host)) {
        const known = byAddress.get(address)
        if (known === undefined) byAddress.set(address, [worker])
        else known.push(worker)
      }
    }
    this.#byAddress = byAddress
    this.#listedMs = runtime.monotonic()
  }

  /** Of a host of this program also its loopback address, by which callers from here come. */
  async #addressesOf(host: string): Promise<readonly string[]> {
    const { runtime } = this.#modules
    const known = this.#addresses.get(host)
    if (known !== undefined && runtime.monotonic() - known.foundMs < HOST_AGE_MS) return known.found
    const looked = await lookup(host, { all: true }).catch(() => [])
    const found = new Set(looked.map(({ address }) => plainAddress(address)))
    if ([...found].some((address) => this.#own.has(address) || address === LOOPBACK) || this.#own.has(host)) {
      found.add(LOOPBACK)
      for (const address of this.#own) found.add(plainAddress(address))
    }
    this.#addresses.set(host, { found: [...found], foundMs: runtime.monotonic() })
    return [...found]
  }
}

const LOOPBACK = '127.0.0.1'

/** All loopback addresses are one, and IPv4 has one form. */
export function plainAddress(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return plain === '::1' || plain.startsWith('127.') ? LOOPBACK : plain
}

export function isLoopback(address: string): boolean {
  return plainAddress(address) === LOOPBACK
}

function isExcluded({ host, webPort }: DataWorker, excluded: ReadonlySet<string>): boolean {
  return excluded.size > 0 && (excluded.has(`${host}:${webPort}`) || excluded.has(host))
}
