/** mount and unmount, and the records of the mount table. */
import {
  AlluxioError,
  CONSISTENCY_KEY,
  FLAG_MOUNT_POINT,
  type MountId,
  parseConsistency,
  RecordView,
} from '../core/index.ts'
import type { RecordStore } from '../metastore/store.ts'
import { target } from './create.ts'
import { type Engine, invalid } from './engine.ts'
import { EVERYTHING, idKey, readId } from './keys.ts'
import type { Caller, Mount, MountRequest, UfsMode } from './types.ts'

const NEXT_MOUNT = Buffer.from('next-mount')
const UFS_MODES = Buffer.from('ufs-modes')
const SHARED_MODE = 0o777
const MOUNT_MODE = 0o755

export function readMounts(store: RecordStore): Mount[] {
  const mounts: Mount[] = []
  for (const { key, value } of store.range('mount', EVERYTHING)) {
    const fields = JSON.parse(value.toString()) as Omit<Mount, 'mountId'>
    mounts.push({ ...fields, mountId: readId(key, 0) as MountId })
  }
  return mounts
}

export function readModes(store: RecordStore): (readonly [uri: string, mode: UfsMode])[] {
  const value = store.get('meta', UFS_MODES)
  return value === undefined ? [] : JSON.parse(value.toString())
}

export function mountValue({ path, uri, readOnly, shared, options }: Omit<Mount, 'mountId'>): Buffer {
  return Buffer.from(JSON.stringify({ path, uri, readOnly, shared, options }))
}

/** @throws ALREADY_EXISTS, NOT_FOUND (parent), INVALID_ARGUMENT reason MOUNT_OVERLAP, PERMISSION_DENIED */
export function mount(engine: Engine, request: MountRequest, caller: Caller): { mountId: MountId } {
  const { path, uri, readOnly, shared, options } = request
  engine.access.administer(caller, `mount ${uri} at ${path}`)
  if (uri === '') throw invalid('the URI of the under-store is empty')
  engine.mounts.checkUri(uri)
  checkOptions(options)
  const { directory, name, existing } = target(engine, path, false, caller)
  if (existing !== undefined) {
    throw new AlluxioError('ALREADY_EXISTS', `${path} exists already: a mount point must be a new path`, {
      details: { path },
    })
  }
  const { tree } = engine
  const mountId = (tree.store.get('meta', NEXT_MOUNT)?.readDoubleLE(0) ?? 2) as MountId
  const next = Buffer.allocUnsafe(8)
  next.writeDoubleLE(mountId + 1, 0)
  tree.put('meta', NEXT_MOUNT, next)
  tree.put('mount', idKey(mountId), mountValue({ path, uri, readOnly, shared, options }))
  const mode = shared ? SHARED_MODE : MOUNT_MODE
  engine.makeDirectory(directory, name, { persisted: true, mode }, caller, mountId, FLAG_MOUNT_POINT)
  engine.mounts.add({ mountId, path, uri, readOnly, shared, options })
  return { mountId }
}

/** The under-store keeps its files; what is cached and known of them goes. @throws INVALID_ARGUMENT if nothing is mounted there */
export function unmount(engine: Engine, path: string, caller: Caller): Mount {
  engine.access.administer(caller, `unmount ${path}`)
  const mounted = engine.mounts.at(path)
  if (mounted === undefined) throw invalid(`${path} is no mount point`)
  if (path === '/') throw invalid('the root mount cannot be unmounted')
  const nested = engine.mounts.below(path)[0]
  if (nested !== undefined) {
    throw new AlluxioError('CONFLICT', `${path} has the mount ${nested.path} below it: unmount that first`, {
      reason: 'NESTED_MOUNT',
    })
  }
  const place = engine.existing(path, caller)
  const directory = engine.node(place)
  engine.detach(directory, path)
  engine.tree.touch(place.parent!, -1, engine.runtime.now())
  engine.tree.remove('mount', idKey(mounted.mountId))
  engine.mounts.remove(mounted)
  return mounted
}

/** Changes what a mount allows or how its store is reached. Old options are not inherited. */
export function updateMount(engine: Engine, request: Omit<MountRequest, 'uri'>, caller: Caller): Mount {
  engine.access.administer(caller, `change the mount ${request.path}`)
  const before = engine.mounts.at(request.path)
  if (before === undefined) throw invalid(`${request.path} is no mount point`)
  const { readOnly, shared, options } = request
  checkOptions(options)
  const after: Mount = { ...before, readOnly, shared, options }
  engine.tree.put('mount', idKey(before.mountId), mountValue(after))
  if (shared !== before.shared && request.path !== '/') {
    const place = engine.existing(request.path, caller)
    const { mode } = new RecordView(place.record)
    engine.change(place, { mode: (mode & ~0o777) | (shared ? SHARED_MODE : MOUNT_MODE) })
  }
  engine.mounts.remove(before)
  engine.mounts.add(after)
  return after
}

function checkOptions(options: MountRequest['options']): void {
  const contract = options[CONSISTENCY_KEY]
  if (contract !== undefined) parseConsistency(contract)
}

/** Maintenance of a store. Returns its mounts. @throws NOT_FOUND if nothing of it is mounted */
export function setUfsMode(engine: Engine, uri: string, mode: UfsMode, caller: Caller): readonly string[] {
  engine.access.administer(caller, `change the mode of ${uri}`)
  const { mounts, tree } = engine
  const paths = uri === '' ? [] : mounts.within(uri).map(({ path }) => path)
  if (paths.length === 0) {
    const known = mounts.all().map((mount) => mount.uri)
    throw new AlluxioError(
      'NOT_FOUND',
      `nothing is mounted of ${uri}: the mounted stores are ${known.join(', ')}`,
      {
        reason: 'NOT_MOUNTED',
        details: { uri },
      },
    )
  }
  const modes = mounts.modesWith(uri, mode)
  tree.put('meta', UFS_MODES, Buffer.from(JSON.stringify(modes)))
  mounts.setModes(modes)
  return paths
}
