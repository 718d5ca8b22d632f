/**
 * The worker's side of its bond with the master: it registers with all its blocks, tells in heartbeats what changed, and
 * listens for commands. A master that does not answer, or that has forgotten this worker, is registered with anew.
 */

import type { BlockId } from '../../../core/index.ts'
import {
  AlluxioError,
  backoffMs,
  isAlluxioError,
  type Log,
  type Runtime,
  sleep,
} from '../../../core/index.ts'
import type { Client, MasterBlock } from '../../../rpc/index.ts'
import type { BlockStore } from '../../../store/index.ts'
import { REVISION, VERSION } from '../../version.ts'
import type { WorkerIdentity } from '../identity.ts'
import { BeatTimer } from './beat-timer.ts'
import { BlockReport, decodeIds, encodePlaces } from './block-report.ts'
import { tierUsage } from './block-service.ts'
import type { MountTable } from './mount-table.ts'
import type { Command } from './persist.ts'
import type { WorkerMetrics } from './worker.metrics.ts'

export interface MasterLinkOptions {
  readonly host: string
  /** Other names and addresses of this host. */
  readonly names: readonly string[]
  readonly heartbeatMs: number
  /** How soon after a change of blocks a heartbeat tells it. */
  readonly reportDelayMs: number
}

export interface MasterLinkModules {
  readonly master: Client<typeof MasterBlock>
  readonly store: BlockStore
  /** Reads and writes that are open. */
  readonly load: () => number
  readonly mounts: MountTable
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: WorkerMetrics
  readonly ports: () => { readonly rpc: number; readonly web: number }
  readonly saveIdentity: (identity: WorkerIdentity) => Promise<void>
  /** Carries a command out; the link has it acknowledged. */
  readonly obey: (command: Command) => void
}

/** Blocks a page of a registration. */
const PAGE_BLOCKS = 100_000
const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 5_000
/** Longest wait for a report to arrive. */
const REPORTED_MS = 3_000

export class MasterLink {
  readonly name = 'master link'
  readonly #options: MasterLinkOptions
  readonly #modules: MasterLinkModules
  readonly #report = new BlockReport()
  #identity: WorkerIdentity
  #workerId = 0
  #session = 0
  #loop: Promise<void> | undefined
  #commandsLost = false
  readonly #timer: BeatTimer
  /** Who waits until the master knows what has changed up to now. */
  #waiting: (() => void)[] = []

  constructor(options: MasterLinkOptions, identity: WorkerIdentity, modules: MasterLinkModules) {
    this.#options = options
    this.#identity = identity
    this.#modules = modules
    const { heartbeatMs: intervalMs, reportDelayMs: delayMs } = options
    this.#timer = new BeatTimer({ intervalMs, delayMs }, modules)
    modules.store.onChanges(() => this.#timer.changed())
  }

  get workerId(): number {
    return this.#workerId
  }
  get session(): number {
    return this.#session
  }
  get identity(): WorkerIdentity {
    return this.#identity
  }

  /** Resolves when the first registration is done. @throws CONFLICT when the blocks here belong to another cluster */
  async start(signal: AbortSignal, fail: (error: unknown) => void): Promise<void> {
    await this.#registerUntilAccepted(signal)
    this.#loop = this.#run(signal).catch((error: unknown) => {
      if (!signal.aborted) fail(error)
    })
  }

  async stop(): Promise<void> {
    await this.#loop
  }

  /** Resolves when the master knows of all changes so far; or soon, when it does not answer. */
  async reported(signal: AbortSignal): Promise<void> {
    const told = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#timer.changed()
    const patience = new AbortController()
    const enough = sleep(this.#modules.runtime, REPORTED_MS, AbortSignal.any([signal, patience.signal]))
    await Promise.race([told, enough.catch(() => {})])
    patience.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const session = new AbortController()
      this.#commandsLost = false
      const ended = AbortSignal.any([signal, session.signal])
      const commands = this.#listen(ended)
      try {
        await this.#heartbeats(signal)
      } finally {
        session.abort(new AlluxioError('CANCELLED', 'the session ended'))
        await commands
      }
      if (!signal.aborted) await this.#registerUntilAccepted(signal)
    }
  }

  /** Until the master asks for a registration. */
  async #heartbeats(signal: AbortSignal): Promise<void> {
    const { log, metrics, mounts } = this.#modules
    for (let failures = 0; ; ) {
      await this.#timer.due(signal, failures > 0)
      if (signal.aborted) return
      try {
        const { register, mountsVersion } = await this.#beat(signal)
        failures = 0
        metrics.heartbeats.add()
        if (register || this.#commandsLost) return
        mounts.noticed(mountsVersion)
      } catch (error) {
        if (signal.aborted) return
        if (isAlluxioError(error, 'CONFLICT')) return
        if (failures++ % 10 === 0) log.warn('heartbeat failed', { error, failures })
      }
    }
  }

  async #beat(signal: AbortSignal): Promise<{ register: boolean; mountsVersion: number }> {
    const { master, store, load } = this.#modules
    this.#report.merge(store.changes())
    const waiting = this.#waiting.length
    const reply = await master.heartbeat(
      {
        session: this.#session,
        ...this.#report.encode(),
        tiers: tierUsage(store.usage()),
        load: load(),
      },
      { signal },
    )
    if (reply.register) return reply
    this.#report.acknowledged()
    for (const told of this.#waiting.splice(0, waiting)) told()
    return reply
  }

  async #registerUntilAccepted(signal: AbortSignal): Promise<void> {
    const { runtime, log } = this.#modules
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#register(signal)
      } catch (error) {
        signal.throwIfAborted()
        if (
          isAlluxioError(error) &&
          (error.reason === 'FOREIGN_CLUSTER' || error.code === 'PERMISSION_DENIED')
        ) {
          throw error
        }
        if (attempt % 10 === 0) log.warn('not registered with the master yet', { error, attempt })
        await sleep(runtime, backoffMs(runtime, attempt, RETRY_BASE_MS, RETRY_CAP_MS), signal)
      }
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { master, store, ports, metrics, log } = this.#modules
    const { rpc, web } = ports()
    const { uuid, clusterId } = this.#identity
    const accepted = await master.register(
      {
        uuid,
        clusterId,
        host: this.#options.host,
        rpcPort: rpc,
        webPort: web,
        tiers: tierUsage(store.usage()),
        version: VERSION,
        revision: REVISION,
        names: [...this.#options.names],
      },
      { signal },
    )
    await this.#adopt(accepted.clusterId)
    const { session } = accepted
    // What happened before the pages are read is in the pages; what happens from here on is in the next heartbeat.
    this.#report.restart(store.changes())
    for (const page of store.blockPages(PAGE_BLOCKS)) {
      await master.registerBlocks({ session, blocks: encodePlaces(page) }, { signal })
    }
    const { drop } = await master.registerEnd({ session }, { signal })
    this.#session = session
    this.#workerId = accepted.workerId
    metrics.registrations.add()
    const dropped = decodeIds(drop)
    if (dropped.length > 0) await store.remove(dropped as BlockId[])
    await this.#modules.mounts.refresh()
    log.info('registered', { workerId: this.#workerId, blocks: store.blocks, dropped: dropped.length })
  }

  /** The first cluster that accepts this worker is its own for ever. */
  async #adopt(clusterId: string): Promise<void> {
    if (clusterId === this.#identity.clusterId) return
    if (this.#identity.clusterId !== '') {
      throw new AlluxioError(
        'CONFLICT',
        `the blocks of this worker belong to cluster ${this.#identity.clusterId}, the master serves ${clusterId}: ` +
          'point the worker at its own master, or run "alluxio format worker" to give up its blocks',
        { reason: 'FOREIGN_CLUSTER' },
      )
    }
    const identity = { ...this.#identity, clusterId }
    await this.#modules.saveIdentity(identity)
    this.#identity = identity
  }

  /**
   * Commands are sent once: what was on its way when the stream broke is lost. A new registration brings it back, because
   * the master then compares all blocks and hands out all persists again.
   */
  async #listen(signal: AbortSignal): Promise<void> {
    const { master, log, obey } = this.#modules
    try {
      for await (const { item } of master.commands({ session: this.#session }, { signal })) obey(item)
    } catch (error) {
      if (!signal.aborted) log.debug('commands interrupted', { error })
    }
    if (!signal.aborted) this.#commandsLost = true
  }
}
