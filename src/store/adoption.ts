/** Blocks that become blocks of another file without being copied: the file of a block gets another name and label. */
import { type BlockDisk, relabelBlock } from '../arrow/index.ts'
import { AlluxioError, type BlockId, fileOfBlock, type Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import { makeEntry } from './entry.ts'
import type { Files } from './files.ts'
import type { OpenFiles } from './open-files.ts'

interface AdoptionModules {
  readonly catalog: Catalog
  readonly files: Files
  readonly openFiles: OpenFiles
  readonly disk: BlockDisk
  readonly runtime: Runtime
}

export class Adoption {
  readonly #m: AdoptionModules

  constructor(modules: AdoptionModules) {
    this.#m = modules
  }

  /** See `BlockStore.adopt`. A crash between label and name costs the block: it is found damaged. */
  async adopt(from: BlockId, to: BlockId, length: number): Promise<{ tier: string }> {
    const { catalog, files, openFiles, disk, runtime } = this.#m
    const entry = catalog.get(from)
    const there = catalog.get(to)
    if (entry === undefined && there?.state === 'sealed' && there.length === length)
      return { tier: catalog.tierOf(there).alias }
    if (there !== undefined) throw new AlluxioError('ALREADY_EXISTS', `block ${to} is here already`)
    if (entry?.state !== 'sealed' || entry.length !== length) throw notHere(from)
    if (entry.busy > 0) {
      throw new AlluxioError('CONFLICT', `block ${from} is being moved`, { reason: 'BLOCK_BUSY' })
    }
    const { folder } = entry
    const { alias, durable } = catalog.tierOf(entry)
    entry.busy++
    try {
      relabelBlock(disk, files.path(entry), { blockId: to, fileId: fileOfBlock(to) })
      if (durable && entry.soleCopy) await this.#sync(files.path(entry))
      // It may have been dropped, or written by somebody else, while the disk was waited for.
      if (!catalog.has(entry) || catalog.get(to) !== undefined) throw notHere(from)
      const { soleCopy, bytes } = entry
      disk.rename(files.path(entry), folder.sealedPath(to, length, soleCopy))
      openFiles.close(from)
      catalog.remove(entry)
      catalog.add(
        makeEntry({ id: to, length, folder, bytes, state: 'sealed', soleCopy }, runtime.monotonic()),
      )
      if (durable && soleCopy) await disk.syncFolder(folder.path)
      return { tier: alias }
    } catch (error) {
      files.diskError(folder, error)
      throw error
    } finally {
      entry.busy--
    }
  }

  async #sync(path: string): Promise<void> {
    const file = this.#m.disk.open(path, 'update')
    try {
      await file.sync()
    } finally {
      file.close()
    }
  }
}

function notHere(blockId: BlockId): AlluxioError {
  return new AlluxioError('NOT_FOUND', `block ${blockId} is not sealed here`, { reason: 'BLOCK_NOT_HERE' })
}
