/** How the product's own programs are started on a simulated host: the one place that knows their wiring. */
import { connectFileSystem, type FileSystem } from '../../../src/client/index.ts'
import { Config } from '../../../src/core/config/index.ts'
import type { Log } from '../../../src/core/index.ts'
import '../../../src/core/options/index.ts'
import type { BlockDisk } from '../../../src/arrow/index.ts'
import { startMaster } from '../../../src/daemon/master/index.ts'
import { type IdentityStore, startWorker } from '../../../src/daemon/worker/index.ts'
import { type MemoryDisk, openMemoryStore } from '../../../src/metastore/index.ts'
import type { SimNode } from '../kernel/kernel.ts'
import type { SimOptions } from '../options.ts'
import type { Plant } from '../planted.ts'
import type { SimNetwork } from './network.ts'
import { openRemoteStore, type StoreServer } from './under-store.ts'

export const MASTER = 'master'
export const SUPERUSER = { user: 'sim', group: 'sim' } as const
const MASTER_PORT = 19_998
const WORKER_PORT = 29_999

/** Fastest first. */
export const TIER_ALIASES = ['MEM', 'SSD'] as const

export function tierPath(worker: string, level: number): string {
  return `/${worker}/${TIER_ALIASES[level]?.toLowerCase()}`
}

export interface ProgramModules {
  readonly network: SimNetwork
  readonly log: Log
  readonly options: SimOptions
}

/** Configuration of a process on `host`. Knobs are turned down so that what takes minutes in production happens here too. */
export function configOf(host: string, options: SimOptions, more: Record<string, string> = {}): Config {
  return Config.load({
    // No site file, no environment of the machine.
    env: { ALLUXIO_DATA: '/sim/none', ALLUXIO_HOME: '/sim/none' },
    overrides: {
      'alluxio.security.transport': 'none',
      'alluxio.security.login.username': SUPERUSER.user,
      'alluxio.master.hostname': MASTER,
      'alluxio.master.bind.host': MASTER,
      'alluxio.master.rpc.port': String(MASTER_PORT),
      'alluxio.master.mount.table.root.ufs': 'mem://root',
      'alluxio.master.worker.timeout': '4s',
      'alluxio.master.ttl.checker.interval': '500ms',
      'alluxio.master.persistence.max.interval': '5s',
      'alluxio.worker.block.heartbeat.interval': '300ms',
      'alluxio.worker.block.extent.size': String(options.extentBytes),
      'alluxio.user.block.size.bytes.default': String(options.blockSizeBytes),
      'alluxio.user.hostname': host,
      ...more,
    },
  })
}

export interface ClientProgramModules extends ProgramModules {
  readonly ufs: StoreServer
}

/** A client's file system; it is never on a worker's host, so tier files are never opened. */
export function connectClient(
  node: SimNode,
  { network, log, options, ufs }: ClientProgramModules,
): Promise<FileSystem> {
  return connectFileSystem(
    {},
    {
      config: configOf(node.name, options),
      runtime: node.runtime,
      transport: network.transport(node, node.name),
      log,
      openStore: () => openRemoteStore(ufs, node, log),
    },
  )
}

export interface MasterProgramModules extends ProgramModules {
  readonly disk: MemoryDisk
  readonly ufs: StoreServer
  readonly plant: Plant
}

/** Resolves when the master serves; `exit` tells that it has ended. */
export async function runMaster(
  node: SimNode,
  exit: (why: unknown) => void,
  { network, log, options, disk, ufs, plant }: MasterProgramModules,
): Promise<void> {
  const { runtime } = node
  const master = await startMaster(configOf(MASTER, options), {
    runtime,
    transport: network.transport(node, MASTER),
    log,
    onFatal: exit,
    superuser: SUPERUSER,
    openRecords: async () => plant.store(await openMemoryStore({ onFatal: exit }, { runtime, disk })),
    openStore: () => openRemoteStore(ufs, node, log),
    http: false,
  })
  master.ended.then(() => exit('ended'), exit)
}

export interface WorkerProgramModules extends ProgramModules {
  readonly disk: BlockDisk
  readonly identity: IdentityStore
  readonly ufs: StoreServer
}

/** Resolves when the worker is registered; `exit` tells that it has ended. */
export async function runWorker(
  node: SimNode,
  exit: (why: unknown) => void,
  { network, log, options, disk, identity, ufs }: WorkerProgramModules,
): Promise<void> {
  const { name, runtime } = node
  const tiers = options.tierBytes.flatMap((bytes, level) => {
    const prefix = `alluxio.worker.tieredstore.level${level}`
    return [
      [`${prefix}.alias`, TIER_ALIASES[level]!],
      [`${prefix}.dirs.path`, tierPath(name, level)],
      [`${prefix}.dirs.quota`, String(bytes)],
    ]
  })
  const config = configOf(name, options, {
    'alluxio.worker.hostname': name,
    'alluxio.worker.bind.host': name,
    'alluxio.worker.rpc.port': String(WORKER_PORT),
    'alluxio.worker.tieredstore.levels': String(options.tierBytes.length),
    ...Object.fromEntries(tiers),
  })
  const worker = await startWorker(config, {
    runtime,
    transport: network.transport(node, name),
    log,
    onFatal: exit,
    disk,
    identity,
    openStore: () => openRemoteStore(ufs, node, log),
    http: false,
  })
  worker.ended.then(() => exit('ended'), exit)
}
