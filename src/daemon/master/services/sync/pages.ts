/** Pages of a store's listing, the next one on its way while one is worked on. */
import type { Runtime } from '../../../../core/index.ts'
import { compareUtf8, type UfsPage, type UfsStatus, type UnderStore } from '../../../../ufs/index.ts'
import type { LookNumber, Looks } from '../looks.ts'
import type { PathLocks } from '../path-locks.ts'

/** When a store was asked: wall clock, ms, as a moment of the path locks, and as one of the looks at stores. */
export interface Asked {
  readonly listedMs: number
  readonly mark: number
  readonly look: LookNumber
}

export interface SyncPage extends Asked {
  readonly entries: readonly UfsStatus[]
  /** No page follows. */
  readonly last: boolean
}

export interface PagesModules {
  readonly runtime: Runtime
  readonly locks: PathLocks
  readonly looks: Looks
}

/** What is listed, of which store. */
export interface Listing {
  readonly store: UnderStore
  readonly path: string
  readonly recursive: boolean
  /** Whether what killed writers left there may go. */
  readonly sweep: boolean
  readonly signal: AbortSignal
}

/** A look at a store, to be ended when what it saw is applied. */
export function look({ runtime, locks, looks }: PagesModules): Asked {
  return { listedMs: runtime.now(), mark: locks.mark(), look: looks.begin() }
}

/** Entries of a page: what one call of most stores can bring. */
const PAGE = 1000

/** A page is to be applied before the next one is taken. */
export async function* pagesOf(listing: Listing, modules: PagesModules): AsyncGenerator<SyncPage> {
  const { looks } = modules
  const end = ({ look }: Asked) => looks.end(look)
  for (let next = ask(listing, undefined, modules); ; ) {
    const { page, ...asked } = await next
    const { entries, cursor } = page
    let taken = false
    try {
      if (cursor !== undefined) {
        next = ask(listing, cursor, modules)
        // It may fail before it is waited for.
        next.catch(() => {})
      }
      yield { ...asked, entries, last: cursor === undefined }
      if (cursor === undefined) return
      taken = true
    } finally {
      end(asked)
      // Whoever takes no more pages does not wait for it.
      if (!taken && cursor !== undefined) next.then(end, () => {})
    }
  }
}

async function ask(
  { store, path, recursive, sweep, signal }: Listing,
  cursor: string | undefined,
  modules: PagesModules,
): Promise<{ page: UfsPage } & Asked> {
  signal.throwIfAborted()
  const asked = look(modules)
  try {
    const page = await store.list(path, {
      limit: PAGE,
      recursive,
      sweep,
      signal,
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { page, ...asked }
  } catch (error) {
    modules.looks.end(asked.look)
    throw error
  }
}

/** All of a directory as one page in the order of names, for a store that lists in none. */
export async function sortedPage(pages: AsyncIterable<SyncPage>, asked: Asked): Promise<SyncPage> {
  const entries: UfsStatus[] = []
  for await (const page of pages) for (const entry of page.entries) entries.push(entry)
  entries.sort((a, b) => compareUtf8(a.path, b.path))
  // What came after the first page was asked for may be on none of them.
  return { ...asked, entries, last: true }
}

/** A page that says that nothing is there. */
export async function* nothing(asked: Asked): AsyncGenerator<SyncPage> {
  yield { ...asked, entries: [], last: true }
}
