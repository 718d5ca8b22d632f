/**
 * The HTTP door of a daemon: `/metrics` (Prometheus text), `/healthz`, and what a daemon adds.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DaemonState, Log, Metrics } from '../core/index.ts'
import { type Certificate, HttpListener, type HttpListenerOptions } from '../gateway/index.ts'

export type HttpDoorOptions = Omit<HttpListenerOptions, 'name'>

export interface HttpDoorModules {
  readonly metrics: Metrics
  readonly log: Log
  readonly state: () => DaemonState
  /** Serves what is neither metrics nor health; false when the path is not its own. */
  readonly route?: ((request: IncomingMessage, response: ServerResponse, path: string) => boolean) | undefined
}

export class HttpDoor {
  readonly name = 'http'
  readonly #modules: HttpDoorModules
  readonly #listener: HttpListener

  constructor(options: HttpDoorOptions, modules: HttpDoorModules) {
    this.#modules = modules
    this.#listener = new HttpListener(
      { ...options, name: 'http' },
      {
        handler: (request, response) => this.#serve(request, response),
        log: modules.log,
      },
    )
  }

  /** The real port, once started. */
  get port(): number {
    return this.#listener.port
  }

  /** @throws UNAVAILABLE, reason ADDRESS_IN_USE; PERMISSION_DENIED for an address that is not loopback without keys */
  start(): Promise<void> {
    return this.#listener.start()
  }

  renewCertificate(certificate: Certificate): void {
    this.#listener.renewCertificate(certificate)
  }

  stop(): Promise<void> {
    return this.#listener.stop()
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
