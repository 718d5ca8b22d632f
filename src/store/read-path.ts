/** A read: from the sealed block, else from extents that are here or coming, else straight from the source. */
import type { BlockHandle } from '../arrow/index.ts'
import { AlluxioError, blockIndex } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import type { BlockEntry } from './entry.ts'
import type { Files } from './files.ts'
import type { Fill, FillSource } from './fill.ts'
import type { Fills } from './fills.ts'
import type { StoreMetrics } from './metrics.ts'
import type { OpenFiles } from './open-files.ts'
import { passThrough } from './pass-through.ts'
import { ReadAhead } from './read-ahead.ts'
import type { BlockBytes, BlockPiece, ReadRequest } from './types.ts'

interface ReadPathModules {
  readonly catalog: Catalog
  readonly files: Files
  readonly fills: Fills
  readonly openFiles: OpenFiles
  readonly metrics: StoreMetrics
  /** Brings the block to the top tier, later. */
  readonly promote: (entry: BlockEntry) => void
}

/** Pieces of a sealed block: large enough for few calls, small enough for credits. */
const PIECE_BYTES = 1024 * 1024
const RANGE_BYTES = 8 * 1024 * 1024
const RANGE_PARALLELISM = 4

/** Blocks up to this size are copied out: making and unmaking a map of so little costs more than its bytes. */
const MAPPED_BYTES = 64 * 1024

const noRelease = () => {}

export class ReadPath {
  readonly #readAheadBytes: number
  readonly #m: ReadPathModules
  /** Reads in progress. */
  inProgress = 0

  constructor(options: { readonly readAheadBytes: number }, modules: ReadPathModules) {
    this.#readAheadBytes = options.readAheadBytes
    this.#m = modules
  }

  async *read(request: ReadRequest): AsyncGenerator<BlockPiece> {
    checkRange(request)
    this.inProgress++
    try {
      for await (const { bytes, from } of this.#pieces(request, undefined)) {
        this.#m.metrics.readBytes.with({ from }).add(bytes.length)
        yield { bytes, from, release: noRelease }
      }
    } finally {
      this.inProgress--
    }
  }

  readAt(request: ReadRequest): BlockBytes | Promise<BlockBytes> {
    checkRange(request)
    const sealed = this.#sealed(request, request.offset, request.length)
    if (sealed !== undefined && !(sealed instanceof Promise)) {
      this.#m.metrics.readBytes.with({ from: sealed.from }).add(sealed.bytes.length)
      return sealed
    }
    return this.#readAtLater(request, sealed)
  }

  async #readAtLater(
    request: ReadRequest,
    sealed: Promise<BlockBytes | undefined> | undefined,
  ): Promise<BlockBytes> {
    this.inProgress++
    try {
      const read = (await sealed) ?? (await this.#gather(request))
      this.#m.metrics.readBytes.with({ from: read.from }).add(read.bytes.length)
      return read
    } finally {
      this.inProgress--
    }
  }

  async #gather(request: ReadRequest): Promise<BlockBytes> {
    const pieces: Uint8Array[] = []
    let from: string | undefined
    for await (const piece of this.#pieces(request, request.offset)) {
      pieces.push(piece.bytes)
      if (from !== 'UFS') from = piece.from
    }
    const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    return { bytes, from: from ?? 'UFS' }
  }

  /** @param positioned offset of a positioned read, whose sequence with others is remembered by the fill */
  async *#pieces(request: ReadRequest, positioned: number | undefined): AsyncGenerator<BlockBytes> {
    const end = request.offset + request.length
    let at = request.offset
    let ahead: { readonly fill: Fill; readonly reader: ReadAhead } | undefined
    let stopped = true
    try {
      while (at < end) {
        const piece = this.#sealed(request, at, Math.min(PIECE_BYTES, end - at))
        const sealed = piece instanceof Promise ? await piece : piece
        if (sealed !== undefined) {
          yield ahead?.reader.fetched(at) ? { ...sealed, from: 'UFS' } : sealed
          at += sealed.bytes.length
          continue
        }
        // While it was awaited the block may have been written anew or moved.
        if (piece !== undefined) continue
        const source = sourceOf(request)
        const fill = this.#fill(request, at, ahead !== undefined)
        if (fill instanceof Promise) {
          if ((await fill) !== undefined) continue
          yield* this.#through(request, source, at)
          break
        }
        // No space for it; or the block was removed or evicted under this read, which does not bring it back.
        if (fill === undefined || (ahead !== undefined && ahead.fill !== fill)) {
          yield* this.#through(request, source, at)
          break
        }
        ahead ??= { fill, reader: this.#readAhead(request, source, fill, positioned) }
        if (request.cache) ahead.reader.advance(at)
        const fetched = await fill.piece(at, end, request.signal)
        if (fetched === undefined) continue
        this.#touch(request, at, at + fetched.bytes.length)
        yield ahead.reader.fetched(at) ? { ...fetched, from: 'UFS' } : fetched
        at += fetched.bytes.length
      }
      stopped = false
    } finally {
      if (ahead !== undefined) {
        ahead.reader.expected = end
        // A positioned reader that goes in sequence comes back for what was fetched ahead.
        if (positioned === undefined || !request.sequential) ahead.reader.end(stopped)
      }
    }
  }

  /** @param entered whether this read has a fill already: if that is gone, no new one is made for it */
  #fill(request: ReadRequest, at: number, entered: boolean): Fill | Promise<Fill | undefined> | undefined {
    const { blockId, blockLength, cache } = request
    if (!cache) return this.#present(request, at)
    return entered ? this.#m.fills.get(blockId) : this.#m.fills.open(blockId, blockLength)
  }

  /** For a read that may not cache: a fill that others began, as far as it has the bytes. */
  #present({ blockId }: ReadRequest, at: number): Fill | undefined {
    const fill = this.#m.fills.get(blockId)
    return fill === undefined || fill.lacks(fill.extentOf(at)) ? undefined : fill
  }

  #readAhead(
    request: ReadRequest,
    source: FillSource,
    fill: Fill,
    positioned: number | undefined,
  ): ReadAhead {
    const { sequential, offset, length, blockId, blockLength } = request
    const end = offset + length
    const readAheadBytes = this.#readAheadBytes
    if (!sequential) return new ReadAhead(fill, { source, end, cautious: false, readAheadBytes })
    // A stream that enters a later block of a file came from the block before: it will not stop after a few bytes.
    const cautious = offset > 0 || blockIndex(blockId) === 0
    if (positioned === undefined) return new ReadAhead(fill, { source, end, cautious, readAheadBytes })
    const options = { source, end: blockLength, cautious, readAheadBytes }
    return this.#m.fills.stream(blockId, fill, offset, options)
  }

  #touch(request: ReadRequest, at: number, end: number): void {
    const entry = this.#m.catalog.get(request.blockId)
    if (entry === undefined) return
    this.#m.catalog.touch(entry, at, end)
    if (request.promote && entry.folder.tier > 0) this.#m.promote(entry)
  }

  /** A piece of the sealed block; undefined when it is not here. A promise of undefined: it was here, and proved bad. */
  #sealed(
    request: ReadRequest,
    at: number,
    length: number,
  ): BlockBytes | Promise<BlockBytes | undefined> | undefined {
    const { catalog, openFiles } = this.#m
    const entry = catalog.get(request.blockId)
    if (entry?.state !== 'sealed') return undefined
    if (at + length > entry.length) throw beyond(request, entry.length)
    const tier = catalog.tierOf(entry)
    this.#touch(request, at, at + length)
    try {
      const handle = openFiles.get(entry)
      if (!tier.durable) {
        const bytes = entry.length > MAPPED_BYTES ? handle.view(at, length) : copyOf(handle, at, length)
        return { bytes, from: tier.alias }
      }
      return handle.read(at, length).then(
        (bytes) => ({ bytes, from: tier.alias }),
        (error: unknown) => this.#failed(request, entry, error),
      )
    } catch (error) {
      return this.#failed(request, entry, error)
    }
  }

  #failed(request: ReadRequest, entry: BlockEntry, error: unknown): Promise<undefined> | undefined {
    // Moved while it was read: its new file answers.
    if (!this.#m.catalog.has(entry)) return Promise.resolve(undefined)
    const { soleCopy } = entry
    this.#m.files.readFailed(entry, error)
    if (request.fetch === undefined || soleCopy) throw lost(request, error)
    return Promise.resolve(undefined)
  }

  async *#through(request: ReadRequest, source: FillSource, at: number): AsyncGenerator<BlockBytes> {
    const end = request.offset + request.length
    for await (const bytes of passThrough(source, this.#m.metrics, at, end, request.signal)) {
      yield { bytes, from: 'UFS' }
    }
  }
}

function copyOf(handle: BlockHandle, at: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length)
  handle.readInto(at, bytes)
  return bytes
}

function sourceOf(request: ReadRequest): FillSource {
  const { fetch, rangeBytes = RANGE_BYTES, rangeParallelism = RANGE_PARALLELISM } = request
  if (fetch === undefined) {
    throw new AlluxioError(
      'NOT_FOUND',
      `block ${request.blockId} is not on this worker: ask another one, or give the file's under-store`,
      { reason: 'BLOCK_NOT_HERE' },
    )
  }
  return { fetch, rangeBytes, rangeParallelism }
}

function checkRange({ offset, length, blockLength, blockId }: ReadRequest): void {
  if (!(offset >= 0) || !(length >= 0) || !(offset + length <= blockLength)) {
    throw new AlluxioError(
      'OUT_OF_RANGE',
      `bytes ${offset} to ${offset + length} of block ${blockId}, which has ${blockLength}`,
    )
  }
}

function beyond(request: ReadRequest, length: number): AlluxioError {
  return new AlluxioError(
    'OUT_OF_RANGE',
    `block ${request.blockId} has ${length} bytes here, not ${request.blockLength}: load the file's metadata again`,
  )
}

function lost(request: ReadRequest, cause: unknown): AlluxioError {
  return new AlluxioError(
    'DATA_LOSS',
    `block ${request.blockId} is damaged on this worker and was moved aside; read another copy`,
    { reason: 'BLOCK_DAMAGED', cause },
  )
}
