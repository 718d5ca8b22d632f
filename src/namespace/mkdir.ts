/** mkdir: how directories come to be, with attributes in the same step. */
import { RecordView } from '../core/index.ts'
import { checkAttributes, checkXattr, setAttributes } from './attributes.ts'
import { checkNumbers, exists, type Target, target } from './create.ts'
import type { Engine } from './engine.ts'
import type { AttributeRequest, Caller, CreateOutcome, Inode, MkdirRequest } from './types.ts'

/** What `mkdir` would say, without making. */
export function checkMkdir(engine: Engine, request: MkdirRequest, caller: Caller): Target {
  const { path, recursive, allowExists, xattr } = request
  checkNumbers(request)
  const found = target(engine, path, recursive, caller)
  const { existing } = found
  if (existing !== undefined) {
    if (!allowExists || existing.record[1] !== 1) throw exists(path)
    if (xattr !== undefined)
      checkAttributes(engine, path, new RecordView(existing.record), attributesOf(path, xattr), caller)
    return found
  }
  if (xattr !== undefined) checkXattr(xattr)
  engine.access.changeNames(found.directory, caller, path)
  engine.mounts.checkWritable(path)
  return found
}

export function mkdir(engine: Engine, request: MkdirRequest, caller: Caller): CreateOutcome {
  const { path, xattr, persisted } = request
  const { directory, missing, name, mountId, existing } = checkMkdir(engine, request, caller)
  if (existing !== undefined) {
    if (xattr !== undefined) setAttributes(engine, existing, attributesOf(path, xattr))
    const { record } = engine.node(existing)
    return { inode: engine.inode(path, { ...existing, record }), entry: engine.entry(name, record) }
  }
  const parent = engine.makeParents(directory, missing, persisted === true, caller, mountId)
  const made = engine.makeDirectory(parent, name, request, caller, mountId)
  const record = Buffer.from(made.record)
  const inode: Inode = { path, name, parentId: parent.id, record: new RecordView(record) }
  return { inode, entry: engine.entry(name, record) }
}

function attributesOf(path: string, xattr: NonNullable<MkdirRequest['xattr']>): AttributeRequest {
  return { path, recursive: false, xattr }
}
