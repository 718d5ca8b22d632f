/** Options of under-stores. Each may also be given per mount (`--option key=value`), which wins over the site's. */
import { enumOption, option } from '../config/option.ts'

export const UFS_MODULES = option('alluxio.underfs.modules', 'list', {
  default: [],
  scope: 'all',
  doc: 'Stores of third parties as scheme=module: the name of a package (looked for in alluxio.extensions.dir, then in the data folder and the installation), or a path (relative ones, which begin with a dot, are of the data folder). For the site only: a mount cannot name modules.',
})
export const EXTENSIONS_DIR = option('alluxio.extensions.dir', 'path', {
  default: '${alluxio.data}/extensions',
  scope: 'all',
  doc: 'Folder of the stores of third parties: alluxio extensions install gives each a folder of its own there; packages in its node_modules are found too.',
})
export const UFS_PLUGIN_MEMORY = option('alluxio.underfs.plugin.memory', 'bytes', {
  default: 512 * 2 ** 20,
  scope: 'all',
  doc: 'Heap that the thread of a store plug-in may use, and bytes of buffers that it may hold; one that takes more is ended.',
  min: 32 * 2 ** 20,
})
export const UFS_PLUGIN_SILENCE = option('alluxio.underfs.plugin.silence', 'duration', {
  default: 10_000,
  scope: 'all',
  doc: 'How long the thread of a store plug-in may give no sign of life before it is ended and started again.',
  min: 1000,
})
export const UFS_PLUGIN_FAILURES = option('alluxio.underfs.plugin.failures.max', 'int', {
  default: 5,
  scope: 'all',
  doc: 'A store plug-in whose thread fails so often within alluxio.underfs.plugin.failures.window is cut off until it is installed again or the process is restarted.',
  min: 1,
})
export const UFS_PLUGIN_WINDOW = option('alluxio.underfs.plugin.failures.window', 'duration', {
  default: 300_000,
  scope: 'all',
  doc: 'The time in which failures of a store plug-in are counted.',
  min: 1000,
})
export const UFS_TIMEOUT = option('alluxio.underfs.timeout', 'duration', {
  default: 30_000,
  scope: 'all',
  doc: 'Longest one attempt of a short call (status, list, mkdir, delete of a file) may take.',
  min: 1,
})
export const UFS_STALL_TIMEOUT = option('alluxio.underfs.stall.timeout', 'duration', {
  default: 15_000,
  scope: 'all',
  doc: 'Longest wait for the next bytes of a read or for a store to take more bytes of a write; then the attempt is cut off.',
  min: 1,
})
export const UFS_BULK_TIMEOUT = option('alluxio.underfs.bulk.timeout', 'duration', {
  default: 3_600_000,
  scope: 'all',
  doc: 'Longest a rename, a recursive delete or the end of a write may take, retries included.',
  min: 1,
})
export const UFS_RETRY_MAX = option('alluxio.underfs.retry.max.duration', 'duration', {
  default: 120_000,
  scope: 'all',
  doc: 'How long a call that fails for a passing reason is retried, measured from the last progress.',
  min: 0,
})
export const UFS_RETRY_BASE = option('alluxio.underfs.retry.base.sleep', 'duration', {
  default: 50,
  scope: 'all',
  doc: 'Ceiling of the first random wait between two attempts; it doubles with each.',
  min: 1,
})
export const UFS_RETRY_CAP = option('alluxio.underfs.retry.max.sleep', 'duration', {
  default: 5_000,
  scope: 'all',
  doc: 'Ceiling of any wait between two attempts that the store itself does not ask for.',
  min: 1,
})
export const UFS_CALL_RATE = option('alluxio.underfs.rate.limit', 'float', {
  default: 0,
  scope: 'all',
  doc: 'Most calls a second to one store from one process; 0 for no limit.',
  min: 0,
})
export const UFS_READ_BANDWIDTH = option('alluxio.underfs.read.bandwidth', 'bytes', {
  default: 0,
  scope: 'all',
  doc: 'Most bytes a second read from one store by one process; 0 for no limit.',
  min: 0,
})
export const UFS_WRITE_BANDWIDTH = option('alluxio.underfs.write.bandwidth', 'bytes', {
  default: 0,
  scope: 'all',
  doc: 'Most bytes a second written to one store by one process; 0 for no limit.',
  min: 0,
})
export const UFS_LOCAL_SYNC = option('alluxio.underfs.local.sync', 'boolean', {
  default: false,
  scope: 'all',
  doc: 'Whether a file of a local store is synced to the disk, with its folder, before its write is acknowledged.',
})
export const UFS_S3_ENDPOINT = option('alluxio.underfs.s3.endpoint', 'string', {
  default: '',
  scope: 'all',
  doc: 'URL of an S3-compatible server (http://127.0.0.1:9000); empty for AWS.',
})
export const UFS_S3_REGION = option('alluxio.underfs.s3.region', 'string', {
  default: '',
  scope: 'all',
  doc: 'Region of the bucket; empty: what the shared configuration says, else us-east-1.',
})
export const UFS_S3_PATH_STYLE = enumOption(
  'alluxio.underfs.s3.disable.dns.buckets',
  ['auto', 'true', 'false'],
  {
    default: 'auto',
    scope: 'all',
    doc: 'true puts the bucket into the path (https://host/bucket/key); auto does so when an endpoint is given.',
  },
)
export const UFS_S3_PROFILE = option('alluxio.underfs.s3.profile', 'string', {
  default: '',
  scope: 'all',
  doc: 'Profile of ~/.aws/config and ~/.aws/credentials to take credentials from.',
})
export const UFS_S3_ANONYMOUS = option('alluxio.underfs.s3.anonymous', 'boolean', {
  default: false,
  scope: 'all',
  doc: 'Calls are not signed: for public buckets.',
})
export const UFS_S3_CONNECTIONS = option('alluxio.underfs.s3.connections.max', 'int', {
  default: 128,
  scope: 'all',
  doc: 'Most connections to one store from one process.',
  min: 1,
})
export const UFS_S3_PART_SIZE = option('alluxio.underfs.s3.streaming.upload.partition.size', 'bytes', {
  default: 16 * 2 ** 20,
  scope: 'all',
  doc: 'Least size of an upload part; it grows with the file so that 10,000 parts suffice.',
  min: 5 * 2 ** 20,
  max: 5 * 2 ** 30,
})
export const UFS_S3_UPLOADS = option('alluxio.underfs.s3.upload.threads.max', 'int', {
  default: 4,
  scope: 'all',
  doc: 'Parts of one file that are uploaded at once.',
  min: 1,
  max: 64,
})
export const UFS_S3_CHECKSUM = enumOption('alluxio.underfs.s3.checksum', ['CRC32C', 'NONE'], {
  default: 'CRC32C',
  scope: 'all',
  doc: 'Checksum sent with every upload, which the server verifies. NONE for servers that refuse it.',
})
export const UFS_S3_PAYLOAD_SIGNING = enumOption(
  'alluxio.underfs.s3.payload.signing',
  ['auto', 'true', 'false'],
  {
    default: 'auto',
    scope: 'all',
    doc: 'Whether the signature covers the bytes (SHA-256, slow). auto: only for AWS over plain http.',
  },
)
export const UFS_S3_ACCESS_KEY = option('s3a.accessKeyId', 'string', {
  default: '',
  scope: 'all',
  doc: 'Access key of the bucket: env:NAME, file:PATH, or the key itself. Empty: the shared configuration of AWS.',
  secret: true,
})
export const UFS_S3_SECRET_KEY = option('s3a.secretKey', 'string', {
  default: '',
  scope: 'all',
  doc: 'Secret key of the bucket: env:NAME, file:PATH, or the key itself.',
  secret: true,
})
export const UFS_S3_SESSION_TOKEN = option('s3a.sessionToken', 'string', {
  default: '',
  scope: 'all',
  doc: 'Session token of temporary credentials: env:NAME, file:PATH, or the token itself.',
  secret: true,
})
