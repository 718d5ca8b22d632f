/** Schemas that several contracts share. */
import { Type as T } from '@sinclair/typebox'

/** A frame-sized piece of bytes inside a body. */
export const Bytes = T.Uint8Array()

export const WorkerAddress = T.Object({
  id: T.Number(),
  host: T.String(),
  rpcPort: T.Number(),
  webPort: T.Number(),
  /** Stable over restarts: made when the worker's data folder is formatted. */
  uuid: T.String(),
})

/** One folder set of a worker's tier, or the sum over a cluster's workers. */
export const TierUsage = T.Object({
  alias: T.String(),
  capacityBytes: T.Number(),
  usedBytes: T.Number(),
})

/** Where the bytes of a file that is in an under-store are. */
export const UfsSource = T.Object({
  mountId: T.Number(),
  /** Path below the mount's root, without leading slash. */
  path: T.String(),
  /** Length of the whole file, bytes. */
  length: T.Number(),
  /** The version that the metadata describes; a read that finds another one fails with CONFLICT, reason SOURCE_CHANGED. */
  fingerprint: T.Optional(T.String()),
})

export const BlockLocation = T.Object({ workerId: T.Number(), tier: T.String() })

export const BlockInfo = T.Object({
  id: T.Number(),
  length: T.Number(),
  locations: T.Array(BlockLocation),
})

export const MountInfo = T.Object({
  mountId: T.Number(),
  path: T.String(),
  uri: T.String(),
  readOnly: T.Boolean(),
  shared: T.Boolean(),
  /** Store options; secrets are references (`env:NAME`, `file:PATH`), never values. */
  options: T.Record(T.String(), T.String()),
  /** Maintenance mode of its store; absent: readWrite. */
  mode: T.Optional(T.Union([T.Literal('readOnly'), T.Literal('noAccess')])),
})
