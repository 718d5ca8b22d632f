/** The two doors of a daemon, HTTP and RPC: what both daemons open the same way. */
import type { Component, DaemonState, Log, Metrics } from '../core/index.ts'
import type { RpcServer, Transport } from '../rpc/index.ts'
import { HttpDoor, type HttpDoorModules } from './http.ts'

export interface DoorsOptions {
  readonly bindHost: string
  /** 0 lets the system choose, here and below. */
  readonly rpcPort: number
  readonly webBindHost: string
  readonly webPort: number
  /** Whether HTTP may be bound to other than loopback addresses; the transport of RPC has its own say. */
  readonly allowRemote: boolean
  /** Of HTTP. @default 1024 */
  readonly maxConnections?: number
  /** @default true */
  readonly http?: boolean | undefined
}

export interface DoorsModules {
  readonly rpc: RpcServer
  readonly transport: Transport
  readonly metrics: Metrics
  readonly log: Log
  readonly state: () => DaemonState
  /** What the HTTP door serves besides metrics and health. */
  readonly route?: HttpDoorModules['route']
}

export class Doors {
  /** RPC last: who reaches it finds all of the daemon. */
  readonly components: readonly Component[]
  readonly #http: HttpDoor | undefined
  #rpcPort: number

  constructor(options: DoorsOptions, { rpc, transport, ...modules }: DoorsModules) {
    const { bindHost, rpcPort, webBindHost, webPort, allowRemote, maxConnections } = options
    this.#rpcPort = rpcPort
    if (options.http !== false)
      this.#http = new HttpDoor(
        // Bodies of any size: who reads them bounds them.
        {
          host: webBindHost,
          port: webPort,
          allowRemote,
          ...(modules.route === undefined ? {} : { requestTimeoutMs: 0 }),
          ...(maxConnections === undefined ? {} : { maxConnections }),
        },
        modules,
      )
    const door: Component = {
      name: 'rpc',
      start: async () => {
        const { address } = await rpc.listen(transport, `tcp://${bindHost}:${rpcPort}`)
        this.#rpcPort = Number(address.slice(address.lastIndexOf(':') + 1))
      },
      stop: () => rpc.close(),
    }
    this.components = this.#http === undefined ? [door] : [this.#http, door]
  }

  /** The real port, once started, as the other one. */
  get rpcPort(): number {
    return this.#rpcPort
  }
  /** 0 without HTTP. */
  get webPort(): number {
    return this.#http?.port ?? 0
  }
}
