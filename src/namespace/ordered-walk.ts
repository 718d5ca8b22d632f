/**
 * The inodes below a directory in the order in which a store lists them, so that the two are merged without holding either:
 * of any tree a few hundred rows a level are in memory. Reads a page of rows at a time: what changes meanwhile may be seen as it
 * was or as it is, and whoever acts on a step looks again.
 */
import { type FileId, FLAG_MOUNT_POINT } from '../core/index.ts'
import type { Row } from '../metastore/store.ts'
import { ID_BYTES, idKey, keyAfter } from './keys.ts'
import type { Tree } from './tree.ts'

/**
 * `children`: of one directory, by name. `keys`: all descendants as an object store orders its keys, where a directory counts with
 * its slash (`a-b` before `a/`, which comes before `a/x` and `a0`).
 */
export type WalkOrder = 'children' | 'keys'

export interface OrderedStep {
  /** Path below the walk's root; in the order of keys a directory's ends with a slash. */
  readonly position: string
  readonly record: Buffer
}

interface Level {
  readonly id: FileId | number
  /** Path of the directory below the root, with its slash; '' for the root. */
  readonly prefix: string
  rows: readonly Row[]
  at: number
  after: string | undefined
  last: boolean
  /** Directories whose turn comes after siblings that their name is a prefix of; the last one comes first. */
  readonly waiting: { readonly name: string; readonly record: Buffer }[]
}

const PAGE = 256
const SLASH = 47
const KIND_OFFSET = 1
const FLAGS_OFFSET = 2
const ID_OFFSET = 8

export class OrderedWalk {
  readonly #tree: Tree
  readonly #order: WalkOrder
  readonly #levels: Level[] = []
  #next: OrderedStep | undefined

  constructor(tree: Tree, directory: FileId, order: WalkOrder) {
    this.#tree = tree
    this.#order = order
    this.#enter(directory, '')
  }

  /** The next step, without taking it; undefined at the end. */
  peek(): OrderedStep | undefined {
    this.#next ??= this.#find()
    return this.#next
  }

  take(): void {
    this.#next = undefined
  }

  #enter(id: FileId | number, prefix: string): void {
    this.#levels.push({ id, prefix, rows: [], at: 0, after: undefined, last: false, waiting: [] })
  }

  #find(): OrderedStep | undefined {
    for (;;) {
      const level = this.#levels[this.#levels.length - 1]
      if (level === undefined) return undefined
      const row = this.#row(level)
      const name = row?.key.toString('utf8', ID_BYTES)
      const waiting = level.waiting[level.waiting.length - 1]
      if (waiting !== undefined && (name === undefined || isBefore(waiting.name, name))) {
        level.waiting.pop()
        const position = `${level.prefix}${waiting.name}/`
        this.#enter(waiting.record.readDoubleLE(ID_OFFSET), position)
        return { position, record: waiting.record }
      }
      if (name === undefined) {
        this.#levels.pop()
        continue
      }
      level.at++
      const { value } = row!
      if (value[KIND_OFFSET] !== 1 || this.#order === 'children')
        return { position: level.prefix + name, record: value }
      // What is mounted there is another store's.
      if ((value.readUInt16LE(FLAGS_OFFSET) & FLAG_MOUNT_POINT) === 0)
        level.waiting.push({ name, record: value })
    }
  }

  #row(level: Level): Row | undefined {
    if (level.at === level.rows.length && !level.last) {
      const start = level.after === undefined ? idKey(level.id) : keyAfter(level.id, level.after)
      level.rows = [...this.#tree.store.range('inode', { start, end: idKey(level.id + 1), limit: PAGE })]
      level.at = 0
      level.last = level.rows.length < PAGE
      level.after = level.rows[level.rows.length - 1]?.key.toString('utf8', ID_BYTES)
    }
    return level.rows[level.at]
  }
}

/** Whether `directory/` comes before `name`, which comes after `directory`. */
function isBefore(directory: string, name: string): boolean {
  return !name.startsWith(directory) || name.charCodeAt(directory.length) > SLASH
}
