/** What is found by index instead of by path: pins, ended times to live, the persist queue. */
import type { FileId } from '../core/index.ts'
import { findById } from './create.ts'
import type { Engine } from './engine.ts'
import { EVERYTHING, ID_BYTES, idKey, readId, ttlKey } from './keys.ts'
import type { Expired, PersistTask, Pin } from './types.ts'

export function* pins({ tree }: Engine): Iterable<Pin> {
  for (const { key, value } of tree.store.range('pin', EVERYTHING)) {
    yield { fileId: readId(key, 0) as FileId, media: JSON.parse(value.toString()) }
  }
}

/** The longest ended first. */
export function expired(engine: Engine, nowMs: number, limit: number): Expired[] {
  const found: Expired[] = []
  const range = { start: EVERYTHING.start, end: ttlKey(nowMs + 1, 0) }
  for (const { key } of engine.tree.store.range('ttl', range)) {
    const outcome = findById(engine, '/', readId(key, ID_BYTES) as FileId)
    // Rows of a detached directory are on their way out.
    if (outcome === undefined) continue
    found.push({ inode: outcome.inode, action: outcome.inode.record.ttlAction })
    if (found.length >= limit) break
  }
  return found
}

/** In the order of the ids; what is not durable yet is not handed out. */
export function persistQueue(
  engine: Engine,
  options: { readonly after?: FileId; readonly limit?: number },
): PersistTask[] {
  const { store } = engine.tree
  const tasks: PersistTask[] = []
  const start = idKey((options.after ?? 0) + 1)
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  for (const { key } of store.range('persist', { start, end: EVERYTHING.end })) {
    if (tasks.length >= limit) break
    store.readBatch = 0
    const fileId = readId(key, 0) as FileId
    const inode = findById(engine, '/', fileId)?.inode
    if (inode === undefined || store.readBatch > store.durableBatch) continue
    tasks.push({ fileId, path: inode.path, record: inode.record })
  }
  return tasks
}
