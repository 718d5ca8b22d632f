/** The public face of the client library: what programs, commands and gateways hold. */
import type { Readable, Writable } from 'node:stream'
import type { AclChange, FileId, PathProperties, PersistenceState, TtlAction } from '../core/index.ts'
import type { LocationPolicy, ReadType, WriteType } from '../core/options/index.ts'
import type { PathHint, Plan } from '../scheduler/types.ts'

export type { Assignment, BlockHint, BlockHost, HostHint, PathHint, Plan } from '../scheduler/types.ts'

/** Metadata of a path; fields are read from the record's bytes when asked for. Names follow upstream's FileInfo. */
export interface FileStatus {
  readonly fileId: FileId
  readonly name: string
  readonly path: string
  readonly folder: boolean
  readonly length: number
  readonly blockSizeBytes: number
  readonly completed: boolean
  readonly pinned: boolean
  readonly cacheable: boolean
  readonly mountPoint: boolean
  readonly persisted: boolean
  readonly persistenceState: PersistenceState
  /** Whether the last sync with the under-store failed. */
  readonly stale: boolean
  readonly creationTimeMs: number
  readonly lastModificationTimeMs: number
  readonly lastAccessTimeMs: number
  /** -1: none. */
  readonly ttl: number
  readonly ttlAction: TtlAction
  readonly owner: string
  readonly group: string
  readonly mode: number
  readonly mountId: number
  readonly replicationMin: number
  readonly replicationMax: number
  readonly mediumTypes: readonly string[]
  readonly ufsFingerprint: string
  /** Access list as `user::rwx` and so on; of a path without one, what its mode says. */
  readonly acl: readonly string[]
  /** What new children of a directory get: `default:user::rwx` and so on. */
  readonly defaultAcl: readonly string[]
  /** Whether more than the mode decides who may do what. */
  readonly extendedAcl: boolean
  readonly xattr: Readonly<Record<string, Uint8Array>>
  readonly cachedBytes: number
  readonly inMemoryBytes: number
  /** 0 to 100; 100 for an empty file. */
  readonly inAlluxioPercentage: number
  readonly inMemoryPercentage: number
  /** Everything as a plain object. */
  toJSON(): Record<string, unknown>
}

export interface BlockPlace {
  readonly blockId: number
  /** Offset in the file and length, bytes. */
  readonly offset: number
  readonly length: number
  readonly locations: readonly { readonly workerId: number; readonly host: string; readonly tier: string }[]
}

/** A block as a reader of tier files wants it. */
export interface LocatedBlock {
  readonly blockId: number
  /** Offset in the file and length, bytes. */
  readonly offset: number
  readonly length: number
  /**
   * In the order in which they are to be asked, those on the reader's host and those that hold it first; any serves any block. Where a
   * tier file was concluded, its holders alone.
   */
  readonly workers: readonly WorkerStatus['address'][]
  /** Whether one of them is on the reader's host. */
  readonly near: boolean
  /** Whether nobody caches it. @default false */
  readonly cold?: boolean
  /** Its tier file there, at the first of these paths that exists, if any does; `trustSeal` as in docs/decisions/0002. */
  readonly local?: { readonly paths: readonly string[]; readonly trustSeal: boolean }
}

export interface LocatedFile {
  readonly status: FileStatus
  /** Index of the first block told. */
  readonly firstBlock: number
  readonly blocks: readonly LocatedBlock[]
}

export interface LocateOptions {
  /** A byte of the first block to be told. @default 0 */
  readonly offset?: number
  /** @default 1000 */
  readonly maxBlocks?: number
  /** Names and addresses of the reader's host, in lower case. */
  readonly hosts: ReadonlySet<string>
  /**
   * Ask the workers on that host for their tier files, which costs a call a block, for a reader who did not find what was concluded
   * from the block's name.
   * @default false
   */
  readonly certain?: boolean
  readonly signal?: AbortSignal
}

export interface CreateOptions {
  readonly blockSizeBytes?: number
  readonly writeType?: WriteType
  /** Make missing parents. @default true */
  readonly recursive?: boolean
  readonly overwrite?: boolean
  readonly mode?: number
  readonly ttlMs?: number
  readonly ttlAction?: TtlAction
  readonly replicationMin?: number
  readonly replicationMax?: number
  readonly policy?: LocationPolicy
  /**
   * Write the file aside; `close` puts it in its place in one step, over a file that is there, which stays readable until then.
   * The bytes go to workers first, whatever the write type is.
   * @default false
   */
  readonly staged?: boolean
  readonly signal?: AbortSignal
}

/** Of a staged file. */
export interface CloseOptions {
  /** What has to be at the path: the id of a file, or 0 for nothing. @default nothing, or any file */
  readonly expects?: number
  readonly xattr?: Readonly<Record<string, Uint8Array>>
  /** Owner, mode, lists, attributes, pin and time to live are those of the file that is replaced. @default false */
  readonly keeps?: boolean
  /** The file that was there when this one was begun: what has been changed of it since passes on, if it is there still. */
  readonly follows?: ReplacedFile
}

export interface ReplacedFile {
  readonly fileId: number
  readonly mode: number
  readonly owner: string
  readonly group: string
  readonly accessedMs: number
}

/** What a path has to be for it to be deleted; else CONFLICT, reason PRECONDITION. */
export interface DeleteExpectation {
  readonly fileId?: number
  /** Version of its object in the under-store. */
  readonly fingerprint?: string
  /** An extended attribute that it must not have. */
  readonly lacks?: string
}

export interface OpenOptions {
  /**
   * A reader that is open already for what the path is now, to be used again; asked when the master has answered. It sees the
   * file's metadata as they were when it was opened.
   */
  readonly known?: (status: FileStatus) => FileReader | undefined
  readonly readType?: ReadType
  readonly policy?: LocationPolicy
  readonly syncIntervalMs?: number
  readonly signal?: AbortSignal
}

export interface LoadOptions {
  /** Which worker takes a block that none has. @default alluxio.user.ufs.block.read.location.policy */
  readonly policy?: LocationPolicy
  /** To a worker on this host, even if others have the file. @default false */
  readonly local?: boolean
  readonly signal?: AbortSignal
  /** Bytes that have come since the last call; negative when a worker failed and its block begins anew. */
  readonly onProgress?: (bytes: number) => void
}

export interface ListOptions {
  /** @default false */
  readonly recursive?: boolean
  /** Entries a page. @default 1000 */
  readonly pageSize?: number
  /** Entries of a directory, after which no page is fetched ahead. */
  readonly limit?: number
  /** Name behind which it begins. */
  readonly startAfter?: string
  readonly syncIntervalMs?: number
  readonly loadMetadata?: 'NEVER' | 'ONCE' | 'ALWAYS'
  readonly signal?: AbortSignal
}

export interface AttributeChanges {
  readonly recursive?: boolean
  readonly mode?: number
  readonly owner?: string
  readonly group?: string
  readonly pinned?: boolean
  readonly media?: readonly string[]
  /** -1 removes it. */
  readonly ttlMs?: number
  readonly ttlAction?: TtlAction
  readonly replicationMin?: number
  readonly replicationMax?: number
  readonly modifiedMs?: number
  readonly accessedMs?: number
  readonly xattr?: Readonly<Record<string, Uint8Array | null>>
  readonly acl?: AclChange
}

/** Bytes read by source: a tier alias with `local:` or `remote:` before it, or `UFS`. */
export type ReadSources = Readonly<Record<string, number>>

/** An open file. Safe for concurrent positioned reads. */
export interface FileReader {
  readonly status: FileStatus
  readonly length: number
  /** Where the bytes read so far came from. */
  readonly sources: ReadSources
  /**
   * Fills `buffer` from `position` on; the number of bytes read, less than the buffer only at the end of the file.
   * Answers without a promise when the bytes are in a local, already mapped block.
   * @throws DATA_LOSS when no good copy is left, UNAVAILABLE when neither workers nor the under-store answer
   */
  readInto(position: number, buffer: Uint8Array): number | Promise<number>
  /** Chunks in order, views of memory that must not be written. */
  stream(options?: {
    readonly start?: number
    readonly end?: number
    readonly chunkBytes?: number
    readonly signal?: AbortSignal
  }): AsyncIterable<Uint8Array>
  readable(options?: { readonly start?: number; readonly end?: number }): Readable
  /** Zero-copy views of the blocks that are sealed on this host; others are left out. Views live as long as they are referenced. */
  mapBlocks(): Promise<readonly { readonly offset: number; readonly bytes: Uint8Array }[]>
  close(): Promise<void>
}

/** A file being written. Nothing is readable before `close` resolves. */
export interface FileWriter {
  readonly path: string
  readonly fileId: FileId
  readonly bytesWritten: number
  /** Resolves when more may be written. `chunk` may be reused once it has resolved. */
  write(chunk: Uint8Array): Promise<void>
  writable(): Writable
  /**
   * Makes the blocks of complete files, which are then only good for being deleted, the whole of this one, without copying: if it is
   * written aside and empty, and they are cached and fit: all but the last as long as a block of this file, which is as long or shorter.
   * `abort` gives them back. Resolves with false if nothing was taken.
   */
  adopt(files: readonly FileStatus[]): Promise<boolean>
  /**
   * Completes the file: when it resolves, the promise of the write type holds.
   * @throws CONFLICT reason PRECONDITION when a staged file finds something else in its place than was expected
   */
  close(options?: CloseOptions): Promise<FileStatus>
  /** Gives up; nothing is left. */
  abort(reason?: unknown): Promise<void>
}

export interface ContentSummary {
  readonly files: number
  readonly directories: number
  readonly bytes: number
  readonly cachedBytes: number
  readonly inMemoryBytes: number
}

export interface MountPoint {
  readonly mountId: number
  readonly path: string
  readonly uri: string
  readonly readOnly: boolean
  readonly shared: boolean
  readonly options: Readonly<Record<string, string>>
  /** Maintenance mode of its store; absent: readWrite. */
  readonly mode?: 'readOnly' | 'noAccess'
}

export interface MountOptions {
  readonly readOnly?: boolean
  readonly shared?: boolean
  /** Of the store; secrets are references (`env:NAME`, `file:PATH`). */
  readonly options?: Readonly<Record<string, string>>
  /** Although the store does not answer. @default false */
  readonly force?: boolean
}

/** The file system. All paths are canonicalised; all methods throw AlluxioError. */
export interface FileSystem extends AsyncDisposable {
  getStatus(
    path: string,
    options?: { readonly syncIntervalMs?: number; readonly signal?: AbortSignal },
  ): Promise<FileStatus>
  /** Of the file or directory that has the id now, wherever it is. @throws NOT_FOUND, also for an empty file: those have no place in the index of ids */
  getStatusById(fileId: number): Promise<FileStatus>
  exists(path: string): Promise<boolean>
  /** Whether this user may read (4), write (2) or search (1) a path. @throws PERMISSION_DENIED, NOT_FOUND */
  checkAccess(path: string, bits: number): Promise<void>
  /** Entries in name order, fetched page by page; recursive: depth first, parents before children. */
  list(path: string, options?: ListOptions): AsyncIterable<FileStatus>
  open(path: string, options?: OpenOptions): Promise<FileReader>
  /** For a reader outside of this library: what `open` learns, and the tier files on the reader's host. @throws as `open` */
  locate(path: string, options: LocateOptions): Promise<LocatedFile>
  /** Places of the blocks of files as they were listed, by one call for many; those that nobody caches cost none. */
  placesOf(statuses: readonly FileStatus[]): Promise<readonly (readonly BlockPlace[])[]>
  /**
   * Has workers cache all blocks of a file; its bytes do not come here. When it resolves the master knows where they are.
   * @returns bytes of the blocks that were not there yet
   * @throws UNAVAILABLE, reason NO_WORKER; RESOURCE_EXHAUSTED when no worker has room
   */
  load(path: string, options?: LoadOptions): Promise<{ readonly loadedBytes: number }>
  create(path: string, options?: CreateOptions): Promise<FileWriter>
  /** A complete empty file in one durable step: what `create` and `close` do in two. */
  createEmpty(path: string, options?: CreateOptions): Promise<FileStatus>
  mkdir(
    path: string,
    options?: {
      readonly recursive?: boolean
      readonly allowExists?: boolean
      readonly mode?: number
      readonly writeType?: WriteType
      readonly ttlMs?: number
      readonly ttlAction?: TtlAction
      /** Set in the same step, also on a directory that is there. */
      readonly xattr?: Readonly<Record<string, Uint8Array>>
    },
  ): Promise<FileStatus>
  /** Waits for as long as the master works on it, which may be long in an object store; it goes on if the caller leaves. */
  rename(
    src: string,
    dst: string,
    /** Replace a file by a file, an empty directory by a directory; in one step unless the source is in a store already. */
    options?: { readonly overwrite?: boolean },
  ): Promise<void>
  delete(
    path: string,
    options?: {
      readonly recursive?: boolean
      readonly alluxioOnly?: boolean
      readonly unchecked?: boolean
      readonly deleteMountPoint?: boolean
      readonly expects?: DeleteExpectation
    },
  ): Promise<void>
  free(
    path: string,
    options?: { readonly recursive?: boolean; readonly forced?: boolean },
  ): Promise<{ files: number; bytes: number }>
  setAttribute(path: string, changes: AttributeChanges): Promise<void>
  contentSummary(path: string): Promise<ContentSummary>
  blockPlaces(path: string): Promise<readonly BlockPlace[]>
  persist(path: string): Promise<boolean>
  /** @throws INVALID_ARGUMENT reason MOUNT_OVERLAP, ALREADY_EXISTS, UNAVAILABLE and TIMEOUT when the store does not answer */
  mount(path: string, uri: string, options?: MountOptions): Promise<void>
  /** Replaces all options of a mount: what is not said is as if it had never been said. */
  updateMount(path: string, options?: MountOptions): Promise<void>
  unmount(path: string): Promise<void>
  mounts(): Promise<readonly MountPoint[]>
  /** Comparisons of the namespace with its under-stores. */
  readonly syncs: Syncs
  /** Where the bytes are, for schedulers. */
  readonly hints: Hints
  /** The cluster's state, for operators. */
  readonly admin: Admin
  close(): Promise<void>
}

/** How a comparison of a path with its under-store fares. */
export interface SyncProgress {
  readonly id: number
  readonly path: string
  readonly state: 'WAITING' | 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED'
  readonly startedMs: number
  /** 0 until it has ended. */
  readonly endedMs: number
  /** Pages that the store was asked for, and entries on them. */
  readonly pages: number
  readonly entries: number
  readonly added: number
  readonly updated: number
  readonly removed: number
  /** Differences left alone, because the cluster itself was changing the path at that moment. */
  readonly passed: number
  /** Paths of the namespace that the store had otherwise, or not at all. */
  readonly inconsistent: number
}

export interface SyncOptions {
  /** Everything below, with the stores mounted there; else the children only. @default true */
  readonly recursive?: boolean
  /** Directories, too, that were listed before. @default true */
  readonly force?: boolean
  /** Only compares. @default false */
  readonly dry?: boolean
  /** Aborts the sync as well; what it has applied stays. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: SyncProgress) => void
  /** Paths of the namespace that the store has otherwise, or not at all; the first 100,000. */
  readonly onInconsistent?: (path: string) => void
}

/** A path that the master syncs by itself. */
export interface SyncedPath {
  readonly path: string
  readonly sinceMs: number
  /** Time to the next sync, as it is now: it shortens while changes are found. */
  readonly intervalMs: number
  /** When the last sync that went well began; 0 never. */
  readonly syncedMs: number
  readonly syncs: number
  readonly changes: number
  readonly error?: string
}

export interface Syncs {
  /**
   * Compares a path with its under-store and takes over what differs. Resolves at the end; the same sync under way is joined.
   * @throws what ended it; NOT_FOUND also when the master was restarted meanwhile: begin again
   */
  run(path: string, options?: SyncOptions): Promise<SyncProgress>
  /** From now on whoever asks for the path, or for something below it, sees what the store has now or later. */
  want(path: string): Promise<void>
  /** Has the master sync the path by itself; false if it does already. */
  start(path: string): Promise<boolean>
  /** False if it did not. */
  stop(path: string): Promise<boolean>
  paths(): Promise<readonly SyncedPath[]>
  /** Under way, and those that ended lately. */
  all(): Promise<readonly SyncProgress[]>
}

export interface HintOptions {
  /** Parts of files, answered after the paths. */
  readonly ranges?: readonly { readonly path: string; readonly offset?: number; readonly length?: number }[]
  /** Hosts to choose from, by any of their names; answers name them so. @default those that hold something */
  readonly candidates?: readonly string[]
  /** Most hosts an answer. @default 10, or all candidates */
  readonly top?: number
  /** Whether each block is told as well. @default true */
  readonly blocks?: boolean
}

export interface ReplicaChanges {
  /** Life of the master: sequences of different ones do not compare. */
  readonly epoch: string
  readonly sequence: number
  /** Changes were missed: locate again. So says the first item, and the first after a restart of the master. */
  readonly resync: boolean
  readonly changes: readonly {
    readonly path: string
    readonly offset: number
    readonly host: string
    /** '': the host holds it no longer. */
    readonly tier: string
  }[]
}

/** See docs/reference/hints.md. All methods throw PERMISSION_DENIED for a path that the user may not read. */
export interface Hints {
  /** Who holds the blocks, and which hosts hold most: one answer a path, then one a range. */
  locate(paths: readonly string[], options?: HintOptions): Promise<readonly PathHint[]>
  /** The same, ranked among candidates. @throws INVALID_ARGUMENT, reason ALIAS_COLLISION, for a name of several hosts */
  rank(paths: readonly string[], options?: HintOptions): Promise<readonly PathHint[]>
  /** Spreads splits over hosts; of `paths` each block is a split. */
  assign(request: {
    readonly paths?: readonly string[]
    readonly splits?: readonly { readonly path: string; readonly offset?: number; readonly length?: number }[]
    /**
     * With their room, splits and bytes; those without slots get at most their share and the slack. What a host holds and has no room for
     * goes to its rack first. @default all with live workers
     */
    readonly hosts?: readonly {
      readonly host: string
      readonly slots?: number
      readonly bytes?: number
      readonly rack?: string
    }[]
    /** @default 0.1 */
    readonly slack?: number
  }): Promise<Plan>
  /** Changes as they come, until `signal` aborts; goes on by itself after a restart of the master. */
  subscribe(
    paths: readonly string[],
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterableIterator<ReplicaChanges>
}

export interface TierInfo {
  readonly alias: string
  readonly capacityBytes: number
  readonly usedBytes: number
}

export interface WorkerStatus {
  readonly address: {
    readonly id: number
    readonly host: string
    readonly rpcPort: number
    readonly webPort: number
    readonly uuid: string
  }
  readonly state: 'LIVE' | 'LOST'
  readonly tiers: readonly TierInfo[]
  readonly blocks: number
  readonly heartbeatAgeMs: number
  readonly startedMs: number
  /** Release of the worker and commit that it was built from, where it tells. */
  readonly version?: string
  readonly revision?: string
}

/** A rename, delete or mkdir, or what follows a write, that is under way in an under-store. */
export interface StoreChange {
  readonly id: number
  readonly op: string
  readonly paths: readonly string[]
  /** Of the store. */
  readonly uri: string
  readonly startedMs: number
  /** Objects moved so far, of a directory that moves object by object. */
  readonly moved?: number
  /** What the store answered last, if it has to be asked again. */
  readonly waitsFor?: string
}

export interface Credentials {
  /** @throws ALREADY_EXISTS, INVALID_ARGUMENT, PERMISSION_DENIED to make a key of another user */
  put(credential: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly user: string
  }): Promise<void>
  /** Without their secrets; for others than superusers their own. */
  list(): Promise<readonly { accessKeyId: string; user: string; createdMs: number }[]>
  /** False if there was none. */
  delete(accessKeyId: string): Promise<boolean>
  /** What checks signatures of a day (`20261122`) and region. @throws NOT_FOUND, PERMISSION_DENIED for all but superusers */
  signingKey(accessKeyId: string, date: string, region: string): Promise<{ user: string; key: Uint8Array }>
}

export interface Admin {
  info(): Promise<{
    clusterId: string
    address: string
    webPort: number
    rpcPort: number
    startedMs: number
    nowMs: number
    version: string
    safeMode: boolean
    files: number
    directories: number
  }>
  workers(): Promise<readonly WorkerStatus[]>
  ufs(): Promise<
    readonly (MountPoint & {
      readonly scheme: string
      readonly capacityBytes: number
      readonly usedBytes: number
    })[]
  >
  metrics(): Promise<Readonly<Record<string, number>>>
  blockInfo(blockId: number): Promise<{
    block: { id: number; length: number; locations: readonly { workerId: number; tier: string }[] }
    path?: string
  }>
  configuration(): Promise<readonly { key: string; value: string; source: string }[]>
  /** Maintenance of the stores mounted at or below a URI. Resolves with the paths of their mounts. @throws NOT_FOUND */
  setUfsMode(uri: string, mode: 'readWrite' | 'readOnly' | 'noAccess'): Promise<readonly string[]>
  /**
   * Deletes what killed writers left in the stores of a URI and no listing shows. They have to be in maintenance.
   * @throws CONFLICT when they are not, or something is under way there; UNSUPPORTED where there is nothing of the kind
   */
  cleanUfs(uri: string): Promise<{ readonly objects: number; readonly bytes: number }>
  /** Changes of under-stores under way, oldest first: they go on when whoever asked for them has left. */
  storeChanges(): Promise<readonly StoreChange[]>
  /** Keys with which clients of the S3 gateway act as users. */
  readonly credentials: Credentials
  /** Properties of paths, by path. */
  pathConf(): Promise<readonly PathProperties[]>
  setPathConf(
    path: string,
    change: { readonly set?: Readonly<Record<string, string>>; readonly remove?: readonly string[] },
  ): Promise<void>
}

/** `FileSystem.connect`: see index.ts. */
export interface ConnectOptions {
  /** `host:port` of the master; default from the configuration. */
  readonly master?: string
  readonly user?: string
}
