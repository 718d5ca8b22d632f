/** The fills of all blocks: their partial files, what they take of their folder, and how a whole block is sealed. */
import { type BlockDisk, blockFileBytes, PartialBlock } from '../arrow/index.ts'
import { AlluxioError, type BlockId, fileOfBlock, type Log, type Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import { type BlockEntry, makeEntry } from './entry.ts'
import { type Files, isDamage } from './files.ts'
import { Fill, type FillSink } from './fill.ts'
import { allocated } from './folder.ts'
import type { StoreMetrics } from './metrics.ts'
import { ReadAhead, type ReadAheadOptions } from './read-ahead.ts'
import type { Reservation, Space } from './space.ts'
import type { BlockBytes } from './types.ts'
import type { Writes } from './writes.ts'

interface FillsModules {
  readonly catalog: Catalog
  readonly space: Space
  readonly files: Files
  readonly writes: Writes
  readonly disk: BlockDisk
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: StoreMetrics
}

/** Positioned readers of one block whose sequence is remembered. */
const MOST_STREAMS = 4
/** Partial blocks that are kept open when nothing is being fetched into them. */
const MOST_OPEN = 256
/** What the side file of a partial block grows by at most with one extent. */
const SIDE_BYTES = 8192
/** Bytes that may wait for slow disks. */
const MOST_LAG_BYTES = 128 * 1024 * 1024

interface Open {
  readonly fill: Fill
  readonly streams: ReadAhead[]
  readonly close: () => void
}

export class Fills {
  readonly #extentBytes: number
  readonly #m: FillsModules
  readonly #open = new Map<BlockId, Open>()
  readonly #opening = new Map<BlockId, Promise<Fill | undefined>>()
  readonly #sealing = new Set<BlockEntry>()
  /** Bytes on their way to partial blocks. */
  #lagBytes = 0
  #discarding = 0

  constructor(extentBytes: number, modules: FillsModules) {
    this.#extentBytes = extentBytes
    this.#m = modules
  }

  /** Blocks into which something is being fetched. */
  get inProgress(): number {
    let busy = this.#discarding
    for (const { fill } of this.#open.values()) if (fill.busy) busy++
    return busy
  }

  get(id: BlockId): Fill | undefined {
    return this.#open.get(id)?.fill
  }

  /** Resolves when nothing is being fetched for the block. */
  async settled(id: BlockId): Promise<void> {
    await this.get(id)?.settled()
  }

  /** The fill of a block that is not sealed here; undefined when no tier has space for it. */
  open(id: BlockId, length: number): Fill | Promise<Fill | undefined> {
    const known = this.#open.get(id)
    if (known !== undefined) return known.fill
    if (length <= this.#extentBytes) return this.#openWhole(id, length)
    const opening = this.#opening.get(id)
    if (opening !== undefined) return opening
    const opened = this.#openPartial(id, length).finally(() => this.#opening.delete(id))
    this.#opening.set(id, opened)
    return opened
  }

  /** A block of one extent is never partial: it is fetched, then written sealed. */
  #openWhole(id: BlockId, length: number): Fill {
    const sink: FillSink = {
      has: () => false,
      read: () => undefined,
      write: async (_extent, pages) => {
        if (this.#m.catalog.get(id) !== undefined || this.#open.get(id)?.fill !== fill) return false
        try {
          await this.#m.writes.writeWhole(id, pages.subarray(0, length), { soleCopy: false })
          return true
        } catch (error) {
          this.#m.log.debug('fetched block not kept', { blockId: id, error })
          return false
        }
      },
    }
    const close = () => {
      if (this.#open.get(id)?.fill === fill) this.#open.delete(id)
    }
    const fill = new Fill(
      { length, extentBytes: this.#extentBytes },
      { sink, metrics: this.#m.metrics, idle: close },
    )
    this.#open.set(id, { fill, streams: [], close })
    return fill
  }

  async #openPartial(id: BlockId, length: number): Promise<Fill | undefined> {
    const entry = this.#m.catalog.get(id)
    if (entry?.state === 'partial') {
      const recovered = this.#recover(entry, length)
      if (recovered !== undefined) return recovered
      await this.#m.files.delete(entry, false)
    }
    const reservation = await this.#reserve(id, length)
    if (reservation === undefined) return undefined
    try {
      // Written or fetched by someone else while space was made.
      if (this.#m.catalog.get(id) !== undefined) return undefined
      return this.#create(id, length, reservation)
    } catch (error) {
      if (!this.#m.files.diskError(reservation.folder, error)) throw error
      return undefined
    } finally {
      reservation.release()
    }
  }

  #recover(entry: BlockEntry, length: number): Fill | undefined {
    const { disk, runtime, catalog } = this.#m
    if (entry.length !== length) return undefined
    try {
      const synchronous = !catalog.tierOf(entry).durable
      const paths = entry.folder.partialPaths(entry.id, length)
      const now = () => runtime.now()
      const partial = PartialBlock.recover({ synchronous }, { disk, now }, paths)
      if (partial === undefined) return undefined
      if (
        partial.blockId === entry.id &&
        partial.length === length &&
        partial.extentBytes === this.#extentBytes
      ) {
        return this.#keep(entry, partial)
      }
      partial.close()
    } catch (error) {
      this.#m.files.diskError(entry.folder, error)
    }
    return undefined
  }

  /** A little space, in a folder where the whole block would fit: best where it fits without eviction. */
  async #reserve(id: BlockId, length: number): Promise<Reservation | undefined> {
    const { space, catalog } = this.#m
    const whole = allocated(blockFileBytes(length))
    const wish = { media: catalog.pins.mediaOf(id) }
    const roomy = space.tryReserve(whole, wish)
    if (roomy !== undefined) return roomy
    const reservation = await space.reserveIfPossible(this.#extentBytes, wish)
    if (reservation === undefined || reservation.folder.capacityBytes >= whole) return reservation
    reservation.release()
    return undefined
  }

  #create(id: BlockId, length: number, { folder }: Reservation): Fill {
    const { disk, runtime, catalog } = this.#m
    const salt = new DataView(runtime.randomBytes(new Uint8Array(4)).buffer).getUint32(0)
    const synchronous = !catalog.tiers[folder.tier]!.durable
    const partial = PartialBlock.create(
      { blockId: id, fileId: fileOfBlock(id), length, extentBytes: this.#extentBytes, synchronous, salt },
      { disk, now: () => runtime.now() },
      folder.partialPaths(id, length),
    )
    const bytes = allocated(partial.allocatedBytes())
    const fields = { id, length, folder, bytes, state: 'partial', soleCopy: false } as const
    const entry = makeEntry(fields, runtime.monotonic())
    catalog.add(entry)
    return this.#keep(entry, partial)
  }

  #keep(entry: BlockEntry, partial: PartialBlock): Fill {
    const sink: FillSink = {
      has: (extent) => partial.has(extent),
      read: (offset, length) => this.#read(entry, partial, offset, length),
      write: (extent, pages) => this.#write(entry, partial, extent, pages),
    }
    const fill: Fill = new Fill(
      { length: entry.length, extentBytes: this.#extentBytes },
      { sink, metrics: this.#m.metrics, idle: () => this.#closeIdle() },
    )
    this.#open.set(entry.id, { fill, streams: [], close: () => partial.close() })
    return fill
  }

  /** Open partial files are bounded: those that were opened first and have nothing under way are closed. */
  #closeIdle(): void {
    for (const [id, open] of this.#open) {
      if (this.#open.size <= MOST_OPEN) return
      if (open.fill.busy) continue
      this.#open.delete(id)
      open.close()
    }
  }

  #read(
    entry: BlockEntry,
    partial: PartialBlock,
    offset: number,
    length: number,
  ): BlockBytes | Promise<BlockBytes | undefined> | undefined {
    const from = this.#m.catalog.tierOf(entry).alias
    try {
      const bytes = partial.read(offset, length)
      if (!(bytes instanceof Promise)) return { bytes, from }
      return bytes.then(
        (read) => ({ bytes: read, from }),
        (error: unknown) => this.#readFailed(entry, partial, offset, error),
      )
    } catch (error) {
      return this.#readFailed(entry, partial, offset, error)
    }
  }

  /** Bad pages cost their extent; anything else costs the block. Either way the bytes are fetched again. */
  #readFailed(entry: BlockEntry, partial: PartialBlock, offset: number, error: unknown): undefined {
    this.#m.log.warn('partial block is damaged', { blockId: entry.id, offset, error })
    const page = damagedPage(error)
    if (page === undefined) void this.#m.files.delete(entry, false)
    else partial.dropExtent(extentOfPage(partial, page))
    return undefined
  }

  async #write(
    entry: BlockEntry,
    partial: PartialBlock,
    extent: number,
    pages: Uint8Array,
  ): Promise<boolean> {
    const { catalog, space, files } = this.#m
    if (!catalog.has(entry) || entry.state !== 'partial') return false
    // The disk does not keep up with the source: better not cached than held in memory without bound.
    if (this.#lagBytes > MOST_LAG_BYTES) return false
    this.#lagBytes += pages.length
    entry.busy++
    let reservation: Reservation | undefined
    try {
      const wish = { folder: entry.folder }
      // The last extent also brings what is neither page nor hole: head, checksums and footer.
      const bytes = pages.length + allocated(blockFileBytes(entry.length) - entry.length) + SIDE_BYTES
      reservation = space.tryReserve(bytes, wish) ?? (await space.reserveIfPossible(bytes, wish))
      if (reservation === undefined || !catalog.has(entry)) return false
      await partial.writeExtent(extent, pages)
      reservation.release()
      if (!catalog.has(entry)) return false
      catalog.resize(entry, allocated(partial.allocatedBytes()))
      if (partial.whole) await this.#seal(entry, partial)
      return true
    } catch (error) {
      this.#m.log.warn('extent could not be kept', { blockId: entry.id, extent, error })
      files.diskError(entry.folder, error)
      if (isDamage(error) && catalog.has(entry)) this.#readFailed(entry, partial, 0, error)
      return partial.has(extent)
    } finally {
      this.#lagBytes -= pages.length
      reservation?.release()
      entry.busy--
    }
  }

  async #seal(entry: BlockEntry, partial: PartialBlock): Promise<void> {
    const { catalog, disk } = this.#m
    if (this.#sealing.has(entry)) return
    this.#sealing.add(entry)
    try {
      const { fileBytes } = await partial.seal()
      if (!catalog.has(entry)) return
      disk.rename(partial.paths.data, entry.folder.sealedPath(entry.id, entry.length, false))
      this.#open.delete(entry.id)
      partial.close()
      catalog.resize(entry, allocated(fileBytes))
      catalog.sealed(entry)
      // Not awaited: the block may move or leave from here on.
      this.#discarding++
      void this.#m.files.discard(entry.folder, entry.id, partial.paths.side).finally(() => this.#discarding--)
    } finally {
      this.#sealing.delete(entry)
    }
  }

  /** The memory of a positioned reader that goes on at `offset`, or a new one. */
  stream(id: BlockId, fill: Fill, offset: number, options: ReadAheadOptions): ReadAhead {
    const streams = this.#open.get(id)?.streams ?? []
    const known = streams.find((stream) => stream.expected === offset)
    if (known !== undefined) {
      known.source = options.source
      return known
    }
    const made = new ReadAhead(fill, options)
    streams.push(made)
    if (streams.length > MOST_STREAMS) streams.shift()!.end(false)
    return made
  }

  /** The block is to be gone: what is on its way serves its readers and is not kept. */
  forget(id: BlockId): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    this.#open.delete(id)
    open.close()
  }

  /** The block left the tier. */
  drop(entry: BlockEntry): void {
    this.forget(entry.id)
  }

  /** Cancels what is under way; what has come is written before the files are closed. */
  async stop(): Promise<void> {
    const reason = new AlluxioError('CANCELLED', 'the worker is stopping')
    const open = [...this.#open.values()]
    for (const { fill } of open) fill.cancel(reason)
    await Promise.all(open.map(({ fill }) => fill.settled()))
    for (const { close } of open) close()
    this.#open.clear()
  }
}

function damagedPage(error: unknown): number | undefined {
  if (!isDamage(error)) return undefined
  const { page } = (error as AlluxioError).details
  return typeof page === 'number' ? page : undefined
}

function extentOfPage(partial: PartialBlock, page: number): number {
  return Math.floor((page * partial.layout.width) / partial.extentBytes)
}
