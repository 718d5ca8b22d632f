/** Reads sealed block files: copies, views of a map, verification. */
import { AlluxioError } from '../core/index.ts'
import type { BlockDisk, BlockFile } from './disk.ts'
import { NO_BOOT } from './file-disk.ts'
import { type BlockMetadata, readTail } from './frame.ts'
import { type BlockLayout, blockLayout, MAX_BLOCK_BYTES, TAIL_BYTES } from './layout.ts'
import { damaged, PageChecks, readChecked, readCheckedSync, verifyView } from './pages.ts'

export interface OpenBlockOptions {
  /**
   * Whether a file whose mtime is still the seal time of its metadata, sealed in this boot of the machine, is believed without
   * verifying its pages (docs/decisions/0002-seal-trust.md). For tiers in memory.
   */
  readonly trustSeal: boolean
}

/**
 * Opens a sealed block: one open, one fstat, one pread.
 * @throws NOT_FOUND; DATA_LOSS when the file is cut short, is no block file, or its metadata was changed
 */
export function openBlock(disk: BlockDisk, path: string, options: OpenBlockOptions): BlockHandle {
  const file = disk.open(path, 'read')
  try {
    const { size, mtimeMs } = file.facts()
    const metadata = readMetadata(file, size)
    return new BlockHandle(file, metadata, mtimeMs, options.trustSeal ? disk.bootTag : undefined)
  } catch (error) {
    file.close()
    throw error
  }
}

const tailBuffer = Buffer.alloc(TAIL_BYTES)

function readMetadata(file: BlockFile, size: number): BlockMetadata {
  const at = size - TAIL_BYTES
  const metadata = at > 0 && file.readSync(tailBuffer, at) === TAIL_BYTES ? readTail(tailBuffer) : undefined
  if (metadata === undefined) throw damaged(file.path, 'no valid footer')
  const { length } = metadata
  if (!(length > 0 && length <= MAX_BLOCK_BYTES) || blockLayout(length).fileBytes !== size) {
    throw damaged(file.path, `${size} bytes are not the size of a block of ${length}`)
  }
  return metadata
}

/** An open block file. Its views stay valid after `close` and after the file is unlinked. */
export class BlockHandle {
  readonly metadata: BlockMetadata
  readonly length: number
  readonly layout: BlockLayout
  readonly #file: BlockFile
  /** The boot in which a seal is believed; undefined: never. */
  readonly #trustedBoot: string | undefined
  #mtimeMs: number
  #trusted: boolean
  #checks: PageChecks | undefined
  #body: Uint8Array | undefined

  constructor(file: BlockFile, metadata: BlockMetadata, mtimeMs: number, trustedBoot: string | undefined) {
    this.#file = file
    this.metadata = metadata
    this.length = metadata.length
    this.layout = blockLayout(metadata.length)
    this.#trustedBoot = trustedBoot === NO_BOOT ? undefined : trustedBoot
    this.#mtimeMs = mtimeMs
    this.#trusted = this.#sealed(mtimeMs)
  }

  get path(): string {
    return this.#file.path
  }
  get blockId(): number {
    return this.metadata.blockId
  }
  /** Whether bytes are served without verification because the seal is unbroken. */
  get trusted(): boolean {
    return this.#trusted
  }

  #sealed(mtimeMs: number): boolean {
    return mtimeMs === this.metadata.sealedMs && this.metadata.bootTag === this.#trustedBoot
  }

  /**
   * Looks whether someone wrote to the file since it was opened; if so, everything is verified again. Costs one fstat:
   * for handles that are kept open, once a request.
   * @throws DATA_LOSS when the file was cut short
   */
  recheck(): void {
    const { size, mtimeMs } = this.#file.facts()
    if (size !== this.layout.fileBytes) throw damaged(this.path, `cut to ${size} bytes`)
    if (mtimeMs === this.#mtimeMs) return
    this.#mtimeMs = mtimeMs
    this.#trusted = this.#sealed(mtimeMs)
    this.#checks = undefined
  }

  #checksUnlessTrusted(): PageChecks | undefined {
    if (this.#trusted) return undefined
    this.#checks ??= this.#readChecks()
    return this.#checks
  }

  #readChecks(): PageChecks {
    const column = new Uint8Array(this.layout.rows * 4)
    if (this.#file.readSync(column, this.layout.crcOffset) !== column.length) {
      throw damaged(this.path, 'its checksums are cut short')
    }
    return new PageChecks(this.path, this.layout, new Uint32Array(column.buffer))
  }

  /**
   * Copies into `buffer` from `position`; the number of bytes, less than the buffer only at the end of the block.
   * @throws DATA_LOSS at a bad page
   */
  readInto(position: number, buffer: Uint8Array): number {
    const n = Math.min(buffer.length, this.length - position)
    if (position < 0 || n <= 0) return 0
    const target = n === buffer.length ? buffer : buffer.subarray(0, n)
    readCheckedSync(this.#file, this.layout, this.#checksUnlessTrusted(), position, target)
    return n
  }

  /** A range as a buffer of its own, read by the thread pool. @throws OUT_OF_RANGE, DATA_LOSS */
  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#checkRange(offset, length)
    if (length === 0) return new Uint8Array(0)
    return readChecked(this.#file, this.layout, this.#checksUnlessTrusted(), offset, length)
  }

  /**
   * A range as a view of the mapped file: nothing is copied, and it must not be written. It lives as long as it is referenced.
   * @throws OUT_OF_RANGE, DATA_LOSS
   */
  view(offset: number, length: number): Uint8Array {
    this.#checkRange(offset, length)
    this.#body ??= this.#map()
    const checks = this.#checksUnlessTrusted()
    if (checks !== undefined) verifyView(this.#body, checks, offset, length)
    return this.#body.subarray(offset, offset + length)
  }

  /** The pages, mapped once; a Buffer, whose subarrays are cheap and of the kind that sockets take. */
  #map(): Uint8Array {
    const mapped = this.#file.map(this.layout.fileBytes)
    if (mapped === undefined) {
      const body = Buffer.alloc(this.layout.rows * this.layout.width)
      this.#file.readSync(body, this.layout.bodyOffset)
      return body
    }
    return Buffer.from(
      mapped.buffer,
      mapped.byteOffset + this.layout.bodyOffset,
      this.layout.rows * this.layout.width,
    )
  }

  /** Verifies every page whatever the seal says; the rows of the bad ones. */
  verify(): number[] {
    const checks = this.#readChecks()
    const bad: number[] = []
    const { width, rows } = this.layout
    const page = Buffer.allocUnsafe(width)
    for (let row = 0; row < rows; row++) {
      try {
        readCheckedSync(this.#file, this.layout, checks, row * width, page)
      } catch {
        bad.push(row)
      }
    }
    return bad
  }

  #checkRange(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > this.length) {
      throw new AlluxioError(
        'OUT_OF_RANGE',
        `bytes ${offset} to ${offset + length} of block ${this.blockId}, which has ${this.length}`,
      )
    }
  }

  close(): void {
    this.#file.close()
  }
}
