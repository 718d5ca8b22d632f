/**
 * Checksums of files as HDFS computes them by default: the MD5 of the MD5s of the CRC32Cs of each 512 bytes of each block. Files of equal
 * bytes and block size have equal ones, here and in HDFS, which is what DistCp compares.
 */
import { createHash } from 'node:crypto'
import { crc32c } from '@node-rs/crc32'
import type { FileReader } from '../../client/index.ts'

const CHUNK_BYTES = 512
const CHECKSUM_BYTES = 28
const SHOWN_BYTES = 32
/** The view of a stream and the buffer that its chunks' checksums are gathered in. */
const VIEW_BYTES = 2 ** 20

/** Reads all of the file. */
export async function fileChecksumJson(reader: FileReader): Promise<string> {
  const { blockSizeBytes } = reader.status
  const digests: Buffer[] = []
  for (let start = 0; start < reader.length; start += blockSizeBytes)
    digests.push(await blockDigest(reader, start, Math.min(reader.length, start + blockSizeBytes)))
  const isEmpty = digests.length === 0
  const perChunk = isEmpty ? 0 : CHUNK_BYTES
  // Of one block HDFS does not say how many chunks it has.
  const perBlock = digests.length > 1 ? Math.ceil(blockSizeBytes / CHUNK_BYTES) : 0
  // HDFS shows the four bytes behind it in its buffer, too.
  const bytes = Buffer.alloc(SHOWN_BYTES)
  bytes.writeUInt32BE(perChunk, 0)
  bytes.writeBigUInt64BE(BigInt(perBlock), 4)
  createHash('md5').update(padded(digests)).digest().copy(bytes, 12)
  return JSON.stringify({
    FileChecksum: {
      algorithm: `MD5-of-${perBlock}MD5-of-${perChunk}CRC32${isEmpty ? '' : 'C'}`,
      bytes: bytes.toString('hex'),
      length: CHECKSUM_BYTES,
    },
  })
}

/** HDFS hashes the whole buffer in which it gathers the digests: 32 bytes, doubled for as long as they do not fit. */
function padded(digests: readonly Buffer[]): Buffer {
  let length = 32
  while (length < digests.length * 16) length *= 2
  const buffer = Buffer.alloc(length)
  for (const [index, digest] of digests.entries()) digest.copy(buffer, index * 16)
  return buffer
}

async function blockDigest(reader: FileReader, start: number, end: number): Promise<Buffer> {
  const digest = createHash('md5')
  const sums = Buffer.allocUnsafe((VIEW_BYTES / CHUNK_BYTES) * 4)
  let filled = 0
  let chunk = new Uint8Array(0)
  const add = (bytes: Uint8Array) => {
    sums.writeUInt32BE(crc32c(bytes) >>> 0, filled)
    filled += 4
    if (filled < sums.length) return
    digest.update(sums)
    filled = 0
  }
  for await (const view of reader.stream({ start, end, chunkBytes: VIEW_BYTES })) {
    let at = 0
    if (chunk.length > 0) {
      at = Math.min(view.length, CHUNK_BYTES - chunk.length)
      chunk = Buffer.concat([chunk, view.subarray(0, at)])
      if (chunk.length < CHUNK_BYTES) continue
      add(chunk)
      chunk = new Uint8Array(0)
    }
    for (; at + CHUNK_BYTES <= view.length; at += CHUNK_BYTES) add(view.subarray(at, at + CHUNK_BYTES))
    if (at < view.length) chunk = Uint8Array.prototype.slice.call(view, at)
  }
  if (chunk.length > 0) add(chunk)
  return digest.update(sums.subarray(0, filled)).digest()
}
