/** The part of Mesos' v1 scheduler API that is used here, as its JSON has it. */

export interface Id {
  readonly value: string
}

export interface Resource {
  readonly name: string
  readonly type: string
  readonly scalar?: { readonly value: number }
  readonly reservations?: readonly unknown[]
  readonly disk?: unknown
  readonly revocable?: unknown
  readonly shared?: unknown
}

interface Domain {
  readonly fault_domain?: { readonly region?: { readonly name: string } }
}

/** Times in nanoseconds, which JSON gives as numbers. */
export interface Unavailability {
  readonly start: { readonly nanoseconds: number }
  readonly duration?: { readonly nanoseconds: number }
}

export interface ResourceOffer {
  readonly id: Id
  readonly agent_id: Id
  readonly hostname: string
  readonly resources: readonly Resource[]
  readonly domain?: Domain
  readonly unavailability?: Unavailability
}

interface InverseOffer {
  readonly id: Id
  readonly agent_id?: Id
  readonly unavailability: Unavailability
}

export interface TaskStatus {
  readonly task_id: Id
  readonly state: string
  readonly agent_id?: Id
  readonly source?: string
  readonly reason?: string
  readonly message?: string
  /** To be acknowledged if it is there. */
  readonly uuid?: string
}

export interface AgentInfo {
  readonly id?: Id
  readonly hostname: string
  readonly domain?: Domain
}

/** Of GET_AGENTS; `drain_info` stands there while an operator empties the agent. */
export interface KnownAgent {
  readonly agent_info: AgentInfo
  readonly drain_info?: unknown
  readonly deactivated?: boolean
}

export type SchedulerEvent =
  | {
      readonly type: 'SUBSCRIBED'
      readonly subscribed: { readonly framework_id: Id; readonly heartbeat_interval_seconds?: number }
    }
  | { readonly type: 'OFFERS'; readonly offers: { readonly offers: readonly ResourceOffer[] } }
  | { readonly type: 'RESCIND'; readonly rescind: { readonly offer_id: Id } }
  | {
      readonly type: 'INVERSE_OFFERS'
      readonly inverse_offers: { readonly inverse_offers: readonly InverseOffer[] }
    }
  | { readonly type: 'UPDATE'; readonly update: { readonly status: TaskStatus } }
  | { readonly type: 'ERROR'; readonly error: { readonly message: string } }
  | { readonly type: 'HEARTBEAT' }

/** A call without its framework id, which the connection adds. */
export interface SchedulerCall {
  readonly type: string
  readonly [body: string]: unknown
}

export interface TaskInfo {
  readonly name: string
  readonly task_id: Id
  readonly agent_id: Id
  readonly resources: readonly Resource[]
  readonly command: {
    readonly shell: false
    readonly value: string
    readonly arguments: readonly string[]
    readonly environment: { readonly variables: readonly { readonly name: string; readonly value: string }[] }
  }
}

export function regionOf({ domain }: { readonly domain?: Domain }): string | undefined {
  return domain?.fault_domain?.region?.name
}
