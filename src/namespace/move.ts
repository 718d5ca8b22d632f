/** rename and delete: how names move and go. */
import { AlluxioError, FLAG_CHILDREN_LOADED, isWithin, parentPath, RecordView } from '../core/index.ts'
import { WRITE } from './access.ts'
import { persistAncestors } from './create.ts'
import type { Directory } from './directory.ts'
import { type Engine, invalid, needsEdge } from './engine.ts'
import { idKey, inodeKey } from './keys.ts'
import { notFound, type Place } from './tree.ts'
import type {
  Caller,
  DeleteExpectation,
  DeleteOutcome,
  DeleteRequest,
  Inode,
  RenameRequest,
} from './types.ts'

type Existing = Place & { readonly record: Buffer }

interface Move {
  readonly source: Existing
  readonly from: Directory
  readonly to: Directory
  readonly name: string
  /** What is replaced. */
  readonly existing: Existing | undefined
}

/** What `rename` would say, without renaming. */
export function checkRename(engine: Engine, request: RenameRequest, caller: Caller): Move {
  const { src, dst } = request
  if (src === '/' || dst === '/') throw invalid('the root can be neither source nor target of a rename')
  const source = engine.existing(src, caller)
  if (src !== dst && isWithin(dst, src)) throw invalid(`${src} cannot be moved into itself (${dst})`)
  const found = engine.place(dst, caller)
  const existing = found.record === undefined ? undefined : { ...found, record: found.record }
  if (existing !== undefined) checkReplaced(engine, request, source, existing)
  refuseMounts(engine, src, 'renamed')
  const from = source.parent!
  const to = found.parent!
  engine.access.takeName(from, new RecordView(source.record), caller, src)
  if (existing !== undefined) engine.access.takeName(to, new RecordView(existing.record), caller, dst)
  engine.access.changeNames(to, caller, dst)
  const mount = engine.mounts.checkWritable(src)
  if (mount !== engine.mounts.checkWritable(dst)) {
    throw new AlluxioError(
      'UNSUPPORTED',
      `${src} and ${dst} lie in different mounts: copy instead of renaming`,
      {
        reason: 'ACROSS_MOUNTS',
      },
    )
  }
  return { source, from, to, name: found.name, existing }
}

function checkReplaced(
  engine: Engine,
  { src, dst, overwrite }: RenameRequest,
  source: Existing,
  existing: Existing,
): void {
  if (overwrite !== true || src === dst) {
    throw new AlluxioError('ALREADY_EXISTS', `${dst} exists already: a rename does not replace it`, {
      details: { path: dst },
    })
  }
  if (source.record[1] !== existing.record[1]) {
    throw new AlluxioError('CONFLICT', `${src} and ${dst} must both be files or both be directories`, {
      reason: 'OTHER_KIND',
      details: { path: dst },
    })
  }
  refuseMounts(engine, dst, 'replaced')
  const record = new RecordView(existing.record)
  if (record.directory && record.length > 0) {
    throw new AlluxioError('DIRECTORY_NOT_EMPTY', `${dst} is a directory with ${record.length} entries`, {
      details: { path: dst },
    })
  }
}

/** Returns what was replaced. */
export function rename(engine: Engine, request: RenameRequest, caller: Caller): Inode | undefined {
  const { source, from, to, name, existing } = checkRename(engine, request, caller)
  const replaced = existing === undefined ? undefined : removePlace(engine, request.dst, existing).inode
  const { tree } = engine
  const nowMs = engine.runtime.now()
  const meeting = commonAncestor(from, to)
  if (source.record[1] === 1) {
    const directory = engine.node(source)
    const { files, directories, bytes } = directory
    engine.usage.moveDirectory(directory.id, from, to)
    tree.count(from, -files, -directories - 1, -bytes, meeting)
    tree.move(directory, to, name, request.src)
    tree.count(to, files, directories + 1, bytes, meeting)
  } else {
    const record = new RecordView(source.record)
    const key = inodeKey(to.id, name)
    engine.usage.moveFile(record.id, from, to)
    tree.removeInode(from.id, source.key)
    tree.putInode(to.id, key, source.record)
    if (needsEdge(record)) tree.put('edge', idKey(record.id), key)
    tree.count(from, -1, 0, -record.length, meeting)
    tree.count(to, 1, 0, record.length, meeting)
  }
  tree.touch(from, -1, nowMs)
  tree.touch(to, 1, nowMs)
  if (from !== to) keepAge(engine, source, from, to)
  if (request.persisted !== true) return replaced
  engine.materialised(new RecordView(source.record).id, nowMs)
  persistAncestors(engine, to)
  return replaced
}

/** The target's last listing did not see the file: it says no more of it than what is known of where it comes from. */
function keepAge(engine: Engine, source: Existing, from: Directory, to: Directory): void {
  const file = new RecordView(source.record)
  if (file.directory || file.persistence !== 'PERSISTED' || (to.flags & FLAG_CHILDREN_LOADED) === 0) return
  const together = (from.flags & FLAG_CHILDREN_LOADED) === 0 ? 0 : new RecordView(from.record).syncedSeconds
  const syncedSeconds = Math.max(file.syncedSeconds, together)
  if (syncedSeconds >= new RecordView(to.record).syncedSeconds) return
  engine.change({ parent: to.parent, name: to.name, key: to.key, record: to.record }, { syncedSeconds })
}

/** The nearest directory that both lie in or are. */
function commonAncestor(a: Directory, b: Directory): Directory | undefined {
  let one: Directory | undefined = a
  let other: Directory | undefined = b
  for (let surplus = depthOf(a) - depthOf(b); surplus > 0; surplus--) one = one?.parent
  for (let surplus = depthOf(b) - depthOf(a); surplus > 0; surplus--) other = other?.parent
  while (one !== other) {
    one = one?.parent
    other = other?.parent
  }
  return one
}

function depthOf(directory: Directory): number {
  let depth = 0
  for (let d = directory.parent; d !== undefined; d = d.parent) depth++
  return depth
}

function refuseMounts(engine: Engine, path: string, what: string): void {
  const mount = engine.mounts.at(path) ?? engine.mounts.below(path)[0]
  if (mount !== undefined) {
    throw new AlluxioError(
      'CONFLICT',
      `${path} cannot be ${what}: ${mount.uri} is mounted at ${mount.path}, unmount it first`,
      { reason: 'MOUNT_POINT', details: { path, mount: mount.path } },
    )
  }
}

/** What `delete` would say, without deleting. @throws CONFLICT reason PRECONDITION when it is not what is expected */
export function checkDelete(engine: Engine, request: DeleteRequest, caller: Caller): Existing {
  const { path, recursive, expects } = request
  if (path === '/') throw invalid('the root cannot be deleted')
  const place = engine.existing(path, caller)
  refuseMounts(engine, path, 'deleted')
  const record = new RecordView(place.record)
  engine.access.takeName(place.parent!, record, caller, path)
  engine.mounts.checkWritable(path)
  if (expects !== undefined && !isExpected(record, expects)) {
    throw new AlluxioError(
      'CONFLICT',
      `${path} is not any more what it was when its deletion was asked for`,
      {
        reason: 'PRECONDITION',
        details: { path },
      },
    )
  }
  if (record.directory && record.length > 0) {
    if (!recursive) {
      throw new AlluxioError(
        'DIRECTORY_NOT_EMPTY',
        `${path} is a directory with ${record.length} entries: delete it recursively`,
        { details: { path } },
      )
    }
    engine.access.check(record, caller, WRITE, path)
  }
  return place
}

function isExpected(record: RecordView, { fileId, fingerprint, lacks }: DeleteExpectation): boolean {
  if (fileId !== undefined && record.id !== fileId) return false
  const { fp = '', xattr = {} } = record.tail
  if (fingerprint !== undefined && fp !== fingerprint) return false
  return lacks === undefined || !Object.hasOwn(xattr, lacks)
}

export function remove(engine: Engine, request: DeleteRequest, caller: Caller): DeleteOutcome {
  return removePlace(engine, request.path, checkDelete(engine, request, caller))
}

/** Deletes what is at a path, whoever asks. */
export function evict(engine: Engine, path: string): DeleteOutcome {
  if (path === '/') throw invalid('the root cannot be deleted')
  const directory = engine.tree.directory(parentPath(path))
  const place = directory === undefined ? undefined : engine.tree.place(path)
  if (place?.record === undefined) throw notFound(path)
  refuseMounts(engine, path, 'deleted')
  return removePlace(engine, path, place as Existing)
}

export function removePlace(engine: Engine, path: string, place: Existing): DeleteOutcome {
  const inode = engine.inode(path, place)
  const parent = place.parent!
  if (!inode.record.directory) {
    engine.removeFile(place)
    engine.tree.touch(parent, -1, engine.runtime.now())
    return { inode, files: 1, directories: 0 }
  }
  const directory = engine.node(place)
  const { files, directories } = directory
  engine.detach(directory, path)
  engine.tree.touch(parent, -1, engine.runtime.now())
  return { inode, files, directories: directories + 1 }
}
