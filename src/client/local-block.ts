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

export class LocalBlock {
  readonly tier: string
  readonly tally: ReadTally
  readonly #handle: BlockHandle
  #reads = 0

  constructor(handle: BlockHandle, tier: string, tally: ReadTally) {
    this.#handle = handle
    this.tier = tier
    this.tally = tally
  }

  /** Fills `buffer` from `position` in the block; all of it must lie within. @throws DATA_LOSS at a bad page */
  readInto(position: number, buffer: Uint8Array): void {
    if (buffer.length <= MAPPED_READ_BYTES && ++this.#reads > READS_BEFORE_MAP) {
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

  close(): void {
    this.#handle.close()
  }
}

export interface LocalBlocksModules {
  readonly tierFiles: TierFiles
  readonly log: Log
}

/** Opens the tier files of sealed blocks. */
export class LocalBlocks {
  readonly #modules: LocalBlocksModules

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
      const handle = arrow.openBlock(disk, path, { trustSeal })
      if (handle.length === expectedLength && handle.blockId === blockId) {
        return new LocalBlock(handle, tier, tallyOf(tier))
      }
      handle.close()
      this.#modules.log.warn('tier file holds another block', { path, blockId, expectedLength })
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) this.#modules.log.debug('no short circuit', { blockId, error })
    }
    return undefined
  }
}
