/**
 * The namespace: inodes, mounts, permissions, counters, TTL, pins, the persist queue and the block map.
 *
 * Owns the rules of the tree and the layout of its records. Decides; every mutation is planned in one synchronous step against a
 * RecordStore and acknowledged when its batch is durable. Never sees a socket, a disk, a timer or an under-store: those are
 * joined to it by `daemon/master`. Read on in `namespace.ts` (the engine), `keys.ts` (record layout), `block-map.ts`.
 */
export { BlockMap, type BlockObserver, ReplicaList } from './block-map.ts'
export { type Change, type Intent, type IntentId, placesOf } from './intents.ts'
export { Namespace, type NamespaceModules, type NamespaceOptions } from './namespace.ts'
export type { OrderedStep, OrderedWalk } from './ordered-walk.ts'
export type { GoneRequest, StoreSync, SyncedPath } from './store-sync.ts'
export type * from './types.ts'
