/** An HTTP server whose requests are bounded in size, time and number, and that binds nothing but loopback unless it may. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { AlluxioError, fromErrno, type Log } from '../../core/index.ts'
import { bodyWaits } from './continue.ts'
import { acceptRawTargets } from './raw-targets.ts'

export interface HttpListenerOptions {
  /** For the log and the supervisor. */
  readonly name: string
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Whether other than loopback addresses may be bound without keys (`alluxio.security.transport=none`). */
  readonly allowRemote: boolean
  /** @default 1024 */
  readonly maxConnections?: number
  /** Longest time a request may take to arrive, ms; 0: the handler bounds it, as bodies of any size have to be. @default 60 s */
  readonly requestTimeoutMs?: number
  /** Serves HTTPS, on any address. */
  readonly tls?: Certificate | undefined
}

/** Both in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface HttpListenerModules {
  readonly handler: RequestListener
  readonly log: Log
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

export class HttpListener {
  readonly name: string
  readonly #options: HttpListenerOptions
  readonly #log: Log
  readonly #server: Server | TlsServer

  constructor(options: HttpListenerOptions, { handler, log }: HttpListenerModules) {
    this.name = options.name
    this.#options = options
    this.#log = log
    const bounds = {
      headersTimeout: 10_000,
      requestTimeout: options.requestTimeoutMs ?? 60_000,
      keepAliveTimeout: 5_000,
      // So that the files which a machine held open are let go when it is gone.
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      connectionsCheckingInterval: 2_000,
    }
    this.#server =
      options.tls === undefined
        ? createServer(bounds, handler)
        : createTlsServer({ ...bounds, ...options.tls, handshakeTimeout: 10_000 }, handler)
    this.#server.on('checkContinue', (request, response) => {
      bodyWaits(request, response)
      handler(request, response)
    })
    // Hadoop's clients speak no TLS here.
    if (options.tls === undefined) acceptRawTargets(this.#server)
    this.#server.maxRequestsPerSocket = 1000
    this.#server.maxConnections = options.maxConnections ?? 1024
  }

  /** The real port, once started. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#options.port
  }

  /** From the next connection on; only of a server that began with one. */
  renewCertificate(certificate: Certificate): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(certificate)
  }

  /** @throws UNAVAILABLE, reason ADDRESS_IN_USE; PERMISSION_DENIED for an address that is not loopback without keys */
  start(): Promise<void> {
    const { host, port, allowRemote, name, tls } = this.#options
    if (!allowRemote && tls === undefined && !LOOPBACK.test(host)) {
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
        this.#server.on('error', (error) => this.#log.warn('http server', { server: name, error }))
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
}

function bindError(error: NodeJS.ErrnoException, host: string, port: number): AlluxioError {
  if (error.code !== 'EADDRINUSE') return fromErrno(error, 'listen on', `${host}:${port}`)
  return new AlluxioError(
    'UNAVAILABLE',
    `HTTP port ${port} on ${host} is in use: stop the other process or choose another port`,
    { reason: 'ADDRESS_IN_USE', cause: error },
  )
}
