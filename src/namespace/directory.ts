/** A directory in memory: where it hangs, its record and its counters. Bounded in number, loaded on demand (`tree.ts`). */
import { type FileId, FLAG_ACL, type RecordTail, viewRecord } from '../core/index.ts'
import { inodeKey } from './keys.ts'

const FLAGS_OFFSET = 2
const MODE_OFFSET = 4
const SEARCH_ALL = 0o111

export class Directory {
  readonly id: FileId
  /** undefined for the root. */
  parent: Directory | undefined
  name: string
  /** Encoded record. Changed in place while it belongs to the open batch. */
  record: Buffer
  recordBatch = 0
  countersBatch = 0
  /** Looked at since the last time that directories were forgotten. */
  used = true
  #counters: Buffer | undefined
  readonly #loadCounters: (id: FileId) => Buffer
  /** Youngest batch on which it depends that the directory is where it is. */
  seenBatch: number
  /** Whether everybody may search it and all its ancestors. */
  open: boolean
  /** Taken out of the tree. */
  cut = false
  #owner: string | undefined
  #group: string | undefined

  constructor(
    id: FileId,
    parent: Directory | undefined,
    name: string,
    record: Buffer,
    loadCounters: (id: FileId) => Buffer,
    seenBatch: number,
  ) {
    this.id = id
    this.parent = parent
    this.name = name
    this.record = record
    this.#loadCounters = loadCounters
    this.seenBatch = seenBatch
    this.open = isOpen(parent, record)
  }

  get flags(): number {
    return this.record.readUInt16LE(FLAGS_OFFSET)
  }

  get tail(): RecordTail {
    return viewRecord(this.record).tail
  }

  get mode(): number {
    return this.record.readUInt16LE(MODE_OFFSET)
  }

  get owner(): string {
    this.#owner ??= viewRecord(this.record).owner
    return this.#owner
  }

  get group(): string {
    this.#group ??= viewRecord(this.record).group
    return this.#group
  }

  /** Whether it or an ancestor was taken out of the tree. */
  get detached(): boolean {
    for (let d: Directory | undefined = this; d !== undefined; d = d.parent) if (d.cut) return true
    return false
  }

  get key(): Buffer {
    return inodeKey(this.parent?.id ?? 0, this.name)
  }

  /** f64 LE files, directories, bytes of the subtree. Changed in place while they belong to the open batch. */
  get counters(): Buffer {
    this.#counters ??= this.#loadCounters(this.id)
    return this.#counters
  }

  set counters(counters: Buffer) {
    this.#counters = counters
  }

  get files(): number {
    return this.counters.readDoubleLE(0)
  }

  get directories(): number {
    return this.counters.readDoubleLE(8)
  }

  get bytes(): number {
    return this.counters.readDoubleLE(16)
  }

  /** Takes on a record with other attributes. */
  replaceRecord(record: Buffer, batch: number): void {
    this.record = record
    this.recordBatch = batch
    this.#owner = undefined
    this.#group = undefined
  }
}

function isOpen(parent: Directory | undefined, record: Buffer): boolean {
  return (parent === undefined || parent.open) && isSearchable(record)
}

/** Whether a directory's record lets everybody search it. */
export function isSearchable(record: Buffer): boolean {
  return (
    (record.readUInt16LE(MODE_OFFSET) & SEARCH_ALL) === SEARCH_ALL &&
    (record.readUInt16LE(FLAGS_OFFSET) & FLAG_ACL) === 0
  )
}
