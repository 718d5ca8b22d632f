/**
 * Where the bytes of a new block go: straight into a tier file of a worker on this host, or over the wire. Both give the
 * same: nothing is visible before `commit`, nothing stays after `abort`.
 */
import type { BlockFileWriter } from '../arrow/index.ts'
import {
  AlluxioError,
  type BlockId,
  fileOfBlock,
  isAlluxioError,
  type Log,
  type Runtime,
} from '../core/index.ts'
import type { Client, UploadStream, WorkerBlock } from '../rpc/index.ts'
import type { TierFiles } from './tier-files.ts'
import type { KnownWorker } from './workers.ts'

export interface NewBlock {
  readonly id: number
  /** Most bytes that it will have. */
  readonly sizeHint: number
  readonly soleCopy: boolean
  readonly pinned: boolean
  /** The first medium of the file's pin; the worker hears of the others from the master. */
  readonly medium?: string
}

export interface BlockSink {
  readonly worker: KnownWorker
  /** Returns, or resolves, when `bytes` may be reused. */
  append(bytes: Uint8Array): void | Promise<void>
  commit(): Promise<{ readonly tier: string }>
  abort(): Promise<void>
}

export interface SinkModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly tierFiles: TierFiles
  readonly shortCircuit: boolean
}

/** A worker makes room before it answers: eviction, or an upload of the same file that the cache waits for. */
const MAKE_ROOM_MS = 120_000
const COMMIT_MS = 120_000
/** Tier whose files are written in this thread. */
const MEMORY_TIER = 'MEM'

/** What a worker has to know of the file's pin before the list of pins reaches it. */
export function pinOf({ pinned, medium }: Pick<NewBlock, 'pinned' | 'medium'>): {
  pinned: boolean
  medium?: string
} {
  return medium === undefined ? { pinned } : { pinned, medium }
}

/** @throws what the worker throws: RESOURCE_EXHAUSTED when it has no room, UNAVAILABLE when it is gone */
export async function openSink(
  worker: KnownWorker,
  block: NewBlock,
  modules: SinkModules,
): Promise<BlockSink> {
  if (worker.local && modules.shortCircuit) {
    const sink = await openLocal(worker, block, modules)
    if (sink !== undefined) return sink
  }
  return new WireSink(worker, block)
}

/** Undefined when the worker's folders cannot be written from here: then the bytes go over the wire. */
async function openLocal(
  worker: KnownWorker,
  block: NewBlock,
  { runtime, log, tierFiles }: SinkModules,
): Promise<BlockSink | undefined> {
  const { path, tier } = await worker.block.createLocal(
    { blockId: block.id, sizeHint: block.sizeHint, ...pinOf(block) },
    { deadlineMs: MAKE_ROOM_MS },
  )
  try {
    const { arrow, disk } = await tierFiles.load()
    const writer = new arrow.BlockFileWriter(
      {
        blockId: block.id,
        fileId: fileOfBlock(block.id as BlockId),
        sizeHint: block.sizeHint,
        synchronous: tier === MEMORY_TIER,
      },
      { file: disk.open(path, 'create'), bootTag: disk.bootTag, now: () => runtime.now() },
    )
    return new TierFileSink(worker, block, writer)
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    log.debug('tier file not writable from here', { path, error })
    await worker.block.abortLocal({ blockId: block.id }).catch(() => {})
    return undefined
  }
}

class TierFileSink implements BlockSink {
  readonly worker: KnownWorker
  readonly #block: NewBlock
  readonly #writer: BlockFileWriter

  constructor(worker: KnownWorker, block: NewBlock, writer: BlockFileWriter) {
    this.worker = worker
    this.#block = block
    this.#writer = writer
  }

  append(bytes: Uint8Array): void | Promise<void> {
    return this.#writer.append(bytes)
  }

  async commit(): Promise<{ tier: string }> {
    const { id, soleCopy } = this.#block
    // What must outlive a power cut is synced by the worker, who renames the file.
    const { length } = await this.#writer.seal(false)
    return this.worker.block.commitLocal({ blockId: id, length, soleCopy }, { deadlineMs: COMMIT_MS })
  }

  async abort(): Promise<void> {
    await this.#writer.abort()
    await this.worker.block.abortLocal({ blockId: this.#block.id })
  }
}

type WriteUpload = ReturnType<Client<typeof WorkerBlock>['write']>

class WireSink implements BlockSink {
  readonly worker: KnownWorker
  readonly #upload: WriteUpload

  constructor(worker: KnownWorker, block: NewBlock) {
    const { id, sizeHint, soleCopy } = block
    this.worker = worker
    this.#upload = worker.block.write(
      { blockId: id, sizeHint, soleCopy, ...pinOf(block) },
      { deadlineMs: MAKE_ROOM_MS },
    )
  }

  append(bytes: Uint8Array): Promise<void> {
    return sendCopy(this.#upload, {}, bytes)
  }

  async commit(): Promise<{ tier: string }> {
    return this.#upload.finish()
  }

  async abort(): Promise<void> {
    this.#upload.abort(new AlluxioError('CANCELLED', 'the writer gave up'))
  }
}

/** Largest payload frame of an upload. */
const FRAME_BYTES = 2 ** 20

/** The transport keeps what it is given until it is sent, the caller gets its memory back at once: so it is copied. */
export async function sendCopy<I>(
  upload: UploadStream<I, unknown>,
  item: I,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
    const slice = bytes.subarray(at, at + FRAME_BYTES)
    const copy = Buffer.allocUnsafeSlow(slice.length)
    copy.set(slice)
    await upload.write(item, copy)
  }
}
