/** Requests to one account: the token put on, renewed once when it is refused, refusals translated. */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import {
  type Answer,
  ChunkBody,
  encode,
  type HttpHandler,
  type Request,
  type TextAnswer,
} from '../http-transport/http-handler.ts'
import { malformed, refused, unanswered } from './errors.ts'
import { type Access, addressOf, type Session } from './session.ts'

export interface SwiftRequest {
  /** Counted and shown in messages: `PutObject`. */
  readonly api: string
  readonly method: string
  /** '' for the account. */
  readonly container: string
  /** '' for the container. */
  readonly key: string
  /** Path for messages. */
  readonly path: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that the server may be silent. @default the store's stall timeout */
  readonly silenceMs?: number
}

/** What the server says that it can do, as far as it matters here. */
export interface Abilities {
  /** Most objects of one bulk delete; 0 where there is none. */
  readonly bulkDeletes: number
  /** Most segments of one manifest; 0 where there are no static large objects. */
  readonly segments: number
}

interface Info {
  readonly bulk_delete?: { readonly max_deletes_per_request?: number }
  readonly slo?: { readonly max_manifest_segments?: number }
}

/** What is assumed of a server that does not tell. */
const UNKNOWN: Abilities = { bulkDeletes: 0, segments: 1000 }

export class SwiftConnection {
  readonly container: string
  readonly segmentContainer: string
  readonly #handler: HttpHandler
  readonly #session: Session
  readonly #onApiCall: (api: string) => void
  #abilities: Promise<Abilities> | undefined

  constructor(
    options: { readonly container: string; readonly segmentContainer: string },
    modules: {
      readonly handler: HttpHandler
      readonly session: Session
      readonly onApiCall: (api: string) => void
    },
  ) {
    this.container = options.container
    this.segmentContainer = options.segmentContainer
    this.#handler = modules.handler
    this.#session = modules.session
    this.#onApiCall = modules.onApiCall
  }

  /** A request without a body whose answer's content is streamed. @throws AlluxioError */
  ask(request: SwiftRequest): Promise<Answer> {
    return this.#run(request, (sent, options) => this.#handler.ask(sent, options))
  }

  /** A request whose answer is short. @throws AlluxioError */
  send(request: SwiftRequest): Promise<TextAnswer> {
    return this.#run(request, (sent, options) => this.#handler.exchange(sent, options))
  }

  /** Asked once; a server that keeps it to itself is taken for one without bulk delete. */
  async abilities(signal: AbortSignal | undefined): Promise<Abilities> {
    const asked = this.#abilities ?? this.#discover(signal)
    this.#abilities = asked
    asked.catch(() => {
      if (this.#abilities === asked) this.#abilities = undefined
    })
    return asked
  }

  close(): void {
    this.#handler.destroy()
  }

  async #run<
    T extends {
      readonly statusCode: number
      readonly headers: Record<string, string>
      readonly text?: Uint8Array
    },
  >(
    request: SwiftRequest,
    carry: (sent: Request, options: { abortSignal?: AbortSignal; requestTimeout?: number }) => Promise<T>,
  ): Promise<T> {
    const { signal, silenceMs } = request
    const options = {
      ...(signal === undefined ? {} : { abortSignal: signal }),
      ...(silenceMs === undefined ? {} : { requestTimeout: silenceMs }),
    }
    const attempt = async (access: Access): Promise<T> => {
      this.#onApiCall(request.api)
      try {
        return await carry(sentOf(request, access), options)
      } catch (error) {
        throw unanswered(this.#what(request), error, signal)
      }
    }
    const access = await this.#session.access()
    let answer = await attempt(access)
    // Tokens end, and are revoked: once more with a new one.
    if (answer.statusCode === 401) answer = await attempt(await this.#session.renew(access))
    if (answer.statusCode < 300) return answer
    const error = refused(this.#what(request), answer)
    const missing = answer.statusCode === 404 && (request.key === '' || request.method === 'PUT')
    throw missing ? containerMissing(request.container, error) : error
  }

  async #discover(signal: AbortSignal | undefined): Promise<Abilities> {
    const { storage } = await this.#session.access()
    const at = storage.pathname.lastIndexOf('/v1')
    const path = `${at === -1 ? '' : storage.pathname.slice(0, at)}/info`
    this.#onApiCall('Info')
    const what = `Info of ${storage.origin}`
    let answer: TextAnswer
    try {
      answer = await this.#handler.exchange(
        { ...addressOf(storage), method: 'GET', path, headers: { host: storage.host } },
        signal === undefined ? {} : { abortSignal: signal },
      )
    } catch (error) {
      throw unanswered(what, error, signal)
    }
    if (answer.statusCode >= 500) throw refused(what, answer)
    if (answer.statusCode >= 300) return UNKNOWN
    const info = jsonOf(what, answer.text) as Info
    return {
      bulkDeletes: info.bulk_delete === undefined ? 0 : (info.bulk_delete.max_deletes_per_request ?? 1000),
      segments: info.slo === undefined ? 0 : (info.slo.max_manifest_segments ?? 1000),
    }
  }

  #what({ api, path, container }: SwiftRequest): string {
    return `${api} ${path || '/'} in swift://${container}`
  }
}

function sentOf({ method, container, key, query, headers, body }: SwiftRequest, access: Access): Request {
  const { storage, token } = access
  const length = body?.reduce((bytes, chunk) => bytes + chunk.length, 0)
  return {
    ...addressOf(storage),
    method,
    path: `${storage.pathname}/${objectPath(container, key)}${query === undefined ? '' : `?${query}`}`,
    headers: {
      host: storage.host,
      'x-auth-token': token,
      ...(length === undefined ? {} : { 'content-length': String(length) }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: new ChunkBody(body) }),
  }
}

/** `container/key`, percent-encoded. */
export function objectPath(container: string, key: string): string {
  if (container === '') return ''
  return key === '' ? encode(container) : `${encode(container)}/${key.split('/').map(encode).join('/')}`
}

export function jsonOf(what: string, text: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(text).toString('utf8'))
  } catch {
    throw malformed(what, 'the answer is no JSON')
  }
}

function containerMissing(container: string, cause: AlluxioError): AlluxioError {
  const dot = container.lastIndexOf('.')
  const provider =
    dot > 0
      ? `, or, if "${container.slice(dot + 1)}" is a provider, set alluxio.underfs.swift.provider=${container.slice(dot + 1)}`
      : ''
  return new AlluxioError(
    'NOT_FOUND',
    `the container ${container} does not exist: make it, or correct its name, the account or the address${provider}. ${cause.message}`,
    { reason: 'BUCKET_MISSING', details: cause.details, cause },
  )
}

/** NOT_FOUND of an object, as against that of its container. */
export function isMissing(error: unknown): boolean {
  return isAlluxioError(error, 'NOT_FOUND') && error.reason !== 'BUCKET_MISSING'
}
