/**
 * Space before bytes: reservations in folders, and eviction when there is not enough. A block leaves its tier by moving to the
 * next one that takes it, else it is deleted; what is pinned or has no other copy is moved or stays.
 */
import { AlluxioError, type Runtime } from '../core/index.ts'
import type { Catalog, Tier } from './catalog.ts'
import type { BlockEntry } from './entry.ts'
import type { Folder } from './folder.ts'
import type { AllocationPolicy } from './types.ts'

/** Which folders will do. */
export interface Wish {
  /** Exactly this one. */
  readonly folder?: Folder
  /** Tiers from this one on … @default 0 */
  readonly fromTier?: number
  /** … and before this one. @default all */
  readonly beforeTier?: number
  /** Media of the folders. `reserve` prefers them; `reserveOn` insists. */
  readonly media?: readonly string[] | undefined
  /** Failed for this very block already. */
  readonly except?: ReadonlySet<Folder>
}

/** Space held in a folder for a block that is on its way. */
export class Reservation {
  readonly folder: Folder
  #bytes: number

  constructor(folder: Folder, bytes: number) {
    this.folder = folder
    this.#bytes = bytes
  }
  get bytes(): number {
    return this.#bytes
  }
  /** Takes more from the same folder, if it is free. */
  grow(bytes: number): boolean {
    if (!this.folder.reserve(bytes)) return false
    this.#bytes += bytes
    return true
  }
  add(other: Reservation): void {
    this.#bytes += other.bytes
    other.#bytes = 0
  }
  release(): void {
    this.folder.unreserve(this.#bytes)
    this.#bytes = 0
  }
}

interface SpaceModules {
  readonly runtime: Runtime
  readonly catalog: Catalog
  readonly allocation: AllocationPolicy
  /** Moves a block into the reserved place; false when it could not be moved. */
  readonly move: (entry: BlockEntry, target: Reservation) => Promise<boolean>
  /** Deletes a block and its files. */
  readonly evict: (entry: BlockEntry) => Promise<void>
}

/** Rounds of eviction before a reservation is refused: others may take what was just freed. */
const ROUNDS = 3
/** A search through so many blocks in vain is not repeated for a while: a tier full of sole copies is refused cheaply. */
const DEAR_LOOKS = 2000
const BARREN_MS = 250

export class Space {
  readonly #catalog: Catalog
  readonly #allocation: AllocationPolicy
  readonly #modules: SpaceModules
  /** Tiers and folders in which a long search for so many bytes found nothing that may leave. */
  readonly #barren = new Map<Tier | Folder, { readonly until: number; readonly bytes: number }>()
  /** One eviction at a time, so that two do not count on the same victims. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(modules: SpaceModules) {
    this.#catalog = modules.catalog
    this.#allocation = modules.allocation
    this.#modules = modules
  }

  /** Reserves what is free now: the first tier that has a folder with the space. */
  tryReserve(bytes: number, wish: Wish = {}): Reservation | undefined {
    if (wish.folder !== undefined) {
      return wish.folder.reserve(bytes) ? new Reservation(wish.folder, bytes) : undefined
    }
    for (const tier of this.#tiers(wish)) {
      const folders = eligible(tier, wish).filter((folder) => folder.freeBytes >= bytes)
      const chosen = this.#allocation.choose(folders, bytes) as Folder | undefined
      if (chosen?.reserve(bytes)) return new Reservation(chosen, bytes)
    }
    return undefined
  }

  /** Reserves space, evicting if it must. @throws RESOURCE_EXHAUSTED */
  async reserve(bytes: number, wish: Wish = {}): Promise<Reservation> {
    const reservation = await this.reserveIfPossible(bytes, wish)
    if (reservation !== undefined) return reservation
    throw new AlluxioError(
      'RESOURCE_EXHAUSTED',
      `no tier folder can take ${bytes} bytes: everything there is pinned, has no other copy, or is in use; free some files, persist them or raise a quota`,
      { reason: 'NO_TIER_SPACE', details: { bytes } },
    )
  }

  async reserveIfPossible(bytes: number, wish: Wish = {}): Promise<Reservation | undefined> {
    const reservation = await this.reserveOn(bytes, wish)
    if (reservation !== undefined || wish.media === undefined) return reservation
    return this.reserveOn(bytes, { ...wish, media: undefined })
  }

  /** Reserves space where exactly the wish says, evicting if it must. */
  async reserveOn(bytes: number, wish: Wish): Promise<Reservation | undefined> {
    return this.tryReserve(bytes, wish) ?? (await this.#locked(() => this.#makeSpace(bytes, wish)))
  }

  #locked<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run, run)
    this.#queue = result.catch(() => {})
    return result
  }

  /** Only under the lock. */
  async #makeSpace(bytes: number, wish: Wish): Promise<Reservation | undefined> {
    const stuck = new Set<BlockEntry>()
    for (let round = 0; round < ROUNDS; round++) {
      const free = this.tryReserve(bytes, wish)
      if (free !== undefined) return free
      let evicted = false
      for (const tier of this.#tiers(wish)) {
        const folders = wish.folder === undefined ? eligible(tier, wish) : [wish.folder]
        const folder = await this.#evictFrom(tier, folders, bytes, stuck)
        if (folder === undefined) continue
        evicted = true
        if (folder.reserve(bytes)) return new Reservation(folder, bytes)
      }
      if (!evicted) return undefined
    }
    return undefined
  }

  #tiers(wish: Wish): readonly Tier[] {
    const { tiers } = this.#catalog
    if (wish.folder !== undefined) return [tiers[wish.folder.tier]!]
    return tiers.slice(wish.fromTier ?? 0, wish.beforeTier)
  }

  /**
   * Evicts from the folder that is first to have the space.
   * @param stuck blocks that could not leave; those found now are added
   * @returns the folder, or undefined when no set of victims would do
   */
  async #evictFrom(
    tier: Tier,
    folders: readonly Folder[],
    bytes: number,
    stuck: Set<BlockEntry>,
  ): Promise<Folder | undefined> {
    const plans = new Map(folders.map((folder) => [folder, { lacks: 0, victims: [] as BlockEntry[] }]))
    for (const [folder, plan] of plans) {
      plan.lacks = bytes - folder.freeBytes
      if (folder.failure !== undefined || bytes > folder.capacityBytes) plans.delete(folder)
      else if (plan.lacks <= 0) return folder
    }
    const now = this.#modules.runtime.monotonic()
    const searched = folders.length === 1 ? folders[0]! : tier
    const barren = this.#barren.get(searched)
    if (barren !== undefined && now < barren.until && bytes >= barren.bytes) return undefined
    let looks = 0
    for (const id of tier.eviction.victims()) {
      looks++
      const entry = this.#catalog.get(id)
      const plan = entry === undefined ? undefined : plans.get(entry.folder)
      if (entry === undefined || plan === undefined || entry.busy > 0) continue
      if (stuck.has(entry) || !this.#mayLeave(entry)) continue
      plan.victims.push(entry)
      plan.lacks -= entry.bytes
      if (plan.lacks <= 0) {
        const { folder } = entry
        await this.#dispose(plan.victims, stuck)
        return folder
      }
      if (plans.size === 0) break
    }
    if (looks > DEAR_LOOKS) this.#barren.set(searched, { until: now + BARREN_MS, bytes })
    return undefined
  }

  /** Whether there is a place for the block to go to, or it need not be kept. */
  #mayLeave(entry: BlockEntry): boolean {
    if (this.#catalog.mayDelete(entry)) return true
    const { tiers, pins } = this.#catalog
    for (let below = entry.folder.tier + 1; below < tiers.length; below++) {
      for (const folder of tiers[below]!.folders) {
        if (folder.failure === undefined && pins.allows(entry.id, folder)) return true
      }
    }
    return false
  }

  async #dispose(victims: readonly BlockEntry[], stuck?: Set<BlockEntry>): Promise<void> {
    for (const entry of victims) entry.busy++
    const folders = new Set(victims.map(({ folder }) => folder))
    const deletions: Promise<void>[] = []
    for (const entry of victims) {
      try {
        if (entry.state === 'sealed' && (await this.#demote(entry))) continue
        if (this.#catalog.has(entry) && this.#catalog.mayDelete(entry)) {
          deletions.push(this.#modules.evict(entry))
        } else stuck?.add(entry)
      } finally {
        entry.busy--
      }
    }
    await Promise.all(deletions)
    for (const folder of folders) folder.markSpace()
  }

  async #demote(entry: BlockEntry): Promise<boolean> {
    const below = { fromTier: entry.folder.tier + 1, media: this.#catalog.pins.mediaOf(entry.id) }
    if (below.fromTier >= this.#catalog.tiers.length) return false
    const target = this.tryReserve(entry.bytes, below) ?? (await this.#makeSpace(entry.bytes, below))
    return target !== undefined && (await this.#modules.move(entry, target))
  }

  /** Evicts until the folder has `bytes` free; for background work. */
  async freeAhead(folder: Folder, bytes: number): Promise<void> {
    if (folder.freeBytes >= bytes) return
    const reservation = await this.#locked(() => this.#makeSpace(bytes, { folder }))
    reservation?.release()
  }

  /** Evicts until the folder's blocks fit its quota again: it was made smaller. @returns blocks that left */
  async shrink(folder: Folder): Promise<number> {
    let left = 0
    await this.#locked(async () => {
      const tier = this.#catalog.tiers[folder.tier]!
      const victims: BlockEntry[] = []
      let over = folder.usedBytes - folder.capacityBytes
      for (const id of tier.eviction.victims()) {
        if (over <= 0) break
        const entry = this.#catalog.get(id)
        if (entry === undefined || entry.folder !== folder || entry.busy > 0) continue
        if (!this.#mayLeave(entry)) continue
        victims.push(entry)
        over -= entry.bytes
      }
      left = victims.length
      await this.#dispose(victims)
    })
    return left
  }
}

function eligible(tier: Tier, wish: Wish): readonly Folder[] {
  return tier.folders.filter(
    (folder) =>
      folder.failure === undefined &&
      !wish.except?.has(folder) &&
      (wish.media === undefined || wish.media.includes(folder.medium)),
  )
}
