/**
 * The worker daemon: composition of the block store, the under-stores and the bond with the master behind RPC and HTTP. It owns
 * no rule of its own: what stays in which tier is decided in `store/`, what exists in the namespace of the master. Read
 * `main.ts` as the wiring diagram, then `services/`.
 */
export type { WorkerIdentity } from './identity.ts'
export { type IdentityStore, startWorker, type Worker, type WorkerModules } from './main.ts'
