/** What workers tell the master (MasterBlock). */
import {
  AlluxioError,
  type BlockId,
  fileOfBlock,
  type Log,
  type Runtime,
  type WorkerId,
} from '../../../core/index.ts'
import type { BlockMap, Namespace } from '../../../namespace/index.ts'
import type { DownloadItem, Handlers, MasterBlock } from '../../../rpc/index.ts'
import type { BlockFreer } from './block-freer.ts'
import type { Doubts } from './hints/index.ts'
import type { Persistence } from './persistence.ts'
import { PinList } from './pin-list.ts'
import type { Worker, WorkerCommand, WorkerRegistry } from './worker-registry.ts'

type Service = Handlers<typeof MasterBlock>

export interface BlockServiceOptions {
  readonly clusterId: string
}

export interface BlockServiceModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly workers: WorkerRegistry
  readonly freer: BlockFreer
  readonly persistence: Persistence
  readonly doubts: Doubts
  readonly runtime: Runtime
  readonly log: Log
}

/** 4,000 blocks of a registration, whose 9 bytes a block stay together: some ms. */
const SLICE_BYTES = 9 * 4_000

export class BlockService implements Service {
  readonly #options: BlockServiceOptions
  readonly #modules: BlockServiceModules
  readonly #pins: PinList

  constructor(options: BlockServiceOptions, modules: BlockServiceModules) {
    this.#options = options
    this.#modules = modules
    this.#pins = new PinList(modules)
  }

  readonly register: Service['register'] = (request) => {
    const { clusterId } = this.#options
    if (request.clusterId !== '' && request.clusterId !== clusterId) {
      throw new AlluxioError(
        'CONFLICT',
        `worker ${request.host} holds blocks of cluster ${request.clusterId}, this is cluster ${clusterId}: point it at its own master, or run "alluxio format worker" on it`,
        { reason: 'FOREIGN_CLUSTER', details: { expected: clusterId, found: request.clusterId } },
      )
    }
    const { workers, blocks } = this.#modules
    const worker = workers.register(request)
    this.#modules.persistence.workerGone(worker.address.id)
    blocks.beginRegistration(worker.address.id)
    return { workerId: worker.address.id, session: worker.session, clusterId }
  }

  readonly registerBlocks: Service['registerBlocks'] = ({ session, blocks }) => {
    if (blocks.length > SLICE_BYTES) return this.#registerSlices(session, blocks)
    const worker = this.#modules.workers.bySession(session)
    this.#modules.blocks.registerPage(worker.address.id, blocks)
    return {}
  }

  /** A long page, between which others are answered. */
  async #registerSlices(session: number, page: Uint8Array): Promise<Record<string, never>> {
    const { workers, blocks, runtime } = this.#modules
    for (let at = 0; at < page.length; at += SLICE_BYTES) {
      if (at > 0) await new Promise<void>((resolve) => runtime.defer(resolve))
      const worker = workers.bySession(session)
      blocks.registerPage(worker.address.id, page.subarray(at, at + SLICE_BYTES))
    }
    return {}
  }

  readonly registerEnd: Service['registerEnd'] = ({ session }) => {
    const { workers, blocks, persistence, log } = this.#modules
    const worker = workers.bySession(session)
    const id = worker.address.id
    blocks.endRegistration(id)
    worker.registering = false
    log.info('worker registered', { workerId: id, blocks: blocks.blockCountOf(id) })
    persistence.workerCame()
    this.#pins.tell(worker)
    return { drop: blocks.takeDrops(id) }
  }

  readonly heartbeat: Service['heartbeat'] = ({ session, removed, added, tiers, load, lost }) => {
    const { blocks, namespace, freer, doubts } = this.#modules
    const worker = this.#current(session)
    if (worker === undefined) return { register: true, mountsVersion: namespace.mounts.version }
    worker.tiers = tiers
    worker.load = load
    const id = worker.address.id as WorkerId
    if (removed.length > 0 || added.length > 0) {
      blocks.applyDelta(id, removed, added)
      doubts.told(id, removed, added)
    }
    if (blocks.hasDrops(id)) freer.kick()
    if (lost !== undefined) this.#reportLoss(worker, lost)
    this.#pins.tell(worker)
    return { register: false, mountsVersion: namespace.mounts.version }
  }

  readonly mounts: Service['mounts'] = () => {
    const { namespace } = this.#modules
    return { mounts: [...namespace.mounts.all()], version: namespace.mounts.version }
  }

  readonly commands: Service['commands'] = ({ session }, call) => this.#commands(session, call.signal)

  async *#commands(session: number, signal: AbortSignal): AsyncGenerator<DownloadItem<WorkerCommand>> {
    for await (const item of this.#modules.workers.commands(session, signal)) yield { item }
  }

  readonly taskDone: Service['taskDone'] = async ({ session, ...report }) => {
    this.#modules.workers.bySession(session)
    await this.#modules.persistence.done(report)
    return {}
  }

  #current(session: number) {
    try {
      return this.#modules.workers.bySession(session)
    } catch {
      return undefined
    }
  }

  /** Bytes that were nowhere else are gone: whoever runs the cluster has to know which file it was. */
  #reportLoss({ address }: Worker, lost: Uint8Array): void {
    const { namespace, blocks, log } = this.#modules
    const ids = new DataView(lost.buffer, lost.byteOffset, lost.byteLength)
    for (let at = 0; at + 8 <= lost.length; at += 8) {
      const blockId = ids.getFloat64(at, true) as BlockId
      const copies = blocks.locations(blockId).length
      const path = namespace.inodeById(fileOfBlock(blockId))?.path
      log.error('DATA_LOSS: a block without another known copy is damaged', {
        ...{ path, blockId, workerId: address.id, host: address.host, copies },
      })
    }
  }
}
