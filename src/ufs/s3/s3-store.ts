/** Objects of a bucket below a prefix. */
import { AlluxioError, isAlluxioError, type Log } from '../../core/index.ts'
import { type GetOptions, ObjectRead, unquoted } from '../http-transport/object-read.ts'
import { iterable } from '../layers/around.ts'
import { type PartWrite, PartWriter } from '../part-writer.ts'
import type { StoreModules } from '../registry.ts'
import type {
  UfsCapabilities,
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
import type { S3Connection } from './client.ts'
import { Copier, type CopySource } from './copy.ts'
import { type KeyQuery, listKeys, listPage } from './listing.ts'
import { getObject, headObject } from './object-reads.ts'
import { LARGEST_COPY_BYTES } from './parts.ts'
import { S3Upload, WRITE_ID } from './upload.ts'

export interface S3StoreOptions {
  /** Key prefix of the mount's root, without leading and trailing slash. */
  readonly prefix: string
  readonly leastPartBytes: number
  readonly uploads: number
}

const CAPABILITIES: UfsCapabilities = {
  atomicRename: false,
  directoryRename: false,
  directories: false,
  etag: true,
  conditionalCreate: true,
  objectMetadata: true,
  posix: false,
  space: false,
  orderedList: false,
  bestRangeBytes: 8 * 2 ** 20,
  bestRangeParallelism: 8,
}
const DELETE_BATCH = 1000
const DELETES_AT_ONCE = 4
const COPIES_AT_ONCE = 16
/** Of a page that moves: nothing else waits for its copies. */
const MOVES_AT_ONCE = 32

export class S3Store implements UnderStore {
  readonly scheme = 's3'
  readonly capabilities: UfsCapabilities
  readonly #options: S3StoreOptions
  readonly #connection: S3Connection
  readonly #modules: Pick<StoreModules, 'retry' | 'runtime'>
  readonly #log: Log
  readonly #copier: Copier

  constructor(options: S3StoreOptions, connection: S3Connection, modules: StoreModules) {
    this.#options = options
    this.#connection = connection
    this.capabilities = connection.server.capabilities(CAPABILITIES)
    this.#modules = modules
    this.#log = modules.log
    this.#copier = new Copier({}, { connection, retry: modules.retry })
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const key = this.#key(path)
    const modules = {
      get: (range: GetOptions) => getObject(this.#connection, key, path, range),
      isDirectory: (at: string, signal: AbortSignal | undefined) => this.#isDirectory(at, signal),
    }
    return iterable(() => new ObjectRead(path, options, modules))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    const { leastPartBytes, uploads } = this.#options
    const { retry, runtime } = this.#modules
    const upload = { ...options, path, key: this.#key(path), leastPartBytes }
    const target = (write: PartWrite) => new S3Upload(upload, { connection: this.#connection, retry, write })
    return new PartWriter({ ...options, path, uploads }, { runtime, target })
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    if (path === '') {
      await this.#firstKey('', signal)
      return directoryStatus('')
    }
    const file = await this.#file(path, signal)
    if (file !== undefined) return file
    if (await this.#isDirectory(path, signal)) return directoryStatus(path)
    throw missing('status', path)
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    const { nothing, ...page } = await listPage(this.#connection, path, this.#prefix(path), options)
    if (nothing && path !== '' && (await this.#file(path, options.signal)) !== undefined) {
      throw new AlluxioError('NOT_A_DIRECTORY', `list ${path}: it is a file`)
    }
    return page
  }

  async mkdir(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (path === '') return
    const { signal } = options
    const [file] = await Promise.all([this.#file(path, signal), this.#markParents(path, signal)])
    if (file !== undefined) throw new AlluxioError('ALREADY_EXISTS', `mkdir ${path}: a file stands there`)
    await this.#mark(path, signal)
  }

  async delete(
    path: string,
    options: { readonly recursive?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const { signal, recursive = false } = options
    const query = { prefix: this.#prefix(path), recursive: true, limit: recursive ? DELETE_BATCH : 2, signal }
    // A recursive delete most likely means a directory, so both are asked at once.
    const early = recursive ? listKeys(this.#connection, path, query) : undefined
    early?.catch(() => {})
    const file = await this.#file(path, signal)
    if (file !== undefined) {
      await early?.catch(() => {})
      return this.#deleteKey(this.#key(path), path, signal)
    }
    const first = await (early ?? listKeys(this.#connection, path, query))
    if (first.keys.length === 0) {
      if (!first.marker) throw missing('delete', path)
      return this.#deleteKey(query.prefix, path, signal)
    }
    if (!recursive) throw new AlluxioError('DIRECTORY_NOT_EMPTY', `delete ${path}: it is not empty`)
    await this.#deleteTree(path, query, first)
  }

  async rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    checkStorePath(dst)
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `rename ${src} ${dst}: cannot be moved below itself`)
    }
    const { retry } = this.#modules
    const find = (path: string) => retry.run('status', path, signal, () => this.status(path, signal))
    const [source, target] = await Promise.all([
      find(src),
      find(dst).catch((error: unknown) => {
        if (isAlluxioError(error, 'NOT_FOUND') && error.reason !== 'BUCKET_MISSING') return undefined
        throw error
      }),
    ])
    if (target !== undefined)
      throw new AlluxioError('ALREADY_EXISTS', `rename ${src} ${dst}: the target exists`)
    if (source.directory) return this.#renameTree(src, dst, signal)
    const copied = { key: this.#key(src), length: source.length, metadata: source.metadata }
    await this.#copier.copy(copied, this.#key(dst), src, signal)
    await retry.run('DeleteObject', src, signal, () => this.#deleteKey(this.#key(src), src, signal))
  }

  async moveObjects(src: string, dst: string, options: UfsMoveOptions = {}): Promise<UfsMoved> {
    const { cursor, stays, signal } = options
    const { retry } = this.#modules
    const [from, to] = [this.#prefix(src), this.#prefix(dst)]
    const after = cursor === undefined ? {} : { after: from + cursor }
    const query: KeyQuery = { prefix: from, recursive: true, limit: DELETE_BATCH, signal, ...after }
    const page = await retry.run('list', src, signal, () => listKeys(this.#connection, src, query))
    const sources: CopySource[] = page.keys
      .filter(({ name }) => stays?.(childOf(src, name)) !== true)
      .map(({ name, length }) => ({ key: from + name, length }))
    if (page.marker) sources.push({ key: from, length: 0 })
    let next = 0
    const lane = async () => {
      try {
        while (next < sources.length) {
          const source = sources[next++]!
          await this.#copyOne(source, to + source.key.slice(from.length), src, signal)
        }
      } catch (error) {
        // The others end with the copy that they are at: all have stopped before anybody tries again.
        next = sources.length
        throw error
      }
    }
    const lanes = await Promise.allSettled(Array.from({ length: MOVES_AT_ONCE }, lane))
    for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason
    const keys = sources.map(({ key }) => key)
    await retry.run('DeleteObjects', src, signal, () => this.#deleteBatch(keys, src, signal))
    const last = page.keys.at(-1)?.name
    const more = page.token !== undefined && last !== undefined
    return { objects: sources.length, ...(more ? { cursor: last } : {}) }
  }

  async space(): Promise<UfsSpace> {
    throw new AlluxioError('UNSUPPORTED', 'S3 does not tell the space of a bucket')
  }

  async setAttributes(path: string): Promise<void> {
    throw new AlluxioError('UNSUPPORTED', `setAttributes ${path}: objects of S3 have no mode, owner or group`)
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

  async #file(path: string, signal: AbortSignal | undefined): Promise<UfsStatus | undefined> {
    try {
      return await this.#head(this.#key(path), path, signal)
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return undefined
      // A refused HEAD has no body and so no reason; a listing is refused with one.
      if (isAlluxioError(error, 'PERMISSION_DENIED')) await this.#firstKey(path, signal)
      throw error
    }
  }

  async #head(key: string, path: string, signal: AbortSignal | undefined): Promise<UfsStatus> {
    const head = await headObject(this.#connection, key, path, signal)
    const { [WRITE_ID]: _, ...metadata } = head.metadata
    const { length, modifiedMs } = head
    return { path, directory: false, length, modifiedMs, fingerprint: unquoted(head.etag), metadata }
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
      try {
        await this.#head(this.#prefix(at), at, signal)
        return
      } catch (error) {
        if (!isAlluxioError(error, 'NOT_FOUND')) throw error
      }
      await this.#mark(at, signal)
    }
  }

  #mark(path: string, signal: AbortSignal | undefined): Promise<void> {
    return this.#putMarker(this.#prefix(path), path, signal)
  }

  async #putMarker(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { sdk, bucket } = this.#connection
    await this.#connection.send(
      new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: '', ContentLength: 0 }),
      path,
      { signal },
    )
  }

  async #deleteKey(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { sdk, bucket } = this.#connection
    await this.#connection.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), path, { signal })
  }

  async #deleteTree(
    path: string,
    query: KeyQuery,
    first: Awaited<ReturnType<typeof listKeys>>,
  ): Promise<void> {
    const deleting = new Set<Promise<void>>()
    for (let page = first; ; ) {
      const keys = page.keys.map(({ name }) => query.prefix + name)
      if (page.marker) keys.push(query.prefix)
      const batch = this.#deleteBatch(keys, path, query.signal).finally(() => deleting.delete(batch))
      batch.catch(() => {})
      deleting.add(batch)
      if (page.token === undefined) break
      if (deleting.size >= DELETES_AT_ONCE) await Promise.race(deleting)
      // By key, not by the server's token: what has been deleted meanwhile must not confuse it.
      const after = query.prefix + (page.keys.at(-1)?.name ?? '')
      page = await listKeys(this.#connection, path, { ...query, after })
    }
    await Promise.all(deleting)
  }

  async #deleteBatch(keys: readonly string[], path: string, signal: AbortSignal | undefined): Promise<void> {
    const { sdk, bucket } = this.#connection
    for (let at = 0; at < keys.length; at += DELETE_BATCH) {
      const Objects = keys.slice(at, at + DELETE_BATCH).map((Key) => ({ Key }))
      const { Errors } = await this.#connection.send(
        new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
        path,
        { signal },
      )
      const failed = (Errors ?? []).filter((error) => error.Code !== 'NoSuchKey')
      if (failed.length === 0) continue
      const { Key, Code, Message } = failed[0]!
      const denied = Code === 'AccessDenied'
      throw new AlluxioError(
        denied ? 'PERMISSION_DENIED' : 'UNAVAILABLE',
        `delete ${path}: ${failed.length} objects could not be deleted, the first is ${Key}: ${Code} ${Message ?? ''}`,
        { reason: Code ?? 'DELETE_FAILED' },
      )
    }
  }

  /** Copies all, then deletes all: what fails in between leaves the source whole, and the copies are taken back. */
  async #renameTree(src: string, dst: string, signal: AbortSignal | undefined): Promise<void> {
    const { retry } = this.#modules
    const from = this.#prefix(src)
    const to = this.#prefix(dst)
    const made: string[] = []
    const moved: string[] = []
    try {
      for (let token: string | undefined, more = true; more; ) {
        const query: KeyQuery = { prefix: from, recursive: true, limit: 1000, token, signal }
        const page = await retry.run('list', src, signal, () => listKeys(this.#connection, src, query))
        const sources: CopySource[] = page.keys.map(({ name, length }) => ({ key: from + name, length }))
        if (page.marker) sources.push({ key: from, length: 0 })
        let next = 0
        const lane = async () => {
          while (next < sources.length) {
            const source = sources[next++]!
            const target = to + source.key.slice(from.length)
            await this.#copyOne(source, target, src, signal)
            made.push(target)
            moved.push(source.key)
          }
        }
        await Promise.all(Array.from({ length: COPIES_AT_ONCE }, lane))
        token = page.token
        more = token !== undefined
      }
    } catch (error) {
      this.#log.warn('rename of a directory failed, its copies are removed', { src, dst, error })
      await this.#deleteBatch(made, dst, undefined).catch(() => {})
      throw error
    }
    await retry.run('DeleteObjects', src, signal, () => this.#deleteBatch(moved, src, signal))
  }

  async #copyOne(
    source: CopySource,
    target: string,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (source.key.endsWith('/') && source.length === 0) {
      // Some servers refuse to copy a marker, and making one is as cheap.
      return this.#modules.retry.run('PutObject', path, signal, () => this.#putMarker(target, path, signal))
    }
    const large = source.length > LARGEST_COPY_BYTES
    // A copy in parts does not take the metadata along by itself.
    const described = large
      ? { ...source, metadata: (await this.#head(source.key, path, signal)).metadata }
      : source
    await this.#copier.copy(described, target, path, signal)
  }
}

function directoryStatus(path: string): UfsStatus {
  return { path, directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
}

function missing(operation: string, path: string): AlluxioError {
  return new AlluxioError('NOT_FOUND', `${operation} ${path}: neither an object nor a prefix`, { operation })
}
