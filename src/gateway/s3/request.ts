/** A request as it came, decoded once: what signature, permissions and storage look at is this and nothing else. */
import type { IncomingMessage } from 'node:http'
import { S3Error } from './errors.ts'

export interface S3Request {
  readonly method: string
  /** As it was sent, without the query. */
  readonly rawPath: string
  readonly query: Query
  /** Lower-case names; repeated ones joined by commas. */
  readonly headers: ReadonlyMap<string, string>
  /** '' for the service itself. */
  readonly bucket: string
  /** '' for the bucket itself. */
  readonly key: string
  readonly message: IncomingMessage
}

/** Decoded parameters in the order in which they came. */
export type Query = readonly (readonly [name: string, value: string])[]

const NO_QUERY: Query = []
/** Headers that decide who asks and for what: two of them are an attempt to be understood in two ways. */
const SINGLE = new Set([
  'authorization',
  'host',
  'content-length',
  'content-md5',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-security-token',
])
const MAX_PARAMETERS = 64

/** @throws InvalidURI, InvalidRequest */
export function readRequest(message: IncomingMessage, domains: readonly string[]): S3Request {
  const url = message.url ?? '/'
  const mark = url.indexOf('?')
  const rawPath = mark === -1 ? url : url.slice(0, mark)
  if (!rawPath.startsWith('/')) throw new S3Error('InvalidURI')
  const headers = readHeaders(message.rawHeaders)
  const path = decode(rawPath)
  const query = mark === -1 ? NO_QUERY : readQuery(url.slice(mark + 1))
  const method = message.method ?? 'GET'
  const hosted = domains.length === 0 ? undefined : bucketOfHost(headers.get('host') ?? '', domains)
  if (hosted !== undefined) {
    return { method, rawPath, query, headers, bucket: hosted, key: path.slice(1), message }
  }
  const slash = path.indexOf('/', 1)
  const bucket = slash === -1 ? path.slice(1) : path.slice(1, slash)
  const key = slash === -1 ? '' : path.slice(slash + 1)
  return { method, rawPath, query, headers, bucket, key, message }
}

export function parameter({ query }: S3Request, name: string): string | undefined {
  for (const [known, value] of query) if (known === name) return value
  return undefined
}

function readHeaders(raw: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    const before = headers.get(name)
    if (before === undefined) headers.set(name, raw[i + 1]!)
    else if (SINGLE.has(name)) throw new S3Error('InvalidRequest', `The header ${name} is sent twice.`)
    else headers.set(name, `${before},${raw[i + 1]!}`)
  }
  return headers
}

function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  for (const domain of domains) {
    if (name.length > domain.length + 1 && name.endsWith(`.${domain}`)) {
      return name.slice(0, -domain.length - 1)
    }
  }
  return undefined
}

function readQuery(text: string): Query {
  if (text === '') return NO_QUERY
  const parts = text.split('&')
  if (parts.length > MAX_PARAMETERS) throw new S3Error('InvalidURI', 'The query has too many parameters.')
  const query: [string, string][] = []
  for (const part of parts) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = equals === -1 ? part : part.slice(0, equals)
    const value = equals === -1 ? '' : part.slice(equals + 1)
    query.push([decode(plusAsSpace(name)), decode(plusAsSpace(value))])
  }
  return query
}

function plusAsSpace(text: string): string {
  return text.includes('+') ? text.replaceAll('+', ' ') : text
}

/** @throws InvalidURI for bad escapes, bad UTF-8, and NUL */
function decode(text: string): string {
  if (!/[%\u0000-\u001f\u007f-\uffff]/.test(text)) return text
  try {
    // Some clients send names in UTF-8 as they are; Node shows their bytes as Latin-1.
    const plain = /[\u0080-\uffff]/.test(text) ? utf8Of(text) : text
    const decoded = decodeURIComponent(plain)
    if (!decoded.includes('\0')) return decoded
  } catch {
    // Said below.
  }
  throw new S3Error('InvalidURI')
}

function utf8Of(latin1: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(latin1, 'latin1'))
}

/** As signatures want it: everything but unreserved characters is escaped. */
export function encodeUri(text: string, keepSlash: boolean): string {
  if (keepSlash ? !/[^A-Za-z0-9\-._~/]/.test(text) : !/[^A-Za-z0-9\-._~]/.test(text)) return text
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return keepSlash ? encoded.replaceAll('%2F', '/') : encoded
}

/** The decoded path, escaped again as signatures want it. */
export function canonicalUri({ rawPath }: S3Request): string {
  return encodeUri(decode(rawPath), true)
}
