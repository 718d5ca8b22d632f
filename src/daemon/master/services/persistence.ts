/**
 * Hands queued asynchronous persists to workers and books what they report. The queue is journaled in the namespace: a
 * master that comes back hands out what is left; a worker that repeats a persist finds the finished object and does not
 * write it twice. Order per path: while a persist to a path is under way, no other is handed out for the same path.
 */
import {
  backoffMs,
  blockCount,
  blockIdOf,
  blockLength,
  type Cancel,
  type Component,
  every,
  type FileId,
  isWithin,
  joinPath,
  type Log,
  type Metrics,
  type Runtime,
} from '../../../core/index.ts'
import { type Inode, type Namespace, type PersistTask, placesOf } from '../../../namespace/index.ts'
import type { PathLocks } from './path-locks.ts'
import type { StoreChanges } from './store-changes.ts'
import type { Uploads } from './uploads.ts'
import type { Worker, WorkerCommand, WorkerRegistry } from './worker-registry.ts'

export interface PersistenceOptions {
  readonly intervalMs: number
  /** Longest wait before a failed persist is tried again. */
  readonly maxIntervalMs: number
}

export interface PersistenceModules {
  readonly namespace: Namespace
  readonly workers: WorkerRegistry
  readonly locks: PathLocks
  readonly uploads: Uploads
  readonly changes: StoreChanges
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
  /** The live workers that hold a block, by the reads service. */
  readonly places: (
    blockId: number,
    addresses: Map<number, Worker['address']>,
  ) => { workerId: number; tier: string }[]
}

interface Attempt {
  readonly taskId: number
  readonly workerId: number
  /** Namespace path and under-store target at the time of dispatch. */
  readonly path: string
  readonly sentMs: number
  readonly ended: PromiseWithResolvers<void>
}

/** Persists under way in the whole cluster, and on one worker. */
const MAX_UNDER_WAY = 512
const MAX_PER_WORKER = 32
/** A worker that reports nothing for so long is asked, or another one. */
const REPORT_TIMEOUT_MS = 10 * 60_000

export class Persistence implements Component {
  readonly name = 'persistence'
  readonly #options: PersistenceOptions
  readonly #modules: PersistenceModules
  readonly #underWay = new Map<FileId, Attempt>()
  readonly #pathsUnderWay = new Set<string>()
  readonly #perWorker = new Map<number, number>()
  readonly #retries = new Map<FileId, { attempts: number; notBeforeMs: number }>()
  readonly #done
  readonly #failed
  #nextTask = 1
  #kicked = false
  #stopped = false
  #cancel: Cancel = () => {}

  constructor(options: PersistenceOptions, modules: PersistenceModules) {
    this.#options = options
    this.#modules = modules
    this.#done = modules.metrics.counter(
      'alluxio_master_persists_total',
      'Asynchronous persists that ended well',
    )
    this.#failed = modules.metrics.counter(
      'alluxio_master_persist_failures_total',
      'Attempts to persist that failed',
    )
    modules.metrics.observe('alluxio_master_persists_under_way', 'Persists handed to workers', () => [
      [{}, this.#underWay.size],
    ])
  }

  start(): void {
    const { runtime, log } = this.#modules
    this.#cancel = every(
      runtime,
      this.#options.intervalMs,
      () => this.#schedule(),
      (error) => log.error('persist scheduling', { error }),
    )
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  /** Something was queued: do not wait for the interval. */
  kick(): void {
    if (this.#kicked || this.#stopped) return
    this.#kicked = true
    this.#modules.runtime.defer(() => {
      this.#kicked = false
      if (!this.#stopped) this.#schedule()
    })
  }

  /** Blocks may be there again: nothing waits any longer for them. */
  workerCame(): void {
    this.#retries.clear()
    this.kick()
  }

  /** What a worker had under way will not be reported: hand it out again. */
  workerGone(workerId: number): void {
    for (const [fileId, attempt] of this.#underWay)
      if (attempt.workerId === workerId) {
        // It may go on writing and tell of it later.
        this.#modules.uploads.expect(attempt.path)
        this.#release(fileId, attempt)
        void this.#forsake(fileId, attempt)
      }
    this.kick()
  }

  /** What the worker may have put where the file is no more goes: its object, and directories made for it. */
  async #forsake(fileId: FileId, { path }: Attempt): Promise<void> {
    const { namespace, changes, log } = this.#modules
    const upload = namespace.intents.uploadOf(fileId)
    if (upload?.path !== path || namespace.inodeById(fileId)?.path === path) return
    try {
      await changes.run(placesOf(upload), async () =>
        namespace.intents.uploadOf(fileId)?.id === upload.id ? upload : undefined,
      )
    } catch (error) {
      log.warn('a leftover stays in the under-store', { path, error })
    }
  }

  #schedule(): void {
    const { namespace, runtime } = this.#modules
    const now = runtime.monotonic()
    this.#expire(now)
    let after: FileId | undefined
    // Entries that cannot go now are passed over; a bounded number, so that a long queue costs little each time.
    for (let seen = 0; seen < 4096 && this.#underWay.size < MAX_UNDER_WAY; ) {
      const tasks = namespace.persistQueue({ limit: 256, ...(after === undefined ? {} : { after }) })
      if (tasks.length === 0) break
      for (const task of tasks) {
        if (this.#underWay.size >= MAX_UNDER_WAY) break
        if (this.#isDue(task, now)) this.#dispatch(task, now)
      }
      seen += tasks.length
      after = tasks.at(-1)!.fileId
    }
  }

  #isDue({ fileId, path }: PersistTask, now: number): boolean {
    if (this.#underWay.has(fileId) || this.#pathsUnderWay.has(path)) return false
    // A store in maintenance is waited for.
    if (this.#modules.namespace.resolve(path).mount.mode !== undefined) return false
    const retry = this.#retries.get(fileId)
    return (
      (retry === undefined || retry.notBeforeMs <= now) && this.#modules.locks.blocking(path) === undefined
    )
  }

  #dispatch(task: PersistTask, now: number): void {
    const { namespace, workers, places, log } = this.#modules
    const { fileId, path, record } = task
    const addresses = new Map<number, Worker['address']>()
    const held = new Map<number, number>()
    const count = blockCount(record.length, record.blockSizeBytes)
    const blocks: NonNullable<WorkerCommand['blocks']> = []
    for (let index = 0; index < count; index++) {
      const id = blockIdOf(fileId, index)
      const locations = places(id, addresses)
      // A block that nobody holds now may come back with its worker.
      if (locations.length === 0) {
        this.#later(fileId, now)
        return
      }
      for (const { workerId } of locations) held.set(workerId, (held.get(workerId) ?? 0) + 1)
      blocks.push({ id, length: blockLength(record.length, record.blockSizeBytes, index), locations })
    }
    const workerId = this.#choose(held, count)
    if (workerId === undefined) return
    const { mount, path: below } = namespace.resolve(path)
    const taskId = this.#nextTask++
    const command: WorkerCommand = {
      kind: 'PERSIST',
      taskId,
      fileId,
      blockSizeBytes: record.blockSizeBytes,
      target: { mountId: mount.mountId, path: below, length: record.length },
      blocks,
      workers: [...addresses.values()],
      mode: record.mode,
      owner: record.owner,
      group: record.group,
    }
    const attempt = { taskId, workerId, path, sentMs: now, ended: Promise.withResolvers<void>() }
    this.#underWay.set(fileId, attempt)
    this.#pathsUnderWay.add(path)
    this.#perWorker.set(workerId, (this.#perWorker.get(workerId) ?? 0) + 1)
    this.#writtenDown(task).then(
      () => {
        if (this.#underWay.get(fileId) !== attempt) return
        if (!workers.send(workerId, command)) this.#release(fileId, attempt)
      },
      (error) => {
        log.warn('a persist was not handed out', { fileId, path, error })
        this.#later(fileId, now)
        this.#release(fileId, attempt)
      },
    )
  }

  /** Whoever comes after this life of the master must know where the bytes may be. */
  async #writtenDown({ fileId, path, record: { length } }: PersistTask): Promise<void> {
    const { intents } = this.#modules.namespace
    if (intents.uploadOf(fileId)?.path !== path) await intents.begin({ op: 'upload', path, fileId, length })
  }

  /** The worker that holds the most blocks and has room; any live one for an empty file. */
  #choose(held: ReadonlyMap<number, number>, count: number): number | undefined {
    const { workers } = this.#modules
    const candidates =
      count === 0 ? [...workers.live()].map(({ address }) => [address.id as number, 0] as const) : [...held]
    return candidates
      .filter(([id]) => (this.#perWorker.get(id) ?? 0) < MAX_PER_WORKER)
      .sort(
        (a, b) => b[1] - a[1] || (this.#perWorker.get(a[0]) ?? 0) - (this.#perWorker.get(b[0]) ?? 0),
      )[0]?.[0]
  }

  /** Before a queued file goes from its path: the object goes that a worker may have put there and never told of. */
  leave({ path, record: { id, length, persistence } }: Inode): undefined | Promise<unknown> {
    if (persistence !== 'TO_BE_PERSISTED' || this.#underWay.has(id)) return undefined
    const { changes, namespace } = this.#modules
    const upload = namespace.intents.uploadOf(id)
    if (upload === undefined || !placesOf(upload).includes(path)) return undefined
    return changes.run([path], () => namespace.intents.begin({ op: 'drop', path, length }, upload.id))
  }

  /**
   * Before something else is put at a path in the store, or below it: resolves when an attempt for a file that has left has ended.
   * It may have seen what stood there then, and would replace what comes now.
   */
  strangers(path: string): undefined | Promise<void> {
    if (this.#underWay.size === 0) return undefined
    const { namespace } = this.#modules
    for (const [fileId, attempt] of this.#underWay)
      if (isWithin(attempt.path, path) && namespace.inodeById(fileId)?.path !== attempt.path)
        return attempt.ended.promise
    return undefined
  }

  /** Whether bytes are on their way to this path: what the store has there is not to be taken for a file yet. */
  isUnderWay(path: string): boolean {
    return this.#pathsUnderWay.has(path)
  }

  /** The same for a directory, which may be there only because of what is on its way below it. */
  isUnderWayBelow(path: string): boolean {
    for (const target of this.#pathsUnderWay) if (isWithin(target, path)) return true
    return false
  }

  /** A worker's report. An attempt that was given up has left an object, which goes if its file has gone. */
  async done(report: {
    taskId: number
    fileId: number
    fingerprint?: string | undefined
    error?: string | undefined
    target?: { readonly mountId: number; readonly path: string } | undefined
  }): Promise<void> {
    const { log, runtime } = this.#modules
    const fileId = report.fileId as FileId
    const attempt = this.#underWay.get(fileId)
    const written = this.#pathOf(report.target)
    if (attempt?.taskId !== report.taskId) {
      if (written !== undefined) await this.#late(fileId, written, report.fingerprint)
      return
    }
    if (report.fingerprint === undefined) {
      this.#failed.add()
      log.warn('persist failed', { fileId, path: attempt.path, error: report.error })
      if (this.#modules.namespace.inodeById(fileId) !== undefined) this.#later(fileId, runtime.monotonic())
      // Until nothing is left of it, what is there is not to be taken for a directory.
      void this.#forsake(fileId, attempt).then(() => this.#release(fileId, attempt))
      return
    }
    try {
      await this.#book(fileId, written ?? attempt.path, report.fingerprint)
      this.#retries.delete(fileId)
      this.#done.add()
    } catch (error) {
      this.#failed.add()
      log.warn('persisted, but not booked', { fileId, path: attempt.path, error })
      this.#later(fileId, runtime.monotonic())
      throw error
    } finally {
      this.#release(fileId, attempt)
      this.kick()
    }
  }

  /** The end of an attempt that was given up, or handed out by an earlier life of this master. */
  async #late(fileId: FileId, written: string, fingerprint: string | undefined): Promise<void> {
    const { namespace, uploads, changes } = this.#modules
    const inode = namespace.inodeById(fileId)
    if (fingerprint !== undefined && inode?.record.persistence === 'TO_BE_PERSISTED')
      await this.#book(fileId, written, fingerprint)
    else if (fingerprint !== undefined && inode === undefined)
      await changes.discard(written, fingerprint, fileId)
    uploads.arrived(written)
  }

  /** The bytes are in the store under the path of the dispatch: follow what happened to the file meanwhile. */
  async #book(fileId: FileId, written: string, fingerprint: string): Promise<void> {
    const { namespace, locks, changes } = this.#modules
    const where = await locks.exclusive([written], async () => {
      const now = namespace.inodeById(fileId)
      if (now?.path === written) await namespace.persisted(fileId, fingerprint)
      return now?.path
    })
    if (where === undefined) await changes.discard(written, fingerprint, fileId)
    else if (where !== written) await changes.follow(fileId, written, fingerprint)
  }

  /** Namespace path of what a worker names; undefined for a mount that has gone. */
  #pathOf(target: { readonly mountId: number; readonly path: string } | undefined): string | undefined {
    if (target === undefined) return undefined
    const mount = [...this.#modules.namespace.mounts.all()].find(({ mountId }) => mountId === target.mountId)
    return mount === undefined ? undefined : joinPath(mount.path, target.path)
  }

  #later(fileId: FileId, now: number): void {
    const attempts = (this.#retries.get(fileId)?.attempts ?? 0) + 1
    const wait = 200 + backoffMs(this.#modules.runtime, attempts, 250, this.#options.maxIntervalMs)
    this.#retries.set(fileId, { attempts, notBeforeMs: now + wait })
  }

  #expire(now: number): void {
    for (const [fileId, attempt] of this.#underWay) {
      if (now - attempt.sentMs > REPORT_TIMEOUT_MS) this.#release(fileId, attempt)
    }
  }

  #release(fileId: FileId, attempt: Attempt): void {
    if (this.#underWay.get(fileId) !== attempt) return
    this.#underWay.delete(fileId)
    this.#pathsUnderWay.delete(attempt.path)
    attempt.ended.resolve()
    this.#perWorker.set(attempt.workerId, (this.#perWorker.get(attempt.workerId) ?? 1) - 1)
  }
}
