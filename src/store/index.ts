/**
 * The worker's tiered block store: which blocks are here, in which tier and folder, what leaves when space is needed, and how
 * a block is filled from its source extent by extent. It owns the files in the tier folders, verifies them in the background,
 * and brings a folder that failed back into use.
 *
 * It never opens a socket, knows no under-store (a read brings its own `fetch`), and reads neither clock nor disk that was
 * not handed to it. Read on in `block-store.ts` (the API), `space.ts` (room and eviction), `fill.ts` (extents), `pin-moves.ts`,
 * `scrubber.ts` and `probe.ts` (background); the format of the files is `../arrow`.
 */

export { type BlockStoreModules, openBlockStore } from './block-store.ts'
export { MemoryDisk } from './memory-disk.ts'
export { mountRamdisk, type Ramdisk, type RamdiskOptions, unmountRamdisk } from './ramdisk.ts'
export * from './types.ts'
