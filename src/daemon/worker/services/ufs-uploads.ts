/**
 * Files on their way from clients to an under-store. A client of a CACHE_THROUGH write names each block as soon as it is
 * committed, so that the upload overlaps with the writing; the blocks named and not yet uploaded are bounded, because
 * the cache may be smaller than the file.
 */
import { AlluxioError, type BlockId, type FileId, type Log } from '../../../core/index.ts'
import type { Infer, Item, WorkerBlock } from '../../../rpc/index.ts'
import type { BlockBytes, BlockStore } from '../../../store/index.ts'
import type { UfsStatus, UfsWriter } from '../../../ufs/store.ts'
import type { MountTable } from './mount-table.ts'
import { createWithParents, type FileAttributes, finish } from './ufs-create.ts'
import type { WorkerMetrics } from './worker.metrics.ts'

type UploadMethod = (typeof WorkerBlock)['methods']['writeUfs']
type UploadRequest = Infer<UploadMethod['request']>
type UploadItem = Item<Infer<UploadMethod['item']>>

export interface UfsUploadsModules {
  readonly store: BlockStore
  readonly mounts: MountTable
  readonly metrics: WorkerMetrics
  readonly log: Log
  /** Cluster that the file ids belong to. */
  readonly clusterId: () => string
}

/** Blocks named by a client and not yet uploaded, above which its next block has to wait. */
const BLOCKS_AHEAD = 2
/** Received bytes that wait for the under-store, above which no more are taken from the stream. */
const BYTES_AHEAD = 16 * 2 ** 20

type Part = { readonly bytes: Uint8Array } | { readonly blockId: BlockId; readonly length: number }

export class UfsUploads {
  readonly #modules: UfsUploadsModules
  readonly #open = new Map<FileId, Upload>()

  constructor(modules: UfsUploadsModules) {
    this.#modules = modules
  }

  /** Resolves when another block of the file may be made; at once for a file that is not being uploaded. */
  room(fileId: FileId): Promise<void> | undefined {
    return this.#open.get(fileId)?.room()
  }

  /** @throws what the under-store throws; then nothing of the file is there */
  async receive(
    request: UploadRequest,
    items: AsyncIterable<UploadItem>,
    signal: AbortSignal,
  ): Promise<{ fingerprint: string; length: number }> {
    const fileId = request.fileId as FileId
    if (this.#open.has(fileId)) {
      throw new AlluxioError('CONFLICT', `file ${fileId} is being uploaded already`, {
        reason: 'UPLOAD_IN_PROGRESS',
      })
    }
    const upload = new Upload(this.#modules.store)
    this.#open.set(fileId, upload)
    try {
      const status = await this.#upload(upload, request, items, signal)
      this.#modules.metrics.ufsWritten.add(status.length)
      // Its blocks are no sole copies any more, whatever they were written as.
      this.#modules.store.markPersisted(fileId)
      return { fingerprint: status.fingerprint, length: status.length }
    } finally {
      this.#open.delete(fileId)
      upload.end()
    }
  }

  async #upload(
    upload: Upload,
    request: UploadRequest,
    items: AsyncIterable<UploadItem>,
    signal: AbortSignal,
  ): Promise<UfsStatus> {
    const { target } = request
    const store = await this.#modules.mounts.store(target.mountId)
    const attributes: FileAttributes = {
      fileId: request.fileId,
      clusterId: this.#modules.clusterId(),
      mode: request.mode,
      owner: request.owner,
      group: request.group,
      length: target.length,
    }
    // A slow upload of a file that was replaced meanwhile must not bury its successor.
    const writer = await createWithParents(store, target.path, attributes, true)
    try {
      const received = upload.receive(items)
      received.catch(() => {})
      await upload.drainTo(writer)
      await received
      signal.throwIfAborted()
      return await finish(store, writer, target.path, attributes, this.#modules.log)
    } catch (error) {
      await writer.abort()
      throw error
    }
  }
}

/** The parts of one file between the client's stream and the under-store's writer. */
class Upload {
  readonly #store: BlockStore
  readonly #parts: (Part & { readonly held?: Uint8Array })[] = []
  #ended = false
  #failure: unknown
  #blocks = 0
  #bytes = 0
  #arrived = Promise.withResolvers<void>()
  #drained = Promise.withResolvers<void>()

  constructor(store: BlockStore) {
    this.#store = store
  }

  room(): Promise<void> | undefined {
    return this.#blocks < BLOCKS_AHEAD ? undefined : this.#wait(() => this.#blocks < BLOCKS_AHEAD)
  }

  async receive(items: AsyncIterable<UploadItem>): Promise<void> {
    try {
      for await (const { item, payload } of items) {
        if (item.blockId !== undefined) this.#pushBlock(item.blockId as BlockId, item.length ?? 0)
        else if (payload !== undefined && payload.length > 0) this.#pushBytes(payload)
        if (this.#bytes > BYTES_AHEAD) await this.#wait(() => this.#bytes <= BYTES_AHEAD)
        if (this.#ended) return
      }
    } catch (error) {
      this.#failure = error
      throw error
    } finally {
      this.end()
    }
  }

  async drainTo(writer: UfsWriter): Promise<void> {
    for (;;) {
      const part = this.#parts.shift()
      if (part === undefined) {
        if (this.#failure !== undefined) throw this.#failure
        if (this.#ended) return
        await this.#arrived.promise
        this.#arrived = Promise.withResolvers()
        continue
      }
      if ('bytes' in part) {
        await writer.write(part.bytes)
        this.#bytes -= part.bytes.length
      } else {
        if (part.held !== undefined) await writer.write(part.held)
        else await this.#writeBlock(writer, part.blockId, part.length)
        this.#blocks--
      }
      this.#wakeWaiters()
    }
  }

  /** Nothing more comes; who waits for room goes on. */
  end(): void {
    this.#ended = true
    this.#arrived.resolve()
    this.#wakeWaiters()
  }

  #pushBytes(bytes: Uint8Array): void {
    this.#parts.push({ bytes })
    this.#bytes += bytes.length
    this.#arrived.resolve()
  }

  #pushBlock(blockId: BlockId, length: number): void {
    const held = this.#hold(blockId, length)
    this.#parts.push({ blockId, length, ...(held === undefined ? {} : { held }) })
    this.#blocks++
    this.#arrived.resolve()
  }

  /** A view of a block in memory is taken at once: it outlives the block if that is evicted before its turn. */
  #hold(blockId: BlockId, length: number): Uint8Array | undefined {
    const first = this.#readAt(blockId, length, Math.min(1, length))
    if (first === undefined) return
    return this.#readAt(blockId, length, length)?.bytes
  }

  #readAt(blockId: BlockId, blockLength: number, length: number): BlockBytes | undefined {
    try {
      const read = this.#store.readAt({ ...wholeBlock(blockId, blockLength), length })
      if (!(read instanceof Promise)) return read
      read.catch(() => {})
    } catch {
      // The block may be on a disk, or gone: its turn will tell.
    }
    return undefined
  }

  async #writeBlock(writer: UfsWriter, blockId: BlockId, length: number): Promise<void> {
    for await (const piece of this.#store.read(wholeBlock(blockId, length))) await writer.write(piece.bytes)
  }

  async #wait(done: () => boolean): Promise<void> {
    while (!done() && !this.#ended) await this.#drained.promise
  }

  #wakeWaiters(): void {
    this.#drained.resolve()
    this.#drained = Promise.withResolvers()
  }
}

function wholeBlock(blockId: BlockId, length: number) {
  return {
    blockId,
    blockLength: length,
    offset: 0,
    length,
    cache: true,
    promote: false,
    sequential: true,
  } as const
}
