/** Faults drawn from a runtime's random numbers: with a seeded runtime the same faults come again. Tests and simulation only. */
import { AlluxioError, type Runtime, sleep } from '../../core/index.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { around, type ChunkSource, iterable, type UfsCall, writerAround } from './around.ts'
import { THROTTLED } from './retry-policy.ts'

/** Rates are probabilities a call (or a read) in 0 … 1. */
export interface FaultOptions {
  /** UNAVAILABLE before the call is made. */
  readonly errorRate?: number
  /** UNAVAILABLE after the call has taken effect: its answer is lost. */
  readonly lostAnswerRate?: number
  /** RESOURCE_EXHAUSTED, THROTTLED. */
  readonly throttleRate?: number
  /** The call never answers. */
  readonly hangRate?: number
  /** A read breaks after some of its bytes. */
  readonly brokenReadRate?: number
  /** A read ends early as if it were complete: what no retry can see, checksums must. */
  readonly truncatedReadRate?: number
  /** A status carries another fingerprint than the file has. */
  readonly wrongFingerprintRate?: number
  /** Uniform delay of every call, milliseconds. */
  readonly delayMs?: readonly [least: number, most: number]
}

export function faultLayer(store: UnderStore, options: FaultOptions, runtime: Runtime): UnderStore {
  const drawn = (rate: number | undefined) => rate !== undefined && rate > 0 && runtime.random() < rate
  const before = async (call: Pick<UfsCall, 'operation' | 'path' | 'signal'>): Promise<void> => {
    if (options.delayMs !== undefined) {
      const [least, most] = options.delayMs
      await sleep(runtime, least + runtime.random() * (most - least), call.signal)
    }
    if (drawn(options.hangRate)) await never(call.signal)
    if (drawn(options.throttleRate)) {
      throw new AlluxioError('RESOURCE_EXHAUSTED', `${call.operation} ${call.path}: injected throttling`, {
        reason: THROTTLED,
      })
    }
    if (drawn(options.errorRate)) throw injected(call.operation, call.path, 'error')
  }
  return around(store, {
    async call(call, run) {
      await before(call)
      const result = await run(call.signal)
      if (call.operation !== 'create' && drawn(options.lostAnswerRate)) {
        throw injected(call.operation, call.path, 'lost answer')
      }
      if (call.operation === 'status' && drawn(options.wrongFingerprintRate)) {
        return { ...result, fingerprint: `wrong-${Math.floor(runtime.random() * 1e9)}` }
      }
      return result
    },
    read: (path, read, open) =>
      iterable(() => {
        const broken = drawn(options.brokenReadRate)
        const truncated = !broken && drawn(options.truncatedReadRate)
        const least = Math.min(read.length, 2 ** 40)
        const cut = broken || truncated ? Math.floor(runtime.random() * least) : Number.POSITIVE_INFINITY
        return new FaultyRead(path, read, open, before, cut, broken)
      }),
    write: (path, writer) =>
      writerAround(writer, async (kind, _bytes, run) => {
        if (kind !== 'abort') await before({ operation: 'create', path, signal: undefined })
        const result = await run()
        if (kind === 'close' && drawn(options.lostAnswerRate)) throw injected('create', path, 'lost answer')
        return result
      }),
  })
}

function injected(operation: string, path: string, what: string): AlluxioError {
  return new AlluxioError('UNAVAILABLE', `${operation} ${path}: injected ${what}`, {
    reason: 'INJECTED',
    operation,
  })
}

function never(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

class FaultyRead implements ChunkSource {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #open: UnderStore['open']
  readonly #before: (call: Pick<UfsCall, 'operation' | 'path' | 'signal'>) => Promise<void>
  readonly #broken: boolean
  #left: number
  #inner: AsyncIterator<Uint8Array> | undefined

  constructor(
    path: string,
    options: UfsReadOptions,
    open: UnderStore['open'],
    before: (call: Pick<UfsCall, 'operation' | 'path' | 'signal'>) => Promise<void>,
    cut: number,
    broken: boolean,
  ) {
    this.#path = path
    this.#options = options
    this.#open = open
    this.#before = before
    this.#left = cut
    this.#broken = broken
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#inner === undefined) {
      await this.#before({ operation: 'open', path: this.#path, signal: this.#options.signal })
      this.#inner = this.#open(this.#path, this.#options)[Symbol.asyncIterator]()
    }
    if (this.#left <= 0) {
      await this.return()
      if (this.#broken) throw injected('open', this.#path, 'broken body')
      return { done: true, value: undefined }
    }
    const result = await this.#inner.next()
    if (result.done === true) return result
    const value = result.value.length > this.#left ? result.value.subarray(0, this.#left) : result.value
    this.#left -= value.length
    return { done: false, value }
  }

  async return(): Promise<void> {
    await this.#inner?.return?.()
  }
}
