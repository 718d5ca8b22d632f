/** Lists a container page by page, by marker; `../object-keys/tree-entries.ts` makes a tree of the keys. */
import { AlluxioError } from '../../core/index.ts'
import { type ListedKey, TreeEntries, type TreePosition } from '../object-keys/tree-entries.ts'
import type { UfsListOptions, UfsPage, UfsStatus } from '../store.ts'
import { childOf } from '../uri.ts'
import { jsonOf, type SwiftConnection } from './client.ts'
import { malformed } from './errors.ts'
import { EMPTY, isDirectoryMarker, type ObjectHead } from './metadata.ts'

/** Servers list 10,000 names at once; one more than a page tells whether another follows. */
const LARGEST_PAGE = 9_999
const DEFAULT_PAGE = 1000
const HEADS_AT_ONCE = 16

export interface SwiftKey extends ListedKey {
  /** A manifest of segments. */
  readonly large: boolean
  /** Listed as empty, but it may be a dynamic large object, whose length only the object itself tells. */
  readonly doubtful: boolean
}

interface KeyPage {
  readonly keys: readonly SwiftKey[]
  readonly more: boolean
  /** The directory's own marker object was among the keys. */
  readonly marker: boolean
}

export interface KeyQuery {
  /** Key prefix of the directory, with its slash; '' for the root of the container. */
  readonly prefix: string
  readonly recursive: boolean
  readonly limit: number
  /** Full key behind which the page begins. */
  readonly after?: string | undefined
  readonly container?: string
  readonly signal?: AbortSignal | undefined
}

interface Item {
  readonly name?: string
  readonly subdir?: string
  readonly bytes?: number
  readonly hash?: string
  readonly slo_etag?: string
  readonly content_type?: string
  readonly last_modified?: string
}

/** One GET of the container. */
export async function listKeys(connection: SwiftConnection, path: string, query: KeyQuery): Promise<KeyPage> {
  const { prefix, limit, after } = query
  const container = query.container ?? connection.container
  const terms = ['format=json', `limit=${limit + 1}`]
  if (prefix !== '') terms.push(`prefix=${encodeURIComponent(prefix)}`)
  if (!query.recursive) terms.push('delimiter=%2F')
  if (after !== undefined) terms.push(`marker=${encodeURIComponent(after)}`)
  const { statusCode, text } = await connection.send({
    api: 'ListContainer',
    method: 'GET',
    container,
    key: '',
    path,
    query: terms.join('&'),
    headers: { accept: 'application/json' },
    signal: query.signal,
  })
  const items = statusCode === 204 ? [] : (jsonOf(`list ${path}`, text) as readonly Item[])
  if (!Array.isArray(items)) throw malformed(`list ${path}`, 'the answer is no listing')
  const keys: SwiftKey[] = []
  let marker = false
  for (const item of items.slice(0, limit)) {
    const name = (item.subdir ?? item.name ?? '').slice(prefix.length)
    if (name === '') marker = true
    else keys.push(keyOf(name, item))
  }
  return { keys, marker, more: items.length > limit }
}

function keyOf(name: string, item: Item): SwiftKey {
  const length = item.bytes ?? 0
  // Microseconds of UTC, without saying so.
  const modifiedMs = item.last_modified === undefined ? 0 : Date.parse(`${item.last_modified.slice(0, 23)}Z`)
  return {
    name,
    length,
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
    etag: (item.slo_etag ?? item.hash ?? '').replaceAll('"', ''),
    large: item.slo_etag !== undefined,
    doubtful: length === 0 && !name.endsWith('/') && item.content_type !== EMPTY,
    directory: !name.endsWith('/') && isDirectoryMarker(item.content_type, length),
  }
}

function parseCursor(text: string | undefined): TreePosition {
  if (text === undefined) return { files: [] }
  try {
    const value: unknown = JSON.parse(text)
    if (
      Array.isArray(value) &&
      typeof value[0] === 'string' &&
      Array.isArray(value[1]) &&
      Array.isArray(value[2])
    ) {
      return { after: value[0], files: value[1] as string[], marked: value[2] as string[] }
    }
  } catch {}
  throw new AlluxioError('INVALID_ARGUMENT', 'the cursor of the listing is not one that this store gave')
}

export interface ListedPage extends UfsPage {
  /** No key was seen: the directory is empty, or does not exist. */
  readonly nothing: boolean
}

/**
 * A page of the listing of `path`, whose key prefix is `prefix`. Asks for more keys until something is to be shown.
 * @param head looks at an object that the listing does not tell enough of
 */
export async function listPage(
  connection: SwiftConnection,
  path: string,
  prefix: string,
  options: UfsListOptions,
  head: (path: string) => Promise<ObjectHead | undefined>,
): Promise<ListedPage> {
  const limit = Math.max(1, Math.min(options.limit ?? DEFAULT_PAGE, LARGEST_PAGE))
  const recursive = options.recursive === true
  let position = parseCursor(options.cursor)
  let nothing = options.cursor === undefined
  for (;;) {
    // The first page begins behind the directory's own marker, which would take the place of a child.
    const after = position.after === undefined ? prefix || undefined : prefix + position.after
    const page = await listKeys(connection, path, { prefix, recursive, limit, after, signal: options.signal })
    nothing &&= page.keys.length === 0
    const tree = new TreeEntries(path, limit, position)
    for (const key of page.keys) if (!tree.add(key)) break
    const { full, files, marked } = tree
    const ended = !full && !page.more
    if (tree.entries.length > 0 || ended) {
      const cursor = JSON.stringify([tree.position, files, marked])
      const entries = await withLengths(tree.entries, path, page.keys, head)
      return { entries, nothing, ...(ended ? {} : { cursor }) }
    }
    position = { after: tree.position, files, marked }
  }
}

/** Empty entries that may not be empty get the length and the version that the objects themselves tell. */
async function withLengths(
  entries: readonly UfsStatus[],
  path: string,
  keys: readonly SwiftKey[],
  head: (path: string) => Promise<ObjectHead | undefined>,
): Promise<readonly UfsStatus[]> {
  const doubtful = new Set(keys.filter((key) => key.doubtful).map(({ name }) => childOf(path, name)))
  if (doubtful.size === 0) return entries
  const told = [...entries]
  let next = 0
  const lane = async () => {
    while (next < told.length) {
      const at = next++
      const entry = told[at]!
      if (entry.directory || !doubtful.has(entry.path)) continue
      const found = await head(entry.path)
      if (found !== undefined) told[at] = { ...entry, length: found.length, fingerprint: found.etag }
    }
  }
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, lane))
  return told
}
