/**
 * Hints for schedulers: where the bytes are, which hosts are best for a file, and how a stage is spread.
 *
 * Owns the ranking of hosts, the cost model, the names of hosts, the planning of stages, and the forms that each engine reads
 * (`adapters/`). Reads the block map and the workers as they are and keeps no copy; never sees a socket, a clock, a path's
 * permissions or an under-store: `daemon/master/services/hints` joins it to those. Read on in `hints.ts`, `assigner.ts`,
 * `docs/reference/hints.md`.
 */
export type { EngineFacts, HintAdapter } from './adapters/adapter.ts'
export { Adapters, loadAdapters } from './adapters/index.ts'
export { preferredTerms, prioritize } from './adapters/kubernetes.ts'
export { type Offer, type OfferPolicy, type OfferRanking, rankOffers } from './adapters/mesos.ts'
export type { Answer } from './answer.ts'
export type { SplitRequest } from './assigner.ts'
export { ChangeFeed, type ReplicaChange } from './change-feed.ts'
export { Hints, type HintsModules, type HintsOptions, type Query, type Question } from './hints.ts'
export { type HostAliases, parseHostAliases } from './host-aliases.ts'
export { parseRates, type Rates } from './rates.ts'
export * from './types.ts'
