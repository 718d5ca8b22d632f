/** Mesos: constraints that make the master offer hosts that hold data first (1.11), and a judgement of a whole batch of offers. */
import type { PathHint } from '../types.ts'
import { type EngineFacts, type HintAdapter, numberFact, recordsFact, sharedHosts } from './adapter.ts'

export interface Offer {
  readonly id: { readonly value: string }
  readonly hostname: string
  /** Maintenance is near: nothing is begun there. */
  readonly unavailability?: unknown
  /** Tasks that it has room for. @default 1 */
  readonly slots?: number
}

export interface OfferRanking {
  /** Best first; each input once, each offer as often as it has room. */
  readonly accept: readonly {
    readonly offer: string
    readonly hostname: string
    readonly path: string
    readonly score: number
  }[]
  readonly decline: readonly string[]
  /** How long declined offers are to stay away: until the threshold has come down a step. */
  readonly refuseSeconds: number
  readonly threshold: number
}

export interface OfferPolicy {
  /** How long the inputs have waited, ms. */
  readonly waitedMs: number
  /** After this only what is offered counts, ms. @default 10 s */
  readonly delayMs?: number
}

const HOSTS = 100
const DELAY_MS = 10_000
const STEPS = 5
const MAX_REFUSE_SECONDS = 5

/**
 * Facts: `role` (*), `hosts` in the constraint (100), `regions: [{host, region}]`, `waitedMs` and `delayMs`. In the first half of the delay
 * hosts that hold data will do, then, if regions are told, all of their regions, after the delay any.
 */
export const mesos: HintAdapter = {
  name: 'mesos',
  summary: 'offer constraints for SUBSCRIBE and UPDATE_FRAMEWORK (Mesos 1.11), wider after a delay',
  adapt(hints, facts) {
    const role = typeof facts.role === 'string' ? facts.role : '*'
    const groups = widths(hints, facts).map(([pseudoattribute_type, value]) => ({
      attribute_constraints: [{ selector: { pseudoattribute_type }, predicate: { text_equals: { value } } }],
    }))
    return { offer_constraints: { role_constraints: groups.length === 0 ? {} : { [role]: { groups } } } }
  },
}

/** What an agent has to match one of; nothing: any will do. */
function widths(hints: readonly PathHint[], facts: EngineFacts): ['HOSTNAME' | 'REGION', string][] {
  const waited = numberFact(facts, 'waitedMs', 0) / numberFact(facts, 'delayMs', DELAY_MS)
  const hosts = sharedHosts(hints)
    .slice(0, numberFact(facts, 'hosts', HOSTS))
    .map(({ host }) => host)
  if (waited < 0.5) return hosts.map((host) => ['HOSTNAME', host])
  if (!(waited < 1)) return []
  const told = recordsFact(facts, 'regions', ['host', 'region'])
  const near = told.filter(({ host }) => hosts.includes(host)).map(({ region }) => region)
  return [...new Set(near)].map((region) => ['REGION', region])
}

/**
 * Which of a batch of offers to take for which inputs. A host counts by its score over the best host's; what is needed for an offer to be
 * taken falls from 1 to 0 within the delay, so nobody waits for ever.
 */
export function rankOffers(
  offers: readonly Offer[],
  inputs: readonly PathHint[],
  { waitedMs, delayMs = DELAY_MS }: OfferPolicy,
): OfferRanking {
  const threshold = delayMs <= 0 ? 0 : Math.max(0, 1 - waitedMs / delayMs)
  const pairs = inputs.flatMap((input) =>
    offers
      .filter(({ unavailability }) => unavailability === undefined)
      .map(({ id, hostname }) => ({
        offer: id.value,
        hostname,
        path: input.path,
        score: worthOf(input, hostname),
      })),
  )
  pairs.sort((a, b) => b.score - a.score || compare(a.path, b.path) || compare(a.offer, b.offer))
  const room = new Map(offers.map(({ id, slots = 1 }) => [id.value, slots]))
  const taken = new Map<string, number>()
  const placed = new Set<string>()
  const accept: OfferRanking['accept'][number][] = []
  for (let at = 0; at < pairs.length; ) {
    const { path, score } = pairs[at]!
    if (score < threshold) break
    // Of offers that are as good for it, the one that was taken least.
    let best: (typeof pairs)[number] | undefined
    for (; at < pairs.length && pairs[at]!.path === path && pairs[at]!.score === score; at++) {
      const pair = pairs[at]!
      const used = taken.get(pair.offer) ?? 0
      if (used < room.get(pair.offer)! && (best === undefined || used < (taken.get(best.offer) ?? 0)))
        best = pair
    }
    if (best === undefined || placed.has(path)) continue
    taken.set(best.offer, (taken.get(best.offer) ?? 0) + 1)
    placed.add(path)
    accept.push(best)
  }
  const decline = offers.map(({ id }) => id.value).filter((id) => !taken.has(id))
  return { accept, decline, refuseSeconds: Math.min(MAX_REFUSE_SECONDS, delayMs / 1000 / STEPS), threshold }
}

/** 1 for the best host, less for others; 0 for one that is not named. */
function worthOf({ hosts, cold }: PathHint, hostname: string): number {
  const best = hosts[0]
  const found = hosts.find(({ host }) => host.toLowerCase() === hostname.toLowerCase())
  if (best === undefined || found === undefined || best.score === 0) return 0
  return cold ? Number(found === best && best.confidence > 0) : found.score / best.score
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
