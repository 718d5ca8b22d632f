/** What operators ask (MasterAdmin). */

import type { Config } from '../../../core/config/index.ts'
import {
  AlluxioError,
  blockIndex,
  blockLength,
  fileOfBlock,
  type Log,
  type Metrics,
  type Runtime,
} from '../../../core/index.ts'
import type { BlockMap, Namespace } from '../../../namespace/index.ts'
import type { Handlers, MasterAdmin } from '../../../rpc/index.ts'
import { shownOptions } from '../../../ufs/index.ts'
import type { UnderStores } from '../../under-stores.ts'
import type { FsReads } from './fs-reads.ts'
import type { StoreChanges } from './store-changes.ts'
import type { Worker, WorkerRegistry } from './worker-registry.ts'

type Service = Pick<
  Handlers<typeof MasterAdmin>,
  'info' | 'workers' | 'ufs' | 'metrics' | 'blockInfo' | 'configuration' | 'changes'
>

export interface AdminServiceOptions {
  readonly clusterId: string
  readonly version: string
  /** Ports are known once the doors are open. */
  readonly address: () => { host: string; rpcPort: number; webPort: number }
}

export interface AdminServiceModules {
  readonly config: Config
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly workers: WorkerRegistry
  readonly reads: FsReads
  readonly stores: UnderStores
  readonly changes: StoreChanges
  readonly metrics: Metrics
  readonly runtime: Runtime
  readonly log: Log
}

export class AdminService implements Service {
  readonly #options: AdminServiceOptions
  readonly #modules: AdminServiceModules
  readonly #startedMs: number

  constructor(options: AdminServiceOptions, modules: AdminServiceModules) {
    this.#options = options
    this.#modules = modules
    this.#startedMs = modules.runtime.now()
  }

  readonly info: Service['info'] = () => {
    const { host, rpcPort, webPort } = this.#options.address()
    const { namespace, runtime, workers } = this.#modules
    const { files, directories } = namespace.totals()
    const { clusterId, version } = this.#options
    return {
      clusterId,
      address: `${host}:${rpcPort}`,
      webPort,
      rpcPort,
      startedMs: this.#startedMs,
      nowMs: runtime.now(),
      version,
      // As upstream: until workers had the time to register again.
      safeMode: [...workers.live()].some(({ registering }) => registering),
      files,
      directories,
    }
  }

  readonly workers: Service['workers'] = () => ({
    workers: [...this.#modules.workers.all()].map((worker) => this.#describe(worker)),
  })

  #describe(worker: Worker) {
    const { workers, blocks } = this.#modules
    const { address, state, tiers, startedMs, version, revision } = worker
    return {
      address,
      state,
      tiers: [...tiers],
      blocks: blocks.blockCountOf(address.id),
      heartbeatAgeMs: workers.heartbeatAgeMs(worker),
      startedMs,
      version,
      revision,
    }
  }

  readonly ufs: Service['ufs'] = async () => {
    const { namespace, stores, log } = this.#modules
    const mounts = namespace.mounts.all().map(async (stored) => {
      const mount = { ...stored, options: shownOptions(stored.options) }
      const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(mount.uri)?.[1]?.toLowerCase() ?? 'local'
      try {
        const store = await stores.get(stored)
        const { totalBytes, usedBytes } = store.capabilities.space
          ? await store.space()
          : { totalBytes: -1, usedBytes: -1 }
        return {
          ...mount,
          scheme: store.scheme === 'file' ? 'local' : store.scheme,
          capacityBytes: totalBytes,
          usedBytes,
        }
      } catch (error) {
        log.warn('under-store does not tell its space', { uri: mount.uri, error })
        return { ...mount, scheme, capacityBytes: -1, usedBytes: -1 }
      }
    })
    return { mounts: await Promise.all(mounts) }
  }

  readonly changes: Service['changes'] = () => ({ changes: this.#modules.changes.all() })

  readonly metrics: Service['metrics'] = () => ({ values: this.#modules.metrics.values() })

  readonly blockInfo: Service['blockInfo'] = ({ blockId }) => {
    const { namespace, reads } = this.#modules
    const addresses = new Map<number, Worker['address']>()
    const locations = reads.places(blockId, addresses)
    const file = namespace.inodeById(fileOfBlock(blockId as never))
    if (file === undefined && locations.length === 0) {
      throw new AlluxioError('NOT_FOUND', `no file has block ${blockId} and no worker holds it`)
    }
    const { length = 0, blockSizeBytes = 1 } = file?.record ?? {}
    const block = {
      id: blockId,
      length: blockLength(length, blockSizeBytes, blockIndex(blockId as never)),
      locations,
    }
    return { block, workers: [...addresses.values()], ...(file === undefined ? {} : { path: file.path }) }
  }

  readonly configuration: Service['configuration'] = () => {
    const { config } = this.#modules
    return {
      values: config
        .keys()
        .map((key) => ({ key, value: config.text(key) ?? '', source: config.source(key).source })),
    }
  }
}
