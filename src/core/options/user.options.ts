import { enumOption, option } from '../config/option.ts'

export const READ_TYPES = ['NO_CACHE', 'CACHE', 'CACHE_PROMOTE'] as const
export type ReadType = (typeof READ_TYPES)[number]
export const WRITE_TYPES = ['MUST_CACHE', 'CACHE_THROUGH', 'THROUGH', 'ASYNC_THROUGH'] as const
export type WriteType = (typeof WRITE_TYPES)[number]
/** Worker choice for new blocks and cold reads. */
export const LOCATION_POLICIES = [
  'LocalFirst',
  'LocalFirstAvoidEviction',
  'MostAvailableFirst',
  'RoundRobin',
  'SpecificHost',
  'DeterministicHash',
  'CapacityBaseRandom',
] as const
export type LocationPolicy = (typeof LOCATION_POLICIES)[number]

export const BLOCK_SIZE_DEFAULT = option('alluxio.user.block.size.bytes.default', 'bytes', {
  default: 64 * 2 ** 20,
  scope: 'user',
  doc: 'Block size of new files.',
  min: 4096,
  max: 2 ** 32 - 4096,
})
export const READ_TYPE_DEFAULT = enumOption('alluxio.user.file.readtype.default', READ_TYPES, {
  default: 'CACHE',
  scope: 'user',
  doc: 'NO_CACHE leaves no copy, CACHE stores what is read, CACHE_PROMOTE also moves it to the top tier.',
})
export const WRITE_TYPE_DEFAULT = enumOption('alluxio.user.file.writetype.default', WRITE_TYPES, {
  default: 'ASYNC_THROUGH',
  scope: 'user',
  doc: 'MUST_CACHE writes to the cache only, CACHE_THROUGH also to the under-store before it answers, THROUGH only there, ASYNC_THROUGH there later.',
})
export const WRITE_POLICY = enumOption('alluxio.user.block.write.location.policy.class', LOCATION_POLICIES, {
  default: 'LocalFirst',
  scope: 'user',
  doc: 'Which worker takes a new block.',
})
export const UFS_READ_POLICY = enumOption('alluxio.user.ufs.block.read.location.policy', LOCATION_POLICIES, {
  default: 'LocalFirst',
  scope: 'user',
  doc: 'Which worker fetches a block that nobody caches.',
})
export const SPECIFIC_HOST = option('alluxio.user.block.location.policy.specific.host', 'string', {
  default: '',
  scope: 'user',
  doc: 'The host of policy SpecificHost.',
})
export const SHORT_CIRCUIT = option('alluxio.user.short.circuit.enabled', 'boolean', {
  default: true,
  scope: 'user',
  doc: 'Whether blocks on the same host are read and written in their tier files directly.',
})
export const USER_HOSTNAME = option('alluxio.user.hostname', 'string', {
  default: '',
  scope: 'user',
  doc: 'Host name of this client, to find local workers; default: all names and addresses of the host.',
})
export const RPC_RETRY_MAX = option('alluxio.user.rpc.retry.max.duration', 'duration', {
  default: 30_000,
  scope: 'user',
  doc: 'How long a call that may be retried is retried.',
})
export const CONF_SYNC_INTERVAL = option('alluxio.user.conf.sync.interval', 'duration', {
  default: 60_000,
  scope: 'user',
  doc: 'How old the configuration of paths (fsadmin pathConf) may be that a client applies.',
  min: 0,
})
export const METADATA_SYNC_INTERVAL = option('alluxio.user.file.metadata.sync.interval', 'duration', {
  default: -1,
  scope: 'user',
  doc: 'Age above which metadata is checked against the under-store: -1 never, 0 always.',
})
