/**
 * The bytes of one new file on their way: cut into blocks, each given to a worker, and for the through types uploaded to
 * the under-store while the next block is written.
 */
import { AlluxioError, backoffMs, blockIdOf, errorCode, isAlluxioError, sleep } from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'
import { type BlockSink, type NewBlock, openSink, pinOf, type SinkModules } from './block-sinks.ts'
import type { EntryStatus } from './file-status.ts'
import type { Source } from './open-file.ts'
import { UfsUpload } from './ufs-upload.ts'
import type { KnownWorker, Workers } from './workers.ts'

export interface BlockStreamOptions {
  readonly status: EntryStatus
  /** Where the file goes in the under-store; needed with `through`. */
  readonly source: Source | undefined
  /** Whether blocks are kept by workers. */
  readonly cached: boolean
  /** Whether the bytes go to the under-store as well. */
  readonly through: boolean
  readonly policy: LocationPolicy
  /** How long workers that are away are waited for. */
  readonly retryMs: number
}

const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 2_000

export interface BlockStreamModules extends SinkModules {
  readonly workers: Workers
}

export interface WrittenBlock {
  readonly id: number
  readonly workerId: number
  readonly tier: string
}

export interface WrittenFile {
  /** In order; blocks that no cache had room for are left out. */
  readonly blocks: readonly WrittenBlock[]
  /** Version of the object in the under-store, for the through types. */
  readonly fingerprint?: string
}

export class BlockStream {
  readonly #options: BlockStreamOptions
  readonly #modules: BlockStreamModules
  readonly #blockSizeBytes: number
  readonly #blocks: (WrittenBlock & { readonly worker: KnownWorker })[] = []
  #index = 0
  /** Bytes in the present block. */
  #inBlock = 0
  /** Takes the present block; undefined between blocks, and for a block that is not cached. */
  #sink: BlockSink | undefined
  #upload: UfsUpload | undefined

  constructor(options: BlockStreamOptions, modules: BlockStreamModules) {
    this.#options = options
    this.#modules = modules
    this.#blockSizeBytes = options.status.blockSizeBytes
  }

  /** Resolves when `bytes` may be reused. @throws RESOURCE_EXHAUSTED, UNAVAILABLE; then `abort` is due */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#blockSizeBytes - this.#inBlock)
      if (this.#inBlock === 0 && this.#options.cached) await this.#beginBlock(part)
      else if (this.#sink === undefined) await (await this.#openUpload()).send(part)
      else {
        const pending = this.#sink.append(part)
        if (pending !== undefined) await pending
      }
      at += part.length
      this.#inBlock += part.length
      if (this.#inBlock === this.#blockSizeBytes) await this.#commitBlock()
    }
  }

  /** The whole file in one piece, at most 1 MiB and one block: one call a destination, both at once. */
  async small(bytes: Uint8Array): Promise<WrittenFile> {
    const { cached, through } = this.#options
    const upload = through ? this.#uploadSmall(bytes) : undefined
    upload?.catch(() => {})
    if (cached && bytes.length > 0) await this.#cacheSmall(bytes)
    const fingerprint = await upload
    return { blocks: this.#blocks, ...(fingerprint === undefined ? {} : { fingerprint }) }
  }

  async finish(): Promise<WrittenFile> {
    if (this.#inBlock > 0) await this.#commitBlock()
    const fingerprint = await this.#upload?.finish()
    return { blocks: this.#blocks, ...(fingerprint === undefined ? {} : { fingerprint }) }
  }

  /** Takes back what was written, as far as the workers can be reached. */
  async abort(): Promise<void> {
    this.#upload?.abort()
    const byWorker = new Map<KnownWorker, number[]>()
    for (const { worker, id } of this.#blocks) {
      const ids = byWorker.get(worker)
      if (ids === undefined) byWorker.set(worker, [id])
      else ids.push(id)
    }
    await Promise.allSettled([
      this.#sink?.abort(),
      ...Array.from(byWorker, ([worker, blockIds]) => worker.block.remove({ blockIds })),
    ])
  }

  /** The bytes of the block's beginning are at hand, so any worker can still take it. */
  async #beginBlock(part: Uint8Array): Promise<void> {
    try {
      this.#sink = await this.#openSink(part, this.#blockSizeBytes)
    } catch (error) {
      // Without room in the cache the promise of a through type can still be kept.
      if (!this.#options.through || errorCode(error) !== 'RESOURCE_EXHAUSTED') throw error
      this.#modules.log.debug('block not cached', { path: this.#options.status.path, error })
      await (await this.#openUpload()).send(part)
    }
  }

  async #openSink(part: Uint8Array, sizeHint: number): Promise<BlockSink> {
    const block = { ...this.#newBlock(), sizeHint }
    try {
      return await this.#onSomeWorker(sizeHint, async (worker) => {
        const sink = await openSink(worker, block, this.#modules)
        try {
          await sink.append(part)
        } catch (error) {
          await sink.abort().catch(() => {})
          throw error
        }
        return sink
      })
    } catch (error) {
      // The last block of a file is seldom a whole one: it may fit where a whole one does not.
      if (errorCode(error) !== 'RESOURCE_EXHAUSTED' || sizeHint <= part.length) throw error
      return this.#openSink(part, part.length)
    }
  }

  #newBlock(): Omit<NewBlock, 'sizeHint'> {
    const { status, through } = this.#options
    const medium = status.pinned ? status.mediumTypes[0] : undefined
    return {
      id: blockIdOf(status.fileId, this.#index),
      soleCopy: !through,
      pinned: status.pinned,
      ...(medium === undefined ? {} : { medium }),
    }
  }

  async #commitBlock(): Promise<void> {
    const sink = this.#sink
    if (sink !== undefined) {
      const { id } = this.#newBlock()
      const { tier } = await sink.commit()
      this.#sink = undefined
      this.#blocks.push({ id, worker: sink.worker, workerId: sink.worker.id, tier })
      if (this.#options.through) await (await this.#openUpload(sink.worker)).sendBlock(id, this.#inBlock)
    }
    this.#index++
    this.#inBlock = 0
  }

  async #cacheSmall(bytes: Uint8Array): Promise<void> {
    const block = this.#newBlock()
    const { id, soleCopy } = block
    try {
      await this.#onSomeWorker(bytes.length, async (worker) => {
        const request = { blockId: id, soleCopy, ...pinOf(block) }
        const { tier } = await worker.block.writeSmall(request, { payload: bytes })
        this.#blocks.push({ id, worker, workerId: worker.id, tier })
      })
    } catch (error) {
      if (!this.#options.through || errorCode(error) !== 'RESOURCE_EXHAUSTED') throw error
      this.#modules.log.debug('file not cached', { path: this.#options.status.path, error })
    }
  }

  async #uploadSmall(bytes: Uint8Array): Promise<string> {
    const upload = await this.#openUpload()
    if (bytes.length > 0) await upload.send(bytes)
    return upload.finish()
  }

  /** Where the upload runs: on the worker that holds the blocks, which then are named instead of sent. */
  async #openUpload(holder?: KnownWorker): Promise<UfsUpload> {
    if (this.#upload !== undefined) return this.#upload
    const { status, source } = this.#options
    if (source === undefined)
      throw new AlluxioError('INTERNAL', `${status.path} has no place in an under-store`)
    const worker = holder ?? (await this.#candidates(this.#blockSizeBytes))[0]
    if (worker === undefined) throw this.#noWorker()
    this.#upload = new UfsUpload(worker, status, source)
    return this.#upload
  }

  /**
   * Does `work` on the first worker that can: one that is gone or full is replaced by the next one. When all are gone, the
   * list is asked for again: a worker that restarts comes back under another address.
   */
  async #onSomeWorker<T>(sizeBytes: number, work: (worker: KnownWorker) => Promise<T>): Promise<T> {
    const { runtime, workers } = this.#modules
    const giveUpMs = runtime.monotonic() + this.#options.retryMs
    for (let round = 0; ; round++) {
      let failure: unknown
      for (const worker of await this.#candidates(sizeBytes)) {
        try {
          return await this.#twice(worker, work)
        } catch (error) {
          if (!isElsewhereWorthTrying(error)) throw error
          workers.failed(worker, error)
          // A full worker may have room again before one that is gone comes back.
          if (failure === undefined || errorCode(error) === 'RESOURCE_EXHAUSTED') failure = error
        }
      }
      if (failure === undefined) throw this.#noWorker()
      if (errorCode(failure) === 'RESOURCE_EXHAUSTED' || runtime.monotonic() >= giveUpMs) throw failure
      await sleep(runtime, backoffMs(runtime, round, RETRY_BASE_MS, RETRY_CAP_MS) + 1)
    }
  }

  /** A worker may already have something of this block from an attempt whose end was not seen: that goes first. */
  async #twice<T>(worker: KnownWorker, work: (worker: KnownWorker) => Promise<T>): Promise<T> {
    try {
      return await work(worker)
    } catch (error) {
      if (!isAlluxioError(error, 'ALREADY_EXISTS')) throw error
      const { id } = this.#newBlock()
      await worker.block.abortLocal({ blockId: id })
      await worker.block.remove({ blockIds: [id] })
      return await work(worker)
    }
  }

  #candidates(sizeBytes: number): readonly KnownWorker[] | Promise<readonly KnownWorker[]> {
    const bound = this.#upload?.worker ?? (this.#options.through ? this.#blocks[0]?.worker : undefined)
    if (bound !== undefined) return [bound]
    const { status, policy } = this.#options
    return this.#modules.workers.rank(policy, { key: blockIdOf(status.fileId, this.#index), sizeBytes })
  }

  #noWorker(): AlluxioError {
    const { policy, status } = this.#options
    return new AlluxioError(
      'UNAVAILABLE',
      policy === 'SpecificHost'
        ? `no worker runs on the host that SpecificHost names, to write ${status.path}`
        : `no worker is registered to write ${status.path}: start one with "alluxio start worker"`,
      { reason: 'NO_WORKER' },
    )
  }
}

function isElsewhereWorthTrying(error: unknown): boolean {
  if (!isAlluxioError(error)) return false
  return error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT' || error.code === 'RESOURCE_EXHAUSTED'
}
