/** ListObjects in both versions. */
import type { FileStatus } from '../../client/index.ts'
import { type Buckets, isMarked, ownerXml } from './buckets.ts'
import { S3Error } from './errors.ts'
import { answerXml, type Exchange, iso } from './exchange.ts'
import type { Keys } from './keys.ts'
import { type ListedKey, listKeys } from './listing.ts'
import { infoOf } from './object-info.ts'
import { EMPTY_MD5 } from './object-reads.ts'
import { encodeUri, parameter } from './request.ts'
import { element } from './xml.ts'

const MAX_KEYS = 1000

export interface ListObjectsModules {
  readonly keys: Keys
  readonly buckets: Buckets
}

interface Page {
  readonly keys: readonly ListedKey[]
  /** The last key or common prefix, if more follow. */
  readonly next: string | undefined
}

export class ListObjects {
  readonly #modules: ListObjectsModules

  constructor(modules: ListObjectsModules) {
    this.#modules = modules
  }

  async version1(exchange: Exchange): Promise<void> {
    const { request } = exchange
    const marker = parameter(request, 'marker') ?? ''
    const { page, text, prefix, delimiter, limit } = await this.#list(exchange, marker)
    const next = page.next === undefined || delimiter === '' ? '' : element('NextMarker', text(page.next))
    const head = `${element('Name', request.bucket)}${element('Prefix', text(prefix))}${element('Marker', text(marker))}${next}`
    const more = `${element('MaxKeys', limit)}${delimited(delimiter, text)}${element('IsTruncated', page.next !== undefined)}`
    answerXml(exchange, 'ListBucketResult', head + more + encoding(exchange) + keysXml(page, text, true))
  }

  async version2(exchange: Exchange): Promise<void> {
    const { request } = exchange
    const token = parameter(request, 'continuation-token')
    const startAfter = parameter(request, 'start-after') ?? ''
    const after = token === undefined ? startAfter : keyOfToken(token)
    const { page, text, prefix, delimiter, limit } = await this.#list(exchange, after)
    let head = element('Name', request.bucket) + element('Prefix', text(prefix))
    if (token !== undefined) head += element('ContinuationToken', token)
    if (startAfter !== '') head += element('StartAfter', text(startAfter))
    if (page.next !== undefined) head += element('NextContinuationToken', tokenOf(page.next))
    const more = `${element('KeyCount', page.keys.length)}${element('MaxKeys', limit)}${delimited(delimiter, text)}${element('IsTruncated', page.next !== undefined)}`
    const owner = parameter(request, 'fetch-owner') === 'true'
    answerXml(exchange, 'ListBucketResult', head + more + encoding(exchange) + keysXml(page, text, owner))
  }

  /** There are no versions: each object is its own only one. */
  async versions(exchange: Exchange): Promise<void> {
    const { request } = exchange
    const marker = parameter(request, 'key-marker') ?? ''
    const { page, text, prefix, delimiter, limit } = await this.#list(exchange, marker)
    const next =
      page.next === undefined
        ? ''
        : element('NextKeyMarker', text(page.next)) + element('NextVersionIdMarker', 'null')
    let inner = `${element('Name', request.bucket)}${element('Prefix', text(prefix))}${element('KeyMarker', text(marker))}${next}`
    inner += `${element('MaxKeys', limit)}${delimited(delimiter, text)}${element('IsTruncated', page.next !== undefined)}${encoding(exchange)}`
    for (const { key, status } of page.keys) {
      if (status !== undefined) {
        inner += `<Version>${element('Key', text(key))}${element('VersionId', 'null')}${element('IsLatest', true)}${contentXml(status)}${ownerXml(status.owner)}</Version>`
      }
    }
    answerXml(exchange, 'ListVersionsResult', inner + prefixesXml(page, text))
  }

  async #list(exchange: Exchange, after: string) {
    const { request, fs } = exchange
    const prefix = parameter(request, 'prefix') ?? ''
    const delimiter = parameter(request, 'delimiter') ?? ''
    const limit = limitOf(parameter(request, 'max-keys'))
    const type = parameter(request, 'encoding-type')
    if (type !== undefined && type !== 'url')
      throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request')
    const text = type === 'url' ? (key: string) => encodeUri(key, true) : (key: string) => key
    await this.#modules.buckets.check(fs, request.bucket)
    const folded = delimiter === '/'
    const root = this.#modules.keys.bucket(request.bucket)
    const found = listKeys(fs, { root, prefix, after, folded, isMarker: isMarked })
    const keys = folded || delimiter === '' ? found : foldedAt(found, prefix, delimiter, after)
    return { page: await pageOf(keys, limit), text, prefix, delimiter, limit }
  }
}

async function pageOf(found: AsyncIterable<ListedKey>, limit: number): Promise<Page> {
  const keys: ListedKey[] = []
  if (limit === 0) return { keys, next: undefined }
  for await (const key of found) {
    if (keys.length === limit) return { keys, next: keys.at(-1)!.key }
    keys.push(key)
  }
  return { keys, next: undefined }
}

/** Sums keys up at a delimiter that is no slash. */
async function* foldedAt(
  found: AsyncIterable<ListedKey>,
  prefix: string,
  delimiter: string,
  after: string,
): AsyncGenerator<ListedKey> {
  let last = ''
  for await (const listed of found) {
    const at = listed.key.indexOf(delimiter, prefix.length)
    if (at === -1) {
      yield listed
      continue
    }
    const common = listed.key.slice(0, at + delimiter.length)
    if (common === last || common === after) continue
    last = common
    yield { key: common, status: undefined }
  }
}

function limitOf(text: string | undefined): number {
  if (text === undefined || text === '') return MAX_KEYS
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2 ** 31 - 1)
    throw new S3Error('InvalidArgument', 'Provided max-keys not an integer or within integer range')
  return Math.min(Number(text), MAX_KEYS)
}

function delimited(delimiter: string, text: (key: string) => string): string {
  return delimiter === '' ? '' : element('Delimiter', text(delimiter))
}

function encoding({ request }: Exchange): string {
  return parameter(request, 'encoding-type') === 'url' ? element('EncodingType', 'url') : ''
}

function keysXml(page: Page, text: (key: string) => string, owner: boolean): string {
  let xml = ''
  for (const { key, status } of page.keys) {
    if (status === undefined) continue
    xml += `<Contents>${element('Key', text(key))}${contentXml(status)}${owner ? ownerXml(status.owner) : ''}</Contents>`
  }
  return xml + prefixesXml(page, text)
}

function contentXml(status: FileStatus): string {
  const etag = status.folder ? EMPTY_MD5 : infoOf(status).etag
  const length = status.folder ? 0 : status.length
  return `${element('LastModified', iso(status.lastModificationTimeMs))}<ETag>&quot;${etag}&quot;</ETag>${element('Size', length)}<StorageClass>STANDARD</StorageClass>`
}

function prefixesXml(page: Page, text: (key: string) => string): string {
  let xml = ''
  for (const { key, status } of page.keys) {
    if (status === undefined) xml += `<CommonPrefixes>${element('Prefix', text(key))}</CommonPrefixes>`
  }
  return xml
}

function tokenOf(key: string): string {
  return Buffer.from(key).toString('base64url')
}

function keyOfToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString('utf8')
  if (token === '' || tokenOf(key) !== token)
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect')
  return key
}
