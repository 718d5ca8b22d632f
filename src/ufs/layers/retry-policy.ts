/** When and how long a failed step is tried again. Shared by the retry layer and by stores that retry single steps. */
import {
  AlluxioError,
  backoffMs,
  isAlluxioError,
  type Log,
  type Runtime,
  sleep,
  toAlluxioError,
} from '../../core/index.ts'

/** `reason` of RESOURCE_EXHAUSTED when a store asks for patience, as against being full. */
export const THROTTLED = 'THROTTLED'
/** Mark in `details` of an error that has been retried already as long as the policy allows. */
export const RETRIES_EXHAUSTED = 'retriesExhausted'
/** Mark in `details` of an error by which the store told that it did nothing: the call may be repeated whatever it is. */
export const NOT_DONE = 'notDone'

export interface RetryOptions {
  /** Milliseconds after which a failure is final, measured from the first failure since progress was made. */
  readonly maxDurationMs: number
  readonly baseMs: number
  readonly capMs: number
}

export interface RetryModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly onRetry?: (operation: string) => void
}

/** Whether trying the same step again may help. A full disk, a wrong key or a missing file never heals by itself. */
export function isRetriable(error: unknown): boolean {
  if (!isAlluxioError(error) || error.details[RETRIES_EXHAUSTED] === true) return false
  if (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT') return true
  return error.code === 'RESOURCE_EXHAUSTED' && error.reason === THROTTLED
}

export class RetryPolicy {
  readonly #options: RetryOptions
  readonly #modules: RetryModules

  constructor(options: RetryOptions, modules: RetryModules) {
    this.#options = options
    this.#modules = modules
  }

  /** A run of failures of one step. `progress()` begins a new run. */
  begin(operation: string, path: string, signal?: AbortSignal): RetryRun {
    return new RetryRun(this.#options, this.#modules, operation, path, signal)
  }

  /** Runs `step` until it succeeds or its error is final. `step` is told the attempt, from 0. */
  async run<T>(
    operation: string,
    path: string,
    signal: AbortSignal | undefined,
    step: (attempt: number) => Promise<T>,
  ): Promise<T> {
    let run: RetryRun | undefined
    for (let attempt = 0; ; attempt++) {
      try {
        return await step(attempt)
      } catch (error) {
        run ??= this.begin(operation, path, signal)
        await run.failed(error)
      }
    }
  }
}

export class RetryRun {
  readonly #options: RetryOptions
  readonly #modules: RetryModules
  readonly #operation: string
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  #attempts = 0
  #since = 0

  constructor(
    options: RetryOptions,
    modules: RetryModules,
    operation: string,
    path: string,
    signal: AbortSignal | undefined,
  ) {
    this.#options = options
    this.#modules = modules
    this.#operation = operation
    this.#path = path
    this.#signal = signal
  }

  progress(): void {
    this.#attempts = 0
  }

  /** Waits until the next attempt is due. @throws the error itself, marked, when it is final; CANCELLED on abort. */
  async failed(error: unknown): Promise<void> {
    if (this.#signal?.aborted) throw cancelled(this.#signal, this.#operation, this.#path)
    if (!isRetriable(error)) throw error
    const { runtime, log, onRetry } = this.#modules
    const now = runtime.monotonic()
    if (this.#attempts === 0) this.#since = now
    const asked = isAlluxioError(error) ? Number(error.details.retryAfterMs ?? 0) : 0
    const wait = Math.max(
      asked,
      backoffMs(runtime, this.#attempts, this.#options.baseMs, this.#options.capMs),
    )
    if (now - this.#since + wait > this.#options.maxDurationMs) throw this.#final(error, now)
    this.#attempts++
    onRetry?.(this.#operation)
    log.debug('under-store call failed, trying again', {
      operation: this.#operation,
      path: this.#path,
      attempt: this.#attempts,
      waitMs: Math.round(wait),
      error,
    })
    try {
      await sleep(runtime, wait, this.#signal)
    } catch {
      throw cancelled(this.#signal, this.#operation, this.#path)
    }
  }

  #final(error: unknown, now: number): AlluxioError {
    const last = toAlluxioError(error)
    const seconds = ((now - this.#since) / 1000).toFixed(1)
    return new AlluxioError(last.code, `${last.message} (${this.#attempts + 1} attempts in ${seconds} s)`, {
      ...(last.reason === undefined ? {} : { reason: last.reason }),
      details: { ...last.details, [RETRIES_EXHAUSTED]: true, attempts: this.#attempts + 1 },
      operation: this.#operation,
      cause: error,
    })
  }
}

/** The error of an aborted call: the signal's reason when it is ours (a deadline), else CANCELLED. */
export function cancelled(signal: AbortSignal | undefined, operation: string, path: string): AlluxioError {
  if (isAlluxioError(signal?.reason)) return signal.reason
  return new AlluxioError('CANCELLED', `${operation} ${path} was cancelled`, {
    operation,
    cause: signal?.reason,
  })
}
