/** Syncs that run in the master: one a path and kind at a time, some paths at once, watched and cancelled from outside. */
import {
  AlluxioError,
  type Component,
  isAlluxioError,
  type Log,
  type Metrics,
  type Runtime,
  sleep,
  toAlluxioError,
} from '../../../../core/index.ts'
import type { SyncTally } from './differences.ts'
import { type SyncRequest, SyncRun, type SyncRunModules } from './sync-run.ts'
import type { SyncTimes } from './sync-times.ts'

export type SyncState = 'WAITING' | 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED'

export interface SyncJob extends SyncRequest, Readonly<SyncTally> {
  readonly id: number
  readonly state: SyncState
  readonly startedMs: number
  /** 0 until it has ended. */
  readonly endedMs: number
  readonly error: AlluxioError | undefined
  /** Paths of the namespace that the store had otherwise, or not at all. */
  readonly inconsistent: number
}

export interface SyncJobsModules extends SyncRunModules {
  readonly times: SyncTimes
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

const AT_ONCE = 4
/** Ended ones that can still be asked for, and inconsistent paths that one names. */
const MAX_ENDED = 100
const MAX_PATHS = 100_000

export class SyncJobs implements Component {
  readonly name = 'metadata-sync'
  readonly #options: { readonly blockSizeBytes: number }
  readonly #modules: SyncJobsModules
  readonly #jobs = new Map<number, Job>()
  readonly #queue: Job[] = []
  readonly #changes
  readonly #failures
  #running = 0
  #nextId = 1

  constructor(options: { readonly blockSizeBytes: number }, modules: SyncJobsModules) {
    this.#options = options
    this.#modules = modules
    const { metrics } = modules
    this.#changes = metrics.counter(
      'alluxio_master_sync_changes_total',
      'Inodes that a metadata sync added, changed or removed',
    )
    this.#failures = metrics.counter('alluxio_master_sync_failures_total', 'Metadata syncs that failed')
    metrics.observe('alluxio_master_syncs_running', 'Metadata syncs under way', () => [[{}, this.#running]])
  }

  start(): void {}

  stop(): void {
    for (const job of this.#jobs.values()) job.cancel('the master is stopping')
  }

  /** Begins a sync, or joins the same one that is not over. */
  begin(request: SyncRequest): SyncJob {
    for (const job of this.#jobs.values()) if (!job.isOver && isSame(job, request)) return job
    const job = new Job(this.#nextId++, request, this.#modules.runtime)
    this.#jobs.set(job.id, job)
    this.#forget()
    this.#queue.push(job)
    this.#next()
    return job
  }

  /** Latest last. */
  all(): readonly SyncJob[] {
    return [...this.#jobs.values()]
  }

  /** @throws NOT_FOUND */
  get(id: number): SyncJob {
    return this.#job(id)
  }

  /** Inconsistent paths that were found, from the one with this index on. */
  paths(id: number, from: number, limit: number): readonly string[] {
    return this.#job(id).paths.slice(from, from + limit)
  }

  /** Resolves when the sync is over, or after this time. Never throws but NOT_FOUND. */
  async wait(id: number, ms: number): Promise<SyncJob> {
    const job = this.#job(id)
    if (ms > 0 && !job.isOver) {
      const waiting = new AbortController()
      await Promise.race([job.over, sleep(this.#modules.runtime, ms, waiting.signal).catch(() => {})])
      waiting.abort()
    }
    return job
  }

  cancel(id: number): void {
    this.#job(id).cancel('it was cancelled')
    this.#next()
  }

  /** Runs a sync to its end. @throws what ended it */
  async run(request: SyncRequest): Promise<SyncJob> {
    const job = this.#job(this.begin(request).id)
    await job.over
    if (job.error !== undefined) throw job.error
    return job
  }

  #job(id: number): Job {
    const job = this.#jobs.get(id)
    if (job !== undefined) return job
    throw new AlluxioError(
      'NOT_FOUND',
      `there is no metadata sync ${id}: the master has been restarted since, or it ended long ago; begin it again`,
      { reason: 'SYNC_FORGOTTEN' },
    )
  }

  #next(): void {
    while (this.#running < AT_ONCE) {
      const job = this.#queue.shift()
      if (job === undefined) return
      if (job.isOver) continue
      this.#running++
      void this.#carryOut(job).finally(() => {
        this.#running--
        this.#next()
      })
    }
  }

  async #carryOut(job: Job): Promise<void> {
    const { namespace, times, runtime, log } = this.#modules
    const { path, recursive, force, dry } = job
    job.state = 'RUNNING'
    const startedMs = runtime.now()
    const { signal } = job
    const onInconsistent = (found: string) => {
      if (job.inconsistent++ < MAX_PATHS) job.paths.push(found)
    }
    const options = { path, recursive, force, dry, ...this.#options }
    try {
      await new SyncRun(options, this.#modules, { tally: job, signal, onInconsistent }).run()
      if (!dry && recursive && force) times.synced(path, startedMs)
      if (!dry) await namespace.markStale(path, false)
      job.end('DONE')
    } catch (error) {
      const cancelled = signal.aborted
      if (!cancelled) {
        this.#failures.add()
        log.warn('metadata sync failed', { path, error })
        if (!dry && !isAlluxioError(error, 'NOT_FOUND')) await namespace.markStale(path, true).catch(() => {})
      }
      job.end(cancelled ? 'CANCELLED' : 'FAILED', cancelled ? signal.reason : error)
    }
    this.#changes.add(job.added + job.updated + job.removed)
    log.info('metadata sync ended', { ...describe(job), seconds: (runtime.now() - startedMs) / 1000 })
  }

  #forget(): void {
    let ended = 0
    for (const job of this.#jobs.values()) if (job.isOver) ended++
    for (const job of this.#jobs.values()) {
      if (ended <= MAX_ENDED) return
      if (!job.isOver) continue
      this.#jobs.delete(job.id)
      ended--
    }
  }
}

class Job implements SyncJob {
  readonly id: number
  readonly path: string
  readonly recursive: boolean
  readonly force: boolean
  readonly dry: boolean
  readonly startedMs: number
  readonly paths: string[] = []
  state: SyncState = 'WAITING'
  endedMs = 0
  error: AlluxioError | undefined
  inconsistent = 0
  pages = 0
  entries = 0
  added = 0
  updated = 0
  removed = 0
  passed = 0
  readonly #runtime: Runtime
  readonly #stop = new AbortController()
  readonly #over = Promise.withResolvers<void>()

  constructor(id: number, { path, recursive, force, dry }: SyncRequest, runtime: Runtime) {
    this.id = id
    this.path = path
    this.recursive = recursive
    this.force = force
    this.dry = dry
    this.#runtime = runtime
    this.startedMs = runtime.now()
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  get isOver(): boolean {
    return this.endedMs !== 0
  }

  /** Resolves when it has ended, in whichever way. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  cancel(why: string): void {
    if (this.isOver) return
    const reason = new AlluxioError('CANCELLED', `metadata sync of ${this.path}: ${why}`)
    this.#stop.abort(reason)
    if (this.state === 'WAITING') this.end('CANCELLED', reason)
  }

  end(state: SyncState, error?: unknown): void {
    this.state = state
    this.endedMs = Math.max(1, this.#runtime.now())
    this.error = error === undefined ? undefined : toAlluxioError(error)
    this.#over.resolve()
  }
}

function isSame(job: SyncRequest, { path, recursive, force, dry }: SyncRequest): boolean {
  return job.path === path && job.recursive === recursive && job.force === force && job.dry === dry
}

function describe({
  path,
  recursive,
  force,
  dry,
  state,
  pages,
  entries,
  added,
  updated,
  removed,
  passed,
}: Job) {
  return { path, recursive, force, dry, state, pages, entries, added, updated, removed, passed }
}
