/**
 * Where the bytes of a file are, for readers outside of this library that open tier files themselves: one call tells all that they
 * need.
 */
import { blockIdOf, blockLength } from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'
import type { BlockInfo, Client, Infer, MasterFs } from '../rpc/index.ts'
import { statusOfEntry } from './file-status.ts'
import { isThisHost } from './hosts.ts'
import type { PlacedBlock, TierFile, TierFolders } from './tier-folders.ts'
import type { BlockPlace, FileStatus, LocatedBlock, LocatedFile } from './types.ts'
import type { KnownWorker, Workers } from './workers.ts'

export interface LocateModules {
  readonly fs: Client<typeof MasterFs>
  readonly workers: Workers
  readonly tierFolders: TierFolders
}

export interface LocateRequest {
  readonly path: string
  readonly syncIntervalMs: number | undefined
  /** The first block told is the one that holds this byte. */
  readonly offset: number
  readonly maxBlocks: number
  /** Names and addresses of the reader's host, in lower case. */
  readonly hosts: ReadonlySet<string>
  /** Whether workers are asked for the tier files of their blocks. */
  readonly certain: boolean
  /** Which worker fetches a block that nobody caches. */
  readonly policy: LocationPolicy
  readonly signal: AbortSignal | undefined
}

type Info = Pick<Infer<typeof BlockInfo>, 'id' | 'length' | 'locations'>

/** Blocks of one call, and files. */
const BLOCKS_PER_CALL = 1000
const FILES_PER_CALL = 1000
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
  const locate = new Locating(request, status.persisted, modules)
  const blocks = await Promise.all(
    infos.map((info, i) => {
      const at = (first + i) * blockSizeBytes
      return locate.concluded(info, at) ?? locate.block(info, at)
    }),
  )
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
  readonly #persisted: boolean
  readonly #workers: Workers
  readonly #folders: TierFolders

  constructor(request: LocateRequest, persisted: boolean, { workers, tierFolders }: LocateModules) {
    this.#request = request
    this.#persisted = persisted
    this.#workers = workers
    this.#folders = tierFolders
  }

  /** A block on the reader's host whose file is concluded: what most opens of warm files come to, without a call or a promise. */
  concluded(info: Info, offset: number): LocatedBlock | undefined {
    const near = this.#nearest(info)
    if (near === undefined || this.#request.certain) return undefined
    const local = this.#folders.find(near.worker, this.#placed(info, near.tier))
    return local === undefined || local instanceof Promise
      ? undefined
      : blockWith(info, offset, near.worker, local)
  }

  async block(info: Info, offset: number): Promise<LocatedBlock> {
    const { id, length, locations } = info
    const near = this.#nearest(info)
    if (near !== undefined && !this.#request.certain) {
      const local = await this.#folders.find(near.worker, this.#placed(info, near.tier))
      if (local !== undefined) return blockWith(info, offset, near.worker, local)
    }
    const holders = this.#nearFirst(locations.flatMap(({ workerId }) => this.#workers.get(workerId) ?? []))
    const ranked = this.#workers.rank(this.#request.policy, { key: id, sizeBytes: length })
    const others = this.#nearFirst(ranked instanceof Promise ? await ranked : ranked)
    const workers = [...holders, ...others.filter((worker) => !holders.includes(worker))].slice(
      0,
      MAX_WORKERS,
    )
    const local = near === undefined ? undefined : await this.#asked(id, near.worker)
    return {
      ...{ blockId: id, offset, length, near: workers.some((worker) => this.#isNear(worker)) },
      workers: workers.map(({ address }) => address),
      ...(local === undefined ? {} : { local }),
      ...(locations.length === 0 ? { cold: true } : {}),
    }
  }

  #placed({ id, length }: Info, tier: string): PlacedBlock {
    return { id, length, tier, soleCopy: !this.#persisted }
  }

  /** The first holder on the reader's host, if tier files are opened there at all. */
  #nearest({ locations }: Info): { readonly worker: KnownWorker; readonly tier: string } | undefined {
    if (!this.#workers.options.shortCircuit) return undefined
    for (const { workerId, tier } of locations) {
      const worker = this.#workers.get(workerId)
      if (worker === undefined || this.#workers.isShunned(worker) || !this.#isNear(worker)) continue
      return { worker, tier }
    }
    return undefined
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

  /** The tier file of the block, if the worker has it sealed. */
  async #asked(blockId: number, worker: KnownWorker): Promise<TierFile | undefined> {
    try {
      const { path, trustSeal = false } = await worker.block.localPath({ blockId, promote: false })
      return { paths: [path], trustSeal }
    } catch (error) {
      // Not sealed there, or not there any more: the reader asks the worker for the bytes.
      this.#workers.failed(worker, error)
      return undefined
    }
  }
}

function blockWith(
  { id, length }: Info,
  offset: number,
  { address }: KnownWorker,
  local: TierFile,
): LocatedBlock {
  return { blockId: id, offset, length, near: true, workers: [address], local }
}

/** Places of the blocks of a file; one that nobody caches costs no call. @throws as `open` */
export async function placesOf(status: FileStatus, fs: Client<typeof MasterFs>): Promise<BlockPlace[]> {
  return isCached(status) ? placesFrom(status, [], new Map(), fs) : placesWith(status, [], new Map())
}

/** The same of listed files by one call for many; of a file that has gone meanwhile, or may not be read, none is told. */
export async function placesOfFiles(
  statuses: readonly FileStatus[],
  fs: Client<typeof MasterFs>,
): Promise<BlockPlace[][]> {
  const cached = statuses.filter(isCached)
  const found = new Map<FileStatus, readonly Info[]>()
  const hosts = new Map<number, string>()
  for (let at = 0; at < cached.length; ) {
    const asked = cached.slice(at, at + FILES_PER_CALL)
    const { files, workers } = await fs.blocksOfFiles({ fileIds: asked.map(({ fileId }) => fileId) })
    if (files.length === 0) break
    for (const { id, host } of workers) hosts.set(id, host)
    for (const [i, infos] of files.entries()) found.set(asked[i]!, infos)
    at += files.length
  }
  const places: BlockPlace[][] = []
  for (const status of statuses) {
    const infos = found.get(status) ?? []
    const isPart = infos.length > 0 && infos.length * status.blockSizeBytes < status.length
    places.push(isPart ? await placesFrom(status, infos, hosts, fs) : placesWith(status, infos, hosts))
  }
  return places
}

function isCached({ folder, length, cachedBytes }: FileStatus): boolean {
  return !folder && length > 0 && cachedBytes > 0
}

/** @param known the first blocks */
async function placesFrom(
  status: FileStatus,
  known: readonly Info[],
  hosts: Map<number, string>,
  fs: Client<typeof MasterFs>,
): Promise<BlockPlace[]> {
  const { fileId, length, blockSizeBytes } = status
  const infos = [...known]
  while (infos.length * blockSizeBytes < length) {
    const more = await fs.blocks({ fileId, from: infos.length, limit: BLOCKS_PER_CALL })
    if (more.blocks.length === 0) break
    for (const { id, host } of more.workers) hosts.set(id, host)
    infos.push(...more.blocks)
  }
  return placesWith(status, infos, hosts)
}

/** @param infos of all blocks; when there are fewer, nobody is known to have any */
function placesWith(
  status: FileStatus,
  infos: readonly Info[],
  hosts: ReadonlyMap<number, string>,
): BlockPlace[] {
  const { folder, length, blockSizeBytes } = status
  if (folder || length === 0) return []
  const isWhole = infos.length * blockSizeBytes >= length
  const all = isWhole ? infos : unknownBlocks(status, 0, Number.POSITIVE_INFINITY)
  return all.map(({ id, length: bytes, locations }, index) => ({
    blockId: id,
    offset: index * blockSizeBytes,
    length: bytes,
    locations: locations.map(({ workerId, tier }) => ({ workerId, tier, host: hosts.get(workerId) ?? '' })),
  }))
}
