/** Digests of bodies: MD5 for entity tags, and the checksums that S3 clients send along or ask for. */
import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { S3Error } from './errors.ts'

export const CHECKSUMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const
export type Checksum = (typeof CHECKSUMS)[number]

const LENGTHS: Readonly<Record<Checksum, number>> = {
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
  sha1: 20,
  sha256: 32,
}

export interface Digest {
  update(bytes: Uint8Array): void
  /** In base 64. */
  digest(): string
}

export function digestOf(checksum: Checksum): Digest {
  switch (checksum) {
    case 'crc32':
      return new Crc32((bytes, before) => crc32(bytes, before))
    case 'crc32c':
      return new Crc32((bytes, before) => crc32c(bytes as Buffer, before))
    case 'crc64nvme':
      return new Crc64()
    default:
      return new HashDigest(createHash(checksum))
  }
}

/** @throws InvalidRequest when it cannot be one of this kind */
export function checkChecksum(checksum: Checksum, value: string): string {
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length !== LENGTHS[checksum] || bytes.toString('base64') !== value) {
    throw new S3Error('InvalidRequest', `Value for x-amz-checksum-${checksum} header is invalid.`)
  }
  return value
}

class HashDigest implements Digest {
  readonly #hash: Hash
  constructor(hash: Hash) {
    this.#hash = hash
  }
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }
  digest(): string {
    return this.#hash.digest('base64')
  }
}

class Crc32 implements Digest {
  readonly #add: (bytes: Uint8Array, before: number) => number
  #value = 0
  constructor(add: (bytes: Uint8Array, before: number) => number) {
    this.#add = add
  }
  update(bytes: Uint8Array): void {
    this.#value = this.#add(bytes, this.#value)
  }
  digest(): string {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(this.#value >>> 0)
    return bytes.toString('base64')
  }
}

/** Eight tables of 256 entries for eight bytes at a time, low and high halves: reflected polynomial 0x9A6C9329AC4BC9B5. */
let tables: { readonly low: Uint32Array; readonly high: Uint32Array } | undefined

function crc64Tables(): { readonly low: Uint32Array; readonly high: Uint32Array } {
  if (tables !== undefined) return tables
  const low = new Uint32Array(8 * 256)
  const high = new Uint32Array(8 * 256)
  for (let i = 0; i < 256; i++) {
    let crc = BigInt(i)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0x9a6c9329ac4bc9b5n : crc >> 1n
    low[i] = Number(crc & 0xffffffffn)
    high[i] = Number(crc >> 32n)
  }
  for (let i = 256; i < 8 * 256; i++) {
    const [l, h] = [low[i - 256]!, high[i - 256]!]
    low[i] = (((l >>> 8) | (h << 24)) ^ low[l & 255]!) >>> 0
    high[i] = ((h >>> 8) ^ high[l & 255]!) >>> 0
  }
  tables = { low, high }
  return tables
}

class Crc64 implements Digest {
  readonly #tables = crc64Tables()
  #low = 0xffffffff
  #high = 0xffffffff

  update(bytes: Uint8Array): void {
    const { low, high } = this.#tables
    let l = this.#low
    let h = this.#high
    const { length } = bytes
    let i = 0
    for (; i + 8 <= length; i += 8) {
      const a = l ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
      const b = h ^ (bytes[i + 4]! | (bytes[i + 5]! << 8) | (bytes[i + 6]! << 16) | (bytes[i + 7]! << 24))
      const i0 = 1792 + (a & 255)
      const i1 = 1536 + ((a >>> 8) & 255)
      const i2 = 1280 + ((a >>> 16) & 255)
      const i3 = 1024 + (a >>> 24)
      const i4 = 768 + (b & 255)
      const i5 = 512 + ((b >>> 8) & 255)
      const i6 = 256 + ((b >>> 16) & 255)
      const i7 = b >>> 24
      l = low[i0]! ^ low[i1]! ^ low[i2]! ^ low[i3]! ^ low[i4]! ^ low[i5]! ^ low[i6]! ^ low[i7]!
      h = high[i0]! ^ high[i1]! ^ high[i2]! ^ high[i3]! ^ high[i4]! ^ high[i5]! ^ high[i6]! ^ high[i7]!
    }
    for (; i < length; i++) {
      const at = (l ^ bytes[i]!) & 255
      l = ((l >>> 8) | (h << 24)) ^ low[at]!
      h = (h >>> 8) ^ high[at]!
    }
    this.#low = l >>> 0
    this.#high = h >>> 0
  }

  digest(): string {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(~this.#high >>> 0, 0)
    bytes.writeUInt32BE(~this.#low >>> 0, 4)
    return bytes.toString('base64')
  }
}
