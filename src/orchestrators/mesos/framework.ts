/**
 * A Mesos framework that runs one command for each of its inputs, near the input: it asks the master for offers of the hosts that hold
 * data, wider and wider while time passes, judges each batch of offers as a whole, and takes what is good enough by now.
 */
import type { PathHint } from '../../client/index.ts'
import {
  AlluxioError,
  every,
  isAlluxioError,
  type Log,
  type Runtime,
  type Secret,
  toAlluxioError,
} from '../../core/index.ts'
import { Adapters, rankOffers } from '../../scheduler/index.ts'
import type { HintSource } from '../hint-source.ts'
import { Agents } from './agents.ts'
import { type InputTask, InputTasks, type SavedRun } from './input-tasks.ts'
import type { ResourceOffer, SchedulerCall, SchedulerEvent, TaskInfo } from './scheduler-api.ts'
import { SchedulerConnection } from './scheduler-connection.ts'
import { TaskRoom } from './task-room.ts'

export interface MesosFrameworkOptions {
  readonly masters: readonly URL[]
  readonly authorization?: Secret | undefined
  readonly principal?: string | undefined
  readonly user: string
  readonly role: string
  readonly name: string
  readonly inputs: readonly string[]
  /** Program and arguments; `{}` stands for the input. */
  readonly command: readonly string[]
  /** Of one task. */
  readonly cpus: number
  readonly memoryMb: number
  /** Longest that an input waits for a better host, ms. */
  readonly delayMs: number
  /** How long tasks run on without a scheduler before Mesos ends them, ms. */
  readonly failoverMs: number
  /** A run to go on with. */
  readonly saved?: SavedRun | undefined
}

export interface MesosFrameworkModules {
  readonly hints: HintSource
  readonly runtime: Runtime
  readonly log: Log
  /** Keeps the run for another process. */
  readonly save: (run: SavedRun) => void
}

export interface RunResult {
  readonly frameworkId: string
  readonly tasks: readonly InputTask[]
  /** Why some inputs were placed without hints. */
  readonly missing: string | undefined
}

const TICK_MS = 250
const HINTS_EVERY_MS = 2_000
const RECONCILE_EVERY_MS = 15_000
const PATIENCE_MS = 60_000
/** Of offers with too little room. */
const REFUSE_SECONDS = 5
/** Of offers that come while nothing waits. */
const REFUSE_IDLE_SECONDS = 3600
const MESOS = new Adapters().of('mesos')

export class MesosFramework {
  readonly #options: MesosFrameworkOptions
  readonly #m: MesosFrameworkModules
  readonly #connection: SchedulerConnection
  readonly #inputs: InputTasks
  readonly #agents: Agents
  readonly #done = Promise.withResolvers<void>()
  #offers: ResourceOffer[] = []
  #hints: ReadonlyMap<string, PathHint> = new Map()
  #missing: string | undefined
  /** The last reason that there was, for the result. */
  #wasMissing: string | undefined
  #candidates = 0
  #startedMs: number
  #hintedMs = Number.NEGATIVE_INFINITY
  #reconciledMs = 0
  #constraints: readonly string[] = []
  #deciding = false
  /** Whether all agents' names are known, and the question for them. */
  #areListed = false
  #listing: Promise<void> = Promise.resolve()
  #suppressed = false

  constructor(options: MesosFrameworkOptions, modules: MesosFrameworkModules) {
    const { masters, authorization, saved, inputs } = options
    this.#options = options
    this.#m = modules
    this.#inputs = new InputTasks(inputs, saved)
    this.#agents = new Agents(modules.runtime)
    this.#startedMs = modules.runtime.monotonic()
    this.#connection = new SchedulerConnection(
      { masters, authorization, patienceMs: PATIENCE_MS },
      {
        ...modules,
        subscribe: () => ({ framework_info: this.#info(), ...this.#constraintsNow() }),
        onEvent: (event) => this.#on(event),
      },
      saved?.frameworkId === '' ? undefined : saved?.frameworkId,
    )
    this.#done.promise.catch(() => {})
  }

  /**
   * Resolves when each input's task is over. Inputs that cannot be read are a fault of the caller, missing hints are not.
   * @throws as SchedulerConnection.run and HintSource.rank; the signal's reason when it aborts: tasks that run are ended then
   */
  async run(signal: AbortSignal): Promise<RunResult> {
    const { runtime } = this.#m
    const abort = new AbortController()
    const stop = () => this.#done.reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    await this.#rehint(true)
    this.#startedMs = runtime.monotonic()
    const ticking = every(
      runtime,
      TICK_MS,
      () => this.#tick(),
      (error) => this.#failed(error),
    )
    const connected = this.#connection.run(abort.signal).catch((error) => this.#done.reject(error))
    this.#settle()
    try {
      await this.#done.promise
    } finally {
      ticking()
      signal.removeEventListener('abort', stop)
      await this.#teardown()
      abort.abort()
      await connected
    }
    const { frameworkId = '' } = this.#connection
    return { frameworkId, tasks: this.#inputs.all, missing: this.#wasMissing }
  }

  /** Ends what runs and the framework; who goes on with the run later begins the rest anew. */
  async #teardown(): Promise<void> {
    try {
      await this.#connection.teardown()
      this.#inputs.abandon()
      this.#m.save({ frameworkId: '', tasks: this.#inputs.all })
    } catch (error) {
      this.#m.log.warn('teardown', { error })
    }
  }

  #info(): Readonly<Record<string, unknown>> {
    const { user, name, role, principal, failoverMs } = this.#options
    const { frameworkId } = this.#connection
    return {
      user,
      name,
      roles: [role],
      failover_timeout: failoverMs / 1000,
      // Without the second one agents of other regions would not be offered.
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'REGION_AWARE' }],
      ...(principal === undefined ? {} : { principal }),
      ...(frameworkId === undefined ? {} : { id: { value: frameworkId } }),
    }
  }

  #on(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#m.log.info('subscribed', { framework: event.subscribed.framework_id.value })
        // Offers of a former subscription are void.
        this.#offers = []
        this.#suppressed = false
        this.#save()
        this.#reconcile()
        this.#listing = this.#learnAgents()
        this.#ask(this.#listing)
        return
      case 'OFFERS':
        for (const offer of event.offers.offers) this.#agents.offered(offer)
        this.#offers.push(...event.offers.offers)
        this.#ask(this.#decide())
        return
      case 'RESCIND':
        this.#offers = this.#offers.filter(({ id }) => id.value !== event.rescind.offer_id.value)
        return
      case 'INVERSE_OFFERS': {
        const offers = event.inverse_offers.inverse_offers
        for (const { agent_id, unavailability } of offers) this.#agents.leaving(agent_id, unavailability)
        const inverse_offer_ids = offers.map(({ id }) => id)
        this.#send({ type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids } })
        return
      }
      case 'UPDATE': {
        const { status } = event.update
        const { uuid, agent_id, task_id, reason = '' } = status
        if (uuid !== undefined) this.#send({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } })
        if (/DRAIN|MAINTENANCE/.test(reason)) this.#agents.leaving(agent_id)
        if (!this.#inputs.update(status)) return
        this.#save()
        this.#settle()
        if (this.#suppressed && this.#inputs.pending.length > 0) {
          this.#suppressed = false
          this.#send({ type: 'REVIVE' })
        }
      }
    }
  }

  async #tick(): Promise<void> {
    const now = this.#m.runtime.monotonic()
    if (now - this.#reconciledMs > RECONCILE_EVERY_MS) this.#reconcile()
    if (this.#inputs.pending.length === 0 || !this.#connection.isSubscribed) return
    if (now - this.#hintedMs > HINTS_EVERY_MS) await this.#rehint()
    await this.#constrain()
  }

  /** Asks for offers of other hosts once time has passed or data has moved. */
  async #constrain(): Promise<void> {
    const now = this.#constraintsNow()
    const groups = groupsOf(now).map((group) => JSON.stringify(group))
    if (groups.join() === this.#constraints.join()) return
    const wider = groups.length === 0 || groups.some((group) => !this.#constraints.includes(group))
    this.#constraints = groups
    try {
      const update_framework = { framework_info: this.#info(), suppressed_roles: [], ...now }
      await this.#connection.call({ type: 'UPDATE_FRAMEWORK', update_framework })
      // Filters of what was declined would hide it still.
      if (wider) await this.#connection.call({ type: 'REVIVE' })
    } catch (error) {
      // An older master: offers are judged all the same.
      this.#m.log.warn('offer constraints', { error: toAlluxioError(error).message })
    }
  }

  #constraintsNow(): Constraints {
    const { role, delayMs } = this.#options
    // Before the agents' names are known, those of hints may be others than theirs.
    const useful = this.#missing === undefined && this.#agents.hostnames.length > 0
    const hints = useful ? this.#inputs.pending.flatMap((path) => this.#hints.get(path) ?? []) : []
    const facts = { role, delayMs, waitedMs: this.#waitedMs(), regions: this.#agents.regions }
    const adapted = MESOS.adapt(hints, facts) as Constraints
    // An order that does not change with each rank.
    groupsOf(adapted).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    return adapted
  }

  #waitedMs(): number {
    return this.#m.runtime.monotonic() - this.#startedMs
  }

  /** Judges what is offered, all of it together. */
  async #decide(): Promise<void> {
    if (this.#deciding) return
    this.#deciding = true
    try {
      // The best of the agents that have offered already need not be the best.
      await this.#listing
      while (this.#offers.length > 0) {
        // While there are no hints nobody waits for them here.
        const isNews = this.#agents.hostnames.length !== this.#candidates
        if (isNews && this.#missing === undefined) await this.#rehint()
        this.#judge(this.#offers.splice(0))
      }
    } finally {
      this.#deciding = false
    }
  }

  #judge(batch: readonly ResourceOffer[]): void {
    const { cpus, memoryMb, delayMs } = this.#options
    const { pending } = this.#inputs
    if (pending.length === 0) {
      this.#decline(
        batch.map(({ id }) => id.value),
        REFUSE_IDLE_SECONDS,
      )
      if (!this.#suppressed) this.#send({ type: 'SUPPRESS' })
      this.#suppressed = true
      return
    }
    const rooms = new Map(batch.map((offer) => [offer.id.value, new TaskRoom(offer, { cpus, memoryMb })]))
    const small = batch.filter(({ id }) => rooms.get(id.value)!.slots === 0)
    const waitedMs = this.#waitedMs()
    const { accept, decline, refuseSeconds } = rankOffers(
      batch
        .filter((offer) => !small.includes(offer))
        .map((offer) => ({
          id: offer.id,
          hostname: offer.hostname,
          slots: rooms.get(offer.id.value)!.slots,
          ...(this.#agents.isLeaving(offer) ? { unavailability: {} } : {}),
        })),
      pending.map((path) => this.#hints.get(path) ?? unknown(path)),
      // Without hints there is nothing to wait for.
      { waitedMs, delayMs: this.#missing === undefined ? delayMs : 0 },
    )
    for (const offer of batch) {
      const taken = accept.filter(({ offer: id }) => id === offer.id.value)
      if (taken.length > 0) this.#launch(offer, taken, rooms.get(offer.id.value)!, waitedMs)
    }
    this.#decline(decline, refuseSeconds)
    this.#decline(
      small.map(({ id }) => id.value),
      REFUSE_SECONDS,
    )
  }

  #launch(
    offer: ResourceOffer,
    taken: readonly { readonly path: string; readonly score: number }[],
    room: TaskRoom,
    waitedMs: number,
  ): void {
    const { agent_id, hostname } = offer
    const tasks = taken.map(({ path, score }) => {
      const hint = this.#missing === undefined ? this.#hints.get(path) : undefined
      const launched = { path, agentId: agent_id.value, host: hostname, score, hint }
      const taskId = this.#inputs.launch({ ...launched, waitedMs: Math.round(waitedMs) })
      this.#m.log.info('launch', { path, host: hostname, score, waitedMs })
      return this.#taskInfo(path, taskId, offer, room)
    })
    this.#save()
    const operations = [{ type: 'LAUNCH', launch: { task_infos: tasks } }]
    const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } }
    this.#connection.call({ type: 'ACCEPT', accept }).catch((error) => {
      this.#m.log.warn('accept', { error })
      // Refused in so many words; otherwise it may have got through, and reconciling tells.
      if (isAlluxioError(error, 'INVALID_ARGUMENT'))
        for (const { task_id } of tasks) this.#inputs.unlaunch(task_id.value)
    })
  }

  #taskInfo(path: string, taskId: string, { agent_id }: ResourceOffer, room: TaskRoom): TaskInfo {
    const words = this.#options.command.map((word) => word.replaceAll('{}', path))
    return {
      name: `${this.#options.name} ${path}`.slice(0, 255),
      task_id: { value: taskId },
      agent_id,
      resources: room.take(),
      command: {
        shell: false,
        value: words[0]!,
        arguments: words,
        environment: { variables: [{ name: 'ALLUXIO_INPUT', value: path }] },
      },
    }
  }

  #decline(ids: readonly string[], refuse_seconds: number): void {
    if (ids.length === 0) return
    const offer_ids = ids.map((value) => ({ value }))
    this.#send({ type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds } } })
  }

  /** @throws as HintSource.rank, the first time; later on inputs that are gone are placed like others */
  async #rehint(first = false): Promise<void> {
    const { hostnames } = this.#agents
    this.#candidates = hostnames.length
    const paths = this.#inputs.pending
    this.#hintedMs = this.#m.runtime.monotonic()
    if (paths.length === 0) return
    const { hints, missing } = await this.#m.hints.rank(paths, hostnames, this.#areListed).catch((error) => {
      if (first) throw error
      return { hints: undefined, missing: `no hints: ${toAlluxioError(error).message}` }
    })
    if (missing !== undefined && missing !== this.#missing) this.#m.log.warn(missing)
    this.#missing = missing
    this.#wasMissing = missing ?? this.#wasMissing
    if (hints !== undefined) this.#hints = new Map(hints.map((hint) => [hint.path, hint]))
  }

  /** Names and regions of all agents, and which are being emptied; where that may not be asked, offers tell of some. */
  async #learnAgents(): Promise<void> {
    try {
      for (const agent of await this.#connection.agents()) this.#agents.known(agent)
      this.#areListed = true
    } catch (error) {
      this.#m.log.info('agents are not listed', { error: toAlluxioError(error).message })
      return
    }
    await this.#rehint()
    await this.#constrain()
  }

  /** Has the master tell again of tasks that run as far as we know, and of those that it does not know. */
  #reconcile(): void {
    this.#reconciledMs = this.#m.runtime.monotonic()
    const tasks = this.#inputs.running.map(({ taskId, agentId }) => ({
      task_id: { value: taskId },
      agent_id: { value: agentId },
    }))
    if (tasks.length > 0) this.#send({ type: 'RECONCILE', reconcile: { tasks } })
  }

  #settle(): void {
    if (this.#inputs.isOver) this.#done.resolve()
  }

  #save(): void {
    const { frameworkId } = this.#connection
    if (frameworkId !== undefined) this.#m.save({ frameworkId, tasks: this.#inputs.all })
  }

  #send(call: SchedulerCall): void {
    this.#connection.call(call).catch((error) => this.#m.log.warn('call failed', { call: call.type, error }))
  }

  #ask(work: Promise<void>): void {
    work.catch((error) => this.#failed(error))
  }

  /** Inputs that are gone or may not be read, which no waiting mends. */
  #failed(error: unknown): void {
    this.#done.reject(toAlluxioError(error))
  }
}

interface Constraints extends Readonly<Record<string, unknown>> {
  readonly offer_constraints: { readonly role_constraints: Readonly<Record<string, { groups: unknown[] }>> }
}

/** There is one role. */
function groupsOf({ offer_constraints }: Constraints): unknown[] {
  return Object.values(offer_constraints.role_constraints)[0]?.groups ?? []
}

function unknown(path: string): PathHint {
  return { path, length: 0, cold: true, blocks: [], hosts: [] }
}

/** @throws INVALID_ARGUMENT */
export function checkedMaster(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url !== null && url.hostname !== '' && /^https?:$/.test(url.protocol)) return url
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `${text} is no address of a Mesos master: write http://host:5050`,
  )
}
