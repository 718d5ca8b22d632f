/** The machines of the daemons: what of them outlives a crash, and in what state. */
import type { WorkerStatus } from '../../../src/client/index.ts'
import type { Log, Runtime } from '../../../src/core/index.ts'
import type { IdentityStore } from '../../../src/daemon/worker/index.ts'
import { MemoryDisk as RecordDisk } from '../../../src/metastore/index.ts'
import { MemoryDisk as TierDisk } from '../../../src/store/index.ts'
import type { FinalTier } from '../checkers/outcome.ts'
import type { Kernel, SimNode } from '../kernel/kernel.ts'
import type { Rng } from '../kernel/rng.ts'
import type { SimOptions } from '../options.ts'
import type { Plant } from '../planted.ts'
import { diskOf } from './disk.ts'
import type { SimNetwork } from './network.ts'
import { SimProcess } from './process.ts'
import { MASTER, runMaster, runWorker, TIER_ALIASES, tierPath } from './programs.ts'
import type { StoreServer } from './under-store.ts'

export interface HostModules {
  readonly kernel: Kernel
  readonly network: SimNetwork
  readonly ufs: StoreServer
  readonly options: SimOptions
  readonly plant: Plant
  readonly logOf: (node: SimNode) => Log
}

export class MasterHost {
  readonly process: SimProcess
  #node: SimNode | undefined

  constructor(modules: HostModules) {
    const { kernel, options, plant } = modules
    const { flushMs } = options.storage
    // A disk answers the process that has it open, at that process's pace.
    const own = kernel.boot('master-disk')
    const runtime: Runtime = {
      ...own.runtime,
      after: (ms, fn, unref) => (this.#node ?? own).runtime.after(ms, fn, unref),
    }
    const disk = new RecordDisk({ flushMinMs: flushMs / 2, flushMaxMs: flushMs * 2 }, { runtime })
    this.process = new SimProcess(
      {
        name: MASTER,
        clockSkewMs: options.processes.clockSkewMs,
        program: async (node, exit) => {
          this.#node = node
          await runMaster(node, exit, { ...modules, disk, log: modules.logOf(node) })
        },
        onCrash: () => {
          disk.crash()
          this.#node = undefined
          plant.disk(disk)
        },
      },
      { kernel },
    )
  }
}

export class WorkerHost {
  readonly process: SimProcess
  /** Whether cached bytes were ever taken away by the world. */
  cacheLost = false
  readonly #name: string
  readonly #modules: HostModules
  readonly #rng: Rng
  readonly #own: SimNode
  #disk: TierDisk
  #identity = ''
  #faulty = true
  #flipDue = false

  constructor(index: number, modules: HostModules) {
    this.#name = `worker${index}`
    this.#modules = modules
    this.#rng = modules.kernel.rng(`${this.#name} disk`)
    this.#own = modules.kernel.boot(`${this.#name}-disk`)
    this.#disk = this.#newDisk()
    this.process = new SimProcess(
      {
        name: this.#name,
        clockSkewMs: -modules.options.processes.clockSkewMs,
        program: (node, exit) => this.#run(node, exit),
        onCrash: () => this.#crashed(),
      },
      modules,
    )
  }

  heal(): void {
    this.#faulty = false
  }

  /** What the tiers hold, beside what the worker and the master say. */
  async tiers(workers: readonly WorkerStatus[]): Promise<FinalTier[]> {
    const status = workers.find(({ address, state }) => address.host === this.#name && state === 'LIVE')
    const files = await this.#files()
    return this.#modules.options.tierBytes.map((capacityBytes, level) => {
      const alias = TIER_ALIASES[level] ?? ''
      const folder = `${tierPath(this.#name, level)}/`
      return {
        worker: this.#name,
        alias,
        capacityBytes,
        reportedBytes: status?.tiers.find((tier) => tier.alias === alias)?.usedBytes ?? -1,
        files: files.filter(({ path }) => path.startsWith(folder) && !path.includes('/quarantine/')),
      }
    })
  }

  async #files(): Promise<{ path: string; bytes: number; temporary: boolean }[]> {
    const found: { path: string; bytes: number; temporary: boolean }[] = []
    for (const level of this.#modules.options.tierBytes.keys()) {
      const folder = tierPath(this.#name, level)
      for await (const names of listing(this.#disk, folder)) {
        for (const name of names) {
          const path = `${folder}/${name}`
          found.push({
            path,
            bytes: this.#disk.facts(path).allocatedBytes,
            temporary: name.startsWith('tmp_'),
          })
        }
      }
    }
    return found
  }

  /** A bit of some file of a durable tier turns over. */
  async #flipBit(): Promise<void> {
    const files = (await this.#files()).filter(
      ({ path, bytes }) => path.endsWith('.arrow') && !path.startsWith(tierPath(this.#name, 0)) && bytes > 0,
    )
    if (files.length === 0) return
    const { path, bytes } = this.#rng.pick(files)
    const position = this.#rng.int(0, bytes - 1)
    this.#modules.kernel.note(this.#name, 'flip', `${path} at ${position}`)
    if (path.endsWith('.sole.arrow')) this.cacheLost = true
    this.#disk.corrupt(path, position, 1 << this.#rng.int(0, 7), false)
  }

  #newDisk(): TierDisk {
    return new TierDisk({ volatileFolders: [tierPath(this.#name, 0)] }, { runtime: this.#own.runtime })
  }

  async #run(node: SimNode, exit: (why: unknown) => void): Promise<void> {
    if (this.#flipDue) await this.#flipBit()
    this.#flipDue = false
    const { diskMs } = this.#modules.options.storage
    const disk = diskOf(diskMs, { disk: this.#disk, node, rng: this.#rng })
    return runWorker(node, exit, {
      ...this.#modules,
      disk,
      identity: this.#identityOf(node),
      log: this.#modules.logOf(node),
    })
  }

  #identityOf(node: SimNode): IdentityStore {
    return {
      load: async () =>
        this.#identity === ''
          ? { uuid: Buffer.from(node.runtime.randomBytes(new Uint8Array(16))).toString('hex'), clusterId: '' }
          : JSON.parse(this.#identity),
      save: async (identity) => {
        if (node.alive) this.#identity = JSON.stringify(identity)
      },
    }
  }

  #crashed(): void {
    const { machineCrash, wrongDisk, bitFlip } = this.#modules.options.storage
    const { kernel } = this.#modules
    if (!this.#faulty) return
    if (this.#rng.chance(machineCrash ?? 0)) {
      kernel.note(this.#name, 'machine crashed')
      this.cacheLost = true
      this.#disk.crashMachine()
    } else this.#disk.crashProcess()
    this.#flipDue = this.#rng.chance(bitFlip ?? 0)
    if (!this.#rng.chance(wrongDisk ?? 0)) return
    // Somebody put in an empty disk; half of the time the worker's identity stood on it.
    this.cacheLost = true
    this.#disk = this.#newDisk()
    const forgets = this.#rng.chance(0.5)
    if (forgets) this.#identity = ''
    kernel.note(this.#name, 'empty disk', forgets ? 'and a new identity' : '')
  }
}

/** Nothing when the worker has never made the folder. */
function listing(disk: TierDisk, folder: string): AsyncIterable<readonly string[]> | [] {
  try {
    disk.facts(folder)
  } catch {
    return []
  }
  return disk.list(folder)
}
