/**
 * Where the bytes of a file are, for readers outside of this library that open tier files themselves: one call tells all that they
 * need.
 */
import { blockIdOf, blockLength, type FileId } from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'
import type { BlockInfo, Client, Infer, MasterFs } from '../rpc/index.ts'
import { statusOfEntry } from './file-status.ts'
import { isThisHost } from './hosts.ts'
import type { BlockPlace, FileStatus, LocatedBlock, LocatedFile } from './types.ts'
import type { KnownWorker, Workers } from './workers.ts'

export interface LocateModules {
  readonly fs: Client<typeof MasterFs>
  readonly workers: Workers
}

export interface LocateRequest {
  readonly path: string
  readonly syncIntervalMs: number | undefined
  /** The first block told is the one that holds this byte. */
  readonly offset: number
  readonly maxBlocks: number
  /** Names and addresses of the reader's host, in lower case. */
  readonly hosts: ReadonlySet<string>
  /** Which worker fetches a block that nobody caches. */
  readonly policy: LocationPolicy
  readonly signal: AbortSignal | undefined
}

type Info = Pick<Infer<typeof BlockInfo>, 'id' | 'length' | 'locations'>

/** Workers told for each block at most; the first is to be asked first. */
const MAX_WORKERS = 4

/** @throws NOT_FOUND, IS_A_DIRECTORY, PERMISSION_DENIED, CONFLICT for a file still being written */
export async function locateFile(request: LocateRequest, modules: LocateModules): Promise<LocatedFile> {
  const { path, syncIntervalMs, offset, maxBlocks, signal } = request
  const call = signal === undefined ? undefined : { signal }
  const answer = await modules.fs.open(
    syncIntervalMs === undefined ? { path } : { path, syncIntervalMs },
    call,
  )
  modules.workers.learn(answer.workers)
  const status = statusOfEntry(path, answer.entry)
  const { fileId, length, blockSizeBytes } = status
  const first = length === 0 ? 0 : Math.floor(Math.min(offset, length - 1) / blockSizeBytes)
  let infos: readonly Info[] = answer.blocks.slice(first, first + maxBlocks)
  if (infos.length === 0 && length > 0) {
    const later = await modules.fs.blocks({ fileId, from: first, limit: maxBlocks }, call)
    modules.workers.learn(later.workers)
    infos = later.blocks
  }
  // A file that is in its store alone may have none told.
  if (infos.length === 0 && length > 0) infos = unknownBlocks(status, first, maxBlocks)
  const locate = new Locating(request, modules.workers)
  const blocks = await Promise.all(infos.map((info, i) => locate.block(info, (first + i) * blockSizeBytes)))
  return { status, firstBlock: first, blocks }
}

function unknownBlocks({ fileId, length, blockSizeBytes }: FileStatus, first: number, count: number): Info[] {
  const total = Math.ceil(length / blockSizeBytes)
  const infos: Info[] = []
  for (let index = first; index < total && infos.length < count; index++) {
    const id = blockIdOf(fileId, index)
    infos.push({ id, length: blockLength(length, blockSizeBytes, index), locations: [] })
  }
  return infos
}

class Locating {
  readonly #request: LocateRequest
  readonly #workers: Workers

  constructor(request: LocateRequest, workers: Workers) {
    this.#request = request
    this.#workers = workers
  }

  async block({ id, length, locations }: Info, offset: number): Promise<LocatedBlock> {
    const holders = this.#nearFirst(locations.flatMap(({ workerId }) => this.#workers.get(workerId) ?? []))
    const ranked = this.#workers.rank(this.#request.policy, { key: id, sizeBytes: length })
    const others = this.#nearFirst(ranked instanceof Promise ? await ranked : ranked)
    const workers = [...holders, ...others.filter((worker) => !holders.includes(worker))].slice(
      0,
      MAX_WORKERS,
    )
    const local = await this.#tierFile(id, holders)
    return {
      ...{ blockId: id, offset, length, near: workers.some((worker) => this.#isNear(worker)) },
      workers: workers.map(({ address }) => address),
      ...(local === undefined ? {} : { local }),
      ...(locations.length === 0 ? { cold: true } : {}),
    }
  }

  #isNear({ host }: KnownWorker): boolean {
    return isThisHost(host, this.#request.hosts)
  }

  #nearFirst(workers: readonly KnownWorker[]): KnownWorker[] {
    const usable = workers.filter((worker) => !this.#workers.isShunned(worker))
    const near = usable.filter((worker) => this.#isNear(worker))
    if (near.length === 0) return usable
    return [...near, ...usable.filter((worker) => !near.includes(worker))]
  }

  /** The tier file of the block on the reader's host, if a worker there has it sealed. */
  async #tierFile(blockId: number, holders: readonly KnownWorker[]): Promise<LocatedBlock['local']> {
    if (!this.#workers.options.shortCircuit) return undefined
    const near = holders.find((worker) => this.#isNear(worker))
    if (near === undefined) return undefined
    try {
      const { path, trustSeal = false } = await near.block.localPath({ blockId, promote: false })
      return { path, trustSeal }
    } catch (error) {
      // Not sealed there, or not there any more: the reader asks the worker for the bytes.
      this.#workers.failed(near, error)
      return undefined
    }
  }
}

/** Places of the blocks of a listed file; one that nobody caches costs no call. */
export async function placesOf(
  status: FileStatus,
  fs: Client<typeof MasterFs>,
  blocksPerCall: number,
): Promise<BlockPlace[]> {
  const { fileId, length, blockSizeBytes, cachedBytes, folder } = status
  if (folder || length === 0) return []
  const infos: Info[] = []
  const hosts = new Map<number, string>()
  while (cachedBytes > 0 && infos.length * blockSizeBytes < length) {
    const more = await fs.blocks({ fileId: fileId as FileId, from: infos.length, limit: blocksPerCall })
    if (more.blocks.length === 0) break
    for (const { id, host } of more.workers) hosts.set(id, host)
    infos.push(...more.blocks)
  }
  const known =
    infos.length * blockSizeBytes >= length ? infos : unknownBlocks(status, 0, Number.POSITIVE_INFINITY)
  return known.map(({ id, length: bytes, locations }, index) => ({
    blockId: id,
    offset: index * blockSizeBytes,
    length: bytes,
    locations: locations.map(({ workerId, tier }) => ({ workerId, tier, host: hosts.get(workerId) ?? '' })),
  }))
}
