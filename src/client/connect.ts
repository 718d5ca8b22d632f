/** Connects a client: what it needs and nobody hands in, it makes itself. */
import { hostname } from 'node:os'
import type { BlockDisk } from '../arrow/index.ts'
import { Config } from '../core/config/index.ts'
import { type Log, type Runtime, silentLog, systemRuntime } from '../core/index.ts'
import * as o from '../core/options/index.ts'
import {
  connectRpc,
  MasterAdmin,
  MasterFs,
  MasterSync,
  type RpcConnection,
  type Transport,
  WorkerBlock,
  ZeroMqTransport,
} from '../rpc/index.ts'
import { adminOf } from './admin.ts'
import { ClusterFileSystem } from './file-system.ts'
import { namesOfThisHost } from './hosts.ts'
import { LocalBlocks } from './local-block.ts'
import { PathDefaults } from './path-defaults.ts'
import { syncsOf } from './syncs.ts'
import { TierFiles } from './tier-files.ts'
import type { ConnectOptions, FileSystem } from './types.ts'
import { UfsDoor, type UfsDoorModules } from './ufs-door.ts'
import { type Address, Workers } from './workers.ts'

export interface ConnectModules {
  readonly config?: Config
  readonly runtime?: Runtime
  readonly transport?: Transport
  readonly log?: Log
  /** Opens tier files; replaced by the simulation. */
  readonly openDisk?: () => BlockDisk
  /** Opens under-stores when no worker lives; replaced by the simulation. */
  readonly openStore?: UfsDoorModules['openStore']
}

/** Milliseconds that calls wait for a worker to answer before another one is tried. */
const WORKER_CONNECT_MS = 3_000

/**
 * A file system on the cluster. Returns at once: connections are made in the background, and by the first call that needs
 * them.
 * @throws INVALID_ARGUMENT when the configuration or the master's address is bad
 */
export async function connectFileSystem(
  options: ConnectOptions = {},
  modules: ConnectModules = {},
): Promise<FileSystem> {
  const { config = Config.load(), runtime = systemRuntime, log = silentLog } = modules
  const transport = modules.transport ?? new ZeroMqTransport({}, { runtime })
  const links = new Links(options, config, { runtime, transport, log })
  const master = links.open(
    options.master ?? `${config.get(o.MASTER_HOSTNAME)}:${config.get(o.MASTER_RPC_PORT)}`,
    'master',
    config.get(o.RPC_RETRY_MAX),
  )
  const fs = master.client(MasterFs)
  const admin = master.client(MasterAdmin)
  const workers = new Workers(
    { specificHost: config.get(o.SPECIFIC_HOST), shortCircuit: config.get(o.SHORT_CIRCUIT) },
    {
      admin,
      connect: (address) => links.worker(address).client(WorkerBlock),
      hostNames: namesOfThisHost(config.get(o.USER_HOSTNAME)),
      runtime,
      log,
    },
  )
  const tierFiles = new TierFiles(modules.openDisk)
  return new ClusterFileSystem(
    {
      readType: config.get(o.READ_TYPE_DEFAULT),
      writeType: config.get(o.WRITE_TYPE_DEFAULT),
      writePolicy: config.get(o.WRITE_POLICY),
      ufsReadPolicy: config.get(o.UFS_READ_POLICY),
      blockSizeBytes: config.get(o.BLOCK_SIZE_DEFAULT),
      syncIntervalMs: config.get(o.METADATA_SYNC_INTERVAL),
      retryMs: config.get(o.RPC_RETRY_MAX),
    },
    {
      fs,
      admin: adminOf(admin, fs),
      syncs: syncsOf(master.client(MasterSync)),
      workers,
      paths: new PathDefaults({ maxAgeMs: config.get(o.CONF_SYNC_INTERVAL) }, { fs, runtime, log }),
      tierFiles,
      locals: new LocalBlocks({ tierFiles, log }),
      ufs: new UfsDoor({ fs, config, runtime, log, openStore: modules.openStore }),
      runtime,
      log,
      disconnect: () => links.close(),
    },
  )
}

/** The connections of one client: one to the master, one to each worker that it has talked to. */
class Links {
  readonly #user: string
  readonly #host: string
  readonly #clientId: string
  readonly #modules: { readonly runtime: Runtime; readonly transport: Transport; readonly log: Log }
  readonly #connections: RpcConnection[] = []

  constructor(
    options: ConnectOptions,
    config: Config,
    modules: { readonly runtime: Runtime; readonly transport: Transport; readonly log: Log },
  ) {
    this.#user = options.user ?? config.get(o.LOGIN_USERNAME)
    this.#host = config.get(o.USER_HOSTNAME) || hostname()
    this.#clientId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(8))).toString('hex')
    this.#modules = modules
  }

  open(address: string, peer: string, connectTimeoutMs: number): RpcConnection {
    const connection = connectRpc(
      {
        address: `tcp://${address}`,
        user: this.#user,
        host: this.#host,
        clientId: this.#clientId,
        peer,
        connectTimeoutMs,
      },
      this.#modules,
    )
    this.#connections.push(connection)
    return connection
  }

  worker({ host, rpcPort }: Address): RpcConnection {
    return this.open(`${host}:${rpcPort}`, 'worker', WORKER_CONNECT_MS)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#connections.splice(0).map((connection) => connection.close()))
  }
}
