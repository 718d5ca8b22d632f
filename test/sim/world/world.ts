/**
 * A whole cluster in one process: the product's master, workers and clients on simulated time, network, disks and one
 * under-store. Two phases (TigerBeetle's VOPR): anything may go wrong while the clients work; then all faults end, what is
 * down comes back, and everything must come to rest.
 */
import { type AlluxioError, JsonLog, type Log } from '../../../src/core/index.ts'
import { MemoryStore, MemoryTree } from '../../../src/ufs/index.ts'
import type { Outcome } from '../checkers/outcome.ts'
import type { Kernel, SimNode } from '../kernel/kernel.ts'
import type { SimOptions } from '../options.ts'
import type { Plant } from '../planted.ts'
import { ClientDriver, Workload } from '../workload/client-driver.ts'
import { History } from '../workload/history.ts'
import { CACHE_ROOT, KEEP_ROOT, STORE_ROOT } from '../workload/roots.ts'
import { Faults } from './faults.ts'
import { MasterHost, WorkerHost } from './hosts.ts'
import { SimNetwork } from './network.ts'
import { Observer } from './observer.ts'
import { SimProcess } from './process.ts'
import { connectClient } from './programs.ts'
import type { StoreServer } from './under-store.ts'

export interface WorldModules {
  readonly kernel: Kernel
  readonly plant: Plant
  /** Where the daemons' log lines go. @default nowhere */
  readonly log?: (line: string) => void
}

/** Virtual time within which the safety phase is over, whatever the clients still wait for. */
const SAFETY_MS = 180_000
/** Virtual time within which a healed world must come to rest. */
const LIVENESS_MS = 240_000
const SETUP_MS = 60_000

export class World {
  readonly history: History
  readonly options: SimOptions
  readonly #kernel: Kernel
  readonly #modules: WorldModules
  readonly #network: SimNetwork
  readonly #tree = new MemoryTree()
  readonly #ufs: StoreServer
  readonly #workload: Workload
  readonly #master: MasterHost
  readonly #workers: readonly WorkerHost[]
  readonly #clients: readonly SimProcess[]
  /** Operations that each client may still begin. */
  readonly #left: number[]

  constructor(options: SimOptions, modules: WorldModules) {
    this.options = options
    this.#modules = modules
    this.#kernel = modules.kernel
    this.#network = new SimNetwork(options.network, modules)
    const { runtime } = this.#kernel.boot('under-store')
    this.#ufs = {
      store: modules.plant.underStore(new MemoryStore({ chunkBytes: 65_536 }, { runtime, tree: this.#tree })),
      options: options.ufs,
      rng: this.#kernel.rng('ufs'),
      faulty: false,
    }
    this.history = new History(() => this.#kernel.nowMs)
    this.#workload = new Workload(options, { history: this.history, rng: this.#kernel.rng('workload') })
    const shared = { ...modules, network: this.#network, ufs: this.#ufs, options, logOf: this.#logOf }
    this.#master = new MasterHost(shared)
    this.#workers = Array.from({ length: options.workers }, (_, i) => new WorkerHost(i, shared))
    this.#left = Array.from({ length: options.clients }, () => options.opsPerClient)
    this.#clients = this.#left.map((_, i) => this.#client(i))
  }

  /** @throws AssertionFailure when the world cannot even be set up, or never ends */
  async play(): Promise<Outcome> {
    const observer = new Observer(this.options, {
      kernel: this.#kernel,
      network: this.#network,
      ufs: this.#ufs,
      logOf: this.#logOf,
      workload: this.#workload,
    })
    this.#master.process.start()
    for (const { process } of this.#workers) process.start()
    const keep = this.#kernel.rng('setup').pick(['MUST_CACHE', 'CACHE_THROUGH'] as const)
    await observer.prepare(
      { [CACHE_ROOT]: 'MUST_CACHE', [STORE_ROOT]: 'CACHE_THROUGH', [KEEP_ROOT]: keep },
      SETUP_MS,
    )
    this.#ufs.faulty = true
    const faults = new Faults(this.options, {
      kernel: this.#kernel,
      network: this.#network,
      master: this.#master.process,
      workers: this.#workers.map(({ process }) => process),
      clients: this.#clients,
    })
    faults.start()
    for (const client of this.#clients) client.start()
    await this.#kernel.run(this.#kernel.nowMs + SAFETY_MS, () => this.#idle())
    this.#kernel.note('world', 'heals')
    faults.stop()
    this.#ufs.faulty = false
    this.#network.heal()
    for (const worker of this.#workers) worker.heal()
    for (const process of [
      this.#master.process,
      ...this.#workers.map((worker) => worker.process),
      ...this.#clients,
    ])
      process.start()
    const cacheLost = () => this.#workers.some((worker) => worker.cacheLost)
    const seen = await observer.quiesce(LIVENESS_MS, { idle: () => this.#idle(), cacheLost })
    return {
      options: this.options,
      history: this.history,
      kept: this.#workload.kept,
      cacheLost: cacheLost(),
      ...seen,
      tiers: (await Promise.all(this.#workers.map((worker) => worker.tiers(seen.workers)))).flat(),
      objects: objectsOf(this.#tree),
      uncaught: this.#kernel.uncaught.map(({ node, error }) => `${node}: ${stackOf(error)}`),
    }
  }

  /** Ends of processes that nobody ordered. */
  get exits(): readonly string[] {
    const daemons = [this.#master.process, ...this.#workers.map(({ process }) => process), ...this.#clients]
    return daemons.flatMap(({ name, exits }) => exits.map((why) => `${name}: ${why}`))
  }

  #idle(): boolean {
    return this.#busy === 0 && this.#left.every((left) => left <= 0)
  }

  #busy = 0

  #client(index: number): SimProcess {
    return new SimProcess(
      {
        name: `client${index}`,
        clockSkewMs: 0,
        program: async (node) => {
          if ((this.#left[index] ?? 0) <= 0) return
          const plain = await connectClient(node, {
            network: this.#network,
            ufs: this.#ufs,
            log: this.#logOf(node),
            options: this.options,
          })
          const fs = this.#modules.plant.client(plain)
          const rng = this.#kernel.rng(`${node.name}#${this.#kernel.events}`)
          const driver = new ClientDriver({ fs, node, workload: this.#workload, rng })
          this.#busy++
          let ended = false
          const end = () => {
            if (!ended) this.#busy--
            ended = true
          }
          node.onDeath(end)
          await driver.run(() => this.#left[index]!-- > 0)
          end()
        },
      },
      { kernel: this.#kernel },
    )
  }

  readonly #logOf = (node: SimNode): Log => {
    const sink = this.#modules.log ?? (() => {})
    return new JsonLog(
      { level: this.#modules.log === undefined ? 'error' : 'debug', fields: { node: node.name } },
      { sink, runtime: node.runtime },
    )
  }
}

function objectsOf(tree: MemoryTree): { path: string; bytes: Uint8Array }[] {
  const found: { path: string; bytes: Uint8Array }[] = []
  const walk = (path: string, node: MemoryTree['root'] | ReturnType<MemoryTree['node']>) => {
    if (node.kind === 'file') found.push({ path, bytes: node.bytes })
    else for (const [name, child] of node.children) walk(`${path}/${name}`, child)
  }
  walk('', tree.root)
  return found
}

function stackOf(error: unknown): string {
  return error instanceof Error ? ((error as AlluxioError).stack ?? error.message) : String(error)
}
