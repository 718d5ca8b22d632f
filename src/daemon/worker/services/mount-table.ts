/**
 * The mounts as this worker knows them, with their stores opened on first use. The master tells by a version number in
 * each heartbeat's answer that its table has changed; a mount that is not known here is asked for once more before a
 * read fails.
 */
import { AlluxioError, type Log, toAlluxioError } from '../../../core/index.ts'
import type { Infer } from '../../../rpc/contract.ts'
import type { MountInfo } from '../../../rpc/contracts/index.ts'
import type { UnderStore } from '../../../ufs/store.ts'

export type Mount = Infer<typeof MountInfo>

export interface MountTableModules {
  /** The master's table. */
  readonly fetch: () => Promise<{ readonly mounts: readonly Mount[]; readonly version: number }>
  readonly open: (mount: Mount) => Promise<UnderStore> | UnderStore
  readonly log: Log
}

interface Opened {
  readonly mount: Mount
  readonly store: Promise<UnderStore>
}

export class MountTable {
  readonly #modules: MountTableModules
  #mounts = new Map<number, Mount>()
  readonly #opened = new Map<number, Opened>()
  #version = -1
  #refreshing: Promise<void> | undefined

  constructor(modules: MountTableModules) {
    this.#modules = modules
  }

  get version(): number {
    return this.#version
  }

  /** The store of a mount. @throws NOT_FOUND when the master does not know the mount either */
  async store(mountId: number): Promise<UnderStore> {
    const opened = this.#opened.get(mountId)
    if (opened !== undefined) return opened.store
    if (!this.#mounts.has(mountId)) await this.refresh()
    const mount = this.#mounts.get(mountId)
    if (mount === undefined) {
      throw new AlluxioError('NOT_FOUND', `no mount has id ${mountId}: it was unmounted`, {
        reason: 'MOUNT_UNKNOWN',
      })
    }
    return this.#open(mount)
  }

  /** The heartbeat said which version the master has. */
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

  async close(): Promise<void> {
    const stores = [...this.#opened.values()]
    this.#opened.clear()
    await Promise.allSettled(stores.map((opened) => this.#close(opened)))
  }

  async #fetch(): Promise<void> {
    const { mounts, version } = await this.#modules.fetch()
    this.#mounts = new Map(mounts.map((mount) => [mount.mountId, mount]))
    this.#version = version
    for (const [id, opened] of this.#opened) {
      const mount = this.#mounts.get(id)
      if (mount !== undefined && sameStore(mount, opened.mount)) continue
      this.#opened.delete(id)
      void this.#close(opened)
    }
  }

  #open(mount: Mount): Promise<UnderStore> {
    const known = this.#opened.get(mount.mountId)
    if (known !== undefined) return known.store
    const store = Promise.resolve().then(() => this.#modules.open(mount))
    const opened = { mount, store }
    this.#opened.set(mount.mountId, opened)
    store.catch((error: unknown) => {
      // The next read tries again: a store that was down when it was first asked for must not stay so.
      if (this.#opened.get(mount.mountId) === opened) this.#opened.delete(mount.mountId)
      this.#modules.log.warn('store not opened', { uri: mount.uri, error: toAlluxioError(error) })
    })
    return store
  }

  async #close(opened: Opened): Promise<void> {
    try {
      await (await opened.store).close()
    } catch (error) {
      this.#modules.log.warn('store not closed cleanly', { uri: opened.mount.uri, error })
    }
  }
}

function sameStore(a: Mount, b: Mount): boolean {
  if (a.uri !== b.uri) return false
  const keys = Object.keys(a.options)
  return (
    keys.length === Object.keys(b.options).length && keys.every((key) => a.options[key] === b.options[key])
  )
}
