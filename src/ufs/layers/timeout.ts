/**
 * Cuts off a store that hangs: a limit for each attempt of a call, and one for the time between two chunks. The store is told
 * by its signal, and the caller is answered even if the store ignores it.
 */
import { AlluxioError, type Cancel, type Runtime } from '../../core/index.ts'
import type { UfsReadOptions, UfsWriter, UnderStore } from '../store.ts'
import { around, type ChunkSource, iterable, writerAround } from './around.ts'
import { cancelled } from './retry-policy.ts'

export interface TimeoutOptions {
  /** Milliseconds for one attempt of a short call. */
  readonly callMs: number
  /** Milliseconds between two chunks of a read, or for a write to be taken. */
  readonly stallMs: number
  /** Milliseconds for calls that may touch any number of objects, and for the end of a write. */
  readonly bulkMs: number
}

interface TimeoutModules {
  readonly runtime: Runtime
  /** What errors call the store. */
  readonly subject: string
}

export function timeoutLayer(
  store: UnderStore,
  options: TimeoutOptions,
  runtime: Runtime,
  subject = 'the under-store',
): UnderStore {
  const modules = { runtime, subject }
  return around(store, {
    call: (call, run) =>
      limited(
        modules,
        call.bulk ? options.bulkMs : options.callMs,
        call.operation,
        call.path,
        call.signal,
        run,
        call.operation === 'create' ? forsake : undefined,
      ),
    read: (path, read, open) => iterable(() => new TimedRead(path, read, open, options.stallMs, modules)),
    // A write step may retry its parts inside the store, so that only the bulk limit can judge it.
    write: (path, writer) =>
      writerAround(writer, (kind, _bytes, run) =>
        limited(modules, options.bulkMs, `create (${kind})`, path, undefined, run),
      ),
  })
}

/** A writer that nobody waits for any more would keep what it has begun. */
function forsake(writer: unknown): void {
  void (writer as UfsWriter).abort().catch(() => {})
}

function timedOut(subject: string, operation: string, path: string, ms: number): AlluxioError {
  return new AlluxioError(
    'TIMEOUT',
    `${operation} ${path || '/'}: no answer from ${subject} within ${ms / 1000} s`,
    { operation, details: { timeoutMs: ms } },
  )
}

function limited<T>(
  { runtime, subject }: TimeoutModules,
  ms: number,
  operation: string,
  path: string,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
  /** What to do with a result that comes after the call was given up. */
  onLate?: (value: T) => void,
): Promise<T> {
  if (signal?.aborted) return Promise.reject(cancelled(signal, operation, path))
  return new Promise<T>((resolve, reject) => {
    const controller = new AbortController()
    const cancelTimer = runtime.after(ms, () => {
      const error = timedOut(subject, operation, path, ms)
      settle()
      reject(error)
      controller.abort(error)
    })
    const onAbort = () => {
      settle()
      reject(cancelled(signal, operation, path))
      controller.abort(signal?.reason)
    }
    let settled = false
    const settle = () => {
      settled = true
      cancelTimer()
      signal?.removeEventListener('abort', onAbort)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    let running: Promise<T>
    try {
      running = run(controller.signal)
    } catch (error) {
      running = Promise.reject(error)
    }
    running.then(
      (value) => {
        if (settled) return onLate?.(value)
        settle()
        resolve(value)
      },
      (error: unknown) => {
        settle()
        reject(error)
      },
    )
  })
}

class TimedRead implements ChunkSource {
  readonly #path: string
  readonly #subject: string
  readonly #stallMs: number
  readonly #runtime: Runtime
  readonly #controller = new AbortController()
  readonly #inner: AsyncIterator<Uint8Array>
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: () => void
  #cancelTimer: Cancel | undefined
  #waitingSince = -1
  #reject: ((error: unknown) => void) | undefined

  constructor(
    path: string,
    options: UfsReadOptions,
    open: UnderStore['open'],
    stallMs: number,
    { runtime, subject }: TimeoutModules,
  ) {
    this.#path = path
    this.#subject = subject
    this.#stallMs = stallMs
    this.#runtime = runtime
    this.#signal = options.signal
    this.#onAbort = () => this.#fail(cancelled(this.#signal, 'open', path))
    if (options.signal?.aborted) this.#controller.abort(options.signal.reason)
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#inner = open(path, { ...options, signal: this.#controller.signal })[Symbol.asyncIterator]()
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#controller.signal.aborted) {
      this.#finish()
      return Promise.reject(cancelled(this.#controller.signal, 'open', this.#path))
    }
    return new Promise((resolve, reject) => {
      this.#reject = reject
      this.#waitingSince = this.#runtime.monotonic()
      if (this.#cancelTimer === undefined) this.#arm(this.#stallMs)
      this.#inner.next().then(
        (result) => {
          this.#waitingSince = -1
          if (result.done === true) this.#finish()
          resolve(result)
        },
        (error: unknown) => {
          this.#finish()
          reject(error)
        },
      )
    })
  }

  async return(): Promise<void> {
    this.#finish()
    this.#controller.abort(cancelled(undefined, 'open', this.#path))
    // A hanging store must not hang the reader that leaves it.
    void this.#inner.return?.()?.catch(() => {})
  }

  /** One timer a stream, armed again when it fires early: re-arming it for each chunk would cost more than the chunk. */
  #arm(ms: number): void {
    this.#cancelTimer = this.#runtime.after(
      ms,
      () => {
        this.#cancelTimer = undefined
        if (this.#waitingSince < 0) return
        const left = this.#waitingSince + this.#stallMs - this.#runtime.monotonic()
        if (left > 0.5) this.#arm(left)
        else this.#fail(timedOut(this.#subject, 'open', this.#path, this.#stallMs))
      },
      true,
    )
  }

  #fail(error: AlluxioError): void {
    this.#finish()
    this.#reject?.(error)
    this.#controller.abort(error)
    void this.#inner.return?.()?.catch(() => {})
  }

  #finish(): void {
    this.#waitingSince = -1
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
