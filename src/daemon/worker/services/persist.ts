/**
 * Writes a completed file of cached blocks to its under-store, on the master's command. A repeat after a crash of either
 * daemon finds the object that the first attempt left and does not write it again.
 */
import { AlluxioError, assert, type BlockId, type Log, toAlluxioError } from '../../../core/index.ts'
import type { BlockInfo, Client, Infer, MasterBlock, WorkerAddress, WorkerBlock } from '../../../rpc/index.ts'
import type { BlockStore } from '../../../store/index.ts'
import type { UfsStatus, UnderStore } from '../../../ufs/store.ts'
import type { MountTable } from './mount-table.ts'
import {
  createWithParents,
  type FileAttributes,
  finish,
  isFinishedCopy,
  sameBytes,
  statusIfAny,
} from './ufs-create.ts'
import type { WorkerMetrics } from './worker.metrics.ts'

export type Command = Infer<(typeof MasterBlock)['methods']['commands']['item']>
type Address = Infer<typeof WorkerAddress>
type Block = Infer<typeof BlockInfo>

export interface PersistModules {
  readonly store: BlockStore
  readonly mounts: MountTable
  readonly peer: (address: Address) => Client<typeof WorkerBlock>
  readonly workerId: () => number
  readonly clusterId: () => string
  readonly metrics: WorkerMetrics
  readonly log: Log
}

/** Fingerprint of the object that now holds the file. */
export async function persistFile(
  modules: PersistModules,
  command: Command,
  signal: AbortSignal,
): Promise<string> {
  const { target, fileId, blocks = [], workers = [] } = command
  assert(target !== undefined && fileId !== undefined, 'a PERSIST command names its file and target')
  const length = blocks.reduce((sum, block) => sum + block.length, 0)
  if (length !== target.length) {
    throw new AlluxioError(
      'DATA_LOSS',
      `file ${fileId} has ${target.length} bytes, its known blocks ${length}`,
    )
  }
  const file: FileAttributes = {
    fileId,
    clusterId: modules.clusterId(),
    mode: command.mode ?? 0o644,
    owner: command.owner ?? '',
    group: command.group ?? '',
    length,
  }
  const store = await modules.mounts.store(target.mountId)
  const bytes = () => fileBytes(modules, blocks, workers, signal)
  const found = await statusIfAny(store, target.path, signal)
  const fingerprint =
    (found === undefined
      ? undefined
      : await finishedBefore(store, target.path, file, found, bytes, signal)) ??
    (await upload(store, target.path, file, bytes(), found === undefined, modules.log, signal))
  modules.metrics.persisted.add()
  return fingerprint
}

async function finishedBefore(
  store: UnderStore,
  path: string,
  file: FileAttributes,
  found: UfsStatus,
  bytes: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const same = () =>
    sameBytes(
      store.open(path, { offset: 0, length: file.length, fingerprint: found.fingerprint, signal }),
      bytes(),
    )
  return (await isFinishedCopy(found, file, same)) ? found.fingerprint : undefined
}

/** @param ifAbsent nothing was there: what has come since belongs to a file that took the name meanwhile */
async function upload(
  store: UnderStore,
  path: string,
  file: FileAttributes,
  bytes: AsyncIterable<Uint8Array>,
  ifAbsent: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<string> {
  const writer = await createWithParents(store, path, file, ifAbsent)
  try {
    for await (const chunk of bytes) await writer.write(chunk)
    signal.throwIfAborted()
    return (await finish(store, writer, path, file, log)).fingerprint
  } catch (error) {
    await writer.abort()
    throw error
  }
}

async function* fileBytes(
  modules: PersistModules,
  blocks: readonly Block[],
  workers: readonly Address[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const block of blocks) yield* blockBytes(modules, block, workers, signal)
}

/** A block from this worker or, when it is not or no longer here, from one that has it; goes on where a source failed. */
async function* blockBytes(
  modules: PersistModules,
  block: Block,
  workers: readonly Address[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let offset = 0
  let failure: unknown
  for (const source of sourcesOf(modules, block, workers)) {
    try {
      for await (const bytes of source(offset, signal)) {
        yield bytes
        offset += bytes.length
      }
      if (offset === block.length) return
      failure = new AlluxioError('DATA_LOSS', `block ${block.id} ended at ${offset} of ${block.length} bytes`)
    } catch (error) {
      signal.throwIfAborted()
      failure = error
      modules.log.warn('block not read for persist', { blockId: block.id, error })
    }
  }
  throw failure === undefined
    ? new AlluxioError('UNAVAILABLE', `no live worker holds block ${block.id}`)
    : toAlluxioError(failure)
}

type BlockSource = (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>

function sourcesOf(modules: PersistModules, block: Block, workers: readonly Address[]): BlockSource[] {
  const others = workers.filter(
    (worker) =>
      worker.id !== modules.workerId() && block.locations.some(({ workerId }) => workerId === worker.id),
  )
  const sources = others.map(
    (address): BlockSource =>
      (offset, signal) =>
        fromPeer(modules.peer(address), block, offset, signal),
  )
  if (modules.store.place(block.id as BlockId) !== undefined) {
    sources.unshift((offset, signal) => fromHere(modules.store, block, offset, signal))
  }
  return sources
}

async function* fromHere(
  store: BlockStore,
  block: Block,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const request = { ...rangeOf(block, offset), blockId: block.id as BlockId, signal }
  for await (const piece of store.read(request)) yield piece.bytes
}

async function* fromPeer(
  peer: Client<typeof WorkerBlock>,
  block: Block,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const request = { ...rangeOf(block, offset), blockId: block.id, fileOffset: 0 }
  for await (const { payload } of peer.read(request, { signal })) if (payload !== undefined) yield payload
}

function rangeOf(block: Block, offset: number) {
  return {
    blockLength: block.length,
    offset,
    length: block.length - offset,
    cache: false,
    promote: false,
    sequential: true,
  } as const
}
