/** Limits of calls and bytes a second to one store, by token buckets that hold one second's worth. */
import { type Runtime, sleep } from '../../core/index.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { around, type ChunkSource, iterable, writerAround } from './around.ts'
import { cancelled } from './retry-policy.ts'

export interface LimitOptions {
  /** 0: no limit, here and below. */
  readonly callsPerSecond: number
  readonly readBytesPerSecond: number
  readonly writeBytesPerSecond: number
}

/** Refills continuously; may go into debt, so that a chunk larger than the bucket passes and the next one waits. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #runtime: Runtime
  #tokens: number
  #at: number

  constructor(perSecond: number, runtime: Runtime) {
    this.#perSecond = perSecond
    this.#runtime = runtime
    this.#tokens = perSecond
    this.#at = runtime.monotonic()
  }

  /** Takes `n` tokens and says how many milliseconds the taker must wait for them. */
  take(n: number): number {
    const now = this.#runtime.monotonic()
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    this.#tokens -= n
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000
  }
}

export function limitLayer(store: UnderStore, options: LimitOptions, runtime: Runtime): UnderStore {
  const bucket = (perSecond: number) => (perSecond > 0 ? new TokenBucket(perSecond, runtime) : undefined)
  const calls = bucket(options.callsPerSecond)
  const reads = bucket(options.readBytesPerSecond)
  const writes = bucket(options.writeBytesPerSecond)
  if (calls === undefined && reads === undefined && writes === undefined) return store
  const wait = async (by: TokenBucket | undefined, n: number, path: string, signal?: AbortSignal) => {
    const ms = by?.take(n) ?? 0
    if (ms === 0) return
    await sleep(runtime, ms, signal).catch(() => {
      throw cancelled(signal, 'wait for the rate limit of', path)
    })
  }
  return around(store, {
    async call(call, run) {
      await wait(calls, 1, call.path, call.signal)
      return run(call.signal)
    },
    read: (path, read, open) =>
      iterable(
        () =>
          new LimitedRead(
            path,
            read,
            open,
            () => wait(calls, 1, path, read.signal),
            (n) => wait(reads, n, path, read.signal),
          ),
      ),
    write: (path, writer) =>
      writerAround(writer, async (kind, bytes, run) => {
        if (kind === 'write') await wait(writes, bytes, path)
        return run()
      }),
  })
}

class LimitedRead implements ChunkSource {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #open: UnderStore['open']
  readonly #begin: () => Promise<void>
  readonly #pass: (bytes: number) => Promise<void>
  #inner: AsyncIterator<Uint8Array> | undefined

  constructor(
    path: string,
    options: UfsReadOptions,
    open: UnderStore['open'],
    begin: () => Promise<void>,
    pass: (bytes: number) => Promise<void>,
  ) {
    this.#path = path
    this.#options = options
    this.#open = open
    this.#begin = begin
    this.#pass = pass
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#inner === undefined) {
      await this.#begin()
      this.#inner = this.#open(this.#path, this.#options)[Symbol.asyncIterator]()
    }
    const result = await this.#inner.next()
    if (result.done !== true) await this.#pass(result.value.length)
    return result
  }

  async return(): Promise<void> {
    await this.#inner?.return?.()
  }
}
