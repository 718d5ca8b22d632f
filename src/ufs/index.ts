/**
 * Under-stores: the systems that keep the files for good (S3, local folders, …).
 *
 * Owns: the store interface, the registry from scheme to store, and the layers round a store (retry, timeout, limits, metrics,
 * faults, secrets). Never decides what to cache, knows no namespace path and no mount table; a store sees only
 * paths below its root. Read on in `store.ts` (the interface), `layers/index.ts` (the order of the layers and why),
 * `contract-suite/` (what every store must do), `plug-in.ts` (what the author of another store imports), and `plug-ins/index.ts` (how it is run).
 */
export { runUfsTests, type UfsTestResult, ufsTestNames, ufsTestSkipReason } from './contract-suite/index.ts'
export type { FaultOptions } from './layers/faults.ts'
export { modeRefusal, readOnlyStore } from './layers/mode.ts'
export { MemoryStore, type MemoryStoreOptions, MemoryTree, memoryFactory } from './memory/index.ts'
export { type Extension, type ExtensionState, Extensions, StorePlugIns } from './plug-ins/index.ts'
export {
  builtInSchemes,
  openStore,
  type StoreModules,
  type UfsFactory,
  type UfsModules,
  type UfsOptions,
} from './registry.ts'
export { mountOptions, shownOptions } from './settings.ts'
export type * from './store.ts'
export { temporaryNameOf } from './temporary.ts'
export { compareUtf8, parseUfsUri, type UfsUri } from './uri.ts'
