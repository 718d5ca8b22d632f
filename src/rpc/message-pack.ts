/**
 * MessagePack as the wire uses it: nil, booleans, numbers, strings, bytes, arrays and maps, no extensions.
 *
 * The writer appends to a slab that is never written twice, because a socket may still be sending from it. The reader
 * trusts only what {@link isWellFormed} has walked through first: depth, counts and lengths against the bytes left.
 */
import { AlluxioError } from '../core/index.ts'

/** Nesting of arrays and maps that a peer may send. */
export const MAX_DEPTH = 16

export class Writer {
  buffer: Buffer = EMPTY
  /** First byte of the message being written. */
  start = 0
  /** Next byte to write. */
  at = 0
  readonly #slabBytes: number
  #hint: number

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes
    this.#hint = slabBytes
  }

  /** Bytes of the message written so far. */
  get length(): number {
    return this.at - this.start
  }

  /** Forgets what was written after the first `length` bytes of the message. */
  truncate(length: number): void {
    this.at = this.start + length
  }

  /** The message, in memory that nobody writes again. The next message follows behind it. */
  take(): Buffer {
    const message = this.buffer.subarray(this.start, this.at)
    this.#hint = Math.max(this.#slabBytes, Math.min(4 * message.length, 16 * this.#slabBytes))
    this.start = this.at
    if (this.buffer.length > 16 * this.#slabBytes) this.release()
    return message
  }

  /** Lets the slab go, so that an idle peer holds no memory. Only between messages. */
  release(): void {
    this.buffer = EMPTY
    this.start = 0
    this.at = 0
  }

  reserve(bytes: number): void {
    if (this.at + bytes > this.buffer.length) this.#grow(bytes)
  }

  #grow(bytes: number): void {
    const used = this.at - this.start
    const next = Buffer.allocUnsafeSlow(Math.max(this.#hint, 2 * (used + bytes)))
    this.buffer.copy(next, 0, this.start, this.at)
    this.buffer = next
    this.start = 0
    this.at = used
  }

  nil(): void {
    this.reserve(1)
    this.buffer[this.at++] = 0xc0
  }

  boolean(value: unknown, field: string): void {
    if (typeof value !== 'boolean') mismatch(field, 'a boolean', value)
    this.reserve(1)
    this.buffer[this.at++] = value ? 0xc3 : 0xc2
  }

  /** Integers of 32 bits in their shortest form, every other number as a float64 (-0 becomes 0). */
  number(value: unknown, field: string): void {
    if (typeof value !== 'number') mismatch(field, 'a number', value)
    this.reserve(9)
    const b = this.buffer
    if (value === value >>> 0) this.#unsigned(value)
    else if (value === (value | 0)) {
      if (value >= -32) b[this.at++] = value + 256
      else {
        b[this.at] = 0xd2
        b.writeInt32BE(value, this.at + 1)
        this.at += 5
      }
    } else {
      b[this.at] = 0xcb
      b.writeDoubleBE(value, this.at + 1)
      this.at += 9
    }
  }

  #unsigned(value: number): void {
    const b = this.buffer
    if (value < 0x80) b[this.at++] = value
    else if (value < 0x100) {
      b[this.at++] = 0xcc
      b[this.at++] = value
    } else if (value < 0x10000) {
      b[this.at++] = 0xcd
      b[this.at++] = value >>> 8
      b[this.at++] = value & 0xff
    } else {
      b[this.at] = 0xce
      b.writeUInt32BE(value, this.at + 1)
      this.at += 5
    }
  }

  string(value: unknown, field: string): void {
    if (typeof value !== 'string') mismatch(field, 'a string', value)
    const length = value.length
    this.reserve(5 + 3 * length)
    const b = this.buffer
    const header = stringHeaderBytes(length)
    const at = this.at + header
    let written = length < 40 ? writeAscii(b, at, value) : -1
    if (written < 0) written = b.write(value, at, 'utf8')
    const needed = stringHeaderBytes(written)
    if (needed !== header) b.copyWithin(this.at + needed, at, at + written)
    this.#stringHeader(written, needed)
    this.at += needed + written
  }

  #stringHeader(bytes: number, header: number): void {
    const b = this.buffer
    if (header === 1) b[this.at] = 0xa0 | bytes
    else if (header === 2) {
      b[this.at] = 0xd9
      b[this.at + 1] = bytes
    } else if (header === 3) {
      b[this.at] = 0xda
      b.writeUInt16BE(bytes, this.at + 1)
    } else {
      b[this.at] = 0xdb
      b.writeUInt32BE(bytes, this.at + 1)
    }
  }

  bytes(value: unknown, field: string): void {
    if (!(value instanceof Uint8Array)) mismatch(field, 'bytes', value)
    const length = value.length
    this.reserve(5 + length)
    const b = this.buffer
    if (length < 0x100) {
      b[this.at++] = 0xc4
      b[this.at++] = length
    } else if (length < 0x10000) {
      b[this.at] = 0xc5
      b.writeUInt16BE(length, this.at + 1)
      this.at += 3
    } else {
      b[this.at] = 0xc6
      b.writeUInt32BE(length, this.at + 1)
      this.at += 5
    }
    b.set(value, this.at)
    this.at += length
  }

  /** Values that are encoded already. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.at)
    this.at += bytes.length
  }

  array(count: number): void {
    this.#collection(count, 0x90, 0xdc)
  }

  map(count: number): void {
    this.#collection(count, 0x80, 0xde)
  }

  #collection(count: number, fix: number, wide: number): void {
    this.reserve(5)
    const b = this.buffer
    if (count < 16) b[this.at++] = fix | count
    else if (count < 0x10000) {
      b[this.at] = wide
      b.writeUInt16BE(count, this.at + 1)
      this.at += 3
    } else {
      b[this.at] = wide + 1
      b.writeUInt32BE(count, this.at + 1)
      this.at += 5
    }
  }

  /** A value that says by itself what it is: the members of a union. */
  scalar(value: unknown, field: string): void {
    if (value === null) this.nil()
    else if (typeof value === 'string') this.string(value, field)
    else if (typeof value === 'number') this.number(value, field)
    else if (typeof value === 'boolean') this.boolean(value, field)
    else this.bytes(value, field)
  }
}

/**
 * An array that its owner has encoded, in the form of its schema: a handler hands it out in place of a long array of objects,
 * which it then need not make.
 */
export class Packed {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

export class Reader {
  buffer: Buffer = EMPTY
  at = 0

  /** Points the reader at a value that {@link isWellFormed} has accepted. */
  open(buffer: Buffer, at: number): void {
    this.buffer = buffer
    this.at = at
  }

  /** Whether the next value is nil; then it is consumed. */
  nil(): boolean {
    if (this.buffer[this.at] !== 0xc0) return false
    this.at++
    return true
  }

  boolean(field: string): boolean {
    const tag = this.buffer[this.at++]!
    if (tag !== 0xc2 && tag !== 0xc3) malformed(field, 'a boolean', tag)
    return tag === 0xc3
  }

  number(field: string): number {
    const b = this.buffer
    const tag = b[this.at++]!
    if (tag < 0x80) return tag
    if (tag >= 0xe0) return tag - 256
    const at = this.at
    switch (tag) {
      case 0xcc:
        this.at += 1
        return b[at]!
      case 0xcd:
        this.at += 2
        return (b[at]! << 8) | b[at + 1]!
      case 0xce:
        this.at += 4
        return b.readUInt32BE(at)
      case 0xcb:
        this.at += 8
        return b.readDoubleBE(at)
      default:
        return this.#rareNumber(tag, field)
    }
  }

  /** Forms that our writer does not choose but another language's may. */
  #rareNumber(tag: number, field: string): number {
    const b = this.buffer
    const at = this.at
    switch (tag) {
      case 0xca:
        this.at += 4
        return b.readFloatBE(at)
      case 0xcf:
        this.at += 8
        return safe(b.readBigUInt64BE(at), field)
      case 0xd0:
        this.at += 1
        return b.readInt8(at)
      case 0xd1:
        this.at += 2
        return b.readInt16BE(at)
      case 0xd2:
        this.at += 4
        return b.readInt32BE(at)
      case 0xd3:
        this.at += 8
        return safe(b.readBigInt64BE(at), field)
      default:
        return malformed(field, 'a number', tag)
    }
  }

  string(field: string): string {
    const b = this.buffer
    const tag = b[this.at++]!
    let length: number
    if (tag >= 0xa0 && tag < 0xc0) length = tag & 31
    else if (tag >= 0xd9 && tag <= 0xdb) length = this.#length(tag - 0xd9)
    else malformed(field, 'a string', tag)
    const at = this.at
    this.at = at + length
    return b.toString('utf8', at, at + length)
  }

  /** A view of the message's memory, never a copy. */
  bytes(field: string): Buffer {
    const tag = this.buffer[this.at++]!
    if (tag < 0xc4 || tag > 0xc6) malformed(field, 'bytes', tag)
    const length = this.#length(tag - 0xc4)
    const at = this.at
    this.at = at + length
    return this.buffer.subarray(at, at + length)
  }

  array(field: string): number {
    const tag = this.buffer[this.at++]!
    if ((tag & 0xf0) === 0x90) return tag & 15
    if (tag === 0xdc || tag === 0xdd) return this.#length(tag - 0xdb)
    return malformed(field, 'an array', tag)
  }

  map(field: string): number {
    const tag = this.buffer[this.at++]!
    if ((tag & 0xf0) === 0x80) return tag & 15
    if (tag === 0xde || tag === 0xdf) return this.#length(tag - 0xdd)
    return malformed(field, 'a map', tag)
  }

  scalar(field: string): unknown {
    const tag = this.buffer[this.at]!
    if (tag === 0xc0) {
      this.at++
      return null
    }
    if (tag === 0xc2 || tag === 0xc3) return this.boolean(field)
    if ((tag >= 0xa0 && tag < 0xc0) || (tag >= 0xd9 && tag <= 0xdb)) return this.string(field)
    if (tag >= 0xc4 && tag <= 0xc6) return this.bytes(field)
    return this.number(field)
  }

  /** Steps over one value of any kind. */
  skip(): void {
    this.at = walk(this.buffer, this.at, this.buffer.length, 0)
  }

  /** A big-endian length of 1, 2 or 4 bytes (`power` 0, 1, 2). */
  #length(power: number): number {
    const b = this.buffer
    const at = this.at
    this.at = at + (1 << power)
    if (power === 0) return b[at]!
    return power === 1 ? b.readUInt16BE(at) : b.readUInt32BE(at)
  }
}

/** Whether `[at, end)` holds exactly one value within the bounds: depth, counts and lengths, no extension types. */
export function isWellFormed(buffer: Buffer, at: number, end: number): boolean {
  return walk(buffer, at, end, 0) === end
}

/** Offset behind the value at `at`, or -1. */
function walk(b: Buffer, at: number, end: number, depth: number): number {
  if (at >= end) return -1
  const tag = b[at]!
  if (tag < 0x80 || tag >= 0xe0) return at + 1
  if (tag < 0x90) return walkAll(b, at + 1, end, 2 * (tag & 15), depth)
  if (tag < 0xa0) return walkAll(b, at + 1, end, tag & 15, depth)
  if (tag < 0xc0) return within(at + 1 + (tag & 31), end)
  const fixed = FIXED[tag - 0xc0]!
  if (fixed >= 0) return within(at + 1 + fixed, end)
  const width = LENGTH_BYTES[tag - 0xc0]!
  if (width === 0 || at + 1 + width > end) return -1
  const length = width === 1 ? b[at + 1]! : width === 2 ? b.readUInt16BE(at + 1) : b.readUInt32BE(at + 1)
  const body = at + 1 + width
  if (tag < 0xdc) return within(body + length, end)
  return walkAll(b, body, end, tag < 0xde ? length : 2 * length, depth)
}

function walkAll(b: Buffer, at: number, end: number, count: number, depth: number): number {
  if (depth >= MAX_DEPTH || count > end - at) return -1
  let next = at
  for (let i = 0; i < count; i++) {
    next = walk(b, next, end, depth + 1)
    if (next < 0) return -1
  }
  return next
}

function within(at: number, end: number): number {
  return at <= end ? at : -1
}

/** Bytes behind the tags 0xc0 to 0xdf; -1: has a length of its own, or is refused (0xc1 and the extension types). */
const FIXED = [
  0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
  -1, -1,
]
/** Bytes of the length behind the tags 0xc0 to 0xdf; 0: refused. */
const LENGTH_BYTES = [
  0, 0, 0, 0, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
]
const EMPTY = Buffer.alloc(0)

function stringHeaderBytes(length: number): number {
  return length < 32 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5
}

/** Bytes written, or -1 at the first character that is not ASCII. */
function writeAscii(b: Buffer, at: number, value: string): number {
  const length = value.length
  for (let i = 0; i < length; i++) {
    const c = value.charCodeAt(i)
    if (c > 127) return -1
    b[at + i] = c
  }
  return length
}

function safe(value: bigint, field: string): number {
  const n = Number(value)
  if (!Number.isSafeInteger(n)) {
    throw new AlluxioError('INVALID_ARGUMENT', `${field}: ${value} does not fit 53 bits`, {
      reason: 'MALFORMED',
    })
  }
  return n
}

function mismatch(field: string, wanted: string, value: unknown): never {
  const got = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
  throw new AlluxioError('INVALID_ARGUMENT', `${field}: ${wanted} was expected, not ${got}`, {
    reason: 'WRONG_TYPE',
  })
}

function malformed(field: string, wanted: string, tag: number): never {
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `${field}: ${wanted} was expected, not tag 0x${tag.toString(16)}`,
    {
      reason: 'MALFORMED',
    },
  )
}
