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
export const UFS_TEMPORARY_AGE = option('alluxio.underfs.temporary.max.age', 'duration', {
  default: 86_400_000,
  scope: 'all',
  doc: 'Age, by the clock of the store, at which files go that a killed writer left under a temporary name (local folders, HDFS, GlusterFS: when the master lists their folder) or as segments without a manifest (Swift: `fsadmin ufs --clean`). 0: they stay.',
  min: 0,
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
  doc: 'Whether a file of a store of files (local, GlusterFS, CephFS) is synced to the disk before its write is acknowledged; locally with its folder.',
})
export const UFS_GLUSTER_MOUNT = option('alluxio.underfs.glusterfs.mount', 'string', {
  default: '',
  scope: 'all',
  doc: 'Folder where the system has the GlusterFS volume mounted, on every master and worker; empty: libgfapi is used, no mount.',
})
export const UFS_GLUSTER_LIBRARY = option('alluxio.underfs.glusterfs.library', 'string', {
  default: 'libgfapi.so.0',
  scope: 'all',
  doc: "GlusterFS's client library (the package libgfapi0 or glusterfs-api): a name that the loader finds, or a path.",
})
export const UFS_CEPHFS_MOUNT = option('alluxio.underfs.cephfs.mount', 'string', {
  default: '',
  scope: 'all',
  doc: 'Folder where the system has the CephFS of cephfs:// mounted, on every master and worker.',
})
export const UFS_HDFS_NAMENODES = option('alluxio.underfs.hdfs.namenodes', 'list', {
  default: [],
  scope: 'all',
  doc: 'HTTP addresses of the NameNode, or of all members of a pair, such as http://nn1:9870,http://nn2:9870. Empty: what alluxio.underfs.hdfs.configuration says, else the host of the URI.',
})
export const UFS_HDFS_HTTP_PORT = option('alluxio.underfs.hdfs.http.port', 'port', {
  default: 9870,
  scope: 'all',
  doc: 'HTTP port of the NameNode of an hdfs:// URI (whose own port is that of the RPC server) and of addresses without a port.',
})
export const UFS_HDFS_CONFIGURATION = option('alluxio.underfs.hdfs.configuration', 'string', {
  default: '',
  scope: 'all',
  doc: 'Files of Hadoop (core-site.xml and hdfs-site.xml, with a colon between) that say where the NameNodes of a name service are.',
})
export const UFS_HDFS_USER = option('alluxio.underfs.hdfs.user', 'string', {
  default: '',
  scope: 'all',
  doc: 'User as whom HDFS is called (simple authentication); empty: the user of this process.',
})
export const UFS_HDFS_TOKEN = option('alluxio.underfs.hdfs.delegation.token', 'string', {
  default: '',
  scope: 'all',
  doc: 'Delegation token: env:NAME, file:PATH, or the token itself. It is renewed where HDFS lets us, and read again when it is refused.',
  secret: true,
})
export const UFS_HDFS_CONNECTIONS = option('alluxio.underfs.hdfs.connections.max', 'int', {
  default: 64,
  scope: 'all',
  doc: 'Most connections to one server of HDFS from one process.',
  min: 1,
})
export const UFS_HDFS_CA = option('alluxio.underfs.hdfs.tls.ca', 'path', {
  default: '',
  scope: 'all',
  doc: 'File with the certificates to trust for swebhdfs://, as PEM; empty: those of Node.js.',
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
export const UFS_S3_SERVER = enumOption(
  'alluxio.underfs.s3.server',
  ['auto', 'aws', 'minio', 'rgw', 'other'],
  {
    default: 'auto',
    scope: 'all',
    doc: 'Which server speaks S3, for what differs (rgw, the gateway of Ceph: no atomic create of files of several parts); auto: known from its first answer.',
  },
)
export const UFS_S3_CHECKSUM = enumOption('alluxio.underfs.s3.checksum', ['CRC32C', 'MD5', 'NONE'], {
  default: 'CRC32C',
  scope: 'all',
  doc: 'Checksum sent with every upload, which the server verifies. MD5 (slower) for servers that ignore CRC32C, such as the gateway of Ceph: a warning in the log names them. NONE for servers that refuse it.',
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
export const UFS_HTTP_USER = option('alluxio.underfs.http.user', 'string', {
  default: '',
  scope: 'all',
  doc: 'User of a web server (basic authentication).',
})
export const UFS_HTTP_PASSWORD = option('alluxio.underfs.http.password', 'string', {
  default: '',
  scope: 'all',
  doc: 'Password of alluxio.underfs.http.user: env:NAME, file:PATH, or the password itself.',
  secret: true,
})
export const UFS_HTTP_TOKEN = option('alluxio.underfs.http.token', 'string', {
  default: '',
  scope: 'all',
  doc: 'Bearer token for a web server: env:NAME, file:PATH, or the token itself.',
  secret: true,
})
export const UFS_HTTP_CONNECTIONS = option('alluxio.underfs.http.connections.max', 'int', {
  default: 64,
  scope: 'all',
  doc: 'Most connections to one web server from one process.',
  min: 1,
})
export const UFS_HTTP_INDEX_BYTES = option('alluxio.underfs.http.index.max.bytes', 'bytes', {
  default: 32 * 2 ** 20,
  scope: 'all',
  doc: 'Longest index page of a web server that is read.',
  min: 1024,
})
export const UFS_WEB_TITLES = option('alluxio.underfs.web.titles', 'list', {
  default: ['Index of', 'Directory listing for', 'listing directory', 'Directory:'],
  scope: 'all',
  doc: 'What the title or first heading of an index page of a web server begins with.',
})
export const UFS_AZURE_ACCOUNT = option('alluxio.underfs.azure.account', 'string', {
  default: '',
  scope: 'all',
  doc: 'Storage account of Azure, where the URI does not name it (wasbs://container@account.blob.core.windows.net/folder).',
})
export const UFS_AZURE_KEY = option('alluxio.underfs.azure.account.key', 'string', {
  default: '',
  scope: 'all',
  doc: 'Key of the storage account: env:NAME, file:PATH, or the key itself.',
  secret: true,
})
export const UFS_AZURE_SAS = option('alluxio.underfs.azure.sas.token', 'string', {
  default: '',
  scope: 'all',
  doc: 'Shared access signature of the container: env:NAME, file:PATH, or the token itself (sv=…&sig=…).',
  secret: true,
})
export const UFS_AZURE_CONNECTION = option('alluxio.underfs.azure.connection.string', 'string', {
  default: '',
  scope: 'all',
  doc: 'Connection string of the storage account instead of account, key and endpoint: env:NAME, file:PATH, or the string itself.',
  secret: true,
})
export const UFS_AZURE_ENDPOINT = option('alluxio.underfs.azure.endpoint', 'string', {
  default: '',
  scope: 'all',
  doc: 'URL of the blob service (http://127.0.0.1:10000/devstoreaccount1); empty: the host of the URI.',
})
export const UFS_AZURE_CONNECTIONS = option('alluxio.underfs.azure.connections.max', 'int', {
  default: 128,
  scope: 'all',
  doc: 'Most connections to one container from one process.',
  min: 1,
})
export const UFS_AZURE_BLOCK_SIZE = option('alluxio.underfs.azure.upload.block.size', 'bytes', {
  default: 16 * 2 ** 20,
  scope: 'all',
  doc: 'Least size of an upload block; it grows with the file so that 50,000 blocks suffice.',
  min: 2 ** 16,
  max: 4000 * 2 ** 20,
})
export const UFS_AZURE_UPLOADS = option('alluxio.underfs.azure.upload.threads.max', 'int', {
  default: 4,
  scope: 'all',
  doc: 'Blocks of one file that are uploaded at once.',
  min: 1,
  max: 64,
})
export const UFS_GCS_ENDPOINT = option('alluxio.underfs.gcs.endpoint', 'string', {
  default: 'https://storage.googleapis.com',
  scope: 'all',
  doc: 'URL of the XML API of Google Cloud Storage.',
})
export const UFS_GCS_ACCESS_KEY = option('fs.gcs.accessKeyId', 'string', {
  default: '',
  scope: 'all',
  doc: 'Access id of an HMAC key of Google Cloud Storage: env:NAME, file:PATH, or the id itself.',
  secret: true,
})
export const UFS_GCS_SECRET_KEY = option('fs.gcs.secretAccessKey', 'string', {
  default: '',
  scope: 'all',
  doc: 'Secret of the HMAC key: env:NAME, file:PATH, or the secret itself.',
  secret: true,
})
export const UFS_GCS_CREDENTIAL = option('fs.gcs.credential.path', 'string', {
  default: '',
  scope: 'all',
  doc: 'Key file (JSON) of a service account of Google, instead of an HMAC key.',
})
export const UFS_OSS_ENDPOINT = option('fs.oss.endpoint', 'string', {
  default: '',
  scope: 'all',
  doc: 'Endpoint of Aliyun OSS (oss-cn-hangzhou-internal.aliyuncs.com); empty: the public one of the region.',
})
export const UFS_OSS_REGION = option('fs.oss.region', 'string', {
  default: '',
  scope: 'all',
  doc: 'Region of the bucket (cn-hangzhou); empty: the one that the endpoint names.',
})
export const UFS_OSS_ACCESS_KEY = option('fs.oss.accessKeyId', 'string', {
  default: '',
  scope: 'all',
  doc: 'Access key of Aliyun OSS: env:NAME, file:PATH, or the key itself.',
  secret: true,
})
export const UFS_OSS_SECRET_KEY = option('fs.oss.accessKeySecret', 'string', {
  default: '',
  scope: 'all',
  doc: 'Secret of the access key: env:NAME, file:PATH, or the secret itself.',
  secret: true,
})
export const UFS_OSS_TOKEN = option('fs.oss.securityToken', 'string', {
  default: '',
  scope: 'all',
  doc: 'Security token of temporary credentials (STS): env:NAME, file:PATH, or the token itself.',
  secret: true,
})
export const UFS_COS_REGION = option('fs.cos.region', 'string', {
  default: '',
  scope: 'all',
  doc: 'Region of a bucket of Tencent COS (ap-guangzhou).',
})
export const UFS_COS_ACCESS_KEY = option('fs.cos.access.key', 'string', {
  default: '',
  scope: 'all',
  doc: 'Secret id of Tencent COS: env:NAME, file:PATH, or the id itself.',
  secret: true,
})
export const UFS_COS_SECRET_KEY = option('fs.cos.secret.key', 'string', {
  default: '',
  scope: 'all',
  doc: 'Secret key of Tencent COS: env:NAME, file:PATH, or the key itself.',
  secret: true,
})
export const UFS_OBS_ENDPOINT = option('fs.obs.endpoint', 'string', {
  default: '',
  scope: 'all',
  doc: 'Endpoint of Huawei OBS (obs.cn-north-4.myhuaweicloud.com).',
})
export const UFS_OBS_ACCESS_KEY = option('fs.obs.accessKey', 'string', {
  default: '',
  scope: 'all',
  doc: 'Access key of Huawei OBS: env:NAME, file:PATH, or the key itself.',
  secret: true,
})
export const UFS_OBS_SECRET_KEY = option('fs.obs.secretKey', 'string', {
  default: '',
  scope: 'all',
  doc: 'Secret key of Huawei OBS: env:NAME, file:PATH, or the key itself.',
  secret: true,
})
export const UFS_SWIFT_AUTH_URL = option('fs.swift.auth.url', 'string', {
  default: '',
  scope: 'all',
  doc: 'Where tokens are had: http://host:8080/auth/v1.0 for TempAuth, http://host:5000/v3 for Keystone.',
})
export const UFS_SWIFT_AUTH_METHOD = enumOption(
  'fs.swift.auth.method',
  ['tempauth', 'swiftauth', 'keystone', 'keystonev3'],
  {
    default: 'keystonev3',
    scope: 'all',
    doc: 'How tokens are had: tempauth and swiftauth mean the v1 protocol; keystone and keystonev3 mean Keystone v3.',
  },
)
export const UFS_SWIFT_USER = option('fs.swift.user', 'string', {
  default: '',
  scope: 'all',
  doc: 'User. For TempAuth it is written account:user, or the account is given as the tenant.',
})
export const UFS_SWIFT_TENANT = option('fs.swift.tenant', 'string', {
  default: '',
  scope: 'all',
  doc: 'Project of Keystone, or account of TempAuth.',
})
export const UFS_SWIFT_PASSWORD = option('fs.swift.password', 'string', {
  default: '',
  scope: 'all',
  doc: 'Password of the user: env:NAME, file:PATH (read again at each authentication), or the password itself.',
  secret: true,
})
export const UFS_SWIFT_REGION = option('fs.swift.region', 'string', {
  default: '',
  scope: 'all',
  doc: "Region whose endpoint is taken from Keystone's catalogue; empty: the first one.",
})
export const UFS_SWIFT_INTERFACE = enumOption(
  'alluxio.underfs.swift.interface',
  ['public', 'internal', 'admin'],
  {
    default: 'public',
    scope: 'all',
    doc: "Interface whose endpoint is taken from Keystone's catalogue.",
  },
)
export const UFS_SWIFT_USER_DOMAIN = option('alluxio.underfs.swift.user.domain', 'string', {
  default: 'Default',
  scope: 'all',
  doc: 'Domain of the user in Keystone.',
})
export const UFS_SWIFT_PROJECT_DOMAIN = option('alluxio.underfs.swift.project.domain', 'string', {
  default: 'Default',
  scope: 'all',
  doc: 'Domain of the project in Keystone.',
})
export const UFS_SWIFT_CREDENTIAL_ID = option('alluxio.underfs.swift.application.credential.id', 'string', {
  default: '',
  scope: 'all',
  doc: 'Application credential of Keystone, used instead of user, tenant and password.',
})
export const UFS_SWIFT_CREDENTIAL_SECRET = option(
  'alluxio.underfs.swift.application.credential.secret',
  'string',
  {
    default: '',
    scope: 'all',
    doc: 'Secret of the application credential: env:NAME, file:PATH (read again at each authentication), or the secret itself.',
    secret: true,
  },
)
export const UFS_SWIFT_STORAGE_URL = option('alluxio.underfs.swift.storage.url', 'string', {
  default: '',
  scope: 'all',
  doc: 'URL of the account (http://host:8080/v1/AUTH_test), used instead of the one that comes with the token.',
})
export const UFS_SWIFT_PROVIDER = option('alluxio.underfs.swift.provider', 'string', {
  default: '',
  scope: 'all',
  doc: 'Name of the provider in addresses of the form swift://container.provider/; empty: all that is before the slash is the container.',
})
export const UFS_SWIFT_CONNECTIONS = option('alluxio.underfs.swift.connections.max', 'int', {
  default: 128,
  scope: 'all',
  doc: 'Most connections to one store from one process.',
  min: 1,
})
export const UFS_SWIFT_SEGMENT_SIZE = option('alluxio.underfs.swift.segment.size', 'bytes', {
  default: 32 * 2 ** 20,
  scope: 'all',
  doc: 'Size of the segments of a large object. A file that is no larger is one plain object.',
  min: 2 ** 20,
  max: 5 * 2 ** 30,
})
export const UFS_SWIFT_SEGMENT_CONTAINER = option('alluxio.underfs.swift.segment.container', 'string', {
  default: '',
  scope: 'all',
  doc: 'Container of the segments of large objects, made when it is first needed; empty: the name of the container with _segments.',
})
export const UFS_SWIFT_UPLOADS = option('alluxio.underfs.swift.upload.threads.max', 'int', {
  default: 4,
  scope: 'all',
  doc: 'Segments of one file that are uploaded at once.',
  min: 1,
  max: 64,
})
export const UFS_SWIFT_CHECKSUM = enumOption('alluxio.underfs.swift.checksum', ['MD5', 'NONE'], {
  default: 'MD5',
  scope: 'all',
  doc: 'Checksum sent with every upload, which the server verifies.',
})
