/**
 * Where workers keep sealed blocks, so that a reader on a worker's host can be told the tier file of a block without a call to the
 * worker: its name follows from the block. What was told is reported to the worker many blocks at a time, because it counts as an
 * access. A block that has moved meanwhile is not found by its reader, who then has the worker asked.
 */
import { blockFileName, type Log, type Runtime } from '../core/index.ts'
import type { Client, Infer, WorkerBlock } from '../rpc/index.ts'
import type { KnownWorker } from './workers.ts'

type Folder = NonNullable<Infer<(typeof WorkerBlock)['methods']['info']['response']>['folders']>[number]

export interface TierFoldersModules {
  readonly runtime: Runtime
  readonly log: Log
}

/** A sealed block as the master knows it. */
export interface PlacedBlock {
  readonly id: number
  readonly length: number
  readonly tier: string
  /** Whether it is probably the only copy, which stands in its name. */
  readonly soleCopy: boolean
}

export interface TierFile {
  /** The likeliest first. */
  readonly paths: readonly string[]
  readonly trustSeal: boolean
}

/** Age from which a worker is asked again, while what it told is still used; it makes folders at its start, and drops those that fail. */
const FOLDERS_AGE_MS = 5_000
/** Longest that an access waits to be reported. */
const REPORT_MS = 100
const REPORT_BLOCKS = 1_000

interface Known {
  folders: readonly Folder[] | undefined
  askedMs: number
  asking: Promise<void> | undefined
  opened: number[]
}

export class TierFolders {
  readonly #modules: TierFoldersModules
  /** By worker; one that comes back at another address is another. */
  readonly #known = new WeakMap<KnownWorker, Known>()

  constructor(modules: TierFoldersModules) {
    this.#modules = modules
  }

  /** Where the file of a block is on its worker's host; undefined when the worker itself has to be asked. */
  find(worker: KnownWorker, block: PlacedBlock): TierFile | undefined | Promise<TierFile | undefined> {
    let known = this.#known.get(worker)
    if (known === undefined) {
      known = { folders: undefined, askedMs: Number.NEGATIVE_INFINITY, asking: undefined, opened: [] }
      this.#known.set(worker, known)
    }
    const isOld = this.#modules.runtime.monotonic() - known.askedMs > FOLDERS_AGE_MS
    const asking = isOld ? this.#ask(worker.block, known) : undefined
    if (known.folders !== undefined || asking === undefined) return this.#found(worker, known, block)
    const asked = known
    return asking.then(() => this.#found(worker, asked, block))
  }

  #found(
    worker: KnownWorker,
    known: Known,
    { id, length, tier, soleCopy }: PlacedBlock,
  ): TierFile | undefined {
    const folders = known.folders?.filter((folder) => folder.tier === tier) ?? []
    if (folders.length === 0) return undefined
    const paths: string[] = []
    for (const sole of [soleCopy, !soleCopy]) {
      for (const { path } of folders) paths.push(`${path}/${blockFileName(id, length, sole)}`)
    }
    this.#report(worker, known, id)
    return { paths, trustSeal: folders.every(({ trustSeal }) => trustSeal) }
  }

  #ask(block: Client<typeof WorkerBlock>, known: Known): Promise<void> {
    known.asking ??= block
      .info({})
      .then(
        ({ folders }) => {
          known.folders = folders
        },
        (error: unknown) => {
          known.folders = undefined
          this.#modules.log.debug('folders of a worker not told', { error })
        },
      )
      .finally(() => {
        known.asking = undefined
        known.askedMs = this.#modules.runtime.monotonic()
      })
    return known.asking
  }

  #report(worker: KnownWorker, known: Known, blockId: number): void {
    if (known.opened.push(blockId) === 1) {
      this.#modules.runtime.after(REPORT_MS, () => this.#flush(worker, known), true)
    } else if (known.opened.length === REPORT_BLOCKS) this.#flush(worker, known)
  }

  #flush(worker: KnownWorker, known: Known): void {
    if (known.opened.length === 0) return
    const blockIds = known.opened
    known.opened = []
    worker.block.opened({ blockIds }).catch((error: unknown) => {
      this.#modules.log.debug('accesses not reported', { worker: worker.id, blocks: blockIds.length, error })
    })
  }
}
