/**
 * Head and tail of a block file. apache-arrow wrote them once (`render.ts`); only numbers of fixed width differ between blocks,
 * so they are patched in: a flatbuffer built per block would cost more than the rest of a small file. A test holds this frame
 * against apache-arrow for every shape.
 */
import { crc32c } from '@node-rs/crc32'
import { AlluxioError } from '../core/index.ts'
import { type BlockLayout, TAIL_BYTES } from './layout.ts'

export const FORMAT_VERSION = 1

/** The schema metadata of a block, each value 16 hex digits, with its place in the tail. */
const VALUE_AT = {
  'alluxio.block': 500,
  'alluxio.file': 436,
  'alluxio.length': 380,
  'alluxio.format': 324,
  'alluxio.sealed': 268,
  'alluxio.boot': 212,
  'alluxio.check': 156,
} as const
/** In the order of the file. */
export const METADATA_KEYS: readonly string[] = Object.keys(VALUE_AT)
const VALUE_BYTES = 16

/** The record batch message; it ends where the body begins. */
const MESSAGE = Buffer.from(
  '/////7gAAAAUAAAAAAAAAAwAFgAUAA8AEAAEAAwAAACIAAAAAAAAAAAAAAMQAAAABAAKABgADAAIAAQACgAAABQAAABYAAAAAQAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAIAAAAAAAAAACAAAAAAAAAAAAAAAAgAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAA',
  'base64',
)
const TAIL = Buffer.from(
  '/////wAAAAAQAAAADAAUAA4AEAAEAAgADAAAABAAAAAUAAAAAAAEADgAAAAAAAAAAAAAAAEAAABAAAAAAAAAAMAAAAAAAAAAiAAAAAAAAAAAAAAAAAAKAAwAAAAIAAQACgAAAAgAAAC0AQAABwAAAHQBAAAwAQAA9AAAALgAAAB8AAAAQAAAAAQAAACw/v//CAAAABwAAAAQAAAAcGxhY2Vob2xkZXItMDAwNgAAAAANAAAAYWxsdXhpby5jaGVjawAAAOj+//8IAAAAHAAAABAAAABwbGFjZWhvbGRlci0wMDA1AAAAAAwAAABhbGx1eGlvLmJvb3QAAAAAIP///wgAAAAcAAAAEAAAAHBsYWNlaG9sZGVyLTAwMDQAAAAADgAAAGFsbHV4aW8uc2VhbGVkAABY////CAAAABwAAAAQAAAAcGxhY2Vob2xkZXItMDAwMwAAAAAOAAAAYWxsdXhpby5mb3JtYXQAAJD///8IAAAAHAAAABAAAABwbGFjZWhvbGRlci0wMDAyAAAAAA4AAABhbGx1eGlvLmxlbmd0aAAAyP///wgAAAAcAAAAEAAAAHBsYWNlaG9sZGVyLTAwMDEAAAAADAAAAGFsbHV4aW8uZmlsZQAAAAAIAAwACAAEAAgAAAAIAAAAHAAAABAAAABwbGFjZWhvbGRlci0wMDAwAAAAAA0AAABhbGx1eGlvLmJsb2NrAAAAAgAAAEQAAAAEAAAA1P///xAAAAAYAAAAAAAAAhQAAAAGAAAAY3JjMzJjAAAAAAAAwv///yAAAAAQABQABAAAAA8AEAAAAAgAEAAAABAAAAAYAAAAAAAADxwAAAAEAAAAcGFnZQAAAAAAAAAAAAAGAAgABAAGAAAAgAAAAJACAABBUlJPVzE=',
  'base64',
)

/** Everything before the body: `layout.bodyOffset` bytes. */
export function writeHead(target: Buffer, layout: BlockLayout): void {
  target.fill(0, 0, layout.bodyOffset)
  target.write('ARROW1', 0, 'latin1')
  const at = layout.bodyOffset - MESSAGE.length
  const pageBytes = layout.rows * layout.width
  target.set(MESSAGE, at)
  writeInt64(target, at + 32, layout.tailOffset - layout.bodyOffset)
  writeInt64(target, at + 72, layout.rows)
  // Buffers of the two columns: no validity, pages, no validity, checksums.
  writeInt64(target, at + 112, pageBytes)
  writeInt64(target, at + 120, pageBytes)
  writeInt64(target, at + 136, pageBytes)
  writeInt64(target, at + 144, layout.tailOffset - layout.crcOffset)
  writeInt64(target, at + 160, layout.rows)
  writeInt64(target, at + 176, layout.rows)
}

function writeInt64(target: Buffer, at: number, value: number): void {
  target.writeUInt32LE(value % 2 ** 32, at)
  target.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

export interface BlockMetadata {
  readonly blockId: number
  readonly fileId: number
  readonly length: number
  /** When the block was sealed, milliseconds since the epoch in steps of 1/512 s: the file's mtime, exactly. */
  readonly sealedMs: number
  /** The boot of the machine in which it was sealed (`BlockDisk.bootTag`). */
  readonly bootTag: string
}

/** Everything after the checksums: `TAIL_BYTES` at `offset` of `target`. */
export function writeTail(target: Buffer, offset: number, layout: BlockLayout, m: BlockMetadata): void {
  target.set(TAIL, offset)
  writeInt64(target, offset + 56, layout.bodyOffset - MESSAGE.length)
  writeInt64(target, offset + 72, layout.tailOffset - layout.bodyOffset)
  target.writeUInt32LE(layout.width, offset + 660)
  writeHex(target, offset + VALUE_AT['alluxio.block'], m.blockId)
  writeHex(target, offset + VALUE_AT['alluxio.file'], m.fileId)
  writeHex(target, offset + VALUE_AT['alluxio.length'], m.length)
  writeHex(target, offset + VALUE_AT['alluxio.format'], FORMAT_VERSION)
  writeHex(target, offset + VALUE_AT['alluxio.sealed'], ticksOf(m.sealedMs))
  target.write(m.bootTag, offset + VALUE_AT['alluxio.boot'], VALUE_BYTES, 'latin1')
  writeHex(target, offset + VALUE_AT['alluxio.check'], 0)
  const check = crc32c(target.subarray(offset, offset + TAIL_BYTES))
  writeHex(target, offset + VALUE_AT['alluxio.check'], check)
}

/**
 * Reads the metadata of a tail that this format wrote; undefined when it is not one of ours or not whole. A changed bit
 * anywhere in the tail is found by its own checksum.
 * @throws UNSUPPORTED for a later format
 */
export function readTail(tail: Buffer): BlockMetadata | undefined {
  if (tail.length !== TAIL_BYTES) return undefined
  const check = readHex(tail, VALUE_AT['alluxio.check'])
  scratch.set(tail)
  writeHex(scratch, VALUE_AT['alluxio.check'], 0)
  if (check !== crc32c(scratch)) return undefined
  const format = readHex(tail, VALUE_AT['alluxio.format'])
  if (format !== FORMAT_VERSION) {
    throw new AlluxioError(
      'UNSUPPORTED',
      `block file of format ${format}, but this build reads format ${FORMAT_VERSION}: upgrade it`,
    )
  }
  return {
    blockId: readHex(tail, VALUE_AT['alluxio.block']),
    fileId: readHex(tail, VALUE_AT['alluxio.file']),
    length: readHex(tail, VALUE_AT['alluxio.length']),
    sealedMs: msOf(readHex(tail, VALUE_AT['alluxio.sealed'])),
    bootTag: tail.toString('latin1', VALUE_AT['alluxio.boot'], VALUE_AT['alluxio.boot'] + VALUE_BYTES),
  }
}

const scratch = Buffer.alloc(TAIL_BYTES)
const HEX = '0123456789abcdef'

function writeHex(target: Uint8Array, offset: number, value: number): void {
  let rest = value
  for (let i = VALUE_BYTES - 1; i >= 0; i--) {
    const digit = rest % 16
    target[offset + i] = HEX.charCodeAt(digit)
    rest = (rest - digit) / 16
  }
}

function readHex(source: Uint8Array, offset: number): number {
  let value = 0
  for (let i = 0; i < VALUE_BYTES; i++) {
    const c = source[offset + i]!
    value = value * 16 + (c >= 97 ? c - 87 : c - 48)
  }
  return value
}

/**
 * Seal times are whole steps of 1/512 s. Such a time is exact in milliseconds, in the seconds that futimes takes and in the
 * kernel's nanoseconds, and a clock hardly ever stands on one by itself.
 */
const TICKS_PER_SECOND = 512

export function sealTime(nowMs: number): number {
  return msOf(ticksOf(nowMs))
}

function ticksOf(ms: number): number {
  return Math.floor((ms / 1000) * TICKS_PER_SECOND + 1e-6)
}

function msOf(ticks: number): number {
  return (ticks / TICKS_PER_SECOND) * 1000
}
