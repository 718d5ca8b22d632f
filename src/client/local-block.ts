/** The tier file of a sealed block on this host, read without a daemon on the path. */
import type { BlockHandle } from '../arrow/index.ts'
import { isAlluxioError, type Log } from '../core/index.ts'
import type { ReadTally } from './read-tally.ts'
import type { TierFiles } from './tier-files.ts'
import type { KnownWorker } from './workers.ts'

/** Copying reads of one block after which it is mapped: each page is then faulted once instead of each read being a call. */
const READS_BEFORE_MAP = 64
/** Longest copying read that is served from the map; pread moves longer ones as fast, and without faults. */
const MAPPED_READ_BYTES = 64 * 1024

/** One open tier file for all readers of this client: its pages are mapped, faulted in and verified once, not once a reader. */
interface SharedFile {
  readonly handle: BlockHandle
  readonly tier: string
  readers: number
  /** Copying reads so far. */
  reads: number
}

export class LocalBlock {
  readonly tier: string
  readonly tally: ReadTally
  readonly #file: SharedFile
  readonly #handle: BlockHandle
  readonly #release: (damaged: boolean) => void
  #closed = false

  constructor(file: SharedFile, tally: ReadTally, release: (damaged: boolean) => void) {
    this.#file = file
    this.#handle = file.handle
    this.tier = file.tier
    this.tally = tally
    this.#release = release
  }

  /** Fills `buffer` from `position` in the block; all of it must lie within. @throws DATA_LOSS at a bad page */
  readInto(position: number, buffer: Uint8Array): void {
    if (buffer.length <= MAPPED_READ_BYTES && ++this.#file.reads > READS_BEFORE_MAP) {
      buffer.set(this.#handle.view(position, buffer.length))
    } else this.#handle.readInto(position, buffer)
    this.tally.bytes += buffer.length
  }

  /** As `readInto`, by the thread pool. */
  async read(position: number, buffer: Uint8Array): Promise<void> {
    buffer.set(await this.#handle.read(position, buffer.length))
    this.tally.bytes += buffer.length
  }

  /** A view of the mapped file, which must not be written; not counted. @throws DATA_LOSS at a bad page */
  view(position: number, length: number): Uint8Array {
    return this.#handle.view(position, length)
  }

  /** @param damaged the file failed: whoever opens the block from now on does not get this one */
  close(damaged = false): void {
    if (this.#closed) return
    this.#closed = true
    this.#release(damaged)
  }
}

export interface LocalBlocksModules {
  readonly tierFiles: TierFiles
  readonly log: Log
}

/** Opens the tier files of sealed blocks. */
export class LocalBlocks {
  readonly #modules: LocalBlocksModules
  /** By path. A block's id names its content for ever, so a file that is open holds what a new one at its path would. */
  readonly #shared = new Map<string, SharedFile>()

  constructor(modules: LocalBlocksModules) {
    this.#modules = modules
  }

  /**
   * The block's file, or undefined when it is not to be had: the block left the worker, the file is not visible from here
   * (another container), or it is damaged, of which the worker learns when the block is read through it.
   */
  async open(
    worker: KnownWorker,
    blockId: number,
    expectedLength: number,
    promote: boolean,
    tallyOf: (tier: string) => ReadTally,
  ): Promise<LocalBlock | undefined> {
    try {
      const { path, tier, trustSeal = false } = await worker.block.localPath({ blockId, promote })
      const { arrow, disk } = await this.#modules.tierFiles.load()
      const file = this.#join(path, blockId, expectedLength, () => ({
        handle: arrow.openBlock(disk, path, { trustSeal }),
        tier,
        readers: 0,
        reads: 0,
      }))
      if (file === undefined) {
        this.#modules.log.warn('tier file holds another block', { path, blockId, expectedLength })
        return undefined
      }
      return new LocalBlock(file, tallyOf(file.tier), (damaged) => this.#leave(path, file, damaged))
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) this.#modules.log.debug('no short circuit', { blockId, error })
    }
    return undefined
  }
  #join(path: string, blockId: number, length: number, open: () => SharedFile): SharedFile | undefined {
    const file = this.#known(path) ?? open()
    if (file.handle.length !== length || file.handle.blockId !== blockId) {
      if (file.readers === 0) file.handle.close()
      return undefined
    }
    file.readers++
    this.#shared.set(path, file)
    return file
  }

  /** Someone may have written to it since it was opened: then its pages are verified again. */
  #known(path: string): SharedFile | undefined {
    const file = this.#shared.get(path)
    try {
      file?.handle.recheck()
      return file
    } catch {
      this.#shared.delete(path)
      return undefined
    }
  }

  #leave(path: string, file: SharedFile, damaged: boolean): void {
    file.readers--
    if ((damaged || file.readers === 0) && this.#shared.get(path) === file) this.#shared.delete(path)
    if (file.readers === 0) file.handle.close()
  }
}
