/**
 * The metadata store: ordered tables with atomic, durable batches (`store.ts` is the port).
 *
 * Owns LMDB, the process lock, group commit and what "durable" means. Never knows what a record says. Read on in `group-commit.ts`
 * (batches, flush deadline, reserve), `overlay.ts` (reads of what is pending), `lmdb.ts`, `memory.ts` (simulation).
 */
export { type LmdbStoreModules, type LmdbStoreOptions, openLmdbStore } from './lmdb.ts'
export { MemoryDisk, type MemoryStoreOptions, openMemoryStore } from './memory.ts'
export type { Change, RangeOptions, RecordStore, Row, Table } from './store.ts'
