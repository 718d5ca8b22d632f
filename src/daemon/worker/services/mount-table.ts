/**
 * The mounts as this worker knows them. The master tells by a version number in each heartbeat's answer that its table has
 * changed; a mount that is not known here is asked for once more before a read fails.
 */
import { AlluxioError, isAlluxioError, type Log } from '../../../core/index.ts'
import type { Infer, MountInfo } from '../../../rpc/index.ts'
import type { UnderStore } from '../../../ufs/store.ts'
import type { UnderStores } from '../../under-stores.ts'

export type Mount = Infer<typeof MountInfo>

export interface MountTableModules {
  /** The master's table. */
  readonly fetch: () => Promise<{ readonly mounts: readonly Mount[]; readonly version: number }>
  readonly stores: Pick<UnderStores, 'get' | 'forget'>
  readonly log: Log
}

export class MountTable {
  readonly #modules: MountTableModules
  #mounts = new Map<number, Mount>()
  /** Stores that have been opened, for callers that cannot wait. */
  readonly #open = new Map<number, UnderStore>()
  #version = -1
  #refreshing: Promise<void> | undefined

  constructor(modules: MountTableModules) {
    this.#modules = modules
  }

  /** The store of a mount if it is open already. */
  opened(mountId: number): UnderStore | undefined {
    return this.#open.get(mountId)
  }

  /** The URI of a mount, for messages. */
  uri(mountId: number): string {
    return this.#mounts.get(mountId)?.uri ?? 'the under-store'
  }

  /** The store of a mount. @throws NOT_FOUND when the master does not know the mount either */
  async store(mountId: number): Promise<UnderStore> {
    if (!this.#mounts.has(mountId)) await this.refresh()
    const mount = this.#mounts.get(mountId)
    if (mount === undefined) {
      throw new AlluxioError('NOT_FOUND', `no mount has id ${mountId}: it was unmounted`, {
        reason: 'MOUNT_UNKNOWN',
      })
    }
    const store = await this.#modules.stores.get(mount).catch((error: unknown) => {
      throw storeDown(error, mount.uri)
    })
    if (this.#mounts.get(mountId) === mount) this.#open.set(mountId, store)
    return store
  }

  /** A heartbeat's answer said which version the master has. */
  noticed(version: number): void {
    if (version === this.#version) return
    this.refresh().catch((error: unknown) => this.#modules.log.warn('mount table not refreshed', { error }))
  }

  /** Asks the master; concurrent callers share one question. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#fetch().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #fetch(): Promise<void> {
    const { mounts, version } = await this.#modules.fetch()
    const gone = [...this.#mounts.keys()].filter((id) => mounts.every(({ mountId }) => mountId !== id))
    this.#mounts = new Map(mounts.map((mount) => [mount.mountId, mount]))
    this.#version = version
    this.#open.clear()
    for (const mountId of gone) {
      this.#modules.stores
        .forget(mountId)
        .catch((error: unknown) => this.#modules.log.warn('store not closed cleanly', { mountId, error }))
    }
  }
}

/** What a store failed with, so that whoever reads through this worker can tell a store that is down from a worker that is. */
export function storeDown(error: unknown, uri: string): unknown {
  if (!isAlluxioError(error) || error.reason === 'SHUTTING_DOWN') return error
  const { code, reason, message } = error
  const isDown =
    code === 'UNAVAILABLE' || code === 'TIMEOUT' || (code === 'RESOURCE_EXHAUSTED' && reason === 'THROTTLED')
  if (!isDown) return error
  return new AlluxioError(code, `${uri} does not answer: ${message}`, {
    reason: 'STORE_DOWN',
    details: { uri },
    cause: error,
  })
}
