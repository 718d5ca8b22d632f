/** Sealed blocks that are open, for the next read. Bounded: the one that was opened first goes first. */
import { type BlockDisk, type BlockHandle, openBlock } from '../arrow/index.ts'
import { AlluxioError, type BlockId } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import type { BlockEntry } from './entry.ts'

export class OpenFiles {
  readonly #most: number
  readonly #disk: BlockDisk
  readonly #catalog: Catalog
  readonly #handles = new Map<BlockId, BlockHandle>()

  constructor(most: number, modules: { readonly disk: BlockDisk; readonly catalog: Catalog }) {
    this.#most = most
    this.#disk = modules.disk
    this.#catalog = modules.catalog
  }

  /**
   * The open file of a sealed block, looked at for foreign writes.
   * @throws DATA_LOSS when it is not the block it should be; errors of the disk
   */
  get(entry: BlockEntry): BlockHandle {
    const known = this.#handles.get(entry.id)
    if (known !== undefined) {
      known.recheck()
      return known
    }
    const { id, length, folder, soleCopy } = entry
    const trustSeal = !this.#catalog.tierOf(entry).durable
    const handle = openBlock(this.#disk, folder.sealedPath(id, length, soleCopy), { trustSeal })
    if (handle.blockId !== id || handle.length !== length) {
      handle.close()
      throw mistaken(handle, entry)
    }
    this.#handles.set(id, handle)
    if (this.#handles.size > this.#most) this.close(this.#handles.keys().next().value!)
    return handle
  }

  close(id: BlockId): void {
    const handle = this.#handles.get(id)
    if (handle === undefined) return
    this.#handles.delete(id)
    handle.close()
  }

  closeAll(): void {
    for (const id of [...this.#handles.keys()]) this.close(id)
  }
}

function mistaken(handle: BlockHandle, entry: BlockEntry): AlluxioError {
  return new AlluxioError(
    'DATA_LOSS',
    `${handle.path} holds block ${handle.blockId} of ${handle.length} bytes, not ${entry.id} of ${entry.length}`,
    { reason: 'BLOCK_DAMAGED' },
  )
}
