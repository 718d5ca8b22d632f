/**
 * Brings subtrees of the namespace and of their under-stores together: whole, in pages, with bounded memory.
 *
 * Owns the comparison (`tree-merge.ts`), its course over mounts and directories (`sync-run.ts`), the jobs that clients start and
 * watch (`sync-jobs.ts`), and the paths that are synced by themselves (`active-sync.ts`). Never changes a store, and decides
 * nothing about inodes: what goes and what stays is said by `namespace/load.ts`. Single paths that somebody asks for are the
 * metadata loader's. A sync keeps no state: one that a master died in is begun again by whoever wants it; nothing it had
 * applied is applied twice, since what is equal already is passed over.
 */
export { ActiveSync } from './active-sync.ts'
export { SyncJobs } from './sync-jobs.ts'
export { SyncService } from './sync-service.ts'
export { SyncTimes } from './sync-times.ts'
