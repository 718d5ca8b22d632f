/** The namespace's face: reads, checks and mutations over the engine. The semantics stand in the files of the operations. */
import {
  AlluxioError,
  assert,
  type FileId,
  FLAG_ACL,
  FLAG_CHILDREN_LOADED,
  FLAG_COMPLETED,
  type Metrics,
  parentPath,
  RecordView,
  type Runtime,
} from '../core/index.ts'
import type { RecordStore } from '../metastore/store.ts'
import { Access, EXECUTE, READ } from './access.ts'
import {
  checkAttributes,
  incomplete,
  markLost,
  markStale,
  persist,
  persisted,
  pinsOf,
  setAttributes,
  setPage,
} from './attributes.ts'
import type { BlockMap } from './block-map.ts'
import { Checks } from './checks.ts'
import { CommandLog } from './command-log.ts'
import { complete } from './complete.ts'
import { create, createdBefore, findById, foundAgain } from './create.ts'
import { Credentials } from './credentials.ts'
import { Engine } from './engine.ts'
import { format } from './format.ts'
import { expired, persistQueue, pins } from './indexes.ts'
import { type Intent, type IntentId, Intents } from './intents.ts'
import { inodeKey } from './keys.ts'
import { Listing } from './listing.ts'
import { load, loadEnd, vanishAt } from './load.ts'
import { mkdir } from './mkdir.ts'
import { MountTable } from './mount-table.ts'
import { readModes, readMounts } from './mounting.ts'
import { Mounts } from './mounts.ts'
import { evict, remove, rename } from './move.ts'
import { NamespaceMetrics } from './namespace.metrics.ts'
import { PathConf } from './path-conf.ts'
import { reclaim } from './reclaim.ts'
import { StoreSync } from './store-sync.ts'
import { type Place, Tree } from './tree.ts'
import type * as t from './types.ts'
import { Usage } from './usage.ts'
import { walk } from './walk.ts'

export interface NamespaceOptions {
  /** User that the master runs as: may do everything. */
  readonly superuser: string
  readonly superuserGroup: string
  readonly supergroup: string
  /** Mode bits taken away from new files and directories. */
  readonly umask: number
  readonly permissionsEnabled: boolean
  readonly listingCacheBytes: number
  /** Under-store mounted at / when the store is empty (format). */
  readonly rootMount: {
    readonly uri: string
    readonly readOnly?: boolean
    readonly options?: Readonly<Record<string, string>>
  }
  /** Directories kept in memory. @default 100,000 */
  readonly maxDirectories?: number
  /** Commands whose outcome is remembered. @default 2^18 */
  readonly maxCommands?: number
  /** How long it is remembered, ms. @default 10 min */
  readonly maxCommandAgeMs?: number
}

export interface NamespaceModules {
  readonly store: RecordStore
  readonly runtime: Runtime
  readonly blocks: BlockMap
  readonly metrics?: Metrics
}

const SETTLE_PER_READ = 1000
/** Some 20 ms. */
const SETTLE_IN_BACKGROUND = 5000
const PAGE = 1000

/**
 * Paths handed in are canonical (core `canonicalPath`). Mutations reject with AlluxioErrors; reads throw them, or reject when
 * they depend on a batch that is not yet durable.
 */
export class Namespace {
  readonly #store: RecordStore
  readonly #tree: Tree
  readonly #engine: Engine
  readonly #listing: Listing
  readonly #usage: Usage
  readonly #commands: CommandLog
  /** What would be refused. */
  readonly checks: Checks
  /** What is mounted where, and how its paths are to be treated. */
  readonly mounts: Mounts
  /** What is changed in an under-store as well. */
  readonly intents: Intents
  /** Keys of the S3 gateway. */
  readonly credentials: Credentials
  /** How a subtree is compared with its under-store. */
  readonly sync: StoreSync
  readonly #metrics: NamespaceMetrics | undefined

  /** Formats an empty store: `durable()` tells when that has been written. */
  constructor(options: NamespaceOptions, modules: NamespaceModules) {
    const { store, blocks, runtime } = modules
    this.#store = store
    if (store.get('inode', inodeKey(0, '')) === undefined) format(options, modules)
    this.#listing = new Listing({ cacheBytes: options.listingCacheBytes }, { store, blocks })
    const onDirectoryChange = (directory: FileId) => this.#listing.invalidate(directory)
    this.#tree = new Tree({ maxDirectories: options.maxDirectories ?? 100_000 }, { store, onDirectoryChange })
    this.#usage = new Usage({
      tree: this.#tree,
      blocks,
      nextId: () => this.#engine.nextId,
      onFileChange: onDirectoryChange,
    })
    const mounts = new MountTable()
    for (const mounted of readMounts(store)) mounts.add(mounted)
    mounts.setModes(readModes(store))
    this.#engine = new Engine(
      { umask: options.umask },
      {
        tree: this.#tree,
        access: new Access(options),
        mounts,
        pathConf: new PathConf(store, mounts),
        usage: this.#usage,
        listing: this.#listing,
        blocks,
        runtime,
      },
    )
    this.#commands = new CommandLog(
      { maxCommands: options.maxCommands ?? 2 ** 18, maxAgeMs: options.maxCommandAgeMs ?? 600_000 },
      { store, runtime },
    )
    this.checks = new Checks({ engine: this.#engine, begin: () => this.#begin('check') })
    const planned = {
      engine: this.#engine,
      change: <T>(name: string, plan: () => T) => this.#change(name, plan),
    }
    this.mounts = new Mounts({ ...planned, mutate: (...mutation) => this.#mutate(...mutation) })
    this.intents = new Intents(planned)
    this.credentials = new Credentials(planned)
    this.sync = new StoreSync(planned)
    const { metrics } = modules
    const sources = { totals: () => this.totals(), blocks, listing: this.#listing, tree: this.#tree }
    this.#metrics = metrics === undefined ? undefined : new NamespaceMetrics(metrics, sources)
  }

  /** Encoded listing entry of a path (the fast form of `status`). @throws NOT_FOUND, PERMISSION_DENIED */
  entry(path: string, caller: t.Caller): t.Settled<Buffer> {
    this.#begin('status')
    try {
      const place = this.#engine.existing(path, caller)
      return this.#settled(this.#engine.entry(place.name, place.record))
    } catch (error) {
      return this.#failed(error)
    }
  }

  status(path: string, caller: t.Caller): t.Settled<t.Inode> {
    this.#begin('status')
    try {
      return this.#settled(this.#engine.inode(path, this.#engine.existing(path, caller)))
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** A complete file that may be read. @throws IS_A_DIRECTORY, CONFLICT reason INCOMPLETE */
  open(path: string, caller: t.Caller): t.Settled<t.Inode> {
    this.#begin('open')
    try {
      const inode = this.#engine.inode(path, this.#engine.existing(path, caller))
      if (inode.record.directory) {
        throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory: it cannot be read as a file`, {
          details: { path },
        })
      }
      this.#engine.access.check(inode.record, caller, READ, path)
      if ((inode.record.flags & FLAG_COMPLETED) === 0) throw incomplete(path)
      return this.#settled(inode)
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** One page in byte order of the names; of a file, the file itself. */
  list(
    path: string,
    caller: t.Caller,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): t.Settled<t.Page> {
    this.#begin('list')
    try {
      const place = this.#engine.existing(path, caller)
      if (place.record[1] !== 1) {
        return this.#settled({ page: this.#engine.entry(place.name, place.record) })
      }
      const directory = this.#engine.node(place)
      if ((directory.mode & 0o444) !== 0o444 || !directory.open || (directory.flags & FLAG_ACL) !== 0) {
        this.#engine.access.check(directory, caller, READ | EXECUTE, path)
      }
      const settled = this.#usage.settle(SETTLE_PER_READ)
      const { limit, cursor } = options
      return this.#settled(this.#listing.page(directory.id, cursor, limit, this.#usage, settled))
    } catch (error) {
      return this.#failed(error)
    }
  }

  contentSummary(path: string, caller: t.Caller): t.Settled<t.Summary> {
    this.#begin('count')
    try {
      const place = this.#engine.existing(path, caller)
      this.#usage.settle(SETTLE_PER_READ)
      if (place.record[1] === 1) return this.#settled(this.#summary(this.#engine.node(place)))
      const { id, length, blockSizeBytes } = new RecordView(place.record)
      const cached = this.#engine.blocks.cached(id, length, blockSizeBytes)
      return this.#settled({ files: 1, directories: 0, bytes: length, ...cached })
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** @throws NOT_A_DIRECTORY */
  inode(path: string): t.Inode | undefined {
    this.#tree.trim()
    const place = this.#find(path)
    return place === undefined ? undefined : this.#engine.inode(path, place)
  }

  /** Whether the namespace itself can say if a path exists: its directory holds all that the under-store has, or it does exist. */
  knows(path: string): boolean {
    this.#tree.trim()
    if (path === '/') return true
    const parent = this.#tree.directory(parentPath(path))
    if (parent === undefined) return false
    const { flags, persistence } = new RecordView(parent.record)
    if (persistence !== 'PERSISTED' || (flags & FLAG_CHILDREN_LOADED) !== 0) return true
    return this.#tree.place(path).record !== undefined
  }

  /** Directories, and files that are not empty or otherwise found by id. */
  inodeById(id: FileId): t.Inode | undefined {
    this.#tree.trim()
    return findById(this.#engine, '/', id)?.inode
  }

  /** Descendants of a directory (the path itself first), depth first in name order, `limit` at a time. */
  walk(
    path: string,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): { inodes: t.Inode[]; cursor?: string } {
    this.#tree.trim()
    const { steps, cursor } = walk(this.#tree, path, options)
    const inodes = steps.map((step) => this.#engine.inode(step.path, step.place))
    return cursor === undefined ? { inodes } : { inodes, cursor }
  }

  resolve(path: string): t.Resolution {
    return this.#engine.mounts.resolve(path)
  }

  isSuperuser(caller: t.Caller): boolean {
    return this.#engine.access.isSuperuser(caller)
  }

  /**
   * When the under-store was last asked about an inode, ms (whole seconds); 0 never. A listing of its directory asks about all
   * children.
   */
  syncedMs(inode: t.Inode): number {
    const parent = this.#tree.directoryById(inode.parentId)
    const own = inode.record.syncedSeconds
    if (parent === undefined) return own * 1000
    const above = new RecordView(parent.record)
    const listed = (above.flags & FLAG_CHILDREN_LOADED) === 0 ? 0 : above.syncedSeconds
    return Math.max(own, listed) * 1000
  }

  pins(): Iterable<t.Pin> {
    return pins(this.#engine)
  }

  /** Grows with every change of the set of pins. */
  get pinsVersion(): number {
    return this.#engine.pinsVersion
  }

  /** Inodes whose time to live has ended, the longest ended first. */
  expired(nowMs: number, limit: number): t.Expired[] {
    this.#tree.trim()
    return expired(this.#engine, nowMs, limit)
  }

  /** Files that wait for their persist, in the order of their ids. Durable before it is handed out. */
  persistQueue(options: { readonly after?: FileId; readonly limit?: number } = {}): t.PersistTask[] {
    this.#tree.trim()
    return persistQueue(this.#engine, options)
  }

  totals(): t.Summary {
    this.#usage.settle(SETTLE_PER_READ)
    return this.#summary(this.#tree.root)
  }

  /** Counts cached bytes of changed files towards their directories, a slice at a time; true when none is left. */
  settleUsage(limit = 10_000): boolean {
    this.#tree.trim()
    return this.#usage.settle(limit)
  }

  /** Resolves when all that was read or planned so far is durable. */
  durable(): Promise<void> {
    return this.#store.durable()
  }

  /** Whether the caller may do what the bits say with a path (4 read, 2 write, 1 search). @throws NOT_FOUND, PERMISSION_DENIED */
  checkAccess(path: string, bits: number, caller: t.Caller): t.Settled<void> {
    this.#begin('check')
    try {
      const place = this.#engine.existing(path, caller)
      this.#engine.access.check(new RecordView(place.record), caller, bits, path)
      return this.#settled(undefined)
    } catch (error) {
      return this.#failed(error)
    }
  }

  create(request: t.CreateRequest, caller: t.Caller): Promise<t.CreateOutcome> {
    return this.#mutate(
      'create',
      request,
      () => this.intents.created(create(this.#engine, request, caller), request),
      (outcome) => outcome.inode.record.id,
      (id) => createdBefore(this.#engine, request, caller, id as FileId),
    )
  }

  complete(request: t.CompleteRequest, caller: t.Caller): Promise<t.CreateOutcome> {
    return this.#mutate(
      'complete',
      request,
      () => {
        const outcome = this.intents.arrived(request.fileId, complete(this.#engine, request, caller))
        return request.publish === undefined ? outcome : this.intents.replaced(outcome)
      },
      (outcome) => outcome.inode.record.id,
      (id) => foundAgain(this.#engine, request.publish?.path ?? request.path, id as FileId),
    )
  }

  /** Whether the command was carried out before: it is answered from the log, and nothing outside may be changed for it again. */
  isRepeat(commandId: Uint8Array | undefined): boolean {
    return commandId !== undefined && this.#commands.find(commandId) !== undefined
  }

  mkdir(request: t.MkdirRequest, caller: t.Caller): Promise<t.CreateOutcome> {
    return this.#mutate(
      'mkdir',
      request,
      () => mkdir(this.#engine, request, caller),
      (outcome) => outcome.inode.record.id,
      (id) => foundAgain(this.#engine, request.path, id as FileId),
    )
  }

  /** Resolves with the intent to drop the object of a file that was replaced, if it has one. */
  rename(request: t.RenameRequest, caller: t.Caller): Promise<Intent | undefined> {
    return this.#mutate(
      'rename',
      request,
      () => {
        const replaced = rename(this.#engine, request, caller)
        // The store has replaced its object already.
        return request.persisted === true ? undefined : this.intents.dropped(request.dst, replaced)
      },
      () => 0,
      () => undefined,
    )
  }

  delete(request: t.DeleteRequest, caller: t.Caller): Promise<t.DeleteOutcome> {
    return this.#mutate(
      'delete',
      request,
      () => remove(this.#engine, request, caller),
      (outcome) => outcome.files + outcome.directories,
      () => ({ inode: undefined, files: 0, directories: 0 }),
    )
  }

  /** Recursive changes are made a page at a time: not one step, but each page is. Pins always go down. */
  async setAttribute(request: t.AttributeRequest, caller: t.Caller): Promise<{ changed: number }> {
    const changed = await this.#mutate<number>(
      'set_attribute',
      request,
      () => {
        const place = this.#engine.existing(request.path, caller)
        checkAttributes(this.#engine, request.path, new RecordView(place.record), request, caller)
        return setAttributes(this.#engine, place, request) ? 1 : 0
      },
      (count) => count,
      (count) => count,
    )
    const below = request.recursive ? request : pinsOf(request)
    return { changed: below === undefined ? changed : changed + (await this.#setBelow(below, caller)) }
  }

  /** Queues the persist; false if the file is persisted already. @throws CONFLICT reason INCOMPLETE */
  persist(
    request: { readonly path: string; readonly commandId?: Uint8Array },
    caller: t.Caller,
  ): Promise<{ queued: boolean }> {
    return this.#mutate(
      'persist',
      request,
      () => ({ queued: persist(this.#engine, request.path, caller) }),
      (outcome) => (outcome.queued ? 1 : 0),
      (queued) => ({ queued: queued === 1 }),
    )
  }

  /** The file's bytes are in the under-store: leaves the queue; unpersisted ancestors are persisted with it. False if it is gone. */
  persisted(fileId: FileId, fingerprint: string, settles?: IntentId): Promise<boolean> {
    const book = () => this.intents.arrived(fileId, persisted(this.#engine, fileId, fingerprint))
    return this.#change('persisted', book, settles)
  }

  /** Its only copies are gone. */
  markLost(fileId: FileId): Promise<boolean> {
    return this.#change('lost', () => markLost(this.#engine, fileId))
  }

  /** Children of a directory found in its under-store. Idempotent. */
  load(request: t.LoadRequest): Promise<t.LoadOutcome> {
    return this.#change('load', () => load(this.#engine, request))
  }

  /** After `load` calls with `some` that named all children between them: what was not named since `listedMs` has vanished. */
  loadEnd(request: {
    readonly path: string
    readonly names: ReadonlySet<string>
    readonly listedMs: number
  }): Promise<t.LoadOutcome> {
    return this.#change('load', () => loadEnd(this.#engine, request))
  }

  /** Sets or clears STALE: the last sync of the path failed. Nothing happens if the path does not exist. */
  markStale(path: string, stale: boolean): Promise<void> {
    return this.#change('stale', () => {
      const place = this.#find(path)
      if (place !== undefined) markStale(this.#engine, place, stale)
    })
  }

  /** The under-store had the path no longer when it was asked: it goes, unless it holds what is nowhere else. */
  vanish(path: string, askedMs: number): Promise<boolean> {
    return this.#change('evict', () => vanishAt(this.#engine, path, askedMs))
  }

  /** Deletes whatever the path is, without permissions and without touching an under-store (TTL, vanished sources). */
  evict(path: string): Promise<t.DeleteOutcome> {
    return this.#change('evict', () => evict(this.#engine, path))
  }

  /** Continues reclaiming detached trees, and counts cached bytes that nobody asked for yet; true while there is more. Call it from a timer, and at start until it is false. */
  reclaim(limit = PAGE): Promise<boolean> {
    this.settleUsage(SETTLE_IN_BACKGROUND)
    return this.#change('reclaim', () => reclaim(this.#engine, limit))
  }

  /** What is at a path, if its directory exists. @throws NOT_A_DIRECTORY */
  #find(path: string): (Place & { readonly record: Buffer }) | undefined {
    if (path !== '/' && this.#tree.directory(parentPath(path)) === undefined) return undefined
    const place = this.#tree.place(path)
    return place.record === undefined ? undefined : { ...place, record: place.record }
  }

  #begin(operation: string): void {
    this.#store.readBatch = 0
    this.#tree.trim()
    this.#metrics?.count(operation)
  }

  /** The value now, or when what it was read from is durable. */
  #settled<T>(value: T): t.Settled<T> {
    const batch = this.#store.readBatch
    if (batch <= this.#store.durableBatch) return value
    return this.#store.durable(batch).then(() => value)
  }

  #failed(error: unknown): Promise<never> {
    const batch = this.#store.readBatch
    if (batch <= this.#store.durableBatch) throw error
    return this.#store.durable(batch).then(() => {
      throw error
    })
  }

  #mutate<T>(
    operation: string,
    { commandId, settles }: { readonly commandId?: Uint8Array; readonly settles?: IntentId },
    plan: () => T,
    outcomeOf: (outcome: T) => number,
    again: (outcome: number) => T,
  ): Promise<T> {
    this.#begin(operation)
    try {
      if (commandId !== undefined) {
        const known = this.#commands.find(commandId)
        if (known !== undefined) {
          const repeated = again(known.outcome)
          // The intent of a repeat has nothing left to do.
          if (settles !== undefined) return this.intents.settle(settles).then(() => repeated)
          return this.#store.durable(Math.max(known.batch, this.#store.readBatch)).then(() => repeated)
        }
      }
      this.#checkStore()
      const outcome = plan()
      this.intents.end(settles)
      if (this.#tree.staged === 0) return Promise.resolve(this.#settled(outcome))
      if (commandId !== undefined) this.#commands.add(commandId, outcomeOf(outcome), this.#store.openBatch)
      return this.#engine.commit().then(() => outcome)
    } catch (error) {
      return this.#rejected(error)
    }
  }

  #change<T>(operation: string, plan: () => T, settles?: IntentId): Promise<T> {
    this.#begin(operation)
    try {
      this.#checkStore()
      const outcome = plan()
      this.intents.end(settles)
      if (this.#tree.staged === 0) return Promise.resolve(this.#settled(outcome))
      return this.#engine.commit().then(() => outcome)
    } catch (error) {
      return this.#rejected(error)
    }
  }

  /** An operation checks before it changes: one that failed half-way has broken the tree in memory. */
  async #rejected(error: unknown): Promise<never> {
    assert(this.#tree.staged === 0, `an operation failed after it had begun to change: ${String(error)}`)
    return this.#failed(error)
  }

  #checkStore(): void {
    const refusal = this.#store.refusal()
    if (refusal !== undefined) throw refusal
  }

  async #setBelow(request: t.AttributeRequest, caller: t.Caller): Promise<number> {
    let changed = 0
    let cursor: string | undefined
    do {
      const page = await this.#change('set_attribute', () => setPage(this.#engine, request, caller, cursor))
      changed += page.count
      cursor = page.cursor
    } while (cursor !== undefined)
    return changed
  }

  #summary(directory: { id: FileId; files: number; directories: number; bytes: number }): t.Summary {
    return {
      files: directory.files,
      directories: directory.directories,
      bytes: directory.bytes,
      cachedBytes: this.#usage.cachedOf(directory.id),
      inMemoryBytes: this.#usage.inMemoryOf(directory.id),
    }
  }
}
