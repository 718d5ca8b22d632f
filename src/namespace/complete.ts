/** complete: a file that was written becomes whole and visible; one that was written aside takes its place in the same step. */
import {
  AlluxioError,
  BLOCKS_PER_FILE,
  blockCount,
  type FileRecord,
  FLAG_ACL,
  FLAG_COMPLETED,
  FLAG_DEFAULT_ACL,
  FLAG_PINNED,
  inheritedAcl,
  RecordView,
  withFields,
} from '../core/index.ts'
import { WRITE } from './access.ts'
import { checkXattr } from './attributes.ts'
import {
  checkNumbers,
  childPath,
  persistAncestors,
  persistenceOf,
  placeOf,
  type Target,
  target,
} from './create.ts'
import { type Engine, invalid, mediaOf, needsEdge } from './engine.ts'
import { idKey, inodeKey } from './keys.ts'
import { notFound, type Place } from './tree.ts'
import type { Caller, CompleteRequest, CreateOutcome, Inode, Publication, ReplacedFile } from './types.ts'

type Written = Place & { readonly record: Buffer }

/** @throws NOT_FOUND if the file is gone, CONFLICT if it is complete, INVALID_ARGUMENT; with `publish` as `checkPublish` */
export function complete(engine: Engine, request: CompleteRequest, caller: Caller): CreateOutcome {
  const { path, fileId, length, fingerprint } = request
  const place = writtenFile(engine, request, caller)
  const before = new RecordView(place.record)
  if (!Number.isSafeInteger(length) || length < 0)
    throw invalid(`${path}: length ${length} is no number of bytes`)
  if (blockCount(length, before.blockSizeBytes) > BLOCKS_PER_FILE) {
    throw invalid(
      `${path}: ${length} bytes in blocks of ${before.blockSizeBytes} are more than ${BLOCKS_PER_FILE} blocks`,
    )
  }
  const found = request.publish === undefined ? undefined : checkPublish(engine, request.publish, caller)
  const nowMs = engine.runtime.now()
  const { wt: _, ...tail } = before.tail
  const persistence = persistenceOf(true, request.persistAsync, fingerprint)
  const fields = {
    flags: before.flags | FLAG_COMPLETED,
    length,
    modifiedMs: nowMs,
    persistence,
    syncedSeconds: persistence === 'PERSISTED' ? Math.floor(nowMs / 1000) : 0,
    tail: fingerprint === undefined ? tail : { ...tail, fp: fingerprint },
  }
  if (found !== undefined) {
    const outcome = publish(engine, place, withFields(before, fields), request.publish!, found, caller)
    engine.blocks.touch(fileId)
    return outcome
  }
  const bytes = engine.change(place, fields)
  if (persistence === 'PERSISTED') {
    engine.materialised(fileId, nowMs)
    persistAncestors(engine, place.parent)
  }
  engine.blocks.touch(fileId)
  const at = childPath(engine.tree.pathOf(place.parent!), place.name)
  return { inode: engine.inode(at, { ...place, record: bytes }), entry: engine.entry(place.name, bytes) }
}

function writtenFile(engine: Engine, { path, fileId }: CompleteRequest, caller: Caller): Written {
  const place = engine.tree.placeById(fileId) ?? placeOf(engine, path, fileId)
  const record = place === undefined ? undefined : new RecordView(place.record)
  if (place === undefined || record === undefined || record.directory) {
    throw new AlluxioError(
      'NOT_FOUND',
      `${path}: the file being written (id ${fileId}) was deleted or replaced`,
      {
        reason: 'FILE_GONE',
        details: { path, fileId },
      },
    )
  }
  engine.access.check(record, caller, WRITE, path)
  if ((record.flags & FLAG_COMPLETED) !== 0) {
    throw new AlluxioError('CONFLICT', `${path} is complete already: files are written once`, {
      reason: 'COMPLETED',
      details: { path, fileId },
    })
  }
  return place
}

/** @throws CONFLICT reason PRECONDITION when something else is there than is expected; else as `create` */
function checkPublish(engine: Engine, request: Publication, caller: Caller): Target {
  const { path, expects } = request
  checkNumbers(request)
  const found = target(engine, path, true, caller)
  const { existing } = found
  const known = existing === undefined ? undefined : new RecordView(existing.record)
  if (expects !== undefined && (known?.id ?? 0) !== expects) {
    const why = expects === 0 ? 'exists already' : 'is not the file any more that it was expected to be'
    throw new AlluxioError('CONFLICT', `${path} ${why}`, {
      reason: 'PRECONDITION',
      details: { path, expects },
    })
  }
  if (known?.directory === true) {
    throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory: a file cannot replace it`, {
      details: { path },
    })
  }
  if (request.keeps === true) {
    if (known === undefined) throw notFound(path)
    engine.access.check(known, caller, WRITE, path)
  }
  if (known !== undefined) engine.access.takeName(found.directory, known, caller, path)
  engine.access.changeNames(found.directory, caller, path)
  engine.mounts.checkWritable(path)
  checkXattr(request.xattr ?? {})
  return found
}

/** Moves a file to its place, over the one that is there. */
function publish(
  engine: Engine,
  staged: Written,
  whole: FileRecord,
  request: Publication,
  { directory, missing, existing, name, mountId }: Target,
  caller: Caller,
): CreateOutcome {
  const { tree } = engine
  const nowMs = whole.modifiedMs
  const to = engine.makeParents(directory, missing, false, caller, mountId)
  const replaced = existing === undefined ? undefined : engine.inode(request.path, existing)
  if (existing !== undefined) {
    engine.removeFile(existing)
    tree.touch(to, -1, nowMs)
  }
  const fields =
    request.keeps === true && replaced !== undefined
      ? kept(whole, replaced.record)
      : placed(engine, whole, new RecordView(to.record), request)
  const changed = replaced === undefined ? {} : changedSince(replaced.record, request.follows)
  const bytes = engine.change(staged, { ...fields, ...changed, mountId })
  const record = new RecordView(bytes)
  const from = staged.parent!
  const key = existing?.key ?? inodeKey(to.id, name)
  engine.usage.moveFile(record.id, from, to)
  tree.removeInode(from.id, staged.key)
  tree.putInode(to.id, key, bytes)
  if (needsEdge(record)) tree.put('edge', idKey(record.id), key)
  tree.count(from, -1, 0, -record.length)
  tree.count(to, 1, 0, record.length)
  tree.touch(from, -1, nowMs)
  tree.touch(to, 1, nowMs)
  const inode: Inode = { path: request.path, name, parentId: to.id, record }
  const entry = engine.entry(name, bytes)
  return replaced === undefined ? { inode, entry } : { inode, entry, replaced }
}

/** What was changed of a file after another one was begun in its place. */
function changedSince(
  { id, mode, owner, group, accessedMs }: FileRecord,
  before: ReplacedFile | undefined,
): Partial<FileRecord> {
  if (before?.fileId !== id) return {}
  return {
    ...(mode === before.mode ? {} : { mode }),
    ...(owner === before.owner ? {} : { owner }),
    ...(group === before.group ? {} : { group }),
    ...(accessedMs === before.accessedMs ? {} : { accessedMs }),
  }
}

/** The record as it would be had the file been made where it comes to be. */
function placed(engine: Engine, whole: FileRecord, above: RecordView, request: Publication): FileRecord {
  const pinned = above.flags & FLAG_PINNED
  const inherits = (above.flags & FLAG_DEFAULT_ACL) !== 0
  const { xattr = {} } = request
  const record: FileRecord = {
    ...whole,
    flags: (whole.flags & ~(FLAG_ACL | FLAG_PINNED)) | pinned,
    mode: request.mode ?? (inherits ? 0o666 : 0o666 & ~engine.umask),
    ttlMs: request.ttlMs ?? -1,
    ttlAction: request.ttlAction ?? 'DELETE',
    tail: {
      ...whole.tail,
      ...(pinned === 0 ? {} : mediaOf(above)),
      ...(Object.keys(xattr).length === 0 ? {} : { xattr: { ...xattr } }),
    },
  }
  return inherits ? { ...record, ...inheritedAcl(above, record) } : record
}

/** The record as it would be had the bytes of the file that is replaced changed in place. */
function kept(whole: FileRecord, replaced: FileRecord): FileRecord {
  const { owner, group, mode, ttlMs, ttlAction, createdMs, replicationMin, replicationMax, tail } = replaced
  const { fp: _, wt: __, ...attributes } = tail
  const own = FLAG_ACL | FLAG_PINNED
  return {
    ...whole,
    ...{ owner, group, mode, ttlMs, ttlAction, createdMs, replicationMin, replicationMax },
    flags: (whole.flags & ~own) | (replaced.flags & own),
    tail: { ...attributes, ...whole.tail },
  }
}
