/**
 * Listing pages: rows of a directory copied as they are into encoded entries, and a bounded cache of pages that are asked for again
 * and again. A page is dropped when anything in its directory changes, or the cached bytes of a file in it.
 */
import { blockIdOf, ENTRY_HEADER_BYTES, type FileId, writeEntryHeader } from '../core/index.ts'
import type { RecordStore } from '../metastore/store.ts'
import type { BlockMap } from './block-map.ts'
import { ID_BYTES, idKey, keyAfter } from './keys.ts'
import type { Page } from './types.ts'

/** A page ends early when it would be longer. */
const MAX_PAGE_BYTES = 2 * 2 ** 20
const MAX_PAGE_ENTRIES = 10_000
/** Fields of the record's header (core/file-record). */
const ID_OFFSET = 8
const LENGTH_OFFSET = 16
const BLOCK_SIZE_OFFSET = 56

interface CachedPage {
  readonly page: Page
  readonly limit: number
  /** Youngest batch that it shows. */
  readonly batch: number
}

/** What a page shows of directories: sums of their subtrees. */
export interface SubtreeUsage {
  cachedOf(directory: FileId): number
  inMemoryOf(directory: FileId): number
}

export class Listing {
  readonly #store: RecordStore
  readonly #blocks: BlockMap
  readonly #maxBytes: number
  /** Directory to its pages by cursor; least recently used first. */
  readonly #cache = new Map<FileId, Map<string, CachedPage>>()
  #bytes = 0
  /** Where pages are put together. */
  #draft: Buffer = Buffer.allocUnsafeSlow(64 * 1024)
  hits = 0
  misses = 0

  constructor(
    options: { readonly cacheBytes: number },
    modules: { readonly store: RecordStore; readonly blocks: BlockMap },
  ) {
    this.#maxBytes = options.cacheBytes
    this.#store = modules.store
    this.#blocks = modules.blocks
  }

  invalidate(directory: FileId): void {
    if (this.#cache.size === 0) return
    const pages = this.#cache.get(directory)
    if (pages === undefined) return
    this.#cache.delete(directory)
    for (const { page } of pages.values()) this.#bytes -= page.page.length
  }

  /** @param settled whether the sums of cached bytes are up to date: else nothing is kept */
  page(
    directory: FileId,
    cursor: string | undefined,
    limit: number,
    usage: SubtreeUsage,
    settled: boolean,
  ): Page {
    const pages = this.#cache.get(directory)
    const known = pages?.get(cursor ?? '')
    if (known !== undefined && known.limit === limit) {
      this.hits++
      if (known.batch > this.#store.readBatch) this.#store.readBatch = known.batch
      return known.page
    }
    this.misses++
    const readBefore = this.#store.readBatch
    this.#store.readBatch = 0
    const page = this.#build(directory, cursor, limit, usage)
    const batch = this.#store.readBatch
    this.#store.readBatch = Math.max(readBefore, batch)
    if (settled) this.#keep(directory, cursor ?? '', { page, limit, batch })
    return page
  }

  get bytes(): number {
    return this.#bytes
  }

  #build(directory: FileId, cursor: string | undefined, limit: number, usage: SubtreeUsage): Page {
    const wanted = Math.max(1, Math.min(limit, MAX_PAGE_ENTRIES))
    const start = cursor === undefined ? idKey(directory) : keyAfter(directory, cursor)
    const range = { start, end: idKey(directory + 1), limit: wanted + 1 }
    let entries = 0
    let offset = 0
    let lastName = 0
    let more = false
    this.#store.scan('inode', range, (keys, keyStart, keyEnd, values, length) => {
      const nameBytes = keyEnd - keyStart - ID_BYTES
      const size = ENTRY_HEADER_BYTES + nameBytes + length
      if (entries === wanted || (entries > 0 && offset + size > MAX_PAGE_BYTES)) {
        more = true
        return false
      }
      if (offset + size > this.#draft.length) this.#draft = grown(this.#draft, offset + size)
      const draft = this.#draft
      this.#writeHeader(draft, offset, nameBytes, values, length, usage)
      lastName = offset + ENTRY_HEADER_BYTES
      keys.copy(draft, lastName, keyStart + ID_BYTES, keyEnd)
      values.copy(draft, lastName + nameBytes, 0, length)
      offset += size
      entries++
      return true
    })
    const page = Buffer.allocUnsafeSlow(offset)
    this.#draft.copy(page, 0, 0, offset)
    if (!more) return { page }
    const nameEnd = lastName + page.readUInt16LE(lastName - ENTRY_HEADER_BYTES)
    return { page, cursor: page.toString('utf8', lastName, nameEnd) }
  }

  #writeHeader(
    draft: Buffer,
    offset: number,
    nameBytes: number,
    record: Buffer,
    length: number,
    usage: SubtreeUsage,
  ): void {
    let cached = 0
    let inMemory = 0
    const id = record.readDoubleLE(ID_OFFSET) as FileId
    if (record[1] === 1) {
      cached = usage.cachedOf(id)
      inMemory = usage.inMemoryOf(id)
    } else if (this.#blocks.blocks > 0) {
      const fileBytes = record.readDoubleLE(LENGTH_OFFSET)
      const blockBytes = record.readUInt32LE(BLOCK_SIZE_OFFSET)
      if (fileBytes > 0 && fileBytes <= blockBytes) {
        const tier = this.#blocks.bestTier(blockIdOf(id, 0))
        if (tier >= 0) cached = fileBytes
        if (tier === 0) inMemory = fileBytes
      } else {
        const sums = this.#blocks.cached(id, fileBytes, blockBytes)
        cached = sums.cachedBytes
        inMemory = sums.inMemoryBytes
      }
    }
    writeEntryHeader(draft, offset, nameBytes, length, cached, inMemory)
  }

  #keep(directory: FileId, cursor: string, cached: CachedPage): void {
    const size = cached.page.page.length
    if (size > this.#maxBytes / 4) return
    let pages = this.#cache.get(directory)
    if (pages !== undefined) this.#cache.delete(directory)
    else pages = new Map()
    const replaced = pages.get(cursor)
    if (replaced !== undefined) this.#bytes -= replaced.page.page.length
    pages.set(cursor, cached)
    this.#cache.set(directory, pages)
    this.#bytes += size
    for (const oldest of this.#cache.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === directory) break
      this.invalidate(oldest)
    }
    if (this.#bytes > this.#maxBytes) this.invalidate(directory)
  }
}

function grown(draft: Buffer, needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, draft.length * 2))
  draft.copy(larger)
  return larger
}
