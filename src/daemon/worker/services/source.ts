/** Where a miss gets its bytes: ranges of the file in its under-store, as the block store asks for them. */
import type { Infer, UfsSource } from '../../../rpc/index.ts'
import type { BlockFetch } from '../../../store/index.ts'
import { type MountTable, storeDown } from './mount-table.ts'

export type Source = Infer<typeof UfsSource>

export interface SourceRanges {
  readonly fetch: BlockFetch
  readonly rangeBytes?: number
  readonly rangeParallelism?: number
}

/**
 * @param fileOffset offset of the block within its file, bytes
 */
export function rangesOf(mounts: MountTable, source: Source, fileOffset: number): SourceRanges {
  const capabilities = mounts.opened(source.mountId)?.capabilities
  const fetch: BlockFetch = async function* (offset, length, signal) {
    const store = mounts.opened(source.mountId) ?? (await mounts.store(source.mountId))
    try {
      yield* store.open(source.path, {
        offset: fileOffset + offset,
        length,
        signal,
        ...(source.fingerprint === undefined ? {} : { fingerprint: source.fingerprint }),
      })
    } catch (error) {
      throw storeDown(error, mounts.uri(source.mountId))
    }
  }
  if (capabilities === undefined) return { fetch }
  return {
    fetch,
    rangeBytes: capabilities.bestRangeBytes,
    rangeParallelism: capabilities.bestRangeParallelism,
  }
}
