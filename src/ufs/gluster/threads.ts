/**
 * The threads that calls of libgfapi take. Each call holds one of Node.js's pool, which also serves the daemon's own files, until
 * it comes back; a call into a volume that is gone may take its time, or never do so. So all volumes together take a part of
 * the pool only; who waits for a call is answered after a deadline; and a volume whose threads are all held by such
 * calls takes no more until one of them returns.
 */
import { AlluxioError, type Runtime } from '../../core/index.ts'
import { cancelled } from '../layers/retry-policy.ts'

/** Of the pool's four threads. */
const MOST_AT_ONCE = 3
/** Of one volume: one that is gone leaves a thread to the others. */
const MOST_OF_VOLUME = 2

/** Starts a call; `done` is called when it comes back, with the error or the result. */
type Start<T> = (done: (error: unknown, result: T) => void) => void

export interface CallOptions<T> {
  /** For messages: function and path. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
  readonly deadlineMs: number
  /** Waits even while the volume's threads are all held: what is open has to be closed some time. @default false */
  readonly patient?: boolean
  /** What to do with a result for which nobody waits any more. */
  readonly onLate?: ((result: T) => void) | undefined
}

interface Waiting {
  readonly lanes: Lanes
  readonly patient: boolean
  readonly begin: () => void
  readonly refuse: (error: AlluxioError) => void
}

export class Threads {
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly #waiting: Waiting[] = []
  #running = 0

  constructor(modules: { readonly runtime: Pick<Runtime, 'after' | 'monotonic'> }) {
    this.runtime = modules.runtime
  }

  /** Begins what waits, in order, as far as threads are free. */
  next(): void {
    for (let i = 0; i < this.#waiting.length && this.#running < MOST_AT_ONCE; ) {
      const { lanes, begin } = this.#waiting[i]!
      if (lanes.running < MOST_OF_VOLUME) {
        this.#waiting.splice(i, 1)
        this.#running++
        begin()
      } else i++
    }
  }

  returned(): void {
    this.#running--
    this.next()
  }

  enqueue(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.next()
  }

  leave(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting)
    if (at !== -1) this.#waiting.splice(at, 1)
  }

  /** Refuses all that waits for one volume. */
  refuse(lanes: Lanes, error: AlluxioError): void {
    for (const waiting of this.#waiting.filter((one) => one.lanes === lanes && !one.patient)) {
      this.leave(waiting)
      waiting.refuse(error)
    }
  }
}

/** The calls of one volume. */
export class Lanes {
  readonly #volume: string
  readonly #threads: Threads
  /** Calls past their deadline: what they are, and since when, in milliseconds. */
  readonly #stuck = new Map<symbol, { readonly what: string; readonly since: number }>()
  running = 0

  constructor(volume: string, threads: Threads) {
    this.#volume = volume
    this.#threads = threads
  }

  /** Calls that are past their deadline and have not come back. */
  get stuck(): number {
    return this.#stuck.size
  }

  /** @throws what the call fails with; TIMEOUT past the deadline; CANCELLED; UNAVAILABLE, reason CALLS_STUCK */
  run<T>(options: CallOptions<T>, start: Start<T>): Promise<T> {
    const { what, signal, deadlineMs, patient = false, onLate } = options
    if (signal?.aborted) return Promise.reject(cancelled(signal, what, ''))
    if (this.#stuck.size >= MOST_OF_VOLUME && !patient) return Promise.reject(this.#refusal())
    return new Promise<T>((resolve, reject) => {
      const { runtime } = this.#threads
      const id = Symbol(what)
      let cancelDeadline: (() => void) | undefined
      let settled = false
      const settle = () => {
        settled = true
        signal?.removeEventListener('abort', onAbort)
      }
      const fail = (error: unknown) => {
        settle()
        reject(error)
      }
      const onAbort = () => {
        this.#threads.leave(waiting)
        fail(cancelled(signal, what, ''))
      }
      const begin = () => {
        this.running++
        cancelDeadline = runtime.after(deadlineMs, () => {
          this.#stuck.set(id, { what, since: runtime.monotonic() - deadlineMs })
          if (!settled) fail(this.#late(what, deadlineMs))
          if (this.#stuck.size >= MOST_OF_VOLUME) this.#threads.refuse(this, this.#refusal())
        })
        start((error, result) => {
          cancelDeadline?.()
          this.running--
          this.#stuck.delete(id)
          if (error !== undefined) {
            if (!settled) fail(error)
          } else if (settled) onLate?.(result)
          else {
            settle()
            resolve(result)
          }
          this.#threads.returned()
        })
      }
      const waiting: Waiting = { lanes: this, patient, begin, refuse: fail }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#threads.enqueue(waiting)
    })
  }

  #late(what: string, deadlineMs: number): AlluxioError {
    return new AlluxioError(
      'TIMEOUT',
      `${what}: ${this.#volume} did not answer within ${deadlineMs / 1000} s: look at it by "gluster volume status"`,
      { details: { timeoutMs: deadlineMs } },
    )
  }

  #refusal(): AlluxioError {
    const now = this.#threads.runtime.monotonic()
    const calls = [...this.#stuck.values()].map(
      ({ what, since }) => `${what} for ${Math.round((now - since) / 1000)} s`,
    )
    return new AlluxioError(
      'UNAVAILABLE',
      `${this.#volume} has not answered ${calls.join(', ')}: nothing more is asked of it until it does; look at it by "gluster volume status"`,
      { reason: 'CALLS_STUCK', details: { stuck: this.#stuck.size } },
    )
  }
}
