/**
 * Verifies sealed blocks in the background, oldest check first as far as one walk round the catalog tells, at a bounded rate
 * and only while nobody reads. What is bad goes to quarantine, so that it is fetched anew, or its loss is told, before a reader
 * meets it.
 *
 * Nothing of it is stored: after a restart every block is due again, and the walk begins anywhere, so that restarts do not
 * keep the same blocks from their turn.
 */
import { type BlockDisk, openBlock } from '../arrow/index.ts'
import { type Cancel, every, type Log, type Runtime, sleep } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import type { BlockEntry } from './entry.ts'
import { type Files, isDamage } from './files.ts'
import type { StoreMetrics } from './metrics.ts'

export interface ScrubberOptions {
  /** 0: off. */
  readonly bytesPerSecond: number
  /** A block is not read again before its last check is so old. */
  readonly intervalMs: number
}

interface ScrubberModules {
  readonly catalog: Catalog
  readonly files: Files
  readonly disk: BlockDisk
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: StoreMetrics
  /** Whether readers or writers want the disks now. */
  readonly isBusy: () => boolean
}

const TICK_MS = 1000
const CHUNK_BYTES = 256 * 1024
/** Opening a file is counted as so many bytes, or small blocks would cost too much at any rate. */
const OPEN_BYTES = 64 * 1024
/** Entries looked at in one tick. */
const MOST_LOOKS = 10_000
/** For so long one chunk waits for readers to be done; then it goes on, or a busy worker would never be checked. */
const PATIENCE_MS = 1000
const YIELD_MS = 20
/** Timers are no finer. */
const LEAST_SLEEP_MS = 4

export class Scrubber {
  readonly #options: ScrubberOptions
  readonly #m: ScrubberModules
  readonly #abort = new AbortController()
  readonly #startedAt: number
  #cancel: Cancel = () => {}
  #tick: Promise<void> = Promise.resolve()
  #walk: Iterator<BlockEntry> | undefined
  /** Oldest check met in the walk under way, and in the last whole one. */
  #oldestSeen = Number.POSITIVE_INFINITY
  #oldest: number
  /** When the rate allows the next chunk. */
  #nextAt = 0

  constructor(options: ScrubberOptions, modules: ScrubberModules) {
    this.#options = options
    this.#m = modules
    this.#startedAt = modules.runtime.monotonic()
    this.#oldest = this.#startedAt
  }

  /** Milliseconds since the oldest check of a block, as of the last walk; for blocks not checked yet, since the start. */
  get oldestCheckAgeMs(): number {
    return this.#m.runtime.monotonic() - this.#oldest
  }

  start(): void {
    if (this.#options.bytesPerSecond === 0) return
    const { runtime, log, catalog } = this.#m
    this.#walk = catalog.entries()[Symbol.iterator]()
    for (let skip = Math.floor(runtime.random() * catalog.sealedCount); skip > 0; skip--) this.#walk.next()
    // What was skipped is seen by the next walk; this one cannot tell which check is the oldest.
    this.#oldestSeen = this.#startedAt
    this.#nextAt = runtime.monotonic()
    this.#cancel = every(
      runtime,
      TICK_MS,
      () => {
        this.#tick = this.#round()
        return this.#tick
      },
      (error) => log.warn('scrubbing failed', { error }),
    )
  }

  async stop(): Promise<void> {
    this.#cancel()
    this.#abort.abort()
    await this.#tick.catch(() => {})
  }

  /** Checks what is due among some entries, as long as the rate makes that. */
  async #round(): Promise<void> {
    const { runtime } = this.#m
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      const entry = this.#next()
      if (entry === undefined || this.#abort.signal.aborted) return
      if (entry.state !== 'sealed') continue
      if (runtime.monotonic() - entry.checkedAt >= this.#options.intervalMs) await this.#check(entry)
      this.#oldestSeen = Math.min(this.#oldestSeen, entry.checkedAt)
    }
  }

  /** Undefined at the end of a walk. Blocks that come in the meantime are met at its end. */
  #next(): BlockEntry | undefined {
    this.#walk ??= this.#m.catalog.entries()[Symbol.iterator]()
    const { value, done } = this.#walk.next()
    if (done !== true) return value
    this.#walk = undefined
    this.#oldest = Math.max(this.#startedAt, Math.min(this.#oldestSeen, this.#m.runtime.monotonic()))
    this.#oldestSeen = Number.POSITIVE_INFINITY
    return undefined
  }

  async #check(entry: BlockEntry): Promise<void> {
    const { catalog, files, runtime, metrics } = this.#m
    const path = files.path(entry)
    try {
      await this.#verify(entry, path)
      entry.checkedAt = runtime.monotonic()
    } catch (error) {
      if (this.#abort.signal.aborted) return
      // Evicted, moved or renamed meanwhile: its present file has its turn in the next walk.
      if (!catalog.has(entry) || files.path(entry) !== path) return
      if (isDamage(error)) metrics.scrubErrors.add()
      this.#judge(entry, error)
    }
  }

  #judge(entry: BlockEntry, error: unknown): void {
    try {
      this.#m.files.readFailed(entry, error)
    } catch (unexplained) {
      entry.checkedAt = this.#m.runtime.monotonic()
      this.#m.log.warn('block could not be checked', { blockId: entry.id, error: unexplained })
    }
  }

  /** Reads the whole file through a handle of its own, which believes no seal. @throws DATA_LOSS */
  async #verify(entry: BlockEntry, path: string): Promise<void> {
    const { disk, metrics } = this.#m
    await this.#turn()
    const handle = openBlock(disk, path, { trustSeal: false })
    try {
      for (let at = 0; at < entry.length; at += CHUNK_BYTES) {
        const bytes = Math.min(CHUNK_BYTES, entry.length - at)
        if (at > 0) await this.#turn()
        await handle.read(at, bytes)
        metrics.scrubbed.add(bytes)
        const cost = at === 0 ? Math.max(bytes, OPEN_BYTES) : bytes
        this.#nextAt += (cost / this.#options.bytesPerSecond) * 1000
      }
    } finally {
      handle.close()
    }
  }

  /** Waits until the rate allows the next bytes, and while others work. */
  async #turn(): Promise<void> {
    const { runtime, isBusy } = this.#m
    const { signal } = this.#abort
    const now = runtime.monotonic()
    // What was not used is not saved up for a burst.
    this.#nextAt = Math.max(this.#nextAt, now)
    if (this.#nextAt - now > LEAST_SLEEP_MS) await sleep(runtime, this.#nextAt - now, signal)
    const patient = runtime.monotonic() + PATIENCE_MS
    while (isBusy() && runtime.monotonic() < patient) await sleep(runtime, YIELD_MS, signal)
    signal.throwIfAborted()
  }
}
