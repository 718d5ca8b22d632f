/** Wiring of the worker. */
import { hostname, networkInterfaces } from 'node:os'
import { type BlockDisk, FileDisk } from '../../arrow/index.ts'
import { connectFileSystems } from '../../client/index.ts'
import type { Config } from '../../core/config/index.ts'
import {
  type Component,
  type Log,
  Metrics,
  type Runtime,
  Supervisor,
  toAlluxioError,
} from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import { Users, WebHdfsData } from '../../gateway/index.ts'
import { MasterBlock, RpcServer, type Transport, WorkerBlock } from '../../rpc/index.ts'
import { type BlockStore, openBlockStore } from '../../store/index.ts'
import type { UnderStore } from '../../ufs/index.ts'
import { Doors } from '../doors.ts'
import { type MountedStore, UnderStores } from '../under-stores.ts'
import { loadIdentity, saveIdentity, type WorkerIdentity } from './identity.ts'
import { blockService } from './services/block-service.ts'
import { Loads } from './services/loads.ts'
import { MasterLink } from './services/master-link.ts'
import { MountTable } from './services/mount-table.ts'
import { Peers } from './services/peers.ts'
import { Tasks } from './services/tasks.ts'
import { UfsUploads } from './services/ufs-uploads.ts'
import { observeStore, WorkerMetrics } from './services/worker.metrics.ts'
import { openTiers } from './tiers.ts'

export interface WorkerModules {
  readonly runtime: Runtime
  readonly transport: Transport
  readonly log: Log
  /** An invariant is broken: the process must end at once. */
  readonly onFatal: (error: unknown) => void
  /** Disk of the tiers. Replaced by the simulation. */
  readonly disk?: BlockDisk
  /** Identity of the worker. Replaced by the simulation. @default a file in the data folder */
  readonly identity?: IdentityStore
  /** Replaced by the simulation. */
  readonly openStore?: (mount: MountedStore) => Promise<UnderStore>
  /** @default true */
  readonly http?: boolean
}

export interface IdentityStore {
  load(): Promise<WorkerIdentity>
  save(identity: WorkerIdentity): Promise<void>
}

export interface Worker {
  /** `host:port` of the RPC door. */
  readonly address: string
  readonly rpcPort: number
  readonly webPort: number
  readonly uuid: string
  /** Settles when the daemon has ended; rejects with what ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/**
 * Resolves when the worker is registered with its master.
 * @throws UNAVAILABLE reason ADDRESS_IN_USE; CONFLICT reason FOREIGN_CLUSTER when its blocks belong to another cluster
 */
export async function startWorker(config: Config, modules: WorkerModules): Promise<Worker> {
  try {
    return await serve(config, modules)
  } catch (error) {
    throw toAlluxioError(error, 'start worker')
  }
}

async function serve(config: Config, modules: WorkerModules): Promise<Worker> {
  const { runtime, transport, log, onFatal, disk = new FileDisk() } = modules
  const metrics = new Metrics()
  const identities = modules.identity ?? identityFile(config, runtime)
  const mount = modules.disk === undefined
  const { identity, tiers } = await openTiers(config, await identities.load(), { disk, log, mount })
  await identities.save(identity)
  const store = await openBlockStore(storeOptions(config, tiers), { disk, runtime, log, metrics })
  const counts = new WorkerMetrics(metrics)
  observeStore(metrics, store)

  const peers = new Peers(
    { user: config.get(o.LOGIN_USERNAME), host: config.get(o.WORKER_HOSTNAME) || hostname() },
    { runtime, transport, log },
  )
  const masterAddress = `${config.get(o.MASTER_HOSTNAME)}:${config.get(o.MASTER_RPC_PORT)}`
  const master = peers.connect(masterAddress, 'master').client(MasterBlock)
  const stores = new UnderStores({ config, runtime, log, metrics, openStore: modules.openStore })
  const mounts = new MountTable({ fetch: () => master.mounts({}), stores, log })
  const clusterId = () => link.identity.clusterId
  const workerId = () => link.workerId
  const uploads = new UfsUploads({ store, mounts, metrics: counts, clusterId, log })
  const peer = peers.worker.bind(peers)
  const reported = (signal: AbortSignal) => link.reported(signal)
  const loads = new Loads({ store, mounts, peer, reported, runtime })
  const tasks: Tasks = new Tasks({
    ...{ store, mounts, master, workerId, clusterId, runtime, log },
    metrics: counts,
    peer,
    session: () => link.session,
  })

  const gateway = modules.http === false ? undefined : dataGateway(config, { ...modules, metrics })
  const rpc = new RpcServer({ name: 'worker', onFatal }, { runtime, log, metrics })
  const doors: Doors = new Doors(
    {
      bindHost: config.get(o.WORKER_BIND_HOST),
      rpcPort: config.get(o.WORKER_RPC_PORT),
      webBindHost: config.get(o.WORKER_WEB_BIND_HOST),
      webPort: config.get(o.WORKER_WEB_PORT),
      allowRemote: config.get(o.SECURITY_TRANSPORT) === 'none',
      maxConnections: config.get(o.PROXY_MAX_CONNECTIONS),
      http: modules.http,
    },
    { rpc, transport, metrics, log, state: () => supervisor.state, ...gateway?.door },
  )
  const startedMs = runtime.now()
  const who = () => ({ workerId: link.workerId, uuid: identity.uuid, startedMs })
  rpc.serve(WorkerBlock, blockService({ store, mounts, uploads, loads, metrics: counts, identity: who }))

  const host = config.get(o.WORKER_HOSTNAME)
  const link: MasterLink = new MasterLink(
    {
      host,
      // Hosts of a simulation have the one name.
      names: modules.disk === undefined ? namesOfMachine() : [],
      heartbeatMs: config.get(o.WORKER_HEARTBEAT_INTERVAL),
      reportDelayMs: config.get(o.WORKER_REPORT_DELAY),
    },
    identity,
    {
      ...{ master, store, mounts, runtime, log },
      metrics: counts,
      load: () => store.inProgress + (gateway?.openReads() ?? 0),
      ports: () => ({ rpc: doors.rpcPort, web: doors.webPort }),
      saveIdentity: (changed) => identities.save(changed),
      obey: (command) => tasks.obey(command),
    },
  )
  const supervisor: Supervisor = new Supervisor(
    [
      blocks(store, log),
      { name: 'under-stores', start() {}, stop: () => stores.close() },
      { name: 'connections', start() {}, stop: () => peers.close() },
      ...(gateway === undefined ? [] : [gateway.connections]),
      ...doors.components,
      tasks,
      link,
    ],
    { runtime, log },
  )
  await supervisor.start()
  const { rpcPort, webPort } = doors
  return {
    address: `${host}:${rpcPort}`,
    rpcPort,
    webPort,
    uuid: identity.uuid,
    ended: supervisor.ended,
    stop: () => supervisor.stop(),
  }
}

/** The data half of WebHDFS, with a client of its own: any worker serves any block. */
function dataGateway(config: Config, modules: WorkerModules & { readonly metrics: Metrics }) {
  const { runtime, log, metrics } = modules
  const fileSystems = connectFileSystems({}, { ...modules, config })
  const users = new Users({ masterWaitMs: config.get(o.PROXY_MASTER_WAIT) }, { fileSystems })
  const data = new WebHdfsData(
    { maxBytes: config.get(o.WEBHDFS_REWRITE_MAX) },
    { users, keys: fileSystems.keys, runtime, log, metrics },
  )
  const connections: Component = { name: 'gateway', start() {}, stop: () => fileSystems.close() }
  return { door: { route: data.route }, connections, openReads: () => data.openReads }
}

function blocks(store: BlockStore, log: Log): Component {
  return {
    name: 'block store',
    stopDeadlineMs: 30_000,
    async start() {
      log.info('blocks recovered', { ...(await store.start()) })
    },
    stop: () => store.stop(),
  }
}

function storeOptions(config: Config, tiers: Parameters<typeof openBlockStore>[0]['tiers']) {
  return {
    tiers,
    allocation: config.get(o.WORKER_ALLOCATOR),
    eviction: config.get(o.WORKER_EVICTION),
    lrfu: { step: config.get(o.LRFU_STEP), attenuation: config.get(o.LRFU_ATTENUATION) },
    extentBytes: config.get(o.WORKER_EXTENT_SIZE),
    readAheadBytes: config.get(o.WORKER_READ_AHEAD_MAX),
    freeAheadBytes: config.get(o.TIER_RESERVED),
    align: {
      enabled: config.get(o.WORKER_ALIGN_ENABLED),
      intervalMs: config.get(o.WORKER_ALIGN_INTERVAL),
    },
    scrub: {
      bytesPerSecond: config.get(o.WORKER_SCRUB_RATE),
      intervalMs: config.get(o.WORKER_SCRUB_INTERVAL),
    },
    probeIntervalMs: config.get(o.TIER_PROBE_INTERVAL),
  }
}

function identityFile(config: Config, runtime: Runtime): IdentityStore {
  const folder = config.get(o.DATA)
  return {
    load: () => loadIdentity(folder, runtime),
    save: (identity) => saveIdentity(folder, identity),
  }
}

/** By which schedulers may know this machine; those that mean another one on each machine mean nothing. */
function namesOfMachine(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  return [hostname(), ...addresses.filter(({ internal }) => !internal).map(({ address }) => address)].slice(
    0,
    100,
  )
}
