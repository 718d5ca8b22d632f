/**
 * AWS Signature Version 4: who signed a request, and how its body is to be checked. Runs once for each request, before anything
 * looks at what it asks for.
 */
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Runtime } from '../../core/index.ts'
import { S3Error } from './errors.ts'
import { canonicalUri, encodeUri, parameter, type S3Request } from './request.ts'
import type { SigningKey, SigningKeys } from './signing-keys.ts'

const ALGORITHM = 'AWS4-HMAC-SHA256'
const MAX_SKEW_MS = 15 * 60_000
const MAX_EXPIRES_SECONDS = 604_800
const UNSIGNED = 'UNSIGNED-PAYLOAD'
const HEX_256 = /^[0-9a-f]{64}$/
const TIME = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/

/** How the body of a request is signed. */
export type Payload =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'digest'; readonly sha256: string }
  | { readonly kind: 'chunks'; readonly trailer: boolean; readonly chain: ChunkChain | undefined }

/** What the signature of a chunk is made of: each signs the one before. */
export interface ChunkChain {
  readonly key: KeyObject
  readonly time: string
  readonly scope: string
  readonly seed: string
}

export interface Identity {
  readonly user: string
  readonly accessKeyId: string
  readonly payload: Payload
}

interface Claim {
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly time: string
  readonly signedHeaders: string
  readonly signature: string
  readonly presigned: boolean
}

export interface SignaturesOptions {
  /** The only one that is accepted; '' for any. */
  readonly region: string
}

export interface SignaturesModules {
  readonly keys: SigningKeys
  readonly runtime: Pick<Runtime, 'now'>
}

export class Signatures {
  readonly #options: SignaturesOptions
  readonly #modules: SignaturesModules

  constructor(options: SignaturesOptions, modules: SignaturesModules) {
    this.#options = options
    this.#modules = modules
  }

  /** @throws S3Error for whatever is not signed by somebody known, in time, and as it stands */
  verify(request: S3Request): Identity | Promise<Identity> {
    const claim = this.#claim(request)
    const key = this.#modules.keys.of(claim.accessKeyId, claim.date, claim.region)
    return key instanceof Promise
      ? key.then((found) => this.#check(request, claim, found))
      : this.#check(request, claim, key)
  }

  #claim(request: S3Request): Claim {
    const authorization = request.headers.get('authorization')
    const algorithm = parameter(request, 'X-Amz-Algorithm')
    const inQuery =
      algorithm !== undefined ||
      parameter(request, 'X-Amz-Signature') !== undefined ||
      parameter(request, 'X-Amz-Credential') !== undefined
    if (authorization !== undefined && inQuery) {
      throw new S3Error(
        'InvalidArgument',
        'Only one way to sign is allowed: the Authorization header or the query.',
      )
    }
    if (inQuery) return this.#presigned(request, algorithm)
    if (authorization === undefined) {
      if (parameter(request, 'Signature') !== undefined) throw outdated()
      throw new S3Error('AccessDenied', 'The request is not signed.')
    }
    return this.#signed(request, authorization)
  }

  #signed(request: S3Request, authorization: string): Claim {
    if (!authorization.startsWith(`${ALGORITHM} `)) throw outdated()
    const fields = new Map<string, string>()
    for (const part of authorization.slice(ALGORITHM.length + 1).split(',')) {
      const equals = part.indexOf('=')
      const name = part.slice(0, equals).trim()
      if (equals === -1 || fields.has(name)) throw new S3Error('AuthorizationHeaderMalformed')
      fields.set(name, part.slice(equals + 1).trim())
    }
    const malformed = 'AuthorizationHeaderMalformed'
    const scope = this.#scope(fields.get('Credential'), malformed)
    const signedHeaders = fields.get('SignedHeaders') ?? ''
    const signature = fields.get('Signature') ?? ''
    if (!HEX_256.test(signature)) throw new S3Error(malformed, 'Signature is missing or no SHA-256 digest.')
    const time = timeOf(request.headers)
    const sentMs = parseTime(time)
    if (Number.isNaN(sentMs))
      throw new S3Error('AccessDenied', 'A valid x-amz-date or Date header is needed to sign a request.')
    if (Math.abs(this.#modules.runtime.now() - sentMs) > MAX_SKEW_MS) {
      throw new S3Error('RequestTimeTooSkewed', undefined, {
        details: { RequestTime: time, MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS) },
      })
    }
    if (!time.startsWith(scope.date))
      throw new S3Error('SignatureDoesNotMatch', 'The credential is of another day.')
    return { ...scope, time, signedHeaders, signature, presigned: false }
  }

  #presigned(request: S3Request, algorithm: string | undefined): Claim {
    const malformed = 'AuthorizationQueryParametersError'
    for (const name of ['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature']) {
      const values = request.query.filter(([known]) => known === `X-Amz-${name}`)
      if (values.length !== 1) throw new S3Error(malformed, `The query needs X-Amz-${name}, once.`)
    }
    if (algorithm !== ALGORITHM) throw new S3Error(malformed, `X-Amz-Algorithm only supports ${ALGORITHM}.`)
    const scope = this.#scope(parameter(request, 'X-Amz-Credential'), malformed)
    const time = parameter(request, 'X-Amz-Date')!
    const signature = parameter(request, 'X-Amz-Signature')!
    const expires = parameter(request, 'X-Amz-Expires')!
    const sentMs = parseTime(time)
    if (Number.isNaN(sentMs)) throw new S3Error(malformed, 'X-Amz-Date must be in the form yyyyMMddTHHmmssZ.')
    if (!time.startsWith(scope.date)) throw new S3Error(malformed, 'The credential is of another day.')
    if (!/^\d{1,7}$/.test(expires) || Number(expires) < 1 || Number(expires) > MAX_EXPIRES_SECONDS) {
      throw new S3Error(malformed, `X-Amz-Expires must be 1 to ${MAX_EXPIRES_SECONDS} seconds.`)
    }
    const nowMs = this.#modules.runtime.now()
    if (sentMs - nowMs > MAX_SKEW_MS) throw new S3Error('AccessDenied', 'The request is not valid yet.')
    if (nowMs > sentMs + Number(expires) * 1000) throw new S3Error('AccessDenied', 'The request has expired.')
    if (!HEX_256.test(signature)) throw new S3Error('SignatureDoesNotMatch')
    const signedHeaders = parameter(request, 'X-Amz-SignedHeaders')!
    return { ...scope, time, signedHeaders, signature, presigned: true }
  }

  /** `KEY/20261122/region/s3/aws4_request`; the key may have slashes itself. */
  #scope(
    credential: string | undefined,
    malformed: 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError',
  ): { accessKeyId: string; date: string; region: string } {
    const parts = (credential ?? '').split('/')
    const [date = '', region = '', service = '', terminal = ''] = parts.splice(-4)
    const accessKeyId = parts.join('/')
    if (accessKeyId === '' || terminal !== 'aws4_request' || !/^\d{8}$/.test(date))
      throw new S3Error(malformed)
    if (service !== 's3')
      throw new S3Error(malformed, `The service of the credential must be s3, not ${service.slice(0, 40)}.`)
    const { region: ours } = this.#options
    if (region === '' || region.length > 64 || (ours !== '' && region !== ours)) {
      throw new S3Error(malformed, `The region of the credential must be ${ours === '' ? 'said' : ours}.`, {
        details: ours === '' ? {} : { Region: ours },
      })
    }
    return { accessKeyId, date, region }
  }

  #check(request: S3Request, claim: Claim, known: SigningKey | undefined): Identity {
    if (known === undefined) throw new S3Error('InvalidAccessKeyId')
    const { headers } = request
    const names = claim.signedHeaders.split(';')
    const content = contentOf(headers, claim.presigned)
    checkSigned(headers, names)
    const canonical = canonicalRequest(request, names, claim, content)
    const scope = `${claim.date}/${claim.region}/s3/aws4_request`
    const toSign = `${ALGORITHM}\n${claim.time}\n${scope}\n${hash('sha256', canonical, 'hex')}`
    const expected = createHmac('sha256', known.key).update(toSign).digest()
    if (!timingSafeEqual(expected, Buffer.from(claim.signature, 'hex'))) {
      throw new S3Error('SignatureDoesNotMatch', undefined, {
        details: { AWSAccessKeyId: claim.accessKeyId },
      })
    }
    const chain = { key: known.key, time: claim.time, scope, seed: claim.signature }
    return { user: known.user, accessKeyId: claim.accessKeyId, payload: payloadOf(content, chain) }
  }
}

function outdated(): S3Error {
  return new S3Error('InvalidRequest', `The way to sign is not supported: please use ${ALGORITHM}.`)
}

function timeOf(headers: ReadonlyMap<string, string>): string {
  const time = headers.get('x-amz-date')
  if (time !== undefined) return time
  const ms = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

function parseTime(text: string): number {
  const match = TIME.exec(text)
  if (match === null) return Number.NaN
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number)
  const ms = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)
  // A month 13 rolls over.
  return new Date(ms).getUTCDate() === day && new Date(ms).getUTCMonth() === month! - 1 ? ms : Number.NaN
}

/** What says where, and what S3 is told, must be signed. */
function checkSigned(headers: ReadonlyMap<string, string>, names: readonly string[]): void {
  if (!names.includes('host')) throw new S3Error('AccessDenied', 'The host header must be signed.')
  for (const name of headers.keys()) {
    if (name.startsWith('x-amz-') && !names.includes(name)) {
      throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
        details: { HeadersNotSigned: name },
      })
    }
  }
  for (const [i, name] of names.entries()) {
    if (!headers.has(name) || (i > 0 && name <= names[i - 1]!)) {
      throw new S3Error(
        'SignatureDoesNotMatch',
        'The list of signed headers is not that of the request, in order.',
      )
    }
  }
}

function contentOf(headers: ReadonlyMap<string, string>, presigned: boolean): string {
  const content = headers.get('x-amz-content-sha256')
  if (content !== undefined) return content
  if (presigned) return UNSIGNED
  throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
}

function payloadOf(content: string, chain: ChunkChain): Payload {
  switch (content) {
    case UNSIGNED:
      return { kind: 'unsigned' }
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { kind: 'chunks', trailer: false, chain }
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { kind: 'chunks', trailer: true, chain }
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { kind: 'chunks', trailer: true, chain: undefined }
  }
  if (HEX_256.test(content)) return { kind: 'digest', sha256: content }
  throw new S3Error(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a SHA-256 digest.',
  )
}

function canonicalRequest(
  request: S3Request,
  names: readonly string[],
  claim: Claim,
  content: string,
): string {
  let text = `${request.method}\n${canonicalUri(request)}\n${canonicalQuery(request, claim.presigned)}\n`
  for (const name of names) text += `${name}:${trimmed(request.headers.get(name)!)}\n`
  return `${text}\n${claim.signedHeaders}\n${content}`
}

function canonicalQuery({ query }: S3Request, presigned: boolean): string {
  if (query.length === 0) return ''
  const pairs: string[] = []
  for (const [name, value] of query) {
    if (presigned && name === 'X-Amz-Signature') continue
    pairs.push(`${encodeUri(name, false)}=${encodeUri(value, false)}`)
  }
  // By the escaped name, then value: `=` sorts behind `-` and digits, so that whole pairs must not be compared.
  return pairs.length === 1 ? pairs[0]! : pairs.sort(byNameThenValue).join('&')
}

function byNameThenValue(a: string, b: string): number {
  const [nameA, nameB] = [a.slice(0, a.indexOf('=')), b.slice(0, b.indexOf('='))]
  if (nameA !== nameB) return nameA < nameB ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

function trimmed(value: string): string {
  return /^\s|\s$|\s\s/.test(value) ? value.trim().replace(/\s+/g, ' ') : value
}
