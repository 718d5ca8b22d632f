/**
 * Turns the flat, ordered keys of a bucket into a tree's listing. A directory is a common prefix, a marker object `dir/`, or
 * both. Where a key `x` stands beside keys below `x/`, the file is what `x` names, as for `status`, and the others
 * are not shown.
 */
import { AlluxioError } from '../../core/index.ts'
import type { UfsListOptions, UfsPage, UfsStatus } from '../store.ts'
import { childOf, compareUtf8 } from '../uri.ts'
import type { S3Connection } from './client.ts'
import { unquoted } from './reader.ts'

const LARGEST_PAGE = 1000

interface Key {
  /** Below the listed directory; a directory's ends with a slash. */
  readonly name: string
  readonly length: number
  readonly modifiedMs: number
  readonly etag: string
}

interface KeyPage {
  readonly keys: readonly Key[]
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
  const keys: Key[] = []
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
    const next = tree.next(page.token, recursive, cursor.token)
    if (tree.entries.length > 0 || next === undefined) {
      return { entries: tree.entries, nothing, ...(next === undefined ? {} : { cursor: printCursor(next) }) }
    }
    cursor = next
  }
}

/** Gathers the entries of one page from keys in order. */
class TreeEntries {
  readonly entries: UfsStatus[] = []
  readonly #path: string
  readonly #limit: number
  /** Names of files that are a prefix of the last key: they shadow what lies below `name/`. */
  readonly #files: string[]
  #last: string
  #full = false

  constructor(path: string, limit: number, cursor: Cursor) {
    this.#path = path
    this.#limit = limit
    this.#files = [...cursor.files]
    this.#last = cursor.after ?? ''
  }

  /** False when the page is full and the key is left for the next one. */
  add(key: Key): boolean {
    const { name } = key
    while (this.#files.length > 0 && !name.startsWith(this.#files.at(-1)!)) this.#files.pop()
    if (this.#files.some((file) => name.startsWith(`${file}/`)) || !representable(name)) {
      this.#last = name
      return true
    }
    for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
      const directory = name.slice(0, slash + 1)
      if (this.#last.startsWith(directory)) continue
      const marker = directory.length === name.length
      if (!this.#push(directory, marker ? key : undefined)) return false
    }
    if (name.endsWith('/')) {
      this.#last = name
      return true
    }
    if (!this.#push(name, key)) return false
    this.#files.push(name)
    return true
  }

  /** Without a delimiter a position is a key; with one only the server's token skips a whole common prefix. */
  next(token: string | undefined, recursive: boolean, current: string | undefined): Cursor | undefined {
    if (this.#full) {
      const again = recursive || current === undefined ? {} : { token: current }
      return { ...again, after: this.#last, files: this.#files }
    }
    if (token === undefined) return undefined
    return recursive ? { after: this.#last, files: this.#files } : { token, files: this.#files }
  }

  #push(name: string, key: Key | undefined): boolean {
    if (this.entries.length === this.#limit) {
      this.#full = true
      return false
    }
    const directory = name.endsWith('/')
    this.entries.push({
      path: childOf(this.#path, directory ? name.slice(0, -1) : name),
      directory,
      length: directory ? 0 : (key?.length ?? 0),
      modifiedMs: key?.modifiedMs ?? 0,
      fingerprint: directory ? '' : (key?.etag ?? ''),
    })
    this.#last = name
    return true
  }
}

/** Keys with an empty, `.` or `..` segment have no place in a tree. */
function representable(name: string): boolean {
  if (!name.includes('//') && name.charCodeAt(0) !== 47 && !name.includes('.')) return true
  const segments = (name.endsWith('/') ? name.slice(0, -1) : name).split('/')
  return segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}
