/**
 * An open file. Bytes come from the tier file of a block on this host, mapped or read directly, else through workers
 * (`block-reads.ts`).
 */
import { Readable } from 'node:stream'
import { AlluxioError, isAlluxioError } from '../core/index.ts'
import type { BlockReads, Piece } from './block-reads.ts'
import { SHORT_READ_BYTES } from './block-reads.ts'
import type { LocalBlock, LocalBlocks } from './local-block.ts'
import type { FileBlock, OpenFile } from './open-file.ts'
import { type ReadTallies, sourceName } from './read-tally.ts'
import type { FileReader, FileStatus, ReadSources } from './types.ts'
import type { KnownWorker, Workers } from './workers.ts'

export interface BlockFileReaderModules {
  readonly workers: Workers
  readonly locals: LocalBlocks
  readonly reads: BlockReads
  readonly tallies: ReadTallies
}

/** A chunk of `stream`, unless the caller asks for another size. */
const CHUNK_BYTES = 2 ** 20
/** Blocks up to this size are fetched whole by the first read of any part. */
const RESIDENT_BYTES = 64 * 1024
/** Tier files that one reader keeps open. */
const OPEN_BLOCKS = 256
/** Slow tiers are read by the thread pool, so that a seek does not stop the process. */
const SEEKING_TIER = 'HDD'

/** Reads in order through the file by way of a worker's stream, which runs ahead. */
interface Cursor {
  position: number
  readonly pieces: AsyncGenerator<Piece>
  /** What is left of the piece that was read last. */
  left: Uint8Array | undefined
}

export class BlockFileReader implements FileReader {
  readonly #file: OpenFile
  readonly #modules: BlockFileReaderModules
  readonly #blockSizeBytes: number
  readonly length: number
  readonly #open = new Set<FileBlock>()
  /** Tier files being asked for: who comes meanwhile waits for the same, instead of reading through a worker. */
  readonly #opening = new Map<FileBlock, Promise<LocalBlock | undefined>>()
  #lastEnd = -1
  #cursor: Cursor | undefined
  #cursorBusy = false
  #closed = false

  constructor(file: OpenFile, modules: BlockFileReaderModules) {
    this.#file = file
    this.#modules = modules
    this.length = file.length
    this.#blockSizeBytes = file.blockSizeBytes
  }

  get status(): FileStatus {
    return this.#file.status
  }
  get sources(): ReadSources {
    return this.#modules.tallies.sources
  }

  readInto(position: number, buffer: Uint8Array): number | Promise<number> {
    const index = Math.floor(position / this.#blockSizeBytes)
    const block = this.#file.known(index)
    if (block !== undefined && !this.#closed) {
      const offset = position - index * this.#blockSizeBytes
      const n = buffer.length
      if (offset + n <= block.length) {
        const { local } = block
        if (local !== undefined && local.tier !== SEEKING_TIER) {
          try {
            local.readInto(offset, buffer)
            return n
          } catch (error) {
            this.#dropLocal(block, error)
          }
        } else if (block.resident !== undefined) {
          buffer.set(n === block.length ? block.resident : block.resident.subarray(offset, offset + n))
          block.residentTally!.bytes += n
          return n
        }
      }
    }
    return this.#readInto(position, buffer)
  }

  async #readInto(position: number, buffer: Uint8Array): Promise<number> {
    this.#check(position)
    const n = Math.max(0, Math.min(buffer.length, this.length - position))
    const sequential = position === this.#lastEnd
    this.#lastEnd = position + n
    for (let done = 0; done < n; ) {
      const at = position + done
      const index = Math.floor(at / this.#blockSizeBytes)
      const block = this.#file.known(index) ?? (await this.#file.block(index))
      const offset = at - block.offset
      const target = buffer.subarray(done, done + Math.min(n - done, block.length - offset))
      await this.#fill(block, offset, target, sequential)
      done += target.length
    }
    return n
  }

  async #fill(block: FileBlock, offset: number, target: Uint8Array, sequential: boolean): Promise<void> {
    const local = block.local ?? (await this.#openLocal(block))
    if (local !== undefined) {
      try {
        if (local.tier === SEEKING_TIER) await local.read(offset, target)
        else local.readInto(offset, target)
        return
      } catch (error) {
        this.#dropLocal(block, error)
      }
    }
    if (block.length <= RESIDENT_BYTES) return this.#fillResident(block, offset, target)
    if (sequential && (await this.#fillFromCursor(block.offset + offset, target))) return
    if (target.length <= SHORT_READ_BYTES) {
      const piece = await this.#modules.reads.short(block, offset, target.length, sequential)
      piece.tally.bytes += target.length
      target.set(piece.bytes)
    } else {
      let filled = 0
      for await (const piece of this.#modules.reads.stream(block, offset, target.length, sequential)) {
        target.set(piece.bytes, filled)
        filled += piece.bytes.length
        piece.tally.bytes += piece.bytes.length
      }
    }
    block.throughBytes += target.length
  }

  async #fillResident(block: FileBlock, offset: number, target: Uint8Array): Promise<void> {
    if (block.resident === undefined) {
      const { bytes, tally } = await this.#modules.reads.short(block, 0, block.length, false)
      block.resident = bytes
      block.residentTally = tally
    }
    target.set(block.resident.subarray(offset, offset + target.length))
    block.residentTally!.bytes += target.length
  }

  /** False when another read uses the cursor. */
  async #fillFromCursor(position: number, target: Uint8Array): Promise<boolean> {
    if (this.#cursorBusy) return false
    this.#cursorBusy = true
    try {
      let cursor = this.#cursor
      if (cursor === undefined || cursor.position !== position) {
        await cursor?.pieces.return(undefined)
        cursor = { position, pieces: this.#pieces(position, this.length, CHUNK_BYTES), left: undefined }
        this.#cursor = cursor
      }
      await advance(cursor, target)
      return true
    } catch (error) {
      this.#cursor = undefined
      throw error
    } finally {
      this.#cursorBusy = false
    }
  }

  async *stream(
    options: {
      readonly start?: number
      readonly end?: number
      readonly chunkBytes?: number
      readonly signal?: AbortSignal
    } = {},
  ): AsyncGenerator<Uint8Array> {
    const { start = 0, end = this.length, chunkBytes = CHUNK_BYTES, signal } = options
    this.#check(start)
    if (!(chunkBytes > 0)) throw new AlluxioError('INVALID_ARGUMENT', `chunks of ${chunkBytes} bytes`)
    for await (const { bytes, tally } of this.#pieces(start, Math.min(end, this.length), chunkBytes)) {
      signal?.throwIfAborted()
      tally.bytes += bytes.length
      yield bytes
    }
  }

  readable(options: { readonly start?: number; readonly end?: number } = {}): Readable {
    return Readable.from(this.stream(options), { objectMode: false, highWaterMark: 4 * CHUNK_BYTES })
  }

  /** Pieces in order over all blocks, not counted yet: who hands them on counts them. */
  async *#pieces(start: number, end: number, chunkBytes: number): AsyncGenerator<Piece> {
    let ahead: Ahead | undefined
    try {
      for (let at = start; at < end; ) {
        const block = await this.#file.block(Math.floor(at / this.#blockSizeBytes))
        const offset = at - block.offset
        const length = Math.min(block.length - offset, end - at)
        const local = ahead === undefined ? await this.#local(block) : undefined
        if (local !== undefined) at = yield* this.#localPieces(block, local, offset, length, chunkBytes)
        else {
          const pieces = ahead ?? new Ahead(this.#modules.reads.stream(block, offset, length, true))
          ahead = await this.#prefetch(at + length, end)
          yield* pieces
          block.throughBytes += length
          at += length
        }
      }
    } finally {
      await ahead?.return()
    }
  }

  /** Views of the tier file; the position in the file up to which it was good. */
  async *#localPieces(
    block: FileBlock,
    local: LocalBlock,
    offset: number,
    length: number,
    chunkBytes: number,
  ): AsyncGenerator<Piece, number> {
    const end = offset + length
    for (let at = offset; at < end; at += chunkBytes) {
      let bytes: Uint8Array
      try {
        bytes = local.view(at, Math.min(chunkBytes, end - at))
      } catch (error) {
        this.#dropLocal(block, error)
        return block.offset + at
      }
      yield { bytes, tally: local.tally }
    }
    return block.offset + end
  }

  /** Starts the next block's stream while this one is read, unless it will be read from its tier file. */
  async #prefetch(position: number, end: number): Promise<Ahead | undefined> {
    if (position >= end) return undefined
    const block = await this.#file.block(Math.floor(position / this.#blockSizeBytes))
    if ((await this.#local(block)) !== undefined) return undefined
    return new Ahead(this.#modules.reads.stream(block, 0, Math.min(block.length, end - position), true))
  }

  async mapBlocks(): Promise<readonly { readonly offset: number; readonly bytes: Uint8Array }[]> {
    this.#check(0)
    const views: { offset: number; bytes: Uint8Array }[] = []
    for (let index = 0; index < this.#file.blockCount; index++) {
      const block = await this.#file.block(index)
      const local = await this.#local(block)
      if (local === undefined) continue
      try {
        views.push({ offset: block.offset, bytes: local.view(0, block.length) })
        local.tally.bytes += block.length
      } catch (error) {
        this.#dropLocal(block, error)
      }
    }
    return views
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const block of this.#open) {
      block.local?.close()
      block.local = undefined
    }
    this.#open.clear()
    const cursor = this.#cursor
    this.#cursor = undefined
    if (cursor !== undefined && !this.#cursorBusy) await cursor.pieces.return(undefined)
  }

  #local(block: FileBlock): LocalBlock | undefined | Promise<LocalBlock | undefined> {
    return block.local ?? this.#openLocal(block)
  }

  #openLocal(block: FileBlock): Promise<LocalBlock | undefined> | undefined {
    const { workers } = this.#modules
    if (!workers.options.shortCircuit || this.#closed) return undefined
    const opening = this.#opening.get(block)
    if (opening !== undefined) return opening
    if (block.localTried && block.throughBytes < block.length) return undefined
    // A small block comes whole with one call, which naming its file would cost as well.
    if (block.length <= RESIDENT_BYTES) return undefined
    const worker = this.#localWorker(block)
    if (worker === undefined) return undefined
    const opened = this.#tryLocal(block, worker).finally(() => this.#opening.delete(block))
    this.#opening.set(block, opened)
    return opened
  }

  async #tryLocal(block: FileBlock, worker: KnownWorker): Promise<LocalBlock | undefined> {
    block.localTried = true
    block.throughBytes = 0
    const promote = this.#file.readType === 'CACHE_PROMOTE'
    const { locals, tallies } = this.#modules
    const local = await locals.open(worker, block.id, block.length, promote, (tier) =>
      tallies.of(sourceName(tier, true)),
    )
    if (local === undefined) return undefined
    // Another read may have opened it meanwhile, or the file was closed.
    if (block.local !== undefined || this.#closed) {
      local.close()
      return block.local
    }
    block.local = local
    this.#open.add(block)
    if (this.#open.size > OPEN_BLOCKS) this.#closeOldest()
    return local
  }

  /** A worker on this host that holds the block, or may hold it by now because the block was read through it. */
  #localWorker(block: FileBlock): KnownWorker | undefined {
    const { workers } = this.#modules
    for (const { workerId } of block.locations) {
      const worker = workers.get(workerId)
      if (worker?.local === true && !workers.isShunned(worker)) return worker
    }
    return block.throughBytes >= block.length ? workers.anyLocal() : undefined
  }

  #closeOldest(): void {
    for (const block of this.#open) {
      this.#open.delete(block)
      block.local?.close()
      block.local = undefined
      block.localTried = false
      return
    }
  }

  /** The file is bad or gone: the block is read through workers, who find that out for themselves. */
  #dropLocal(block: FileBlock, error: unknown): void {
    if (!isAlluxioError(error)) throw error
    block.local?.close(true)
    block.local = undefined
    block.localTried = true
    block.throughBytes = 0
    this.#open.delete(block)
  }

  #check(position: number): void {
    if (this.#closed) throw new AlluxioError('INVALID_ARGUMENT', `${this.#file.path}: the reader is closed`)
    if (!(position >= 0)) throw new AlluxioError('OUT_OF_RANGE', `${this.#file.path}: position ${position}`)
  }
}

/** Fills `target` from the cursor's pieces. */
async function advance(cursor: Cursor, target: Uint8Array): Promise<void> {
  let filled = 0
  while (filled < target.length) {
    let piece = cursor.left
    if (piece === undefined) {
      const { done, value } = await cursor.pieces.next()
      if (done === true) throw new AlluxioError('DATA_LOSS', 'the stream ended before the file did')
      value.tally.bytes += value.bytes.length
      piece = value.bytes
    }
    const n = Math.min(piece.length, target.length - filled)
    target.set(n === piece.length ? piece : piece.subarray(0, n), filled)
    filled += n
    cursor.left = n === piece.length ? undefined : piece.subarray(n)
  }
  cursor.position += filled
}

/** A generator whose first piece is on its way before anybody asks for it. */
class Ahead {
  readonly #pieces: AsyncGenerator<Piece>
  readonly #first: Promise<IteratorResult<Piece>>

  constructor(pieces: AsyncGenerator<Piece>) {
    this.#pieces = pieces
    this.#first = pieces.next()
    // It may fail before, or without, being read.
    this.#first.catch(() => {})
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece> {
    const first = await this.#first
    if (first.done === true) return
    yield first.value
    yield* this.#pieces
  }

  async return(): Promise<void> {
    await this.#pieces.return(undefined).catch(() => {})
  }
}
