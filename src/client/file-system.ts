/** The file system as programs hold it: metadata calls to the master, readers and writers over workers. */
import { AlluxioError, canonicalPath, isAlluxioError, type Log, type Runtime } from '../core/index.ts'
import * as o from '../core/options/user.options.ts'
import type { Client, Infer, MasterFs } from '../rpc/index.ts'
import { BlockReads } from './block-reads.ts'
import type { Doubts } from './doubts.ts'
import { BlockFileReader } from './file-reader.ts'
import { statusOfEntry } from './file-status.ts'
import { BlockedFileWriter } from './file-writer.ts'
import { listEntries } from './listing.ts'
import { Loading } from './loading.ts'
import type { LocalBlocks } from './local-block.ts'
import { locateFile, placesOf, placesOfFiles } from './located-file.ts'
import { OpenFile } from './open-file.ts'
import { type PathDefaults, pathDefault } from './path-defaults.ts'
import { ReadTallies } from './read-tally.ts'
import type { TierFiles } from './tier-files.ts'
import type { TierFolders } from './tier-folders.ts'
import type {
  Admin,
  AttributeChanges,
  BlockPlace,
  ContentSummary,
  CreateOptions,
  FileReader,
  FileStatus,
  FileSystem,
  FileWriter,
  Hints,
  ListOptions,
  LoadOptions,
  LocatedFile,
  LocateOptions,
  MountOptions,
  MountPoint,
  OpenOptions,
  Syncs,
} from './types.ts'
import type { UfsDoor } from './ufs-door.ts'
import type { Workers } from './workers.ts'

export interface ClientOptions {
  readonly readType: o.ReadType
  readonly writeType: o.WriteType
  readonly writePolicy: o.LocationPolicy
  readonly ufsReadPolicy: o.LocationPolicy
  readonly blockSizeBytes: number
  /** Age in milliseconds above which metadata is checked against the under-store. */
  readonly syncIntervalMs: number
  /** How long bytes whose workers are away are waited for. */
  readonly retryMs: number
}

export interface ClientModules {
  readonly fs: Client<typeof MasterFs>
  readonly admin: Admin
  readonly syncs: Syncs
  readonly hints: Hints
  readonly doubts: Doubts
  readonly paths: PathDefaults
  readonly workers: Workers
  readonly tierFiles: TierFiles
  readonly tierFolders: TierFolders
  readonly locals: LocalBlocks
  readonly ufs: UfsDoor
  readonly runtime: Runtime
  readonly log: Log
  /** Ends the connections that are its own. */
  readonly disconnect: () => Promise<void>
}

type CreateRequest = Infer<(typeof MasterFs)['methods']['create']['request']>
type Created = Infer<(typeof MasterFs)['methods']['create']['response']>

const COMMAND_ID_BYTES = 16
/** Blocks of one call. */
const BLOCKS_PER_CALL = 1000

export class ClusterFileSystem implements FileSystem {
  readonly admin: Admin
  readonly syncs: Syncs
  readonly hints: Hints
  readonly #options: ClientOptions
  readonly #modules: ClientModules
  /** Random bytes for command ids, many at a time: drawn singly they were an eighth of a client's CPU in a storm of creates. */
  #ids: Uint8Array = new Uint8Array(0)
  #idsUsed = 0
  readonly #fs: Client<typeof MasterFs>
  #closing: Promise<void> | undefined

  constructor(options: ClientOptions, modules: ClientModules) {
    this.#options = options
    this.#modules = modules
    this.#fs = modules.fs
    this.admin = modules.admin
    this.syncs = modules.syncs
    this.hints = modules.hints
  }

  async getStatus(
    given: string,
    options: { readonly syncIntervalMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<FileStatus> {
    const path = canonicalPath(given)
    const { entry } = await this.#fs.getStatus(this.#synced(path, options.syncIntervalMs), signalOf(options))
    return statusOfEntry(path, entry)
  }

  async getStatusById(fileId: number): Promise<FileStatus> {
    const { path, entry } = await this.#fs.statusById({ fileId })
    return statusOfEntry(path, entry)
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.getStatus(path)
      return true
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) return false
      throw error
    }
  }

  async checkAccess(path: string, bits: number): Promise<void> {
    await this.#fs.checkAccess({ path: canonicalPath(path), bits })
  }

  list(path: string, options: ListOptions = {}): AsyncIterable<FileStatus> {
    const syncIntervalMs = this.#syncInterval(canonicalPath(path), options.syncIntervalMs)
    const synced = syncIntervalMs === undefined ? options : { ...options, syncIntervalMs }
    return listEntries(this.#fs, canonicalPath(path), synced)
  }

  async open(given: string, options: OpenOptions = {}): Promise<FileReader> {
    const { fs: _, ...modules } = this.#modules
    const path = canonicalPath(given)
    const found = this.#modules.paths.of(path)
    const defaults = found instanceof Promise ? await found : found
    const own = this.#options
    const { readType = pathDefault(defaults, o.READ_TYPE_DEFAULT, own.readType), signal } = options
    const { policy = pathDefault(defaults, o.UFS_READ_POLICY, own.ufsReadPolicy) } = options
    const syncIntervalMs = this.#syncInterval(path, options.syncIntervalMs)
    const file = await OpenFile.open(
      path,
      {
        readType,
        ...(syncIntervalMs === undefined ? {} : { syncIntervalMs }),
        ...(signal === undefined ? {} : { signal }),
      },
      this.#modules,
    )
    const known = options.known?.(file.status)
    if (known !== undefined) return known
    const tallies = new ReadTallies()
    const reads = new BlockReads({ policy, retryMs: this.#options.retryMs }, file, tallies, signal, modules)
    return new BlockFileReader(file, { ...modules, reads, tallies })
  }

  async load(path: string, options: LoadOptions = {}): Promise<{ loadedBytes: number }> {
    const { policy = this.#options.ufsReadPolicy, local = false, signal, onProgress = () => {} } = options
    const syncIntervalMs = this.#syncInterval(canonicalPath(path), undefined)
    const file = await OpenFile.open(
      canonicalPath(path),
      { readType: 'CACHE', ...defined({ syncIntervalMs, signal }) },
      this.#modules,
    )
    const loading = new Loading(file, { policy, local, signal, onProgress }, this.#modules)
    const loadedBytes = await loading.run()
    // Its own later blocks may have driven out the first ones: that is no success.
    const whole = file.blockCount < 2 || loadedBytes === 0 || (await this.#isCached(path))
    if (!whole) throw tooLarge(file.path)
    return { loadedBytes }
  }

  async #isCached(path: string): Promise<boolean> {
    return (await this.blockPlaces(path)).every(({ locations }) => locations.length > 0)
  }

  async create(given: string, asked: CreateOptions = {}): Promise<FileWriter> {
    const path = canonicalPath(given)
    const found = this.#modules.paths.of(path)
    const options = this.#withDefaults(asked, found instanceof Promise ? await found : found)
    const { writeType, policy, signal } = options
    const created = await this.#create(path, options, writeType, false)
    const { staged } = created
    const { mode, ttlMs, ttlAction } = options
    const status = statusOfEntry(staged ?? path, created.entry)
    const { runtime, log, fs, workers, tierFiles } = this.#modules
    const writer = new BlockedFileWriter(
      {
        status,
        source: created.source,
        writeType,
        policy,
        retryMs: this.#options.retryMs,
        signal,
        publish: staged === undefined ? undefined : { path, ...defined({ mode, ttlMs, ttlAction }) },
      },
      {
        runtime,
        log,
        fs,
        workers,
        tierFiles,
        shortCircuit: workers.options.shortCircuit,
        commandId: () => this.#commandId(),
      },
    )
    if (created.source === undefined && writeType !== 'MUST_CACHE') {
      const error = nothingWritable(status.path, writeType)
      await writer.abort(error)
      throw error
    }
    return writer
  }

  async createEmpty(given: string, asked: CreateOptions = {}): Promise<FileStatus> {
    const path = canonicalPath(given)
    const found = this.#modules.paths.of(path)
    const options = this.#withDefaults(asked, found instanceof Promise ? await found : found)
    const { writeType } = options
    // The through types promise an object in the under-store, which a worker has to make.
    if (writeType === 'CACHE_THROUGH' || writeType === 'THROUGH' || options.staged === true) {
      return (await this.create(path, options)).close()
    }
    const created = await this.#create(path, options, writeType, true)
    return statusOfEntry(path, created.entry)
  }

  #withDefaults(
    options: CreateOptions,
    defaults: Readonly<Record<string, string>>,
  ): CreateOptions & { readonly writeType: o.WriteType; readonly policy: o.LocationPolicy } {
    const own = this.#options
    const { writeType = pathDefault(defaults, o.WRITE_TYPE_DEFAULT, own.writeType) } = options
    const { policy = pathDefault(defaults, o.WRITE_POLICY, own.writePolicy) } = options
    const { blockSizeBytes = pathDefault(defaults, o.BLOCK_SIZE_DEFAULT, own.blockSizeBytes) } = options
    return { ...options, writeType, policy, blockSizeBytes }
  }

  #create(path: string, options: CreateOptions, writeType: o.WriteType, complete: boolean): Promise<Created> {
    const { blockSizeBytes = this.#options.blockSizeBytes, recursive = true, overwrite = false } = options
    const { mode, ttlMs, ttlAction, replicationMin, replicationMax, staged } = options
    const request: CreateRequest = {
      path,
      commandId: this.#commandId(),
      blockSizeBytes,
      recursive,
      overwrite,
      writeType,
      ...defined({ mode, ttlMs, ttlAction, replicationMin, replicationMax, staged }),
      ...(complete ? { complete } : {}),
    }
    return this.#fs.create(request, signalOf(options))
  }

  async mkdir(given: string, options: Parameters<FileSystem['mkdir']>[1] = {}): Promise<FileStatus> {
    const path = canonicalPath(given)
    const found = this.#modules.paths.of(path)
    const { recursive = true, allowExists = false } = options
    const { writeType = this.#withDefaults({}, found instanceof Promise ? await found : found).writeType } =
      options
    const { mode, ttlMs, ttlAction, xattr } = options
    const { entry } = await this.#fs.mkdir({
      path,
      commandId: this.#commandId(),
      recursive,
      allowExists,
      writeType,
      ...defined({ mode, ttlMs, ttlAction }),
      ...(xattr === undefined ? {} : { xattr: { ...xattr } }),
    })
    return statusOfEntry(path, entry)
  }

  async rename(src: string, dst: string, options: { readonly overwrite?: boolean } = {}): Promise<void> {
    await this.#fs.rename({
      src: canonicalPath(src),
      dst: canonicalPath(dst),
      commandId: this.#commandId(),
      ...defined(options),
    })
  }

  async delete(path: string, options: Parameters<FileSystem['delete']>[1] = {}): Promise<void> {
    const { recursive = false, alluxioOnly = false, unchecked = false } = options
    const { deleteMountPoint, expects } = options
    await this.#fs.delete({
      path: canonicalPath(path),
      commandId: this.#commandId(),
      recursive,
      alluxioOnly,
      unchecked,
      ...defined({ deleteMountPoint, expects }),
    })
  }

  async free(
    path: string,
    options: { readonly recursive?: boolean; readonly forced?: boolean } = {},
  ): Promise<{ files: number; bytes: number }> {
    const { recursive = false, forced = false } = options
    const { files, bytes } = await this.#fs.free({ path: canonicalPath(path), recursive, forced })
    return { files, bytes }
  }

  async setAttribute(path: string, changes: AttributeChanges): Promise<void> {
    const { recursive = false, media, xattr, acl, ...rest } = changes
    await this.#fs.setAttribute({
      path: canonicalPath(path),
      commandId: this.#commandId(),
      recursive,
      ...defined(rest),
      ...(media === undefined ? {} : { media: [...media] }),
      ...(xattr === undefined ? {} : { xattr: { ...xattr } }),
      ...(acl === undefined ? {} : { acl: { action: acl.action, entries: [...acl.entries] } }),
    })
  }

  async contentSummary(path: string): Promise<ContentSummary> {
    const request = this.#synced(canonicalPath(path), undefined)
    const { files, directories, bytes, cachedBytes, inMemoryBytes } = await this.#fs.contentSummary(request)
    return { files, directories, bytes, cachedBytes, inMemoryBytes }
  }

  async blockPlaces(given: string): Promise<readonly BlockPlace[]> {
    const path = canonicalPath(given)
    // Not by opening it: where its blocks are may be asked of a file that its store does not let anybody open now.
    const { entry } = await this.#fs.getStatus({ path })
    const status = statusOfEntry(path, entry)
    if (status.folder)
      throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`, { details: { path } })
    return placesOf(status, this.#fs)
  }

  placesOf(statuses: readonly FileStatus[]): Promise<readonly (readonly BlockPlace[])[]> {
    return placesOfFiles(statuses, this.#fs)
  }

  locate(given: string, options: LocateOptions): Promise<LocatedFile> {
    const path = canonicalPath(given)
    const { offset = 0, maxBlocks = BLOCKS_PER_CALL, hosts, certain = false, signal } = options
    const syncIntervalMs = this.#syncInterval(path, undefined)
    const policy = this.#options.ufsReadPolicy
    const request = { path, offset, maxBlocks, hosts, certain, syncIntervalMs, policy, signal }
    return locateFile(request, this.#modules)
  }

  async persist(path: string): Promise<boolean> {
    const { queued } = await this.#fs.persist({ path: canonicalPath(path), commandId: this.#commandId() })
    return queued
  }

  async mount(path: string, uri: string, options: MountOptions = {}): Promise<void> {
    await this.#fs.mount({
      path: canonicalPath(path),
      commandId: this.#commandId(),
      uri,
      readOnly: options.readOnly ?? false,
      shared: options.shared ?? false,
      options: { ...options.options },
      ...defined({ force: options.force }),
    })
  }

  async updateMount(path: string, options: MountOptions = {}): Promise<void> {
    await this.#fs.updateMount({
      path: canonicalPath(path),
      readOnly: options.readOnly ?? false,
      shared: options.shared ?? false,
      options: { ...options.options },
      ...defined({ force: options.force }),
    })
  }

  async unmount(path: string): Promise<void> {
    await this.#fs.unmount({ path: canonicalPath(path), commandId: this.#commandId() })
  }

  async mounts(): Promise<readonly MountPoint[]> {
    return (await this.#fs.mounts({})).mounts
  }

  close(): Promise<void> {
    this.#closing ??= this.#modules.disconnect()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #commandId(): Uint8Array {
    if (this.#idsUsed === this.#ids.length) {
      this.#ids = this.#modules.runtime.randomBytes(new Uint8Array(256 * COMMAND_ID_BYTES))
      this.#idsUsed = 0
    }
    this.#idsUsed += COMMAND_ID_BYTES
    return this.#ids.subarray(this.#idsUsed - COMMAND_ID_BYTES, this.#idsUsed)
  }

  #syncInterval(path: string, given: number | undefined): number | undefined {
    const own = this.#options.syncIntervalMs
    const interval = given ?? (own >= 0 && this.#modules.paths.isChecked(path) ? -1 : own)
    return interval < 0 ? undefined : interval
  }

  #synced(path: string, given: number | undefined): { path: string; syncIntervalMs?: number } {
    const syncIntervalMs = this.#syncInterval(path, given)
    return syncIntervalMs === undefined ? { path } : { path, syncIntervalMs }
  }
}

function signalOf(options: { readonly signal?: AbortSignal }): { signal: AbortSignal } | undefined {
  return options.signal === undefined ? undefined : { signal: options.signal }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** The fields that have a value: an absent optional field is not the same as an undefined one. */
function defined<T extends object>(fields: T): Defined<T> {
  const present: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) present[key] = value
  return present as Defined<T>
}

function tooLarge(path: string): AlluxioError {
  return new AlluxioError(
    'RESOURCE_EXHAUSTED',
    `${path} was loaded but not all of it is kept: the tiers have no room for it; free some files or raise a quota`,
    { reason: 'NO_TIER_SPACE', details: { path } },
  )
}

function nothingWritable(path: string, writeType: o.WriteType): AlluxioError {
  return new AlluxioError(
    'UNSUPPORTED',
    `${path} cannot be written with ${writeType}: no writable under-store is mounted there; use MUST_CACHE or another path`,
    { reason: 'NO_UNDER_STORE', details: { path } },
  )
}
