/** The store put together: this file joins its parts and is their only door. */
import type { BlockDisk } from '../arrow/index.ts'
import {
  AlluxioError,
  type BlockId,
  type FileId,
  type Log,
  type Metrics,
  type Runtime,
  sleep,
} from '../core/index.ts'
import { Adoption } from './adoption.ts'
import { Background } from './background.ts'
import { Catalog, type Tier } from './catalog.ts'
import type { BlockEntry } from './entry.ts'
import { allocationByName, evictionByName } from './eviction/index.ts'
import { Files } from './files.ts'
import { Fills } from './fills.ts'
import { Folder } from './folder.ts'
import { type StoreMetrics, storeMetrics } from './metrics.ts'
import { OpenFiles } from './open-files.ts'
import { PinMoves } from './pin-moves.ts'
import { Probe } from './probe.ts'
import { ReadPath } from './read-path.ts'
import { recover } from './recovery.ts'
import { Scrubber } from './scrubber.ts'
import { Space } from './space.ts'
import type {
  AllocationPolicy,
  BlockBytes,
  BlockChanges,
  BlockPiece,
  BlockPlace,
  BlockStore,
  BlockStoreOptions,
  BlockWriter,
  CreateOptions,
  EvictionPolicy,
  LoadRequest,
  PinnedFiles,
  ReadRequest,
  RecoverySummary,
  TierUse,
  WriteOptions,
} from './types.ts'
import { Writes } from './writes.ts'

export interface BlockStoreModules {
  readonly disk: BlockDisk
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

const EXTENT_BYTES = 2 ** 20
const READ_AHEAD_BYTES = 64 * 2 ** 20
const LRFU = { step: 0.25, attenuation: 2 }

/** Makes a store; `start` it before use. @throws INVALID_ARGUMENT for options that make no store */
export async function openBlockStore(
  options: BlockStoreOptions,
  modules: BlockStoreModules,
): Promise<BlockStore> {
  check(options)
  const makeEviction = await evictionByName(options.eviction ?? 'LRU')
  const makeAllocation = await allocationByName(options.allocation ?? 'MaxFree')
  const tiers = options.tiers.map((tier, index): Tier => {
    const folders = tier.folders.map(
      ({ path, quotaBytes, medium = tier.alias }, i) =>
        new Folder({ tier: index, index: i, path, quotaBytes, medium }, modules),
    )
    const capacityBytes = folders.reduce((sum, folder) => sum + folder.capacityBytes, 0)
    const eviction: EvictionPolicy = makeEviction({ capacityBytes, lrfu: options.lrfu ?? LRFU })
    return { index, alias: tier.alias, durable: tier.durable ?? tier.alias !== 'MEM', folders, eviction }
  })
  return new TieredBlockStore(options, { ...modules, tiers, allocation: makeAllocation() })
}

function check(options: BlockStoreOptions): void {
  const problems: string[] = []
  if (options.tiers.length === 0) problems.push('there is no tier')
  for (const tier of options.tiers)
    if (tier.folders.length === 0) problems.push(`tier ${tier.alias} has no folder`)
  const extent = options.extentBytes ?? EXTENT_BYTES
  if (!(extent >= 65536 && extent % 4096 === 0)) {
    problems.push(`extents of ${extent} bytes are no multiple of 4096 from 64 KiB on`)
  }
  const paths = options.tiers.flatMap((tier) => tier.folders.map(({ path }) => path))
  if (new Set(paths).size < paths.length) problems.push('two folders have the same path')
  if (problems.length > 0) throw new AlluxioError('INVALID_ARGUMENT', `block store: ${problems.join('; ')}`)
}

class TieredBlockStore implements BlockStore {
  readonly #catalog: Catalog
  readonly #files: Files
  readonly #fills: Fills
  readonly #openFiles: OpenFiles
  readonly #reads: ReadPath
  readonly #writes: Writes
  readonly #adoption: Adoption
  readonly #background: Background
  readonly #pinMoves: PinMoves
  readonly #probe: Probe
  readonly #scrubber: Scrubber
  readonly #space: Space
  readonly #modules: BlockStoreModules
  readonly #metrics: StoreMetrics

  constructor(
    options: BlockStoreOptions,
    modules: BlockStoreModules & { readonly tiers: readonly Tier[]; readonly allocation: AllocationPolicy },
  ) {
    const { disk, runtime, log, tiers, allocation } = modules
    this.#modules = modules
    const catalog = new Catalog(tiers, modules)
    const metrics = storeMetrics(modules.metrics, catalog, () => this.#scrubber.oldestCheckAgeMs)
    const openFiles = new OpenFiles(options.openFiles ?? 512, { disk, catalog })
    const dropFill = (entry: BlockEntry) => this.#fills.drop(entry)
    const onFailed = (folder: Folder) => this.#probe.watch(folder)
    const files = new Files({ catalog, disk, openFiles, runtime, log, metrics, dropFill, onFailed })
    const space = new Space({
      runtime,
      catalog,
      allocation,
      move: async (entry, target) => {
        const from = catalog.tierOf(entry).alias
        const moved = await files.move(entry, target)
        if (moved) metrics.demoted.with({ tier: from }).add()
        return moved
      },
      evict: (entry) => {
        metrics.evicted.with({ tier: catalog.tierOf(entry).alias }).add()
        return files.delete(entry, true)
      },
    })
    const writes = new Writes({ catalog, space, files, disk, runtime, metrics })
    const pinMoves = new PinMoves({ catalog, space, files, runtime, log, metrics })
    const background = new Background(
      {
        align: options.align?.enabled ?? true,
        intervalMs: options.align?.intervalMs ?? 10_000,
        freeAheadBytes: options.freeAheadBytes ?? 0,
        localWriteTimeoutMs: options.localWriteTimeoutMs ?? 600_000,
      },
      { catalog, space, files, writes, pinMoves, runtime, log, metrics },
    )
    this.#fills = new Fills(options.extentBytes ?? EXTENT_BYTES, {
      ...{ catalog, space, files, writes, disk, runtime, log, metrics },
    })
    const promote = (entry: BlockEntry) => background.promote(entry)
    this.#reads = new ReadPath(
      { readAheadBytes: options.readAheadBytes ?? READ_AHEAD_BYTES },
      { catalog, files, fills: this.#fills, openFiles, metrics, promote },
    )
    this.#pinMoves = pinMoves
    this.#probe = new Probe(options.probeIntervalMs ?? 5_000, {
      ...{ catalog, files, space, disk, runtime, log, metrics },
    })
    this.#scrubber = new Scrubber(options.scrub ?? { bytesPerSecond: 0, intervalMs: 0 }, {
      ...{ catalog, files, disk, runtime, log, metrics },
      isBusy: () => this.inProgress > 0,
    })
    this.#catalog = catalog
    this.#metrics = metrics
    this.#openFiles = openFiles
    this.#files = files
    this.#space = space
    this.#writes = writes
    this.#adoption = new Adoption({ catalog, files, openFiles, disk, runtime })
    this.#background = background
  }

  async start(): Promise<RecoverySummary> {
    const { runtime, log, disk } = this.#modules
    const begun = runtime.monotonic()
    const found = await recover({ catalog: this.#catalog, files: this.#files, disk, runtime, log })
    let evicted = 0
    for (const tier of this.#catalog.tiers) {
      for (const folder of tier.folders) {
        if (folder.usedBytes > folder.capacityBytes) evicted += await this.#space.shrink(folder)
      }
    }
    this.#background.start()
    this.#scrubber.start()
    const summary = { ...found, evicted, ms: runtime.monotonic() - begun }
    log.info('block store is ready', summary)
    return summary
  }

  async stop(): Promise<void> {
    await Promise.all([this.#background.stop(), this.#scrubber.stop(), this.#probe.stop()])
    await this.#fills.stop()
    this.#openFiles.closeAll()
  }

  createLocal(blockId: BlockId, options: CreateOptions): Promise<{ path: string; tier: string }> {
    return this.#writes.createLocal(blockId, options)
  }
  commitLocal(
    blockId: BlockId,
    length: number,
    options: { readonly soleCopy: boolean },
  ): Promise<{ tier: string }> {
    return this.#writes.commitLocal(blockId, length, options.soleCopy)
  }
  abortLocal(blockId: BlockId): Promise<void> {
    return this.#writes.abortLocal(blockId)
  }
  write(blockId: BlockId, options: WriteOptions): Promise<BlockWriter> {
    return this.#writes.write(blockId, options)
  }
  writeSmall(
    blockId: BlockId,
    bytes: Uint8Array,
    options: Omit<WriteOptions, 'sizeHint'>,
  ): Promise<{ length: number; tier: string }> {
    return this.#writes.writeSmall(blockId, bytes, options)
  }

  localPath(
    blockId: BlockId,
    { promote }: { readonly promote: boolean },
  ): { path: string; tier: string; trustSeal: boolean } | undefined {
    const entry = this.#catalog.get(blockId)
    if (entry?.state !== 'sealed') return undefined
    const tier = this.#catalog.tierOf(entry)
    this.#catalog.touch(entry, 0, entry.length)
    if (promote) this.#background.promote(entry)
    return { path: this.#files.path(entry), tier: tier.alias, trustSeal: !tier.durable }
  }

  read(request: ReadRequest): AsyncIterable<BlockPiece> {
    return this.#reads.read(request)
  }
  readAt(request: ReadRequest): BlockBytes | Promise<BlockBytes> {
    return this.#reads.readAt(request)
  }

  async load(request: LoadRequest): Promise<void> {
    const whole = { ...request, offset: 0, length: request.blockLength, cache: true, sequential: false }
    if (this.place(request.blockId) === undefined) {
      for await (const { bytes } of this.read(whole)) request.onProgress?.(bytes.length)
    }
    await this.#fills.settled(request.blockId)
    const entry = this.#catalog.get(request.blockId)
    if (entry?.state !== 'sealed') {
      throw new AlluxioError(
        'RESOURCE_EXHAUSTED',
        `block ${request.blockId} was read but not kept: no tier has space for it`,
        { reason: 'NO_TIER_SPACE' },
      )
    }
    if (request.promote) this.#background.promote(entry)
  }

  place(blockId: BlockId): { tier: number; length: number } | undefined {
    const entry = this.#catalog.get(blockId)
    return entry?.state === 'sealed' ? { tier: entry.folder.tier, length: entry.length } : undefined
  }

  async recheck(blockIds: readonly BlockId[]): Promise<void> {
    for (const id of blockIds) {
      const entry = this.#catalog.get(id)
      if (entry?.state === 'sealed') {
        this.#files.recheck(entry)
        // A disk that seeks must not stop the worker for long.
        await sleep(this.#modules.runtime, 1)
      }
      this.#catalog.tellAgain(id)
    }
  }

  adopt(from: BlockId, to: BlockId, length: number): Promise<{ tier: string }> {
    return this.#adoption.adopt(from, to, length)
  }

  async remove(blockIds: readonly BlockId[]): Promise<void> {
    for (const id of blockIds) this.#fills.forget(id)
    const entries = blockIds.map((id) => this.#catalog.get(id)).filter((entry) => entry !== undefined)
    await Promise.all(entries.map((entry) => this.#files.delete(entry, false)))
    for (const folder of new Set(entries.map((entry) => entry.folder))) folder.markSpace()
  }

  markPersisted(fileId: FileId): void {
    for (const entry of this.#catalog.takeSoles(fileId)) this.#files.markPersisted(entry)
  }
  setPinned(files: PinnedFiles): void {
    if (this.#catalog.pins.replace(files)) this.#pinMoves.changed()
  }

  onChanges(listener: () => void): void {
    this.#catalog.onChange = listener
  }
  changes(): BlockChanges {
    return this.#catalog.changes()
  }
  blockPages(pageSize: number): Iterable<readonly BlockPlace[]> {
    return this.#catalog.pages(pageSize)
  }
  usage(): readonly TierUse[] {
    return this.#catalog.usage()
  }
  folders(): { tier: string; path: string; trustSeal: boolean }[] {
    return this.#catalog.tiers.flatMap(({ alias, durable, folders }) =>
      folders
        .filter(({ failure }) => failure === undefined)
        .map(({ path }) => ({ tier: alias, path, trustSeal: !durable })),
    )
  }
  get blocks(): number {
    return this.#catalog.sealedCount
  }
  get inProgress(): number {
    return this.#reads.inProgress + this.#writes.inProgress + this.#fills.inProgress
  }
  get quarantined(): number {
    return this.#metrics.quarantined.value
  }
}
