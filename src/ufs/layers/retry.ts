/**
 * Retries what fails for a passing reason: UNAVAILABLE, TIMEOUT, throttling. Reads resume at the byte where they broke, in the
 * version that they began with. Writes are not retried here (a stream cannot be replayed): stores retry their parts.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { around, type ChunkSource, iterable, type UfsCall } from './around.ts'
import { cancelled, NOT_DONE, type RetryPolicy, type RetryRun, THROTTLED } from './retry-policy.ts'

export function retryLayer(store: UnderStore, policy: RetryPolicy): UnderStore {
  return around(store, {
    call: (call, run) =>
      policy.run(call.operation, call.path, call.signal, async (attempt) => {
        try {
          return await run(call.signal)
        } catch (error) {
          if (attempt > 0 && alreadyDone(call, error)) return undefined as never
          throw repeatable(call, error) ? error : once(error)
        }
      }),
    read: (path, options, open) => iterable(() => new ResumingRead(path, options, open, policy)),
  })
}

/** A delete whose first answer was lost finds nothing the second time. */
function alreadyDone(call: UfsCall, error: unknown): boolean {
  return call.operation === 'delete' && isAlluxioError(error, 'NOT_FOUND')
}

/** A rename may have happened although its answer was lost, so only a refusal to begin it is repeated. */
function repeatable(call: UfsCall, error: unknown): boolean {
  if (call.operation !== 'rename' || !isAlluxioError(error)) return true
  return error.reason === THROTTLED || error.reason === 'ECONNREFUSED' || error.details[NOT_DONE] === true
}

function once(error: unknown): unknown {
  if (!isAlluxioError(error)) return error
  return new AlluxioError(error.code, error.message, {
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    details: { ...error.details, retriesExhausted: true },
    ...(error.operation === undefined ? {} : { operation: error.operation }),
    cause: error,
  })
}

class ResumingRead implements ChunkSource {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #open: UnderStore['open']
  readonly #run: RetryRun
  #inner: AsyncIterator<Uint8Array> | undefined
  #received = 0
  #fingerprint: string | undefined
  #failed = false

  constructor(path: string, options: UfsReadOptions, open: UnderStore['open'], policy: RetryPolicy) {
    this.#path = path
    this.#options = options
    this.#open = open
    this.#run = policy.begin('open', path, options.signal)
    this.#fingerprint = options.fingerprint
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      try {
        this.#inner ??= this.#resume()
        const result = await this.#inner.next()
        if (result.done === true) return result
        this.#received += result.value.length
        if (this.#failed) {
          this.#failed = false
          this.#run.progress()
        }
        return result
      } catch (error) {
        this.#failed = true
        await this.#discard()
        // All bytes are here; that the connection broke afterwards changes nothing.
        if (this.#received > 0 && this.#received >= this.#options.length)
          return { done: true, value: undefined }
        await this.#run.failed(error)
      }
    }
  }

  async return(): Promise<void> {
    await this.#discard()
  }

  #resume(): AsyncIterator<Uint8Array> {
    const { signal } = this.#options
    if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
    const options: UfsReadOptions = {
      offset: this.#options.offset + this.#received,
      length: this.#options.length - this.#received,
      ...(this.#fingerprint === undefined ? {} : { fingerprint: this.#fingerprint }),
      ...(signal === undefined ? {} : { signal }),
      onFingerprint: (fingerprint) => this.#began(fingerprint),
    }
    return this.#open(this.#path, options)[Symbol.asyncIterator]()
  }

  #began(fingerprint: string): void {
    if (this.#received === 0) this.#options.onFingerprint?.(fingerprint)
    this.#fingerprint ??= fingerprint
  }

  /** Ends the attempt; what goes wrong while ending it no longer matters. */
  async #discard(): Promise<void> {
    const inner = this.#inner
    this.#inner = undefined
    try {
      await inner?.return?.()
    } catch {}
  }
}
