/** What an object is beside its bytes: entity tag, headers, the user's metadata, checksums, tags; kept in extended attributes. */
import { hash } from 'node:crypto'
import type { FileStatus } from '../../client/index.ts'
import { CHECKSUMS, type Checksum } from './checksums.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

/** JSON of `StoredInfo`. */
export const OBJECT_XATTR = 's3.object'
/** Tags in the form of a query. */
export const TAGS_XATTR = 's3.tags'
/** On a directory: it was made as an object whose key ends with a slash. */
export const MARKER_XATTR = 's3.marker'

/** Stands for the id of a folder in what is kept of it: it has no bytes that could become others. */
export const ANY_FOLDER = 0

const STORED_HEADERS = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const
const MAX_METADATA_BYTES = 2048
const META = 'x-amz-meta-'

/** Short names: it stands in every inode that was written through S3. */
interface StoredInfo {
  /** Entity tag, and the file that it is of: bytes that came another way have another id. */
  readonly e: string
  readonly i: number
  /** Headers, user metadata, checksums. */
  readonly h?: Readonly<Record<string, string>>
  readonly m?: Readonly<Record<string, string>>
  readonly c?: Readonly<Record<string, string>>
  /** Sizes of the parts of a multipart upload, as runs: number, size, number, size, … */
  readonly p?: readonly number[]
}

export interface ObjectInfo {
  /** Without quotes. */
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly checksums: Readonly<Partial<Record<Checksum, string>>>
  readonly parts: readonly number[]
  readonly tags: number
}

const NONE: Readonly<Record<string, string>> = Object.freeze({})

export function infoOf(status: FileStatus): ObjectInfo {
  const { xattr } = status
  const stored = xattr[OBJECT_XATTR]
  const tags = xattr[TAGS_XATTR]
  const known = stored === undefined ? undefined : parse(stored)
  const isOurs =
    known !== undefined && (known.i === status.fileId || (status.folder && known.i === ANY_FOLDER))
  return {
    etag: isOurs ? known.e : foreignEtag(status),
    headers: sound(known?.h, isStoredHeader),
    metadata: sound(known?.m, isToken),
    checksums: isOurs ? sound(known.c, isToken) : NONE,
    parts: isOurs && Array.isArray(known.p) ? known.p : [],
    tags: tags === undefined || tags.length === 0 ? 0 : Buffer.from(tags).toString().split('&').length,
  }
}

function parse(bytes: Uint8Array): StoredInfo | undefined {
  try {
    const info = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
    return typeof info?.e === 'string' && /^[0-9a-f]{32}(-\d{1,5})?$/.test(info.e) ? info : undefined
  } catch {
    return undefined
  }
}

/** Whoever may write a file may write its attributes, in whatever way: what becomes of them here must be a header, and a known one. */
function sound(
  fields: Readonly<Record<string, string>> | undefined,
  isName: (name: string) => boolean,
): Readonly<Record<string, string>> {
  if (fields === undefined) return NONE
  for (const [name, value] of Object.entries(fields)) {
    if (!isName(name) || typeof value !== 'string' || !isHeaderValue(value)) return NONE
  }
  return fields
}

function isStoredHeader(name: string): boolean {
  return STORED_HEADERS.includes(name as (typeof STORED_HEADERS)[number])
}

function isToken(name: string): boolean {
  return /^[a-z0-9!#$%&'*+.^_`|~-]{1,256}$/.test(name)
}

function isHeaderValue(value: string): boolean {
  return !/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)
}

/** Of a file that did not come through S3: the dash keeps clients from taking it for an MD5. */
function foreignEtag({ fileId, length, lastModificationTimeMs, ufsFingerprint }: FileStatus): string {
  const version = ufsFingerprint === '' ? String(lastModificationTimeMs) : ufsFingerprint
  return `${hash('md5', `${fileId}:${length}:${version}`, 'hex')}-0`
}

/** What a request says of the object that it makes. */
export interface Described {
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly tags: string | undefined
}

/** @throws MetadataTooLarge, InvalidArgument */
export function describedBy(request: S3Request): Described {
  const headers: Record<string, string> = {}
  const metadata: Record<string, string> = Object.create(null)
  let bytes = 0
  for (const name of STORED_HEADERS) {
    const value = request.headers.get(name)
    if (value === undefined) continue
    // The encoding of the request, not of the object.
    const kept = name === 'content-encoding' ? withoutAwsChunked(value) : value
    if (kept !== '') headers[name] = checked(kept)
  }
  for (const [name, value] of request.headers) {
    if (!name.startsWith(META)) continue
    const key = name.slice(META.length)
    bytes += key.length + value.length
    metadata[key] = checked(value)
  }
  if (bytes > MAX_METADATA_BYTES) throw new S3Error('MetadataTooLarge')
  const tagging = request.headers.get('x-amz-tagging')
  return { headers, metadata, tags: tagging === undefined ? undefined : checkTags(tagging) }
}

function withoutAwsChunked(value: string): string {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== 'aws-chunked' && part !== '')
    .join(', ')
}

/** What comes back as a header must be one. */
function checked(value: string): string {
  if (!isHeaderValue(value)) throw new S3Error('InvalidArgument', 'A header has control characters.')
  return value
}

/** The extended attributes of a new object. */
export function xattrOf(
  { headers, metadata, tags }: Described,
  made: {
    readonly etag: string
    readonly fileId: number
    readonly checksums?: Readonly<Partial<Record<Checksum, string>>>
    readonly parts?: readonly number[]
  },
): Record<string, Uint8Array> {
  const { etag, fileId, checksums = {}, parts = [] } = made
  const stored: StoredInfo = {
    e: etag,
    i: fileId,
    ...(Object.keys(headers).length === 0 ? {} : { h: headers }),
    ...(Object.keys(metadata).length === 0 ? {} : { m: metadata }),
    ...(Object.keys(checksums).length === 0 ? {} : { c: checksums as Record<string, string> }),
    ...(parts.length === 0 ? {} : { p: parts }),
  }
  const xattr: Record<string, Uint8Array> = { [OBJECT_XATTR]: Buffer.from(JSON.stringify(stored)) }
  if (tags !== undefined && tags !== '') xattr[TAGS_XATTR] = Buffer.from(tags)
  return xattr
}

/** Tags as a query. @throws InvalidTag */
export function checkTags(query: string): string {
  const tags: [string, string][] = []
  try {
    for (const part of query.split('&')) {
      if (part === '') continue
      const equals = part.indexOf('=')
      const name = equals === -1 ? part : part.slice(0, equals)
      const value = equals === -1 ? '' : part.slice(equals + 1)
      tags.push([
        decodeURIComponent(name.replaceAll('+', ' ')),
        decodeURIComponent(value.replaceAll('+', ' ')),
      ])
    }
  } catch {
    throw new S3Error('InvalidArgument', 'The tags are malformed.')
  }
  return tagsText(tags)
}

/** @throws InvalidTag */
export function tagsText(tags: readonly (readonly [string, string])[]): string {
  if (tags.length > 10) throw new S3Error('InvalidTag', 'Object tags cannot be greater than 10')
  const names = new Set<string>()
  for (const [name, value] of tags) {
    if (
      name === '' ||
      name.length > 128 ||
      value.length > 256 ||
      names.has(name) ||
      name.startsWith('aws:')
    ) {
      throw new S3Error('InvalidTag')
    }
    names.add(name)
  }
  return tags.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
}

export function tagsOf(status: FileStatus): [string, string][] {
  const bytes = status.xattr[TAGS_XATTR]
  if (bytes === undefined || bytes.length === 0) return []
  try {
    return checkTags(Buffer.from(bytes).toString())
      .split('&')
      .map((part) => part.split('=').map(decodeURIComponent) as [string, string])
  } catch {
    // Somebody wrote something else there.
    return []
  }
}

/** The checksums that a request gives, and those that its trailer will give. @throws InvalidRequest */
export function checksumsOf(request: S3Request): {
  readonly given: Readonly<Partial<Record<Checksum, string>>>
  readonly trailing: readonly Checksum[]
  /** The algorithm asked for, if any. */
  readonly algorithm: Checksum | undefined
} {
  const { headers } = request
  const trailers = (headers.get('x-amz-trailer') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  const given: Partial<Record<Checksum, string>> = {}
  const trailing: Checksum[] = []
  for (const checksum of CHECKSUMS) {
    const value = headers.get(`x-amz-checksum-${checksum}`)
    if (value !== undefined) given[checksum] = value
    if (trailers.includes(`x-amz-checksum-${checksum}`)) trailing.push(checksum)
  }
  if (Object.keys(given).length + trailing.length > 1)
    throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header.')
  const asked = (
    headers.get('x-amz-sdk-checksum-algorithm') ??
    headers.get('x-amz-checksum-algorithm') ??
    ''
  ).toLowerCase()
  if (asked !== '' && !CHECKSUMS.includes(asked as Checksum))
    throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  return { given, trailing, algorithm: asked === '' ? undefined : (asked as Checksum) }
}
