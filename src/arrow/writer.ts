/** Writes block files: streamed, or a small one at once. */
import { AlluxioError, assert } from '../core/index.ts'
import type { BlockFile } from './disk.ts'
import { type BlockMetadata, sealTime, writeHead, writeTail } from './frame.ts'
import { blockLayout, MAX_BLOCK_BYTES, PAGE_BYTES, SMALL_BLOCK_BYTES, TAIL_BYTES } from './layout.ts'
import { checksumPages } from './pages.ts'

export interface BlockFileOptions {
  readonly blockId: number
  readonly fileId: number
  /** Expected length; lets a memory file system hand out huge pages. */
  readonly sizeHint?: number
  /**
   * Whether writes go straight to the file in the caller's thread (memory file systems: least CPU) or through the thread pool,
   * overlapped with the checksums (disks).
   */
  readonly synchronous: boolean
}

export interface BlockFileModules {
  /** Empty and open for writing; closed by `seal` and `abort`. */
  readonly file: BlockFile
  readonly bootTag: string
  /** Wall clock, milliseconds. */
  readonly now: () => number
}

export interface SealedBlock {
  readonly length: number
  readonly fileBytes: number
  readonly sealedMs: number
}

/** Checksum and write of one slice follow each other, so that the second finds the bytes in the CPU's cache. */
const SLICE_BYTES = 256 * 1024
const STAGE_BYTES = 256 * 1024
/** Bytes on their way to the disk above which `append` makes its caller wait. */
const IN_FLIGHT_BYTES = 4 * 1024 * 1024
/** From here on a thread of the pool copies while this one checksums: worth its 40 us. */
const OVERLAP_BYTES = 512 * 1024
/** From here on a file is given its length in advance. */
const PREALLOCATE_BYTES = 2 * 1024 * 1024

/**
 * A block being written as a stream. The file is readable by no one until it is renamed by its owner; a crash leaves a
 * temporary file that recovery removes.
 */
export class BlockFileWriter {
  readonly #options: BlockFileOptions
  readonly #file: BlockFile
  readonly #bootTag: string
  readonly #now: () => number
  #crcs: Uint32Array
  #rows = 0
  #length = 0
  /** Bytes that wait for a whole page, or for the block to be known as no small one. */
  #stage: Buffer | undefined
  #staged = 0
  #reserved = 0
  #inFlight = 0
  readonly #writes = new Set<Promise<void>>()
  #failure: unknown
  #closed = false

  constructor(options: BlockFileOptions, modules: BlockFileModules) {
    this.#options = options
    this.#file = modules.file
    this.#bootTag = modules.bootTag
    this.#now = modules.now
    const hint = Math.min(Math.max(options.sizeHint ?? 0, SMALL_BLOCK_BYTES), MAX_BLOCK_BYTES)
    this.#crcs = new Uint32Array(Math.ceil(hint / PAGE_BYTES))
    if (options.synchronous && hint >= PREALLOCATE_BYTES) {
      this.#reserved = blockLayout(hint).fileBytes
      modules.file.resize(this.#reserved)
    }
  }

  /** Bytes appended so far. */
  get length(): number {
    return this.#length
  }

  /** Returns at once, or resolves, when `bytes` may be reused. @throws INVALID_ARGUMENT beyond 4 GiB; errors of the disk */
  append(bytes: Uint8Array): void | Promise<void> {
    assert(!this.#closed, 'append to a sealed block')
    if (this.#failure !== undefined) throw this.#failure
    if (this.#length + bytes.length > MAX_BLOCK_BYTES) {
      throw new AlluxioError('INVALID_ARGUMENT', `a block holds at most ${MAX_BLOCK_BYTES} bytes`)
    }
    let rest = bytes
    const direct: Promise<void>[] = []
    while (rest.length > 0) {
      const aligned = rest.length - (rest.length % PAGE_BYTES)
      if (
        this.#staged === 0 &&
        aligned > 0 &&
        (this.#length >= SMALL_BLOCK_BYTES || aligned >= SMALL_BLOCK_BYTES)
      ) {
        this.#writePages(rest.subarray(0, aligned), direct)
        this.#length += aligned
        rest = rest.subarray(aligned)
      } else rest = this.#fillStage(rest)
    }
    if (direct.length > 0) return Promise.all(direct).then(() => this.#throwFailure())
    if (this.#inFlight > IN_FLIGHT_BYTES) return this.#settle()
  }

  #fillStage(bytes: Uint8Array): Uint8Array {
    this.#stage ??= Buffer.allocUnsafeSlow(STAGE_BYTES)
    const n = Math.min(bytes.length, STAGE_BYTES - this.#staged)
    this.#stage.set(n === bytes.length ? bytes : bytes.subarray(0, n), this.#staged)
    this.#staged += n
    this.#length += n
    if (this.#staged === STAGE_BYTES) {
      this.#writePages(this.#stage, undefined)
      // The pool may still be writing it.
      if (!this.#options.synchronous) this.#stage = undefined
      this.#staged = 0
    }
    return bytes.subarray(n)
  }

  /** Checksums and writes whole pages of a block that is not small. */
  #writePages(pages: Uint8Array, direct: Promise<void>[] | undefined): void {
    const rows = this.#rows + pages.length / PAGE_BYTES
    if (rows > this.#crcs.length) {
      const grown = new Uint32Array(Math.max(rows, this.#crcs.length * 2))
      grown.set(this.#crcs)
      this.#crcs = grown
    }
    if (this.#options.synchronous && direct !== undefined && pages.length >= OVERLAP_BYTES) {
      direct.push(this.#write(pages, PAGE_BYTES + this.#rows * PAGE_BYTES))
      checksumPages(pages, PAGE_BYTES, this.#crcs, this.#rows)
      this.#rows = rows
      return
    }
    for (let at = 0; at < pages.length; at += SLICE_BYTES) {
      const slice = pages.subarray(at, Math.min(at + SLICE_BYTES, pages.length))
      checksumPages(slice, PAGE_BYTES, this.#crcs, this.#rows)
      const position = PAGE_BYTES + this.#rows * PAGE_BYTES
      this.#rows += slice.length / PAGE_BYTES
      if (this.#options.synchronous) this.#file.writeSync(slice, position)
      else {
        const write = this.#write(slice, position)
        direct?.push(write)
      }
    }
  }

  #write(bytes: Uint8Array, position: number): Promise<void> {
    this.#inFlight += bytes.length
    const write = this.#file
      .write(bytes, position)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.#inFlight -= bytes.length
        this.#writes.delete(write)
      })
    this.#writes.add(write)
    return write
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#writes)
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Writes checksums, head and tail, stamps the file with the seal time and closes it.
   * @param durable whether the bytes are on stable storage when it resolves; the caller renames and syncs the folder
   * @throws INVALID_ARGUMENT for an empty block; errors of the disk, after which the file is closed and to be removed
   */
  async seal(durable: boolean): Promise<SealedBlock> {
    try {
      if (this.#length === 0) throw new AlluxioError('INVALID_ARGUMENT', 'an empty block cannot be sealed')
      const sealed = this.#length < SMALL_BLOCK_BYTES ? await this.#sealSmall() : await this.#sealLarge()
      this.#file.setModified(sealed.sealedMs)
      if (durable) await this.#file.sync()
      return sealed
    } finally {
      this.#close()
    }
  }

  async #sealSmall(): Promise<SealedBlock> {
    const m = this.#metadata()
    const block = assembleBlock(m, this.#stage!.subarray(0, this.#staged))
    if (this.#options.synchronous) this.#file.writeSync(block, 0)
    else await this.#file.write(block, 0)
    if (this.#reserved > block.length) this.#file.resize(block.length)
    return { length: m.length, fileBytes: block.length, sealedMs: m.sealedMs }
  }

  async #sealLarge(): Promise<SealedBlock> {
    if (this.#staged > 0) {
      const pages = this.#stage!.subarray(0, Math.ceil(this.#staged / PAGE_BYTES) * PAGE_BYTES)
      pages.fill(0, this.#staged)
      this.#writePages(pages, undefined)
    }
    const m = this.#metadata()
    const layout = blockLayout(m.length)
    const { head, end } = frameOf(m, this.#crcs)
    if (this.#options.synchronous) {
      this.#file.writeSync(end, layout.crcOffset)
      this.#file.writeSync(head, 0)
    } else {
      this.#write(end, layout.crcOffset)
      this.#write(head, 0)
      await this.#settle()
    }
    if (this.#reserved > layout.fileBytes) this.#file.resize(layout.fileBytes)
    return { length: m.length, fileBytes: layout.fileBytes, sealedMs: m.sealedMs }
  }

  #metadata(): BlockMetadata {
    const { blockId, fileId } = this.#options
    return { blockId, fileId, length: this.#length, sealedMs: sealTime(this.#now()), bootTag: this.#bootTag }
  }

  /** Closes the file when nothing is under way any more; its owner removes it. */
  async abort(): Promise<void> {
    await Promise.all(this.#writes)
    this.#close()
  }

  #close(): void {
    this.#closed = true
    this.#stage = undefined
    this.#file.close()
  }
}

/** What stands before and after the pages of a block that is not small. `crcs` has at least a value for each page. */
export function frameOf(m: BlockMetadata, crcs: Uint32Array): { head: Buffer; end: Buffer } {
  const layout = blockLayout(m.length)
  const head = Buffer.allocUnsafeSlow(layout.bodyOffset)
  writeHead(head, layout)
  const end = Buffer.alloc(layout.fileBytes - layout.crcOffset)
  end.set(new Uint8Array(crcs.buffer, crcs.byteOffset, layout.rows * 4))
  writeTail(end, layout.tailOffset - layout.crcOffset, layout, m)
  return { head, end }
}

/** Size of the file of a block. */
export function blockFileBytes(length: number): number {
  return blockLayout(length).fileBytes
}

/** A whole block file in one buffer. @param into scratch memory that is used if it is large enough */
export function assembleBlock(m: BlockMetadata, bytes: Uint8Array, into?: Buffer): Buffer {
  const layout = blockLayout(bytes.length)
  const file =
    into !== undefined && into.length >= layout.fileBytes
      ? into.subarray(0, layout.fileBytes)
      : Buffer.allocUnsafe(layout.fileBytes)
  writeHead(file, layout)
  file.set(bytes, layout.bodyOffset)
  file.fill(0, layout.bodyOffset + bytes.length, layout.crcOffset)
  const pages = file.subarray(layout.bodyOffset, layout.crcOffset)
  const crcs = new Uint32Array(layout.rows)
  checksumPages(pages, layout.width, crcs, 0)
  file.fill(0, layout.crcOffset, layout.tailOffset)
  for (let row = 0; row < layout.rows; row++) file.writeUInt32LE(crcs[row]!, layout.crcOffset + row * 4)
  writeTail(file, layout.tailOffset, layout, m)
  assert(layout.tailOffset + TAIL_BYTES === layout.fileBytes, 'the tail ends the file')
  return file
}
