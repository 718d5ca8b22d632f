/** The open under-stores of a daemon, one a mount, opened when first needed and again when a mount changes. */
import { AlluxioError, isAlluxioError, type Log, type Metrics, type Runtime } from '../core/index.ts'
import { openStore, type UnderStore } from '../ufs/index.ts'

export interface MountedStore {
  readonly mountId: number
  readonly uri: string
  readonly options: Readonly<Record<string, string>>
}

export interface UnderStoresModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
  /** What the site says for all stores (`mountOptions` of the configuration); a mount's own options win. */
  readonly siteOptions?: Readonly<Record<string, string>>
  /** Replaced by the simulation. @default openStore of src/ufs */
  readonly open?: (mount: MountedStore) => Promise<UnderStore>
}

export class UnderStores {
  readonly #open: (mount: MountedStore) => Promise<UnderStore>
  readonly #stores = new Map<number, { readonly key: string; readonly store: Promise<UnderStore> }>()
  #closed = false

  constructor(modules: UnderStoresModules) {
    this.#open =
      modules.open ??
      (async ({ uri, options }) =>
        openStore(
          uri,
          { ...modules.siteOptions, ...options },
          { runtime: modules.runtime, log: modules.log, metrics: modules.metrics },
        ))
  }

  /** @throws what opening the store throws; a failure is not remembered. */
  get(mount: MountedStore): Promise<UnderStore> {
    if (this.#closed) return Promise.reject(new AlluxioError('UNAVAILABLE', 'the daemon is stopping'))
    const key = JSON.stringify([mount.uri, mount.options])
    const known = this.#stores.get(mount.mountId)
    if (known?.key === key) return known.store
    if (known !== undefined) void this.forget(mount.mountId)
    const store = this.#open(mount)
    this.#stores.set(mount.mountId, { key, store })
    store.catch(() => {
      if (this.#stores.get(mount.mountId)?.store === store) this.#stores.delete(mount.mountId)
    })
    return store
  }

  async forget(mountId: number): Promise<void> {
    const known = this.#stores.get(mountId)
    this.#stores.delete(mountId)
    const store = await known?.store.catch(() => undefined)
    await store?.close()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([...this.#stores.keys()].map((mountId) => this.forget(mountId)))
  }
}

/** The answer of a store, or undefined when it does not have the path that was asked about. */
export async function ifPresent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) return undefined
    throw error
  }
}
