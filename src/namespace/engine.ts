/**
 * What all operations share: the parts of the namespace, new ids, and the few ways in which an inode comes, changes and goes with its
 * edge, indexes, counters and cached bytes.
 *
 * An operation first looks and checks (and may throw), then changes (and must not). Changes take effect in memory at once.
 */
import {
  AlluxioError,
  assert,
  blockCount,
  ENTRY_HEADER_BYTES,
  encodeRecord,
  FILE_ID_MAX,
  type FileId,
  type FileRecord,
  FLAG_COMPLETED,
  FLAG_DEFAULT_ACL,
  FLAG_PINNED,
  inheritedAcl,
  type MountId,
  RecordView,
  type Runtime,
  withFields,
  writeEntry,
} from '../core/index.ts'
import type { Access } from './access.ts'
import type { BlockMap } from './block-map.ts'
import type { Directory } from './directory.ts'
import { idKey, NOTHING, ttlKey } from './keys.ts'
import type { Listing } from './listing.ts'
import type { MountTable } from './mount-table.ts'
import type { PathConf } from './path-conf.ts'
import { notFound, type Place, type Tree } from './tree.ts'
import type { Caller, Inode, MkdirRequest } from './types.ts'
import type { Usage } from './usage.ts'

const NEXT_ID = Buffer.from('next-id')
const IDS_RESERVED = 10_000
const ID_OFFSET = 8

export interface EngineModules {
  readonly tree: Tree
  readonly access: Access
  readonly mounts: MountTable
  readonly pathConf: PathConf
  readonly usage: Usage
  readonly listing: Listing
  readonly blocks: BlockMap
  readonly runtime: Runtime
}

export class Engine {
  readonly umask: number
  readonly tree: Tree
  readonly access: Access
  readonly mounts: MountTable
  readonly pathConf: PathConf
  readonly usage: Usage
  readonly listing: Listing
  readonly blocks: BlockMap
  readonly runtime: Runtime
  /** Grows with every change of the set of pins. */
  pinsVersion = 1
  /** Files whose bytes were seen in the under-store lately, with the time: an older listing does not know them. */
  readonly #materialised = new Map<FileId, number>()
  /** Files that go with this operation: their blocks are dropped when it is durable. */
  #gone: { readonly file: FileId; readonly blocks: number }[] = []
  #nextId: number
  #reservedId: number

  constructor(options: { readonly umask: number }, modules: EngineModules) {
    this.umask = options.umask
    this.tree = modules.tree
    this.access = modules.access
    this.mounts = modules.mounts
    this.pathConf = modules.pathConf
    this.usage = modules.usage
    this.listing = modules.listing
    this.blocks = modules.blocks
    this.runtime = modules.runtime
    this.#reservedId = modules.tree.store.get('meta', NEXT_ID)?.readDoubleLE(0) ?? 2
    this.#nextId = this.#reservedId
  }

  /** First id that was never given out. */
  get nextId(): number {
    return this.#nextId
  }

  newId(): FileId {
    if (this.#nextId === this.#reservedId) {
      this.#reservedId += IDS_RESERVED
      assert(this.#reservedId <= FILE_ID_MAX, 'the ids of files are used up')
      const value = Buffer.allocUnsafe(8)
      value.writeDoubleLE(this.#reservedId, 0)
      this.tree.put('meta', NEXT_ID, value)
    }
    return this.#nextId++ as FileId
  }

  // --- looking -------------------------------------------------------------------------------------------------------

  /** Where a path leads, if the caller may look there. @throws NOT_FOUND, NOT_A_DIRECTORY, PERMISSION_DENIED */
  place(path: string, caller: Caller): Place {
    const slash = path.lastIndexOf('/')
    if (slash > 0 && this.tree.directory(path.slice(0, slash)) === undefined) {
      // Whoever may not search what exists does not learn what is missing.
      this.access.search(this.tree.deepest(path).directory, caller, path)
      throw notFound(path)
    }
    const place = this.tree.place(path)
    if (place.parent !== undefined) this.access.search(place.parent, caller, path)
    return place
  }

  /** As `place`, of something that exists. */
  existing(path: string, caller: Caller): Place & { readonly record: Buffer } {
    const place = this.place(path, caller)
    if (place.record === undefined) throw notFound(path)
    return place as Place & { readonly record: Buffer }
  }

  inode(path: string, place: Place & { readonly record: Buffer }): Inode {
    // A directory's record changes in place.
    const bytes = place.record[1] === 1 ? Buffer.from(place.record) : place.record
    return {
      path,
      name: place.name,
      parentId: (place.parent?.id ?? 0) as FileId,
      record: new RecordView(bytes),
    }
  }

  /** Encoded listing entry. */
  entry(name: string, record: Buffer): Buffer {
    const nameBytes = Buffer.from(name)
    const bytes = Buffer.allocUnsafe(ENTRY_HEADER_BYTES + nameBytes.length + record.length)
    let cached = 0
    let inMemory = 0
    if (record[1] === 1) {
      const id = record.readDoubleLE(ID_OFFSET) as FileId
      this.usage.settle(256)
      cached = this.usage.cachedOf(id)
      inMemory = this.usage.inMemoryOf(id)
    } else if (this.blocks.blocks > 0) {
      const view = new RecordView(record)
      const sums = this.blocks.cached(view.id, view.length, view.blockSizeBytes)
      cached = sums.cachedBytes
      inMemory = sums.inMemoryBytes
    }
    writeEntry(bytes, 0, nameBytes, record, cached, inMemory)
    return bytes
  }

  /** The directory node of a place that is a directory. */
  node(place: Place & { readonly record: Buffer }): Directory {
    return place.parent === undefined
      ? this.tree.root
      : this.tree.adopt(place.parent, place.name, place.record)
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  /** Makes the missing parents of a path and returns the last one. */
  makeParents(
    directory: Directory,
    missing: readonly string[],
    persisted: boolean,
    caller: Caller,
    mountId: MountId,
  ): Directory {
    let at = directory
    for (const name of missing) at = this.makeDirectory(at, name, { persisted }, caller, mountId)
    return at
  }

  makeDirectory(
    parent: Directory,
    name: string,
    request: Pick<MkdirRequest, 'persisted' | 'mode' | 'ttlMs' | 'ttlAction' | 'xattr'>,
    caller: Caller,
    mountId: MountId,
    flags = 0,
  ): Directory {
    const nowMs = this.runtime.now()
    const { xattr } = request
    const above = new RecordView(parent.record)
    const pinned = above.flags & FLAG_PINNED
    // A mount point belongs to another tree.
    const inherits = flags === 0 && (above.flags & FLAG_DEFAULT_ACL) !== 0
    const plain: FileRecord = {
      directory: true,
      flags: FLAG_COMPLETED | pinned | flags,
      // A default list takes the umask's place.
      mode: request.mode ?? (inherits ? 0o777 : 0o777 & ~this.umask),
      persistence: request.persisted === true ? 'PERSISTED' : 'NOT_PERSISTED',
      ttlAction: request.ttlAction ?? 'DELETE',
      id: this.newId(),
      length: 0,
      modifiedMs: nowMs,
      createdMs: nowMs,
      accessedMs: nowMs,
      ttlMs: request.ttlMs ?? -1,
      blockSizeBytes: 0,
      mountId,
      replicationMin: 0,
      replicationMax: -1,
      owner: caller.user,
      group: caller.groups[0] ?? '',
      syncedSeconds: request.persisted === true ? Math.floor(nowMs / 1000) : 0,
      tail: {
        ...(pinned === 0 ? {} : mediaOf(above)),
        ...(xattr === undefined || Object.keys(xattr).length === 0 ? {} : { xattr: { ...xattr } }),
      },
    }
    const record = inherits ? { ...plain, ...inheritedAcl(above, plain) } : plain
    const made = this.tree.putDirectory(parent, name, encodeRecord(record))
    this.#reindex(undefined, record)
    if (record.persistence === 'PERSISTED') this.materialised(record.id, nowMs)
    this.tree.touch(parent, 1, nowMs)
    this.tree.count(parent, 0, 1, 0)
    return made
  }

  /** Puts a new file into a directory. */
  insertFile(parent: Directory, key: Buffer, record: FileRecord): Buffer {
    const bytes = encodeRecord(record)
    this.tree.putInode(parent.id, key, bytes)
    if (needsEdge(record)) this.tree.put('edge', idKey(record.id), key)
    this.#reindex(undefined, record)
    this.tree.touch(parent, 1, record.createdMs)
    this.tree.count(parent, 1, 0, record.length)
    return bytes
  }

  /** Changes the record of a file or directory. Returns the new record. */
  change(place: Place & { readonly record: Buffer }, fields: Partial<FileRecord>): Buffer {
    const before = new RecordView(place.record)
    const after = withFields(before, fields)
    const bytes = encodeRecord(after)
    if (after.directory) this.tree.setRecord(this.node(place), bytes)
    else {
      const parent = place.parent!
      this.tree.putInode(parent.id, place.key, bytes)
      if (after.length !== before.length) this.tree.count(parent, 0, 0, after.length - before.length)
      if (needsEdge(after)) {
        if (after.id !== before.id || !needsEdge(before)) this.tree.put('edge', idKey(after.id), place.key)
      } else if (needsEdge(before)) this.tree.remove('edge', idKey(after.id))
    }
    this.#reindex(before, after)
    return bytes
  }

  /** Takes a file out of the tree. Its directory's number of children and time are the caller's to change. */
  removeFile(place: Place & { readonly record: Buffer }): void {
    const record = new RecordView(place.record)
    const parent = place.parent!
    this.tree.removeInode(parent.id, place.key)
    this.usage.removeFile(record.id, parent)
    this.tree.count(parent, -1, 0, -record.length)
    this.forgetFile(record)
  }

  /** What is kept of a file outside its directory. */
  forgetFile(record: FileRecord): void {
    if (needsEdge(record)) this.tree.remove('edge', idKey(record.id))
    this.#reindex(record, undefined)
    this.dropBlocks(record)
  }

  /** Takes a directory out of the tree with all below it. */
  detach(directory: Directory, path: string): void {
    const parent = directory.parent!
    const record = new RecordView(directory.record)
    this.#reindex(record, undefined)
    this.usage.moveDirectory(directory.id, parent, undefined)
    this.tree.count(parent, -directory.files, -directory.directories - 1, -directory.bytes)
    this.tree.detach(directory, path)
    if (directory.files + directory.directories > 0) this.tree.put('reclaim', idKey(directory.id), NOTHING)
  }

  /** The blocks of a file are dropped as soon as the operation is durable. */
  dropBlocks(record: FileRecord): void {
    const blocks = record.blockSizeBytes === 0 ? 0 : blockCount(record.length, record.blockSizeBytes)
    if (blocks > 0 || (record.flags & FLAG_COMPLETED) === 0) this.#gone.push({ file: record.id, blocks })
  }

  /** Commits what the operation staged. */
  commit(): Promise<void> {
    const durable = this.tree.commit()
    if (this.#gone.length === 0) return durable
    const gone = this.#gone
    this.#gone = []
    return durable.then(() => {
      for (const { file, blocks } of gone) this.blocks.drop(file, blocks)
    })
  }

  /** The inode's bytes were seen in the under-store just now. */
  materialised(id: FileId, nowMs: number): void {
    this.#materialised.delete(id)
    this.#materialised.set(id, nowMs)
    if (this.#materialised.size > 20_000) {
      let surplus = 10_000
      for (const old of this.#materialised.keys()) {
        if (surplus-- === 0) break
        this.#materialised.delete(old)
      }
    }
  }

  materialisedMs(id: FileId): number {
    return this.#materialised.get(id) ?? 0
  }

  #reindex(before: FileRecord | undefined, after: FileRecord | undefined): void {
    const id = (after ?? before)!.id
    if (before !== undefined && after !== undefined && before.id !== after.id) {
      this.#reindex(before, undefined)
      this.#reindex(undefined, after)
      return
    }
    const expiredBefore = expiry(before)
    const expires = expiry(after)
    if (expiredBefore !== expires) {
      if (expiredBefore >= 0) this.tree.remove('ttl', ttlKey(expiredBefore, id))
      if (expires >= 0) this.tree.put('ttl', ttlKey(expires, id), NOTHING)
    }
    const pinnedBefore = isPinnedFile(before)
    const pinned = isPinnedFile(after)
    if (pinned) {
      this.tree.put('pin', idKey(id), Buffer.from(JSON.stringify(after!.tail.media ?? [])))
      this.pinsVersion++
    } else if (pinnedBefore) {
      this.tree.remove('pin', idKey(id))
      this.pinsVersion++
    }
    const queuedBefore = before?.persistence === 'TO_BE_PERSISTED'
    const queued = after?.persistence === 'TO_BE_PERSISTED'
    if (queued && !queuedBefore) this.tree.put('persist', idKey(id), NOTHING)
    else if (queuedBefore && !queued) this.tree.remove('persist', idKey(id))
  }
}

/** Files that nobody finds by id need no edge: most small markers are empty, complete files. */
export function needsEdge(record: FileRecord): boolean {
  return (
    record.directory ||
    record.length > 0 ||
    record.ttlMs >= 0 ||
    (record.flags & (FLAG_COMPLETED | FLAG_PINNED)) !== FLAG_COMPLETED ||
    record.persistence === 'TO_BE_PERSISTED'
  )
}

export function mediaOf(record: FileRecord): { readonly media?: readonly string[] } {
  const { media } = record.tail
  return media === undefined ? {} : { media }
}

function isPinnedFile(record: FileRecord | undefined): boolean {
  return record !== undefined && !record.directory && (record.flags & FLAG_PINNED) !== 0
}

function expiry(record: FileRecord | undefined): number {
  return record === undefined || record.ttlMs < 0 ? -1 : record.createdMs + record.ttlMs
}

export function invalid(message: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message)
}
