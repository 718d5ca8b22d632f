/** The reading half of MasterFs. What is known and durable is answered without a promise. */
import {
  AlluxioError,
  blockCount,
  blockIdOf,
  blockLength,
  type Consistency,
  canonicalPath,
  FLAG_STALE,
  isAlluxioError,
  type Runtime,
  stricterMs,
  toAlluxioError,
  type WorkerId,
} from '../../../core/index.ts'
import type { BlockMap, Caller, Inode, Namespace, Settled } from '../../../namespace/index.ts'
import type {
  BlockInfo,
  Call,
  Handlers,
  Infer,
  MasterFs,
  UfsSource,
  WorkerAddress,
} from '../../../rpc/index.ts'
import { answeredWithin } from './answer-deadline.ts'
import type { Callers } from './callers.ts'
import type { MetadataLoader } from './metadata-loader.ts'
import type { SyncTimes } from './sync/sync-times.ts'
import type { WorkerRegistry } from './worker-registry.ts'

type Fs = Handlers<typeof MasterFs>
type Block = Infer<typeof BlockInfo>
type Address = Infer<typeof WorkerAddress>

export interface FsReadsOptions {
  /** Longest that a read waits for an under-store, ms. */
  readonly answerMs: number
}

export interface FsReadsModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly loader: MetadataLoader
  readonly workers: WorkerRegistry
  readonly callers: Callers
  readonly runtime: Runtime
  /** Which paths are wanted anew (`fs needsSync`). */
  readonly times?: SyncTimes
}

/** Blocks that one answer names; more by `blocks`. */
const BLOCKS_PER_ANSWER = 1000
const MAX_PAGE = 10_000
/** Blocks of many files after which no further file is told of. */
const BLOCKS_OF_FILES = 10_000
const READ_AND_SEARCH = 5
/** Of a directory that comes and goes in its store. */
const MOST_LISTINGS = 8

export class FsReads
  implements
    Pick<
      Fs,
      | 'getStatus'
      | 'statusById'
      | 'list'
      | 'open'
      | 'blocks'
      | 'blocksOfFiles'
      | 'contentSummary'
      | 'checksum'
      | 'checkAccess'
    >
{
  readonly #options: FsReadsOptions
  readonly #modules: FsReadsModules

  constructor(options: FsReadsOptions, modules: FsReadsModules) {
    this.#options = options
    this.#modules = modules
  }

  readonly getStatus: Fs['getStatus'] = ({ path: given, syncIntervalMs }, call) => {
    const path = canonicalPath(given)
    const caller = this.#caller(call)
    return this.#found(path, syncIntervalMs, false, () =>
      mapSettled(this.#modules.namespace.entry(path, caller), asEntry),
    )
  }

  readonly statusById: Fs['statusById'] = ({ fileId }, call) => {
    const { namespace } = this.#modules
    const { path } = this.#byId(fileId)
    const caller = this.#caller(call)
    return this.#found(path, undefined, false, () =>
      mapSettled(namespace.entry(path, caller), (entry) => ({ path, entry })),
    )
  }

  readonly list: Fs['list'] = async (
    { path: given, limit, cursor, syncIntervalMs = -1, loadMetadata = 'ONCE' },
    call,
  ) => {
    const path = canonicalPath(given)
    const { namespace } = this.#modules
    const caller = this.#caller(call)
    const listing = async () => {
      const page = await namespace.list(path, caller, {
        limit: Math.max(1, Math.min(limit, MAX_PAGE)),
        cursor,
      })
      const record = namespace.inode(path)?.record
      if (record === undefined) return page
      if (!record.directory) return { ...page, file: true }
      return (record.flags & FLAG_STALE) === 0 ? page : { ...page, stale: true }
    }
    // A later page never syncs: the first one did.
    if (cursor === undefined) await this.#lookInto(path, syncIntervalMs, loadMetadata, caller)
    return listing()
  }

  /** Brings a path and its children, not what is below these, to what the caller and the contract ask for. */
  async #lookInto(
    path: string,
    syncIntervalMs: number,
    loadMetadata: 'NEVER' | 'ONCE' | 'ALWAYS',
    caller: Caller,
  ): Promise<void> {
    const { namespace } = this.#modules
    const contract = namespace.mounts.contractOf(path)
    if (loadMetadata === 'NEVER' && contract?.strict !== true) return
    const askedMs = loadMetadata === 'ALWAYS' ? 0 : syncIntervalMs
    const ageMs = stricterMs(this.#wantedMs(path, askedMs), contract?.lookMs ?? -1)
    if (namespace.inode(path) !== undefined) await this.#checkTraversal(path, caller)
    const looked = this.#listed(path, ageMs, contract)
    if (looked !== false) await this.#tolerant(path, askedMs, contract, false, looked)
  }

  /** Brings the children of a path up to an age. */
  #listed(path: string, ageMs: number, contract: Consistency | undefined): false | Promise<unknown> {
    const { namespace, loader } = this.#modules
    const inode = namespace.inode(path)
    if (inode?.record.directory === false) return loader.refresh(path, ageMs)
    if (inode !== undefined) return this.#children(inode, ageMs)
    const search = loader.find(path, false, contract?.absentMs)
    if (search === false) return false
    return search.then(async () => {
      const found = namespace.inode(path)
      if (found?.record.directory === true) await this.#children(found, ageMs)
    })
  }

  #children(inode: Inode, ageMs: number): false | Promise<unknown> {
    const { loader } = this.#modules
    const { path } = inode
    const again = this.#isOld(inode, ageMs)
    const listing = loader.children(path, again, ageMs)
    if (listing === false) return false
    const listed = again ? this.#listedAgain(path, listing) : listing
    return listed.catch((error: unknown) => this.#missed(path, ageMs, error))
  }

  /** A directory that another look took away while it was listed may be there again. */
  async #missed(path: string, ageMs: number, error: unknown): Promise<void> {
    const { loader, namespace } = this.#modules
    if (!isAlluxioError(error, 'NOT_FOUND') || namespace.inode(path) !== undefined) throw error
    await loader.find(path, false, 0)
    const found = namespace.inode(path)
    if (found?.record.directory === true) await this.#children(found, ageMs)
  }

  /** A listing that finds nothing may be of a directory that has gone: a store of objects lists nothing where none is. */
  async #listedAgain(path: string, first: Promise<boolean>): Promise<void> {
    const { loader, namespace } = this.#modules
    let listing: false | Promise<boolean> = first
    for (let attempt = 0; attempt < MOST_LISTINGS; attempt++) {
      const found = await listing
      if (found && namespace.inode(path)?.record.length !== 0) return
      if (!(await loader.refresh(path, 0)) || found) return
      listing = loader.children(path, true, 0)
    }
  }

  readonly open: Fs['open'] = ({ path: given, syncIntervalMs }, call) => {
    const path = canonicalPath(given)
    const { namespace } = this.#modules
    const caller = this.#caller(call)
    return this.#found(path, syncIntervalMs, true, () =>
      mapSettled(namespace.open(path, caller), (inode) =>
        mapSettled(namespace.entry(path, caller), (entry) => this.#opened(inode, entry)),
      ),
    )
  }

  /** What may be read at a path: a complete file, or a directory whose names may be listed. @throws as `open` */
  readable(path: string, caller: Caller): Settled<Inode> {
    const { namespace } = this.#modules
    return this.#found(path, undefined, false, () => {
      try {
        return namespace.open(path, caller)
      } catch (error) {
        if (!isAlluxioError(error, 'IS_A_DIRECTORY')) throw error
        return mapSettled(namespace.checkAccess(path, READ_AND_SEARCH, caller), () =>
          namespace.status(path, caller),
        )
      }
    })
  }

  /** Looks up the children of a directory that was never listed. */
  childrenOnce(path: string, caller: Caller): Promise<void> {
    return this.#lookInto(path, -1, 'ONCE', caller)
  }

  readonly blocks: Fs['blocks'] = ({ fileId, from, limit }, call) => {
    const { namespace } = this.#modules
    return mapSettled(namespace.open(this.#byId(fileId).path, this.#caller(call)), (file) => {
      const workers = new Map<number, Address>()
      return { blocks: this.#blockInfos(file, from, limit, workers), workers: [...workers.values()] }
    })
  }

  readonly blocksOfFiles: Fs['blocksOfFiles'] = async ({ fileIds }, call) => {
    const { namespace } = this.#modules
    const caller = this.#caller(call)
    const workers = new Map<number, Address>()
    const files: Block[][] = []
    let told = 0
    for (const fileId of fileIds) {
      const inode = namespace.inodeById(fileId as Inode['record']['id'])
      const blocks: Block[] = []
      try {
        const opened = inode === undefined ? undefined : namespace.open(inode.path, caller)
        const file = opened instanceof Promise ? await opened : opened
        if (file !== undefined) blocks.push(...this.#blockInfos(file, 0, BLOCKS_PER_ANSWER, workers))
      } catch (error) {
        if (!isAlluxioError(error)) throw error
      }
      files.push(blocks)
      told += blocks.length
      if (told >= BLOCKS_OF_FILES) break
    }
    return { files, workers: [...workers.values()] }
  }

  readonly contentSummary: Fs['contentSummary'] = async ({ path: given, syncIntervalMs = -1 }, call) => {
    const path = canonicalPath(given)
    const caller = this.#caller(call)
    await this.#lookInto(path, syncIntervalMs, 'ONCE', caller)
    return this.#modules.namespace.contentSummary(path, caller)
  }

  readonly checksum: Fs['checksum'] = () => ({})

  readonly checkAccess: Fs['checkAccess'] = ({ path: given, bits }, call) => {
    const path = canonicalPath(given)
    const caller = this.#caller(call)
    return this.#found(path, undefined, false, () =>
      mapSettled(this.#modules.namespace.checkAccess(path, bits & 7, caller), () => ({})),
    )
  }

  /** Runs a read; when the path is unknown or must be checked, asks the under-store first and reads again. */
  #found<T>(path: string, givenMs = -1, opens: boolean, read: () => Settled<T>): Settled<T> {
    const { loader, namespace } = this.#modules
    const syncIntervalMs = this.#wantedMs(path, givenMs)
    const contract = namespace.mounts.contractOf(path)
    const ownMs = contract === undefined ? -1 : opens ? contract.openMs : contract.lookMs
    const ageMs = stricterMs(syncIntervalMs, ownMs)
    if (ageMs >= 0) {
      const refresh = loader.refresh(path, ageMs)
      if (refresh !== false) return this.#tolerant(path, givenMs, contract, opens, refresh).then(read)
    }
    try {
      return read()
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) throw error
      const search = loader.find(path, false, contract?.absentMs)
      if (search === false) throw error
      return this.#answered(path, contract, search).then(read)
    }
  }

  /**
   * Waits for a look at the under-store. One that fails keeps nobody from seeing what is known, marked stale, if only the
   * contract of the path asked for it and it is not strict; but no file is opened beyond its contract.
   */
  async #tolerant(
    path: string,
    askedMs: number,
    contract: Consistency | undefined,
    opens: boolean,
    look: Promise<unknown>,
  ): Promise<void> {
    const { namespace } = this.#modules
    try {
      await this.#answered(path, contract, look)
    } catch (error) {
      if (askedMs >= 0 || (contract !== undefined && (opens || contract.strict))) throw error
      if (namespace.inode(path) === undefined) throw error
      await namespace.markStale(path, true)
    }
  }

  /** @throws UNAVAILABLE, TIMEOUT: the store does not answer, or not in time; what it refuses */
  async #answered(path: string, contract: Consistency | undefined, look: Promise<unknown>): Promise<void> {
    const { runtime, namespace } = this.#modules
    const { answerMs } = this.#options
    const late = () => new AlluxioError('UNAVAILABLE', `no answer within ${answerMs / 1000} s`)
    try {
      await answeredWithin(runtime, answerMs, look, late)
    } catch (error) {
      const { code, reason, message } = toAlluxioError(error)
      if (code !== 'UNAVAILABLE' && code !== 'TIMEOUT') throw error
      const { uri } = namespace.resolve(path).mount
      const why = contract === undefined ? '' : ` (its contract is ${contract.name})`
      throw new AlluxioError(
        code,
        `${path} has to be checked with ${uri}${why}, which does not answer: ${message}`,
        {
          reason: reason ?? 'STORE_DOWN',
          details: { path, uri },
          cause: error,
        },
      )
    }
  }

  #wantedMs(path: string, givenMs: number): number {
    return this.#modules.times?.intervalMs(path, givenMs) ?? givenMs
  }

  #byId(fileId: number): Inode {
    const inode = this.#modules.namespace.inodeById(fileId as Inode['record']['id'])
    if (inode !== undefined) return inode
    throw new AlluxioError(
      'NOT_FOUND',
      `no file has id ${fileId}: it was deleted, or it is empty (empty files are found by their path only)`,
      { details: { fileId } },
    )
  }

  async #checkTraversal(path: string, caller: Caller): Promise<void> {
    await this.#modules.namespace.status(path, caller)
  }

  #isOld(inode: Inode, syncIntervalMs: number): boolean {
    if (syncIntervalMs < 0) return false
    return (
      syncIntervalMs === 0 ||
      this.#modules.runtime.now() - inode.record.syncedSeconds * 1000 >= syncIntervalMs
    )
  }

  #opened(inode: Inode, entry: Buffer): Infer<(typeof MasterFs)['methods']['open']['response']> {
    const workers = new Map<number, Address>()
    const blocks = this.#blockInfos(inode, 0, BLOCKS_PER_ANSWER, workers)
    const source = this.sourceOf(inode)
    return { entry, blocks, workers: [...workers.values()], ...(source === undefined ? {} : { source }) }
  }

  /** Where the bytes of a persisted file are for good. */
  sourceOf({ path, record }: Inode): Infer<typeof UfsSource> | undefined {
    if (record.persistence !== 'PERSISTED') return undefined
    const { mount, path: below } = this.#modules.namespace.resolve(path)
    const fingerprint = record.tail.fp
    return {
      mountId: mount.mountId,
      path: below,
      length: record.length,
      ...(fingerprint === undefined || fingerprint === '' ? {} : { fingerprint }),
    }
  }

  /** Blocks `from … from + limit` of a file with the live workers that hold them, which are added to `addresses`. */
  #blockInfos({ record }: Inode, from: number, limit: number, addresses: Map<number, Address>): Block[] {
    const { id, length, blockSizeBytes } = record
    const end = Math.min(blockCount(length, blockSizeBytes), from + Math.min(limit, BLOCKS_PER_ANSWER))
    const infos: Block[] = []
    for (let index = Math.max(0, from); index < end; index++) {
      const blockId = blockIdOf(id, index)
      infos.push({
        id: blockId,
        length: blockLength(length, blockSizeBytes, index),
        locations: this.places(blockId, addresses),
      })
    }
    return infos
  }

  /** The live workers that hold a block, best tier first. */
  places(blockId: number, addresses: Map<number, Address>): { workerId: number; tier: string }[] {
    const { blocks, workers } = this.#modules
    const places: { workerId: WorkerId; tier: string; level: number }[] = []
    for (const { workerId, tier } of blocks.locations(blockId as never)) {
      const worker = workers.get(workerId)
      if (worker?.state !== 'LIVE') continue
      addresses.set(workerId, worker.address)
      places.push({ workerId, tier: worker.tiers[tier]?.alias ?? 'MEM', level: tier })
    }
    if (places.length > 1) places.sort((a, b) => a.level - b.level)
    return places.map(({ workerId, tier }) => ({ workerId, tier }))
  }

  #caller(call: Call): Caller {
    return this.#modules.callers.of(call.peer.user)
  }
}

function asEntry(entry: Buffer): { entry: Buffer } {
  return { entry }
}

function mapSettled<T, R>(settled: Settled<T>, map: (value: T) => Settled<R>): Settled<R> {
  return settled instanceof Promise ? settled.then(map) : map(settled)
}
