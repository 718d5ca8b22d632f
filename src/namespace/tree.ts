/**
 * The tree over the RecordStore: finds inodes by path and by id, stages changes, keeps the counters of ancestors.
 *
 * Directories that were met stay in memory (bounded), by path and by id. What changes where a path leads (a directory renamed,
 * deleted with what is below it, or with another mode) empties the path cache; nothing is searched for.
 *
 * The record and counters of a directory are changed in place while they belong to the store's open batch, so a storm of creates
 * writes each ancestor once a batch.
 */
import { AlluxioError, type FileId, parentPath, ROOT_ID } from '../core/index.ts'
import type { Change, RecordStore, Table } from '../metastore/store.ts'
import { Directory, isSearchable } from './directory.ts'
import { COUNTER_BYTES, idKey, inodeKey, nameOfKey, parentOfKey } from './keys.ts'

const LENGTH_OFFSET = 16
const MODIFIED_OFFSET = 24
const ID_OFFSET = 8
const FOUND_PLACES = 4
const NO_COUNTERS = Buffer.alloc(COUNTER_BYTES)

/** Where a path leads: the last directory that must exist, the name in it, and what is there. */
export interface Place {
  /** undefined for the root. */
  readonly parent: Directory | undefined
  readonly name: string
  readonly key: Buffer
  readonly record: Buffer | undefined
}

interface Found {
  readonly path: string
  readonly place: Place
  /** Youngest batch that it depends on. */
  readonly batch: number
}

export interface TreeOptions {
  /** Directories kept in memory. */
  readonly maxDirectories: number
}

export class Tree {
  readonly store: RecordStore
  readonly #options: TreeOptions
  readonly #onDirectoryChange: (directory: FileId) => void
  #paths = new Map<string, Directory>()
  #byId = new Map<number, Directory>()
  /** Directories that the open batch changed in place: they must not be forgotten before it is sealed. */
  #held = new Set<Directory>()
  #changes: Change[] = []
  /** Places found lately: an operation looks at its paths several times before it changes anything. */
  readonly #found: Found[] = []
  #foundNext = 0
  #foundVersion = -1
  /** Paths may lead elsewhere, or others may search them: everything is forgotten when the operation has committed. */
  #forget = false
  readonly root: Directory

  /**
   * @param onDirectoryChange told the id of a directory when a child's entry changed
   * @throws DATA_LOSS if the store has no root
   */
  constructor(
    options: TreeOptions,
    modules: { readonly store: RecordStore; readonly onDirectoryChange: (directory: FileId) => void },
  ) {
    this.#options = options
    this.store = modules.store
    this.#onDirectoryChange = modules.onDirectoryChange
    const record = this.store.get('inode', inodeKey(0, ''))
    if (record === undefined) throw new AlluxioError('DATA_LOSS', 'the metadata store has no root directory')
    this.root = new Directory(ROOT_ID, undefined, '', record, this.#counters, 0)
    this.store.beforeSeal(() => {
      this.#held = new Set()
      return []
    })
  }

  // --- finding -------------------------------------------------------------------------------------------------------

  /** The directory of a canonical path; undefined if there is none. @throws NOT_A_DIRECTORY if a file is in the way */
  directory(path: string): Directory | undefined {
    if (path === '/') return this.root
    const known = this.#paths.get(path)
    if (known !== undefined) {
      known.used = true
      if (known.seenBatch > this.store.readBatch) this.store.readBatch = known.seenBatch
      return known
    }
    const parent = this.directory(parentPath(path))
    if (parent === undefined) return undefined
    const name = path.slice(path.lastIndexOf('/') + 1)
    const found = this.#child(parent, name, path)
    if (found !== undefined) this.#paths.set(path, found)
    return found
  }

  directoryById(id: FileId): Directory | undefined {
    if (id === ROOT_ID) return this.root
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const edge = this.store.get('edge', idKey(id))
    if (edge === undefined) return undefined
    const parent = this.directoryById(parentOfKey(edge))
    if (parent === undefined) return undefined
    const record = this.store.get('inode', edge)
    if (record === undefined || record[1] !== 1) return undefined
    return this.#keep(id, parent, nameOfKey(edge), record)
  }

  /** Where a canonical path leads. @throws NOT_FOUND if its parent does not exist, NOT_A_DIRECTORY if a file is in the way */
  place(path: string): Place {
    if (path === '/') {
      return { parent: undefined, name: '', key: inodeKey(0, ''), record: this.root.record }
    }
    const { store } = this
    if (store.version !== this.#foundVersion) this.#forgetFound()
    for (const known of this.#found) {
      if (known.path !== path) continue
      if (known.batch > store.readBatch) store.readBatch = known.batch
      return known.place
    }
    const readBefore = store.readBatch
    store.readBatch = 0
    try {
      const place = this.#findPlace(path)
      this.#found[this.#foundNext] = { path, place, batch: store.readBatch }
      this.#foundNext = (this.#foundNext + 1) % FOUND_PLACES
      return place
    } finally {
      if (readBefore > store.readBatch) store.readBatch = readBefore
    }
  }

  #findPlace(path: string): Place {
    const slash = path.lastIndexOf('/')
    const parent = slash === 0 ? this.root : this.directory(path.slice(0, slash))
    if (parent === undefined) throw notFound(path)
    const name = path.slice(slash + 1)
    const key = inodeKey(parent.id, name)
    return { parent, name, key, record: this.store.get('inode', key) }
  }

  /** The nearest ancestor that exists, and the names that are missing between it and the path itself. */
  deepest(path: string): { readonly directory: Directory; readonly missing: readonly string[] } {
    const missing: string[] = []
    let at = parentPath(path)
    for (;;) {
      const directory = this.directory(at)
      if (directory !== undefined) return { directory, missing }
      missing.unshift(at.slice(at.lastIndexOf('/') + 1))
      at = parentPath(at)
    }
  }

  /** Place of a file or directory that has an edge and hangs on the root. */
  placeById(id: FileId): (Place & { readonly record: Buffer }) | undefined {
    if (id === ROOT_ID) return { ...this.place('/'), record: this.root.record }
    const edge = this.store.get('edge', idKey(id))
    if (edge === undefined) return undefined
    const parent = this.directoryById(parentOfKey(edge))
    const record = this.store.get('inode', edge)
    if (parent === undefined || record === undefined) return undefined
    return { parent, name: nameOfKey(edge), key: edge, record }
  }

  pathOf(directory: Directory): string {
    if (directory.parent === undefined) return '/'
    const above = this.pathOf(directory.parent)
    return above === '/' ? `/${directory.name}` : `${above}/${directory.name}`
  }

  /** A directory that was read from its parent's rows. */
  adopt(parent: Directory, name: string, record: Buffer): Directory {
    const id = record.readDoubleLE(ID_OFFSET) as FileId
    return this.#byId.get(id) ?? this.#keep(id, parent, name, record)
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  put(table: Table, key: Buffer, value: Buffer): void {
    this.#changes.push({ table, key, value })
  }

  remove(table: Table, key: Buffer): void {
    this.#changes.push({ table, key, value: null })
  }

  /** Writes the record of a file, or of a directory that is not in memory. */
  putInode(parent: FileId | 0, key: Buffer, record: Buffer): void {
    this.#changes.push({ table: 'inode', key, value: record })
    this.#onDirectoryChange(parent as FileId)
  }

  removeInode(parent: FileId, key: Buffer): void {
    this.#changes.push({ table: 'inode', key, value: null })
    this.#onDirectoryChange(parent)
  }

  /** A new directory, in memory from the start. */
  putDirectory(parent: Directory, name: string, record: Buffer): Directory {
    const id = record.readDoubleLE(ID_OFFSET) as FileId
    const directory = this.#keep(id, parent, name, record)
    directory.counters = NO_COUNTERS
    directory.recordBatch = this.store.openBatch
    directory.seenBatch = this.store.openBatch
    this.#held.add(directory)
    const { key } = directory
    this.putInode(parent.id, key, directory.record)
    this.put('edge', idKey(id), key)
    return directory
  }

  /** A directory's record with other attributes. */
  setRecord(directory: Directory, record: Buffer): void {
    const asBefore =
      (record.readUInt16LE(4) & 0o111) === (directory.mode & 0o111) &&
      isSearchable(record) === isSearchable(directory.record)
    directory.replaceRecord(owned(record), this.store.openBatch)
    this.#held.add(directory)
    this.putInode(directory.parent?.id ?? 0, directory.key, directory.record)
    if (!asBefore) {
      directory.open = isOpen(directory)
      this.#forget = true
    }
  }

  /** Children came or went: their number and the time of the change. */
  touch(directory: Directory, children: number, nowMs: number): void {
    if (directory.recordBatch !== this.store.openBatch) {
      directory.record = owned(directory.record)
      directory.recordBatch = this.store.openBatch
      this.#held.add(directory)
      this.put('inode', directory.key, directory.record)
    }
    const { record } = directory
    record.writeDoubleLE(record.readDoubleLE(LENGTH_OFFSET) + children, LENGTH_OFFSET)
    if (nowMs > record.readDoubleLE(MODIFIED_OFFSET)) record.writeDoubleLE(nowMs, MODIFIED_OFFSET)
    if (directory.parent !== undefined) this.#onDirectoryChange(directory.parent.id)
  }

  /** Adds to the counters of a directory and its ancestors below `until`. */
  count(directory: Directory, files: number, directories: number, bytes: number, until?: Directory): void {
    const batch = this.store.openBatch
    for (let d: Directory | undefined = directory; d !== undefined && d !== until; d = d.parent) {
      if (d.countersBatch !== batch) {
        d.counters = owned(d.counters)
        d.countersBatch = batch
        this.#held.add(d)
        this.put('counter', idKey(d.id), d.counters)
      }
      const { counters } = d
      if (files !== 0) counters.writeDoubleLE(counters.readDoubleLE(0) + files, 0)
      if (directories !== 0) counters.writeDoubleLE(counters.readDoubleLE(8) + directories, 8)
      if (bytes !== 0) counters.writeDoubleLE(counters.readDoubleLE(16) + bytes, 16)
    }
  }

  /** Hangs a directory elsewhere. Its counters must have been moved by the caller. */
  move(directory: Directory, parent: Directory, name: string, path: string): void {
    this.removeInode(directory.parent!.id, directory.key)
    const empty = directory.files + directory.directories === 0
    directory.parent = parent
    directory.name = name
    directory.seenBatch = this.store.openBatch
    this.setRecord(directory, directory.record)
    this.put('edge', idKey(directory.id), directory.key)
    directory.open = isOpen(directory)
    this.#paths.delete(path)
    if (!empty) this.#forget = true
  }

  /** Takes a directory out of the tree; what is below it is reclaimed later. */
  detach(directory: Directory, path: string): void {
    this.removeInode(directory.parent!.id, directory.key)
    this.remove('edge', idKey(directory.id))
    this.remove('counter', idKey(directory.id))
    this.#byId.delete(directory.id)
    this.#paths.delete(path)
    directory.cut = true
    if (directory.files + directory.directories > 0) this.#forget = true
  }

  /** Hands what was staged to the store as one step. */
  commit(): Promise<void> {
    const changes = this.#changes
    this.#changes = []
    const durable = this.store.commit(changes)
    if (this.#forget) this.#forgetDirectories()
    return durable
  }

  get staged(): number {
    return this.#changes.length
  }

  // --- memory --------------------------------------------------------------------------------------------------------

  /** To be called before an operation, which may then hold on to directories until it commits. */
  trim(): void {
    if (this.#byId.size > this.#options.maxDirectories) this.#forgetUnused()
  }

  get directoriesInMemory(): number {
    return this.#byId.size
  }

  #child(parent: Directory, name: string, path: string): Directory | undefined {
    const { store } = this
    const readBefore = store.readBatch
    store.readBatch = 0
    const record = store.get('inode', inodeKey(parent.id, name))
    const seenBatch = Math.max(parent.seenBatch, store.readBatch)
    store.readBatch = Math.max(readBefore, seenBatch)
    if (record === undefined) return undefined
    if (record[1] !== 1) {
      throw new AlluxioError('NOT_A_DIRECTORY', `${path} is a file: nothing can lie below it`, {
        details: { path },
      })
    }
    const id = record.readDoubleLE(ID_OFFSET) as FileId
    const directory = this.#byId.get(id) ?? this.#keep(id, parent, name, record)
    if (seenBatch > directory.seenBatch) directory.seenBatch = seenBatch
    return directory
  }

  #keep(id: FileId, parent: Directory, name: string, record: Buffer): Directory {
    const directory = new Directory(id, parent, name, owned(record), this.#counters, parent.seenBatch)
    this.#byId.set(id, directory)
    return directory
  }

  /**
   * All but those that the open batch holds and those of `more`, with their ancestors: one directory is one object as long as it
   * may change.
   */
  #forgetDirectories(more: readonly Directory[] = []): void {
    this.#forget = false
    this.#forgetFound()
    this.#paths.clear()
    const kept = new Map<number, Directory>()
    for (const directories of [this.#held, more]) {
      for (const directory of directories) {
        if (directory.detached) continue
        for (let d = directory; d.parent !== undefined && !kept.has(d.id); d = d.parent) kept.set(d.id, d)
      }
    }
    this.#byId = kept
    for (const d of kept.values()) d.open = isOpen(d)
  }

  /**
   * Second chance: keeps what was looked at since the last time, at most seven eighths of what may be kept: as many as can be used,
   * when somewhat more are in use than fit, and yet each turn of this lasts for a while.
   */
  #forgetUnused(): void {
    const paths: [string, Directory][] = []
    for (const [path, directory] of this.#paths) {
      if (!directory.used) continue
      directory.used = false
      paths.push([path, directory])
    }
    const recent = paths.slice(-Math.floor((this.#options.maxDirectories * 7) / 8))
    this.#forgetDirectories(recent.map(([, directory]) => directory))
    for (const [path, directory] of recent) {
      if (this.#byId.get(directory.id) === directory) this.#paths.set(path, directory)
    }
  }

  #forgetFound(): void {
    this.#found.length = 0
    this.#foundNext = 0
    this.#foundVersion = this.store.version
  }

  readonly #counters = (id: FileId): Buffer => {
    const counters = this.store.get('counter', idKey(id))
    return counters === undefined ? NO_COUNTERS : owned(counters)
  }
}

/** A copy with memory of its own: what a directory keeps for long must not hold a whole slab of Buffer's pool. */
function owned(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

export function notFound(path: string): AlluxioError {
  return new AlluxioError('NOT_FOUND', `${path} does not exist`, { details: { path } })
}

function isOpen(directory: Directory): boolean {
  for (let d: Directory | undefined = directory; d !== undefined; d = d.parent) {
    if (!isSearchable(d.record)) return false
  }
  return true
}
