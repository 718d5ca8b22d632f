/**
 * Keeps paths in step with their stores by itself (`fs startSync`). Where a store tells what has changed, that is compared; else
 * everything below the path is, in intervals that shorten while changes are found and grow while there are none. The list of paths
 * is durable; the intervals begin anew with the master.
 */
import {
  AlluxioError,
  type Cancel,
  type Component,
  every,
  isAlluxioError,
  isWithin,
  joinPath,
  type Log,
  type Metrics,
  parentPath,
  type Runtime,
} from '../../../../core/index.ts'
import type { Namespace } from '../../../../namespace/index.ts'
import type { UnderStore } from '../../../../ufs/index.ts'
import type { UnderStores } from '../../../under-stores.ts'
import type { SyncJobs } from './sync-jobs.ts'

export interface ActiveSyncOptions {
  /** Least and greatest time between two syncs of one path. */
  readonly intervalMs: number
  readonly maxIntervalMs: number
}

export interface ActiveSyncModules {
  readonly namespace: Namespace
  readonly stores: Pick<UnderStores, 'get'>
  readonly jobs: SyncJobs
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

/** How one path fares. */
export interface SyncCourse {
  readonly path: string
  readonly sinceMs: number
  readonly intervalMs: number
  /** Wall clock, ms; 0 before the first time. */
  readonly syncedMs: number
  readonly syncs: number
  readonly changes: number
  /** The last sync failed. */
  readonly error: string | undefined
}

interface Course {
  intervalMs: number
  /** Monotonic, ms. */
  nextMs: number
  syncedMs: number
  syncs: number
  changes: number
  error: string | undefined
  /** Where the store's feed of changes goes on. */
  cursor: string | undefined
  running: boolean
}

const TICK_MS = 250
const MAX_PATHS = 1000
/** After a sync that found nothing, and after one that failed. */
const QUIET_FACTOR = 1.5
const FAILED_FACTOR = 2
/** Directories named by a feed at once, above which the whole path is compared instead. */
const MAX_DIRECTORIES = 1000
/** However quiet, what a feed may have missed is found by a full comparison after so many intervals. */
const MOST_FEEDS = 1000

export class ActiveSync implements Component {
  readonly name = 'active-sync'
  readonly #options: ActiveSyncOptions
  readonly #modules: ActiveSyncModules
  readonly #courses = new Map<string, Course>()
  #cancel: Cancel = () => {}

  constructor(options: ActiveSyncOptions, modules: ActiveSyncModules) {
    const { intervalMs, maxIntervalMs } = options
    this.#options = { intervalMs, maxIntervalMs: Math.max(intervalMs, maxIntervalMs) }
    this.#modules = modules
    modules.metrics.observe('alluxio_master_active_sync_paths', 'Paths that are synced by themselves', () => [
      [{}, this.#courses.size],
    ])
  }

  start(): void {
    const { runtime, log, namespace } = this.#modules
    for (const { path } of namespace.sync.paths()) this.#courses.set(path, this.#newCourse())
    this.#cancel = every(
      runtime,
      TICK_MS,
      () => this.#tick(),
      (error) => log.error('active sync', { error }),
    )
  }

  stop(): void {
    this.#cancel()
  }

  /** False if the path is synced already. @throws NOT_FOUND, INVALID_ARGUMENT below another such path, RESOURCE_EXHAUSTED */
  async add(path: string): Promise<boolean> {
    const { namespace } = this.#modules
    const known = namespace.sync.paths()
    const above = known.find((one) => one.path !== path && isWithin(path, one.path))
    if (above !== undefined) {
      throw new AlluxioError('INVALID_ARGUMENT', `${path} is synced with ${above.path}: stop that first`, {
        reason: 'SYNCED_ABOVE',
        details: { path, above: above.path },
      })
    }
    if (known.length >= MAX_PATHS)
      throw new AlluxioError(
        'RESOURCE_EXHAUSTED',
        `${known.length} paths are synced already: no more than that`,
      )
    const added = await namespace.sync.addPath(path)
    if (added) this.#courses.set(path, this.#newCourse())
    return added
  }

  /** False if the path was not synced. */
  async remove(path: string): Promise<boolean> {
    this.#courses.delete(path)
    return this.#modules.namespace.sync.removePath(path)
  }

  list(): readonly SyncCourse[] {
    return this.#modules.namespace.sync.paths().map(({ path, sinceMs }) => {
      const { intervalMs, syncedMs, syncs, changes, error } = this.#courses.get(path) ?? this.#newCourse()
      return { path, sinceMs, intervalMs, syncedMs, syncs, changes, error }
    })
  }

  #newCourse(): Course {
    return {
      intervalMs: this.#options.intervalMs,
      nextMs: this.#modules.runtime.monotonic(),
      syncedMs: 0,
      syncs: 0,
      changes: 0,
      error: undefined,
      cursor: undefined,
      running: false,
    }
  }

  #tick(): void {
    const now = this.#modules.runtime.monotonic()
    for (const [path, course] of this.#courses)
      if (!course.running && course.nextMs <= now) void this.#sync(path, course)
  }

  async #sync(path: string, course: Course): Promise<void> {
    const { runtime, log } = this.#modules
    const { intervalMs: least, maxIntervalMs: most } = this.#options
    course.running = true
    const startedMs = runtime.now()
    try {
      const changes = await this.#compare(path, course)
      course.changes += changes
      course.intervalMs =
        changes > 0
          ? Math.max(least, course.intervalMs / 2)
          : Math.min(most, course.intervalMs * QUIET_FACTOR)
      course.error = undefined
      course.syncedMs = startedMs
    } catch (error) {
      course.intervalMs = Math.min(most, course.intervalMs * FAILED_FACTOR)
      course.error = isAlluxioError(error) ? error.message : String(error)
      course.cursor = undefined
      log.warn('a path was not synced', { path, retryMs: course.intervalMs, error })
    } finally {
      course.syncs++
      course.running = false
      course.nextMs = runtime.monotonic() + course.intervalMs
    }
  }

  /** @returns how many inodes it changed */
  async #compare(path: string, course: Course): Promise<number> {
    const { jobs } = this.#modules
    const named = await this.#named(path, course)
    const all = { recursive: true, force: true, dry: false }
    if (named === undefined) return changesOf(await jobs.run({ path, ...all }))
    let changes = 0
    for (const directory of named)
      changes += changesOf(await jobs.run({ path: directory, ...all, recursive: false }))
    return changes
  }

  /** Directories in which the store's feed names changes since the last time; undefined where everything has to be compared. */
  async #named(path: string, course: Course): Promise<ReadonlySet<string> | undefined> {
    const { namespace, stores } = this.#modules
    const { mount, path: below } = namespace.resolve(path)
    const nested = namespace.mounts.all().some((one) => one.path !== path && isWithin(one.path, path))
    const store: UnderStore = await stores.get(mount)
    if (nested || store.changes === undefined) return undefined
    const since = course.syncs % MOST_FEEDS === 0 ? undefined : course.cursor
    const feed = await store.changes(below, since === undefined ? {} : { cursor: since })
    course.cursor = feed.cursor
    if (since === undefined || feed.incomplete === true) return undefined
    const directories = new Set<string>()
    for (const changed of feed.paths) {
      // The nearest directory that is known: what is missing between is found in it.
      let directory = parentPath(joinPath(mount.path, changed))
      while (!namespace.inode(directory)?.record.directory && directory !== path)
        directory = parentPath(directory)
      if (isWithin(directory, path)) directories.add(directory)
      if (directories.size > MAX_DIRECTORIES) return undefined
    }
    return directories
  }
}

function changesOf({ added, updated, removed }: { added: number; updated: number; removed: number }): number {
  return added + updated + removed
}
