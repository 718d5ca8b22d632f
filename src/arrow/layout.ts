/**
 * Where everything stands in a block file. All of it follows from the length of the block:
 *
 *     magic, zeros, record batch message | pages: rows x width | crc32c: rows x 4 | end of stream, footer, magic
 *     0                                    bodyOffset            crcOffset          tailOffset        fileBytes
 *
 * Byte N of the block stands at `bodyOffset + N`; the last page is filled up with zeros.
 */
import { assert } from '../core/index.ts'

export const PAGE_BYTES = 4096
/** Blocks below this have narrow pages and a body that is aligned to 64 bytes only, so that small files stay small. */
export const SMALL_BLOCK_BYTES = 64 * 1024
/** Largest block: row offsets of a record batch and one positioned write stay within 32 bits. */
export const MAX_BLOCK_BYTES = 2 ** 32 - PAGE_BYTES

const NARROWEST_PAGE = 64
/** Where the body of a small block begins: magic and message, rounded up to 64. A test holds it against apache-arrow. */
export const SMALL_BODY_OFFSET = 256
/** Bytes of end-of-stream mark, footer and magic; the same for every block. A test holds it against apache-arrow. */
export const TAIL_BYTES = 674

export interface BlockLayout {
  /** Length of the block's bytes. */
  readonly length: number
  /** Bytes a page. */
  readonly width: number
  readonly rows: number
  readonly bodyOffset: number
  readonly crcOffset: number
  readonly tailOffset: number
  readonly fileBytes: number
}

/** @param length 1 … `MAX_BLOCK_BYTES`; an empty file has no blocks */
export function blockLayout(length: number): BlockLayout {
  assert(Number.isInteger(length) && length > 0 && length <= MAX_BLOCK_BYTES, `block length ${length}`)
  const small = length < SMALL_BLOCK_BYTES
  const width =
    length >= PAGE_BYTES ? PAGE_BYTES : Math.max(NARROWEST_PAGE, 2 ** Math.ceil(Math.log2(length)))
  const rows = Math.ceil(length / width)
  const bodyOffset = small ? SMALL_BODY_OFFSET : PAGE_BYTES
  const crcOffset = bodyOffset + rows * width
  const tailOffset = crcOffset + Math.ceil((rows * 4) / 8) * 8
  return { length, width, rows, bodyOffset, crcOffset, tailOffset, fileBytes: tailOffset + TAIL_BYTES }
}
