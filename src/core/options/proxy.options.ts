import { option } from '../config/option.ts'

export const PROXY_HOSTNAME = option('alluxio.proxy.hostname', 'string', {
  default: '127.0.0.1',
  scope: 'all',
  doc: 'Host name that others use for the proxy of this machine.',
})
export const PROXY_BIND_HOST = option('alluxio.proxy.web.bind.host', 'string', {
  default: '127.0.0.1',
  scope: 'proxy',
  doc: 'Address that the gateways of the proxy bind.',
})
export const PROXY_S3_PORT = option('alluxio.proxy.web.port', 'port', {
  default: 39999,
  scope: 'all',
  doc: 'Port of the S3 gateway.',
})
export const S3_ROOT = option('alluxio.proxy.s3.root', 'string', {
  default: '/',
  scope: 'proxy',
  doc: 'Folder of the namespace whose folders are the buckets of the S3 gateway.',
})
export const S3_DOMAINS = option('alluxio.proxy.s3.domains', 'list', {
  default: [],
  scope: 'proxy',
  doc: 'Host names below which bucket.name is a bucket’s own address (virtual-host style); path style works always.',
})
export const S3_REGION = option('alluxio.proxy.s3.region', 'string', {
  default: '',
  scope: 'proxy',
  doc: 'The only region that signatures of S3 requests may name; empty: any.',
})
export const S3_UPLOAD_MAX_AGE = option('alluxio.proxy.s3.multipart.upload.max.age', 'duration', {
  default: 7 * 86_400_000,
  scope: 'proxy',
  doc: 'How long a multipart upload may go on before it is taken for abandoned and removed.',
  min: 1,
})
export const S3_MD5_MAX = option('alluxio.proxy.s3.etag.md5.max', 'bytes', {
  default: 64 * 2 ** 20,
  scope: 'proxy',
  doc: 'Length up to which the entity tag of an uploaded object is its MD5, which one stream cannot have at more than some 0.8 GB/s; that of a longer one is of the form of a multipart upload. With a Content-MD5 it always is the MD5.',
})
export const PROXY_WEBHDFS_PORT = option('alluxio.proxy.webhdfs.port', 'port', {
  default: 39870,
  scope: 'all',
  doc: 'Port of the WebHDFS gateway; also metrics and health of the proxy.',
})
export const PROXY_TRUST_USER_NAME = option('alluxio.proxy.webhdfs.trust.user.name', 'boolean', {
  default: false,
  scope: 'proxy',
  doc: 'Whether the WebHDFS gateway believes the user.name of callers from other hosts, who then may be anybody. From its own host it always does.',
})
export const PROXY_USERS = option('alluxio.security.proxyusers', 'list', {
  default: [],
  scope: 'proxy',
  doc: 'Who may act for whom by doas: user:users:addresses, where users and addresses are * or names with | between.',
})
export const WEBHDFS_REWRITE_MAX = option('alluxio.proxy.webhdfs.rewrite.max', 'bytes', {
  default: 4 * 2 ** 30,
  scope: 'all',
  doc: 'Largest file that APPEND, TRUNCATE and CONCAT of WebHDFS make: files are immutable, so these copy all of it.',
  min: 0,
})
export const PROXY_MASTER_WAIT = option('alluxio.proxy.master.wait', 'duration', {
  default: 1500,
  scope: 'all',
  doc: 'How long a new request of the gateways waits for a master that is away before it is answered by 503; longer lets clients that never try again outlive a restart of the master.',
  min: 0,
})
export const PROXY_MAX_CONNECTIONS = option('alluxio.proxy.web.connections.max', 'int', {
  default: 10_000,
  scope: 'all',
  doc: 'Connections that each gateway of a proxy, and the HTTP port of a worker, hold open at once; more are turned away.',
  min: 1,
})
