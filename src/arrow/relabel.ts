/** Gives a sealed block file to another block: its pages stay, only the ids in its tail change. */
import type { BlockDisk } from './disk.ts'
import { type BlockMetadata, readTail, writeTail } from './frame.ts'
import { blockLayout, TAIL_BYTES } from './layout.ts'
import { damaged } from './pages.ts'

/**
 * Whoever has the file open keeps the bytes; its seal stays what it was. Not synced.
 * @throws NOT_FOUND; DATA_LOSS when it is no whole block file
 */
export function relabelBlock(
  disk: BlockDisk,
  path: string,
  ids: Pick<BlockMetadata, 'blockId' | 'fileId'>,
): void {
  const file = disk.open(path, 'update')
  try {
    const { size, mtimeMs } = file.facts()
    const tail = Buffer.alloc(TAIL_BYTES)
    const at = size - TAIL_BYTES
    const metadata = at > 0 && file.readSync(tail, at) === TAIL_BYTES ? readTail(tail) : undefined
    if (metadata === undefined) throw damaged(path, 'no valid footer')
    writeTail(tail, 0, blockLayout(metadata.length), { ...metadata, ...ids })
    file.writeSync(tail, at)
    // Of one that somebody had written to, the seal is broken already.
    if (mtimeMs === metadata.sealedMs) file.setModified(mtimeMs)
  } finally {
    file.close()
  }
}
