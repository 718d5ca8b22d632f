/**
 * Branded identifiers and their arithmetic.
 *
 * A block id is `fileId * 2^20 + index`: 33 bits of file id and 20 bits of index fit a double exactly, so a file has at
 * most 1,048,576 blocks (64 TiB at 64 MiB) and a namespace 8.5 billion inodes ever made.
 */
export type FileId = number & { readonly __brand: 'FileId' }
export type BlockId = number & { readonly __brand: 'BlockId' }
export type WorkerId = number & { readonly __brand: 'WorkerId' }
export type MountId = number & { readonly __brand: 'MountId' }

export const BLOCKS_PER_FILE = 2 ** 20
export const FILE_ID_MAX = 2 ** 33 - 1
export const ROOT_ID = 1 as FileId

export function blockIdOf(file: FileId, index: number): BlockId {
  return (file * BLOCKS_PER_FILE + index) as BlockId
}

export function fileOfBlock(block: BlockId): FileId {
  return Math.floor(block / BLOCKS_PER_FILE) as FileId
}

export function blockIndex(block: BlockId): number {
  return block % BLOCKS_PER_FILE
}

/** How many blocks a file of `length` bytes has. */
export function blockCount(length: number, blockSizeBytes: number): number {
  return Math.ceil(length / blockSizeBytes)
}

/** Length in bytes of block `index` of a file. */
export function blockLength(length: number, blockSizeBytes: number, index: number): number {
  return Math.max(0, Math.min(blockSizeBytes, length - index * blockSizeBytes))
}
