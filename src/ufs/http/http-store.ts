/** A folder on a web server as a store that can only be read. */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { type GetOptions, type ObjectBytes, ObjectRead, unquoted } from '../http-transport/object-read.ts'
import { iterable } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type {
  UfsCapabilities,
  UfsListOptions,
  UfsPage,
  UfsReadOptions,
  UfsSpace,
  UfsStatus,
  UfsWriter,
  UnderStore,
} from '../store.ts'
import { childOf, compareUtf8 } from '../uri.ts'
import { htmlIndex, type IndexEntry, jsonIndex } from './index-page.ts'
import type { WebAnswer, WebClient } from './web-client.ts'

export interface HttpStoreOptions {
  readonly scheme: string
  /** What the title or first heading of an index page begins with. */
  readonly titles: readonly string[]
  /** Longest index page that is read, bytes. */
  readonly pageBytes: number
}

const CAPABILITIES: UfsCapabilities = {
  atomicRename: false,
  directoryRename: false,
  directories: true,
  etag: false,
  conditionalCreate: false,
  objectMetadata: false,
  posix: false,
  space: false,
  orderedList: true,
  readOnly: true,
  bestRangeBytes: 8 * 2 ** 20,
  bestRangeParallelism: 4,
}
const HEADS_AT_ONCE = 8
/** Indexes kept for listings that go on. */
const INDEXES_KEPT = 8

export class HttpStore implements UnderStore {
  readonly scheme: string
  readonly capabilities = CAPABILITIES
  readonly #options: HttpStoreOptions
  readonly #client: WebClient
  readonly #indexes = new Map<string, readonly IndexEntry[]>()

  constructor(options: HttpStoreOptions, client: WebClient) {
    this.scheme = options.scheme
    this.#options = options
    this.#client = client
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const modules = {
      get: (range: GetOptions) => this.#get(path, options.fingerprint, options.offset, range),
      isDirectory: (at: string, signal: AbortSignal | undefined) => this.#isDirectory(at, signal),
    }
    return iterable(() => new ObjectRead(path, options, modules))
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    if (path === '') {
      await this.#index('', signal)
      return directoryStatus('')
    }
    try {
      const answer = await this.#head(path, signal)
      return answer.directory ? directoryStatus(path) : fileStatus(path, answer)
    } catch (error) {
      // Some servers know a directory only by its slash.
      if (isAlluxioError(error, 'NOT_FOUND') && (await this.#isDirectory(path, signal))) {
        return directoryStatus(path)
      }
      throw error
    }
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    const { signal, recursive = false, cursor } = options
    const limit = Math.max(1, options.limit ?? 1000)
    const found: (IndexEntry & { readonly path: string })[] = []
    const walk = async (at: string, after: readonly string[]): Promise<boolean> => {
      const entries = await this.#index(at, signal, after.length > 0)
      for (const entry of entries) {
        const order = after.length === 0 ? 1 : compareUtf8(entry.name, after[0]!)
        if (order < 0) continue
        const below = childOf(at, entry.name)
        if (order > 0) {
          if (found.length === limit) return false
          found.push({ ...entry, path: below })
        }
        if (recursive && entry.directory && !(await walk(below, order === 0 ? after.slice(1) : [])))
          return false
      }
      return true
    }
    const complete = await walk(path, cursor === undefined ? [] : cursor.split('/'))
    const entries = await this.#statuses(found, signal)
    const last = found.at(-1)
    if (complete || last === undefined) return { entries }
    return { entries, cursor: path === '' ? last.path : last.path.slice(path.length + 1) }
  }

  async create(path: string): Promise<UfsWriter> {
    throw readOnly('create', path)
  }

  async mkdir(path: string): Promise<void> {
    if (path !== '') throw readOnly('mkdir', path)
  }

  async delete(path: string): Promise<void> {
    throw readOnly('delete', path)
  }

  async rename(src: string): Promise<void> {
    throw readOnly('rename', src)
  }

  async setAttributes(path: string): Promise<void> {
    throw readOnly('setAttributes', path)
  }

  async space(): Promise<UfsSpace> {
    throw new AlluxioError('UNSUPPORTED', 'a web server does not tell its space')
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  /**
   * The version is compared here: few servers heed If-Match, and none takes a weak ETag there. A server without ranges sends
   * all, which the reader skips.
   */
  async #get(
    path: string,
    fingerprint: string | undefined,
    offset: number,
    { range, signal }: GetOptions,
  ): Promise<ObjectBytes> {
    const url = this.#client.url(path)
    const headers = range === undefined ? {} : { range }
    const answer = await this.#client.ask({ method: 'GET', path, url, headers, signal })
    if (answer.directory || path === '') {
      answer.body?.destroy()
      throw new AlluxioError('IS_A_DIRECTORY', `${path || '/'} is a directory`)
    }
    try {
      const { fingerprint: actual } = fileStatus(path, answer)
      if (fingerprint !== undefined && fingerprint !== actual) {
        throw new AlluxioError('CONFLICT', `${path} is now another version: ${actual}`)
      }
      const contentRange = answer.headers['content-range']
      const partial = answer.statusCode === 206
      if (partial && !contentRange?.startsWith(`bytes ${offset}-`)) {
        throw new AlluxioError(
          'UNAVAILABLE',
          `open ${path}: asked for ${range}, the answer is of ${contentRange}`,
          {
            reason: 'MALFORMED_ANSWER',
          },
        )
      }
      const contentLength = Number(answer.headers['content-length'])
      return { etag: actual, contentRange, contentLength, partial, body: answer.body! }
    } catch (error) {
      answer.body?.destroy()
      throw error
    }
  }

  async #head(path: string, signal: AbortSignal | undefined): Promise<WebAnswer> {
    const request = { path, signal, url: this.#client.url(path) }
    try {
      return await this.#client.ask({ ...request, method: 'HEAD' })
    } catch (error) {
      if (!isAlluxioError(error, 'UNSUPPORTED') || error.reason === 'REDIRECT') throw error
      // The server knows no HEAD: one byte tells as much.
      const answer = await this.#client.ask({ ...request, method: 'GET', headers: { range: 'bytes=0-0' } })
      answer.body?.destroy()
      return answer
    }
  }

  async #isDirectory(path: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#client.ask({ method: 'HEAD', path, signal, url: this.#client.url(`${path}/`) })
      return true
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'UNSUPPORTED')) return false
      throw error
    }
  }

  /** Lengths and versions, which no index tells reliably. A link that leads nowhere, or where it may not, is left out. */
  async #statuses(
    found: readonly (IndexEntry & { readonly path: string })[],
    signal: AbortSignal | undefined,
  ): Promise<UfsStatus[]> {
    const statuses: (UfsStatus | undefined)[] = new Array(found.length)
    let next = 0
    const lane = async () => {
      while (next < found.length) {
        const at = next++
        const { path, directory } = found[at]!
        statuses[at] = directory ? directoryStatus(path) : await this.#listed(path, signal)
      }
    }
    await Promise.all(Array.from({ length: Math.min(HEADS_AT_ONCE, found.length) }, lane))
    return statuses.filter((status) => status !== undefined)
  }

  async #listed(path: string, signal: AbortSignal | undefined): Promise<UfsStatus | undefined> {
    try {
      return await this.status(path, signal)
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'PERMISSION_DENIED')) return undefined
      throw error
    }
  }

  /** Entries of a directory in order. `again`: a listing goes on, so the index of its former page will do. */
  async #index(path: string, signal: AbortSignal | undefined, again = false): Promise<readonly IndexEntry[]> {
    const known = again ? this.#indexes.get(path) : undefined
    if (known !== undefined) return known
    const entries = await this.#readIndex(path, signal)
    entries.sort((a, b) => compareUtf8(a.name, b.name))
    this.#indexes.delete(path)
    this.#indexes.set(path, entries)
    if (this.#indexes.size > INDEXES_KEPT) this.#indexes.delete(this.#indexes.keys().next().value!)
    return entries
  }

  async #readIndex(path: string, signal: AbortSignal | undefined): Promise<IndexEntry[]> {
    const url = this.#client.url(path === '' ? '' : `${path}/`)
    const headers = { accept: 'text/html, application/json' }
    let answer: WebAnswer
    try {
      answer = await this.#client.ask({ method: 'GET', path, url, headers, signal, page: true })
    } catch (error) {
      if (path !== '' && isAlluxioError(error, 'NOT_FOUND')) await this.#refuseFile(path, signal)
      throw error
    }
    const text = await this.#text(answer, path, signal)
    const type = answer.headers['content-type'] ?? ''
    const entries = /\bjson\b/.test(type)
      ? jsonIndex(text)
      : htmlIndex(text, answer.url, this.#options.titles)
    if (entries !== undefined) return entries
    throw new AlluxioError(
      'UNSUPPORTED',
      `list ${path || '/'}: ${answer.url.href} is no index of a directory (${type || 'no type'}): turn the listing of directories on in the server, or name its title by alluxio.underfs.web.titles`,
      { reason: 'NOT_AN_INDEX' },
    )
  }

  async #refuseFile(path: string, signal: AbortSignal | undefined): Promise<void> {
    const answer = await this.#head(path, signal)
    if (!answer.directory) throw new AlluxioError('NOT_A_DIRECTORY', `list ${path}: it is a file`)
  }

  async #text({ body, url }: WebAnswer, path: string, signal: AbortSignal | undefined): Promise<string> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    let onAbort = () => {}
    try {
      await new Promise<void>((resolve, reject) => {
        onAbort = () => reject(cancelled(signal, 'list', path))
        signal?.addEventListener('abort', onAbort, { once: true })
        if (signal?.aborted) onAbort()
        const next = (): void =>
          body!.next({
            chunk: (chunk) => {
              bytes += chunk.length
              chunks.push(chunk)
              if (bytes > this.#options.pageBytes) reject(tooLong(path, url, this.#options.pageBytes))
              // Not from within: many chunks may be waiting.
              else queueMicrotask(next)
            },
            ended: resolve,
            broken: (what) =>
              reject(
                new AlluxioError('UNAVAILABLE', `list ${path || '/'}: the index broke off (${what})`, {
                  reason: 'TRUNCATED',
                }),
              ),
          })
        next()
      })
      return Buffer.concat(chunks).toString('utf8')
    } finally {
      signal?.removeEventListener('abort', onAbort)
      body?.destroy()
    }
  }
}

function tooLong(path: string, url: URL, most: number): AlluxioError {
  return new AlluxioError(
    'UNSUPPORTED',
    `list ${path || '/'}: the page ${url.href} is longer than ${most} bytes: raise alluxio.underfs.http.index.max.bytes if it is an index`,
    { reason: 'TOO_LARGE' },
  )
}

function directoryStatus(path: string): UfsStatus {
  return { path, directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
}

/** Length, time and version as the headers tell them. @throws UNSUPPORTED when the length is not told */
function fileStatus(path: string, { statusCode, headers }: WebAnswer): UfsStatus {
  const told =
    statusCode === 206 ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] : headers['content-length']
  const length = Number(told ?? Number.NaN)
  if (!Number.isSafeInteger(length)) {
    throw new AlluxioError(
      'UNSUPPORTED',
      `${path}: the server does not tell how long it is (no Content-Length): it is made as it is sent, and cannot be cached`,
      { reason: 'NO_LENGTH' },
    )
  }
  const time = Date.parse(headers['last-modified'] ?? '')
  const modifiedMs = Number.isNaN(time) ? 0 : time
  const fingerprint = unquoted(headers.etag) || `${length}:${modifiedMs}`
  return { path, directory: false, length, modifiedMs, fingerprint }
}

function readOnly(operation: string, path: string): AlluxioError {
  return new AlluxioError(
    'PERMISSION_DENIED',
    `${operation} ${path || '/'}: a web server can only be read; write with MUST_CACHE, or mount another store`,
    { reason: 'READ_ONLY_STORE', operation },
  )
}
