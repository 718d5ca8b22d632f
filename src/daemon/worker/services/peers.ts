/** This worker's connections: to the master and to other workers, each made when it is first needed. */
import type { Log, Runtime } from '../../../core/index.ts'
import {
  type Client,
  connectRpc,
  type Infer,
  type RpcConnection,
  type Transport,
  type WorkerAddress,
  WorkerBlock,
} from '../../../rpc/index.ts'

export interface PeersModules {
  readonly runtime: Runtime
  readonly transport: Transport
  readonly log: Log
}

export class Peers {
  readonly #options: { readonly user: string; readonly host: string }
  readonly #modules: PeersModules
  readonly #clientId: string
  readonly #connections = new Map<string, RpcConnection>()

  constructor(options: { readonly user: string; readonly host: string }, modules: PeersModules) {
    this.#options = options
    this.#modules = modules
    this.#clientId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(8))).toString('hex')
  }

  /** @param peer what is there, for messages to people */
  connect(address: string, peer: string): RpcConnection {
    const known = this.#connections.get(address)
    if (known !== undefined) return known
    const { user, host } = this.#options
    const connection = connectRpc(
      { address: `tcp://${address}`, user, host, clientId: this.#clientId, peer },
      this.#modules,
    )
    this.#connections.set(address, connection)
    return connection
  }

  worker({ host, rpcPort }: Infer<typeof WorkerAddress>): Client<typeof WorkerBlock> {
    return this.connect(`${host}:${rpcPort}`, 'worker').client(WorkerBlock)
  }

  async close(): Promise<void> {
    const connections = [...this.#connections.values()]
    this.#connections.clear()
    await Promise.allSettled(connections.map((connection) => connection.close()))
  }
}
