/**
 * Clouds whose own protocol is that of S3 in other words: headers of another name, a signature of other constants. Requests of
 * the SDK are reworded and signed on their way out, and what answers say is worded as S3 says it.
 */
import { createHash, createHmac, hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type Answer, encode, type HttpHandler } from '../http-transport/http-handler.ts'
import type { Credentials } from './signature.ts'

type Request = Parameters<HttpHandler['handle']>[0]
type Options = Parameters<HttpHandler['handle']>[1]

export interface Dialect {
  /** Of its own headers, such as `x-oss-`. */
  readonly prefix: string
  readonly algorithm: string
  /** What the secret key begins with when the key of a day is made of it. */
  readonly keyPrefix: string
  readonly service: string
  readonly ending: string
  /** Says that nothing may stand at the target yet. */
  readonly ifAbsent: readonly [name: string, value: string]
  /** The bucket is part of the signed path even where it is part of the host, and only own headers are signed. */
  readonly style: 'oss' | 'v4'
}

/** https://cloud.google.com/storage/docs/authentication/signatures and /migrating: HMAC keys with `x-goog-` headers. */
export const GOOG: Dialect = {
  prefix: 'x-goog-',
  algorithm: 'GOOG4-HMAC-SHA256',
  keyPrefix: 'GOOG4',
  service: 'storage',
  ending: 'goog4_request',
  ifAbsent: ['x-goog-if-generation-match', '0'],
  style: 'v4',
}

/** https://www.alibabacloud.com/help/en/oss/developer-reference/recommend-to-use-signature-version-4 */
export const OSS: Dialect = {
  prefix: 'x-oss-',
  algorithm: 'OSS4-HMAC-SHA256',
  keyPrefix: 'aliyun_v4',
  service: 'oss',
  ending: 'aliyun_v4_request',
  ifAbsent: ['x-oss-forbid-overwrite', 'true'],
  style: 'oss',
}

const UNSIGNED = 'UNSIGNED-PAYLOAD'
/** Headers that keep their end in every dialect. */
const KEPT = /^x-amz-(meta-.*|copy-source|copy-source-range|metadata-directive)$/

/** The part of a request that a signature is made of. */
export interface Wire {
  readonly method: string
  readonly hostname: string
  /** Encoded. */
  readonly path: string
  /** Not encoded; null: a name without a value. */
  readonly query: Readonly<Record<string, string | null>>
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** Value of the Authorization header for a request that has its date among its headers. */
export function signDialect(
  dialect: Dialect,
  wire: Wire,
  place: { readonly bucket: string; readonly region: string },
  credentials: Credentials,
): string {
  const { algorithm, keyPrefix, service, ending, prefix, style } = dialect
  const own = style === 'oss'
  const time = wire.headers[`${prefix}date`]!
  const names = Object.keys(wire.headers)
    .filter(
      (name) =>
        name.startsWith(prefix) ||
        name === 'content-type' ||
        name === 'content-md5' ||
        (!own && name === 'host'),
    )
    .sort()
  const virtual = own && wire.hostname.startsWith(`${place.bucket}.`)
  const query = Object.entries(wire.query)
    .map(([name, value]) => (own && !value ? encode(name) : `${encode(name)}=${encode(value ?? '')}`))
    .sort((a, b) => (a.split('=', 1)[0]! < b.split('=', 1)[0]! ? -1 : 1))
  const canonical = [
    wire.method,
    virtual ? `/${place.bucket}${wire.path}` : wire.path,
    query.join('&'),
    ...names.map((name) => `${name}:${wire.headers[name]!.trim()}`),
    '',
    own ? '' : names.join(';'),
    UNSIGNED,
  ].join('\n')
  const scope = [time.slice(0, 8), place.region, service, ending]
  const text = [algorithm, time, scope.join('/'), hash('sha256', canonical)].join('\n')
  let key: Buffer | string = keyPrefix + credentials.secretAccessKey
  for (const part of scope) key = createHmac('sha256', key).update(part).digest()
  const signature = createHmac('sha256', key).update(text).digest('hex')
  const head = `${algorithm} Credential=${credentials.accessKeyId}/${scope.join('/')}`
  return own
    ? `${head},Signature=${signature}`
    : `${head}, SignedHeaders=${names.join(';')}, Signature=${signature}`
}

export interface DialectModules {
  readonly handler: HttpHandler
  readonly credentials: () => Credentials
  /** An access token that is sent instead of a signature. */
  readonly bearer?: (() => Promise<string>) | undefined
  readonly now: () => number
}

/** Stands between the SDK and the sockets. */
export class DialectHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #dialect: Dialect
  readonly #place: { readonly bucket: string; readonly region: string }
  readonly #m: DialectModules

  constructor(
    dialect: Dialect,
    place: { readonly bucket: string; readonly region: string },
    modules: DialectModules,
  ) {
    this.#dialect = dialect
    this.#place = place
    this.#m = modules
  }

  async handle(request: Request, options?: Options) {
    const { response } = await this.#m.handler.handle(await this.#authorized(request), options)
    return {
      response: { ...response, headers: this.#asS3(response.headers), body: response.body as Readable },
    }
  }

  async ask(request: Request, options?: Options): Promise<Answer> {
    const answer = await this.#m.handler.ask(pathWithQuery(await this.#authorized(request)), options)
    return { ...answer, headers: this.#asS3(answer.headers) }
  }

  destroy(): void {
    this.#m.handler.destroy()
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }

  async #authorized(request: Request): Promise<Request> {
    const bearer = await this.#m.bearer?.()
    const { query, headers, body } = this.#reworded(request)
    const { style } = this.#dialect
    if (bearer === undefined) this.#sign(request, query, headers)
    else headers.authorization = `Bearer ${bearer}`
    // Google's front end unpacks gzip for who does not say so, and rewrites the header before the signature is checked.
    const read = request.method === 'GET' || request.method === 'HEAD'
    if (style === 'v4' && read) headers['accept-encoding'] = 'gzip'
    return { ...request, query: query as Record<string, string>, headers, body }
  }

  #reworded(request: Request): {
    readonly query: Record<string, string | null>
    readonly headers: Record<string, string>
    readonly body: unknown
  } {
    const { prefix, ifAbsent, style } = this.#dialect
    const { method } = request
    const query: Record<string, string | null> = {}
    for (const [name, value] of Object.entries(request.query ?? {})) {
      // What the SDK adds for Amazon's logs.
      if (name !== 'x-id') query[name] = value === '' || value === null ? null : String(value)
    }
    const headers: Record<string, string> = {}
    for (const [given, value] of Object.entries(request.headers)) {
      const name = given.toLowerCase()
      if (name === 'if-none-match' && method !== 'GET' && method !== 'HEAD')
        headers[ifAbsent[0]] = ifAbsent[1]
      else if (KEPT.test(name)) headers[prefix + name.slice(6)] = value
      else if (name === 'x-amz-checksum-crc32c' && style === 'v4') headers['x-goog-hash'] = `crc32c=${value}`
      else if (!/^(x-amz-|amz-sdk-|authorization$|expect$)/.test(name)) headers[name] = value
    }
    const source = headers[`${prefix}copy-source`]
    if (source !== undefined && !source.startsWith('/')) headers[`${prefix}copy-source`] = `/${source}`
    const body = plainXml(request.body)
    if (typeof body === 'string') headers['content-length'] = String(Buffer.byteLength(body))
    if ('delete' in query && typeof body === 'string') {
      headers['content-md5'] = createHash('md5').update(body).digest('base64')
    }
    return { query, headers, body }
  }

  #sign(
    { method, hostname, path }: Request,
    query: Record<string, string | null>,
    headers: Record<string, string>,
  ): void {
    const { prefix } = this.#dialect
    headers[`${prefix}date`] = `${new Date(this.#m.now()).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
    headers[`${prefix}content-sha256`] = UNSIGNED
    const credentials = this.#m.credentials()
    if (credentials.sessionToken !== undefined) headers[`${prefix}security-token`] = credentials.sessionToken
    if (credentials.secretAccessKey === '') return
    const wire = { method, hostname, path, query, headers }
    headers.authorization = signDialect(this.#dialect, wire, this.#place, credentials)
  }

  #asS3(headers: Readonly<Record<string, string>>): Record<string, string> {
    const { prefix } = this.#dialect
    const worded: Record<string, string> = {}
    for (const name in headers) {
      worded[name.startsWith(prefix) ? `x-amz-${name.slice(prefix.length)}` : name] = headers[name]!
    }
    const crc = /crc32c=([A-Za-z0-9+/=]+)/.exec(headers['x-goog-hash'] ?? '')?.[1]
    if (crc !== undefined) worded['x-amz-checksum-crc32c'] = crc
    worded['x-amz-request-id'] ??= headers['x-guploader-uploadid'] ?? ''
    return worded
  }
}

/** Documents without what is Amazon's alone: its name space, and the checksums of parts, which went along as headers. */
function plainXml(body: unknown): unknown {
  const text = body instanceof Uint8Array && body[0] === 60 ? Buffer.from(body).toString('utf8') : body
  if (typeof text !== 'string') return body
  return text
    .replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', '')
    .replace(/<ChecksumCRC32C>[^<]*<\/ChecksumCRC32C>/g, '')
}

function pathWithQuery(request: Request): Request {
  const { query, ...rest } = request
  const parts = Object.entries(query ?? {}).map(([name, value]) =>
    value ? `${encode(name)}=${encode(value as string)}` : encode(name),
  )
  return parts.length === 0 ? rest : { ...rest, path: `${rest.path}?${parts.join('&')}` }
}
