/** What is kept in the headers of an object. */
import { AlluxioError } from '../../core/index.ts'

const META = 'x-object-meta-'
/** Which writer made an object: a request whose answer was lost is recognised by it. Not shown to users. */
const WRITE_ID = 'alluxio-write-id'
/** Set while two manifests may name the same segments: then no delete may take the segments along. Not shown to users. */
const SHARED = 'alluxio-shared'
/** Content type of the empty files that are written here: a listing need not ask whether they are something else. */
export const EMPTY = 'application/x-empty'
/** Headers that a POST takes away unless it repeats them. */
const REPEATED = ['x-delete-at', 'content-encoding', 'content-disposition']

export interface ObjectHead {
  readonly etag: string
  readonly length: number
  readonly modifiedMs: number
  readonly metadata: Readonly<Record<string, string>>
  readonly writeId: string | undefined
  /** A manifest of segments. */
  readonly large: boolean
  readonly shared: boolean
  /** A directory's marker without a slash in its key. */
  readonly directory: boolean
  readonly headers: Readonly<Record<string, string>>
}

export function headOf(headers: Readonly<Record<string, string>>): ObjectHead {
  const metadata: Record<string, string> = {}
  for (const name in headers) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = fromHeader(headers[name]!)
  }
  const { [WRITE_ID]: writeId, [SHARED]: shared, ...shown } = metadata
  const length = Number(headers['content-length'] ?? 0)
  const seconds = Number(headers['x-timestamp'])
  const modifiedMs =
    seconds > 0 ? Math.floor(Math.round(seconds * 1e5) / 100) : Date.parse(headers['last-modified'] ?? '')
  return {
    etag: (headers.etag ?? '').replace(/^"(.*)"$/, '$1'),
    length,
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
    metadata: shown,
    writeId,
    large: headers['x-static-large-object']?.toLowerCase() === 'true',
    shared: shared !== undefined,
    directory: isDirectoryMarker(headers['content-type'], length),
    headers,
  }
}

/** rclone, the Hadoop connector and others mark a directory by an empty object of this type. */
export function isDirectoryMarker(contentType: string | undefined, length: number): boolean {
  return length === 0 && contentType !== undefined && /^application\/directory\b/.test(contentType)
}

export function metadataHeaders(
  metadata: Readonly<Record<string, string>> | undefined,
  writeId?: string,
): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!/^[a-zA-Z0-9!#$%&'*+.^`|~-]{1,100}$/.test(name)) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `"${name}" cannot be a name of metadata in Swift: write letters, digits and hyphens`,
      )
    }
    headers[META + name] = toHeader(value)
  }
  if (writeId !== undefined) headers[META + WRITE_ID] = writeId
  return headers
}

/** Headers of a POST that leaves an object as it is but for whether its segments are shared. */
export function sharedHeaders(
  { headers, metadata, writeId }: ObjectHead,
  shared: boolean,
): Record<string, string> {
  const sent = metadataHeaders(metadata, writeId)
  for (const name of REPEATED) if (headers[name] !== undefined) sent[name] = headers[name]
  if (shared) sent[META + SHARED] = 'true'
  return sent
}

/** Headers carry the bytes of UTF-8, one character each. */
function toHeader(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function fromHeader(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}
