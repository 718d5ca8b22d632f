/**
 * Bytes of blocks that are not in a tier file on this host: from a worker that holds the block, from any live worker that
 * fetches it, and only when no worker can be reached from the under-store itself. A source that fails is replaced by the next
 * one, and the bytes go on where they stopped; but what an under-store did not answer to one worker, nobody asks it again.
 */
import {
  AlluxioError,
  backoffMs,
  errorCode,
  isAlluxioError,
  type Log,
  type Runtime,
  sleep,
  toAlluxioError,
} from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'
import type { CallOptions } from '../rpc/index.ts'
import type { Doubts } from './doubts.ts'
import type { FileBlock, OpenFile } from './open-file.ts'
import { type ReadTallies, type ReadTally, sourceName } from './read-tally.ts'
import type { UfsDoor } from './ufs-door.ts'
import type { KnownWorker, Workers } from './workers.ts'

export interface Piece {
  readonly bytes: Uint8Array
  readonly tally: ReadTally
}

export interface BlockReadsOptions {
  /** Which worker fetches a block that nobody caches. */
  readonly policy: LocationPolicy
  /** How long a block whose workers are away is waited for. */
  readonly retryMs: number
}

export interface BlockReadsModules {
  readonly workers: Workers
  readonly ufs: UfsDoor
  readonly doubts: Doubts
  readonly runtime: Runtime
  readonly log: Log
}

/** Largest range that a worker answers in one payload. */
export const SHORT_READ_BYTES = 2 ** 20
const RETRY_BASE_MS = 50
const RETRY_CAP_MS = 2_000

/** One try of a read: the bytes from `at` on, reported as they come. */
type Attempt = (worker: KnownWorker) => AsyncIterable<Piece>

interface Failed {
  readonly worker: KnownWorker
  readonly error: unknown
}

export class BlockReads {
  readonly #options: BlockReadsOptions
  readonly #file: OpenFile
  readonly #tallies: ReadTallies
  readonly #modules: BlockReadsModules
  readonly #signal: AbortSignal | undefined
  readonly #call: CallOptions | undefined
  /** Of a worker that has to fetch the bytes: it asks the store for as long as its own layers say, and tells. */
  readonly #coldCall: CallOptions

  constructor(
    options: BlockReadsOptions,
    file: OpenFile,
    tallies: ReadTallies,
    signal: AbortSignal | undefined,
    modules: BlockReadsModules,
  ) {
    this.#options = options
    this.#file = file
    this.#tallies = tallies
    this.#signal = signal
    this.#call = signal === undefined ? undefined : { signal }
    this.#coldCall = { ...this.#call, deadlineMs: 0 }
    this.#modules = modules
  }

  /** A range of at most 1 MiB in one piece. */
  async short(block: FileBlock, offset: number, length: number, sequential: boolean): Promise<Piece> {
    const worker = this.#nearest(block)
    const { workers } = this.#modules
    let failed: Failed | undefined
    if (worker !== undefined && !workers.isShunned(worker)) {
      // The common case without generators: the nearest worker that holds the block answers.
      try {
        return await this.#ask(worker, block, offset, length, sequential)
      } catch (error) {
        await this.#blame(worker, block, error)
        failed = { worker, error }
      }
    }
    const end = offset + length
    const attempt =
      (at: number): Attempt =>
      (other) =>
        this.#asked(other, block, at, end - at, sequential)
    return gather(this.#withFallback(block, offset, length, attempt, failed), length)
  }

  /** A range as pieces in order. */
  stream(block: FileBlock, offset: number, length: number, sequential: boolean): AsyncGenerator<Piece> {
    return this.#withFallback(block, offset, length, (at) => (worker) => {
      return this.#frames(worker, block, at, offset + length - at, sequential)
    })
  }

  async *#asked(
    worker: KnownWorker,
    block: FileBlock,
    offset: number,
    length: number,
    sequential: boolean,
  ): AsyncGenerator<Piece> {
    yield await this.#ask(worker, block, offset, length, sequential)
  }

  async #ask(
    worker: KnownWorker,
    block: FileBlock,
    offset: number,
    length: number,
    sequential: boolean,
  ): Promise<Piece> {
    const request = this.#request(block, offset, length, sequential)
    const { from, payload } = await worker.block.readAt(request, this.#callOf(worker, block))
    if (payload?.length !== length) throw shortAnswer(block, offset, length, payload?.length ?? 0)
    if (from === 'UFS') this.#doubt(worker, block)
    return { bytes: payload, tally: this.#tally(from, worker) }
  }

  async *#frames(
    worker: KnownWorker,
    block: FileBlock,
    offset: number,
    length: number,
    sequential: boolean,
  ): AsyncGenerator<Piece> {
    const request = this.#request(block, offset, length, sequential)
    let got = 0
    for await (const { item, payload } of worker.block.read(request, this.#callOf(worker, block))) {
      if (payload === undefined || payload.length === 0) continue
      got += payload.length
      if (item.from === 'UFS') this.#doubt(worker, block)
      yield { bytes: payload, tally: this.#tally(item.from, worker) }
    }
    if (got !== length) throw shortAnswer(block, offset, length, got)
  }

  #request(block: FileBlock, offset: number, length: number, sequential: boolean) {
    const { source, readType } = this.#file
    return {
      blockId: block.id,
      offset,
      length,
      blockLength: block.length,
      fileOffset: block.offset,
      cache: readType !== 'NO_CACHE',
      promote: readType === 'CACHE_PROMOTE',
      sequential,
      ...(source === undefined ? {} : { source }),
    }
  }

  #callOf(worker: KnownWorker, block: FileBlock): CallOptions | undefined {
    if (this.#file.source === undefined) return this.#call
    for (const { workerId } of block.locations) if (workerId === worker.id) return this.#call
    return this.#coldCall
  }

  #tally(from: string, worker: KnownWorker): ReadTally {
    return this.#tallies.of(sourceName(from, worker.local))
  }

  /** Tries sources until the whole range has been yielded. `attemptFrom` is told where the bytes go on. */
  async *#withFallback(
    block: FileBlock,
    offset: number,
    length: number,
    attemptFrom: (at: number) => Attempt,
    failed?: Failed,
  ): AsyncGenerator<Piece> {
    const end = offset + length
    const giveUpMs = this.#modules.runtime.monotonic() + this.#options.retryMs
    let at = offset
    let failure = failed?.error
    const tried = new Set<KnownWorker>(failed === undefined ? [] : [failed.worker])
    for (let round = 0; ; round++) {
      for await (const worker of this.#candidates(block, tried)) {
        try {
          for await (const piece of attemptFrom(at)(worker)) {
            at += piece.bytes.length
            yield piece
          }
          return
        } catch (error) {
          failure = error
          await this.#blame(worker, block, error)
        }
      }
      if (this.#file.source !== undefined) {
        yield* this.#fromUnderStore(block, at, end - at, failure)
        return
      }
      if (!(await this.#worthWaiting(block, failure, round, giveUpMs))) throw this.#lost(block, failure)
      tried.clear()
    }
  }

  /** Workers that hold the block, then those that may fetch it; each at most once. */
  async *#candidates(block: FileBlock, tried: Set<KnownWorker>): AsyncGenerator<KnownWorker> {
    const { workers } = this.#modules
    const elsewhere = this.#file.source !== undefined
    for (const worker of this.#holders(block)) {
      // Who did not answer a moment ago is only worth the wait when there is nobody else.
      if (tried.has(worker) || (elsewhere && workers.isShunned(worker))) continue
      tried.add(worker)
      yield worker
    }
    if (!elsewhere) return
    const choice = { key: block.id, sizeBytes: block.length }
    let ranked: readonly KnownWorker[] = []
    try {
      ranked = await workers.rank(this.#options.policy, choice)
    } catch (error) {
      this.#modules.log.warn('workers not listed', { error })
    }
    for (const worker of ranked) {
      if (tried.has(worker) || workers.isShunned(worker)) continue
      tried.add(worker)
      yield worker
    }
  }

  /** Holders on this host first, then by tier as the master ordered them; those that failed lately at the end. */
  #holders(block: FileBlock): KnownWorker[] {
    const { workers } = this.#modules
    const holders = block.locations.flatMap(({ workerId }) => workers.get(workerId) ?? [])
    if (holders.length < 2) return holders
    const rank = (worker: KnownWorker) => (workers.isShunned(worker) ? 2 : worker.local ? 0 : 1)
    return holders.sort((a, b) => rank(a) - rank(b))
  }

  #nearest(block: FileBlock): KnownWorker | undefined {
    const first = block.locations[0]
    if (first === undefined) return undefined
    return block.locations.length === 1 ? this.#modules.workers.get(first.workerId) : this.#holders(block)[0]
  }

  /** Sorts out errors that no other worker can mend. */
  async #blame(worker: KnownWorker, block: FileBlock, error: unknown): Promise<void> {
    this.#signal?.throwIfAborted()
    if (isAlluxioError(error, 'CONFLICT') && error.reason === 'SOURCE_CHANGED') {
      throw await this.#sourceChanged(error)
    }
    // It was asked for again and again: neither other workers nor this client need to do so once more.
    if (isAlluxioError(error) && error.reason === 'STORE_DOWN') throw error
    const code = errorCode(error)
    if (code === 'INVALID_ARGUMENT' || code === 'OUT_OF_RANGE' || code === 'UNAUTHENTICATED') throw error
    if (code === 'DATA_LOSS' || (isAlluxioError(error) && error.reason === 'BLOCK_NOT_HERE')) {
      this.#doubt(worker, block)
      // The next read of it asks another one first.
      block.locations = block.locations.filter(({ workerId }) => workerId !== worker.id)
    }
    this.#modules.workers.failed(worker, error)
    this.#modules.log.debug('read falls back', { worker: worker.id, path: this.#file.path, error })
  }

  /** The master is told if it had said that the worker holds the block. */
  #doubt(worker: KnownWorker, block: FileBlock): void {
    for (const { workerId } of block.locations)
      if (workerId === worker.id) this.#modules.doubts.tell(block.id, workerId)
  }

  /** The master looks at the source again, so that the next open finds the new version. */
  async #sourceChanged(cause: unknown): Promise<AlluxioError> {
    const { path } = this.#file
    const unchanged = await this.#file.isUnchanged().catch(() => false)
    return new AlluxioError(
      'CONFLICT',
      unchanged
        ? `${path} changes in its under-store faster than it can be read: try again later`
        : `${path} was changed in its under-store while it was open: open it again`,
      { reason: 'SOURCE_CHANGED', cause, details: { path } },
    )
  }

  async *#fromUnderStore(
    block: FileBlock,
    offset: number,
    length: number,
    failure: unknown,
  ): AsyncGenerator<Piece> {
    const source = this.#file.source!
    this.#modules.log.warn('no worker serves the block: reading the under-store', {
      path: this.#file.path,
      block: block.index,
      error: failure,
    })
    const tally = this.#tallies.of('UFS')
    let got = 0
    try {
      for await (const bytes of this.#modules.ufs.open(source, block.offset + offset, length, this.#signal)) {
        got += bytes.length
        yield { bytes, tally }
      }
    } catch (error) {
      if (isAlluxioError(error, 'CONFLICT') && error.reason === 'SOURCE_CHANGED') {
        throw await this.#sourceChanged(error)
      }
      throw failure === undefined ? error : toAlluxioError(failure)
    }
    if (got !== length) throw shortAnswer(block, offset, length, got)
  }

  /** Bytes that are nowhere but on workers are waited for: a worker that restarts brings its blocks back. */
  async #worthWaiting(block: FileBlock, failure: unknown, round: number, giveUpMs: number): Promise<boolean> {
    const { runtime } = this.#modules
    const code = failure === undefined ? 'UNAVAILABLE' : errorCode(failure)
    if (code === 'DATA_LOSS' || runtime.monotonic() >= giveUpMs) return false
    await sleep(runtime, backoffMs(runtime, round, RETRY_BASE_MS, RETRY_CAP_MS) + 1, this.#signal)
    await this.#file.refresh(block)
    return true
  }

  #lost(block: FileBlock, failure: unknown): AlluxioError {
    const { path } = this.#file
    const where = `block ${block.index} of ${path}`
    const code = failure === undefined ? 'UNAVAILABLE' : errorCode(failure)
    if (code === 'DATA_LOSS') {
      return new AlluxioError('DATA_LOSS', `${where}: no good copy is left`, {
        cause: failure,
        details: { path },
      })
    }
    return new AlluxioError(
      'UNAVAILABLE',
      `${where} is on no live worker and in no under-store: start the workers that hold it`,
      { reason: 'BLOCK_AWAY', cause: failure, details: { path } },
    )
  }
}

/** One piece of what may come as several: an under-store answers in pieces of its own size. */
async function gather(pieces: AsyncIterable<Piece>, length: number): Promise<Piece> {
  let bytes: Uint8Array | undefined
  let filled = 0
  for await (const piece of pieces) {
    if (piece.bytes.length === length) return piece
    bytes ??= new Uint8Array(length)
    bytes.set(piece.bytes, filled)
    filled += piece.bytes.length
    if (filled === length) return { bytes, tally: piece.tally }
  }
  throw new AlluxioError('DATA_LOSS', `${filled} bytes came where ${length} were asked for`)
}

function shortAnswer(block: FileBlock, offset: number, length: number, got: number): AlluxioError {
  return new AlluxioError(
    'DATA_LOSS',
    `block ${block.id}: ${got} bytes came where ${length} were asked for from ${offset}`,
  )
}
