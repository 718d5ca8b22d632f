/** Wiring of the master. */

import type { Config } from '../../core/config/index.ts'
import { type Log, Metrics, type Runtime, recurring, Supervisor, toAlluxioError } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import { openLmdbStore, type RecordStore } from '../../metastore/index.ts'
import { BlockMap, Namespace } from '../../namespace/index.ts'
import {
  HintsContract,
  MasterAdmin,
  MasterBlock,
  MasterFs,
  MasterGateway,
  MasterSync,
  RpcServer,
  type Transport,
} from '../../rpc/index.ts'
import type { UnderStore } from '../../ufs/index.ts'
import { Doors } from '../doors.ts'
import { type MountedStore, UnderStores } from '../under-stores.ts'
import { VERSION } from '../version.ts'
import { AdminService } from './services/admin-service.ts'
import { BlockFreer } from './services/block-freer.ts'
import { BlockService } from './services/block-service.ts'
import { Callers } from './services/callers.ts'
import { CredentialService } from './services/credential-service.ts'
import { FsMutations } from './services/fs-mutations.ts'
import { FsReads } from './services/fs-reads.ts'
import { GatewayService } from './services/gateway-service.ts'
import { openHints } from './services/hints/index.ts'
import { Looks } from './services/looks.ts'
import { MetadataLoader } from './services/metadata-loader.ts'
import { MountService } from './services/mount-service.ts'
import { PathLocks } from './services/path-locks.ts'
import { Persistence } from './services/persistence.ts'
import { StoreChanges } from './services/store-changes.ts'
import { StoreSteps } from './services/store-steps.ts'
import { ActiveSync, SyncJobs, SyncService, SyncTimes } from './services/sync/index.ts'
import { Ttl } from './services/ttl.ts'
import { Uploads } from './services/uploads.ts'
import { UserGroups } from './services/user-groups.ts'
import { WorkerRegistry } from './services/worker-registry.ts'

export interface MasterModules {
  readonly runtime: Runtime
  readonly transport: Transport
  readonly log: Log
  /** Durability or an invariant is broken: the process must end at once, without cleaning up. */
  readonly onFatal: (error: unknown) => void
  /** User and group that the master runs as. */
  readonly superuser: { readonly user: string; readonly group: string }
  /** Replaced by the simulation. @default LMDB in the configured folder */
  readonly openRecords?: () => Promise<RecordStore>
  /** Replaced by the simulation. */
  readonly openStore?: (mount: MountedStore) => Promise<UnderStore>
  /** @default true */
  readonly http?: boolean
}

export interface Master {
  /** `host:port` of the RPC door. */
  readonly address: string
  readonly rpcPort: number
  readonly webPort: number
  readonly clusterId: string
  /** Settles when the daemon has ended; rejects with what ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** @throws UNAVAILABLE reason ADDRESS_IN_USE, CONFLICT reason ALREADY_RUNNING, DATA_LOSS for a damaged metastore */
export async function startMaster(config: Config, modules: MasterModules): Promise<Master> {
  const metrics = new Metrics()
  const store = await (modules.openRecords?.() ?? openRecords(config, modules, metrics))
  try {
    return await serve(config, modules, store, metrics)
  } catch (error) {
    await store.close()
    throw toAlluxioError(error, 'start master')
  }
}

async function serve(
  config: Config,
  modules: MasterModules,
  store: RecordStore,
  metrics: Metrics,
): Promise<Master> {
  const { runtime, transport, log, onFatal } = modules
  const { clusterId } = store
  const blocks = new BlockMap()
  const namespace = new Namespace(namespaceOptions(config, modules), { store, runtime, blocks, metrics })
  const stores = new UnderStores({ config, runtime, log, metrics, openStore: modules.openStore })
  const callers = new Callers(new UserGroups({ runtime }))
  const locks = new PathLocks()
  const workers = new WorkerRegistry(
    { timeoutMs: config.get(o.MASTER_WORKER_TIMEOUT) },
    {
      runtime,
      log,
      onLost({ address }) {
        blocks.workerLost(address.id)
        persistence.workerGone(address.id)
      },
    },
  )
  const times = new SyncTimes({ runtime })
  const looks = new Looks()
  const busy = (path: string, directory: boolean) =>
    directory
      ? persistence.isUnderWayBelow(path) || uploads.isExpectedBelow(path)
      : persistence.isUnderWay(path) || uploads.isExpected(path)
  const loader = new MetadataLoader(
    { blockSizeBytes: config.get(o.BLOCK_SIZE_DEFAULT), absentMs: config.get(o.MASTER_ABSENT_CACHE) },
    {
      namespace,
      stores,
      locks,
      runtime,
      log,
      metrics,
      busy,
      looks,
      times,
    },
  )
  const answerMs = config.get(o.MASTER_UFS_ANSWER_TIMEOUT)
  const reads = new FsReads({ answerMs }, { namespace, blocks, loader, workers, callers, runtime, times })
  const uploads = new Uploads({ runtime })
  const superuser = { user: modules.superuser.user, groups: [modules.superuser.group] }
  const steps = new StoreSteps({ namespace, stores, runtime, superuser })
  const changes = new StoreChanges({ namespace, steps, locks, uploads, runtime, log, metrics })
  const persistence: Persistence = new Persistence(
    {
      intervalMs: config.get(o.MASTER_PERSISTENCE_INTERVAL),
      maxIntervalMs: config.get(o.MASTER_PERSISTENCE_MAX_INTERVAL),
    },
    {
      namespace,
      workers,
      locks,
      uploads,
      changes,
      runtime,
      log,
      metrics,
      places: reads.places.bind(reads),
    },
  )
  const freer = new BlockFreer({ blocks, workers, runtime })
  const mutations = new FsMutations({
    namespace,
    blocks,
    loader,
    workers,
    callers,
    stores,
    locks,
    persistence,
    uploads,
    changes,
    freer,
    reads,
    superuser,
    log,
  })
  const mounts = new MountService(
    { answerMs },
    { namespace, stores, loader, locks, persistence, freer, callers, runtime, log },
  )
  const syncs = new SyncJobs(
    { blockSizeBytes: config.get(o.BLOCK_SIZE_DEFAULT) },
    {
      namespace,
      stores,
      loader,
      locks,
      looks,
      busy,
      times,
      onFreed: () => freer.kick(),
      runtime,
      log,
      metrics,
    },
  )
  const active = new ActiveSync(
    {
      intervalMs: config.get(o.MASTER_ACTIVE_SYNC_INTERVAL),
      maxIntervalMs: config.get(o.MASTER_ACTIVE_SYNC_MAX_INTERVAL),
    },
    { namespace, stores, jobs: syncs, runtime, log, metrics },
  )
  const ttl = new Ttl(
    { intervalMs: config.get(o.MASTER_TTL_CHECKER_INTERVAL) },
    { namespace, blocks, mutations, persistence, locks, freer, superuser, runtime, log, metrics },
  )

  const hints = await openHints(config, {
    ...{ namespace, blocks, workers, reads, callers, transport, runtime, log, metrics, onFatal },
  })
  const rpc = new RpcServer({ onFatal }, { runtime, log, metrics })
  const host = config.get(o.MASTER_HOSTNAME)
  const doors: Doors = new Doors(
    {
      bindHost: config.get(o.MASTER_BIND_HOST),
      rpcPort: config.get(o.MASTER_RPC_PORT),
      webBindHost: config.get(o.MASTER_WEB_BIND_HOST),
      webPort: config.get(o.MASTER_WEB_PORT),
      // Each executor of a large cluster may ask for hints.
      maxConnections: 20_000,
      allowRemote: config.get(o.SECURITY_TRANSPORT) === 'none',
      http: modules.http,
    },
    { rpc, transport, metrics, log, state: () => supervisor.state, route: hints.route },
  )
  const admin = new AdminService(
    {
      clusterId,
      version: VERSION,
      address: () => ({ host, rpcPort: doors.rpcPort, webPort: doors.webPort }),
    },
    { config, namespace, blocks, workers, reads, stores, changes, metrics, runtime, log },
  )
  rpc.serve(MasterFs, serviceOf(reads, mutations, mounts))
  rpc.serve(
    MasterBlock,
    new BlockService(
      { clusterId },
      { namespace, blocks, workers, freer, persistence, doubts: hints.doubts, runtime, log },
    ),
  )
  const { setUfsMode, cleanUfs, setPathConf } = mounts
  const credentials = new CredentialService({ namespace, callers })
  rpc.serve(MasterAdmin, { ...admin, ...credentials, setUfsMode, cleanUfs, setPathConf })
  rpc.serve(MasterSync, new SyncService({ namespace, loader, callers, jobs: syncs, active, times }))
  rpc.serve(MasterGateway, new GatewayService({ store, namespace, callers, runtime }))
  rpc.serve(HintsContract, hints.service)
  observe(metrics, { workers, store })

  const supervisor: Supervisor = new Supervisor(
    [
      { name: 'metastore', start() {}, stop: () => store.close(), stopDeadlineMs: 30_000 },
      { name: 'under-stores', start: () => rootFolder(namespace, stores, log), stop: () => stores.close() },
      changes,
      freer,
      persistence,
      syncs,
      active,
      ttl,
      recurring('liveness', 1000, () => workers.checkLiveness(), { runtime, log }),
      // Trees that were deleted are detached at once and taken apart here, also after a restart.
      recurring(
        'reclaim',
        500,
        async () => {
          while (await namespace.reclaim()) {}
        },
        { runtime, log },
      ),
      ...hints.components,
      ...doors.components,
    ],
    { runtime, log },
  )
  await supervisor.start()
  const { rpcPort, webPort } = doors
  return {
    address: `${host}:${rpcPort}`,
    rpcPort,
    webPort,
    clusterId,
    ended: supervisor.ended,
    stop: () => supervisor.stop(),
  }
}

function openRecords(
  config: Config,
  { runtime, onFatal }: MasterModules,
  metrics: Metrics,
): Promise<RecordStore> {
  return openLmdbStore(
    {
      folder: config.get(o.MASTER_METASTORE_DIR),
      mapSizeBytes: config.get(o.MASTER_METASTORE_MAP_SIZE),
      flushTimeoutMs: config.get(o.MASTER_FLUSH_TIMEOUT),
      onFatal,
    },
    { runtime, metrics },
  )
}

function namespaceOptions(config: Config, { superuser }: MasterModules) {
  return {
    superuser: superuser.user,
    superuserGroup: superuser.group,
    supergroup: config.get(o.SUPERGROUP),
    umask: Number.parseInt(config.get(o.UMASK), 8),
    permissionsEnabled: config.get(o.PERMISSION_ENABLED),
    listingCacheBytes: config.get(o.MASTER_LISTING_CACHE),
    rootMount: {
      uri: config.get(o.ROOT_UFS),
      options: config.subtree('alluxio.master.mount.table.root.option.'),
    },
  }
}

/** One service of three parts; each method keeps its own `this`. */
function serviceOf(reads: FsReads, mutations: FsMutations, mounting: MountService) {
  const { getStatus, statusById, list, open, blocks, blocksOfFiles } = reads
  const { contentSummary, checksum, checkAccess } = reads
  const { mount, updateMount, unmount, mounts, pathConf } = mounting
  const { create, complete, mkdir, rename, delete: remove, free, setAttribute, persist } = mutations
  return {
    getStatus,
    statusById,
    list,
    open,
    blocks,
    blocksOfFiles,
    contentSummary,
    mounts,
    checksum,
    checkAccess,
    create,
    complete,
    mkdir,
    rename,
    delete: remove,
    free,
    setAttribute,
    persist,
    mount,
    updateMount,
    unmount,
    pathConf,
  }
}

/** The root under-store's folder is made if it is missing; a store that does not answer now may answer later. */
async function rootFolder(namespace: Namespace, stores: UnderStores, log: Log): Promise<void> {
  const { mount } = namespace.resolve('/')
  try {
    const store = await stores.get(mount)
    if (store.capabilities.posix) await store.mkdir('')
  } catch (error) {
    log.warn('the root under-store does not answer', { uri: mount.uri, error })
  }
}

function observe(
  metrics: Metrics,
  { workers, store }: { workers: WorkerRegistry; store: RecordStore },
): void {
  metrics.observe('alluxio_master_workers', 'Workers by state', () => {
    const counts = { LIVE: 0, LOST: 0 }
    for (const { state } of workers.all()) counts[state]++
    return [
      [{ state: 'LIVE' }, counts.LIVE],
      [{ state: 'LOST' }, counts.LOST],
    ]
  })
  metrics.observe('alluxio_master_metastore_disk_bytes', 'Size of the metadata file', () => [
    [{}, store.stats().diskBytes],
  ])
}
