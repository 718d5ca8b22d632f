/**
 * Has workers cache a file: each block is asked of one worker, which fetches it itself. Nothing but progress comes back.
 */
import { AlluxioError, isAlluxioError, type Log, toAlluxioError } from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'
import type { FileBlock, OpenFile } from './open-file.ts'
import type { KnownWorker, Workers } from './workers.ts'

export interface LoadingOptions {
  readonly policy: LocationPolicy
  /** Every block on a worker of this host, whoever else has it. */
  readonly local: boolean
  readonly signal: AbortSignal | undefined
  readonly onProgress: (bytes: number) => void
}

export interface LoadingModules {
  readonly workers: Workers
  readonly log: Log
}

/** Blocks of one file at once; workers bound what they take from all callers. */
const PARALLEL_BLOCKS = 8

export class Loading {
  readonly #file: OpenFile
  readonly #options: LoadingOptions
  readonly #m: LoadingModules
  #bytes = 0

  constructor(file: OpenFile, options: LoadingOptions, modules: LoadingModules) {
    this.#file = file
    this.#options = options
    this.#m = modules
  }

  /**
   * Bytes of the blocks that were not there yet.
   * @throws UNAVAILABLE when no worker can be asked, or a block is nowhere; RESOURCE_EXHAUSTED when there is no room
   */
  async run(): Promise<number> {
    let next = 0
    let failed = false
    const lane = async () => {
      while (next < this.#file.blockCount && !failed) {
        try {
          await this.#block(await this.#file.block(next++))
        } catch (error) {
          failed = true
          throw error
        }
      }
    }
    const lanes = Array.from({ length: Math.min(PARALLEL_BLOCKS, this.#file.blockCount) }, lane)
    const failure = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
    if (failure?.status === 'rejected') throw failure.reason
    return this.#bytes
  }

  async #block(block: FileBlock): Promise<void> {
    const { workers, log } = this.#m
    const holders = block.locations.flatMap(({ workerId }) => workers.get(workerId) ?? [])
    if (this.#options.local ? holders.some(({ local }) => local) : holders.length > 0) return
    let failure: unknown
    for (const worker of await this.#candidates(block)) {
      try {
        await this.#ask(worker, block, holders[0])
        this.#bytes += block.length
        return
      } catch (error) {
        this.#options.signal?.throwIfAborted()
        // The master looks at the source again, so that the next load finds the new version.
        if (isAlluxioError(error) && error.reason === 'SOURCE_CHANGED')
          await this.#file.isUnchanged().catch(() => {})
        if (!isElsewhereWorthTrying(error)) throw error
        workers.failed(worker, error)
        failure = error
        log.debug('load falls back', { worker: worker.id, path: this.#file.path, error })
      }
    }
    throw failure === undefined ? this.#noWorker() : toAlluxioError(failure)
  }

  async #candidates(block: FileBlock): Promise<readonly KnownWorker[]> {
    const { policy, local } = this.#options
    const choice = { key: block.id, sizeBytes: block.length }
    const ranked = await this.#m.workers.rank(local ? 'LocalFirst' : policy, choice)
    return local ? ranked.filter((worker) => worker.local) : ranked
  }

  async #ask(worker: KnownWorker, block: FileBlock, holder: KnownWorker | undefined): Promise<void> {
    const { source } = this.#file
    const { signal, onProgress } = this.#options
    const request = {
      blockId: block.id,
      blockLength: block.length,
      fileOffset: block.offset,
      ...(source === undefined ? {} : { source }),
      ...(holder === undefined ? {} : { holder: holder.address }),
    }
    let told = 0
    const advance = (bytes: number) => {
      onProgress(bytes - told)
      told = bytes
    }
    const call = signal === undefined ? undefined : { signal }
    try {
      for await (const { item } of worker.block.load(request, call)) advance(item.bytes)
      advance(block.length)
    } catch (error) {
      // The next worker begins anew.
      advance(0)
      throw error
    }
  }

  #noWorker(): AlluxioError {
    return new AlluxioError(
      'UNAVAILABLE',
      this.#options.local
        ? `${this.#file.path} cannot be loaded to this host: no worker runs here`
        : `no worker is registered to load ${this.#file.path}: start one with "alluxio start worker"`,
      { reason: 'NO_WORKER' },
    )
  }
}

function isElsewhereWorthTrying(error: unknown): boolean {
  return (
    isAlluxioError(error) &&
    error.reason !== 'STORE_DOWN' &&
    (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT' || error.code === 'RESOURCE_EXHAUSTED')
  )
}
