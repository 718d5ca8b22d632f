/** The first records of an empty store: the root directory and the under-store mounted at it. */
import { encodeRecord, FLAG_COMPLETED, FLAG_MOUNT_POINT, type MountId, ROOT_ID } from '../core/index.ts'
import { idKey, inodeKey } from './keys.ts'
import { mountValue } from './mounting.ts'
import type { NamespaceModules, NamespaceOptions } from './namespace.ts'

export function format(options: NamespaceOptions, { store, runtime }: NamespaceModules): void {
  const nowMs = runtime.now()
  const record = encodeRecord({
    directory: true,
    flags: FLAG_COMPLETED | FLAG_MOUNT_POINT,
    mode: 0o755,
    persistence: 'PERSISTED',
    ttlAction: 'DELETE',
    id: ROOT_ID,
    length: 0,
    modifiedMs: nowMs,
    createdMs: nowMs,
    accessedMs: nowMs,
    ttlMs: -1,
    blockSizeBytes: 0,
    mountId: 1 as MountId,
    replicationMin: 0,
    replicationMax: -1,
    owner: options.superuser,
    group: options.superuserGroup,
    syncedSeconds: 0,
    tail: {},
  })
  const { uri, readOnly = false, options: storeOptions = {} } = options.rootMount
  const value = mountValue({ path: '/', uri, readOnly, shared: false, options: storeOptions })
  const key = inodeKey(0, '')
  void store.commit([
    { table: 'inode', key, value: record },
    { table: 'edge', key: idKey(ROOT_ID), value: key },
    { table: 'mount', key: idKey(1), value },
  ])
}
