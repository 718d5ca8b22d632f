/**
 * Brings what an under-store holds into the namespace: lazily, when a path is first asked for, and again when a caller
 * wants it checked. Every step is single flight by path; a failed sync marks the path stale and never poisons it.
 *
 * Calls are counted: a directory whose parent is known is listed once (1,000 entries a call) and is then authoritative, so a
 * name that is not in it costs nothing; a lone deep path costs one `status`. Of siblings that have to be checked within
 * one interval the first costs a `status`, the second a page that checks all of them.
 */
import {
  AlluxioError,
  baseName,
  checkName,
  type FileId,
  FLAG_CHILDREN_LOADED,
  isAlluxioError,
  joinPath,
  type Log,
  type Metrics,
  parentPath,
  pathNames,
  type Runtime,
  stricterMs,
} from '../../../core/index.ts'
import type { Inode, LoadedEntry, Namespace } from '../../../namespace/index.ts'
import type { UfsPage, UfsStatus, UnderStore } from '../../../ufs/index.ts'
import { ifPresent, type UnderStores } from '../../under-stores.ts'
import { loadedEntry } from './loaded-entry.ts'
import type { LookNumber, Looks } from './looks.ts'
import type { PathLocks } from './path-locks.ts'
import type { SyncTimes } from './sync/sync-times.ts'

export interface MetadataLoaderOptions {
  /** Block size that files found in a store are read with. */
  readonly blockSizeBytes: number
  /** How long a path that the store did not have is taken to be absent, ms. */
  readonly absentMs: number
}

export interface MetadataLoaderModules {
  readonly namespace: Namespace
  readonly stores: UnderStores
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
  /** Whether bytes of this cluster are on their way to a path: what the store has there is no file of others. */
  readonly busy: (path: string, directory: boolean) => boolean
  readonly locks: PathLocks
  /** Those of syncs, too. */
  readonly looks: Looks
  /** When whole subtrees were compared. */
  readonly times?: SyncTimes
}

/** Entries of a listing page; also how long a directory may be to be loaded whole on the way to one child. */
const PAGE = 1000
const MAX_ABSENT = 100_000
/** Paths and directories whose last check is remembered beyond what the namespace keeps. */
const MAX_CHECKED = 100_000
/** The namespace keeps the times of listings in whole seconds: for shorter intervals a listing would be forgotten at once. */
const LEAST_SHARED_MS = 2000
/** Looks at a store that this master keeps changing, after which what was seen is taken as it is. */
const MOST_LOOKS = 8
/** Thrown within this file only. */
const DISTURBED = Symbol('disturbed')

/** Where a path of the namespace is in its under-store. */
interface Place {
  readonly store: UnderStore
  readonly path: string
  /** Whether what killed writers left there may go. */
  readonly sweep: boolean
}

/** One look at a store. */
interface Look {
  readonly number: LookNumber
  /** What this master has changed up to then it sees; Infinity: whatever it sees is taken. */
  readonly mark: number
}

interface Run {
  readonly ended: Promise<boolean>
  /** Before the store was asked, ms. */
  readonly startedMs: number
  /** For who comes when this one has begun too long ago. */
  next: Promise<boolean> | undefined
}

export class MetadataLoader {
  readonly #options: MetadataLoaderOptions
  readonly #modules: MetadataLoaderModules
  readonly #looks: Looks
  readonly #running = new Map<string, Run>()
  /** Paths that a store did not have, with the monotonic time when it was asked; oldest first. */
  readonly #absent = new Map<string, number>()
  /** Files that a `status` found unchanged, with the time (ms) before it was asked; oldest first. */
  readonly #checked = new Map<FileId, number>()
  /** Directories of files that were checked one by one, with the time of the latest; oldest first. */
  readonly #checkedIn = new Map<FileId, number>()
  /** Directories too long to be checked by one page, or that may not be listed, with the time when this was seen. */
  readonly #alone = new Map<FileId, number>()
  readonly #loads
  readonly #failures

  constructor(options: MetadataLoaderOptions, modules: MetadataLoaderModules) {
    this.#options = options
    this.#modules = modules
    this.#looks = modules.looks
    this.#loads = modules.metrics.counter(
      'alluxio_master_metadata_loads_total',
      'Under-store lookups for metadata',
    )
    this.#failures = modules.metrics.counter(
      'alluxio_master_metadata_load_failures_total',
      'Lookups that failed',
    )
  }

  /**
   * Looks for a path that the namespace does not know. False when the answer is already known to be no, without any call;
   * else a promise of whether it was found. What others put into a directory after it was loaded is found too, unless the
   * search is `forWrite`: a writer trusts what is loaded.
   * @param absentMs longest that an earlier no is believed; -1 as long as configured
   */
  find(path: string, forWrite = false, absentMs = -1): false | Promise<boolean> {
    const known = this.#deepestKnown(path)
    if (known === undefined || known.path === path || !isInStore(known)) return false
    if (this.#modules.busy(path, false)) return false
    if (isLoaded(known) && (forWrite || this.#isAbsent(path, absentMs))) return false
    // What an earlier search brings is known by then, and is itself looked at again.
    const again = () =>
      this.refresh(path, 0) || Promise.resolve(this.#modules.namespace.inode(path) !== undefined)
    return this.#once('find', path, this.#oldest(absentMs), (look) => this.#find(path, look), again)
  }

  /**
   * Loads the children of a directory if it was never loaded, or always with `again`. False: nothing had to be done.
   * @param ageMs a listing that is under way serves if it began no longer ago; -1 any, 0 none
   */
  children(path: string, again: boolean, ageMs = -1): false | Promise<boolean> {
    const inode = this.#modules.namespace.inode(path)
    if (inode === undefined || !inode.record.directory || inode.record.persistence !== 'PERSISTED')
      return false
    if (!again && (inode.record.flags & FLAG_CHILDREN_LOADED) !== 0) return false
    return this.#once('children', path, this.#oldest(ageMs), (look) => this.#loadChildren(inode, look))
  }

  /** Checks one known path against its store if it was last checked longer ago than `intervalMs` (0: always). */
  refresh(path: string, intervalMs: number): false | Promise<boolean> {
    const { namespace, runtime } = this.#modules
    if (intervalMs < 0) return false
    const inode = namespace.inode(path)
    if (inode === undefined) {
      return this.find(path, false, intervalMs)
    }
    if (inode.record.persistence !== 'PERSISTED' || path === namespace.resolve(path).mount.path) return false
    if (intervalMs === 0) return this.#check(path, 0)
    const oldestMs = runtime.now() - intervalMs
    const { id } = inode.record
    const comparedMs = this.#modules.times?.syncedMs(path) ?? 0
    if (Math.max(namespace.syncedMs(inode), this.#checked.get(id) ?? 0, comparedMs) > oldestMs) return false
    if (this.#sharesPage(inode.parentId, oldestMs, intervalMs))
      return this.#refreshTogether(path, inode, oldestMs, intervalMs)
    remember(this.#checkedIn, inode.parentId, runtime.now())
    return this.#check(path, intervalMs)
  }

  #check(path: string, ageMs: number): Promise<boolean> {
    return this.#once('refresh', path, this.#oldest(ageMs), (look) => this.#refresh(path, look))
  }

  /** When a look at the store must have begun, or later, to be of this age now; -1: whenever. */
  #oldest(ageMs: number): number {
    if (ageMs < 0) return Number.NEGATIVE_INFINITY
    return ageMs === 0 ? Number.POSITIVE_INFINITY : this.#modules.runtime.now() - ageMs
  }

  /** Whether a sibling was checked by itself within the interval, so that checking all of them at once is worth a page. */
  #sharesPage(parentId: FileId, oldestMs: number, intervalMs: number): boolean {
    if (intervalMs < LEAST_SHARED_MS || (this.#checkedIn.get(parentId) ?? 0) <= oldestMs) return false
    return (this.#alone.get(parentId) ?? 0) <= oldestMs
  }

  /** Checks the whole directory of a path by one page; the path alone where that does not do. */
  async #refreshTogether(path: string, inode: Inode, oldestMs: number, intervalMs: number): Promise<boolean> {
    const { namespace, runtime } = this.#modules
    const directory = namespace.inode(parentPath(path))
    if (directory !== undefined && isInStore(directory)) {
      const checked = await this.#once('siblings', directory.path, oldestMs, (look) =>
        this.#loadPage(directory, look),
      )
      const known = namespace.inode(path)
      // A page that was long on its way when this caller came is too old for it.
      if (checked && (known === undefined || namespace.syncedMs(known) > oldestMs)) return known !== undefined
      if (!checked) remember(this.#alone, inode.parentId, runtime.now())
    }
    return this.#check(path, intervalMs)
  }

  /** Loads a directory that is no longer than a page. False: it is longer, gone, being changed here, or may not be listed. */
  async #loadPage(directory: Inode, look: Look): Promise<boolean> {
    const listedMs = this.#modules.runtime.now()
    try {
      const page = await this.#list(await this.#storeOf(directory.path))
      if (page === undefined || page.cursor !== undefined) return false
      await this.#load(directory.path, entriesOf(page), look, 'all', listedMs)
      return true
    } catch (error) {
      if (error !== DISTURBED) this.#modules.log.debug('siblings not listed', { path: directory.path, error })
      return false
    }
  }

  /** Joins the same work under way if it began after `oldestMs`, else does it when that has ended, once for all who wait. */
  #once(
    kind: string,
    path: string,
    oldestMs: number,
    work: (look: Look) => Promise<boolean>,
    again = () => this.#once(kind, path, Number.NEGATIVE_INFINITY, work),
  ): Promise<boolean> {
    const key = `${kind} ${path}`
    const running = this.#running.get(key)
    if (running !== undefined) {
      if (running.startedMs > oldestMs) return running.ended
      running.next ??= running.ended.then(again, again)
      return running.next
    }
    this.#loads.add()
    const run = this.#undisturbed(path, work)
      .catch((error) => {
        this.#failures.add()
        throw error
      })
      .finally(() => this.#running.delete(key))
    this.#running.set(key, { ended: run, startedMs: this.#modules.runtime.now(), next: undefined })
    return run
  }

  /** What was seen of the store while this master changed it may be neither the old nor the new: it is looked at again. */
  async #undisturbed(path: string, work: (look: Look) => Promise<boolean>): Promise<boolean> {
    const { locks } = this.#modules
    for (let attempt = 1; ; attempt++) {
      for (let blocked = locks.blocking(path); blocked !== undefined; blocked = locks.blocking(path))
        await blocked
      const number = this.#looks.begin()
      const mark = attempt < MOST_LOOKS ? locks.mark() : Number.POSITIVE_INFINITY
      try {
        return await work({ number, mark })
      } catch (error) {
        if (error !== DISTURBED) throw error
      } finally {
        this.#looks.end(number)
      }
    }
  }

  /** @throws DISTURBED */
  #checkUndisturbed(path: string, look: Look): void {
    const { mark } = look
    if (mark !== Number.POSITIVE_INFINITY && this.#modules.locks.touched(path, mark)) throw DISTURBED
  }

  #deepestKnown(path: string): Inode | undefined {
    const { namespace } = this.#modules
    for (let candidate = path; ; candidate = parentPath(candidate)) {
      const inode = namespace.inode(candidate)
      if (inode !== undefined || candidate === '/') return inode
    }
  }

  async #find(path: string, look: Look): Promise<boolean> {
    const { namespace, runtime } = this.#modules
    const askedMs = runtime.monotonic()
    const wallMs = runtime.now()
    let known = this.#deepestKnown(path)
    while (known !== undefined && known.path !== path && isInStore(known)) {
      const below = known.path
      const missing = pathNames(path).slice(pathNames(below).length)
      const child = joinPath(below, missing[0]!)
      try {
        if (isLoaded(known) || missing.length > 1) {
          if (await this.#loadDeep(known, path, missing, look)) return true
          if (isLoaded(known)) {
            await this.#drop(path, look, wallMs)
            break
          }
        }
        if (!(await this.#loadChild(known, missing[0]!, look))) {
          await this.#drop(child, look, wallMs)
          break
        }
      } catch (error) {
        // Another look took the directory away meanwhile, which may be there again: it is looked for from further up.
        const isGone = isAlluxioError(error, 'NOT_FOUND') && namespace.inode(below) === undefined
        throw isGone ? DISTURBED : error
      }
      const next = this.#deepestKnown(path)
      if (next?.path === known.path) break
      known = next
    }
    const found = namespace.inode(path) !== undefined
    if (!found) this.#rememberAbsent(path, askedMs)
    return found
  }

  #isAbsent(path: string, absentMs: number): boolean {
    const askedMs = this.#absent.get(path)
    if (askedMs === undefined) return false
    const believedMs = stricterMs(absentMs, this.#options.absentMs)
    if (askedMs + believedMs > this.#modules.runtime.monotonic()) return true
    this.#absent.delete(path)
    return false
  }

  #rememberAbsent(path: string, askedMs: number): void {
    if (this.#absent.size >= MAX_ABSENT)
      for (const oldest of this.#absent.keys()) {
        this.#absent.delete(oldest)
        break
      }
    this.#absent.delete(path)
    this.#absent.set(path, askedMs)
  }

  /** One call for a path some levels below what is known; its parents come with it. */
  async #loadDeep(known: Inode, path: string, missing: readonly string[], look: Look): Promise<boolean> {
    const { runtime } = this.#modules
    const askedMs = runtime.now()
    const status = await this.#status(path)
    if (status === undefined) return false
    let parent = known.path
    for (const name of missing.slice(0, -1)) {
      const child = joinPath(parent, name)
      const store = await this.#storeOf(child)
      const found = store.store.capabilities.posix ? await this.#status(child) : undefined
      const entry = found === undefined ? directoryEntry(name) : loadedEntry(found, name)
      await this.#load(parent, [entry], look, 'some', askedMs)
      parent = child
    }
    await this.#load(parent, [loadedEntry(status, baseName(path))], look, 'some', askedMs)
    return true
  }

  /** One child of a known directory: by loading the whole directory when it is short, else by asking for the child. */
  async #loadChild(directory: Inode, name: string, look: Look): Promise<boolean> {
    const listedMs = this.#modules.runtime.now()
    const page = await this.#list(await this.#storeOf(directory.path))
    if (page === undefined) return false
    if (page.cursor === undefined) {
      await this.#load(directory.path, entriesOf(page), look, 'all', listedMs)
      return page.entries.some((entry) => lastName(entry.path) === name)
    }
    const askedMs = this.#modules.runtime.now()
    const status = await this.#status(joinPath(directory.path, name))
    if (status === undefined) return false
    await this.#load(directory.path, [loadedEntry(status, name)], look, 'some', askedMs)
    return true
  }

  async #loadChildren(directory: Inode, look: Look): Promise<boolean> {
    const { namespace, runtime } = this.#modules
    const listedMs = runtime.now()
    const place = await this.#storeOf(directory.path)
    return this.#syncing(directory.path, async () => {
      let page = await this.#list(place)
      if (page === undefined) return false
      if (page.cursor === undefined) {
        await this.#load(directory.path, entriesOf(page), look, 'all', listedMs)
        return true
      }
      const names = new Set<string>()
      for (;;) {
        const entries = entriesOf(page)
        for (const entry of entries) names.add(entry.name)
        await this.#load(directory.path, entries, look, 'some', listedMs)
        if (page.cursor === undefined) break
        const { store, path, sweep } = place
        page = await store.list(path, { limit: PAGE, cursor: page.cursor, sweep })
      }
      this.#checkUndisturbed(directory.path, look)
      if (!this.#looks.maySpeakOfChildren(look.number, directory.path)) return true
      for (const name of this.#looks.told(look.number, directory.path)) names.add(name)
      this.#looks.listed(look.number, directory.path)
      await namespace.loadEnd({ path: directory.path, names, listedMs })
      return true
    })
  }

  async #refresh(path: string, look: Look): Promise<boolean> {
    const { namespace, runtime } = this.#modules
    return this.#syncing(path, async () => {
      const askedMs = runtime.now()
      const status = await this.#status(path)
      if (status !== undefined) {
        await this.#load(parentPath(path), [loadedEntry(status, baseName(path))], look, 'some', askedMs)
        const known = namespace.inode(path)
        if (known !== undefined) remember(this.#checked, known.record.id, askedMs)
        return true
      }
      await this.#drop(path, look, askedMs)
      return namespace.inode(path) !== undefined
    })
  }

  /** The store does not have the path: what an earlier look told of it goes, unless it holds what is nowhere else. */
  async #drop(path: string, look: Look, askedMs: number): Promise<void> {
    const { namespace } = this.#modules
    if (!this.#looks.maySpeak(look.number, path)) return
    if (namespace.inode(path) !== undefined) this.#checkUndisturbed(path, look)
    this.#looks.gone(look.number, path)
    await namespace.vanish(path, askedMs)
  }

  /** A sync that fails leaves the path as it was, marked stale; one that succeeds takes the mark away. */
  async #syncing(path: string, work: () => Promise<boolean>): Promise<boolean> {
    const { namespace, log } = this.#modules
    try {
      const found = await work()
      if (found) await namespace.markStale(path, false)
      return found
    } catch (error) {
      if (error === DISTURBED) throw error
      log.warn('metadata sync failed', { path, error })
      if (namespace.inode(path) !== undefined) await namespace.markStale(path, true)
      throw error
    }
  }

  async #load(
    path: string,
    entries: readonly LoadedEntry[],
    look: Look,
    coverage: 'all' | 'some',
    listedMs: number,
  ): Promise<void> {
    const { namespace, busy } = this.#modules
    const { blockSizeBytes } = this.#options
    const looks = this.#looks
    if (coverage === 'all') this.#checkUndisturbed(path, look)
    else for (const { name } of entries) this.#checkUndisturbed(joinPath(path, name), look)
    if (coverage === 'all' && !looks.maySpeakOfChildren(look.number, path)) return
    const settled = entries.filter(({ name, directory }) => {
      const child = joinPath(path, name)
      if (!looks.maySpeak(look.number, child)) return false
      return !busy(child, directory) || namespace.inode(child) !== undefined
    })
    const leave = looks.told(look.number, path)
    const loading = namespace.load({ path, entries: settled, blockSizeBytes, coverage, listedMs, leave })
    if (coverage === 'all') looks.listed(look.number, path)
    else for (const { name } of settled) looks.seen(look.number, joinPath(path, name))
    await loading
  }

  async #storeOf(path: string): Promise<Place> {
    const { mount, path: below } = this.#modules.namespace.resolve(path)
    const sweep = !mount.readOnly && mount.mode === undefined
    return { store: await this.#modules.stores.get(mount), path: below, sweep }
  }

  async #status(path: string): Promise<UfsStatus | undefined> {
    const { store, path: below } = await this.#storeOf(path)
    return ifPresent(store.status(below))
  }

  /** The first page; undefined when the directory does not exist in the store. */
  async #list({ store, path, sweep }: Place): Promise<UfsPage | undefined> {
    return ifPresent(store.list(path, { limit: PAGE, sweep }))
  }
}

/** As the latest entry of a map that forgets its oldest. */
function remember(map: Map<FileId, number>, id: FileId, ms: number): void {
  map.delete(id)
  if (map.size >= MAX_CHECKED)
    for (const oldest of map.keys()) {
      map.delete(oldest)
      break
    }
  map.set(id, ms)
}

/** A directory that the under-store has as well. */
function isInStore({ record }: Inode): boolean {
  return record.directory && record.persistence === 'PERSISTED'
}

/** Its children were all listed once. */
function isLoaded({ record }: Inode): boolean {
  return (record.flags & FLAG_CHILDREN_LOADED) !== 0
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Names that no path can hold (an empty one, `.`, `..`) stay in the store and are not shown. */
function entriesOf(page: UfsPage): LoadedEntry[] {
  const entries: LoadedEntry[] = []
  for (const status of page.entries) {
    const name = lastName(status.path)
    try {
      checkName(name, status.path)
    } catch (error) {
      if (error instanceof AlluxioError) continue
      throw error
    }
    entries.push(loadedEntry(status, name))
  }
  return entries
}

function directoryEntry(name: string): LoadedEntry {
  return { name, directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
}
