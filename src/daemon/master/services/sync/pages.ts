/** Pages of a store's listing, the next one on its way while one is worked on. */
import type { Runtime } from '../../../../core/index.ts'
import { compareUtf8, type UfsPage, type UfsStatus, type UnderStore } from '../../../../ufs/index.ts'
import type { PathLocks } from '../path-locks.ts'

export interface SyncPage {
  readonly entries: readonly UfsStatus[]
  /** No page follows. */
  readonly last: boolean
  /** When the store was asked: wall clock, ms, and as a moment of the path locks. */
  readonly listedMs: number
  readonly mark: number
}

export interface PagesModules {
  readonly runtime: Runtime
  readonly locks: PathLocks
}

/** Entries of a page: what one call of most stores can bring. */
const PAGE = 1000

export async function* pagesOf(
  store: UnderStore,
  path: string,
  recursive: boolean,
  signal: AbortSignal,
  modules: PagesModules,
): AsyncGenerator<SyncPage> {
  const ask = (cursor?: string) => asked(store, path, { recursive, cursor, signal }, modules)
  for (let next = ask(); ; ) {
    const { page, listedMs, mark } = await next
    const { entries, cursor } = page
    if (cursor !== undefined) {
      next = ask(cursor)
      // Whoever takes no more pages does not wait for it.
      next.catch(() => {})
    }
    yield { entries, last: cursor === undefined, listedMs, mark }
    if (cursor === undefined) return
  }
}

async function asked(
  store: UnderStore,
  path: string,
  options: { recursive: boolean; cursor: string | undefined; signal: AbortSignal },
  { runtime, locks }: PagesModules,
): Promise<{ page: UfsPage; listedMs: number; mark: number }> {
  const { recursive, cursor, signal } = options
  signal.throwIfAborted()
  const about = { listedMs: runtime.now(), mark: locks.mark() }
  const page = await store.list(path, {
    limit: PAGE,
    recursive,
    signal,
    ...(cursor === undefined ? {} : { cursor }),
  })
  return { page, ...about }
}

/** All of a directory as one page in the order of names, for a store that lists in none. */
export async function sortedPage(pages: AsyncIterable<SyncPage>): Promise<SyncPage> {
  const entries: UfsStatus[] = []
  let first: SyncPage | undefined
  for await (const page of pages) {
    first ??= page
    for (const entry of page.entries) entries.push(entry)
  }
  entries.sort((a, b) => compareUtf8(a.path, b.path))
  // What came after the first page was asked for may be on none of them.
  return { entries, last: true, listedMs: first!.listedMs, mark: first!.mark }
}

/** A page that says that nothing is there. */
export async function* nothing({
  listedMs,
  mark,
}: Pick<SyncPage, 'listedMs' | 'mark'>): AsyncGenerator<SyncPage> {
  yield { entries: [], last: true, listedMs, mark }
}
