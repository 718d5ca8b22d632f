/**
 * What happens to the files of blocks: moved between folders, deleted, put into quarantine, renamed when persisted; and what an
 * error of the disk means for its folder.
 */
import { type BlockDisk, BlockFileWriter, openBlock } from '../arrow/index.ts'
import { assert, type BlockId, fileOfBlock, isAlluxioError, type Log, type Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import type { BlockEntry } from './entry.ts'
import { allocated, type Folder } from './folder.ts'
import type { StoreMetrics } from './metrics.ts'
import type { OpenFiles } from './open-files.ts'
import type { Reservation } from './space.ts'

const COPY_BYTES = 1024 * 1024
/** A file of a memory file system up to this size is deleted faster than the thread pool is woken. */
const SMALL_BYTES = 256 * 1024
/** Files in a quarantine folder; the rest is deleted, unless it is all that is left of a block. */
const MOST_QUARANTINED = 16
/** After these a folder is not used any more. */
const FATAL = new Set([
  'EIO',
  'EROFS',
  'ENODEV',
  'ENXIO',
  'EUCLEAN',
  'ESTALE',
  'ENOTCONN',
  'ENOTDIR',
  'EACCES',
  'EPERM',
])

interface FilesModules {
  readonly catalog: Catalog
  readonly disk: BlockDisk
  readonly openFiles: OpenFiles
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: StoreMetrics
  /** Forgets what is being filled of a partial block. */
  readonly dropFill: (entry: BlockEntry) => void
  readonly onFailed: (folder: Folder) => void
}

export class Files {
  readonly #m: FilesModules
  #quarantined = 0

  constructor(modules: FilesModules) {
    this.#m = modules
  }

  get quarantined(): number {
    return this.#quarantined
  }

  path(entry: BlockEntry): string {
    return entry.folder.sealedPath(entry.id, entry.length, entry.soleCopy)
  }

  /**
   * Copies a sealed block into the reserved place, verifying it unless its seal is trusted, then deletes the old file.
   * Readers keep what they have open. The reservation is used up either way.
   */
  async move(entry: BlockEntry, target: Reservation): Promise<boolean> {
    const { catalog, disk } = this.#m
    const { folder } = target
    assert(folder !== entry.folder, 'a block is moved to another folder')
    const { durable } = catalog.tiers[folder.tier]!
    const temporary = folder.temporaryPath(entry.id)
    entry.busy++
    try {
      const bytes = await this.#copy(entry, temporary, durable)
      const sole = entry.soleCopy
      const path = folder.sealedPath(entry.id, entry.length, sole)
      if (!catalog.has(entry)) {
        await disk.remove(temporary)
        return false
      }
      disk.rename(temporary, path)
      if (durable && sole) await disk.syncFolder(folder.path)
      if (!catalog.has(entry)) {
        await disk.remove(path)
        return false
      }
      // Persisted in the meantime: the new file has to lose its mark too.
      if (entry.soleCopy !== sole)
        disk.rename(path, folder.sealedPath(entry.id, entry.length, entry.soleCopy))
      const old = this.path(entry)
      const oldFolder = entry.folder
      target.release()
      catalog.relocate(entry, folder, bytes)
      this.#m.openFiles.close(entry.id)
      await this.discard(oldFolder, entry.id, old)
      return true
    } catch (error) {
      this.#m.log.warn('block could not be moved', { blockId: entry.id, to: folder.path, error })
      await disk.remove(temporary).catch(() => {})
      if (isDamage(error)) this.quarantine(entry, error)
      else this.diskError(errorPath(error).startsWith(`${folder.path}/`) ? folder : entry.folder, error)
      return false
    } finally {
      target.release()
      entry.busy--
    }
  }

  async #copy(entry: BlockEntry, temporary: string, durable: boolean): Promise<number> {
    const { catalog, disk, runtime } = this.#m
    const { id: blockId, length } = entry
    const source = this.#m.openFiles.get(entry)
    const inMemory = !catalog.tierOf(entry).durable
    const writer = new BlockFileWriter(
      { blockId, fileId: fileOfBlock(blockId), sizeHint: length, synchronous: !durable },
      { file: disk.open(temporary, 'create'), bootTag: disk.bootTag, now: () => runtime.now() },
    )
    try {
      for (let at = 0; at < length; at += COPY_BYTES) {
        const n = Math.min(COPY_BYTES, length - at)
        await writer.append(inMemory ? source.view(at, n) : await source.read(at, n))
        if (!durable) await new Promise<void>((resolve) => runtime.defer(resolve))
      }
      return allocated((await writer.seal(durable && entry.soleCopy)).fileBytes)
    } catch (error) {
      await writer.abort()
      throw error
    }
  }

  /** Deletes a block and its files. Open readers keep their bytes. */
  async delete(entry: BlockEntry, evicted: boolean): Promise<void> {
    const { catalog, openFiles } = this.#m
    const { state, folder } = entry
    const paths =
      state === 'sealed'
        ? [this.path(entry)]
        : Object.values(entry.folder.partialPaths(entry.id, entry.length))
    catalog.remove(entry, evicted)
    openFiles.close(entry.id)
    if (state === 'partial') this.#m.dropFill(entry)
    const inMemory = !catalog.tiers[folder.tier]!.durable
    if (inMemory && state === 'sealed' && entry.bytes <= SMALL_BYTES && this.#removeNow(folder, paths[0]!))
      return
    await Promise.all(paths.map((path) => this.discard(folder, entry.id, path)))
  }

  #removeNow(folder: Folder, path: string): boolean {
    const { disk } = this.#m
    if (disk.removeNow === undefined) return false
    try {
      disk.removeNow(path)
    } catch (error) {
      this.diskError(folder, error)
    }
    return true
  }

  /**
   * Removes a file whose name is free at once: deleting takes a while in the thread pool, and the same block may come back under
   * the same name in the meantime. Never throws.
   */
  async discard(folder: Folder, id: BlockId, path: string): Promise<void> {
    const aside = folder.temporaryPath(id)
    try {
      this.#m.disk.rename(path, aside)
      await this.#m.disk.remove(aside)
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) this.diskError(folder, error)
      else if (this.#vanished(folder)) this.fail(folder, error)
    }
  }

  /** The block's bytes are bad: aside with it. */
  quarantine(entry: BlockEntry, error: unknown): void {
    const { catalog, disk, openFiles, log, metrics } = this.#m
    if (!catalog.has(entry)) return
    this.#quarantined++
    metrics.quarantined.add()
    const what = { blockId: entry.id, folder: entry.folder.path, error }
    if (entry.soleCopy) {
      metrics.lost.add()
      catalog.reportLoss(entry.id)
      log.error('DATA_LOSS: the only copy of a block is damaged; it was moved aside', what)
    } else log.error('block is damaged and was moved aside', what)
    const from = this.path(entry)
    catalog.remove(entry)
    openFiles.close(entry.id)
    const aside = entry.folder.quarantinePath
    try {
      if (this.#quarantined > MOST_QUARANTINED && !entry.soleCopy) {
        void this.discard(entry.folder, entry.id, from)
        return
      }
      disk.makeFolder(aside)
      disk.rename(from, `${aside}/b${entry.id}_${entry.length}.${this.#quarantined}.arrow`)
    } catch (failure) {
      void this.discard(entry.folder, entry.id, from)
      this.diskError(entry.folder, failure)
    }
  }

  /** Takes the sole-copy mark off a sealed block. */
  markPersisted(entry: BlockEntry): void {
    if (!entry.soleCopy) return
    const from = this.path(entry)
    entry.soleCopy = false
    try {
      this.#m.disk.rename(from, this.path(entry))
    } catch (error) {
      entry.soleCopy = true
      this.diskError(entry.folder, error)
    }
  }

  /**
   * What an error while working on a folder means: full for a while, out of use for good, or nothing. Never throws.
   * @returns whether another folder should be tried
   */
  diskError(folder: Folder, error: unknown): boolean {
    const reason = isAlluxioError(error) ? error.reason : undefined
    if (reason === 'ENOSPC' || reason === 'EDQUOT') {
      folder.markFull()
      this.#m.log.warn('tier folder is full below its quota', { folder: folder.path })
      return true
    }
    if ((reason !== undefined && FATAL.has(reason)) || (reason === 'ENOENT' && this.#vanished(folder))) {
      this.fail(folder, error)
      return true
    }
    return false
  }

  #vanished(folder: Folder): boolean {
    try {
      this.#m.disk.facts(folder.path)
      return false
    } catch {
      return true
    }
  }

  /** Takes a folder out of use; its blocks are gone for the cluster. */
  fail(folder: Folder, error: unknown): void {
    if (folder.failure !== undefined) return
    folder.failure = error instanceof Error ? error.message : String(error)
    this.#m.log.error('tier folder failed and is out of use', { folder: folder.path, error })
    this.forget(folder)
    this.#m.onFailed(folder)
  }

  /** The store no longer has the folder's blocks; their files stay. */
  forget(folder: Folder): void {
    for (const entry of this.#m.catalog.entries()) {
      if (entry.folder !== folder) continue
      this.#m.catalog.remove(entry)
      this.#m.openFiles.close(entry.id)
      if (entry.state === 'partial') this.#m.dropFill(entry)
    }
  }

  /** Opens the file by its name, as a reader would. If it is not what it should be, that is known afterwards. */
  recheck(entry: BlockEntry): void {
    try {
      openBlock(this.#m.disk, this.path(entry), { trustSeal: false }).close()
    } catch (error) {
      try {
        this.readFailed(entry, error)
      } catch (unexplained) {
        this.#m.log.warn('block could not be checked', { blockId: entry.id, error: unexplained })
      }
    }
  }

  /**
   * A read of a sealed block failed. The block is quarantined, dropped, or its folder fails; afterwards it is not here.
   * @throws what is no fault of the block or its disk
   */
  readFailed(entry: BlockEntry, error: unknown): void {
    if (isDamage(error)) {
      this.quarantine(entry, error)
      return
    }
    if (!isAlluxioError(error) || error.reason === undefined) throw error
    if (this.diskError(entry.folder, error)) return
    if (error.code === 'NOT_FOUND') {
      this.#m.log.warn('block file vanished', { blockId: entry.id, error })
      this.#m.catalog.remove(entry)
      this.#m.openFiles.close(entry.id)
      return
    }
    throw error
  }
}

/** Whether the bytes, not the disk, are at fault. */
export function isDamage(error: unknown): boolean {
  return isAlluxioError(error) && error.reason === 'BLOCK_DAMAGED'
}

function errorPath(error: unknown): string {
  const path = isAlluxioError(error) ? error.details.path : undefined
  return typeof path === 'string' ? path : ''
}
