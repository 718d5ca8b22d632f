/** Caches whole blocks without a reader: `load` of the WorkerBlock contract. A few at a time, so that readers keep their share. */
import { type BlockId, type Runtime, sleep } from '../../../core/index.ts'
import type { Client, Infer, WorkerAddress, WorkerBlock } from '../../../rpc/index.ts'
import type { BlockFetch, BlockStore } from '../../../store/index.ts'
import type { MountTable } from './mount-table.ts'
import { rangesOf } from './source.ts'

export type LoadBlock = Infer<(typeof WorkerBlock)['methods']['load']['request']>
type Address = Infer<typeof WorkerAddress>

export interface LoadsModules {
  readonly store: BlockStore
  readonly mounts: MountTable
  readonly peer: (address: Address) => Client<typeof WorkerBlock>
  /** Resolves when the master knows what this worker holds. */
  readonly reported: (signal: AbortSignal) => Promise<void>
  readonly runtime: Runtime
}

/** Blocks at once, to overlap the latencies of a remote store, and bytes at once, to leave room for reads. */
const PARALLEL_BLOCKS = 64
const PARALLEL_BYTES = 256 * 2 ** 20
const PROGRESS_MS = 200

interface Turn {
  readonly bytes: number
  readonly begin: () => void
}

export class Loads {
  readonly #m: LoadsModules
  readonly #waiting = new Set<Turn>()
  #running = 0
  #runningBytes = 0

  constructor(modules: LoadsModules) {
    this.#m = modules
  }

  /** Yields how many bytes have come, and at the end when the block is sealed here and the master knows of it. */
  async *load(request: LoadBlock, signal: AbortSignal): AsyncGenerator<{ item: { bytes: number } }> {
    const ended = new AbortController()
    const either = AbortSignal.any([signal, ended.signal])
    let bytes = 0
    let done = false
    const work = this.#load(request, either, (n) => {
      bytes += n
    }).finally(() => {
      done = true
    })
    // Its failure is told below, unless the caller has left.
    work.catch(() => {})
    try {
      while (!done) {
        const tick = new AbortController()
        const pause = sleep(this.#m.runtime, PROGRESS_MS, tick.signal).catch(() => {})
        await Promise.race([work, pause]).finally(() => tick.abort())
        yield { item: { bytes } }
      }
      await work
    } finally {
      ended.abort()
    }
  }

  async #load(request: LoadBlock, signal: AbortSignal, onProgress: (bytes: number) => void): Promise<void> {
    const { store, reported } = this.#m
    const blockId = request.blockId as BlockId
    if (store.place(blockId) === undefined) {
      await this.#turn(request.blockLength, signal)
      try {
        const { blockLength } = request
        await store.load({
          blockId,
          blockLength,
          promote: false,
          signal,
          onProgress,
          ...this.#source(request),
        })
      } finally {
        this.#end(request.blockLength)
      }
    }
    await reported(signal)
  }

  #source(request: LoadBlock) {
    const { source, holder } = request
    if (source !== undefined) return rangesOf(this.#m.mounts, source, request.fileOffset)
    return holder === undefined ? {} : { fetch: fromPeer(this.#m.peer(holder), request) }
  }

  /** Resolves when it is this block's turn. */
  #turn(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(turn)
        reject(signal.reason)
        this.#next()
      }
      const begin = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const turn: Turn = { bytes, begin }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.add(turn)
      this.#next()
    })
  }

  #end(bytes: number): void {
    this.#running--
    this.#runningBytes -= bytes
    this.#next()
  }

  #next(): void {
    for (const turn of this.#waiting) {
      if (this.#running === PARALLEL_BLOCKS) return
      if (this.#running > 0 && this.#runningBytes + turn.bytes > PARALLEL_BYTES) return
      this.#waiting.delete(turn)
      this.#running++
      this.#runningBytes += turn.bytes
      turn.begin()
    }
  }
}

/** The bytes of a block that only another worker has. */
function fromPeer(peer: Client<typeof WorkerBlock>, { blockId, blockLength }: LoadBlock): BlockFetch {
  return async function* (offset, length, signal) {
    const range = { blockId, blockLength, offset, length, fileOffset: 0 }
    const how = { cache: false, promote: false, sequential: true }
    for await (const { payload } of peer.read({ ...range, ...how }, { signal })) {
      if (payload !== undefined) yield payload
    }
  }
}
