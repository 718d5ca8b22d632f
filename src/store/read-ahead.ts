/**
 * How far ahead of a reader extents are fetched. A reader that goes on in sequence gets a window that grows fourfold at each
 * extent, up to the store's best ranges in parallel; one that jumps gets what it asked for and no more.
 */
import type { Fill, FillSource, Run } from './fill.ts'

const GROWTH = 4

export interface ReadAheadOptions {
  readonly source: FillSource
  /** Last byte + 1 that may be fetched. */
  readonly end: number
  /** Whether the window begins small, because the reader may stop. */
  readonly cautious: boolean
  readonly readAheadBytes: number
}

export class ReadAhead {
  readonly #fill: Fill
  /** The latest request's: an earlier one may be tied to a call that is over. */
  source: FillSource
  readonly #endExtent: number
  readonly #rangeExtents: number
  readonly #mostWindow: number
  readonly #held: Run[] = []
  readonly #started = new Set<number>()
  #window: number
  /** Extents before this one were looked at. */
  #next = -1
  #last = -1
  /** Offset at which this reader is expected to go on (positioned reads). */
  expected = -1

  constructor(fill: Fill, options: ReadAheadOptions) {
    const { source, end, cautious, readAheadBytes } = options
    const { extentBytes } = fill
    this.#fill = fill
    this.source = source
    this.#endExtent = Math.ceil(Math.min(end, fill.length) / extentBytes)
    this.#rangeExtents = Math.max(1, Math.floor(source.rangeBytes / extentBytes))
    const most = Math.min(readAheadBytes, source.rangeBytes * (source.rangeParallelism + 1))
    this.#mostWindow = Math.max(1, Math.floor(most / extentBytes))
    this.#window = cautious ? 1 : this.#mostWindow
  }

  /** The reader is at `offset`: makes sure that its extent, and those of the window, are on their way. */
  advance(offset: number): void {
    const extent = this.#fill.extentOf(offset)
    if (this.#last >= 0 && extent > this.#last) {
      this.#window = Math.min(this.#window * GROWTH, this.#mostWindow)
    }
    this.#last = extent
    this.#leavePassed(extent)
    // Behind a jump, or a bad extent that was dropped.
    if (extent >= this.#next || this.#fill.lacks(extent)) this.#next = extent
    const limit = Math.min(this.#endExtent, extent + this.#window)
    const range = this.#range()
    while (this.#next < limit) {
      const stop = Math.min(this.#next + range, limit)
      // A range worth its request, unless the reader waits for it or it is the last one.
      if (stop - this.#next < range && this.#next > extent && stop < this.#endExtent) break
      for (const run of this.#fill.start(this.#next, stop, this.source)) {
        this.#fill.hold(run)
        this.#held.push(run)
        for (let i = run.first; i < run.first + run.count; i++) this.#started.add(i)
      }
      this.#next = stop
    }
  }

  #leavePassed(extent: number): void {
    let passed = 0
    while (passed < this.#held.length && this.#held[passed]!.first + this.#held[passed]!.count <= extent)
      passed++
    if (passed > 0) for (const run of this.#held.splice(0, passed)) this.#fill.leave(run)
  }

  /** A window is spread over the parallel requests, so that a small one already uses them. */
  #range(): number {
    const spread = Math.ceil(this.#window / this.source.rangeParallelism)
    return Math.min(this.#rangeExtents, Math.max(1, spread))
  }

  /** Whether the bytes at `offset` were fetched for this reader. */
  fetched(offset: number): boolean {
    return this.#started.has(this.#fill.extentOf(offset))
  }

  /** @param stopped whether the reader gave up: what nobody else waits for is cancelled */
  end(stopped: boolean): void {
    for (const run of this.#held.splice(0)) {
      if (stopped) this.#fill.release(run)
      else this.#fill.leave(run)
    }
  }
}
