/** When what goes wrong: each class of fault is a process of its own with memoryless waiting times. */
import type { Kernel } from '../kernel/kernel.ts'
import type { Rng } from '../kernel/rng.ts'
import type { SimOptions } from '../options.ts'
import type { SimNetwork } from './network.ts'
import type { SimProcess } from './process.ts'

export interface FaultsModules {
  readonly kernel: Kernel
  readonly network: SimNetwork
  readonly master: SimProcess
  readonly workers: readonly SimProcess[]
  readonly clients: readonly SimProcess[]
}

export class Faults {
  readonly #options: SimOptions
  readonly #modules: FaultsModules
  readonly #rng: Rng
  #active = true

  constructor(options: SimOptions, modules: FaultsModules) {
    this.#options = options
    this.#modules = modules
    this.#rng = modules.kernel.rng('faults')
  }

  start(): void {
    const { network: wire, processes } = this.#options
    const { network, master, workers, clients } = this.#modules
    this.#every(wire.breakEveryMs, () => network.loseOne())
    this.#every(wire.cutEveryMs, () => this.#cut())
    this.#every(processes.masterCrashEveryMs, () => this.#crash(master))
    this.#every(processes.workerCrashEveryMs, () => this.#crash(this.#rng.pick(workers)))
    this.#every(processes.clientCrashEveryMs, () => this.#crash(this.#rng.pick(clients)))
    this.#every(processes.pauseEveryMs, () => this.#pause())
  }

  /** Nothing goes wrong any more; what is down stays down until it is started. */
  stop(): void {
    this.#active = false
  }

  #every(meanMs: number | null, fn: () => void): void {
    if (meanMs === null) return
    this.#modules.kernel.schedule(undefined, this.#rng.exponential(meanMs) * 1000, 'fault', () => {
      if (!this.#active) return
      fn()
      this.#every(meanMs, fn)
    })
  }

  #cut(): void {
    const { network, master, workers, clients } = this.#modules
    const all = [master, ...workers, ...clients]
    const a = this.#rng.pick(all)
    const b = this.#rng.pick(all)
    const ms = this.#rng.exponential(this.#options.network.cutMs)
    if (a === b) return
    if (this.#rng.chance(this.#options.network.oneWay)) network.hold(a.name, b.name, ms)
    else network.cut(a.name, b.name, ms)
  }

  #crash(process: SimProcess): void {
    if (!process.running) return
    process.crash()
    process.startAfter(this.#rng.exponential(this.#options.processes.downMs))
  }

  #pause(): void {
    const { master, workers, clients } = this.#modules
    this.#rng
      .pick([master, ...workers, ...clients])
      .pause(this.#rng.exponential(this.#options.processes.pauseMs))
  }
}
