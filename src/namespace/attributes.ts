/** setAttribute, persist, stale marks: how inodes change in place. */
import {
  AlluxioError,
  type FileId,
  type FileRecord,
  FLAG_COMPLETED,
  FLAG_PINNED,
  FLAG_STALE,
  forFiles,
  RecordView,
  withAclChange,
  withFields,
} from '../core/index.ts'
import { WRITE } from './access.ts'
import { checkNumbers, persistAncestors } from './create.ts'
import { type Engine, invalid } from './engine.ts'
import type { Place } from './tree.ts'
import type { AttributeRequest, Caller } from './types.ts'
import { walk } from './walk.ts'

type Existing = Place & { readonly record: Buffer }
const MAX_XATTR_BYTES = 64 * 1024
const MAX_OWNER_BYTES = 1024
const MAX_MEDIA = 16
const PAGE = 1000
const MAX_MEDIUM_LENGTH = 64

/** @throws PERMISSION_DENIED, INVALID_ARGUMENT */
export function checkAttributes(
  engine: Engine,
  path: string,
  record: FileRecord,
  request: AttributeRequest,
  caller: Caller,
): void {
  checkNumbers(request)
  const { access } = engine
  if (request.owner !== undefined && request.owner !== record.owner)
    access.administer(caller, `chown ${path}`)
  if (request.mode !== undefined || request.acl !== undefined) access.own(record, caller, path)
  if (request.group !== undefined) {
    access.own(record, caller, path)
    if (!access.isSuperuser(caller) && !caller.groups.includes(request.group)) {
      throw new AlluxioError(
        'PERMISSION_DENIED',
        `user ${caller.user} is not in group ${request.group}: only a member or the superuser may give ${path} to it`,
      )
    }
  }
  const { mode, owner, group } = request
  if (mode !== undefined || owner !== undefined || group !== undefined || request.acl !== undefined)
    engine.mounts.checkWritable(path)
  for (const name of [owner, group]) {
    if (name !== undefined && Buffer.byteLength(name) > MAX_OWNER_BYTES) {
      throw invalid(`an owner or group has at most ${MAX_OWNER_BYTES} bytes`)
    }
  }
  const other =
    request.pinned !== undefined ||
    request.media !== undefined ||
    request.ttlMs !== undefined ||
    request.ttlAction !== undefined ||
    request.replicationMin !== undefined ||
    request.replicationMax !== undefined ||
    request.modifiedMs !== undefined ||
    request.accessedMs !== undefined ||
    request.xattr !== undefined
  if (other && caller.user !== record.owner) access.check(record, caller, WRITE, path)
  const min = request.replicationMin ?? record.replicationMin
  const max = request.replicationMax ?? record.replicationMax
  if (max >= 0 && min > max) throw invalid(`replication: at least ${min} and at most ${max} cannot both hold`)
  checkTail(request, record)
  if (request.acl !== undefined) withAclChange(record, request.acl)
}

function checkTail(request: AttributeRequest, record: FileRecord): void {
  const { media = [], xattr } = request
  if (media.length > MAX_MEDIA || media.some((alias) => alias.length > MAX_MEDIUM_LENGTH)) {
    throw invalid(`a pin names at most ${MAX_MEDIA} media of at most ${MAX_MEDIUM_LENGTH} characters`)
  }
  if (xattr === undefined) return
  let bytes = 0
  for (const attributes of [record.tail.xattr ?? {}, xattr]) {
    for (const [name, value] of Object.entries(attributes))
      bytes += Buffer.byteLength(name) + (value?.length ?? 0)
  }
  if (bytes > MAX_XATTR_BYTES)
    throw invalid(`extended attributes of ${bytes} bytes: at most ${MAX_XATTR_BYTES}`)
}

/** Applies the changes to one inode; false if nothing is different. */
export function setAttributes(engine: Engine, place: Existing, request: AttributeRequest): boolean {
  const before = new RecordView(place.record)
  const fields: { -readonly [K in keyof FileRecord]?: FileRecord[K] } = {}
  if (request.mode !== undefined) fields.mode = request.mode
  if (request.owner !== undefined) fields.owner = request.owner
  if (request.group !== undefined) fields.group = request.group
  if (request.ttlMs !== undefined && !(before.directory && place.parent === undefined))
    fields.ttlMs = request.ttlMs
  if (request.ttlAction !== undefined) fields.ttlAction = request.ttlAction
  if (!before.directory) {
    if (request.replicationMin !== undefined) fields.replicationMin = request.replicationMin
    if (request.replicationMax !== undefined) fields.replicationMax = request.replicationMax
  }
  if (request.modifiedMs !== undefined) fields.modifiedMs = request.modifiedMs
  if (request.accessedMs !== undefined) fields.accessedMs = request.accessedMs
  if (request.pinned !== undefined) {
    fields.flags = request.pinned ? before.flags | FLAG_PINNED : before.flags & ~FLAG_PINNED
  }
  const tail = tailWith(before, request)
  if (tail !== undefined) fields.tail = tail
  const listed =
    request.acl === undefined ? undefined : withAclChange(withFields(before, fields), request.acl)
  Object.assign(fields, listed)
  const same =
    tail === undefined &&
    listed === undefined &&
    Object.entries(fields).every(([name, value]) => before[name as keyof FileRecord] === value)
  if (same) return false
  engine.change(place, fields)
  return true
}

function tailWith(before: FileRecord, request: AttributeRequest): FileRecord['tail'] | undefined {
  const media = request.pinned === false ? [] : request.media
  if (media === undefined && request.xattr === undefined) return undefined
  const { media: mediaBefore, xattr: xattrBefore, ...rest } = before.tail
  const mediaAfter = media ?? mediaBefore ?? []
  const xattr: Record<string, Uint8Array> = Object.assign(Object.create(null), xattrBefore)
  for (const [name, value] of Object.entries(request.xattr ?? {})) {
    if (value === null) delete xattr[name]
    else xattr[name] = value
  }
  checkXattr(xattr)
  return {
    ...rest,
    ...(mediaAfter.length === 0 ? {} : { media: mediaAfter }),
    ...(Object.keys(xattr).length === 0 ? {} : { xattr: { ...xattr } }),
  }
}

/** @throws INVALID_ARGUMENT for more than an inode may have */
export function checkXattr(xattr: Readonly<Record<string, Uint8Array>>): void {
  let bytes = 0
  for (const [name, value] of Object.entries(xattr)) bytes += Buffer.byteLength(name) + value.length
  if (bytes > MAX_XATTR_BYTES)
    throw invalid(`extended attributes of ${bytes} bytes: at most ${MAX_XATTR_BYTES}`)
}

/** Queues a file's persist; false if it is persisted already. @throws IS_A_DIRECTORY, CONFLICT reason INCOMPLETE or LOST */
export function persist(engine: Engine, path: string, caller: Caller): boolean {
  const place = engine.existing(path, caller)
  const record = new RecordView(place.record)
  if (record.directory) {
    throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory: persist the files below it`, {
      details: { path },
    })
  }
  if (caller.user !== record.owner) engine.access.check(record, caller, WRITE, path)
  if (record.persistence === 'PERSISTED') return false
  engine.mounts.checkWritable(path)
  if ((record.flags & FLAG_COMPLETED) === 0) throw incomplete(path)
  if (record.persistence === 'LOST') {
    throw new AlluxioError('CONFLICT', `${path} is lost: none of its bytes is left to persist`, {
      reason: 'LOST',
      details: { path },
    })
  }
  if (record.persistence === 'NOT_PERSISTED') engine.change(place, { persistence: 'TO_BE_PERSISTED' })
  return true
}

export function incomplete(path: string): AlluxioError {
  return new AlluxioError('CONFLICT', `${path} is still being written: wait until it is complete`, {
    reason: 'INCOMPLETE',
    details: { path },
  })
}

/** The file's bytes, or the directory itself, are in the under-store. False if it is gone. */
export function persisted(engine: Engine, id: FileId, fingerprint: string): boolean {
  const place = engine.tree.placeById(id)
  if (place === undefined) return false
  const before = new RecordView(place.record)
  const nowMs = engine.runtime.now()
  engine.change(place, {
    persistence: 'PERSISTED',
    syncedSeconds: Math.floor(nowMs / 1000),
    tail: before.directory ? before.tail : { ...before.tail, fp: fingerprint },
  })
  engine.materialised(id, nowMs)
  persistAncestors(engine, place.parent)
  return true
}

export function markLost(engine: Engine, id: FileId): boolean {
  const place = engine.tree.placeById(id)
  if (place === undefined || new RecordView(place.record).persistence === 'PERSISTED') return false
  engine.change(place, { persistence: 'LOST' })
  return true
}

export function markStale(engine: Engine, place: Existing, stale: boolean): void {
  const { flags } = new RecordView(place.record)
  const after = stale ? flags | FLAG_STALE : flags & ~FLAG_STALE
  if (after !== flags) engine.change(place, { flags: after })
}

/** What of a request goes down even without `recursive`: pins. */
export function pinsOf({ path, pinned, media }: AttributeRequest): AttributeRequest | undefined {
  if (pinned === undefined) return undefined
  return { path, recursive: true, pinned, ...(media === undefined ? {} : { media }) }
}

/** Applies the changes to one page of what lies below a directory, behind `cursor`. The caller commits. */
export function setPage(
  engine: Engine,
  request: AttributeRequest,
  caller: Caller,
  cursor: string | undefined,
): { readonly count: number; readonly cursor: string | undefined } {
  const { steps, cursor: next } = walk(engine.tree, request.path, { limit: PAGE, cursor })
  const below = steps.filter((step) => step.path !== request.path)
  const files = requestForFiles(request)
  const requestOf = (place: Existing) => (place.record[1] === 1 ? request : files)
  for (const { path, place } of below) {
    checkAttributes(engine, path, new RecordView(place.record), requestOf(place), caller)
  }
  let count = 0
  for (const { place } of below) if (setAttributes(engine, place, requestOf(place))) count++
  return { count, cursor: next }
}

/** A file below a directory has no default list. */
function requestForFiles(request: AttributeRequest): AttributeRequest {
  if (request.acl === undefined) return request
  const { acl, ...rest } = request
  const own = forFiles(acl)
  return own === undefined ? rest : { ...rest, acl: own }
}
