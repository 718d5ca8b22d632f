/**
 * Cached bytes of files and of whole subtrees ("In Alluxio", "In Memory" of `du`). Not durable: it follows the block map.
 *
 * The block map only notes which files changed. Their ancestors are settled when somebody asks, or a slice at a time in the
 * background, so a million blocks that register again do not stop the master; a delta costs its depth.
 */
import { type FileId, RecordView } from '../core/index.ts'
import type { BlockMap } from './block-map.ts'
import type { Directory } from './directory.ts'
import { IdTable } from './id-table.ts'
import type { Tree } from './tree.ts'

const CACHED = 0
const IN_MEMORY = 1
/** Segments of the block map that are swept in about the time in which one file is counted. */
const SEGMENTS_A_FILE = 50

export class Usage {
  readonly #tree: Tree
  readonly #blocks: BlockMap
  readonly #onFileChange: (directory: FileId) => void
  /** First id that was never given out: blocks of later ones belong to another history and are left alone. */
  readonly #nextId: () => number
  /** What each file, and each directory's subtree, was last counted with. */
  readonly #files = new IdTable(2)
  readonly #directories = new IdTable(2)

  constructor(modules: {
    readonly tree: Tree
    readonly blocks: BlockMap
    readonly nextId: () => number
    readonly onFileChange: (directory: FileId) => void
  }) {
    this.#tree = modules.tree
    this.#blocks = modules.blocks
    this.#nextId = modules.nextId
    this.#onFileChange = modules.onFileChange
  }

  /** Counts up to `limit` changed files; true when none is left. */
  settle(limit: number): boolean {
    const swept = this.#blocks.sweep(limit * SEGMENTS_A_FILE)
    if (this.#blocks.dirtyFiles === 0) return swept
    const { store } = this.#tree
    const readBatch = store.readBatch
    for (const file of this.#blocks.takeDirty(limit)) this.#settleFile(file)
    store.readBatch = readBatch
    return swept && this.#blocks.dirtyFiles === 0
  }

  cachedOf(directory: FileId): number {
    return this.#directories.get(directory, CACHED)
  }

  inMemoryOf(directory: FileId): number {
    return this.#directories.get(directory, IN_MEMORY)
  }

  /** A file leaves the tree. */
  removeFile(file: FileId, parent: Directory): void {
    if (!this.#files.has(file)) return
    this.#add(parent, -this.#files.get(file, CACHED), -this.#files.get(file, IN_MEMORY))
    this.#files.delete(file)
  }

  /** A file of a detached directory, whose ancestors no longer count it. */
  forgetFile(file: FileId): void {
    this.#files.delete(file)
  }

  moveFile(file: FileId, from: Directory, to: Directory): void {
    if (!this.#files.has(file)) return
    const cached = this.#files.get(file, CACHED)
    const inMemory = this.#files.get(file, IN_MEMORY)
    this.#add(from, -cached, -inMemory)
    this.#add(to, cached, inMemory)
  }

  moveDirectory(directory: FileId, from: Directory, to: Directory | undefined): void {
    if (!this.#directories.has(directory)) return
    const cached = this.cachedOf(directory)
    const inMemory = this.inMemoryOf(directory)
    this.#add(from, -cached, -inMemory)
    if (to === undefined) this.#directories.delete(directory)
    else this.#add(to, cached, inMemory)
  }

  forgetDirectory(directory: FileId): void {
    this.#directories.delete(directory)
  }

  #settleFile(file: FileId): void {
    const { store } = this.#tree
    store.readBatch = 0
    const place = this.#tree.placeById(file)
    if (place?.parent === undefined) {
      // Until its deletion is durable a crash may bring it back.
      if (store.readBatch > store.durableBatch) {
        this.#blocks.touch(file)
        return
      }
      // Nobody can read it any more; what is still reported of it is dropped at the workers.
      if (file < this.#nextId()) this.#blocks.drop(file, 0)
      this.#files.delete(file)
      return
    }
    const record = new RecordView(place.record)
    const now = this.#blocks.cached(file, record.length, record.blockSizeBytes)
    const cached = now.cachedBytes - this.#files.get(file, CACHED)
    const inMemory = now.inMemoryBytes - this.#files.get(file, IN_MEMORY)
    if (cached === 0 && inMemory === 0) return
    if (now.cachedBytes === 0) this.#files.delete(file)
    else {
      this.#files.set(file, CACHED, now.cachedBytes)
      this.#files.set(file, IN_MEMORY, now.inMemoryBytes)
    }
    this.#add(place.parent, cached, inMemory)
    this.#onFileChange(place.parent.id)
  }

  #add(directory: Directory, cached: number, inMemory: number): void {
    if (cached === 0 && inMemory === 0) return
    for (let d: Directory | undefined = directory; d !== undefined; d = d.parent) {
      this.#directories.add(d.id, CACHED, cached)
      this.#directories.add(d.id, IN_MEMORY, inMemory)
      // The directory's own entry in its parent's listing shows the sum.
      if (d.parent !== undefined) this.#onFileChange(d.parent.id)
    }
  }
}
