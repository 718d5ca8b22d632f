/**
 * Bytes of one block on their way from its source. Every extent is fetched once however many wait for it; those who wait get the
 * bytes as soon as the extent is whole, while it is being written.
 */
import { PAGE_BYTES } from '../arrow/index.ts'
import { AlluxioError } from '../core/index.ts'
import type { StoreMetrics } from './metrics.ts'
import type { BlockBytes, BlockFetch } from './types.ts'

/** Where fetched extents go. */
export interface FillSink {
  /** Whether the extent can be read from the tier. */
  has(extent: number): boolean
  /** Bytes of present extents; undefined when they turned out bad, and are missing now. */
  read(offset: number, length: number): BlockBytes | Promise<BlockBytes | undefined> | undefined
  /**
   * Keeps an extent if it can; `pages` is filled up with zeros to whole pages. Never throws.
   * @returns whether it was kept
   */
  write(extent: number, pages: Uint8Array): Promise<boolean>
}

export interface FillSource {
  readonly fetch: BlockFetch
  readonly rangeBytes: number
  readonly rangeParallelism: number
}

/** One ranged request. It is cancelled when nobody holds it any more. */
export class Run {
  readonly first: number
  readonly count: number
  readonly controller = new AbortController()
  holders = 0
  /** Extents that have come. */
  arrived = 0
  failed = false
  done = false

  constructor(first: number, count: number) {
    this.first = first
    this.count = count
  }
}

interface Pending {
  readonly run: Run
  /** It has come and is being written. */
  arrived: boolean
  readonly promise: Promise<Buffer>
  resolve(pages: Buffer): void
  reject(error: unknown): void
}

export class Fill {
  readonly length: number
  readonly extentBytes: number
  readonly extents: number
  readonly sink: FillSink
  readonly #metrics: StoreMetrics
  readonly #pending = new Map<number, Pending>()
  /** Called when nothing is under way. */
  readonly #idle: () => void
  #runs = 0
  readonly #waiters: (() => void)[] = []

  constructor(
    options: { readonly length: number; readonly extentBytes: number },
    modules: { readonly sink: FillSink; readonly metrics: StoreMetrics; readonly idle: () => void },
  ) {
    this.length = options.length
    this.extentBytes = options.extentBytes
    this.extents = Math.ceil(options.length / options.extentBytes)
    this.sink = modules.sink
    this.#metrics = modules.metrics
    this.#idle = modules.idle
  }

  /** Whether requests are under way. */
  get busy(): boolean {
    return this.#runs > 0
  }

  /** Resolves when no request is under way and what came is written. */
  settled(): Promise<void> {
    if (this.#runs === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  extentOf(offset: number): number {
    return Math.floor(offset / this.extentBytes)
  }

  extentLength(extent: number): number {
    return Math.min(this.extentBytes, this.length - extent * this.extentBytes)
  }

  /** Whether the extent is neither here nor coming. */
  lacks(extent: number): boolean {
    return !this.#pending.has(extent) && !this.sink.has(extent)
  }

  /** Starts fetching what is missing of extents `first` … `end - 1`, neighbours in one request. */
  start(first: number, end: number, source: FillSource): Run[] {
    const runs: Run[] = []
    for (let i = first; i < end; i++) {
      if (!this.lacks(i)) continue
      let stop = i + 1
      while (stop < end && this.lacks(stop)) stop++
      runs.push(this.#begin(i, stop - i, source))
      i = stop - 1
    }
    return runs
  }

  #begin(first: number, count: number, source: FillSource): Run {
    const run = new Run(first, count)
    for (let i = first; i < first + count; i++) {
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
      promise.catch(() => {})
      this.#pending.set(i, { run, arrived: false, promise, resolve, reject })
    }
    this.#runs++
    this.#fetch(run, source)
      .catch((error: unknown) => this.#fail(run, error))
      .finally(() => {
        run.done = true
        if (run.holders === 0) this.#forget(run)
        this.#runs--
        if (this.#runs > 0) return
        this.#idle()
        for (const resolve of this.#waiters.splice(0)) resolve()
      })
    return run
  }

  hold(run: Run): void {
    run.holders++
  }

  /** Lets go of a run that may go on by itself. */
  leave(run: Run): void {
    run.holders--
    if (run.holders === 0 && run.done) this.#forget(run)
  }

  /** Lets go of a run that is of no use if nobody else waits for it. */
  release(run: Run): void {
    this.leave(run)
    if (run.holders > 0 || run.done || run.arrived === run.count) return
    const cancelled = new AlluxioError('CANCELLED', 'nobody waits for these bytes any more')
    // At once, so that a reader who comes now starts afresh instead of sharing the cancellation.
    this.#fail(run, cancelled)
    run.controller.abort(cancelled)
  }

  /** Cancels everything: the store stops, or the block is dropped. */
  cancel(reason: AlluxioError): void {
    for (const { run } of [...this.#pending.values()]) {
      this.#fail(run, reason)
      run.controller.abort(reason)
    }
  }

  /** Extents that could not be kept stay in memory while someone who asked for them has not come by. */
  #forget(run: Run): void {
    for (let i = run.first; i < run.first + run.count; i++) {
      if (this.#pending.get(i)?.run === run) this.#pending.delete(i)
    }
  }

  #fail(run: Run, error: unknown): void {
    run.failed = true
    for (let i = run.first; i < run.first + run.count; i++) {
      const pending = this.#pending.get(i)
      if (pending?.run !== run || pending.arrived) continue
      this.#pending.delete(i)
      pending.reject(error)
    }
  }

  async #fetch(run: Run, source: FillSource): Promise<void> {
    const offset = run.first * this.extentBytes
    const end = run.first + run.count
    const length = Math.min(run.count * this.extentBytes, this.length - offset)
    this.#metrics.fetches.add()
    let extent = run.first
    let pages = new ExtentPages(this.extentLength(extent))
    for await (const chunk of source.fetch(offset, length, run.controller.signal)) {
      this.#metrics.fetchedBytes.add(chunk.length)
      let at = 0
      while (at < chunk.length) {
        if (extent === end) throw wrongLength(length + 1, length)
        at = pages.add(chunk, at)
        if (!pages.whole) continue
        await this.#complete(run, extent, pages.bytes)
        if (++extent < end) pages = new ExtentPages(this.extentLength(extent))
      }
    }
    if (extent < end) throw wrongLength(extent * this.extentBytes + pages.filled - offset, length)
  }

  async #complete(run: Run, extent: number, pages: Buffer): Promise<void> {
    const found = this.#pending.get(extent)
    const pending = found?.run === run ? found : undefined
    run.arrived++
    if (pending !== undefined) {
      pending.arrived = true
      pending.resolve(pages)
    }
    const kept = await this.sink.write(extent, pages)
    if ((kept || run.failed) && pending !== undefined && this.#pending.get(extent) === pending)
      this.#pending.delete(extent)
  }

  /**
   * The bytes from `at` to `end` or to the end of the extent, if it is here or coming; undefined when it has to be started.
   * @throws what the fetch throws; the signal's reason
   */
  async piece(at: number, end: number, signal: AbortSignal | undefined): Promise<BlockBytes | undefined> {
    const extent = this.extentOf(at)
    const first = extent * this.extentBytes
    const stop = Math.min(end, first + this.extentLength(extent))
    const pending = this.#pending.get(extent)
    if (pending !== undefined) {
      this.hold(pending.run)
      try {
        const pages = await unlessAborted(pending.promise, signal)
        return { bytes: pages.subarray(at - first, stop - first), from: 'UFS' }
      } finally {
        this.release(pending.run)
      }
    }
    if (!this.sink.has(extent)) return undefined
    return this.sink.read(at, stop - at)
  }
}

/**
 * The pages of one extent as they come. A source that reads into memory with room for the whole extent, and goes on there,
 * has nothing copied: its memory becomes the pages.
 */
class ExtentPages {
  readonly #length: number
  filled = 0
  #pages: Buffer | undefined
  #own = false

  constructor(length: number) {
    this.#length = length
  }

  get whole(): boolean {
    return this.filled === this.#length
  }

  /** Filled up with zeros to whole pages; of a whole extent. */
  get bytes(): Buffer {
    return this.#pages!
  }

  /** Takes what belongs here of a chunk from `at` on. @returns where the rest begins */
  add(chunk: Uint8Array, at: number): number {
    const n = Math.min(chunk.length - at, this.#length - this.filled)
    if (!this.#fits(chunk, at)) {
      if (!this.#own) this.#copyOut()
      this.#pages!.set(at === 0 && n === chunk.length ? chunk : chunk.subarray(at, at + n), this.filled)
    }
    this.filled += n
    return at + n
  }

  /** Whether the chunk stands where these pages go on, in memory that is not ours and only read. */
  #fits({ buffer, byteOffset }: Uint8Array, at: number): boolean {
    const start = byteOffset + at
    if (this.#pages === undefined) {
      if (this.#length % PAGE_BYTES !== 0 || start + this.#length > buffer.byteLength) return false
      this.#pages = Buffer.from(buffer as ArrayBuffer, start, this.#length)
      return true
    }
    return !this.#own && this.#pages.buffer === buffer && this.#pages.byteOffset + this.filled === start
  }

  #copyOut(): void {
    const own = Buffer.allocUnsafeSlow(Math.ceil(this.#length / PAGE_BYTES) * PAGE_BYTES)
    own.fill(0, this.#length)
    if (this.#pages !== undefined) own.set(this.#pages.subarray(0, this.filled))
    this.#pages = own
    this.#own = true
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

export function wrongLength(sent: number, asked: number): AlluxioError {
  return new AlluxioError(
    'DATA_LOSS',
    `the under-store sent ${sent > asked ? `more than ${asked}` : sent} bytes where ${asked} were asked for: the file changed there; load its metadata again`,
    { reason: 'SOURCE_LENGTH' },
  )
}
