/**
 * The course of one sync: the path's own store, then the stores mounted below it. An object store is listed flat, a page a call,
 * and merged as it comes; a store with directories is listed one by one, several at a time. Both hold a few pages at most.
 */
import {
  AlluxioError,
  baseName,
  FLAG_MOUNT_POINT,
  isAlluxioError,
  isWithin,
  joinPath,
  type Log,
  parentPath,
  RecordView,
  type Runtime,
} from '../../../../core/index.ts'
import type { Inode, Namespace, OrderedWalk } from '../../../../namespace/index.ts'
import type { UnderStore } from '../../../../ufs/index.ts'
import { ifPresent, type UnderStores } from '../../../under-stores.ts'
import type { Looks } from '../looks.ts'
import type { PathLocks } from '../path-locks.ts'
import { Differences, type DifferencesModules, type SyncTally } from './differences.ts'
import { type Asked, look, nothing, pagesOf, type SyncPage, sortedPage } from './pages.ts'
import { TreeMerge, UNORDERED } from './tree-merge.ts'

export interface SyncRequest {
  readonly path: string
  /** Everything below; else the children only. */
  readonly recursive: boolean
  /** Directories, too, that were listed before. */
  readonly force: boolean
  /** Compares, and tells what differs, without changing anything. */
  readonly dry: boolean
}

export interface SyncRunOptions extends SyncRequest {
  /** Block size of new files, bytes. */
  readonly blockSizeBytes: number
}

export interface SyncRunModules extends DifferencesModules {
  readonly namespace: Namespace
  readonly stores: Pick<UnderStores, 'get'>
  /** Brings one path in, or checks it. */
  readonly loader: {
    find(path: string): false | Promise<boolean>
    refresh(path: string, intervalMs: number): false | Promise<boolean>
  }
  readonly locks: PathLocks
  readonly looks: Looks
  readonly runtime: Runtime
  readonly log: Log
}

/** Directories that are listed at once. */
const LANES = 8
/** Of a directory that comes and goes in its store. */
const MOST_LISTINGS = 8

export class SyncRun {
  readonly #options: SyncRunOptions
  readonly #modules: SyncRunModules
  readonly #tally: SyncTally
  readonly #signal: AbortSignal
  readonly #onInconsistent: (path: string) => void
  #failed: unknown

  constructor(
    options: SyncRunOptions,
    modules: SyncRunModules,
    course: {
      readonly tally: SyncTally
      readonly signal: AbortSignal
      /** A path that the namespace has and its store has otherwise, or not at all. */
      readonly onInconsistent: (path: string) => void
    },
  ) {
    this.#options = options
    this.#modules = modules
    this.#tally = course.tally
    this.#signal = course.signal
    this.#onInconsistent = course.onInconsistent
  }

  /** @throws NOT_FOUND, what a store throws; of several failures the first */
  async run(): Promise<void> {
    const { path, recursive } = this.#options
    await this.#one(path)
    const { namespace } = this.#modules
    const nested = namespace.mounts.all().filter((mount) => mount.path !== path && isWithin(mount.path, path))
    if (recursive) for (const mount of nested) await this.#tried(mount.path, () => this.#one(mount.path))
    if (this.#failed !== undefined) throw this.#failed
  }

  async #one(path: string): Promise<void> {
    const { namespace, loader } = this.#modules
    if (namespace.inode(path) === undefined) await loader.find(path)
    const inode = namespace.inode(path)
    if (inode === undefined)
      throw new AlluxioError('NOT_FOUND', `${path} does not exist, nor in its under-store`, {
        details: { path },
      })
    if (!inode.record.directory) return this.#file(inode)
    const { store } = await this.#storeOf(path)
    if (!this.#options.recursive) return this.#directory(path)
    if (store.capabilities.directories) return this.#byDirectory(path)
    for (const root of this.#roots(path)) await this.#flat(root)
  }

  async #file({ path, record }: Inode): Promise<void> {
    const { loader, namespace } = this.#modules
    this.#tally.entries++
    if (record.persistence !== 'PERSISTED') return
    const { store, below } = await this.#storeOf(path)
    const status = await ifPresent(store.status(below, this.#signal))
    if (status !== undefined && status.length === record.length && status.fingerprint === record.tail.fp)
      return
    this.#onInconsistent(path)
    if (this.#options.dry) return
    await loader.refresh(path, 0)
    if (namespace.inode(path) === undefined) this.#tally.removed++
    else this.#tally.updated++
  }

  /** Directories whose subtrees are to be listed: the path itself, or those below it that never were. */
  *#roots(path: string): Generator<string> {
    const { namespace } = this.#modules
    if (this.#options.force || !namespace.sync.isLoaded(path)) return yield path
    const directories = new Directories(namespace)
    directories.enter(path)
    for (let next = directories.next(); next !== undefined; next = directories.next()) {
      if (namespace.sync.isLoaded(next)) directories.enter(next)
      else yield next
    }
  }

  /** A subtree of an object store as one listing. */
  async #flat(path: string): Promise<void> {
    const { below } = await this.#storeOf(path)
    const merge = this.#merge(path, below, true)
    try {
      const entries = await merge.run(await this.#pages(path, true))
      if (entries === 0 && below !== '') await this.#vanishIfAbsent(path)
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND') && below !== '' && (await this.#vanishIfAbsent(path))) return
      if (!isAlluxioError(error, 'UNSUPPORTED') || error.reason !== UNORDERED) throw error
      this.#modules.log.warn('the under-store lists in no order, its directories are listed one by one', {
        path,
      })
      await this.#byDirectory(path)
    }
  }

  /** A subtree directory by directory, some at a time. */
  async #byDirectory(path: string): Promise<void> {
    const { namespace } = this.#modules
    const directories = new Directories(namespace)
    const listed = async (directory: string) => {
      if (this.#options.force || !namespace.sync.isLoaded(directory)) await this.#directory(directory)
      directories.enter(directory)
    }
    await listed(path)
    let busy = 0
    let ended = false
    let wake = Promise.withResolvers<void>()
    const lane = async () => {
      while (!ended) {
        const directory = directories.next()
        if (directory === undefined && busy === 0) return wake.resolve()
        if (directory === undefined) {
          await wake.promise
          continue
        }
        busy++
        try {
          await this.#tried(directory, () => listed(directory))
        } catch (error) {
          ended = true
          throw error
        } finally {
          busy--
          wake.resolve()
          wake = Promise.withResolvers()
        }
      }
    }
    const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane))
    for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason
  }

  /** The children of one directory. */
  async #directory(path: string, attempt = 1): Promise<void> {
    const { store, below } = await this.#storeOf(path)
    const pages = await this.#pages(path, false)
    const { orderedList } = store.capabilities
    try {
      if (orderedList) await this.#merge(path, below, false).run(pages)
      else {
        await this.#looking(async (asked) =>
          this.#merge(path, below, false).run(only(await sortedPage(pages, asked))),
        )
      }
    } catch (error) {
      const missing = isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')
      if (!missing || below === '') throw error
      if (await this.#vanishIfAbsent(path)) return
      // It came between the two looks.
      if (attempt === MOST_LISTINGS) throw error
      await this.#directory(path, attempt + 1)
    }
  }

  async #pages(path: string, recursive: boolean): Promise<AsyncGenerator<SyncPage>> {
    const { store, below, sweep } = await this.#storeOf(path)
    const listing = { store, path: below, recursive, sweep, signal: this.#signal }
    return pagesOf(listing, this.#modules)
  }

  /** A directory that its store does not have goes. False: it is there. */
  #vanishIfAbsent(path: string): Promise<boolean> {
    return this.#looking(async (asked) => {
      if (!(await this.#isAbsent(path))) return false
      await this.#vanished(path, asked)
      return true
    })
  }

  /** What is below a directory that its store does not have goes bit by bit, then the directory. */
  async #vanished(path: string, asked: Asked): Promise<void> {
    const { namespace } = this.#modules
    const inode = namespace.inode(path)
    if (inode?.record.persistence !== 'PERSISTED' || (inode.record.flags & FLAG_MOUNT_POINT) !== 0) return
    this.#onInconsistent(path)
    await this.#merge(path, namespace.resolve(path).path, true).run(nothing(asked))
    const differences = this.#differences()
    differences.gone(parentPath(path), baseName(path), inode.record.id)
    await differences.apply(asked)
  }

  /** Whether the store says that it has nothing at the path. */
  async #isAbsent(path: string): Promise<boolean> {
    const { store, below } = await this.#storeOf(path)
    const status = await ifPresent(store.status(below, this.#signal))
    return status === undefined || !status.directory
  }

  #merge(path: string, below: string, deep: boolean): TreeMerge {
    const { namespace } = this.#modules
    return new TreeMerge(
      { path, below, deep },
      {
        namespace,
        differences: this.#differences(),
        tally: this.#tally,
        onInconsistent: this.#onInconsistent,
        onDirectoryGone: (directory, page) => this.#vanished(directory, page),
      },
    )
  }

  #differences(): Differences {
    return new Differences(this.#options, this.#modules, this.#tally)
  }

  /** What later looks tell while `work` is under way is known to it. */
  async #looking<T>(work: (asked: Asked) => Promise<T>): Promise<T> {
    const asked = look(this.#modules)
    try {
      return await work(asked)
    } finally {
      this.#modules.looks.end(asked.look)
    }
  }

  /** Goes on after what concerns one directory or mount only. @throws what ends the sync */
  async #tried(path: string, work: () => Promise<void>): Promise<void> {
    const { namespace, log } = this.#modules
    try {
      await work()
    } catch (error) {
      this.#signal.throwIfAborted()
      this.#failed ??= error
      log.warn('metadata sync failed', { path, error })
      if (!this.#options.dry) await namespace.markStale(path, true)
      // A store that does not answer one call answers no other: the rest would only wait.
      const isMount = namespace.resolve(path).path === ''
      if (!isMount && (isAlluxioError(error, 'UNAVAILABLE') || isAlluxioError(error, 'TIMEOUT'))) throw error
    }
  }

  async #storeOf(path: string): Promise<{ store: UnderStore; below: string; sweep: boolean }> {
    const { mount, path: below } = this.#modules.namespace.resolve(path)
    const sweep = !this.#options.dry && !mount.readOnly && mount.mode === undefined
    return { store: await this.#modules.stores.get(mount), below, sweep }
  }
}

async function* only(page: SyncPage): AsyncGenerator<SyncPage> {
  yield page
}

/** Directories that the namespace has in the same store below others, depth first, without holding them. */
class Directories {
  readonly #namespace: Namespace
  readonly #levels: { readonly path: string; readonly walk: OrderedWalk }[] = []

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** What is in the directory comes next. */
  enter(path: string): void {
    const walk = this.#namespace.sync.walk(path, 'children')
    if (walk !== undefined) this.#levels.push({ path, walk })
  }

  next(): string | undefined {
    for (;;) {
      const level = this.#levels[this.#levels.length - 1]
      if (level === undefined) return undefined
      const step = level.walk.peek()
      if (step === undefined) {
        this.#levels.pop()
        continue
      }
      level.walk.take()
      const record = new RecordView(step.record)
      if (!record.directory || record.persistence !== 'PERSISTED') continue
      if ((record.flags & FLAG_MOUNT_POINT) === 0) return joinPath(level.path, step.position)
    }
  }
}
