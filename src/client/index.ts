/**
 * The client library: a file system over the cluster's namespace, with readers and writers that take the shortest way to the
 * bytes. The package's published entry point.
 *
 * It owns the choice of workers, the way of a read or write through the tiers of this host, other hosts and the under-store,
 * and what is retried where. It never changes metadata itself, keeps no cache of it, and holds no block. Read on in
 * `types.ts` (what programs see), `connect.ts` (the wiring), `file-reader.ts` and `block-stream.ts` (the ways of the bytes).
 */
export type { PersistenceState, TtlAction } from '../core/index.ts'
export { AlluxioError, isAlluxioError } from '../core/index.ts'
export type { LocationPolicy, ReadType, WriteType } from '../core/options/index.ts'
export {
  type ConnectModules,
  connectFileSystem,
  connectFileSystems,
  type FileSystems,
} from './connect.ts'
export { filesBelow } from './files-below.ts'
export type { Delegation, GatewayKeys } from './gateway-keys.ts'
export type * from './types.ts'
