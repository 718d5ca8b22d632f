/** What clients and other workers ask of this worker: the WorkerBlock contract over the block store. */
import { AlluxioError, type BlockId, fileOfBlock } from '../../../core/index.ts'
import type { TierUsage, WorkerBlock } from '../../../rpc/index.ts'
import { type Call, type Handlers, type Infer, type Item, WithPayload } from '../../../rpc/index.ts'
import type { BlockBytes, BlockStore, ReadRequest, TierUse } from '../../../store/index.ts'
import type { Loads } from './loads.ts'
import type { MountTable } from './mount-table.ts'
import { rangesOf, type Source } from './source.ts'
import type { UfsUploads } from './ufs-uploads.ts'
import type { WorkerMetrics } from './worker.metrics.ts'

export interface BlockServiceModules {
  readonly store: BlockStore
  readonly mounts: MountTable
  readonly uploads: UfsUploads
  readonly loads: Loads
  readonly metrics: WorkerMetrics
  readonly identity: () => { readonly workerId: number; readonly uuid: string; readonly startedMs: number }
}

interface WireRead {
  readonly blockId: number
  readonly offset: number
  readonly length: number
  readonly blockLength: number
  readonly fileOffset: number
  readonly source?: Source
  readonly cache: boolean
  readonly promote: boolean
  readonly sequential: boolean
}

type CreateRequest = Infer<(typeof WorkerBlock)['methods']['createLocal']['request']>

/** Largest payload that goes in one piece. */
const SHORT_BYTES = 2 ** 20

export function blockService(modules: BlockServiceModules): Handlers<typeof WorkerBlock> {
  const { store, mounts, uploads, loads, metrics, identity } = modules

  return {
    read: (request, call) => frames(modules, request, call),

    readAt(request, call) {
      if (request.length > SHORT_BYTES) throw tooLong('readAt', request.length)
      const bytes = store.readAt(storeRead(mounts, request, call))
      return bytes instanceof Promise ? bytes.then(reply) : reply(bytes)
    },

    localPath(request) {
      const local = store.localPath(request.blockId as BlockId, { promote: request.promote })
      if (local === undefined) throw notHere(request.blockId)
      metrics.localOpens.add()
      return local
    },

    write: (request, items, call) => receiveBlock(modules, request, items, call),

    async createLocal(request) {
      // A file that goes to its under-store at the same time may not fill the cache faster than the upload empties it.
      await uploads.room(fileOfBlock(request.blockId as BlockId))
      return store.createLocal(request.blockId as BlockId, placement(request))
    },

    async commitLocal({ blockId, length, soleCopy }) {
      const { tier } = await store.commitLocal(blockId as BlockId, length, { soleCopy })
      return { tier }
    },

    async abortLocal({ blockId }) {
      await store.abortLocal(blockId as BlockId)
      return {}
    },

    async writeSmall(request, { payload }) {
      const bytes = payload ?? new Uint8Array(0)
      if (bytes.length > SHORT_BYTES) throw tooLong('writeSmall', bytes.length)
      return store.writeSmall(request.blockId as BlockId, bytes, {
        pinned: request.pinned,
        soleCopy: request.soleCopy,
        ...(request.medium === undefined ? {} : { medium: request.medium }),
      })
    },

    writeUfs: (request, items, call) => uploads.receive(request, items, call.signal),

    async remove({ blockIds }) {
      await store.remove(blockIds as BlockId[])
      return {}
    },

    async adopt({ from, to, length }) {
      const { tier } = await store.adopt(from as BlockId, to as BlockId, length)
      return { tier }
    },

    load: (request, call) => loads.load(request, call.signal),

    info() {
      return {
        ...identity(),
        tiers: tierUsage(store.usage()),
        blocks: store.blocks,
        folders: store.folders(),
      }
    },

    opened({ blockIds }) {
      for (const blockId of blockIds) {
        if (store.localPath(blockId as BlockId, { promote: false }) !== undefined) metrics.localOpens.add()
      }
      return {}
    },
  }
}

/** The sums of a worker's tiers, as masters and operators see them. */
export function tierUsage(tiers: readonly TierUse[]): Infer<typeof TierUsage>[] {
  return tiers.map(({ alias, capacityBytes, usedBytes }) => ({ alias, capacityBytes, usedBytes }))
}

async function* frames(modules: BlockServiceModules, request: WireRead, call: Call) {
  for await (const piece of modules.store.read(storeRead(modules.mounts, request, call))) {
    yield { item: { from: piece.from }, payload: piece.bytes, release: () => piece.release() }
  }
}

function storeRead(mounts: MountTable, request: WireRead, call: Call): ReadRequest {
  const { source } = request
  const read: ReadRequest = {
    blockId: request.blockId as BlockId,
    blockLength: request.blockLength,
    offset: request.offset,
    length: request.length,
    cache: request.cache,
    promote: request.promote,
    sequential: request.sequential,
    signal: call.signal,
  }
  return source === undefined ? read : { ...read, ...rangesOf(mounts, source, request.fileOffset) }
}

function reply(read: BlockBytes): WithPayload<{ from: string }> {
  return new WithPayload({ from: read.from }, read.bytes)
}

async function receiveBlock(
  { store }: BlockServiceModules,
  request: CreateRequest & { readonly soleCopy: boolean },
  items: AsyncIterable<Item<object>>,
  call: Call,
): Promise<{ length: number; tier: string }> {
  const writer = await store.write(request.blockId as BlockId, {
    ...placement(request),
    soleCopy: request.soleCopy,
  })
  try {
    for await (const { payload } of items) {
      if (payload === undefined) continue
      const pending = writer.append(payload)
      if (pending !== undefined) await pending
    }
    call.signal.throwIfAborted()
    return await writer.commit()
  } catch (error) {
    await writer.abort()
    throw error
  }
}

function placement(request: CreateRequest): { sizeHint: number; pinned: boolean; medium?: string } {
  const { sizeHint, pinned, medium } = request
  return { sizeHint, pinned, ...(medium === undefined ? {} : { medium }) }
}

function notHere(blockId: number): AlluxioError {
  return new AlluxioError('NOT_FOUND', `block ${blockId} is not sealed on this worker`, {
    reason: 'BLOCK_NOT_HERE',
  })
}

function tooLong(method: string, length: number): AlluxioError {
  return new AlluxioError(
    'INVALID_ARGUMENT',
    `${method} takes at most ${SHORT_BYTES} bytes, not ${length}: use the stream`,
  )
}
