/** Which blocks are here: the entries, their accounting in folders, their place in each tier's eviction order, what changed. */
import type { BlockId, FileId, Runtime } from '../core/index.ts'
import { assert, fileOfBlock } from '../core/index.ts'
import { type BlockEntry, warm } from './entry.ts'
import type { Folder } from './folder.ts'
import { Pins } from './pins.ts'
import type { BlockChanges, BlockPlace, EvictionPolicy, TierUse } from './types.ts'

export interface Tier {
  readonly index: number
  readonly alias: string
  /** Outlives the power: synced, read through the thread pool, verified at first touch. Others are memory. */
  readonly durable: boolean
  readonly folders: readonly Folder[]
  readonly eviction: EvictionPolicy
}

const REMOVED = -1

export class Catalog {
  readonly tiers: readonly Tier[]
  readonly #runtime: Runtime
  readonly #entries = new Map<BlockId, BlockEntry>()
  /** Tier of a sealed block, or REMOVED, since the last report. */
  #changed = new Map<BlockId, number>()
  /** Blocks whose only copy turned out to be bad, since the last report. */
  #lost: BlockId[] = []
  /** Blocks without another copy, by file. */
  readonly #soles = new Map<FileId, Set<BlockEntry>>()
  #sealed = 0
  /** Blocks below the top tier that were read since alignment looked. */
  readonly hot = new Set<BlockEntry>()
  readonly pins = new Pins()
  /** Called when there is something to report again. */
  onChange: () => void = () => {}

  constructor(tiers: readonly Tier[], modules: { readonly runtime: Runtime }) {
    this.tiers = tiers
    this.#runtime = modules.runtime
  }

  /** Sealed blocks. */
  get sealedCount(): number {
    return this.#sealed
  }
  get(id: BlockId): BlockEntry | undefined {
    return this.#entries.get(id)
  }
  has(entry: BlockEntry): boolean {
    return this.#entries.get(entry.id) === entry
  }
  entries(): Iterable<BlockEntry> {
    return this.#entries.values()
  }
  tierOf(entry: BlockEntry): Tier {
    return this.tiers[entry.folder.tier]!
  }

  add(entry: BlockEntry): void {
    assert(!this.#entries.has(entry.id), `block ${entry.id} has one entry`)
    this.#entries.set(entry.id, entry)
    entry.folder.take(entry.bytes)
    entry.folder.blocks++
    this.tierOf(entry).eviction.added(entry.id, entry.bytes)
    if (entry.soleCopy) this.#addSole(entry)
    if (entry.state !== 'sealed') return
    this.#sealed++
    this.pins.review(entry)
    this.#change(entry.id, entry.folder.tier)
  }

  #change(id: BlockId, tier: number): void {
    this.#changed.set(id, tier)
    if (this.#changed.size === 1) this.onChange()
  }

  /** @param evicted whether it left to make space (eviction policies may remember it) */
  remove(entry: BlockEntry, evicted = false): void {
    if (!this.has(entry)) return
    this.#entries.delete(entry.id)
    entry.folder.give(entry.bytes)
    entry.folder.blocks--
    this.hot.delete(entry)
    if (entry.soleCopy) this.#soles.get(fileOfBlock(entry.id))?.delete(entry)
    this.tierOf(entry).eviction.removed(entry.id, evicted)
    if (entry.state !== 'sealed') return
    this.#sealed--
    this.pins.misplaced.delete(entry)
    this.#change(entry.id, REMOVED)
  }

  /** The block's file now stands in another folder. */
  relocate(entry: BlockEntry, folder: Folder, bytes: number): void {
    const from = this.tierOf(entry)
    entry.folder.give(entry.bytes)
    entry.folder.blocks--
    entry.folder = folder
    entry.bytes = bytes
    folder.take(bytes)
    folder.blocks++
    this.hot.delete(entry)
    const to = this.tierOf(entry)
    if (from !== to) {
      from.eviction.removed(entry.id, true)
      to.eviction.added(entry.id, bytes)
      this.#change(entry.id, to.index)
    }
    this.pins.review(entry)
  }

  /** A partial block grew, or became whole. */
  resize(entry: BlockEntry, bytes: number): void {
    entry.folder.take(bytes - entry.bytes)
    entry.bytes = bytes
    this.tierOf(entry).eviction.resized?.(entry.id, bytes)
  }

  sealed(entry: BlockEntry): void {
    entry.state = 'sealed'
    this.#sealed++
    this.pins.review(entry)
    this.#change(entry.id, entry.folder.tier)
  }

  /** Counts an access, unless it goes on where the last one ended: reading a block in pieces is one access. */
  touch(entry: BlockEntry, offset: number, end: number): void {
    const continues = offset === entry.readEnd && offset !== 0
    entry.readEnd = end
    if (continues) return
    warm(entry, this.#runtime.monotonic())
    const tier = this.tierOf(entry)
    tier.eviction.accessed(entry.id)
    if (tier.index > 0 && entry.state === 'sealed') this.hot.add(entry)
  }

  #addSole(entry: BlockEntry): void {
    const file = fileOfBlock(entry.id)
    const known = this.#soles.get(file)
    if (known === undefined) this.#soles.set(file, new Set([entry]))
    else known.add(entry)
  }

  /** Blocks of a file that have no other copy; the caller takes the mark off them. */
  takeSoles(file: FileId): Iterable<BlockEntry> {
    const entries = this.#soles.get(file) ?? []
    this.#soles.delete(file)
    return entries
  }

  /** Whether eviction may delete the block, not only move it. */
  mayDelete(entry: BlockEntry): boolean {
    return !entry.soleCopy && !this.pins.has(entry.id)
  }

  /** The block's only known copy is bad: the cluster has lost it. Call before it is removed. */
  reportLoss(id: BlockId): void {
    this.#lost.push(id)
  }

  /** Has the next report name the block, whether it changed or not. */
  tellAgain(id: BlockId): void {
    const entry = this.#entries.get(id)
    this.#change(id, entry?.state === 'sealed' ? entry.folder.tier : REMOVED)
  }

  changes(): BlockChanges {
    const lost = this.#lost
    this.#lost = []
    const removed: BlockId[] = []
    const added: BlockPlace[] = []
    for (const [id, tier] of this.#changed) {
      if (tier === REMOVED) removed.push(id)
      else added.push({ id, tier })
    }
    if (this.#changed.size > 0) this.#changed = new Map()
    return { removed, added, lost }
  }

  *pages(pageSize: number): Iterable<readonly BlockPlace[]> {
    let page: BlockPlace[] = []
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'sealed') continue
      page.push({ id: entry.id, tier: entry.folder.tier })
      if (page.length < pageSize) continue
      yield page
      page = []
    }
    if (page.length > 0) yield page
  }

  usage(): TierUse[] {
    return this.tiers.map(({ alias, folders }) => {
      const live = folders.filter(({ failure }) => failure === undefined)
      const sum = (of: (folder: Folder) => number) => live.reduce((total, folder) => total + of(folder), 0)
      return {
        alias,
        capacityBytes: sum((folder) => folder.capacityBytes),
        usedBytes: sum((folder) => folder.usedBytes),
        folders: folders.map(({ path, medium, capacityBytes, usedBytes, blocks, failure }) => ({
          ...{ path, medium, capacityBytes, usedBytes, blocks, failure },
        })),
      }
    })
  }
}
