/** What the store does by itself: space ahead of writes, hot blocks up, dead writers away. */
import { type Cancel, every, type Log, type Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import { type BlockEntry, heatNow } from './entry.ts'
import type { Files } from './files.ts'
import { allocated } from './folder.ts'
import type { StoreMetrics } from './metrics.ts'
import type { PinMoves } from './pin-moves.ts'
import type { Space } from './space.ts'
import type { Writes } from './writes.ts'

export interface BackgroundOptions {
  readonly align: boolean
  readonly intervalMs: number
  readonly freeAheadBytes: number
  readonly localWriteTimeoutMs: number
}

interface BackgroundModules {
  readonly catalog: Catalog
  readonly space: Space
  readonly files: Files
  readonly writes: Writes
  readonly pinMoves: PinMoves
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: StoreMetrics
}

/** Blocks that one round moves up at most. */
const MOST_MOVES = 16
/** A block must be so much hotter than the one it drives out. */
const ADVANTAGE = 1.25

export class Background {
  readonly #options: BackgroundOptions
  readonly #m: BackgroundModules
  /** Blocks to bring to the top tier, and the one move that runs. */
  readonly #wanted = new Set<BlockEntry>()
  #promoting: Promise<void> | undefined
  #cancel: Cancel = () => {}
  #stopped = false

  constructor(options: BackgroundOptions, modules: BackgroundModules) {
    this.#options = options
    this.#m = modules
  }

  start(): void {
    const { runtime, log } = this.#m
    this.#cancel = every(
      runtime,
      this.#options.intervalMs,
      () => this.round(),
      (error) => log.warn('background work of the store failed', { error }),
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    this.#wanted.clear()
    await Promise.all([this.#promoting, this.#m.pinMoves.stop()])
  }

  async round(): Promise<void> {
    if (this.#stopped) return
    await this.#m.writes.expireLocal(this.#options.localWriteTimeoutMs)
    await this.#freeAhead()
    await this.#m.pinMoves.round()
    if (this.#options.align) await this.#align()
  }

  async #freeAhead(): Promise<void> {
    const { freeAheadBytes } = this.#options
    if (freeAheadBytes === 0) return
    for (const tier of this.#m.catalog.tiers) {
      for (const folder of tier.folders) {
        if (folder.failure === undefined && !this.#stopped) {
          await this.#m.space.freeAhead(folder, Math.min(freeAheadBytes, folder.capacityBytes))
        }
      }
    }
  }

  /** A reader asked for it: the block goes to the top tier as soon as its turn comes. */
  promote(entry: BlockEntry): void {
    if (this.#stopped || entry.state !== 'sealed' || entry.folder.tier === 0) return
    this.#wanted.add(entry)
    this.#promoting ??= this.#promoteAll().finally(() => {
      this.#promoting = undefined
    })
  }

  /** Resolves when no promotion is under way. */
  async promoted(): Promise<void> {
    await this.#promoting
  }

  async #promoteAll(): Promise<void> {
    // After the turn in which it was asked for: the reader goes first.
    await new Promise<void>((resolve) => this.#m.runtime.defer(resolve))
    for (const entry of this.#wanted) {
      this.#wanted.delete(entry)
      if (!this.#stopped) await this.#moveUp(entry, 0)
    }
  }

  async #moveUp(entry: BlockEntry, tier: number): Promise<boolean> {
    const { catalog, space, files, metrics } = this.#m
    if (!catalog.has(entry) || entry.busy > 0 || entry.folder.tier <= tier) return false
    // Held from here on, or making space above could push it down or out.
    entry.busy++
    try {
      const from = catalog.tierOf(entry).alias
      const wish = { fromTier: tier, beforeTier: tier + 1, media: catalog.pins.mediaOf(entry.id) }
      const target = await space.reserveOn(allocated(entry.bytes), wish)
      if (target === undefined) return false
      if (!catalog.has(entry)) {
        target.release()
        return false
      }
      const moved = await files.move(entry, target)
      if (moved) metrics.promoted.with({ tier: from }).add()
      return moved
    } finally {
      entry.busy--
    }
  }

  /** Blocks that were read in a lower tier rise if that tier above has space, or something colder to give for them. */
  async #align(): Promise<void> {
    const { catalog, runtime } = this.#m
    const now = runtime.monotonic()
    const hot = [...catalog.hot].sort((a, b) => heatNow(b, now) - heatNow(a, now))
    catalog.hot.clear()
    for (const entry of hot.slice(0, MOST_MOVES)) {
      if (this.#stopped) return
      if (!catalog.has(entry) || entry.state !== 'sealed' || entry.folder.tier === 0) continue
      const above = entry.folder.tier - 1
      if (this.#fits(entry, above) || this.#hotterThanColdest(entry, above, now)) {
        await this.#moveUp(entry, above)
      }
    }
  }

  #fits(entry: BlockEntry, tier: number): boolean {
    const { tiers, pins } = this.#m.catalog
    return tiers[tier]!.folders.some(
      (folder) => folder.freeBytes >= entry.bytes && pins.allows(entry.id, folder),
    )
  }

  #hotterThanColdest(entry: BlockEntry, tier: number, now: number): boolean {
    const heat = heatNow(entry, now)
    for (const id of this.#m.catalog.tiers[tier]!.eviction.victims()) {
      const coldest = this.#m.catalog.get(id)
      if (coldest === undefined || coldest.busy > 0) continue
      return heat > heatNow(coldest, now) * ADVANTAGE
    }
    return false
  }
}
