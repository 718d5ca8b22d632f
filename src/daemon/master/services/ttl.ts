/** Deletes or frees what has outlived its TTL. */
import {
  blockCount,
  type Cancel,
  type Component,
  every,
  type Log,
  type Metrics,
  type Runtime,
} from '../../../core/index.ts'
import type { BlockMap, Caller, Expired, Namespace } from '../../../namespace/index.ts'
import type { BlockFreer } from './block-freer.ts'
import type { FsMutations } from './fs-mutations.ts'
import type { PathLocks } from './path-locks.ts'
import type { Persistence } from './persistence.ts'

export interface TtlOptions {
  readonly intervalMs: number
}

export interface TtlModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly mutations: FsMutations
  readonly persistence: Persistence
  readonly locks: PathLocks
  readonly freer: BlockFreer
  /** Who the daemon acts as. */
  readonly superuser: Caller
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

const BATCH = 1000

export class Ttl implements Component {
  readonly name = 'ttl'
  readonly #options: TtlOptions
  readonly #modules: TtlModules
  readonly #expiries
  #cancel: Cancel = () => {}

  constructor(options: TtlOptions, modules: TtlModules) {
    this.#options = options
    this.#modules = modules
    this.#expiries = modules.metrics.counter('alluxio_master_ttl_expired_total', 'Paths whose TTL ended')
  }

  start(): void {
    const { runtime, log } = this.#modules
    this.#cancel = every(
      runtime,
      this.#options.intervalMs,
      () => this.#run(),
      (error) => log.error('ttl', { error }),
    )
  }

  stop(): void {
    this.#cancel()
  }

  async #run(): Promise<void> {
    const { namespace, runtime, log, freer } = this.#modules
    const expired = namespace.expired(runtime.now(), BATCH)
    for (const one of expired) {
      try {
        await this.#expire(one)
        this.#expiries.add()
      } catch (error) {
        log.warn('could not act on an ended TTL', { path: one.inode.path, error })
      }
    }
    if (expired.length > 0) freer.kick()
  }

  /** Not while the file's object is on its way to another name: it would stay there, and be taken for a file of others. */
  async #evict({ path, record }: Expired['inode']): Promise<void> {
    const { namespace, locks } = this.#modules
    for (let blocked = locks.blocking(path); blocked !== undefined; blocked = locks.blocking(path))
      await blocked
    if (namespace.inode(path)?.record.id === record.id) await namespace.evict(path)
  }

  async #expire({ inode, action }: Expired): Promise<void> {
    const { namespace, blocks, mutations, persistence, superuser } = this.#modules
    const { path, record } = inode
    if (action === 'DELETE') {
      if (record.persistence === 'PERSISTED') {
        await mutations.remove({ path, recursive: true, only: record.id }, superuser)
        return
      }
      await persistence.leave(inode)
      await this.#evict(inode)
      return
    }
    if (action === 'DELETE_ALLUXIO') {
      await this.#evict(inode)
      return
    }
    // Freed once: without its TTL it stays in the namespace.
    await namespace.setAttribute({ path, recursive: false, ttlMs: -1 }, superuser)
    let cursor: string | undefined
    do {
      const page = namespace.walk(path, { limit: BATCH, cursor })
      for (const { record: file } of page.inodes) {
        if (!file.directory && file.persistence === 'PERSISTED')
          blocks.drop(file.id, blockCount(file.length, file.blockSizeBytes))
      }
      cursor = page.cursor
    } while (cursor !== undefined)
  }
}
