/**
 * Directories as S3 lists keys: in the byte order of whole keys, in which the directory `a` stands as `a/`, behind `a-b` and
 * `a.txt`, which the namespace lists behind `a`.
 */
import type { FileStatus, FileSystem } from '../../client/index.ts'
import { isAlluxioError } from '../../core/index.ts'

export interface ListedKey {
  /** Below the bucket; ends with a slash for a folder. */
  readonly key: string
  /** undefined for a common prefix. */
  readonly status: FileStatus | undefined
}

export interface KeyQuery {
  /** Path of the bucket. */
  readonly root: string
  readonly prefix: string
  /** Keys up to and with this one are left out, and common prefixes as well. */
  readonly after: string
  /** Whether names are summed up at the next slash behind the prefix. */
  readonly folded: boolean
  readonly isMarker: (status: FileStatus) => boolean
}

/** Keys and common prefixes in order, from behind `after`. A directory that goes meanwhile is empty. */
export async function* listKeys(fs: FileSystem, query: KeyQuery): AsyncGenerator<ListedKey> {
  const { root, prefix } = query
  const slash = prefix.lastIndexOf('/')
  const above = prefix.slice(0, slash + 1)
  // No file has such a name.
  if (
    above
      .split('/')
      .slice(0, -1)
      .some((name) => name === '' || name === '.' || name === '..')
  )
    return
  const path = above === '' ? root : `${root}/${above.slice(0, -1)}`
  if (above !== '' && above === prefix && compare(above, query.after) > 0) {
    const own = await statusOf(fs, path)
    if (own?.folder === true && query.isMarker(own)) yield { key: above, status: own }
  }
  yield* walk(fs, query, path, above)
}

/** The keys below one directory, whose own key, with its slash, is `above`. */
async function* walk(
  fs: FileSystem,
  query: KeyQuery,
  path: string,
  above: string,
): AsyncGenerator<ListedKey> {
  for await (const status of inKeyOrder(fs, query, path, above)) {
    const key = above + status.name
    if (!status.folder) {
      if (status.completed && compare(key, query.after) > 0) yield { key, status }
      continue
    }
    const folder = `${key}/`
    const marker = query.isMarker(status)
    // What nobody made by its key, and nothing lies in, is nothing to S3.
    if (!marker && status.length === 0) continue
    if (query.folded) {
      if (compare(folder, query.after) > 0) yield { key: folder, status: undefined }
      continue
    }
    if (marker && compare(folder, query.after) > 0) yield { key: folder, status }
    yield* walk(fs, query, `${path}/${status.name}`, folder)
  }
}

/** Entries of a directory that may hold something behind `after` and begin as the prefix wants, in the order of keys. */
async function* inKeyOrder(
  fs: FileSystem,
  { prefix, after }: KeyQuery,
  path: string,
  above: string,
): AsyncGenerator<FileStatus> {
  const begins = prefix.length > above.length ? prefix.slice(above.length) : ''
  let behind = ''
  if (compare(after, above) > 0) {
    // All keys of this directory come before it then.
    if (!after.startsWith(above)) return
    behind = after.slice(above.length)
  }
  const from = behind === '' ? '' : behind.split('/', 1)[0]!
  const waiting: FileStatus[] = []
  if (from !== '') waiting.push(...(await foldersBefore(fs, path, from, begins)))
  const start = begins !== '' && compare(begins, from) > 0 ? before(begins) : from
  for await (const status of entries(fs, path, start)) {
    const { name } = status
    if (begins !== '' && !name.startsWith(begins)) {
      if (compare(name, begins) > 0) break
      continue
    }
    while (waiting.length > 0 && compare(`${waiting[0]!.name}/`, name) < 0) yield waiting.shift()!
    if (status.folder) insert(waiting, status)
    else yield status
  }
  yield* waiting
}

/** Folders whose names come before `from`, or are it, but whose keys do not. */
async function foldersBefore(
  fs: FileSystem,
  path: string,
  from: string,
  begins: string,
): Promise<FileStatus[]> {
  const names = [from]
  for (let i = 1; i < from.length; i++) if (from.charCodeAt(i) < 47) names.push(from.slice(0, i))
  const found: FileStatus[] = []
  for (const name of names.filter(
    (candidate) => candidate.startsWith(begins) && candidate !== '.' && candidate !== '..',
  )) {
    const status = await statusOf(fs, `${path}/${name}`)
    if (status?.folder === true) insert(found, status)
  }
  return found
}

async function* entries(fs: FileSystem, path: string, startAfter: string): AsyncGenerator<FileStatus> {
  try {
    // A file lists itself; below its key there is nothing.
    for await (const status of fs.list(path, startAfter === '' ? {} : { startAfter }))
      if (status.path !== path) yield status
  } catch (error) {
    if (!isAlluxioError(error, 'NOT_FOUND') && !isAlluxioError(error, 'NOT_A_DIRECTORY')) throw error
  }
}

async function statusOf(fs: FileSystem, path: string): Promise<FileStatus | undefined> {
  try {
    return await fs.getStatus(path)
  } catch (error) {
    if (
      isAlluxioError(error, 'NOT_FOUND') ||
      isAlluxioError(error, 'NOT_A_DIRECTORY') ||
      isAlluxioError(error, 'INVALID_ARGUMENT')
    ) {
      return undefined
    }
    throw error
  }
}

/** Keeps folders in the order of their keys. */
function insert(waiting: FileStatus[], status: FileStatus): void {
  const key = `${status.name}/`
  let at = waiting.length
  while (at > 0 && compare(`${waiting[at - 1]!.name}/`, key) > 0) at--
  waiting.splice(at, 0, status)
}

/** A name behind which nothing comes before `name` but what it begins with. */
function before(name: string): string {
  const code = name.codePointAt(name.length - 1)!
  const cut = name.slice(0, -1)
  return code > 32 && code < 0x80 ? `${cut}${String.fromCharCode(code - 1)}\u{10ffff}` : cut
}

/** Order of the UTF-8 bytes. */
export function compare(a: string, b: string): number {
  if (a === b) return 0
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for what comes behind all other code units.
    const high = (c: number) => (c >= 0xd800 && c <= 0xdfff ? c + 0x10000 : c)
    return high(x) < high(y) ? -1 : 1
  }
  return a.length < b.length ? -1 : 1
}
