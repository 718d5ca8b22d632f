/** Blobs of a container below a prefix. */
import { AlluxioError, eachLimited, isAlluxioError, type Log, type Runtime, sleep } from '../../core/index.ts'
import { type GetOptions, type ObjectBytes, ObjectRead, unquoted } from '../http-transport/object-read.ts'
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
import type { AzureClient } from './client.ts'
import { FOLDER, type ListedBlob, listBlobs, listPage } from './listing.ts'
import { metadataOf } from './metadata.ts'
import { AzureUpload, WRITE_ID } from './upload.ts'

export interface AzureStoreOptions {
  /** Name prefix of the mount's root, without leading and trailing slash. */
  readonly prefix: string
  readonly leastBlockBytes: number
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
  // The service takes a backslash for a slash.
  refusedNames: /\\/,
  bestRangeBytes: 8 * 2 ** 20,
  bestRangeParallelism: 8,
}
const CALLS_AT_ONCE = 16
const PAGE = 1000
const COPY_LOOK_MS = 200

export class AzureStore implements UnderStore {
  readonly scheme = 'wasb'
  readonly capabilities = CAPABILITIES
  readonly #options: AzureStoreOptions
  readonly #client: AzureClient
  readonly #m: Pick<StoreModules, 'retry'> & { readonly runtime: Runtime }
  readonly #log: Log

  constructor(options: AzureStoreOptions, client: AzureClient, modules: StoreModules) {
    this.#options = options
    this.#client = client
    this.#m = modules
    this.#log = modules.log
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const modules = {
      get: (range: GetOptions) => this.#get(path, range),
      isDirectory: async (at: string, signal: AbortSignal | undefined) =>
        at === '' || this.#isPrefix(at, signal),
    }
    return iterable(() => new ObjectRead(path, options, modules))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    checkName('create', path)
    const { leastBlockBytes, uploads } = this.#options
    const { retry, runtime } = this.#m
    const upload = { ...options, path, key: this.#key(path), leastBlockBytes }
    const target = (write: PartWrite) => new AzureUpload(upload, { client: this.#client, retry, write })
    return new PartWriter({ ...options, path, uploads }, { runtime, target })
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    const found = path === '' ? undefined : await this.#head(path, signal)
    if (found !== undefined) return found
    if (!(await this.#isPrefix(path, signal)) && path !== '') throw missing('status', path)
    return directoryStatus(path)
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    const { nothing, ...page } = await listPage(this.#client, path, this.#prefix(path), options)
    if (nothing && path !== '' && (await this.#head(path, options.signal))?.directory === false) {
      throw new AlluxioError('NOT_A_DIRECTORY', `list ${path}: it is a file`)
    }
    return page
  }

  async mkdir(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    checkName('mkdir', path)
    for (let at = path; at !== ''; at = parentOf(at)) {
      const found = await this.#head(at, signal)
      if (found?.directory === true) return
      if (found !== undefined) {
        if (at !== path) return
        throw new AlluxioError('ALREADY_EXISTS', `mkdir ${path}: a file stands there`)
      }
      await this.#mark(at, signal)
    }
  }

  async delete(
    path: string,
    options: { readonly recursive?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const { signal, recursive = false } = options
    const found = await this.#head(path, signal)
    if (found?.directory === false) return this.#deleteKey(this.#key(path), path, signal)
    const query = { prefix: this.#prefix(path), recursive: true, limit: recursive ? PAGE : 1, signal }
    const first = await listBlobs(this.#client, path, query)
    if (found === undefined && first.blobs.length === 0) throw missing('delete', path)
    if (first.blobs.length > 0 && !recursive) {
      throw new AlluxioError('DIRECTORY_NOT_EMPTY', `delete ${path}: it is not empty`)
    }
    // Markers go last, the deepest first: accounts with a hierarchical namespace keep a directory that has children.
    const folders: string[] = []
    await this.#each(path, signal, ({ name, folder }) => {
      const key = query.prefix + name
      if (folder) folders.push(key)
      else return this.#deleteIfThere(key, path, signal)
      return undefined
    })
    for (const key of folders.sort().reverse()) await this.#deleteIfThere(key, path, signal)
    if (found !== undefined) await this.#deleteKey(this.#key(path), path, signal)
  }

  async rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    checkStorePath(dst)
    checkName('rename', dst)
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `rename ${src} ${dst}: cannot be moved below itself`)
    }
    const { retry } = this.#m
    const [source, target] = await Promise.all([
      retry.run('status', src, signal, () => this.status(src, signal)),
      retry
        .run('status', dst, signal, () => this.status(dst, signal))
        .catch((error: unknown) => {
          if (isAlluxioError(error, 'NOT_FOUND') && error.reason !== 'BUCKET_MISSING') return undefined
          throw error
        }),
    ])
    if (target !== undefined) {
      throw new AlluxioError('ALREADY_EXISTS', `rename ${src} ${dst}: the target exists`)
    }
    if (source.directory) return this.#renameTree(src, dst, signal)
    await this.#copy(this.#key(src), this.#key(dst), src, signal)
    await retry.run('DeleteBlob', src, signal, () => this.#deleteIfThere(this.#key(src), src, signal))
  }

  async moveObjects(src: string, dst: string, options: UfsMoveOptions = {}): Promise<UfsMoved> {
    const { cursor, stays, signal } = options
    const { retry } = this.#m
    const [from, to] = [this.#prefix(src), this.#prefix(dst)]
    checkName('rename', dst)
    const query = { prefix: from, recursive: true, limit: PAGE, marker: cursor, signal }
    const page = await retry.run('ListBlobs', src, signal, () => listBlobs(this.#client, src, query))
    const moving = page.blobs.filter(({ name }) => stays?.(childOf(src, name)) !== true)
    let objects = 0
    await eachLimited(moving, CALLS_AT_ONCE, async ({ name, folder }) => {
      if (await this.#moveOne(from + name, to + name, folder, src, signal)) objects++
    })
    // The directory's own marker is not below it: it goes with the last page.
    if (page.marker === undefined && (await this.#head(src, signal))?.directory === true) {
      if (await this.#moveOne(this.#key(src), this.#key(dst), true, src, signal)) objects++
    }
    return { objects, ...(page.marker === undefined ? {} : { cursor: page.marker }) }
  }

  async space(): Promise<UfsSpace> {
    throw new AlluxioError('UNSUPPORTED', 'Azure does not tell the space of a container')
  }

  async setAttributes(path: string): Promise<void> {
    throw new AlluxioError('UNSUPPORTED', `setAttributes ${path}: blobs have no mode, owner or group`)
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  #key(path: string): string {
    return childOf(this.#options.prefix, path).replace(/\/$/, '')
  }

  /** Name prefix of what lies below a directory. */
  #prefix(path: string): string {
    const key = this.#key(path)
    return key === '' ? '' : `${key}/`
  }

  async #get(path: string, { range, ifMatch, signal }: GetOptions): Promise<ObjectBytes> {
    const headers = {
      ...(range === undefined ? {} : { range }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    }
    if (path.includes('\\')) throw missing('open', path)
    const request = { api: 'GetBlob', method: 'GET', key: this.#key(path), path, headers, signal } as const
    const answer = await this.#client.ask(request).catch(async (error: unknown) => {
      // Any range of nothing is out of range, and a marker has nothing.
      if (!isAlluxioError(error, 'OUT_OF_RANGE') || !(await this.#head(path, signal))?.directory) throw error
      throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`)
    })
    if (isFolder(answer.headers)) {
      answer.body?.destroy()
      throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`)
    }
    return {
      etag: answer.headers.etag,
      contentRange: answer.headers['content-range'],
      contentLength: Number(answer.headers['content-length']),
      partial: answer.statusCode === 206,
      body: answer.body!,
    }
  }

  /** A file, or a directory that has a marker. */
  async #head(path: string, signal: AbortSignal | undefined): Promise<UfsStatus | undefined> {
    if (path.includes('\\')) return undefined
    try {
      const { headers } = await this.#client.ask({
        api: 'GetBlobProperties',
        method: 'HEAD',
        key: this.#key(path),
        path,
        signal,
      })
      const time = Date.parse(headers['last-modified'] ?? '')
      const modifiedMs = Number.isNaN(time) ? 0 : time
      if (isFolder(headers)) return { ...directoryStatus(path), modifiedMs }
      const metadata = metadataOf(headers, [WRITE_ID])
      const length = Number(headers['content-length'] ?? 0)
      return { path, directory: false, length, modifiedMs, fingerprint: unquoted(headers.etag), metadata }
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND') && error.reason !== 'BUCKET_MISSING') return undefined
      throw error
    }
  }

  async #isPrefix(path: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (path.includes('\\')) return false
    const query = { prefix: this.#prefix(path), recursive: true, limit: 1, signal }
    // Right after a delete the service may send an empty page with a marker.
    for (let marker: string | undefined; ; ) {
      const page = await listBlobs(this.#client, path, { ...query, marker })
      if (page.blobs.length > 0) return true
      if (page.marker === undefined) return false
      marker = page.marker
    }
  }

  async #mark(path: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#putMarker(this.#key(path), path, signal)
  }

  async #putMarker(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const headers = { 'x-ms-blob-type': 'BlockBlob', [`x-ms-meta-${FOLDER}`]: 'true', 'if-none-match': '*' }
    try {
      await this.#client.send({ api: 'PutBlob', method: 'PUT', key, path, signal, headers })
    } catch (error) {
      // Another one made it meanwhile.
      if (!isAlluxioError(error, 'CONFLICT')) throw error
    }
  }

  async #deleteKey(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#client.send({ api: 'DeleteBlob', method: 'DELETE', key, path, signal })
  }

  async #deleteIfThere(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#deleteKey(key, path, signal)
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND') || error.reason === 'BUCKET_MISSING') throw error
    }
  }

  /** Runs `work` for all that lies below a directory, some at a time. */
  async #each(
    path: string,
    signal: AbortSignal | undefined,
    work: (blob: ListedBlob) => Promise<void> | undefined,
  ): Promise<void> {
    const { retry } = this.#m
    for (let marker: string | undefined, more = true; more; ) {
      const query = { prefix: this.#prefix(path), recursive: true, limit: PAGE, marker, signal }
      const page = await retry.run('ListBlobs', path, signal, () => listBlobs(this.#client, path, query))
      await eachLimited(page.blobs, CALLS_AT_ONCE, async (blob) => work(blob))
      marker = page.marker
      more = marker !== undefined
    }
  }

  /** Copies all, then deletes all: what fails in between leaves the source whole, and the copies are taken back. */
  async #renameTree(src: string, dst: string, signal: AbortSignal | undefined): Promise<void> {
    const from = this.#prefix(src)
    const to = this.#prefix(dst)
    const { retry } = this.#m
    try {
      await retry.run('PutBlob', dst, signal, () => this.#mark(dst, signal))
      await this.#each(src, signal, async ({ name, folder }) => {
        if (folder) {
          const key = to + name.replace(/\/$/, '')
          await retry.run('PutBlob', dst, signal, () => this.#putMarker(key, dst, signal))
        } else await this.#copy(from + name, to + name, src, signal)
      })
    } catch (error) {
      this.#log.warn('rename of a directory failed, its copies are removed', { src, dst, error })
      await this.delete(dst, { recursive: true }).catch(() => {})
      throw error
    }
    await retry.run('delete', src, signal, async () => {
      try {
        await this.delete(src, { recursive: true, ...(signal === undefined ? {} : { signal }) })
      } catch (error) {
        if (!isAlluxioError(error, 'NOT_FOUND') || error.reason === 'BUCKET_MISSING') throw error
      }
    })
  }

  /** False for a directory that has to stay while something stays below it. */
  async #moveOne(
    from: string,
    to: string,
    folder: boolean,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { retry } = this.#m
    if (folder) await retry.run('PutBlob', path, signal, () => this.#putMarker(to, path, signal))
    else await this.#copy(from, to, path, signal)
    return retry.run('DeleteBlob', path, signal, async () => {
      try {
        await this.#deleteIfThere(from, path, signal)
        return true
      } catch (error) {
        // With a hierarchical namespace it goes once it is empty: the next pass sees it again.
        if (!folder || !isAlluxioError(error, 'DIRECTORY_NOT_EMPTY')) throw error
        return false
      }
    })
  }

  /** By the service itself, which answers before it is done when the blobs are far apart. */
  async #copy(from: string, to: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { retry, runtime } = this.#m
    const target = { key: to, path, signal } as const
    const headers = { 'x-ms-copy-source': this.#client.source(from) }
    const begun = await retry.run('CopyBlob', path, signal, () =>
      this.#client.send({ ...target, api: 'CopyBlob', method: 'PUT', headers }),
    )
    let state = begun.headers['x-ms-copy-status'] ?? 'success'
    while (state === 'pending') {
      await sleep(runtime, COPY_LOOK_MS, signal)
      const looked = await retry.run('GetBlobProperties', path, signal, () =>
        this.#client.ask({ ...target, api: 'GetBlobProperties', method: 'HEAD' }),
      )
      state = looked.headers['x-ms-copy-status'] ?? 'success'
      if (state === 'success' || state === 'pending') continue
      throw new AlluxioError(
        'UNAVAILABLE',
        `rename ${path}: the copy ended with ${state}: ${looked.headers['x-ms-copy-status-description'] ?? ''}`,
        { reason: 'COPY_FAILED' },
      )
    }
  }
}

function isFolder(headers: Readonly<Record<string, string>>): boolean {
  return (
    headers[`x-ms-meta-${FOLDER}`]?.toLowerCase() === 'true' || headers['x-ms-resource-type'] === 'directory'
  )
}

function checkName(operation: string, path: string): void {
  if (!path.includes('\\')) return
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `${operation} ${path}: Azure takes a backslash in a name for a slash: choose another name`,
    { reason: 'INVALID_NAME', operation },
  )
}

function directoryStatus(path: string): UfsStatus {
  return { path, directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
}

function missing(operation: string, path: string): AlluxioError {
  return new AlluxioError('NOT_FOUND', `${operation} ${path}: neither a blob nor a prefix`, { operation })
}
