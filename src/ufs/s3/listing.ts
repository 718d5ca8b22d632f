/** Lists a bucket page by page (`../object-keys/tree-entries.ts` makes a tree of the keys). */
import { AlluxioError } from '../../core/index.ts'
import { unquoted } from '../http-transport/object-read.ts'
import { type ListedKey, TreeEntries } from '../object-keys/tree-entries.ts'
import type { UfsListOptions, UfsPage } from '../store.ts'
import { compareUtf8 } from '../uri.ts'
import type { S3Connection } from './client.ts'

const LARGEST_PAGE = 1000

interface KeyPage {
  readonly keys: readonly ListedKey[]
  readonly token: string | undefined
  /** The directory's own marker object was among the keys. */
  readonly marker: boolean
}

export interface KeyQuery {
  /** Key prefix of the directory, with its slash; '' for the root of the bucket. */
  readonly prefix: string
  readonly recursive: boolean
  readonly limit: number
  readonly after?: string | undefined
  readonly token?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** One ListObjectsV2 call. */
export async function listKeys(connection: S3Connection, path: string, query: KeyQuery): Promise<KeyPage> {
  const answer = await connection.send(
    new connection.sdk.ListObjectsV2Command({
      Bucket: connection.bucket,
      Prefix: query.prefix,
      MaxKeys: query.limit,
      // Keys may hold characters that XML cannot.
      EncodingType: 'url',
      ...(query.recursive ? {} : { Delimiter: '/' }),
      ...(query.token === undefined ? {} : { ContinuationToken: query.token }),
      ...(query.after === undefined ? {} : { StartAfter: query.after }),
    }),
    path,
    { signal: query.signal },
  )
  const decode = answer.EncodingType === 'url' ? decodeKey : (key: string) => key
  const keys: ListedKey[] = []
  let marker = false
  for (const { Key: key = '', Size, LastModified, ETag } of answer.Contents ?? []) {
    const name = decode(key).slice(query.prefix.length)
    if (name === '') marker = true
    else
      keys.push({ name, length: Size ?? 0, modifiedMs: LastModified?.getTime() ?? 0, etag: unquoted(ETag) })
  }
  for (const { Prefix = '' } of answer.CommonPrefixes ?? []) {
    keys.push({ name: decode(Prefix).slice(query.prefix.length), length: 0, modifiedMs: 0, etag: '' })
  }
  if ((answer.CommonPrefixes?.length ?? 0) > 0) keys.sort((a, b) => compareUtf8(a.name, b.name))
  const token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined
  if (answer.IsTruncated === true && token === undefined) {
    throw new AlluxioError(
      'UNAVAILABLE',
      `list ${path}: the server sent a page without saying how to go on`,
      {
        reason: 'MALFORMED_ANSWER',
      },
    )
  }
  return { keys, token, marker }
}

/** `+` is a space in the keys of a listing; everything else is percent-encoded UTF-8. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return key
  }
}

/** Where a listing goes on: in the server's words, or after a key of ours; and what the last keys still shadow. */
interface Cursor {
  readonly token?: string
  readonly after?: string
  readonly files: readonly string[]
}

function parseCursor(text: string | undefined): Cursor {
  if (text === undefined) return { files: [] }
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.length === 3 && Array.isArray(value[2])) {
      const [token, after, files] = value as [string | null, string | null, string[]]
      return { ...(token === null ? {} : { token }), ...(after === null ? {} : { after }), files }
    }
  } catch {}
  throw new AlluxioError('INVALID_ARGUMENT', 'the cursor of the listing is not one that this store gave')
}

function printCursor({ token, after, files }: Cursor): string {
  return JSON.stringify([token ?? null, after ?? null, files])
}

/** The first page begins behind the directory's own marker, which would take the place of a child. */
function startAfter(prefix: string, recursive: boolean, { token, after }: Cursor): string | undefined {
  if (recursive && after !== undefined) return prefix + after
  return token === undefined && prefix !== '' ? prefix : undefined
}

export interface ListedPage extends UfsPage {
  /** No key was seen: the directory is empty, or does not exist. */
  readonly nothing: boolean
}

/** A page of the listing of `path`, whose key prefix is `prefix`. Asks for more keys until something is to be shown. */
export async function listPage(
  connection: S3Connection,
  path: string,
  prefix: string,
  options: UfsListOptions,
): Promise<ListedPage> {
  const limit = Math.max(1, Math.min(options.limit ?? LARGEST_PAGE, LARGEST_PAGE))
  const recursive = options.recursive === true
  let cursor = parseCursor(options.cursor)
  let nothing = options.cursor === undefined
  for (;;) {
    const page = await listKeys(connection, path, {
      prefix,
      recursive,
      // MinIO takes a request for one key below a marker object as one for the marker, and says that nothing follows.
      limit: Math.max(2, limit),
      signal: options.signal,
      token: cursor.token,
      after: startAfter(prefix, recursive, cursor),
    })
    nothing &&= page.keys.length === 0 && !page.marker
    const tree = new TreeEntries(path, limit, cursor)
    for (const key of page.keys) {
      const shown = !recursive && cursor.after !== undefined && compareUtf8(key.name, cursor.after) <= 0
      if (!shown && !tree.add(key)) break
    }
    const next = nextCursor(tree, page.token, recursive, cursor.token)
    if (tree.entries.length > 0 || next === undefined) {
      return { entries: tree.entries, nothing, ...(next === undefined ? {} : { cursor: printCursor(next) }) }
    }
    cursor = next
  }
}

/** Without a delimiter a position is a key; with one only the server's token skips a whole common prefix. */
function nextCursor(
  { full, position, files }: TreeEntries,
  token: string | undefined,
  recursive: boolean,
  current: string | undefined,
): Cursor | undefined {
  if (full) {
    const again = recursive || current === undefined ? {} : { token: current }
    return { ...again, after: position, files }
  }
  if (token === undefined) return undefined
  return recursive ? { after: position, files } : { token, files }
}
