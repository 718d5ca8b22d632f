/** Children found in an under-store come into the tree, change with it and vanish with it. Idempotent. */
import {
  AlluxioError,
  checkName,
  type FileId,
  type FileRecord,
  FLAG_CACHEABLE,
  FLAG_CHILDREN_LOADED,
  FLAG_COMPLETED,
  FLAG_DEFAULT_ACL,
  FLAG_MOUNT_POINT,
  FLAG_PINNED,
  FLAG_STALE,
  inheritedAcl,
  parentPath,
  RecordView,
} from '../core/index.ts'
import { childPath } from './create.ts'
import type { Directory } from './directory.ts'
import { type Engine, mediaOf } from './engine.ts'
import { ID_BYTES, idKey, inodeKey, keyAfter } from './keys.ts'
import { removePlace } from './move.ts'
import type { Place } from './tree.ts'
import type { LoadedEntry, LoadOutcome, LoadRequest } from './types.ts'

type Existing = Place & { readonly record: Buffer }
const PAGE = 1000

interface Tally {
  added: number
  updated: number
  removed: number
  readonly changedFiles: FileId[]
}

/** @throws NOT_FOUND, NOT_A_DIRECTORY */
export function load(engine: Engine, request: LoadRequest): LoadOutcome {
  const directory = directoryOf(engine, request.path)
  const tally: Tally = { added: 0, updated: 0, removed: 0, changedFiles: [] }
  const whole = request.coverage === 'all'
  for (const entry of request.entries) {
    if (isName(entry.name) && Number.isSafeInteger(entry.length) && entry.length >= 0)
      loadEntry(engine, directory, entry, request, tally)
  }
  if (whole) {
    vanish(
      engine,
      directory,
      request.path,
      new Set([...request.entries.map((entry) => entry.name), ...(request.leave ?? [])]),
      request.listedMs,
      tally,
    )
    loaded(engine, directory, request.listedMs)
  }
  return tally
}

/** After listings in pages: what none of them named has vanished. */
export function loadEnd(
  engine: Engine,
  request: { path: string; names: ReadonlySet<string>; listedMs: number },
): LoadOutcome {
  const directory = directoryOf(engine, request.path)
  const tally: Tally = { added: 0, updated: 0, removed: 0, changedFiles: [] }
  vanish(engine, directory, request.path, request.names, request.listedMs, tally)
  loaded(engine, directory, request.listedMs)
  return tally
}

function directoryOf(engine: Engine, path: string): Directory {
  const directory = engine.tree.directory(path)
  if (directory === undefined)
    throw new AlluxioError('NOT_FOUND', `${path} does not exist`, { details: { path } })
  return directory
}

/** Stores have names that the namespace cannot show; they are left out. */
function isName(name: string): boolean {
  try {
    checkName(name, name)
    return true
  } catch {
    return false
  }
}

function loadEntry(
  engine: Engine,
  directory: Directory,
  entry: LoadedEntry,
  request: LoadRequest,
  tally: Tally,
): void {
  const key = inodeKey(directory.id, entry.name)
  const record = engine.tree.store.get('inode', key)
  if (record === undefined) {
    add(engine, directory, key, entry, request)
    tally.added++
    return
  }
  const place: Existing = { parent: directory, name: entry.name, key, record }
  const known = new RecordView(record)
  if (known.directory && entry.directory) {
    if (known.persistence !== 'PERSISTED') {
      engine.change(place, { persistence: 'PERSISTED' })
      tally.updated++
    }
    return
  }
  // What was written here and is not in the under-store yet wins over what is there.
  if (known.persistence !== 'PERSISTED') return
  if (engine.materialisedMs(known.id) > request.listedMs) return
  if (known.directory || entry.directory) {
    const path = childPath(request.path, entry.name)
    if (!isGone(engine, path, known, request.listedMs)) return
    if (!known.directory) tally.changedFiles.push(known.id)
    removePlace(engine, path, place)
    add(engine, directory, key, entry, request)
    tally.updated++
    return
  }
  refresh(engine, place, known, entry, request, tally)
}

function refresh(
  engine: Engine,
  place: Existing,
  known: FileRecord,
  entry: LoadedEntry,
  request: LoadRequest,
  tally: Tally,
): void {
  const { tail } = known
  if (tail.fp === entry.fingerprint && known.length === entry.length) {
    if ((known.flags & FLAG_STALE) !== 0) engine.change(place, { flags: known.flags & ~FLAG_STALE })
    return
  }
  tally.updated++
  tally.changedFiles.push(known.id)
  // New content is a new file: whoever still holds blocks of the old one can never pass them off for it.
  engine.usage.removeFile(known.id, place.parent!)
  engine.dropBlocks(known)
  engine.tree.remove('edge', idKey(known.id))
  engine.change(place, {
    id: engine.newId(),
    flags: (known.flags | FLAG_COMPLETED) & ~FLAG_STALE,
    length: entry.length,
    modifiedMs: entry.modifiedMs > 0 ? entry.modifiedMs : engine.runtime.now(),
    syncedSeconds: Math.floor(request.listedMs / 1000),
    tail: { ...tail, fp: entry.fingerprint },
  })
}

function add(
  engine: Engine,
  directory: Directory,
  key: Buffer,
  entry: LoadedEntry,
  request: LoadRequest,
): void {
  const nowMs = engine.runtime.now()
  const above = new RecordView(directory.record)
  const caller = { user: entry.owner ?? above.owner, groups: [entry.group ?? above.group] }
  const modifiedMs = entry.modifiedMs > 0 ? entry.modifiedMs : nowMs
  if (entry.directory) {
    // Where a store knows no modes, what the directory above allows is allowed.
    const mode = (entry.mode ?? above.mode) & 0o777
    engine.makeDirectory(directory, entry.name, { persisted: true, mode }, caller, above.mountId)
    return
  }
  const pinned = above.flags & FLAG_PINNED
  const record: FileRecord = {
    directory: false,
    flags: FLAG_COMPLETED | FLAG_CACHEABLE | pinned,
    mode: (entry.mode ?? above.mode & 0o666) & 0o777,
    persistence: 'PERSISTED',
    ttlAction: 'DELETE',
    id: engine.newId(),
    length: entry.length,
    modifiedMs,
    createdMs: modifiedMs,
    accessedMs: modifiedMs,
    ttlMs: -1,
    blockSizeBytes: request.blockSizeBytes,
    mountId: above.mountId,
    replicationMin: 0,
    replicationMax: -1,
    owner: caller.user,
    group: caller.groups[0]!,
    syncedSeconds: Math.floor(request.listedMs / 1000),
    tail: { ...(pinned === 0 ? {} : mediaOf(above)), fp: entry.fingerprint },
  }
  const inherits = (above.flags & FLAG_DEFAULT_ACL) !== 0
  engine.insertFile(directory, key, inherits ? { ...record, ...inheritedAcl(above, record) } : record)
}

function vanish(
  engine: Engine,
  directory: Directory,
  path: string,
  names: ReadonlySet<string>,
  listedMs: number,
  tally: Tally,
): void {
  const { store } = engine.tree
  const end = idKey(directory.id + 1)
  let start = idKey(directory.id)
  for (;;) {
    const rows = [...store.range('inode', { start, end, limit: PAGE })]
    for (const { key, value } of rows) {
      const name = key.toString('utf8', ID_BYTES)
      if (names.has(name)) continue
      const record = new RecordView(value)
      const child = childPath(path, name)
      if (!isGone(engine, child, record, listedMs)) continue
      if (!record.directory) tally.changedFiles.push(record.id)
      removePlace(engine, child, { parent: directory, name, key, record: value })
      tally.removed++
    }
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < PAGE) return
    start = keyAfter(directory.id, last.key.toString('utf8', ID_BYTES))
  }
}

/** A path that its under-store no longer had when it was asked goes; false if it has to stay. */
export function vanishAt(engine: Engine, path: string, askedMs: number): boolean {
  const parent = path === '/' ? undefined : engine.tree.directory(parentPath(path))
  const place = parent === undefined ? undefined : engine.tree.place(path)
  if (place?.record === undefined) return false
  if (!isGone(engine, path, new RecordView(place.record), askedMs)) return false
  removePlace(engine, path, place as Existing)
  return true
}

/** Whether what a listing did not name goes: not what it may not have known yet, and nothing that holds the only copy of anything. */
export function isGone(engine: Engine, path: string, record: FileRecord, listedMs: number): boolean {
  if (record.persistence !== 'PERSISTED' || (record.flags & FLAG_MOUNT_POINT) !== 0) return false
  if (engine.materialisedMs(record.id) > listedMs) return false
  if (!record.directory) return true
  return engine.mounts.below(path).length === 0 && !holdsMore(engine, record.id, listedMs)
}

/** Whether something below a directory is nowhere else, or came to its store since it was listed. */
function holdsMore(engine: Engine, directory: FileId, listedMs: number): boolean {
  const end = idKey(directory + 1)
  for (let start = idKey(directory); ; ) {
    const rows = [...engine.tree.store.range('inode', { start, end, limit: PAGE })]
    for (const { value } of rows) {
      const record = new RecordView(value)
      if (record.persistence !== 'PERSISTED' || engine.materialisedMs(record.id) > listedMs) return true
      if (record.directory && holdsMore(engine, record.id, listedMs)) return true
    }
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < PAGE) return false
    start = keyAfter(directory, last.key.toString('utf8', ID_BYTES))
  }
}

function loaded(engine: Engine, directory: Directory, listedMs: number): void {
  const record = new RecordView(directory.record)
  const place = {
    parent: directory.parent,
    name: directory.name,
    key: directory.key,
    record: directory.record,
  }
  engine.change(place, {
    flags: (record.flags | FLAG_CHILDREN_LOADED) & ~FLAG_STALE,
    syncedSeconds: Math.floor(listedMs / 1000),
  })
}
