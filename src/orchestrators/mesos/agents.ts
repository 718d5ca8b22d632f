/** What is known of the agents: their names, their regions, and which are about to leave. */
import type { Runtime } from '../../core/index.ts'
import {
  type Id,
  type KnownAgent,
  type ResourceOffer,
  regionOf,
  type Unavailability,
} from './scheduler-api.ts'

/** Nothing is begun on an agent whose maintenance comes within this time, ms. */
const NEAR_MS = 3_600_000
/** An inverse offer or a drain without a time holds for so long, then the master would tell again. */
const LEAVING_MS = 600_000

export class Agents {
  readonly #runtime: Runtime
  readonly #hostnames = new Map<string, string>()
  readonly #regions = new Map<string, string>()
  /** By agent id: until when nothing is begun there, monotonic ms. */
  readonly #leaving = new Map<string, number>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  get hostnames(): string[] {
    return [...new Set(this.#hostnames.values())]
  }

  /** None while all are in one: there is nothing to choose by then. */
  get regions(): { host: string; region: string }[] {
    if (new Set(this.#regions.values()).size < 2) return []
    return [...this.#regions].map(([host, region]) => ({ host, region }))
  }

  offered({ agent_id, hostname, domain }: ResourceOffer): void {
    this.#note(agent_id, hostname, domain === undefined ? undefined : regionOf({ domain }))
  }

  known({ agent_info, drain_info, deactivated }: KnownAgent): void {
    const { id, hostname } = agent_info
    if (id === undefined) return
    this.#note(id, hostname, regionOf(agent_info))
    if (drain_info !== undefined || deactivated === true) this.leaving(id)
  }

  leaving(agent: Id | undefined, unavailability?: Unavailability): void {
    if (agent === undefined || (unavailability !== undefined && !this.#isNear(unavailability))) return
    this.#leaving.set(agent.value, this.#runtime.monotonic() + LEAVING_MS)
  }

  isLeaving({ agent_id, unavailability }: ResourceOffer): boolean {
    if (unavailability !== undefined && this.#isNear(unavailability)) return true
    return this.#runtime.monotonic() < (this.#leaving.get(agent_id.value) ?? 0)
  }

  #note({ value }: Id, hostname: string, region: string | undefined): void {
    this.#hostnames.set(value, hostname)
    if (region !== undefined) this.#regions.set(hostname, region)
  }

  #isNear({ start, duration }: Unavailability): boolean {
    const now = this.#runtime.now()
    const startMs = start.nanoseconds / 1e6
    const endMs = duration === undefined ? Number.POSITIVE_INFINITY : startMs + duration.nanoseconds / 1e6
    return startMs - now < NEAR_MS && now < endMs
  }
}
