/** Checksums of a block's pages, and which pages were already found good. */
import { crc32c } from '@node-rs/crc32'
import { AlluxioError } from '../core/index.ts'
import type { BlockFile } from './disk.ts'
import type { BlockLayout } from './layout.ts'

/** Computes the checksums of whole pages into `crcs` from row `row` on. `bytes` is a multiple of `width`. */
export function checksumPages(bytes: Uint8Array, width: number, crcs: Uint32Array, row: number): void {
  if (bytes.length === width) {
    crcs[row] = crc32c(bytes)
    return
  }
  for (let at = 0, i = row; at < bytes.length; at += width, i++) {
    crcs[i] = crc32c(bytes.subarray(at, at + width))
  }
}

export function damaged(path: string, what: string, details: Record<string, unknown> = {}): AlluxioError {
  return new AlluxioError('DATA_LOSS', `block file ${path}: ${what}; read another copy of the block`, {
    reason: 'BLOCK_DAMAGED',
    details: { path, ...details },
  })
}

/** Which pages of one file were verified since it was last known to be changed. */
export class PageChecks {
  readonly layout: BlockLayout
  readonly crcs: Uint32Array
  readonly #path: string
  readonly #good: Uint32Array

  constructor(path: string, layout: BlockLayout, crcs: Uint32Array) {
    this.#path = path
    this.layout = layout
    this.crcs = crcs
    this.#good = new Uint32Array(Math.ceil(layout.rows / 32))
  }

  /** Whether all pages that hold bytes `offset` … `offset + length` were verified. */
  covers(offset: number, length: number): boolean {
    const last = Math.floor((offset + length - 1) / this.layout.width)
    for (let row = Math.floor(offset / this.layout.width); row <= last; row++) {
      if (!this.isGood(row)) return false
    }
    return true
  }

  isGood(row: number): boolean {
    return ((this.#good[row >>> 5]! >>> (row & 31)) & 1) === 1
  }

  markGood(row: number): void {
    this.#good[row >>> 5]! |= 1 << (row & 31)
  }

  forget(): void {
    this.#good.fill(0)
  }

  /** Verifies whole pages from `row` on. @throws DATA_LOSS at the first bad one, with its row in `details.page` */
  verify(bytes: Uint8Array, row: number): void {
    const width = this.layout.width
    for (let at = 0, i = row; at < bytes.length; at += width, i++) {
      if (crc32c(bytes.subarray(at, at + width)) !== this.crcs[i]) {
        throw damaged(this.#path, `page ${i} has another checksum`, { page: i })
      }
      this.markGood(i)
    }
  }
}

/** Verifies what was not yet of a range of the mapped body. @throws DATA_LOSS */
export function verifyView(body: Uint8Array, checks: PageChecks, offset: number, length: number): void {
  if (length === 0 || checks.covers(offset, length)) return
  const { width } = checks.layout
  const end = Math.ceil((offset + length) / width)
  for (let row = Math.floor(offset / width); row < end; row++) {
    if (!checks.isGood(row)) checks.verify(body.subarray(row * width, (row + 1) * width), row)
  }
}

/** The page-aligned range round `offset` … `offset + length`, within the body. */
function aligned(layout: BlockLayout, offset: number, length: number): { start: number; bytes: number } {
  const start = offset - (offset % layout.width)
  const end = Math.ceil((offset + length) / layout.width) * layout.width
  return { start, bytes: end - start }
}

function whole(path: string, n: number, expected: number): void {
  if (n !== expected) throw damaged(path, `cut short: ${n} bytes where ${expected} should be`)
}

/** Reads and, unless `checks` is undefined or covers the range, verifies. For memory file systems. */
export function readCheckedSync(
  file: BlockFile,
  layout: BlockLayout,
  checks: PageChecks | undefined,
  offset: number,
  target: Uint8Array,
): void {
  if (target.length === 0) return
  if (checks === undefined || checks.covers(offset, target.length)) {
    whole(file.path, file.readSync(target, layout.bodyOffset + offset), target.length)
    return
  }
  const { start, bytes } = aligned(layout, offset, target.length)
  if (start === offset && bytes === target.length) {
    whole(file.path, file.readSync(target, layout.bodyOffset + start), bytes)
    checks.verify(target, start / layout.width)
    return
  }
  const pages = Buffer.allocUnsafe(bytes)
  whole(file.path, file.readSync(pages, layout.bodyOffset + start), bytes)
  checks.verify(pages, start / layout.width)
  target.set(pages.subarray(offset - start, offset - start + target.length))
}

/** As `readCheckedSync` into a buffer of its own, through the thread pool. For real disks. */
export async function readChecked(
  file: BlockFile,
  layout: BlockLayout,
  checks: PageChecks | undefined,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (checks === undefined || checks.covers(offset, length)) {
    const target = Buffer.allocUnsafeSlow(length)
    whole(file.path, await file.read(target, layout.bodyOffset + offset), length)
    return target
  }
  const { start, bytes } = aligned(layout, offset, length)
  const pages = Buffer.allocUnsafeSlow(bytes)
  whole(file.path, await file.read(pages, layout.bodyOffset + start), bytes)
  checks.verify(pages, start / layout.width)
  return pages.subarray(offset - start, offset - start + length)
}
