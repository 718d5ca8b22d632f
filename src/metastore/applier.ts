/**
 * Brings durable batches from the journal into the tables, many in one write: a directory that a storm of creates changed in a hundred
 * batches is written once. Until then the overlay serves them. A write that is late harms nobody, the journal has it: when it does not
 * come the journal fills, and the flush that waits for room there has a deadline.
 */
import { AlluxioError, type Cancel, type Runtime } from '../core/index.ts'
import { appliedChange } from './identity.ts'
import type { Cell, Overlay } from './overlay.ts'
import type { Change, Medium } from './store.ts'

/** Changes that wait before they are written at once; fewer wait for `APPLY_DELAY_MS` at most. */
const APPLY_CHANGES = 8_000
const APPLY_DELAY_MS = 50
/** From here on no batch is taken: memory stays bounded. */
const BACKLOG_CHANGES = 100_000

export interface AppliedBatch {
  readonly number: number
  readonly cells: readonly Cell[]
}

export interface ApplierOptions {
  readonly epoch: number
  /** Last batch that the tables hold. */
  readonly appliedSeq: number
  readonly onFailure: (error: AlluxioError) => void
}

export interface ApplierModules {
  readonly runtime: Runtime
  readonly medium: Medium
  readonly overlay: Overlay
}

export class Applier {
  readonly #options: ApplierOptions
  readonly #modules: ApplierModules
  /** Last batch that the tables hold durably. */
  applied: number
  #added: number
  #waiting: AppliedBatch[] = []
  #waitingChanges = 0
  #busy = false
  #failed = false
  #timer: Cancel | undefined
  #flushes: { readonly upTo: number; readonly done: () => void }[] = []

  constructor(options: ApplierOptions, modules: ApplierModules) {
    this.#options = options
    this.#modules = modules
    this.applied = options.appliedSeq
    this.#added = options.appliedSeq
  }

  get overloaded(): boolean {
    return this.#waitingChanges >= BACKLOG_CHANGES
  }

  /** Takes a batch over, in order. */
  add(batch: AppliedBatch): void {
    this.#added = batch.number
    this.#waiting.push(batch)
    this.#waitingChanges += batch.cells.length
    if (!this.#busy) this.#next()
  }

  /** Resolves when the tables hold all that was added. */
  flush(): Promise<void> {
    if (this.#added === this.applied) return Promise.resolve()
    return new Promise((done) => {
      this.#flushes.push({ upTo: this.#added, done })
      this.#apply()
    })
  }

  #next(): void {
    if (this.#waiting.length === 0) return
    if (this.#waitingChanges >= APPLY_CHANGES || this.#flushes.length > 0) this.#apply()
    else this.#timer ??= this.#modules.runtime.after(APPLY_DELAY_MS, this.#apply)
  }

  readonly #apply = (): void => {
    this.#timer?.()
    this.#timer = undefined
    if (this.#busy || this.#failed || this.#waiting.length === 0) return
    const batches = this.#waiting
    this.#waiting = []
    this.#waitingChanges = 0
    this.#busy = true
    const last = batches[batches.length - 1]!.number
    const changes: Change[] = []
    for (const { cells } of batches) {
      // What a later batch of these replaced need not be written; one that is not among them may yet be lost.
      for (const cell of cells) if (!this.#modules.overlay.replaced(cell, last)) changes.push(cell)
    }
    changes.push(appliedChange(this.#options.epoch, last))
    this.#modules.medium.write(changes).then(
      () => {
        this.#busy = false
        if (this.#failed) return
        this.applied = last
        for (const { cells } of batches) this.#modules.overlay.drop(cells)
        const flushed = this.#flushes.filter(({ upTo }) => upTo <= last)
        this.#flushes = this.#flushes.filter(({ upTo }) => upTo > last)
        for (const { done } of flushed) done()
        this.#next()
      },
      (cause: unknown) =>
        this.#fail(
          new AlluxioError('DATA_LOSS', `the tables could not be written: ${String(cause)}`, {
            reason: 'FLUSH_FAILED',
            cause,
          }),
        ),
    )
  }

  #fail(error: AlluxioError): void {
    if (this.#failed) return
    this.#failed = true
    this.#options.onFailure(error)
  }
}
