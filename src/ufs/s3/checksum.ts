/** CRC32C as S3 wants it: base64 of the four bytes, most significant first. */
import { crc32c } from '@node-rs/crc32'

export function crc32cOf(chunks: readonly Uint8Array[]): number {
  let crc = 0
  for (const chunk of chunks) crc = crc32c(chunk as Buffer, crc)
  return crc
}

export function base64Crc(crc: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc)
  return bytes.toString('base64')
}
