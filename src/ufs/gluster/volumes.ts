/** The volumes that this process has open: one client a volume, however many mounts show it, and one set of threads for all. */
import { Threads } from './threads.ts'
import { Volume, type VolumeModules, type VolumeOptions } from './volume.ts'

interface Shared {
  readonly volume: Volume
  mounts: number
}

export interface Lease {
  readonly volume: Volume
  /** The last one closes the volume. */
  readonly release: () => Promise<void>
}

export class Volumes {
  readonly #shared = new Map<string, Shared>()
  #threads: Threads | undefined

  /** Mounts whose options differ do not share. */
  lease(options: VolumeOptions, modules: Omit<VolumeModules, 'threads'>): Lease {
    const key = JSON.stringify(options)
    this.#threads ??= new Threads(modules)
    let shared = this.#shared.get(key)
    if (shared === undefined) {
      shared = { volume: new Volume(options, { ...modules, threads: this.#threads }), mounts: 0 }
      this.#shared.set(key, shared)
    }
    const { volume } = shared
    shared.mounts++
    let released = false
    return {
      volume,
      release: async () => {
        if (released) return
        released = true
        if (--shared.mounts > 0) return
        this.#shared.delete(key)
        await volume.close()
      },
    }
  }
}
