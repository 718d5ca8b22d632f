/**
 * The workers of the cluster: who they are, when they were last heard of, what they hold in sum, and the commands that
 * wait for them. Not durable: workers register again when the master restarts.
 */
import { createHash } from 'node:crypto'
import { AlluxioError, type Log, type Runtime, type WorkerId } from '../../../core/index.ts'
import type { Infer, MasterBlock, TierUsage, WorkerAddress } from '../../../rpc/index.ts'

export type WorkerCommand = Infer<(typeof MasterBlock)['methods']['commands']['item']>
type Tier = Infer<typeof TierUsage>
type Address = Infer<typeof WorkerAddress>

export interface Worker {
  readonly address: Address & { readonly id: WorkerId }
  readonly session: number
  readonly version: string
  readonly revision: string
  /** Other names and addresses of its host. */
  readonly names: readonly string[]
  state: 'LIVE' | 'LOST'
  tiers: readonly Tier[]
  load: number
  readonly startedMs: number
  heardMonotonicMs: number
  /** Set between register and registerEnd. */
  registering: boolean
  /** Which version of the pins it was sent, and when. */
  pinsTold: { readonly version: number; readonly monotonicMs: number } | undefined
}

export interface WorkerRegistryOptions {
  /** A worker not heard of for so long is lost. */
  readonly timeoutMs: number
}

export interface WorkerRegistryModules {
  readonly runtime: Runtime
  readonly log: Log
  /** The worker's replicas can no longer be counted on. */
  readonly onLost: (worker: Worker) => void
}

/** Commands kept for a worker that does not listen; the oldest are dropped, because FREE and PIN are sent again on registration and PERSIST is scheduled again. */
const MAX_WAITING_COMMANDS = 100_000

interface Mailbox {
  readonly waiting: WorkerCommand[]
  wake: (() => void) | undefined
}

export class WorkerRegistry {
  readonly #options: WorkerRegistryOptions
  readonly #modules: WorkerRegistryModules
  readonly #byId = new Map<WorkerId, Worker>()
  readonly #bySession = new Map<number, Worker>()
  readonly #mailboxes = new Map<WorkerId, Mailbox>()
  #nextSession: number
  #version = 0

  constructor(options: WorkerRegistryOptions, modules: WorkerRegistryModules) {
    this.#options = options
    this.#modules = modules
    // Sessions of an earlier run of the master must never be taken for ours.
    this.#nextSession = Math.floor(modules.runtime.now())
  }

  register(request: {
    uuid: string
    host: string
    rpcPort: number
    webPort: number
    tiers: readonly Tier[]
    version?: string
    revision?: string
    names?: readonly string[]
  }): Worker {
    const id = this.#idOf(request.uuid)
    const { uuid, host, rpcPort, webPort, tiers, version = '', revision = '', names = [] } = request
    const worker: Worker = {
      address: { id, host, rpcPort, webPort, uuid },
      session: ++this.#nextSession,
      version,
      revision,
      names,
      state: 'LIVE',
      tiers,
      load: 0,
      startedMs: this.#modules.runtime.now(),
      heardMonotonicMs: this.#modules.runtime.monotonic(),
      registering: true,
      pinsTold: undefined,
    }
    const former = this.#byId.get(id)
    if (former !== undefined) this.#bySession.delete(former.session)
    this.#byId.set(id, worker)
    this.#version++
    this.#bySession.set(worker.session, worker)
    this.#mailboxes.get(id)?.wake?.()
    this.#mailboxes.set(id, { waiting: [], wake: undefined })
    this.#modules.log.info('worker registers', { workerId: id, host, rpcPort })
    return worker
  }

  /** The same worker keeps its id over restarts of both sides: it is a hash of its uuid. */
  #idOf(uuid: string): WorkerId {
    for (let salt = 0; ; salt++) {
      const id = createHash('sha256').update(`${uuid}/${salt}`).digest().readUInt32LE(0) as WorkerId
      const taken = this.#byId.get(id)
      if (id !== 0 && (taken === undefined || taken.address.uuid === uuid)) return id
    }
  }

  /** @throws CONFLICT, reason STALE_SESSION, for a session that is not the worker's latest. */
  bySession(session: number): Worker {
    const worker = this.#bySession.get(session)
    if (worker?.state === 'LIVE') {
      worker.heardMonotonicMs = this.#modules.runtime.monotonic()
      return worker
    }
    throw new AlluxioError('CONFLICT', 'the master does not know this registration: register again', {
      reason: 'STALE_SESSION',
    })
  }

  /** Grows when a worker comes or goes. */
  get version(): number {
    return this.#version
  }

  get(id: number): Worker | undefined {
    return this.#byId.get(id as WorkerId)
  }

  isLive(id: number): boolean {
    return this.#byId.get(id as WorkerId)?.state === 'LIVE'
  }

  all(): Iterable<Worker> {
    return this.#byId.values()
  }

  *live(): Iterable<Worker> {
    for (const worker of this.#byId.values()) if (worker.state === 'LIVE') yield worker
  }

  heartbeatAgeMs(worker: Worker): number {
    return this.#modules.runtime.monotonic() - worker.heardMonotonicMs
  }

  /** Marks as lost who has not been heard of in time. */
  checkLiveness(): void {
    for (const worker of this.live()) {
      if (this.heartbeatAgeMs(worker) <= this.#options.timeoutMs) continue
      worker.state = 'LOST'
      this.#version++
      this.#modules.log.warn('worker is lost', { workerId: worker.address.id, host: worker.address.host })
      this.#mailboxes.get(worker.address.id)?.wake?.()
      this.#modules.onLost(worker)
    }
  }

  /** Queues a command; false if the worker is not there to take it. */
  send(id: number, command: WorkerCommand): boolean {
    const mailbox = this.#mailboxes.get(id as WorkerId)
    if (mailbox === undefined || !this.isLive(id)) return false
    if (mailbox.waiting.length >= MAX_WAITING_COMMANDS) mailbox.waiting.shift()
    mailbox.waiting.push(command)
    mailbox.wake?.()
    return true
  }

  /** The commands of a session as they come, until it is over. */
  async *commands(session: number, signal: AbortSignal): AsyncIterable<WorkerCommand> {
    const worker = this.bySession(session)
    const mailbox = this.#mailboxes.get(worker.address.id)
    const wake = () => mailbox?.wake?.()
    signal.addEventListener('abort', wake)
    try {
      while (mailbox !== undefined && !signal.aborted && this.#isCurrent(worker)) {
        const command = mailbox.waiting.shift()
        if (command !== undefined) yield command
        else {
          await new Promise<void>((resolve) => {
            mailbox.wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  #isCurrent(worker: Worker): boolean {
    return this.#byId.get(worker.address.id) === worker && worker.state === 'LIVE'
  }
}
