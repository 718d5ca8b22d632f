/** Which files are pinned, to which media, and which of their blocks lie on another medium than they should. */
import { type BlockId, type FileId, fileOfBlock } from '../core/index.ts'
import type { BlockEntry } from './entry.ts'
import type { Folder } from './folder.ts'

/** Pinned files and the media that their blocks must lie on; none: any. */
export type PinnedFiles = ReadonlyMap<FileId, readonly string[]>

const ANY: readonly string[] = []

export class Pins {
  #files = new Map<FileId, readonly string[]>()
  /** Sealed blocks that wait for a move to a medium of their pin. Kept true for what is added or moved; `review` finds the rest. */
  readonly misplaced = new Set<BlockEntry>()
  /** Whether any pin names media: without, no block is looked at. */
  #withMedia = false

  get size(): number {
    return this.#files.size
  }

  /** @returns whether blocks that are here already may have to move, or need not any longer */
  replace(files: PinnedFiles): boolean {
    const before = this.#files
    const had = this.#withMedia
    this.#files = new Map(files)
    this.#withMedia = false
    let changed = before.size !== files.size
    for (const [file, media] of files) {
      if (media.length > 0) this.#withMedia = true
      changed ||= !sameMedia(before.get(file), media)
    }
    return changed && (had || this.#withMedia)
  }

  /** A writer says that its file is pinned, before the list of pins that names it has come. */
  add(file: FileId, media: readonly string[]): void {
    const known = this.#files.get(file)
    if (known !== undefined && known.length > 0) return
    this.#files.set(file, media)
    if (media.length > 0) this.#withMedia = true
  }

  has(id: BlockId): boolean {
    return this.#files.size > 0 && this.#files.has(fileOfBlock(id))
  }

  /** Media that the block must lie on; undefined: any. */
  mediaOf(id: BlockId): readonly string[] | undefined {
    if (!this.#withMedia) return undefined
    const media = this.#files.get(fileOfBlock(id)) ?? ANY
    return media.length === 0 ? undefined : media
  }

  allows(id: BlockId, folder: Folder): boolean {
    return this.mediaOf(id)?.includes(folder.medium) ?? true
  }

  /** A block came, was sealed, moved, or its pin changed. */
  review(entry: BlockEntry): void {
    if (entry.state === 'sealed' && !this.allows(entry.id, entry.folder)) this.misplaced.add(entry)
    else this.misplaced.delete(entry)
  }
}

function sameMedia(before: readonly string[] | undefined, after: readonly string[]): boolean {
  return before?.length === after.length && before.every((medium, i) => medium === after[i])
}
