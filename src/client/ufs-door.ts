/** The client's own way to under-stores, for the case that no worker can be reached. Stores are loaded and opened on first use. */
import type { Config } from '../core/config/index.ts'
import { AlluxioError, type Log, type Runtime } from '../core/index.ts'
import type { Client, Infer, MasterFs, MountInfo } from '../rpc/index.ts'
import type { UnderStore } from '../ufs/store.ts'
import type { Source } from './open-file.ts'

export interface UfsDoorModules {
  readonly fs: Client<typeof MasterFs>
  readonly config: Config
  readonly runtime: Runtime
  readonly log: Log
  /** Replaced by the simulation. @default openStore of src/ufs */
  readonly openStore?: ((mount: Mount) => Promise<UnderStore>) | undefined
}

type Mount = Infer<typeof MountInfo>

export class UfsDoor {
  readonly #modules: UfsDoorModules
  readonly #stores = new Map<number, Promise<UnderStore>>()

  constructor(modules: UfsDoorModules) {
    this.#modules = modules
  }

  async *open(
    source: Source,
    offset: number,
    length: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const store = await this.#store(source.mountId)
    const { path, fingerprint } = source
    yield* store.open(path, {
      offset,
      length,
      ...(signal === undefined ? {} : { signal }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
    })
  }

  async close(): Promise<void> {
    const stores = [...this.#stores.values()]
    this.#stores.clear()
    await Promise.allSettled(stores.map(async (store) => (await store).close()))
  }

  #store(mountId: number): Promise<UnderStore> {
    const known = this.#stores.get(mountId)
    if (known !== undefined) return known
    const store = this.#connect(mountId)
    this.#stores.set(mountId, store)
    store.catch(() => this.#stores.delete(mountId))
    return store
  }

  async #connect(mountId: number): Promise<UnderStore> {
    const { fs, config, runtime, log, openStore: open } = this.#modules
    const { mounts } = await fs.mounts({})
    const mount = mounts.find((candidate) => candidate.mountId === mountId)
    if (mount === undefined)
      throw new AlluxioError('NOT_FOUND', `no mount has id ${mountId}: it was unmounted`)
    if (open !== undefined && mount.mode === undefined) return open(mount)
    const { modeRefusal, mountOptions, openStore, StorePlugIns } = await import('../ufs/index.ts')
    if (mount.mode === 'noAccess') throw modeRefusal(mount.uri, mount.mode, 'the under-store is not read')
    if (open !== undefined) return open(mount)
    const plugIns = StorePlugIns.of(config)
    return openStore(mount.uri, mountOptions(config, mount.options), { runtime, log, plugIns })
  }
}
