/** (being written) The engine's interface. */
import type { FileId, Metrics, MountId, Runtime } from '../core/index.ts'
import type { RecordStore } from '../metastore/store.ts'
import type { BlockMap } from './block-map.ts'
import type * as t from './types.ts'

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
  readonly rootMount: { readonly uri: string; readonly options?: Readonly<Record<string, string>> }
}

export interface NamespaceModules {
  readonly store: RecordStore
  readonly runtime: Runtime
  readonly blocks: BlockMap
  readonly metrics?: Metrics
}

/**
 * Paths handed in are canonical (core `canonicalPath`). Mutations reject with AlluxioErrors; reads throw them, or reject when
 * they depend on a batch that is not yet durable.
 */
export declare class Namespace {
  constructor(options: NamespaceOptions, modules: NamespaceModules)

  // Reads with permission checks.
  /** Encoded listing entry of a path (the fast form of `status`). @throws NOT_FOUND, PERMISSION_DENIED */
  entry(path: string, caller: t.Caller): t.Settled<Buffer>
  status(path: string, caller: t.Caller): t.Settled<t.Inode>
  /** A complete file that may be read. @throws IS_A_DIRECTORY, CONFLICT reason INCOMPLETE */
  open(path: string, caller: t.Caller): t.Settled<t.Inode>
  /** One page in byte order of the names; of a file, the file itself. */
  list(path: string, caller: t.Caller, options: { limit: number; cursor?: string | undefined }): t.Settled<t.Page>
  contentSummary(path: string, caller: t.Caller): t.Settled<t.Summary>

  // Reads of the daemon itself: no permissions, synchronous, may see what is not yet durable.
  inode(path: string): t.Inode | undefined
  inodeById(id: FileId): t.Inode | undefined
  /** Descendants of a directory (the path itself first), depth first in name order, `limit` at a time. */
  walk(path: string, options: { limit: number; cursor?: string | undefined }): { inodes: t.Inode[]; cursor?: string }
  resolve(path: string): t.Resolution
  mounts(): readonly t.Mount[]
  mount(id: MountId): t.Mount | undefined
  /** Grows with every change of the mount table. */
  readonly mountsVersion: number
  pins(): Iterable<t.Pin>
  /** Grows with every change of the set of pins. */
  readonly pinsVersion: number
  expired(nowMs: number, limit: number): t.Expired[]
  persistQueue(options?: { after?: FileId; limit?: number }): t.PersistTask[]
  totals(): t.Summary
  /** Resolves when all that was read or planned so far is durable. */
  durable(): Promise<void>

  // Checks without effect, for what must be asked before an under-store is touched. They throw as the mutation would.
  checkCreate(request: t.CreateRequest, caller: t.Caller): { parent: t.Inode | undefined; existing: t.Inode | undefined }
  checkMkdir(request: t.MkdirRequest, caller: t.Caller): { existing: t.Inode | undefined }
  checkRename(request: t.RenameRequest, caller: t.Caller): t.Inode
  checkDelete(request: t.DeleteRequest, caller: t.Caller): t.Inode
  /** Whether the caller may write the file or directory itself (free, persist, load). */
  checkWrite(path: string, caller: t.Caller): t.Inode

  // Mutations: planned at once, resolved when durable. A repeated commandId returns the first outcome.
  create(request: t.CreateRequest, caller: t.Caller): Promise<t.CreateOutcome>
  complete(request: t.CompleteRequest, caller: t.Caller): Promise<t.CreateOutcome>
  mkdir(request: t.MkdirRequest, caller: t.Caller): Promise<t.CreateOutcome>
  rename(request: t.RenameRequest, caller: t.Caller): Promise<void>
  delete(request: t.DeleteRequest, caller: t.Caller): Promise<t.DeleteOutcome>
  setAttribute(request: t.AttributeRequest, caller: t.Caller): Promise<{ changed: number }>
  addMount(request: t.MountRequest, caller: t.Caller): Promise<{ mountId: MountId }>
  removeMount(request: { path: string; commandId?: Uint8Array }, caller: t.Caller): Promise<t.Mount>
  /** Queues the persist; false if the file is persisted already. @throws CONFLICT reason INCOMPLETE */
  persist(request: { path: string; commandId?: Uint8Array }, caller: t.Caller): Promise<{ queued: boolean }>

  // Mutations of the daemon itself: no permissions.
  /** The file's bytes are in the under-store: leaves the queue; unpersisted ancestors are persisted with it. False if it is gone. */
  persisted(fileId: FileId, fingerprint: string): Promise<boolean>
  /** Its only copies are gone. */
  markLost(fileId: FileId): Promise<boolean>
  /** Children of a directory found in its under-store. Idempotent. */
  load(request: t.LoadRequest): Promise<t.LoadOutcome>
  /** After `load` calls with `some` that named all children between them: what was not named since `listedMs` has vanished. */
  loadEnd(request: { path: string; names: ReadonlySet<string>; listedMs: number }): Promise<t.LoadOutcome>
  /** Sets or clears STALE: the last sync of the path failed. */
  markStale(path: string, stale: boolean): Promise<void>
  /** Deletes whatever the path is, without permissions and without touching an under-store (TTL, vanished sources). */
  evict(path: string): Promise<t.DeleteOutcome>
  /** Continues reclaiming detached trees; true while there is more. Call it from a timer until it is false, and at start. */
  reclaim(limit?: number): Promise<boolean>
}
