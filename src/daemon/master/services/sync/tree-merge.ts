/**
 * Merges the pages of a store's listing with the inodes of the same directory or subtree, both in one order, so that neither is
 * held in memory: what only the store has is found, what only the namespace has is gone, what both have is compared.
 */
import {
  AlluxioError,
  FLAG_MOUNT_POINT,
  FLAG_STALE,
  isWithin,
  joinPath,
  RecordView,
} from '../../../../core/index.ts'
import type { Namespace, OrderedStep, OrderedWalk } from '../../../../namespace/index.ts'
import { compareUtf8, type UfsStatus } from '../../../../ufs/index.ts'
import type { Differences, SyncTally } from './differences.ts'
import type { Asked, SyncPage } from './pages.ts'

export interface TreeMergeOptions {
  /** Directory of the namespace. */
  readonly path: string
  /** Its path in the store. */
  readonly below: string
  /** All descendants in the order of keys; else the children by name. */
  readonly deep: boolean
}

export interface TreeMergeModules {
  readonly namespace: Namespace
  readonly differences: Differences
  readonly tally: SyncTally
  /** Compares only, and is told of each known path that its store has otherwise or not at all. */
  readonly onInconsistent?: ((path: string) => void) | undefined
  /** Instead of taking a directory away at once: what is below it may be much. */
  readonly onDirectoryGone?: ((path: string, page: SyncPage) => Promise<void>) | undefined
}

/** A directory that the merge is in. */
interface Open {
  /** Path below the root with its slash; '' for the root. */
  readonly position: string
  readonly path: string
  /** In the namespace, but not in the listing: it goes if its store should have it. */
  readonly missing: RecordView | undefined
  /** When the page was asked for that it was entered on. */
  readonly asked: Asked
}

export const UNORDERED = 'UNORDERED_LISTING'

export class TreeMerge {
  readonly #options: TreeMergeOptions
  readonly #modules: TreeMergeModules
  readonly #walk: OrderedWalk | undefined
  readonly #open: Open[] = []
  readonly #skip: number
  /** Positions of directories that other stores are mounted at: they hide what this one has there. */
  readonly #mounts: readonly string[]
  #page!: SyncPage
  #last = ''

  constructor(options: TreeMergeOptions, modules: TreeMergeModules) {
    this.#options = options
    this.#modules = modules
    this.#skip = options.below === '' ? 0 : options.below.length + 1
    const { namespace } = modules
    this.#walk = namespace.sync.walk(options.path, options.deep ? 'keys' : 'children')
    const root = options.path === '/' ? 1 : options.path.length + 1
    this.#mounts = namespace.mounts
      .all()
      .filter(({ path }) => path !== options.path && isWithin(path, options.path))
      .map(({ path }) => `${path.slice(root)}/`)
  }

  /**
   * @returns how many entries the store has
   * @throws UNSUPPORTED reason UNORDERED_LISTING before anything of a page is applied that is not in order; what the pages throw
   */
  async run(pages: AsyncIterable<SyncPage>): Promise<number> {
    const { tally, differences } = this.#modules
    let entries = 0
    for await (const page of pages) {
      const positions = this.#positions(page)
      this.#page = page
      if (this.#open.length === 0) this.#enter('', this.#options.path, undefined)
      tally.pages++
      for (let i = 0; i < positions.length; i++) {
        await this.#goneBefore(positions[i]!)
        this.#meet(positions[i]!, page.entries[i]!)
        if (differences.full) await differences.apply(page)
      }
      entries += positions.length
      tally.entries += positions.length
      if (page.last) {
        await this.#goneBefore(undefined)
        this.#leave('\u{10ffff}')
        this.#left(this.#open.pop()!)
      }
      await differences.apply(page)
    }
    return entries
  }

  /** Where the entries of a page stand, which must be one behind the other. */
  #positions({ entries }: SyncPage): string[] {
    const { deep } = this.#options
    return entries.map(({ path, directory }) => {
      const below = path.slice(this.#skip)
      const position = deep && directory ? `${below}/` : below
      if (this.#last !== '' && compareUtf8(this.#last, position) >= 0) {
        throw new AlluxioError('UNSUPPORTED', `the store lists ${position} after ${this.#last}`, {
          reason: UNORDERED,
        })
      }
      this.#last = position
      return position
    })
  }

  /** The inodes before a position have gone; without one, all that are left. */
  async #goneBefore(position: string | undefined): Promise<void> {
    for (;;) {
      const step = this.#walk?.peek()
      if (step === undefined) return
      if (position !== undefined && compareUtf8(step.position, position) >= 0) return
      this.#walk!.take()
      const wait = this.#notListed(step)
      if (wait !== undefined) await wait
      if (this.#modules.differences.full) await this.#modules.differences.apply(this.#page)
    }
  }

  #notListed({ position, record: bytes }: OrderedStep): Promise<void> | undefined {
    const record = new RecordView(bytes)
    this.#leave(position)
    const directory = this.#open[this.#open.length - 1]!
    const name = nameAt(position, directory)
    const path = joinPath(directory.path, name)
    const { onInconsistent, onDirectoryGone, differences } = this.#modules
    const isExpected = isExpectedInStore(record)
    if (isExpected) onInconsistent?.(path)
    // It goes when the merge leaves it, after what is below it.
    if (record.directory && this.#options.deep) this.#enter(position, path, record)
    else if (!isExpected) return undefined
    else if (record.directory && onDirectoryGone !== undefined) return onDirectoryGone(path, this.#page)
    else differences.gone(directory.path, name, record.id)
    return undefined
  }

  #meet(position: string, entry: UfsStatus): void {
    if (this.#mounts.length > 0 && this.#mounts.some((mount) => position.startsWith(mount))) return
    this.#leave(position)
    const step = this.#walk?.peek()
    const known = step?.position === position ? new RecordView(step.record) : undefined
    if (known !== undefined) this.#walk!.take()
    const directory = this.#open[this.#open.length - 1]!
    const isOther = known === undefined || isDifferent(known, entry)
    if (isOther || (known.flags & FLAG_STALE) !== 0) {
      const name = nameAt(position, directory)
      this.#modules.differences.found(directory.path, name, entry)
      if (isOther && known?.persistence === 'PERSISTED')
        this.#modules.onInconsistent?.(joinPath(directory.path, name))
    }
    if (entry.directory && this.#options.deep)
      this.#enter(position, joinPath(directory.path, nameAt(position, directory)), undefined)
  }

  #enter(position: string, path: string, missing: RecordView | undefined): void {
    this.#open.push({ position, path, missing, asked: this.#page })
  }

  /** Leaves the directories that a position is not in. */
  #leave(position: string): void {
    for (let open = this.#open[this.#open.length - 1]!; !position.startsWith(open.position); ) {
      this.#open.pop()
      this.#left(open)
      open = this.#open[this.#open.length - 1]!
    }
  }

  #left({ path, position, missing, asked }: Open): void {
    const { differences } = this.#modules
    if (missing === undefined) differences.loaded(path, asked)
    else if (isExpectedInStore(missing)) {
      const parent = this.#open[this.#open.length - 1]!
      differences.gone(parent.path, nameAt(position, parent), missing.id)
    }
  }
}

function isExpectedInStore({ persistence, flags }: RecordView): boolean {
  return persistence === 'PERSISTED' && (flags & FLAG_MOUNT_POINT) === 0
}

/** Name of a child of the directory. */
function nameAt(position: string, { position: directory }: Open): string {
  const end = position.endsWith('/') ? -1 : position.length
  return position.slice(directory.length, end)
}

function isDifferent(known: RecordView, entry: UfsStatus): boolean {
  if (known.directory && entry.directory) return known.persistence !== 'PERSISTED'
  // What was written here and is not in the under-store yet wins over what is there.
  if (known.persistence !== 'PERSISTED') return false
  if (known.directory || entry.directory) return true
  return known.length !== entry.length || (known.tail.fp ?? '') !== entry.fingerprint
}
