/** Kubernetes' requests over HTTP: `POST /scheduler/filter`, `/scheduler/prioritize`, `/admission/pods`. Bodies are bounded. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  AlluxioError,
  ERROR_CODES,
  type Log,
  type Metrics,
  type Runtime,
  toAlluxioError,
} from '../../core/index.ts'
import { Admission, checkedReview } from './admission.ts'
import { checkedArgs, Extender } from './extender.ts'
import type { NodePlaces } from './node-places.ts'

export interface KubernetesGatewayOptions {
  readonly nodeLabel: string
  readonly maxHoldMs: number
  readonly holds: boolean
}

export interface KubernetesGatewayModules {
  readonly places: NodePlaces
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

/** A scheduler without `nodeCacheCapable` sends whole nodes: some 20 KB each. */
const MAX_BODY_BYTES = 256 * 2 ** 20

export class KubernetesGateway {
  readonly #m: KubernetesGatewayModules
  readonly #routes: ReadonlyMap<string, (body: unknown) => Promise<unknown>>
  readonly #requests
  readonly #seconds

  constructor(options: KubernetesGatewayOptions, modules: KubernetesGatewayModules) {
    const { places, metrics, log } = modules
    this.#m = modules
    const missing = metrics.counter(
      'alluxio_kubernetes_unhinted_total',
      'Pods with inputs that were judged without hints',
    )
    const onMissing = (why: string) => {
      missing.add()
      log.warn('without hints', { why })
    }
    const extender = new Extender({ places, onMissing })
    const admission = new Admission(options, { places, onMissing })
    this.#routes = new Map<string, (body: unknown) => Promise<unknown>>([
      ['/scheduler/filter', (body) => extender.filter(checkedArgs(body))],
      ['/scheduler/prioritize', (body) => extender.prioritize(checkedArgs(body))],
      ['/admission/pods', (body) => admission.review(checkedReview(body))],
    ])
    this.#requests = metrics.counters('alluxio_kubernetes_requests_total', 'Requests by path and status')
    this.#seconds = metrics.histograms('alluxio_kubernetes_request_seconds', 'Time to answer Kubernetes')
  }

  /** False for a path that is not its own. */
  readonly route = (request: IncomingMessage, response: ServerResponse, path: string): boolean => {
    const answer = this.#routes.get(path)
    if (answer === undefined) return false
    const { runtime } = this.#m
    const began = runtime.monotonic()
    this.#serve(request, response, answer).then((status) => {
      this.#requests.with({ path, status: String(status) }).add()
      this.#seconds.with({ path }).observe((runtime.monotonic() - began) / 1000)
    })
    return true
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    answer: (body: unknown) => Promise<unknown>,
  ): Promise<number> {
    try {
      if (request.method !== 'POST') throw new AlluxioError('UNSUPPORTED', 'POST only', { reason: 'METHOD' })
      return send(response, 200, await answer(await bodyOf(request)))
    } catch (thrown) {
      const { code, reason = code, message } = toAlluxioError(thrown)
      if (code === 'INTERNAL') this.#m.log.error('kubernetes', { error: thrown })
      if (!request.complete) response.setHeader('connection', 'close')
      const status = reason === 'METHOD' ? 405 : ERROR_CODES[code].http
      return send(response, status, { code, reason, message })
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES)
        throw new AlluxioError('RESOURCE_EXHAUSTED', `the body is longer than ${MAX_BODY_BYTES} bytes`, {
          reason: 'BODY_TOO_LARGE',
        })
      chunks.push(chunk)
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new AlluxioError('INVALID_ARGUMENT', 'the body is no JSON', { reason: 'NOT_JSON' })
    throw error
  }
}

function send(response: ServerResponse, status: number, value: unknown): number {
  if (response.destroyed) return 499
  const body = JSON.stringify(value)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
  return status
}
