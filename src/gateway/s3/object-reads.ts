/** GetObject and HeadObject. */
import type { FileStatus } from '../../client/index.ts'
import { type AlluxioError, isAlluxioError } from '../../core/index.ts'
import { openAndSend, sendRange } from '../http/body.ts'
import type { Buckets } from './buckets.ts'
import { PLAIN, rangeOf, readCondition } from './conditions.ts'
import { S3Error } from './errors.ts'
import { answerEmpty, type Exchange, type Headers, headersOf } from './exchange.ts'
import { type Keys, noSuchKey } from './keys.ts'
import { infoOf, MARKER_XATTR, type ObjectInfo } from './object-info.ts'
import type { Opened, Readers } from './readers.ts'
import { parameter, type S3Request } from './request.ts'

/** Parameters of a signed GET that say what a header of the answer is to be. */
const OVERRIDES = new Map([
  ['response-content-type', 'content-type'],
  ['response-content-language', 'content-language'],
  ['response-expires', 'expires'],
  ['response-cache-control', 'cache-control'],
  ['response-content-disposition', 'content-disposition'],
  ['response-content-encoding', 'content-encoding'],
])
const DEFAULT_TYPE = 'binary/octet-stream'
const FOLDER_TYPE = 'application/x-directory'

export interface ObjectReadsModules {
  readonly keys: Keys
  readonly readers: Readers
  readonly buckets: Buckets
}

interface Slice {
  readonly start: number
  readonly end: number
  /** Whether it is not simply the whole. */
  readonly partial: boolean
  readonly parts: number
}

export class ObjectReads {
  readonly #modules: ObjectReadsModules

  constructor(modules: ObjectReadsModules) {
    this.#modules = modules
  }

  async get(exchange: Exchange): Promise<void> {
    const { request, response } = exchange
    if (request.key.endsWith('/')) return this.#folder(exchange)
    const open = () => this.open(exchange, request.bucket, request.key)
    await openAndSend(response, open, (opened) => this.#send(exchange, opened))
  }

  async #send(exchange: Exchange, opened: Opened): Promise<void> {
    const { request, response } = exchange
    try {
      const { status, reader } = opened
      const info = infoOf(status)
      const slice = this.#slice(exchange, status, info)
      if (slice === undefined) return
      const head = () => {
        const headers = headersFor(exchange, status, info, slice)
        response.writeHead(slice.partial ? 206 : 200, headers)
      }
      if (request.method === 'HEAD' || slice.start === slice.end) {
        head()
        response.end()
      } else await sendRange(reader, slice, response, { head })
    } finally {
      opened.close()
    }
  }

  /** @throws NoSuchKey, NoSuchBucket, AccessDenied */
  async open({ fs }: Pick<Exchange, 'fs'>, bucket: string, key: string): Promise<Opened> {
    const path = this.#modules.keys.path(bucket, key, true)
    try {
      return await this.#modules.readers.open(fs, path)
    } catch (error) {
      throw await this.notThere(fs, bucket, key, error)
    }
  }

  /** Which of bucket and key is missing. */
  async notThere(fs: Exchange['fs'], bucket: string, key: string, error: unknown): Promise<unknown> {
    const missing =
      isAlluxioError(error, 'NOT_FOUND') ||
      isAlluxioError(error, 'IS_A_DIRECTORY') ||
      isAlluxioError(error, 'NOT_A_DIRECTORY') ||
      (isAlluxioError(error, 'CONFLICT') && (error as AlluxioError).reason === 'INCOMPLETE')
    if (!missing) return error
    try {
      await this.#modules.buckets.check(fs, bucket)
    } catch (why) {
      return why
    }
    return noSuchKey(key)
  }

  /** What of the object is to be sent; undefined when a condition has answered already. */
  #slice(exchange: Exchange, status: Told, info: ObjectInfo): Slice | undefined {
    const { headers } = exchange.request
    const { etag } = info
    const modifiedMs = status.lastModificationTimeMs
    const verdict = readCondition(headers, PLAIN, { etag, modifiedMs })
    if (verdict === 'failed') throw new S3Error('PreconditionFailed')
    if (verdict === 'unmodified') {
      answerEmpty(exchange, 304, ['etag', `"${etag}"`, 'last-modified', utc(modifiedMs)])
      return undefined
    }
    const { length } = status
    const partNumber = parameter(exchange.request, 'partNumber')
    if (partNumber !== undefined) return partOf(partNumber, length, info.parts)
    const range = rangeOf(headers.get('range'), length)
    return range === undefined
      ? { start: 0, end: length, partial: false, parts: 0 }
      : { ...range, partial: true, parts: 0 }
  }

  /** A key that ends with a slash: a folder that was made by it. */
  async #folder(exchange: Exchange): Promise<void> {
    const { request, response, fs } = exchange
    const path = this.#modules.keys.path(request.bucket, request.key, true)
    let status: FileStatus
    try {
      status = await fs.getStatus(path)
    } catch (error) {
      throw await this.notThere(fs, request.bucket, request.key, error)
    }
    if (!status.folder || status.xattr[MARKER_XATTR] === undefined) throw noSuchKey(request.key)
    const info = infoOf(status)
    const told = { length: 0, lastModificationTimeMs: status.lastModificationTimeMs }
    const slice = this.#slice(exchange, told, { ...info, etag: EMPTY_MD5 })
    if (slice === undefined) return
    const typed = { ...info, etag: EMPTY_MD5, headers: { 'content-type': FOLDER_TYPE, ...info.headers } }
    response.writeHead(200, headersFor(exchange, told, typed, slice))
    response.end()
  }
}

export const EMPTY_MD5 = 'd41d8cd98f00b204e9800998ecf8427e'

/** What of a file its answer tells. */
type Told = Pick<FileStatus, 'length' | 'lastModificationTimeMs'>

/** @param parts sizes of the parts in runs: number, size, number, size, … */
function partOf(text: string, length: number, parts: readonly number[]): Slice {
  const wanted = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (wanted < 1 || wanted > 10_000) throw new S3Error('InvalidArgument', 'partNumber must be 1 to 10000.')
  if (parts.length === 0) {
    if (wanted === 1) return { start: 0, end: length, partial: true, parts: 0 }
    throw new S3Error('InvalidRange', 'The requested part is not satisfiable.')
  }
  let count = 0
  let at = 0
  let found: Slice | undefined
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [n, size] = [parts[i]!, parts[i + 1]!]
    if (found === undefined && wanted <= count + n) {
      const start = at + (wanted - count - 1) * size
      found = { start, end: start + size, partial: true, parts: 0 }
    }
    count += n
    at += n * size
  }
  if (found === undefined) throw new S3Error('InvalidRange', 'The requested part is not satisfiable.')
  return { ...found, parts: count }
}

function headersFor(exchange: Exchange, status: Told, info: ObjectInfo, slice: Slice): Headers {
  const { request } = exchange
  const headers = headersOf(exchange)
  const { start, end, partial, parts } = slice
  headers.push('etag', `"${info.etag}"`, 'last-modified', utc(status.lastModificationTimeMs))
  headers.push('accept-ranges', 'bytes', 'content-length', String(end - start))
  if (partial) headers.push('content-range', `bytes ${start}-${end - 1}/${status.length}`)
  if (parts > 0) headers.push('x-amz-mp-parts-count', String(parts))
  if (request.query.length === 0) {
    if (info.headers['content-type'] === undefined) headers.push('content-type', DEFAULT_TYPE)
    for (const name in info.headers) headers.push(name, info.headers[name]!)
  } else overridden(request, info, headers)
  for (const name in info.metadata) headers.push(`x-amz-meta-${name}`, info.metadata[name]!)
  if (info.tags > 0) headers.push('x-amz-tagging-count', String(info.tags))
  // A browser that is led to an object must not take it for a page of ours.
  headers.push('x-content-type-options', 'nosniff')
  if (!partial && request.headers.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') {
    for (const [name, value] of Object.entries(info.checksums)) headers.push(`x-amz-checksum-${name}`, value)
    if (Object.keys(info.checksums).length > 0)
      headers.push('x-amz-checksum-type', info.parts.length > 0 ? 'COMPOSITE' : 'FULL_OBJECT')
  }
  return headers
}

function overridden(request: S3Request, info: ObjectInfo, headers: Headers): void {
  const own: Record<string, string> = { 'content-type': DEFAULT_TYPE, ...info.headers }
  for (const [name, value] of request.query) {
    const header = OVERRIDES.get(name)
    if (header === undefined) continue
    if (/[^\t\u0020-\u007e\u00a0-\u00ff]/.test(value))
      throw new S3Error('InvalidArgument', `${name} is no header.`)
    own[header] = value
  }
  for (const name in own) headers.push(name, own[name]!)
}

export function utc(ms: number): string {
  return new Date(ms).toUTCString()
}
