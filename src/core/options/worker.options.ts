import { enumOption, option } from '../config/option.ts'

export const WORKER_HOSTNAME = option('alluxio.worker.hostname', 'string', {
  default: '127.0.0.1',
  scope: 'worker',
  doc: 'Host name that others use for this worker.',
})
export const WORKER_BIND_HOST = option('alluxio.worker.bind.host', 'string', {
  default: '127.0.0.1',
  scope: 'worker',
  doc: 'Address that the RPC socket binds.',
})
export const WORKER_RPC_PORT = option('alluxio.worker.rpc.port', 'port', {
  default: 29999,
  scope: 'all',
  doc: 'RPC and data port of a worker.',
})
export const WORKER_WEB_PORT = option('alluxio.worker.web.port', 'port', {
  default: 30000,
  scope: 'worker',
  doc: 'HTTP port of a worker: metrics and health.',
})
export const WORKER_WEB_BIND_HOST = option('alluxio.worker.web.bind.host', 'string', {
  default: '127.0.0.1',
  scope: 'worker',
  doc: 'Address that the HTTP socket binds.',
})
export const WORKER_HEARTBEAT_INTERVAL = option('alluxio.worker.block.heartbeat.interval', 'duration', {
  default: 1_000,
  scope: 'worker',
  doc: 'How often a worker reports what changed in its tiers.',
})
export const WORKER_REPORT_DELAY = option('alluxio.worker.block.report.delay', 'duration', {
  default: 25,
  scope: 'worker',
  doc: 'How soon a worker reports that blocks came, moved or went; what happens in that time is told together.',
})
export const WORKER_RAMDISK_SIZE = option('alluxio.worker.ramdisk.size', 'bytes', {
  default: undefined,
  scope: 'worker',
  doc: 'Quota of the MEM tier; default: a quarter of the memory, at most what its file system has free.',
})
export const TIER_LEVELS = option('alluxio.worker.tieredstore.levels', 'int', {
  default: 1,
  scope: 'worker',
  doc: 'Number of tiers, fastest first.',
  min: 1,
  max: 16,
})
export const TIER_ALIAS = option('alluxio.worker.tieredstore.level{n}.alias', 'string', {
  default: undefined,
  scope: 'worker',
  doc: 'Name of tier n: MEM, SSD or HDD. Default by order.',
})
export const TIER_PATHS = option('alluxio.worker.tieredstore.level{n}.dirs.path', 'list', {
  default: undefined,
  scope: 'worker',
  doc: 'Folders of tier n. Default for MEM: /dev/shm/alluxio-<uid>-<port>; else ${alluxio.data}/tiers/<alias>.',
})
export const TIER_MEDIA = option('alluxio.worker.tieredstore.level{n}.dirs.mediumtype', 'list', {
  default: undefined,
  scope: 'worker',
  doc: 'Medium of each folder of tier n; the last one repeats. Default: the alias.',
})
export const TIER_QUOTAS = option('alluxio.worker.tieredstore.level{n}.dirs.quota', 'list', {
  default: undefined,
  scope: 'worker',
  doc: 'Quota of each folder of tier n (64GB); the last one repeats.',
})
export const TIER_RESERVED = option('alluxio.worker.tieredstore.free.ahead.bytes', 'bytes', {
  default: 0,
  scope: 'worker',
  doc: 'Bytes kept free in each folder by background eviction.',
})
export const TIER_PROBE_INTERVAL = option('alluxio.worker.tieredstore.probe.interval', 'duration', {
  default: 5_000,
  scope: 'worker',
  doc: 'First wait before a failed tier folder is tried again; doubles up to 64 times that. 0: never.',
})
export const WORKER_SCRUB_RATE = option('alluxio.worker.scrub.rate', 'bytes', {
  default: 16 * 2 ** 20,
  scope: 'worker',
  doc: 'Bytes of cached blocks that a worker verifies in the background each second, while nobody reads. 0: none.',
})
export const WORKER_SCRUB_INTERVAL = option('alluxio.worker.scrub.interval', 'duration', {
  default: 7 * 86_400_000,
  scope: 'worker',
  doc: 'A block is not verified again in the background before its last check is so old.',
})
export const WORKER_ALLOCATOR = option('alluxio.worker.allocator.class', 'string', {
  default: 'MaxFree',
  scope: 'worker',
  doc: 'Which folder takes a new block: MaxFree, RoundRobin, Greedy, or a module that exports one.',
})
export const WORKER_EVICTION = option('alluxio.worker.block.annotator.class', 'string', {
  default: 'LRU',
  scope: 'worker',
  doc: 'Eviction order: LRU, LRFU, S3FIFO, or a module that exports one.',
})
export const LRFU_STEP = option('alluxio.worker.block.annotator.lrfu.step.factor', 'float', {
  default: 0.25,
  scope: 'worker',
  doc: 'LRFU: 0 behaves as LFU, 1 as LRU.',
  min: 0,
  max: 1,
})
export const LRFU_ATTENUATION = option('alluxio.worker.block.annotator.lrfu.attenuation.factor', 'float', {
  default: 2,
  scope: 'worker',
  doc: 'LRFU: how fast old references lose weight.',
  min: 1,
})
export const WORKER_ALIGN_ENABLED = option('alluxio.worker.management.tier.align.enabled', 'boolean', {
  default: true,
  scope: 'worker',
  doc: 'Whether blocks are moved between tiers in the background so that hot ones are high.',
})
export const WORKER_ALIGN_INTERVAL = option('alluxio.worker.management.tier.align.interval', 'duration', {
  default: 10_000,
  scope: 'worker',
  doc: 'How often the order of tiers is looked at.',
})
export const WORKER_EXTENT_SIZE = option('alluxio.worker.block.extent.size', 'bytes', {
  default: 2 ** 20,
  scope: 'worker',
  doc: 'Unit in which a miss fetches from the under-store.',
  min: 4096,
})
export const WORKER_READ_AHEAD_MAX = option('alluxio.worker.ufs.read.ahead.max', 'bytes', {
  default: 64 * 2 ** 20,
  scope: 'worker',
  doc: 'Most bytes that are fetched ahead of one sequential reader.',
})
export const WORKER_RAMDISK_MODE = enumOption(
  'alluxio.worker.ramdisk.mount',
  ['Mount', 'SudoMount', 'NoMount'],
  {
    default: 'Mount',
    scope: 'worker',
    doc: 'Mount: a tmpfs of its own with huge pages where allowed, else /dev/shm. SudoMount: the same by sudo. NoMount: use the folder as it is.',
  },
)
