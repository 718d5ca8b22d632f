/**
 * A block that is being filled by extents: a sparse data file with the layout of the sealed block, and a side file with
 * the checksums of each extent that is present.
 *
 * Side file: a header of 64 bytes, then one record an extent. A record counts only if its own checksum, salted with the file's
 * salt and the extent's number, is right; so a torn side file only loses extents. The data of an extent is written before
 * its record and neither is ever synced: after a crash the pages are verified at first touch, and what is bad is fetched again.
 */
import { crc32c } from '@node-rs/crc32'
import { AlluxioError, assert } from '../core/index.ts'
import type { BlockDisk, BlockFile } from './disk.ts'
import { sealTime } from './frame.ts'
import { type BlockLayout, blockLayout, PAGE_BYTES, SMALL_BLOCK_BYTES } from './layout.ts'
import { checksumPages, damaged, PageChecks, readChecked, readCheckedSync, verifyView } from './pages.ts'
import { frameOf, type SealedBlock } from './writer.ts'

export interface PartialPaths {
  readonly data: string
  readonly side: string
}

export interface PartialOptions {
  readonly blockId: number
  readonly fileId: number
  readonly length: number
  /** Unit of filling; a multiple of the page. */
  readonly extentBytes: number
  /** Whether the file system is memory: reads and writes go straight through. */
  readonly synchronous: boolean
}

interface PartialModules {
  readonly disk: BlockDisk
  readonly now: () => number
}

const HEADER_BYTES = 64
const RECORD_HEAD = 16
const MAGIC = 'ALXPART1'

export class PartialBlock {
  readonly blockId: number
  readonly fileId: number
  readonly length: number
  readonly extentBytes: number
  /** Number of extents of the whole block. */
  readonly extents: number
  readonly paths: PartialPaths
  readonly layout: BlockLayout
  readonly #data: BlockFile
  readonly #side: BlockFile
  readonly #salt: number
  readonly #synchronous: boolean
  readonly #now: () => number
  readonly #bootTag: string
  readonly #present: Uint8Array
  readonly #checks: PageChecks
  #presentCount = 0
  #mtimeMs = Number.NaN
  #body: Buffer | null | undefined

  /** Use `create` or `recover`. */
  constructor(
    options: PartialOptions & { readonly salt: number },
    modules: PartialModules,
    paths: PartialPaths,
    files: { readonly data: BlockFile; readonly side: BlockFile },
  ) {
    this.blockId = options.blockId
    this.fileId = options.fileId
    this.length = options.length
    this.extentBytes = options.extentBytes
    this.extents = Math.ceil(options.length / options.extentBytes)
    this.layout = blockLayout(options.length)
    this.paths = paths
    this.#data = files.data
    this.#side = files.side
    this.#salt = options.salt
    this.#synchronous = options.synchronous
    this.#now = modules.now
    this.#bootTag = modules.disk.bootTag
    this.#present = new Uint8Array(this.extents)
    this.#checks = new PageChecks(paths.data, this.layout, new Uint32Array(this.layout.rows))
  }

  /** Makes the two files, empty. @param salt 32 random bits, so that no record of an older file is taken for this one's */
  static create(
    options: PartialOptions & { readonly salt: number },
    modules: PartialModules,
    paths: PartialPaths,
  ): PartialBlock {
    assert(options.length >= SMALL_BLOCK_BYTES, 'small blocks are written whole')
    assert(options.extentBytes % PAGE_BYTES === 0, 'extents are whole pages')
    const data = modules.disk.open(paths.data, 'create')
    let side: BlockFile | undefined
    try {
      side = modules.disk.open(paths.side, 'create')
      const block = new PartialBlock(options, modules, paths, { data, side })
      side.writeSync(encodeHeader(options), 0)
      data.resize(block.layout.fileBytes)
      block.#stamp()
      return block
    } catch (error) {
      data.close()
      side?.close()
      throw error
    }
  }

  /** Opens what a former process left; undefined when nothing of it can be used. Pages are verified at first touch. */
  static recover(
    options: { readonly synchronous: boolean },
    modules: PartialModules,
    paths: PartialPaths,
  ): PartialBlock | undefined {
    const files: BlockFile[] = []
    try {
      const side = modules.disk.open(paths.side, 'update')
      files.push(side)
      const header = Buffer.alloc(HEADER_BYTES)
      const facts = side.readSync(header, 0) === HEADER_BYTES ? decodeHeader(header) : undefined
      const data = facts === undefined ? undefined : modules.disk.open(paths.data, 'update')
      if (data !== undefined) files.push(data)
      if (facts === undefined || data?.facts().size !== blockLayout(facts.length).fileBytes) {
        for (const file of files) file.close()
        return undefined
      }
      const block = new PartialBlock({ ...facts, ...options }, modules, paths, { data, side })
      block.#readRecords()
      return block
    } catch (error) {
      for (const file of files) file.close()
      if (error instanceof AlluxioError && error.code === 'NOT_FOUND') return undefined
      throw error
    }
  }

  get presentCount(): number {
    return this.#presentCount
  }
  get whole(): boolean {
    return this.#presentCount === this.extents
  }
  has(extent: number): boolean {
    return this.#present[extent] === 1
  }

  /** Whether all extents of a range are present. */
  covers(offset: number, length: number): boolean {
    const last = Math.floor((offset + length - 1) / this.extentBytes)
    for (let i = Math.floor(offset / this.extentBytes); i <= last; i++) if (!this.has(i)) return false
    return true
  }

  /** Bytes of one extent: less than `extentBytes` only for the last one. */
  extentLength(extent: number): number {
    return Math.min(this.extentBytes, this.length - extent * this.extentBytes)
  }

  /** Bytes that both files take on the disk. */
  allocatedBytes(): number {
    return this.#data.facts().allocatedBytes + this.#side.facts().allocatedBytes
  }

  get #recordBytes(): number {
    return RECORD_HEAD + (this.extentBytes / PAGE_BYTES) * 4
  }

  /** @param pages the extent's bytes, filled up with zeros to whole pages; must not change until it resolves */
  async writeExtent(extent: number, pages: Uint8Array): Promise<void> {
    const rows = Math.ceil(this.extentLength(extent) / PAGE_BYTES)
    assert(pages.length === rows * PAGE_BYTES, `extent ${extent} has ${pages.length} bytes`)
    const first = (extent * this.extentBytes) / PAGE_BYTES
    checksumPages(pages, PAGE_BYTES, this.#checks.crcs, first)
    const record = this.#encodeRecord(extent, first, rows)
    const at = HEADER_BYTES + extent * this.#recordBytes
    if (this.#synchronous) {
      this.#data.writeSync(pages, this.layout.bodyOffset + extent * this.extentBytes)
      this.#side.writeSync(record, at)
    } else {
      await this.#data.write(pages, this.layout.bodyOffset + extent * this.extentBytes)
      await this.#side.write(record, at)
    }
    if (!this.has(extent)) this.#presentCount++
    this.#present[extent] = 1
    for (let row = first; row < first + rows; row++) this.#checks.markGood(row)
    this.#stamp()
  }

  /** A bad extent counts as missing from now on. */
  dropExtent(extent: number): void {
    if (!this.has(extent)) return
    this.#present[extent] = 0
    this.#presentCount--
    this.#side.writeSync(new Uint8Array(RECORD_HEAD), HEADER_BYTES + extent * this.#recordBytes)
  }

  /** The mtime of our own last write, such as no clock makes it: another one means that someone else wrote. */
  #stamp(): void {
    this.#data.setModified(sealTime(this.#now()))
    this.#mtimeMs = this.#data.facts().mtimeMs
  }

  #recheck(): void {
    const { mtimeMs, size } = this.#data.facts()
    if (size !== this.layout.fileBytes) throw damaged(this.paths.data, `cut to ${size} bytes`)
    if (mtimeMs === this.#mtimeMs) return
    this.#mtimeMs = mtimeMs
    this.#checks.forget()
  }

  /** A range whose extents are present, as a view or a copy; must not be written. @throws DATA_LOSS at a bad page, whose row is `details.page` */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    assert(this.covers(offset, length), 'a read of extents that are missing')
    this.#recheck()
    if (!this.#synchronous) return readChecked(this.#data, this.layout, this.#checks, offset, length)
    this.#body ??= this.#map()
    if (this.#body !== null) {
      verifyView(this.#body, this.#checks, offset, length)
      return this.#body.subarray(offset, offset + length)
    }
    const target = Buffer.allocUnsafeSlow(length)
    readCheckedSync(this.#data, this.layout, this.#checks, offset, target)
    return target
  }

  /** The pages as a view of the sparse file, of which only present extents are touched; null where the disk maps nothing. */
  #map(): Buffer | null {
    const { bodyOffset, fileBytes, rows, width } = this.layout
    const mapped = this.#data.map(fileBytes)
    if (mapped === undefined) return null
    return Buffer.from(mapped.buffer, mapped.byteOffset + bodyOffset, rows * width)
  }

  /**
   * Adds checksums, footer and head without rewriting the body and stamps the file. The owner renames the data
   * file, closes this and removes the side file. Extents that came from an earlier process are verified first.
   * @throws DATA_LOSS with `details.page` when one is bad: drop its extent and fetch it again
   */
  async seal(): Promise<SealedBlock> {
    assert(this.whole, 'a block is sealed when all extents are present')
    this.#recheck()
    await this.#verifyAll()
    const sealedMs = sealTime(this.#now())
    const { blockId, fileId, length, layout } = this
    const metadata = { blockId, fileId, length, sealedMs, bootTag: this.#bootTag }
    const { head, end } = frameOf(metadata, this.#checks.crcs)
    if (this.#synchronous) {
      this.#data.writeSync(end, layout.crcOffset)
      this.#data.writeSync(head, 0)
    } else {
      await this.#data.write(end, layout.crcOffset)
      await this.#data.write(head, 0)
    }
    this.#data.setModified(sealedMs)
    this.#mtimeMs = sealedMs
    return { length, fileBytes: layout.fileBytes, sealedMs }
  }

  async #verifyAll(): Promise<void> {
    const { length, extentBytes } = this
    for (let offset = 0; offset < length; offset += extentBytes) {
      const n = Math.min(extentBytes, length - offset)
      if (!this.#checks.covers(offset, n)) {
        await readChecked(this.#data, this.layout, this.#checks, offset, n)
      }
    }
  }

  close(): void {
    this.#data.close()
    this.#side.close()
  }

  #encodeRecord(extent: number, firstRow: number, rows: number): Buffer {
    const record = Buffer.alloc(this.#recordBytes)
    record.writeUInt32LE(this.#salt, 0)
    record.writeUInt32LE(extent, 4)
    for (let i = 0; i < rows; i++) {
      record.writeUInt32LE(this.#checks.crcs[firstRow + i]!, RECORD_HEAD + i * 4)
    }
    record.writeUInt32LE(crc32c(record), 8)
    return record
  }

  #readRecords(): void {
    const size = this.#recordBytes
    const all = Buffer.alloc(size * this.extents)
    const n = this.#side.readSync(all, HEADER_BYTES)
    for (let extent = 0; (extent + 1) * size <= n; extent++) {
      const record = all.subarray(extent * size, (extent + 1) * size)
      const check = record.readUInt32LE(8)
      record.writeUInt32LE(0, 8)
      if (record.readUInt32LE(0) !== this.#salt || record.readUInt32LE(4) !== extent) continue
      if (crc32c(record) !== check) continue
      const first = (extent * this.extentBytes) / PAGE_BYTES
      const rows = Math.ceil(this.extentLength(extent) / PAGE_BYTES)
      for (let i = 0; i < rows; i++) {
        this.#checks.crcs[first + i] = record.readUInt32LE(RECORD_HEAD + i * 4)
      }
      this.#present[extent] = 1
      this.#presentCount++
    }
  }
}

type Header = Omit<PartialOptions, 'synchronous'> & { readonly salt: number }

function encodeHeader(options: Header): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(MAGIC, 0, 'latin1')
  header.writeDoubleLE(options.blockId, 8)
  header.writeDoubleLE(options.fileId, 16)
  header.writeDoubleLE(options.length, 24)
  header.writeUInt32LE(options.extentBytes, 32)
  header.writeUInt32LE(options.salt, 36)
  header.writeUInt32LE(crc32c(header.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  return header
}

function decodeHeader(header: Buffer): Header | undefined {
  if (header.toString('latin1', 0, 8) !== MAGIC) return undefined
  if (crc32c(header.subarray(0, HEADER_BYTES - 4)) !== header.readUInt32LE(HEADER_BYTES - 4)) return undefined
  return {
    blockId: header.readDoubleLE(8),
    fileId: header.readDoubleLE(16),
    length: header.readDoubleLE(24),
    extentBytes: header.readUInt32LE(32),
    salt: header.readUInt32LE(36),
  }
}
