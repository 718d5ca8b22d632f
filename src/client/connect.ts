/** Connects a client: what it needs and nobody hands in, it makes itself. */
import { hostname } from 'node:os'
import type { BlockDisk } from '../arrow/index.ts'
import { Config } from '../core/config/index.ts'
import { type Log, type Runtime, silentLog, systemRuntime } from '../core/index.ts'
import * as o from '../core/options/index.ts'
import {
  connectRpc,
  HintsContract,
  MasterAdmin,
  MasterFs,
  MasterGateway,
  MasterSync,
  type RpcConnection,
  type Transport,
  WorkerBlock,
  ZeroMqTransport,
} from '../rpc/index.ts'
import { adminOf } from './admin.ts'
import { Doubts } from './doubts.ts'
import { type ClientModules, ClusterFileSystem } from './file-system.ts'
import { type GatewayKeys, gatewayKeysOf } from './gateway-keys.ts'
import { hintsOf } from './hints.ts'
import { namesOfThisHost } from './hosts.ts'
import { LocalBlocks } from './local-block.ts'
import { PathDefaults } from './path-defaults.ts'
import { syncsOf } from './syncs.ts'
import { TierFiles } from './tier-files.ts'
import { TierFolders } from './tier-folders.ts'
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
  const clients = new Clients(options, modules)
  return clients.fileSystem(clients.master, () => clients.close())
}

/** File systems of many users over one set of worker connections and open tier files, for those who act for others. */
export interface FileSystems {
  /** A new one; closing it ends the user's connection to the master, and no more. */
  as(user: string): FileSystem
  /** Asked for as the user that this program runs as. */
  readonly keys: GatewayKeys
  /** Undefined while the master is there; else resolves when it is. @throws UNAVAILABLE reason NOT_REACHABLE after `ms` */
  reachMaster(ms: number): Promise<void> | undefined
  close(): Promise<void>
}

/** @throws INVALID_ARGUMENT when the configuration or the master's address is bad */
export function connectFileSystems(options: ConnectOptions = {}, modules: ConnectModules = {}): FileSystems {
  const clients = new Clients(options, modules, true)
  return {
    as: (user) => {
      const connection = clients.connectMaster(user)
      return clients.fileSystem(connection, () => clients.disconnect(connection))
    },
    keys: gatewayKeysOf(clients.master.client(MasterGateway)),
    reachMaster: (ms) => clients.master.reach(ms),
    close: () => clients.close(),
  }
}

/** What the file systems of one program share: all but the connection to the master, which says who calls. */
class Clients {
  readonly master: RpcConnection
  readonly #config: Config
  readonly #address: string
  readonly #links: Links
  readonly #shared: Omit<ClientModules, 'fs' | 'admin' | 'syncs' | 'hints' | 'doubts' | 'disconnect'>

  /** @param gathers for who serves many connections, whose calls go to the master together */
  constructor(options: ConnectOptions, modules: ConnectModules, gathers = false) {
    const { config = Config.load(), runtime = systemRuntime, log = silentLog } = modules
    const transport = modules.transport ?? new ZeroMqTransport({}, { runtime })
    const user = options.user ?? config.get(o.LOGIN_USERNAME)
    this.#config = config
    this.#address = options.master ?? `${config.get(o.MASTER_HOSTNAME)}:${config.get(o.MASTER_RPC_PORT)}`
    const host = config.get(o.USER_HOSTNAME) || hostname()
    this.#links = new Links({ host, gathers }, { runtime, transport, log })
    this.master = this.connectMaster(user)
    const fs = this.master.client(MasterFs)
    const workers = new Workers(
      { specificHost: config.get(o.SPECIFIC_HOST), shortCircuit: config.get(o.SHORT_CIRCUIT) },
      {
        admin: this.master.client(MasterAdmin),
        connect: (address) => this.#links.worker(user, address).client(WorkerBlock),
        hostNames: namesOfThisHost(config.get(o.USER_HOSTNAME)),
        runtime,
        log,
      },
    )
    const tierFiles = new TierFiles(modules.openDisk)
    this.#shared = {
      workers,
      paths: new PathDefaults({ maxAgeMs: config.get(o.CONF_SYNC_INTERVAL) }, { fs, runtime, log }),
      tierFiles,
      tierFolders: new TierFolders({ runtime, log }),
      locals: new LocalBlocks({ tierFiles, log }),
      ufs: new UfsDoor({ fs, config, runtime, log, openStore: modules.openStore }),
      runtime,
      log,
    }
  }

  connectMaster(user: string): RpcConnection {
    return this.#links.open(user, this.#address, 'master', this.#config.get(o.RPC_RETRY_MAX))
  }

  fileSystem(master: RpcConnection, disconnect: () => Promise<void>): FileSystem {
    const config = this.#config
    const fs = master.client(MasterFs)
    const hints = master.client(HintsContract)
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
        ...this.#shared,
        fs,
        admin: adminOf(master.client(MasterAdmin), fs),
        syncs: syncsOf(master.client(MasterSync)),
        hints: hintsOf({ ...this.#shared, master: hints }),
        doubts: new Doubts({ ...this.#shared, hints }),
        disconnect,
      },
    )
  }

  disconnect(connection: RpcConnection): Promise<void> {
    return this.#links.end(connection)
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#links.close(), this.#shared.ufs.close()])
  }
}

/** The connections of one program: to the master one for each user, and one to each worker that it has talked to. */
class Links {
  readonly #host: string
  readonly #clientId: string
  readonly #gathers: boolean
  readonly #modules: { readonly runtime: Runtime; readonly transport: Transport; readonly log: Log }
  readonly #connections = new Set<RpcConnection>()

  constructor(
    { host, gathers }: { readonly host: string; readonly gathers: boolean },
    modules: { readonly runtime: Runtime; readonly transport: Transport; readonly log: Log },
  ) {
    this.#host = host
    this.#gathers = gathers
    this.#clientId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(8))).toString('hex')
    this.#modules = modules
  }

  open(user: string, address: string, peer: string, connectTimeoutMs: number): RpcConnection {
    const connection = connectRpc(
      {
        address: `tcp://${address}`,
        user,
        host: this.#host,
        clientId: this.#clientId,
        peer,
        connectTimeoutMs,
        gathers: this.#gathers,
      },
      this.#modules,
    )
    this.#connections.add(connection)
    return connection
  }

  worker(user: string, { host, rpcPort }: Address): RpcConnection {
    return this.open(user, `${host}:${rpcPort}`, 'worker', WORKER_CONNECT_MS)
  }

  async end(connection: RpcConnection): Promise<void> {
    this.#connections.delete(connection)
    await connection.close()
  }

  async close(): Promise<void> {
    const connections = [...this.#connections]
    this.#connections.clear()
    await Promise.allSettled(connections.map((connection) => connection.close()))
  }
}
