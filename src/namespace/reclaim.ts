/**
 * What lies below a deleted directory is cleared away afterwards, a bounded number of records a batch: the delete itself detached it
 * in one step. Detached directories are kept in a table, so a restart goes on where the last one stopped.
 */
import { type FileId, RecordView } from '../core/index.ts'
import type { Engine } from './engine.ts'
import { EVERYTHING, idKey, NOTHING, readId } from './keys.ts'

/** Clears up to `limit` records; true if more are left. The caller commits. */
export function reclaim(engine: Engine, limit: number): boolean {
  const { tree } = engine
  let left = limit
  // Taken as a list: this batch's own additions are the next call's work.
  const detached = [...tree.store.range('reclaim', { ...EVERYTHING, limit })]
  for (const { key } of detached) {
    const directory = readId(key, 0) as FileId
    const rows = [
      ...tree.store.range('inode', { start: idKey(directory), end: idKey(directory + 1), limit: left + 1 }),
    ]
    for (const row of rows.slice(0, left)) {
      const record = new RecordView(row.value)
      tree.removeInode(directory, row.key)
      engine.forgetFile(record)
      if (record.directory) {
        engine.usage.forgetDirectory(record.id)
        tree.remove('counter', idKey(record.id))
        if (record.length > 0) tree.put('reclaim', idKey(record.id), NOTHING)
      } else engine.usage.forgetFile(record.id)
    }
    if (rows.length > left) return true
    left -= rows.length
    tree.remove('reclaim', key)
    if (left <= 0) return true
  }
  return tree.staged > 0
}
