/**
 * Changes of replicas to those who follow them: streams of paths, which are checked and bounded here, and publication to everybody,
 * which names blocks by their ids only. Nobody is waited for: who lags is told to look anew.
 */
import {
  AlluxioError,
  blockIndex,
  type Cancel,
  type Component,
  canonicalPath,
  fileOfBlock,
  type Log,
  type Runtime,
} from '../../../../core/index.ts'
import type { BlockMap, Caller, Inode, Namespace } from '../../../../namespace/index.ts'
import type { DownloadItem, HintsContract, Infer, Publisher, Transport } from '../../../../rpc/index.ts'
import { ChangeFeed, type ReplicaChange } from '../../../../scheduler/index.ts'
import type { FsReads } from '../fs-reads.ts'
import type { WorkerRegistry } from '../worker-registry.ts'

type Methods = (typeof HintsContract)['methods']
type StreamItem = Infer<Methods['subscribe']['item']>
type SnapshotItem = Infer<Methods['snapshot']['item']>

export interface ChangesOptions {
  /** `tcp://host:port` to publish on. */
  readonly address: string
}

export interface ChangesModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly workers: WorkerRegistry
  readonly reads: FsReads
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
}

/** What comes within this time is told together, ms. */
const GATHER_MS = 5
/** How often those who listen hear the present sequence, so that a lost last message is noticed, ms. */
const BEAT_MS = 1000
/** Changes of one message. */
const MESSAGE_CHANGES = 4096
/** Streams at once. */
const MAX_STREAMS = 20_000
const TOPIC = 'hints'
const SNAPSHOT_SEGMENTS = 4096
const REPLICA_BYTES = 13

export class Changes implements Component {
  readonly name = 'hint changes'
  /** Names this life of the master: sequences of another one mean nothing. */
  readonly epoch: string
  readonly #address: string
  readonly #m: ChangesModules
  readonly #feed: ChangeFeed
  /** Those who wait for a change. */
  #waiting: (() => void)[] = []
  #streams = 0
  #gathering: Cancel | undefined
  #beat: Cancel = () => {}
  #publisher: Publisher | undefined
  /** Sequence up to which all is published. */
  #published = 0
  #publishedMs = 0
  /** Files of the changes at hand. */
  readonly #paths = new Map<number, Inode | undefined>()

  constructor({ address }: ChangesOptions, modules: ChangesModules) {
    this.#address = address
    this.#m = modules
    this.epoch = Buffer.from(modules.runtime.randomBytes(new Uint8Array(8))).toString('hex')
    this.#feed = new ChangeFeed({}, { onChange: () => this.#gather() })
    modules.blocks.observer = this.#feed
  }

  /** Number of the last change. */
  get sequence(): number {
    return this.#feed.sequence
  }

  /** 0 when nothing is published. */
  get publishPort(): number {
    const address = this.#publisher?.address ?? ':0'
    return Number(address.slice(address.lastIndexOf(':') + 1))
  }

  /** @throws UNAVAILABLE, reason ADDRESS_IN_USE; INVALID_ARGUMENT for an address that may not be bound */
  async start(): Promise<void> {
    const { transport, runtime } = this.#m
    this.#publisher = await transport.publish?.(this.#address)
    if (this.#publisher === undefined) return
    const beat = () => {
      if (runtime.monotonic() - this.#publishedMs >= BEAT_MS) this.#publish([])
      this.#beat = runtime.after(BEAT_MS, beat, true)
    }
    beat()
  }

  async stop(): Promise<void> {
    this.#beat()
    this.#gathering?.()
    this.#wake()
    await this.#publisher?.close()
  }

  /**
   * Changes of files and of what is below directories.
   * @throws NOT_FOUND, PERMISSION_DENIED; RESOURCE_EXHAUSTED for too many streams
   */
  async *below(
    given: readonly string[],
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<DownloadItem<StreamItem>> {
    const { reads } = this.#m
    const wanted = new Set<string>()
    for (const path of given) {
      await reads.readable(canonicalPath(path), caller)
      wanted.add(canonicalPath(path))
    }
    if (this.#streams >= MAX_STREAMS) {
      throw new AlluxioError('RESOURCE_EXHAUSTED', `${MAX_STREAMS} streams of changes are open already`, {
        reason: 'TOO_MANY_STREAMS',
      })
    }
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    this.#streams++
    const { epoch } = this
    try {
      let { sequence } = this.#feed
      yield { item: { epoch, sequence, resync: true, changes: [] } }
      while (!signal.aborted) {
        const missed = this.#feed.after(sequence, MESSAGE_CHANGES)
        if (missed === undefined) {
          sequence = this.#feed.sequence
          yield { item: { epoch, sequence, resync: true, changes: [] } }
        } else if (missed.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
        else {
          sequence += missed.length
          const changes = missed.flatMap((change) => this.#told(change, wanted))
          if (changes.length > 0) yield { item: { epoch, sequence, resync: false, changes } }
        }
      }
    } finally {
      this.#streams--
      signal.removeEventListener('abort', wake)
    }
  }

  /** All replicas. Those that change meanwhile are told in their old or new form, and again among the changes. */
  async *snapshot(signal: AbortSignal): AsyncGenerator<DownloadItem<SnapshotItem>> {
    const { blocks } = this.#m
    const { epoch } = this
    const { sequence } = this.#feed
    const workers = Array.from(this.#m.workers.live(), ({ address: { id, host }, tiers }) => ({
      id,
      host,
      tiers: tiers.map(({ alias }) => alias),
    }))
    let first = true
    for (let at = 0; at !== -1 && !signal.aborted; first = false) {
      const found: number[] = []
      at = blocks.page(at, SNAPSHOT_SEGMENTS, (block, worker, tier) => found.push(block, worker, tier))
      const replicas = Buffer.allocUnsafe((found.length / 3) * REPLICA_BYTES)
      for (let i = 0, offset = 0; i < found.length; i += 3) {
        offset = replicas.writeDoubleLE(found[i]!, offset)
        offset = replicas.writeUInt32LE(found[i + 1]!, offset)
        offset = replicas.writeUInt8(found[i + 2]!, offset)
      }
      yield { item: { epoch, sequence, workers: first ? workers : [], replicas } }
    }
  }

  /** Called for every change: all but the first within a while cost nothing. */
  #gather(): void {
    if (this.#gathering !== undefined || (this.#streams === 0 && this.#publisher?.wanted !== true)) return
    this.#gathering = this.#m.runtime.after(GATHER_MS, () => {
      this.#gathering = undefined
      this.#paths.clear()
      this.#wake()
      this.#publishNew()
    })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #publishNew(): void {
    if (this.#publisher?.wanted !== true) {
      this.#published = this.#feed.sequence
      return
    }
    while (this.#published < this.#feed.sequence) {
      const changes = this.#feed.after(this.#published, MESSAGE_CHANGES)
      if (changes === undefined) {
        // The gap in the sequence tells those who listen.
        this.#published = this.#feed.sequence
        this.#publish([])
        return
      }
      this.#published += changes.length
      this.#publish(changes)
    }
  }

  /** Those who listen miss a number if their last sequence is not that of the message less its changes. */
  #publish(changes: readonly ReplicaChange[]): void {
    const { workers, runtime } = this.#m
    if (this.#publisher?.wanted !== true) this.#published = this.#feed.sequence
    else {
      const told = changes.map(({ block, worker, tier }) => ({
        file: fileOfBlock(block),
        block: blockIndex(block),
        host: workers.get(worker)?.address.host ?? '',
        worker,
        tier: this.#tierOf(worker, tier) || null,
      }))
      const message = { epoch: this.epoch, sequence: this.#published, changes: told }
      this.#publisher.publish(TOPIC, JSON.stringify(message))
    }
    this.#publishedMs = runtime.monotonic()
  }

  #told({ block, worker, tier }: ReplicaChange, wanted: ReadonlySet<string>): StreamItem['changes'] {
    const { namespace, workers } = this.#m
    const file = fileOfBlock(block)
    if (!this.#paths.has(file)) this.#paths.set(file, namespace.inodeById(file))
    const inode = this.#paths.get(file)
    if (inode === undefined || !covers(wanted, inode.path)) return []
    const host = workers.get(worker)?.address.host
    if (host === undefined) return []
    const offset = blockIndex(block) * inode.record.blockSizeBytes
    return [{ path: inode.path, offset, host, tier: this.#tierOf(worker, tier) }]
  }

  #tierOf(worker: number, tier: number): string {
    return tier < 0 ? '' : (this.#m.workers.get(worker)?.tiers[tier]?.alias ?? 'MEM')
  }
}

function covers(wanted: ReadonlySet<string>, path: string): boolean {
  if (wanted.has(path) || wanted.has('/')) return true
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    if (wanted.has(path.slice(0, at))) return true
  }
  return false
}
