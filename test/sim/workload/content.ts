/**
 * Bytes of test files as a pure function of (tag, offset), so that any range read at any time can be judged alone. The
 * length names the tag: every version of every file has a length of its own.
 */
const TAG_BITS = 12
/** Tags that one world may hand out. */
export const MAX_TAGS = 2 ** TAG_BITS

/** A length of roughly `size` bytes that no other tag has: the tag stands in its low bits. */
export function lengthOf(tag: number, size: number): number {
  return Math.floor(size / MAX_TAGS) * MAX_TAGS + tag
}

/** The tag that a file of this length was written with. Tag 0 is kept for empty files. */
export function tagOf(length: number): number {
  return length % MAX_TAGS
}

export function byteAt(tag: number, offset: number): number {
  let hash = Math.imul(tag + 1, 0x9e3779b1) ^ Math.imul((offset >>> 2) + 1, 0x85ebca77)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0xc2b2ae3d)
  hash ^= hash >>> 13
  return (hash >>> ((offset & 3) * 8)) & 255
}

export function contentOf(tag: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = byteAt(tag, offset + i)
  return bytes
}

/** Offset of the first byte that is not the tag's, or -1. `offset` is where `bytes` begin in the file. */
export function firstWrongByte(tag: number, offset: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== byteAt(tag, offset + i)) return offset + i
  return -1
}
