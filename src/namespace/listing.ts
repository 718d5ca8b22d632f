/**
 * Listing pages: rows of a directory copied as they are into encoded entries, and a bounded cache of pages that are asked for again
 * and again. A page is dropped when anything in its directory changes, or the cached bytes of a file in it.
 */
import { blockIdOf, ENTRY_HEADER_BYTES, type FileId, RecordView, writeEntry } from '../core/index.ts'
import type { RecordStore, Row } from '../metastore/store.ts'
import type { BlockMap } from './block-map.ts'
import { ID_BYTES, idKey, keyAfter } from './keys.ts'
import type { Page } from './types.ts'

/** A page ends early when it would be longer. */
const MAX_PAGE_BYTES = 2 * 2 ** 20
const MAX_PAGE_ENTRIES = 10_000
const ID_OFFSET = 8

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
    const rows: Row[] = []
    let bytes = 0
    let more = false
    const start = cursor === undefined ? idKey(directory) : keyAfter(directory, cursor)
    for (const row of this.#store.range('inode', { start, end: idKey(directory + 1), limit: wanted + 1 })) {
      const size = ENTRY_HEADER_BYTES + row.key.length - ID_BYTES + row.value.length
      if (rows.length === wanted || (rows.length > 0 && bytes + size > MAX_PAGE_BYTES)) {
        more = true
        break
      }
      rows.push(row)
      bytes += size
    }
    const page = Buffer.allocUnsafeSlow(bytes)
    let offset = 0
    for (const { key, value } of rows) {
      offset = this.#writeRow(page, offset, key.subarray(ID_BYTES), value, usage)
    }
    const last = rows[rows.length - 1]
    return more && last !== undefined ? { page, cursor: last.key.toString('utf8', ID_BYTES) } : { page }
  }

  #writeRow(page: Buffer, offset: number, name: Buffer, record: Buffer, usage: SubtreeUsage): number {
    const id = record.readDoubleLE(ID_OFFSET) as FileId
    if (record[1] === 1) {
      return writeEntry(page, offset, name, record, usage.cachedOf(id), usage.inMemoryOf(id))
    }
    if (this.#blocks.blocks === 0) return writeEntry(page, offset, name, record, 0, 0)
    const { length, blockSizeBytes } = new RecordView(record)
    if (length <= blockSizeBytes && length > 0) {
      const tier = this.#blocks.bestTier(blockIdOf(id, 0))
      return writeEntry(page, offset, name, record, tier < 0 ? 0 : length, tier === 0 ? length : 0)
    }
    const { cachedBytes, inMemoryBytes } = this.#blocks.cached(id, length, blockSizeBytes)
    return writeEntry(page, offset, name, record, cachedBytes, inMemoryBytes)
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
