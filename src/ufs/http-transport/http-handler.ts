/**
 * Carries requests over node:http: those of the SDK for S3, in whose form they are, and those of stores that speak HTTP
 * themselves. It differs from the SDK's own handler in what a cache needs: bodies of many chunks go out without being
 * joined, the time without progress is limited (not the total time), and a request costs no timers.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import { Readable } from 'node:stream'
import type { Runtime } from '../../core/index.ts'
import { Body } from './body.ts'
import { OtherFraming, SocketClient } from './socket-client.ts'

/** The part of the SDK's HttpRequest that is used. */
export interface Request {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface HandleOptions {
  readonly abortSignal?: AbortSignal
  readonly requestTimeout?: number
}

interface Response {
  readonly statusCode: number
  readonly reason: string | undefined
  readonly headers: Record<string, string>
  readonly body: Readable
}

/** What was answered, without a stream round it. */
export interface Answer {
  readonly statusCode: number
  readonly headers: Record<string, string>
  /** Content of a success. */
  readonly body?: Body
  /** Content of a refusal. */
  readonly text?: Uint8Array
}

export interface TextAnswer {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly text: Uint8Array
}

export interface HttpHandlerOptions {
  /** Most connections to one host. */
  readonly connections: number
  /** Milliseconds without any progress after which a request is given up. */
  readonly stallMs: number
}

/** A request body of chunks that are sent as they are. It is a stream only so that the SDK takes it for one. */
export class ChunkBody extends Readable {
  readonly chunks: readonly Uint8Array[]
  constructor(chunks: readonly Uint8Array[]) {
    super()
    this.chunks = chunks
  }
  override _read(): void {
    for (const chunk of this.chunks) this.push(chunk)
    this.push(null)
  }
}

export class HttpHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #options: HttpHandlerOptions
  readonly #http: http.Agent
  readonly #https: https.Agent
  readonly #sockets: SocketClient

  constructor(options: HttpHandlerOptions, modules: { readonly runtime: Pick<Runtime, 'defer'> }) {
    this.#options = options
    this.#sockets = new SocketClient(options, modules)
    const agent: http.AgentOptions = {
      keepAlive: true,
      maxSockets: options.connections,
      maxFreeSockets: options.connections,
      // The connection used last is the least likely to have been closed by the other side.
      scheduling: 'lifo',
    }
    this.#http = new http.Agent(agent)
    this.#https = new https.Agent(agent)
  }

  handle(request: Request, options: HandleOptions = {}): Promise<{ response: Response }> {
    return this.#send(request, options)
  }

  /** Asks without a body of its own; over plain sockets where the protocol allows. */
  async ask(request: Request, options: HandleOptions = {}): Promise<Answer> {
    if (request.protocol !== 'http:') return answerOf(await this.#send(request, options))
    let head = `${request.method} ${request.path} HTTP/1.1`
    for (const name in request.headers) {
      const value = request.headers[name]!
      // Refused there: it would be headers of someone else's making.
      if (/[\r\n\0]/.test(value)) return answerOf(await this.#send(request, options))
      head += `\r\n${name}: ${value}`
    }
    try {
      const answer = await this.#sockets.send({
        host: request.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: request.port ?? 80,
        head,
        bodyless: request.method === 'HEAD',
        signal: options.abortSignal,
        silenceMs: options.requestTimeout || this.#options.stallMs,
      })
      return { ...answer, statusCode: answer.status }
    } catch (error) {
      if (error instanceof OtherFraming) return answerOf(await this.#send(request, options))
      throw broken(error as NodeJS.ErrnoException)
    }
  }

  /** Sends and reads the whole answer, which must be short whatever its status. */
  async exchange(request: Request, options: HandleOptions = {}): Promise<TextAnswer> {
    const { response } = await this.#send(request, options, true)
    const { statusCode, headers } = response
    try {
      return { statusCode, headers, text: await textOf(response) }
    } catch (error) {
      throw broken(error as NodeJS.ErrnoException)
    }
  }

  /** @param whole the limit on silence holds until the end of the answer */
  #send(request: Request, options: HandleOptions, whole = false): Promise<{ response: Response }> {
    const { abortSignal } = options
    return new Promise((resolve, reject) => {
      if (abortSignal?.aborted) return reject(aborted())
      const secure = request.protocol === 'https:'
      const outgoing = (secure ? https : http).request({
        agent: secure ? this.#https : this.#http,
        host: request.hostname.replace(/^\[(.*)\]$/, '$1'),
        ...(request.port === undefined ? {} : { port: request.port }),
        method: request.method,
        path: pathOf(request),
        headers: request.headers,
      })
      const onAbort = () => outgoing.destroy(aborted())
      abortSignal?.addEventListener('abort', onAbort, { once: true })
      outgoing.setTimeout(options.requestTimeout || this.#options.stallMs, () => outgoing.destroy(stalled()))
      outgoing.once('close', () => abortSignal?.removeEventListener('abort', onAbort))
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(broken(error)))
      outgoing.once('response', (incoming) => {
        // From here the reader decides how long it waits: it may itself be the slow one.
        if (!whole) outgoing.setTimeout(0)
        const headers = plainHeaders(incoming)
        resolve({
          response: {
            statusCode: incoming.statusCode ?? 0,
            reason: incoming.statusMessage,
            headers,
            body: incoming,
          },
        })
      })
      send(outgoing, request.body)
    })
  }

  destroy(): void {
    this.#http.destroy()
    this.#https.destroy()
    this.#sockets.destroy()
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }
}

async function answerOf({ response }: { response: Response }): Promise<Answer> {
  const { statusCode, headers } = response
  if (statusCode < 300) return { statusCode, headers, body: Body.of(response.body as http.IncomingMessage) }
  return { statusCode, headers, text: await textOf(response) }
}

async function textOf({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

function send(outgoing: http.ClientRequest, body: unknown): void {
  if (body instanceof ChunkBody) {
    for (const chunk of body.chunks) outgoing.write(chunk)
    outgoing.end()
  } else if (body instanceof Readable) body.pipe(outgoing)
  else if (body === undefined || body === null) outgoing.end()
  else outgoing.end(body as string | Uint8Array)
}

function pathOf({ path, query }: Request): string {
  if (query === undefined) return path
  const parts: string[] = []
  for (const [key, value] of Object.entries(query)) {
    if (value === null) parts.push(encode(key))
    else
      for (const one of Array.isArray(value) ? value : [value])
        parts.push(`${encode(key)}=${encode(one as string)}`)
  }
  return parts.length === 0 ? path : `${path}?${parts.sort().join('&')}`
}

/** As the signature has it: RFC 3986, which leaves fewer characters than encodeURIComponent. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function plainHeaders(incoming: http.IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value
  }
  return headers
}

function aborted(): Error {
  return Object.assign(new Error('the request was aborted'), { name: 'AbortError' })
}

function stalled(): Error {
  return Object.assign(new Error('the server made no progress'), { name: 'TimeoutError', code: 'ETIMEDOUT' })
}

/** The SDK drops the code of an error that is of another realm than its own, and with it the reason to retry. */
function broken(error: NodeJS.ErrnoException): Error {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return error
  const { code, name } = error
  return Object.assign(new Error(error.message), { name, ...(code === undefined ? {} : { code }) })
}
