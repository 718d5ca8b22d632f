/**
 * The HTTP door of a daemon: `/metrics` (Prometheus text), `/healthz`, and what a daemon adds. Requests are bounded in
 * size, time and number of connections; nothing but loopback is bound unless the operator allows it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AlluxioError, type DaemonState, fromErrno, type Log, type Metrics } from '../core/index.ts'

export interface HttpDoorOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Whether other than loopback addresses may be bound without keys (`alluxio.security.transport=none`). */
  readonly allowRemote: boolean
}

export interface HttpDoorModules {
  readonly metrics: Metrics
  readonly log: Log
  readonly state: () => DaemonState
  /** Serves what is neither metrics nor health; false when the path is not its own. */
  readonly route?: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

export class HttpDoor {
  readonly name = 'http'
  readonly #options: HttpDoorOptions
  readonly #modules: HttpDoorModules
  readonly #server: Server

  constructor(options: HttpDoorOptions, modules: HttpDoorModules) {
    this.#options = options
    this.#modules = modules
    this.#server = createServer(
      {
        headersTimeout: 10_000,
        requestTimeout: 60_000,
        keepAliveTimeout: 5_000,
        connectionsCheckingInterval: 2_000,
      },
      (request, response) => this.#serve(request, response),
    )
    this.#server.maxRequestsPerSocket = 1000
    this.#server.maxConnections = 1024
  }

  /** The real port, once started. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#options.port
  }

  /** @throws UNAVAILABLE, reason ADDRESS_IN_USE; PERMISSION_DENIED for an address that is not loopback without keys */
  start(): Promise<void> {
    const { host, port, allowRemote } = this.#options
    if (!allowRemote && !LOOPBACK.test(host)) {
      throw new AlluxioError(
        'PERMISSION_DENIED',
        `refusing to serve HTTP on ${host}: bind 127.0.0.1, or set alluxio.security.transport=none to listen in the clear`,
        { reason: 'INSECURE_BIND' },
      )
    }
    return new Promise((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException) => reject(bindError(error, host, port))
      this.#server.once('error', refused)
      this.#server.listen(port, host, () => {
        this.#server.off('error', refused)
        this.#server.on('error', (error) => this.#modules.log.warn('http server', { error }))
        resolve()
      })
    })
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?', 1)[0]!
    try {
      if (path === '/metrics') this.#metrics(response)
      else if (path === '/healthz') this.#health(response)
      else if (this.#modules.route?.(request, response, path) !== true) {
        answer(response, 404, 'text/plain', 'not found\n')
      }
    } catch (error) {
      this.#modules.log.warn('http request failed', { path, error })
      if (!response.headersSent) answer(response, 500, 'text/plain', 'internal error\n')
      else response.destroy()
    }
  }

  #metrics(response: ServerResponse): void {
    answer(response, 200, 'text/plain; version=0.0.4; charset=utf-8', this.#modules.metrics.text())
  }

  #health(response: ServerResponse): void {
    const state = this.#modules.state()
    answer(response, state === 'serving' ? 200 : 503, 'application/json', `${JSON.stringify({ state })}\n`)
  }
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

function bindError(error: NodeJS.ErrnoException, host: string, port: number): AlluxioError {
  if (error.code !== 'EADDRINUSE') return fromErrno(error, 'listen on', `${host}:${port}`)
  return new AlluxioError(
    'UNAVAILABLE',
    `HTTP port ${port} on ${host} is in use: stop the other process or choose another port`,
    { reason: 'ADDRESS_IN_USE', cause: error },
  )
}
