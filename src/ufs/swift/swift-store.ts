/** Objects of a container below a prefix. */
import { AlluxioError, isAlluxioError, type Log } from '../../core/index.ts'
import { type GetOptions, type ObjectBytes, ObjectRead } from '../http-transport/object-read.ts'
import { iterable } from '../layers/around.ts'
import { type PartWrite, PartWriter } from '../part-writer.ts'
import type { StoreModules } from '../registry.ts'
import type {
  UfsCapabilities,
  UfsCleaned,
  UfsCreateOptions,
  UfsListOptions,
  UfsMoved,
  UfsMoveOptions,
  UfsPage,
  UfsReadOptions,
  UfsSpace,
  UfsStatus,
  UfsWriter,
  UnderStore,
} from '../store.ts'
import { checkStorePath, childOf, parentOf } from '../uri.ts'
import { isMissing, objectPath, type SwiftConnection } from './client.ts'
import { LargeObjects } from './large-objects.ts'
import { SegmentSweep } from './leftovers.ts'
import { type KeyQuery, listKeys, listPage } from './listing.ts'
import { headOf, type ObjectHead } from './metadata.ts'
import { Mover } from './mover.ts'
import { SwiftUpload } from './upload.ts'

export interface SwiftStoreOptions {
  /** Key prefix of the mount's root, without leading and trailing slash. */
  readonly prefix: string
  readonly segmentBytes: number
  readonly uploads: number
  readonly checksum: boolean
  /** Age, ms, that segments without a manifest must have to be cleaned away; 0: they stay. */
  readonly temporaryAgeMs: number
}

const CAPABILITIES: UfsCapabilities = {
  atomicRename: false,
  directoryRename: false,
  directories: false,
  etag: true,
  // The server looks before it writes: of two at the same time both may succeed.
  conditionalCreate: false,
  objectMetadata: true,
  posix: false,
  space: false,
  orderedList: false,
  bestRangeBytes: 8 * 2 ** 20,
  bestRangeParallelism: 8,
}
const DELETE_PAGE = 1000
const DELETES_AT_ONCE = 4
/** Objects of one call of `moveObjects`: what one bulk delete takes away again. */
const MOVE_PAGE = 1000

export class SwiftStore implements UnderStore {
  readonly scheme = 'swift'
  readonly capabilities = CAPABILITIES
  readonly #options: SwiftStoreOptions
  readonly #connection: SwiftConnection
  readonly #modules: StoreModules
  readonly #log: Log
  readonly #large: LargeObjects
  readonly #mover: Mover

  constructor(options: SwiftStoreOptions, connection: SwiftConnection, modules: StoreModules) {
    this.#options = options
    this.#connection = connection
    this.#modules = modules
    this.#log = modules.log
    const { retry, log } = modules
    this.#large = new LargeObjects({ connection, retry, log })
    this.#mover = new Mover({ connection, retry, large: this.#large })
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const key = this.#key(path)
    const modules = {
      get: (range: GetOptions) => this.#get(key, path, range),
      isDirectory: (at: string, signal: AbortSignal | undefined) => this.#isDirectory(at, signal),
    }
    return iterable(() => new ObjectRead(path, options, modules))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    const { segmentBytes, uploads, checksum } = this.#options
    const { retry, runtime, log } = this.#modules
    const upload = { ...options, path, key: this.#key(path), segmentBytes, checksum }
    const modules = { connection: this.#connection, large: this.#large, retry, log }
    const target = (write: PartWrite) => new SwiftUpload(upload, { ...modules, write })
    return new PartWriter({ ...options, path, uploads }, { runtime, target })
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    if (path === '') {
      await this.#firstKey('', signal)
      return directoryStatus('')
    }
    const head = await this.#head(this.#key(path), path, signal)
    if (head !== undefined && !head.directory) return fileStatus(path, head)
    if (head !== undefined || (await this.#isDirectory(path, signal))) return directoryStatus(path)
    throw missing('status', path)
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    const head = (at: string) => this.#head(this.#key(at), at, options.signal)
    const { nothing, ...page } = await listPage(this.#connection, path, this.#prefix(path), options, head)
    if (nothing && path !== '') {
      const self = await head(path)
      if (self?.directory === false) throw new AlluxioError('NOT_A_DIRECTORY', `list ${path}: it is a file`)
    }
    return page
  }

  async mkdir(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (path === '') return
    const { signal } = options
    const [head] = await Promise.all([
      this.#head(this.#key(path), path, signal),
      this.#markParents(path, signal),
    ])
    if (head?.directory === false)
      throw new AlluxioError('ALREADY_EXISTS', `mkdir ${path}: a file stands there`)
    if (head === undefined) await this.#mover.mark(this.#prefix(path), path, signal)
  }

  async delete(
    path: string,
    options: { readonly recursive?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const { signal, recursive = false } = options
    const key = this.#key(path)
    const query = { prefix: this.#prefix(path), recursive: true, limit: recursive ? DELETE_PAGE : 1, signal }
    // A recursive delete most likely means a directory, so both are asked at once.
    const early = recursive ? listKeys(this.#connection, path, query) : undefined
    early?.catch(() => {})
    const head = await this.#head(key, path, signal)
    if (head?.directory === false) {
      await early?.catch(() => {})
      return head.large ? this.#large.delete(key, path, signal) : this.#deleteKey(key, path, signal)
    }
    const first = await (early ?? listKeys(this.#connection, path, { ...query, after: query.prefix }))
    if (!recursive && first.keys.length > 0)
      throw new AlluxioError('DIRECTORY_NOT_EMPTY', `delete ${path}: it is not empty`)
    if (recursive && first.keys.length > 0) await this.#deleteTree(path, query, first)
    const marked = await this.#deleteMarker(query.prefix, path, signal)
    if (head !== undefined) await this.#deleteKey(key, path, signal)
    else if (!marked && first.keys.length === 0) throw missing('delete', path)
  }

  async rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    checkStorePath(dst)
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `rename ${src} ${dst}: cannot be moved below itself`)
    }
    const { retry } = this.#modules
    const find = <T>(path: string, look: () => Promise<T>) => retry.run('status', path, signal, look)
    const [source, target] = await Promise.all([
      find(src, () => this.#head(this.#key(src), src, signal)),
      find(dst, () => this.status(dst, signal)).catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      }),
    ])
    if (target !== undefined)
      throw new AlluxioError('ALREADY_EXISTS', `rename ${src} ${dst}: the target exists`)
    if (source?.directory === false)
      return this.#mover.move(this.#key(src), this.#key(dst), source, src, signal)
    if (source === undefined && !(await find(src, () => this.#isDirectory(src, signal))))
      throw missing('rename', src)
    await this.#renameTree(src, dst, signal)
    if (source !== undefined) await this.#markAnew(src, dst, signal)
  }

  async moveObjects(src: string, dst: string, options: UfsMoveOptions = {}): Promise<UfsMoved> {
    const { cursor, stays, signal } = options
    const { retry } = this.#modules
    const prefix = this.#prefix(src)
    const after = cursor === undefined ? {} : { after: prefix + cursor }
    const query: KeyQuery = { prefix, recursive: true, limit: MOVE_PAGE, signal, ...after }
    const page = await retry.run('list', src, signal, () => listKeys(this.#connection, src, query))
    const move = this.#mover.tree(prefix, this.#prefix(dst), src, signal)
    await move.copy(
      page.keys.filter(({ name }) => stays?.(childOf(src, name)) !== true),
      page.marker,
    )
    await move.finish()
    const last = page.keys.at(-1)?.name
    if (page.more && last !== undefined) return { objects: move.copied, cursor: last }
    const marked = await this.#moveMarker(src, dst, signal)
    return { objects: move.copied + (marked ? 1 : 0) }
  }

  async clean(signal?: AbortSignal): Promise<UfsCleaned> {
    const { temporaryAgeMs: maxAgeMs } = this.#options
    if (maxAgeMs === 0) return { objects: 0, bytes: 0 }
    const modules = { ...this.#modules, connection: this.#connection, large: this.#large }
    return new SegmentSweep({ maxAgeMs }, modules, signal).run()
  }

  async space(): Promise<UfsSpace> {
    throw new AlluxioError('UNSUPPORTED', 'Swift does not tell the space of a container')
  }

  async setAttributes(path: string): Promise<void> {
    throw new AlluxioError(
      'UNSUPPORTED',
      `setAttributes ${path}: objects of Swift have no mode, owner or group`,
    )
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  #key(path: string): string {
    const { prefix } = this.#options
    return prefix === '' ? path : path === '' ? prefix : `${prefix}/${path}`
  }

  /** Key prefix of what lies below a directory. */
  #prefix(path: string): string {
    const key = this.#key(path)
    return key === '' ? '' : `${key}/`
  }

  async #get(key: string, path: string, { range, ifMatch, signal }: GetOptions): Promise<ObjectBytes> {
    const answer = await this.#connection.ask({
      api: 'GetObject',
      method: 'GET',
      container: this.#connection.container,
      key,
      path,
      headers: {
        ...(range === undefined ? {} : { range }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      signal,
    })
    const { headers } = answer
    const length = headers['content-length']
    return {
      etag: headers.etag,
      contentRange: headers['content-range'],
      contentLength: length === undefined ? undefined : Number(length),
      partial: answer.statusCode === 206,
      body: answer.body!,
    }
  }

  async #head(key: string, path: string, signal: AbortSignal | undefined): Promise<ObjectHead | undefined> {
    const { container } = this.#connection
    try {
      const { headers } = await this.#connection.ask({
        api: 'HeadObject',
        method: 'HEAD',
        container,
        key,
        path,
        signal,
      })
      return headOf(headers)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  #firstKey(path: string, signal: AbortSignal | undefined) {
    const query: KeyQuery = { prefix: this.#prefix(path), recursive: true, limit: 1, signal }
    return listKeys(this.#connection, path, query)
  }

  async #isDirectory(path: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (path === '') return true
    const { keys, marker } = await this.#firstKey(path, signal)
    return marker || keys.length > 0
  }

  /** Marks every parent up to the first one that is marked already. */
  async #markParents(path: string, signal: AbortSignal | undefined): Promise<void> {
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      if ((await this.#head(this.#prefix(at), at, signal)) !== undefined) return
      await this.#mover.mark(this.#prefix(at), at, signal)
    }
  }

  async #deleteKey(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { container } = this.#connection
    await this.#connection.send({ api: 'DeleteObject', method: 'DELETE', container, key, path, signal })
  }

  /** Moves the marker of a directory that has no slash in its key; false where there is none. */
  async #moveMarker(src: string, dst: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { retry } = this.#modules
    const head = await retry.run('status', src, signal, () => this.#head(this.#key(src), src, signal))
    if (head?.directory !== true) return false
    await this.#markAnew(src, dst, signal)
    return true
  }

  /** The marker had no slash; its successor has one, as all that are made here. */
  async #markAnew(src: string, dst: string, signal: AbortSignal | undefined): Promise<void> {
    const { retry } = this.#modules
    await retry.run('PutObject', dst, signal, () => this.#mover.mark(this.#prefix(dst), dst, signal))
    await retry.run('DeleteObject', src, signal, () => this.#deleteMarker(this.#key(src), src, signal))
  }

  /** Whether there was one. */
  async #deleteMarker(key: string, path: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#deleteKey(key, path, signal)
      return true
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return false
      throw error
    }
  }

  async #deleteTree(
    path: string,
    query: KeyQuery,
    first: Awaited<ReturnType<typeof listKeys>>,
  ): Promise<void> {
    const { signal, prefix } = query
    const deleting = new Set<Promise<void>>()
    for (let page = first; ; ) {
      const batch = this.#deletePage(prefix, page, path, signal).finally(() => deleting.delete(batch))
      batch.catch(() => {})
      deleting.add(batch)
      if (!page.more) break
      if (deleting.size >= DELETES_AT_ONCE) await Promise.race(deleting)
      const after = prefix + (page.keys.at(-1)?.name ?? '')
      page = await listKeys(this.#connection, path, { ...query, after })
    }
    await Promise.all(deleting)
  }

  async #deletePage(
    prefix: string,
    page: Awaited<ReturnType<typeof listKeys>>,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { container } = this.#connection
    const plain = page.keys
      .filter((key) => !key.large)
      .map(({ name }) => objectPath(container, prefix + name))
    await this.#large.deleteAll(plain, path, signal)
    for (const { name, large } of page.keys) {
      if (large) await this.#large.delete(prefix + name, path, signal)
    }
  }

  /** Copies all, then deletes all: what fails in between leaves the source whole, and the copies are taken back. */
  async #renameTree(src: string, dst: string, signal: AbortSignal | undefined): Promise<void> {
    const { retry } = this.#modules
    const move = this.#mover.tree(this.#prefix(src), this.#prefix(dst), src, signal)
    try {
      for (let after: string | undefined, more = true; more; ) {
        const query: KeyQuery = { prefix: this.#prefix(src), recursive: true, limit: 1000, after, signal }
        const page = await retry.run('list', src, signal, () => listKeys(this.#connection, src, query))
        await move.copy(page.keys, page.marker)
        more = page.more
        after = query.prefix + (page.keys.at(-1)?.name ?? '')
      }
    } catch (error) {
      this.#log.warn('rename of a directory failed, its copies are removed', { src, dst, error })
      await move.undo().catch(() => {})
      throw error
    }
    await move.finish()
  }
}

function fileStatus(path: string, { length, modifiedMs, etag, metadata }: ObjectHead): UfsStatus {
  return { path, directory: false, length, modifiedMs, fingerprint: etag, metadata }
}

function directoryStatus(path: string): UfsStatus {
  return { path, directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
}

function missing(operation: string, path: string): AlluxioError {
  return new AlluxioError('NOT_FOUND', `${operation} ${path}: neither an object nor a prefix`, { operation })
}
