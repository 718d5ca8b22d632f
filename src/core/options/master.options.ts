import { option } from '../config/option.ts'

export const MASTER_HOSTNAME = option('alluxio.master.hostname', 'string', {
  default: '127.0.0.1',
  scope: 'all',
  doc: 'Host name that clients and workers use for the master.',
})
export const MASTER_BIND_HOST = option('alluxio.master.bind.host', 'string', {
  default: '127.0.0.1',
  scope: 'master',
  doc: 'Address that the RPC socket binds.',
})
export const MASTER_RPC_PORT = option('alluxio.master.rpc.port', 'port', {
  default: 19998,
  scope: 'all',
  doc: 'RPC port of the master.',
})
export const MASTER_WEB_PORT = option('alluxio.master.web.port', 'port', {
  default: 19999,
  scope: 'all',
  doc: 'HTTP port of the master: metrics, health and hints.',
})
export const MASTER_WEB_BIND_HOST = option('alluxio.master.web.bind.host', 'string', {
  default: '127.0.0.1',
  scope: 'master',
  doc: 'Address that the HTTP socket binds.',
})
export const MASTER_METASTORE_DIR = option('alluxio.master.metastore.dir', 'path', {
  default: '${alluxio.data}/metastore',
  scope: 'master',
  doc: 'Folder of the namespace (LMDB). Must be a local disk.',
})
export const MASTER_METASTORE_MAP_SIZE = option('alluxio.master.metastore.map.size', 'bytes', {
  default: 2 ** 40,
  scope: 'master',
  doc: 'Address space reserved for the metadata file; the file itself grows as needed.',
})
export const MASTER_FLUSH_TIMEOUT = option('alluxio.master.journal.flush.timeout', 'duration', {
  default: 30_000,
  scope: 'master',
  doc: 'A metadata flush that takes longer ends the master: durability can no longer be promised.',
})
export const ROOT_UFS = option('alluxio.master.mount.table.root.ufs', 'string', {
  default: '${alluxio.data}/underFSStorage',
  scope: 'master',
  doc: 'Under-store mounted at /, used when a cluster is formatted.',
})
export const MASTER_WORKER_TIMEOUT = option('alluxio.master.worker.timeout', 'duration', {
  default: 10_000,
  scope: 'master',
  doc: 'A worker that has not been heard of for so long is lost.',
})
export const MASTER_TTL_CHECKER_INTERVAL = option('alluxio.master.ttl.checker.interval', 'duration', {
  default: 5_000,
  scope: 'master',
  doc: 'How often expired files are looked for.',
})
export const MASTER_PERSISTENCE_INTERVAL = option(
  'alluxio.master.persistence.scheduler.interval',
  'duration',
  { default: 200, scope: 'master', doc: 'How often queued asynchronous persists are handed out.' },
)
export const MASTER_PERSISTENCE_MAX_INTERVAL = option('alluxio.master.persistence.max.interval', 'duration', {
  default: 60_000,
  scope: 'master',
  doc: 'Longest wait before a failed persist is tried again.',
})
export const MASTER_LISTING_CACHE = option('alluxio.master.listing.cache.size', 'bytes', {
  default: 64 * 2 ** 20,
  scope: 'master',
  doc: 'Memory for encoded pages of directories that are listed again and again.',
})
export const MASTER_UFS_ANSWER_TIMEOUT = option('alluxio.master.ufs.answer.timeout', 'duration', {
  default: 10_000,
  scope: 'master',
  doc: 'Longest that a mount, or a request that has to be checked with an under-store, waits for the store before it is refused.',
  min: 1,
})
export const MASTER_ABSENT_CACHE = option('alluxio.master.ufs.path.absent.cache.ttl', 'duration', {
  default: 1_000,
  scope: 'master',
  doc: 'How long a path that an under-store did not have is taken to be absent before it is asked for again.',
})
export const MASTER_ACTIVE_SYNC_INTERVAL = option('alluxio.master.ufs.active.sync.interval', 'duration', {
  default: 30_000,
  scope: 'master',
  doc: 'Least time between two syncs of a path that the master syncs by itself (`fs startSync`): what it comes to while changes are found.',
  min: 100,
})
export const MASTER_ACTIVE_SYNC_MAX_INTERVAL = option(
  'alluxio.master.ufs.active.sync.max.interval',
  'duration',
  {
    default: 600_000,
    scope: 'master',
    doc: 'Greatest time between two such syncs: what it comes to while none are found, or the store does not answer.',
    min: 100,
  },
)
