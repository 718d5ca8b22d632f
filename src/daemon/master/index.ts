/**
 * The master daemon: composition of namespace, metastore, under-stores and workers behind RPC and HTTP. It owns no rule of
 * its own: the tree's are in `namespace/`, durability in `metastore/`. Read `main.ts` as the wiring diagram, then `services/`.
 */
export { type Master, type MasterModules, startMaster } from './main.ts'
