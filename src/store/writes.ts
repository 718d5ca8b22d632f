/** New blocks: streamed through the worker, small ones at once, and files that a writer on this host fills itself. */
import {
  assembleBlock,
  type BlockDisk,
  BlockFileWriter,
  blockFileBytes,
  openBlock,
  SMALL_BLOCK_BYTES,
  sealTime,
} from '../arrow/index.ts'
import { AlluxioError, type BlockId, fileOfBlock, isAlluxioError, type Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import { makeEntry } from './entry.ts'
import type { Files } from './files.ts'
import { allocated, type Folder } from './folder.ts'
import type { StoreMetrics } from './metrics.ts'
import type { Reservation, Space, Wish } from './space.ts'
import { StreamedWrite } from './streamed-write.ts'
import type { BlockWriter, CreateOptions, WriteOptions } from './types.ts'

interface WritesModules {
  readonly catalog: Catalog
  readonly space: Space
  readonly files: Files
  readonly disk: BlockDisk
  readonly runtime: Runtime
  readonly metrics: StoreMetrics
}

interface LocalWrite {
  readonly reservation: Reservation
  readonly path: string
  /** Last sign of life of the writer, and the size of its file then. */
  aliveAt: number
  size: number
}

/** A writer takes space in steps of this, beyond its hint. */
const GROWTH_BYTES = 4 * 1024 * 1024

export class Writes {
  readonly #m: WritesModules
  readonly #writing = new Set<BlockId>()
  readonly #local = new Map<BlockId, LocalWrite>()
  readonly #scratch = Buffer.allocUnsafeSlow(2 * SMALL_BLOCK_BYTES)

  constructor(modules: WritesModules) {
    this.#m = modules
  }

  get inProgress(): number {
    return this.#writing.size
  }

  #begin(blockId: BlockId, { pinned, medium }: Pick<CreateOptions, 'pinned' | 'medium'>): void {
    const entry = this.#m.catalog.get(blockId)
    if (this.#writing.has(blockId) || entry?.state === 'sealed') {
      throw this.#writing.has(blockId) ? beingWritten(blockId) : alreadyHere(blockId)
    }
    this.#writing.add(blockId)
    if (pinned) this.#m.catalog.pins.add(fileOfBlock(blockId), medium === undefined ? [] : [medium])
  }

  async write(blockId: BlockId, options: WriteOptions): Promise<BlockWriter> {
    this.#begin(blockId, options)
    try {
      const bytes = allocated(blockFileBytes(Math.max(1, options.sizeHint)))
      return await this.#onSomeFolder(blockId, bytes, options, (reservation) =>
        this.#open(blockId, options, reservation),
      )
    } catch (error) {
      this.#writing.delete(blockId)
      throw error
    }
  }

  /** Runs `use` in a folder with the space; when its disk fails there, in another one. */
  async #onSomeFolder<T>(
    blockId: BlockId,
    bytes: number,
    options: Pick<CreateOptions, 'medium'>,
    use: (reservation: Reservation) => T | Promise<T>,
  ): Promise<T> {
    const except = new Set<Folder>()
    for (;;) {
      const reserved: Wish = { except, media: this.#mediaFor(blockId, options) }
      const reservation =
        this.#m.space.tryReserve(bytes, reserved) ?? (await this.#m.space.reserve(bytes, reserved))
      try {
        return await use(reservation)
      } catch (error) {
        reservation.release()
        if (!this.#m.files.diskError(reservation.folder, error)) throw error
        except.add(reservation.folder)
      }
    }
  }

  #mediaFor(blockId: BlockId, { medium }: Pick<CreateOptions, 'medium'>): readonly string[] | undefined {
    return this.#m.catalog.pins.mediaOf(blockId) ?? (medium === undefined ? undefined : [medium])
  }

  #open(blockId: BlockId, options: WriteOptions, reservation: Reservation): BlockWriter {
    const { disk, runtime } = this.#m
    const path = reservation.folder.temporaryPath(blockId)
    const writer = new BlockFileWriter(
      {
        blockId,
        fileId: fileOfBlock(blockId),
        sizeHint: options.sizeHint,
        synchronous: !this.syncs(reservation.folder),
      },
      { file: disk.open(path, 'create'), bootTag: disk.bootTag, now: () => runtime.now() },
    )
    return new StreamedWrite(
      { blockId, path, soleCopy: options.soleCopy },
      { writer, reservation, owner: this },
    )
  }

  /** Whether sole copies are synced there. */
  syncs(folder: Folder): boolean {
    return this.#m.catalog.tiers[folder.tier]!.durable
  }

  async writeSmall(
    blockId: BlockId,
    bytes: Uint8Array,
    options: Omit<WriteOptions, 'sizeHint'>,
  ): Promise<{ length: number; tier: string }> {
    this.#begin(blockId, options)
    try {
      const tier = await this.writeWhole(blockId, bytes, options)
      this.#m.metrics.writtenBytes.add(bytes.length)
      return { length: bytes.length, tier }
    } finally {
      this.#writing.delete(blockId)
    }
  }

  /** A block whose bytes are all here, also from a fetch. @returns the tier's alias */
  async writeWhole(
    blockId: BlockId,
    bytes: Uint8Array,
    options: { readonly soleCopy: boolean; readonly medium?: string },
  ): Promise<string> {
    if (bytes.length === 0) throw new AlluxioError('INVALID_ARGUMENT', 'an empty block cannot be stored')
    const size = allocated(blockFileBytes(bytes.length))
    return this.#onSomeFolder(blockId, size, options, async (reservation) => {
      const path = reservation.folder.temporaryPath(blockId)
      try {
        await this.#writeFile(path, blockId, bytes, this.syncs(reservation.folder), options.soleCopy)
        return await this.publish(blockId, bytes.length, path, reservation, options.soleCopy)
      } catch (error) {
        await this.#m.disk.remove(path).catch(() => {})
        throw error
      }
    })
  }

  async #writeFile(
    path: string,
    blockId: BlockId,
    bytes: Uint8Array,
    durable: boolean,
    soleCopy: boolean,
  ): Promise<void> {
    const { disk, runtime } = this.#m
    const fileId = fileOfBlock(blockId)
    const file = disk.open(path, 'create')
    if (bytes.length >= SMALL_BLOCK_BYTES) {
      const writer = new BlockFileWriter(
        { blockId, fileId, sizeHint: bytes.length, synchronous: !durable },
        { file, bootTag: disk.bootTag, now: () => runtime.now() },
      )
      try {
        await writer.append(bytes)
        await writer.seal(durable && soleCopy)
      } finally {
        await writer.abort()
      }
      return
    }
    try {
      const sealedMs = sealTime(runtime.now())
      const metadata = { blockId, fileId, length: bytes.length, sealedMs, bootTag: disk.bootTag }
      // Disks write through the pool, which must not see the scratch memory change.
      if (durable) await file.write(assembleBlock(metadata, bytes), 0)
      else file.writeSync(assembleBlock(metadata, bytes, this.#scratch), 0)
      file.setModified(sealedMs)
      if (durable && soleCopy) await file.sync()
    } finally {
      file.close()
    }
  }

  /** Gives a finished temporary file its name and enters the block; the reservation is used up. */
  async publish(
    blockId: BlockId,
    length: number,
    temporary: string,
    reservation: Reservation,
    soleCopy: boolean,
  ): Promise<string> {
    const { catalog, disk, files, runtime } = this.#m
    const { folder } = reservation
    const path = folder.sealedPath(blockId, length, soleCopy)
    if (catalog.get(blockId)?.state === 'sealed') throw alreadyHere(blockId)
    disk.rename(temporary, path)
    if (soleCopy && this.syncs(folder)) await disk.syncFolder(folder.path)
    const known = catalog.get(blockId)
    if (known?.state === 'sealed') {
      if (files.path(known) !== path) await files.discard(folder, blockId, path)
      throw alreadyHere(blockId)
    }
    // A reader began to cache the block from the under-store: what was written wins. Its entry goes at once.
    if (known !== undefined) void files.delete(known, false)
    reservation.release()
    const bytes = allocated(blockFileBytes(length))
    const entry = makeEntry(
      { id: blockId, length, folder, bytes, state: 'sealed', soleCopy },
      runtime.monotonic(),
    )
    catalog.add(entry)
    return catalog.tierOf(entry).alias
  }

  /** @throws RESOURCE_EXHAUSTED */
  async moreSpace(reservation: Reservation, bytes: number): Promise<void> {
    const step = Math.max(bytes, GROWTH_BYTES)
    if (reservation.grow(step)) return
    reservation.add(await this.#m.space.reserve(bytes, { folder: reservation.folder }))
  }

  finished(blockId: BlockId, length: number): void {
    this.#writing.delete(blockId)
    this.#m.metrics.writtenBytes.add(length)
  }

  async discard(blockId: BlockId, path: string, reservation: Reservation): Promise<void> {
    this.#writing.delete(blockId)
    await this.#m.disk.remove(path).catch((error: unknown) => {
      this.#m.files.diskError(reservation.folder, error)
    })
    reservation.release()
  }

  /** Judges an error of a write under way. */
  diskError(folder: Folder, error: unknown): void {
    this.#m.files.diskError(folder, error)
  }

  async createLocal(blockId: BlockId, options: CreateOptions): Promise<{ path: string; tier: string }> {
    this.#begin(blockId, options)
    try {
      const bytes = allocated(blockFileBytes(Math.max(1, options.sizeHint)))
      const wish: Wish = { media: this.#mediaFor(blockId, options) }
      const reservation = this.#m.space.tryReserve(bytes, wish) ?? (await this.#m.space.reserve(bytes, wish))
      const path = reservation.folder.temporaryPath(blockId)
      this.#local.set(blockId, { reservation, path, aliveAt: this.#m.runtime.monotonic(), size: 0 })
      return { path, tier: this.#m.catalog.tiers[reservation.folder.tier]!.alias }
    } catch (error) {
      this.#writing.delete(blockId)
      throw error
    }
  }

  async commitLocal(blockId: BlockId, length: number, soleCopy: boolean): Promise<{ tier: string }> {
    const write = this.#local.get(blockId)
    if (write === undefined) return this.#committed(blockId, length)
    this.#local.delete(blockId)
    const { path, reservation } = write
    try {
      this.#checkLocal(path, blockId, length)
      const excess = allocated(blockFileBytes(length)) - reservation.bytes
      if (excess > 0) await this.moreSpace(reservation, excess)
      if (soleCopy && this.syncs(reservation.folder)) await this.#sync(path)
      const tier = await this.publish(blockId, length, path, reservation, soleCopy)
      this.finished(blockId, length)
      return { tier }
    } catch (error) {
      this.#m.files.diskError(reservation.folder, error)
      await this.discard(blockId, path, reservation)
      throw error
    }
  }

  /** The answer to a commit that was lost on its way. */
  #committed(blockId: BlockId, length: number): { tier: string } {
    const entry = this.#m.catalog.get(blockId)
    if (entry?.state === 'sealed' && entry.length === length)
      return { tier: this.#m.catalog.tierOf(entry).alias }
    throw new AlluxioError('NOT_FOUND', `block ${blockId} is not being written here: write it again`)
  }

  #checkLocal(path: string, blockId: BlockId, length: number): void {
    const handle = openBlock(this.#m.disk, path, { trustSeal: true })
    handle.close()
    if (handle.blockId !== blockId || handle.length !== length) {
      throw new AlluxioError(
        'DATA_LOSS',
        `${path} holds block ${handle.blockId} of ${handle.length} bytes, not ${blockId} of ${length}: write it again`,
        { reason: 'BLOCK_DAMAGED' },
      )
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

  async abortLocal(blockId: BlockId): Promise<void> {
    const write = this.#local.get(blockId)
    if (write === undefined) return
    this.#local.delete(blockId)
    await this.discard(blockId, write.path, write.reservation)
  }

  /** Gives up local writes whose file has not grown for so long: their writer died. */
  async expireLocal(timeoutMs: number): Promise<void> {
    const now = this.#m.runtime.monotonic()
    for (const [blockId, write] of [...this.#local]) {
      const size = this.#sizeOf(write.path)
      if (size !== write.size) {
        write.size = size
        write.aliveAt = now
      } else if (now - write.aliveAt > timeoutMs) await this.abortLocal(blockId)
    }
  }

  #sizeOf(path: string): number {
    try {
      return this.#m.disk.facts(path).allocatedBytes
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return 0
      throw error
    }
  }
}

function alreadyHere(blockId: BlockId): AlluxioError {
  return new AlluxioError('ALREADY_EXISTS', `block ${blockId} is here already`)
}

function beingWritten(blockId: BlockId): AlluxioError {
  return new AlluxioError('ALREADY_EXISTS', `block ${blockId} is being written`)
}
