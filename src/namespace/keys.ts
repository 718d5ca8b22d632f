/**
 * The layout of the namespace's records. Ids in keys are 6 bytes big-endian, so that byte order is id order.
 *
 * | table | key | value |
 * | --- | --- | --- |
 * | inode | parent id, name (UTF-8) | core/file-record; the root has parent 0 and no name |
 * | edge | id | parent id, name; for directories and for files that are found by id (not empty, queued, pinned, with TTL) |
 * | counter | directory id | f64 LE files, directories, bytes of the whole subtree |
 * | ttl | expiry in ms (6 bytes), id | nothing (one byte) |
 * | pin, persist | id | media as JSON; nothing |
 * | reclaim | id of a detached directory | nothing |
 * | mount | mount id | JSON |
 * | command | batch | f64 LE ms, then 16-byte command id and f64 LE outcome, again and again |
 * | intent | number | JSON, see intents.ts |
 * | meta | name | next free ids |
 */
import type { FileId } from '../core/index.ts'

export const ID_BYTES = 6
const ID_HIGH = 2 ** 32
/** Values of index tables; LMDB takes none that is empty. */
export const NOTHING = Buffer.from([0])
export const COUNTER_BYTES = 24

export function writeId(target: Buffer, offset: number, id: number): void {
  const high = Math.floor(id / ID_HIGH)
  target[offset] = high >>> 8
  target[offset + 1] = high
  const low = id >>> 0
  target[offset + 2] = low >>> 24
  target[offset + 3] = low >>> 16
  target[offset + 4] = low >>> 8
  target[offset + 5] = low
}

export function readId(source: Buffer, offset: number): number {
  return (
    ((source[offset]! << 8) | source[offset + 1]!) * ID_HIGH +
    (((source[offset + 2]! << 24) |
      (source[offset + 3]! << 16) |
      (source[offset + 4]! << 8) |
      source[offset + 5]!) >>>
      0)
  )
}

export function idKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(ID_BYTES)
  writeId(key, 0, id)
  return key
}

/** Also the value of an edge. */
export function inodeKey(parent: number, name: string): Buffer {
  const { length } = name
  if (isShortAscii(name)) {
    const key = Buffer.allocUnsafe(ID_BYTES + length)
    writeId(key, 0, parent)
    for (let i = 0; i < length; i++) key[ID_BYTES + i] = name.charCodeAt(i)
    return key
  }
  const key = Buffer.allocUnsafe(ID_BYTES + Buffer.byteLength(name))
  writeId(key, 0, parent)
  key.write(name, ID_BYTES)
  return key
}

function isShortAscii(name: string): boolean {
  if (name.length > 40) return false
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 126) return false
  return true
}

export function parentOfKey(key: Buffer): FileId {
  return readId(key, 0) as FileId
}

export function nameOfKey(key: Buffer): string {
  return key.toString('utf8', ID_BYTES)
}

/** The least key of a directory's children behind `name`. */
export function keyAfter(parent: number, name: string): Buffer {
  const key = Buffer.allocUnsafe(ID_BYTES + Buffer.byteLength(name) + 1)
  writeId(key, 0, parent)
  key.write(name, ID_BYTES)
  key[key.length - 1] = 0
  return key
}

export function ttlKey(expiresMs: number, id: number): Buffer {
  const key = Buffer.allocUnsafe(2 * ID_BYTES)
  writeId(key, 0, Math.min(Math.max(0, Math.floor(expiresMs)), 2 ** 48 - 1))
  writeId(key, ID_BYTES, id)
  return key
}

/** All keys of a table of ids. */
export const EVERYTHING = { start: Buffer.from([0]), end: Buffer.alloc(ID_BYTES + 1, 0xff) }
