/**
 * HTTP over node:http with connections kept alive. Not fetch: a DataNode sends a 100-continue that nobody asked for, on which
 * undici gives up.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import type { Runtime } from '../../core/index.ts'
import { Body } from '../http-transport/body.ts'
import { OtherFraming, SocketClient } from '../http-transport/socket-client.ts'

export interface Endpoint {
  readonly secure: boolean
  readonly host: string
  readonly port: number
}

export interface TransportOptions {
  /** Most connections to one host. */
  readonly connections: number
  /** Milliseconds that a server may be silent. */
  readonly stallMs: number
  /** Certificates to trust, as PEM. @default those of Node.js */
  readonly ca?: string
}

export interface Exchange {
  readonly method: string
  readonly endpoint: Endpoint
  /** Encoded, with the query. */
  readonly path: string
  readonly signal?: AbortSignal | undefined
  /** @default the transport's */
  readonly silenceMs?: number | undefined
}

/** The content of a file, or the text of a refusal. */
export interface Content {
  readonly status: number
  readonly body?: Body
  readonly text: string
}

/** Content of a refusal or of metadata; a listing page has some hundred KiB. */
const LARGEST_TEXT = 64 * 2 ** 20

export class Transport {
  readonly stallMs: number
  readonly #http: http.Agent
  readonly #https: https.Agent
  readonly #sockets: SocketClient

  constructor(options: TransportOptions, modules: { readonly runtime: Pick<Runtime, 'defer'> }) {
    this.#sockets = new SocketClient(options, modules)
    this.stallMs = options.stallMs
    const agent: http.AgentOptions = {
      keepAlive: true,
      maxSockets: options.connections,
      maxFreeSockets: options.connections,
      // The connection used last is the least likely to have been closed by the other side.
      scheduling: 'lifo',
    }
    this.#http = new http.Agent(agent)
    this.#https = new https.Agent({ ...agent, ...(options.ca === undefined ? {} : { ca: options.ca }) })
  }

  agent(endpoint: Endpoint): http.Agent {
    return endpoint.secure ? this.#https : this.#http
  }

  /** Begins a request whose body the caller writes. Silence of the server destroys it with ETIMEDOUT. */
  begin(exchange: Exchange, headers: http.OutgoingHttpHeaders = {}): http.ClientRequest {
    const { endpoint } = exchange
    const outgoing = (endpoint.secure ? https : http).request({
      agent: this.agent(endpoint),
      host: endpoint.host,
      port: endpoint.port,
      method: exchange.method,
      path: exchange.path,
      headers,
      timeout: exchange.silenceMs ?? this.stallMs,
    })
    outgoing.on('timeout', () => outgoing.destroy(silent()))
    return outgoing
  }

  /** Sends a request without a body; resolves with the head of the answer. */
  ask(exchange: Exchange): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { signal } = exchange
      if (signal?.aborted) return reject(signal.reason)
      const outgoing = this.begin(exchange)
      const onAbort = () => outgoing.destroy(aborted())
      signal?.addEventListener('abort', onAbort, { once: true })
      outgoing.once('close', () => signal?.removeEventListener('abort', onAbort))
      outgoing.on('error', reject)
      outgoing.once('response', resolve)
      outgoing.end()
    })
  }

  /** Gets content: over plain sockets where the protocol and the answer allow, which costs half the CPU. */
  async get(exchange: Exchange): Promise<Content> {
    const { endpoint, path, signal, silenceMs = this.stallMs } = exchange
    const { secure, host, port } = endpoint
    if (!secure) {
      try {
        const name = host.includes(':') ? `[${host}]` : host
        const head = `GET ${path} HTTP/1.1\r\nhost: ${name}:${port}`
        const answer = await this.#sockets.send({ host, port, head, bodyless: false, signal, silenceMs })
        const text = answer.text === undefined ? '' : Buffer.from(answer.text).toString()
        return { status: answer.status, text, ...(answer.body === undefined ? {} : { body: answer.body }) }
      } catch (error) {
        if (!(error instanceof OtherFraming)) throw error
      }
    }
    const incoming = await this.ask(exchange)
    const status = incoming.statusCode ?? 0
    if (status >= 200 && status < 300) return { status, text: '', body: Body.of(incoming) }
    return { status, text: await textOf(incoming) }
  }

  close(): void {
    this.#sockets.destroy()
    this.#http.destroy()
    this.#https.destroy()
  }
}

/** All of a short answer as text. */
export function textOf(incoming: http.IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > LARGEST_TEXT) incoming.destroy(new RangeError('the answer is too long'))
      else chunks.push(chunk)
    })
    incoming.once('end', () => resolve(Buffer.concat(chunks, bytes).toString()))
    incoming.on('error', reject)
    incoming.once('close', () =>
      reject(Object.assign(new Error('the answer broke off'), { code: 'ECONNRESET' })),
    )
  })
}

function silent(): Error {
  return Object.assign(new Error('the server was silent'), { code: 'ETIMEDOUT' })
}

function aborted(): Error {
  return Object.assign(new Error('the request was aborted'), { code: 'ABORT_ERR' })
}
