/**
 * Blocks as Arrow files: where the bytes stand (`layout.ts`), how files are written (`writer.ts`), read and mapped (`reader.ts`),
 * filled piece by piece (`partial.ts`) and judged (`inspect.ts`). Every Arrow tool opens a sealed block.
 *
 * It owns the format and the disk port; it never decides where a block goes, when it leaves, or who may read it. Why the
 * seal of a file is believed: docs/decisions/0002-seal-trust.md.
 */
export type { BlockDisk, BlockFile, FileFacts } from './disk.ts'
export { FileDisk } from './file-disk.ts'
export { type BlockMetadata, sealTime } from './frame.ts'
export { type BlockInspection, inspectBlock } from './inspect.ts'
export {
  type BlockLayout,
  blockLayout,
  PAGE_BYTES,
  SMALL_BLOCK_BYTES,
} from './layout.ts'
export { PartialBlock, type PartialPaths } from './partial.ts'
export { BlockHandle, type OpenBlockOptions, openBlock } from './reader.ts'
export { relabelBlock } from './relabel.ts'
export {
  assembleBlock,
  type BlockFileModules,
  type BlockFileOptions,
  BlockFileWriter,
  blockFileBytes,
  type SealedBlock,
} from './writer.ts'
