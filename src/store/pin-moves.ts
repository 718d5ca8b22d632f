/**
 * Brings blocks of pinned files to a medium of their pin. A block that no such medium has room for stays where it is, is still
 * not evicted, and is tried again with the next round.
 */
import type { Log, Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import type { BlockEntry } from './entry.ts'
import type { Files } from './files.ts'
import type { StoreMetrics } from './metrics.ts'
import type { Space } from './space.ts'

interface PinMovesModules {
  readonly catalog: Catalog
  readonly space: Space
  readonly files: Files
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: StoreMetrics
}

/** Blocks looked at before others get a turn. */
const REVIEW_BLOCKS = 10_000
/** A round ends after so many blocks that found no room: what is left will hardly find any. */
const MOST_FAILURES = 16

export class PinMoves {
  readonly #m: PinMovesModules
  #running: Promise<void> | undefined
  #review = false
  #again = false
  #stopped = false
  /** Misplaced blocks at the last complaint. */
  #told = 0

  constructor(modules: PinMovesModules) {
    this.#m = modules
  }

  /** The pins changed: every block is looked at anew. */
  changed(): void {
    this.#review = true
    void this.round()
  }

  /** Resolves when what can move has moved; never rejects. */
  round(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    this.#again = this.#running !== undefined
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#again && this.#review) void this.round()
    })
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      if (this.#review) await this.#reviewAll()
      await this.#moveAll()
    } catch (error) {
      this.#m.log.warn('pinned blocks were not moved', { error })
    }
  }

  async #reviewAll(): Promise<void> {
    const { catalog, runtime } = this.#m
    this.#review = false
    let looked = 0
    for (const entry of catalog.entries()) {
      catalog.pins.review(entry)
      if (++looked % REVIEW_BLOCKS !== 0) continue
      await new Promise<void>((resolve) => runtime.defer(resolve))
      if (this.#stopped || this.#review) return
    }
  }

  async #moveAll(): Promise<void> {
    const { pins } = this.#m.catalog
    let failures = 0
    for (const entry of [...pins.misplaced]) {
      if (this.#stopped || this.#review) return
      if (!pins.misplaced.has(entry) || entry.busy > 0) continue
      if (!(await this.#move(entry)) && ++failures === MOST_FAILURES) break
    }
    this.#tell()
  }

  async #move(entry: BlockEntry): Promise<boolean> {
    const { catalog, space, files, metrics } = this.#m
    // Held from here on, or making space could move it elsewhere.
    entry.busy++
    try {
      const media = catalog.pins.mediaOf(entry.id)
      const target = media && (await space.reserveOn(entry.bytes, { media }))
      if (target === undefined) return false
      if (!catalog.has(entry) || catalog.pins.allows(entry.id, entry.folder)) {
        target.release()
        return true
      }
      const moved = await files.move(entry, target)
      if (moved) metrics.pinnedMoved.add()
      return moved
    } finally {
      entry.busy--
    }
  }

  #tell(): void {
    const { pins } = this.#m.catalog
    const blocks = pins.misplaced.size
    if (blocks > 0 && blocks !== this.#told) {
      const [first] = pins.misplaced
      this.#m.log.warn('pinned blocks stay on another medium: no folder of their media has room for them', {
        blocks,
        media: first === undefined ? [] : pins.mediaOf(first.id),
      })
    }
    this.#told = blocks
  }
}
