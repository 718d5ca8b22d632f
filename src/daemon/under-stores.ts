/** The open under-stores of a daemon, one a mount, opened when first needed and again when a mount changes. */

import type { Config } from '../core/config/index.ts'
import { AlluxioError, isAlluxioError, type Log, type Metrics, type Runtime } from '../core/index.ts'
import {
  modeRefusal,
  mountOptions,
  openStore,
  readOnlyStore,
  StorePlugIns,
  type UnderStore,
} from '../ufs/index.ts'

export interface MountedStore {
  readonly mountId: number
  readonly uri: string
  readonly options: Readonly<Record<string, string>>
  /** Maintenance mode of the store; absent: readWrite. */
  readonly mode?: 'readOnly' | 'noAccess' | undefined
}

export interface UnderStoresModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
  /** What the site says for all stores; a mount's own options win. */
  readonly config: Config
  /** Replaced by the simulation. @default openStore of src/ufs */
  readonly openStore?: ((mount: MountedStore) => Promise<UnderStore>) | undefined
}

export class UnderStores {
  readonly #open: (mount: MountedStore) => Promise<UnderStore>
  readonly #stores = new Map<number, { readonly key: string; readonly store: Promise<UnderStore> }>()
  #closed = false

  /** @throws INVALID_ARGUMENT when the configuration names plug-ins wrongly */
  constructor({ config, openStore: open, ...modules }: UnderStoresModules) {
    const plugIns = StorePlugIns.of(config)
    this.#open =
      open ?? (({ uri, options }) => openStore(uri, mountOptions(config, options), { ...modules, plugIns }))
  }

  /** @throws what opening the store throws, which is not remembered; PERMISSION_DENIED reason UFS_MODE in maintenance */
  get(mount: MountedStore): Promise<UnderStore> {
    const { mode, uri } = mount
    if (mode === undefined) return this.#get(mount)
    if (mode === 'noAccess') return Promise.reject(modeRefusal(uri, mode, 'the under-store is not asked'))
    return this.#get(mount).then((store) => readOnlyStore(store, uri))
  }

  #get(mount: MountedStore): Promise<UnderStore> {
    if (this.#closed)
      return Promise.reject(
        new AlluxioError('UNAVAILABLE', 'the daemon is stopping', { reason: 'SHUTTING_DOWN' }),
      )
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
