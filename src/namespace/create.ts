/** create: how files come to be. */
import {
  AlluxioError,
  encodeRecord,
  type FileId,
  type FileRecord,
  FLAG_CACHEABLE,
  FLAG_COMPLETED,
  FLAG_DEFAULT_ACL,
  FLAG_PINNED,
  inheritedAcl,
  type MountId,
  type PersistenceState,
  RecordView,
} from '../core/index.ts'
import type { Directory } from './directory.ts'
import { type Engine, invalid, mediaOf } from './engine.ts'
import { inodeKey } from './keys.ts'
import { notFound, type Place } from './tree.ts'
import type { Caller, CreateOutcome, CreateRequest, Inode } from './types.ts'

const MAX_BLOCK_BYTES = 2 ** 32 - 1
const MAX_MODE = 0o7777
const MAX_USER_LENGTH = 256

/** A place for a new name: the directory that exists, what is missing below it, and what has the name now. */
export interface Target {
  readonly directory: Directory
  readonly missing: readonly string[]
  readonly name: string
  readonly mountId: MountId
  readonly existing: (Place & { readonly record: Buffer }) | undefined
}

/** @throws NOT_FOUND (a parent is missing and not recursive), PERMISSION_DENIED, NOT_A_DIRECTORY */
export function target(engine: Engine, path: string, recursive: boolean, caller: Caller): Target {
  const { tree } = engine
  if (caller.user.length > MAX_USER_LENGTH || (caller.groups[0] ?? '').length > MAX_USER_LENGTH) {
    throw invalid(`the name of a user or group has at most ${MAX_USER_LENGTH} characters`)
  }
  if (path === '/') {
    const place = tree.place('/')
    return {
      directory: tree.root,
      missing: [],
      name: '',
      mountId: engine.mounts.of('/').mountId,
      existing: { ...place, record: tree.root.record },
    }
  }
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  const mountId = engine.mounts.of(path).mountId
  const directory = slash === 0 ? tree.root : tree.directory(path.slice(0, slash))
  if (directory === undefined) {
    const deepest = tree.deepest(path)
    engine.access.search(deepest.directory, caller, path)
    if (!recursive) throw notFound(path.slice(0, slash))
    return { ...deepest, name, mountId, existing: undefined }
  }
  engine.access.search(directory, caller, path)
  const key = inodeKey(directory.id, name)
  const record = tree.store.get('inode', key)
  const existing = record === undefined ? undefined : { parent: directory, name, key, record }
  return { directory, missing: [], name, mountId, existing }
}

/** What `create` would say, without creating. */
export function checkCreate(engine: Engine, request: CreateRequest, caller: Caller): Target {
  checkNumbers(request)
  const { blockSizeBytes } = request
  if (!Number.isInteger(blockSizeBytes) || blockSizeBytes < 1 || blockSizeBytes > MAX_BLOCK_BYTES) {
    throw invalid(`block size ${blockSizeBytes}: it must be 1 to ${MAX_BLOCK_BYTES} bytes`)
  }
  const found = target(engine, request.path, request.recursive, caller)
  const { existing } = found
  if (existing !== undefined) {
    if (!request.overwrite) throw exists(request.path)
    if (existing.record[1] === 1) {
      throw new AlluxioError('IS_A_DIRECTORY', `${request.path} is a directory: a file cannot replace it`, {
        details: { path: request.path },
      })
    }
    engine.access.takeName(found.directory, new RecordView(existing.record), caller, request.path)
  }
  engine.access.changeNames(found.directory, caller, request.path)
  engine.mounts.checkWritable(request.path)
  return found
}

export function create(engine: Engine, request: CreateRequest, caller: Caller): CreateOutcome {
  const { directory, missing, name, mountId, existing } = checkCreate(engine, request, caller)
  const nowMs = engine.runtime.now()
  const parent = engine.makeParents(directory, missing, false, caller, mountId)
  const key = existing?.key ?? inodeKey(parent.id, name)
  let replaced: Inode | undefined
  if (existing !== undefined) {
    replaced = engine.inode(request.path, existing)
    engine.removeFile(existing)
    engine.tree.touch(parent, -1, nowMs)
  }
  const record = newFile(engine, request, caller, parent, mountId, engine.newId(), nowMs)
  const bytes = engine.insertFile(parent, key, record)
  if (record.persistence === 'PERSISTED') engine.materialised(record.id, nowMs)
  const inode: Inode = { path: request.path, name, parentId: parent.id, record: new RecordView(bytes) }
  const entry = engine.entry(name, bytes)
  return replaced === undefined ? { inode, entry } : { inode, entry, replaced }
}

function newFile(
  engine: Engine,
  request: CreateRequest,
  caller: Caller,
  parent: Directory | undefined,
  mountId: MountId,
  id: FileId,
  nowMs: number,
): FileRecord {
  const complete = request.complete === true
  const above = parent === undefined ? undefined : new RecordView(parent.record)
  const pinned = (above?.flags ?? 0) & FLAG_PINNED
  const persistence = persistenceOf(complete, request.persistAsync === true, request.fingerprint)
  const inherits = above !== undefined && (above.flags & FLAG_DEFAULT_ACL) !== 0
  const record: FileRecord = {
    directory: false,
    flags: (complete ? FLAG_COMPLETED : 0) | FLAG_CACHEABLE | pinned,
    // A default list takes the umask's place.
    mode: request.mode ?? (inherits ? 0o666 : 0o666 & ~engine.umask),
    persistence,
    ttlAction: request.ttlAction ?? 'DELETE',
    id,
    length: 0,
    modifiedMs: nowMs,
    createdMs: nowMs,
    accessedMs: nowMs,
    ttlMs: request.ttlMs ?? -1,
    blockSizeBytes: request.blockSizeBytes,
    mountId,
    replicationMin: request.replicationMin ?? 0,
    replicationMax: request.replicationMax ?? -1,
    owner: caller.user,
    group: caller.groups[0] ?? '',
    syncedSeconds: persistence === 'PERSISTED' ? Math.floor(nowMs / 1000) : 0,
    tail: {
      ...(pinned === 0 || above === undefined ? {} : mediaOf(above)),
      ...(complete ? {} : { wt: request.writeType }),
      ...(request.fingerprint === undefined ? {} : { fp: request.fingerprint }),
    },
  }
  return inherits ? { ...record, ...inheritedAcl(above, record) } : record
}

export function persistenceOf(
  complete: boolean,
  async: boolean,
  fingerprint: string | undefined,
): PersistenceState {
  if (!complete) return 'NOT_PERSISTED'
  if (fingerprint !== undefined) return 'PERSISTED'
  return async ? 'TO_BE_PERSISTED' : 'NOT_PERSISTED'
}

/** What a repeated create answers: the file as it is now; if it has gone since, as it was made. */
export function createdBefore(
  engine: Engine,
  request: CreateRequest,
  caller: Caller,
  id: FileId,
): CreateOutcome {
  const found = findById(engine, request.path, id)
  if (found !== undefined) return found
  const mountId = engine.mounts.of(request.path).mountId
  const record = newFile(engine, request, caller, undefined, mountId, id, engine.runtime.now())
  const bytes = encodeRecord(record)
  const name = request.path.slice(request.path.lastIndexOf('/') + 1)
  const inode: Inode = { path: request.path, name, parentId: 0 as FileId, record: new RecordView(bytes) }
  return { inode, entry: engine.entry(name, bytes) }
}

/** Where the inode with this id is: at the path, or where it went. */
export function placeOf(
  engine: Engine,
  path: string,
  id: FileId,
): (Place & { readonly record: Buffer }) | undefined {
  const { tree } = engine
  const parent = path === '/' ? tree.root : tree.directory(path.slice(0, path.lastIndexOf('/')) || '/')
  const place = parent === undefined ? undefined : tree.place(path)
  if (place?.record !== undefined && new RecordView(place.record).id === id) {
    return { ...place, record: place.record }
  }
  return tree.placeById(id)
}

/** The inode with this id: at the path, or where it went. */
export function findById(engine: Engine, path: string, id: FileId): CreateOutcome | undefined {
  const { tree } = engine
  const known = placeOf(engine, path, id)
  if (known === undefined) return undefined
  const at = known.parent === undefined ? '/' : childPath(tree.pathOf(known.parent), known.name)
  return { inode: engine.inode(at, known), entry: engine.entry(known.name, known.record) }
}

/** What a repeated command made. @throws NOT_FOUND, reason DELETED_SINCE */
export function foundAgain(engine: Engine, path: string, id: FileId): CreateOutcome {
  const found = findById(engine, path, id)
  if (found !== undefined) return found
  throw new AlluxioError('NOT_FOUND', `${path}: this command made it, and it was deleted since`, {
    reason: 'DELETED_SINCE',
    details: { path },
  })
}

export function childPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}

/** What is in the under-store lies in directories that are there too. */
export function persistAncestors(engine: Engine, directory: Directory | undefined): void {
  for (let d = directory; d !== undefined; d = d.parent) {
    const record = new RecordView(d.record)
    if (record.persistence === 'PERSISTED') return
    const place = { parent: d.parent, name: d.name, key: d.key, record: d.record }
    engine.change(place, { persistence: 'PERSISTED' })
    engine.materialised(d.id, engine.runtime.now())
  }
}

export function exists(path: string): AlluxioError {
  return new AlluxioError('ALREADY_EXISTS', `${path} exists already`, { details: { path } })
}

interface Numbers {
  readonly mode?: number
  readonly ttlMs?: number
  readonly replicationMin?: number
  readonly replicationMax?: number
}

/** @throws INVALID_ARGUMENT for what does not fit the record */
export function checkNumbers({ mode, ttlMs, replicationMin = 0, replicationMax = -1 }: Numbers): void {
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= MAX_MODE)) {
    throw invalid(`mode ${mode}: it must be 0 to 7777 (octal)`)
  }
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs >= -1)) {
    throw invalid(`time to live ${ttlMs}: it must be a number of milliseconds, or -1 for none`)
  }
  for (const replicas of [replicationMin, replicationMax]) {
    if (!Number.isInteger(replicas) || replicas < -1 || replicas > 32_767) {
      throw invalid(`replication ${replicas}: it must be -1 to 32767`)
    }
  }
  if (replicationMin < 0 || (replicationMax >= 0 && replicationMin > replicationMax)) {
    throw invalid(`replication: at least ${replicationMin} and at most ${replicationMax} cannot both hold`)
  }
}
