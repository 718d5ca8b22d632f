/**
 * A RecordStore of tables with a journal in front: one open batch that takes every commit, at most one batch being flushed. What
 * arrives while a flush runs goes into the next one. Only the journal's promise makes a batch durable, and it has a deadline: a
 * flush that fails or is late calls `onFatal` once and is never retried, because after a failed fsync nobody knows what the disk
 * holds (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020). The applier brings it into the tables later.
 */
import { AlluxioError, assert, type Cancel, type Metrics, type Runtime } from '../core/index.ts'
import { Applier } from './applier.ts'
import { claim, type Identity, isNew } from './identity.ts'
import { Journal, type JournalDevice } from './journal.ts'
import { type Cell, Overlay } from './overlay.ts'
import type { Change, Medium, RangeOptions, RecordStore, Row, RowVisitor, Table } from './store.ts'

export interface GroupCommitOptions {
  /** Longest that a flush may take, ms. */
  readonly flushTimeoutMs: number
  /** Commits are refused while the disk has fewer bytes free. */
  readonly reserveBytes: number
  /** Durability can no longer be promised: the process must end. Called at most once. */
  readonly onFatal: (error: AlluxioError) => void
}

export interface GroupCommitModules {
  readonly runtime: Runtime
  readonly medium: Medium
  readonly device: JournalDevice
  readonly metrics?: Metrics
}

interface Batch {
  readonly number: number
  readonly cells: Cell[]
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: AlluxioError) => void
}

const FREE_CHECK_MS = 1_000
/** A commit looks itself only if nobody asked for so long: an engine that asked before it planned is not refused afterwards. */
const LATE_FREE_CHECK_MS = 5_000

export class GroupCommit implements RecordStore {
  readonly clusterId: string
  readonly epoch: number
  durableBatch: number
  version = 0
  readonly #options: GroupCommitOptions
  readonly #runtime: Runtime
  readonly #medium: Medium
  readonly #device: JournalDevice
  readonly #journal: Journal
  readonly #applier: Applier
  readonly #overlay = new Overlay()
  readonly #contributors: ((batch: number) => readonly Change[])[] = []
  readonly #flushSeconds: ReturnType<Metrics['histogram']> | undefined
  readonly #changesTotal: ReturnType<Metrics['counter']> | undefined
  #open: Batch
  #flushing: Batch | undefined
  #sealScheduled = false
  #state: 'open' | 'failed' | 'closed' = 'open'
  #refusal: AlluxioError | undefined
  #freeCheckedMs = Number.NEGATIVE_INFINITY

  constructor(options: GroupCommitOptions, modules: GroupCommitModules, identity: Identity) {
    this.#options = options
    this.#runtime = modules.runtime
    this.#medium = modules.medium
    this.#device = modules.device
    const { clusterId, epoch, appliedSeq } = identity
    this.clusterId = clusterId
    this.epoch = epoch
    this.durableBatch = appliedSeq
    this.#journal = new Journal({ epoch }, modules)
    this.#applier = new Applier(
      { epoch, appliedSeq, onFailure: (error) => this.#fail(error) },
      { runtime: modules.runtime, medium: modules.medium, overlay: this.#overlay },
    )
    this.#open = newBatch(identity.appliedSeq + 1)
    this.#flushSeconds = modules.metrics?.histogram(
      'alluxio_master_metastore_flush_seconds',
      'Time from sealing a batch to its durability.',
    )
    this.#changesTotal = modules.metrics?.counter(
      'alluxio_master_metastore_changes_total',
      'Records written or deleted.',
    )
  }

  get openBatch(): number {
    return this.#open.number
  }

  get readBatch(): number {
    return this.#overlay.readBatch
  }

  set readBatch(batch: number) {
    this.#overlay.readBatch = batch
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    if (this.#overlay.size > 0) {
      const pending = this.#overlay.get(table, key)
      if (pending !== undefined) return pending ?? undefined
    }
    return this.#medium.get(table, key)
  }

  range(table: Table, options: RangeOptions): Iterable<Row> {
    if (this.#overlay.size === 0 || !this.#overlay.touches(table, options)) {
      return this.#medium.range(table, options)
    }
    return this.#overlay.merge(table, options, (below) => this.#medium.range(table, below))
  }

  scan(table: Table, options: RangeOptions, visit: RowVisitor): void {
    if (this.#overlay.size === 0 || !this.#overlay.touches(table, options)) {
      this.#medium.scan(table, options, visit)
      return
    }
    visitRows(this.range(table, options), visit)
  }

  commit(changes: readonly Change[]): Promise<void> {
    const refusal = this.#refusalKnown(LATE_FREE_CHECK_MS)
    if (refusal !== undefined) return Promise.reject(refusal)
    if (changes.length === 0) return this.durable()
    this.#add(changes)
    const { promise } = this.#open
    if (!this.#sealScheduled && this.#flushing === undefined) {
      this.#sealScheduled = true
      this.#runtime.defer(this.#sealNow)
    }
    return promise
  }

  refusal(): AlluxioError | undefined {
    return this.#refusalKnown(FREE_CHECK_MS)
  }

  #refusalKnown(maxAgeMs: number): AlluxioError | undefined {
    if (this.#state !== 'open') {
      return new AlluxioError('UNAVAILABLE', `the metadata store is ${this.#state}: no change is accepted`)
    }
    const now = this.#runtime.monotonic()
    if (now - this.#freeCheckedMs > maxAgeMs) {
      this.#freeCheckedMs = now
      const free = this.#medium.freeBytes()
      this.#refusal =
        free >= this.#options.reserveBytes
          ? undefined
          : new AlluxioError(
              'RESOURCE_EXHAUSTED',
              `the disk of the metadata store has ${free} bytes free, fewer than the reserve of ${this.#options.reserveBytes}: free some, changes are then accepted again`,
              { reason: 'METASTORE_RESERVE' },
            )
    }
    return this.#refusal
  }

  beforeSeal(contribute: (batch: number) => readonly Change[]): void {
    this.#contributors.push(contribute)
  }

  durable(batch: number = this.#open.number): Promise<void> {
    if (batch <= this.durableBatch) return Promise.resolve()
    if (this.#flushing !== undefined && batch <= this.#flushing.number) return this.#flushing.promise
    if (this.#open.cells.length > 0) return this.#open.promise
    return this.#flushing?.promise ?? Promise.resolve()
  }

  stats(): { readonly diskBytes: number; readonly entries: number } {
    return this.#medium.stats()
  }

  /** Waits for what was committed. A failed store is left alone: its process is about to end. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    if (this.#state === 'open') await this.durable()
    if (this.#state === 'open') await this.#applier.flush()
    this.#state = 'closed'
    await this.#device.close()
    await this.#medium.close()
  }

  #add(changes: readonly Change[]): void {
    const batch = this.#open
    this.version++
    for (const change of changes) {
      const cell = this.#overlay.put(change, batch.number)
      if (cell !== undefined) batch.cells.push(cell)
    }
  }

  readonly #sealNow = (): void => {
    this.#sealScheduled = false
    if (this.#state !== 'open' || this.#flushing !== undefined || this.#open.cells.length === 0) return
    const batch = this.#open
    for (const contribute of this.#contributors) this.#add(contribute(batch.number))
    this.#open = newBatch(batch.number + 1)
    this.#flushing = batch
    this.#changesTotal?.add(batch.cells.length)
    this.#flush(batch)
  }

  #flush(batch: Batch): void {
    const { flushTimeoutMs } = this.#options
    const startedMs = this.#runtime.monotonic()
    const late: Cancel = this.#runtime.after(
      flushTimeoutMs,
      () =>
        this.#fail(
          new AlluxioError(
            'TIMEOUT',
            `the flush of metadata batch ${batch.number} did not end within ${flushTimeoutMs} ms: durability can no longer be promised`,
            { reason: 'FLUSH_TIMEOUT' },
          ),
        ),
      true,
    )
    this.#write(batch).then(
      () => {
        late()
        if (this.#state === 'failed') return
        this.#flushSeconds?.observe((this.#runtime.monotonic() - startedMs) / 1000)
        this.#done(batch)
      },
      (cause: unknown) => {
        late()
        this.#fail(
          new AlluxioError(
            'DATA_LOSS',
            `the flush of metadata batch ${batch.number} failed: ${String(cause)}`,
            {
              reason: 'FLUSH_FAILED',
              cause,
            },
          ),
        )
      },
    )
  }

  /** Makes a batch durable in the journal; one that does not fit there, in the tables. */
  #write(batch: Batch): Promise<void> {
    const applier = this.#applier
    const written = applier.overloaded
      ? 'full'
      : this.#journal.append(batch.number, batch.cells, applier.applied)
    if (written === 'full') return applier.flush().then(() => this.#write(batch))
    if (written === 'too large') {
      applier.add(batch)
      return applier.flush()
    }
    return written.then(() => applier.add(batch))
  }

  #done(batch: Batch): void {
    assert(this.#flushing === batch, 'only the batch in flight can end')
    this.#flushing = undefined
    this.durableBatch = batch.number
    batch.resolve()
    this.#sealNow()
  }

  #fail(error: AlluxioError): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#options.onFatal(error)
  }
}

/**
 * Opens tables and their journal: applies what only the journal holds and begins a new epoch.
 * @throws as `claim`
 */
export async function openGroupCommit(
  options: GroupCommitOptions & { readonly clusterId?: string | undefined },
  modules: Omit<GroupCommitModules, 'device'> & {
    readonly openJournal: (newTables: boolean) => JournalDevice
  },
): Promise<GroupCommit> {
  const { medium, runtime, openJournal } = modules
  let device: JournalDevice | undefined
  try {
    device = openJournal(isNew(medium))
    const identity = await claim({ medium, device, runtime }, options.clusterId)
    return new GroupCommit(options, { ...modules, device }, identity)
  } catch (error) {
    await device?.close()
    await medium.close()
    throw error
  }
}

/** Shows rows that have memory of their own to a visitor. */
export function visitRows(rows: Iterable<Row>, visit: RowVisitor): void {
  for (const { key, value } of rows) if (!visit(key, 0, key.length, value, value.length)) return
}

function newBatch(number: number): Batch {
  let resolve: () => void = () => {}
  let reject: (error: AlluxioError) => void = () => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { number, cells: [], promise, resolve, reject }
}
