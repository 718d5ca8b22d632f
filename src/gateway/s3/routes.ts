/** Which operation a request asks for. Methods, sub-resources and headers decide, in one table. */
import type { Buckets } from './buckets.ts'
import { type S3Code, S3Error } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { ListObjects } from './list-objects.ts'
import type { Multipart } from './multipart.ts'
import type { ObjectCopies } from './object-copies.ts'
import type { ObjectDeletes } from './object-deletes.ts'
import type { ObjectReads } from './object-reads.ts'
import type { ObjectWrites } from './object-writes.ts'
import { parameter, type S3Request } from './request.ts'
import type { Tagging } from './tagging.ts'

export interface Operations {
  readonly buckets: Buckets
  readonly objects: ListObjects
  readonly reads: ObjectReads
  readonly writes: ObjectWrites
  readonly copies: ObjectCopies
  readonly deletes: ObjectDeletes
  readonly multipart: Multipart
  readonly tagging: Tagging
}

type Handler = (operations: Operations, exchange: Exchange) => Promise<void>

const HANDLERS: Readonly<Record<string, Handler>> = {
  ListBuckets: ({ buckets }, exchange) => buckets.list(exchange),
  CreateBucket: ({ buckets }, exchange) => buckets.create(exchange),
  HeadBucket: ({ buckets }, exchange) => buckets.head(exchange),
  DeleteBucket: ({ buckets }, exchange) => buckets.delete(exchange),
  GetBucketLocation: ({ buckets }, exchange) => buckets.location(exchange),
  GetBucketVersioning: ({ buckets }, exchange) => buckets.versioning(exchange),
  PutBucketVersioning: ({ buckets }, exchange) => buckets.versioning(exchange),
  GetBucketAcl: ({ buckets }, exchange) => buckets.acl(exchange, bucketOf(buckets, exchange)),
  PutBucketAcl: ({ buckets }, exchange) => buckets.acl(exchange, bucketOf(buckets, exchange)),
  ListObjects: ({ objects }, exchange) => objects.version1(exchange),
  ListObjectsV2: ({ objects }, exchange) => objects.version2(exchange),
  ListObjectVersions: ({ objects }, exchange) => objects.versions(exchange),
  DeleteObjects: ({ deletes }, exchange) => deletes.deleteMany(exchange),
  ListMultipartUploads: ({ multipart }, exchange) => multipart.list(exchange),
  GetObject: ({ reads }, exchange) => reads.get(exchange),
  HeadObject: ({ reads }, exchange) => reads.get(exchange),
  PutObject: ({ writes }, exchange) => writes.put(exchange),
  CopyObject: ({ copies }, exchange) => copies.copy(exchange),
  DeleteObject: ({ deletes }, exchange) => deletes.delete(exchange),
  GetObjectTagging: ({ tagging }, exchange) => tagging.handle(exchange),
  PutObjectTagging: ({ tagging }, exchange) => tagging.handle(exchange),
  DeleteObjectTagging: ({ tagging }, exchange) => tagging.handle(exchange),
  GetObjectAcl: ({ buckets, tagging }, exchange) => buckets.acl(exchange, () => tagging.status(exchange)),
  PutObjectAcl: ({ buckets, tagging }, exchange) => buckets.acl(exchange, () => tagging.status(exchange)),
  CreateMultipartUpload: ({ multipart }, exchange) => multipart.create(exchange),
  UploadPart: ({ multipart }, exchange) => multipart.uploadPart(exchange),
  UploadPartCopy: ({ multipart }, exchange) => multipart.copyPart(exchange),
  CompleteMultipartUpload: ({ multipart }, exchange) => multipart.complete(exchange),
  AbortMultipartUpload: ({ multipart }, exchange) => multipart.abort(exchange),
  ListParts: ({ multipart }, exchange) => multipart.listParts(exchange),
}

function bucketOf(buckets: Buckets, { fs, request }: Exchange) {
  return () => buckets.check(fs, request.bucket)
}

/** Sub-resources that nothing here has, and how S3 says so of a bucket without one. */
const ABSENT: Readonly<Record<string, S3Code>> = {
  cors: 'NoSuchCORSConfiguration',
  encryption: 'ServerSideEncryptionConfigurationNotFoundError',
  lifecycle: 'NoSuchLifecycleConfiguration',
  'object-lock': 'ObjectLockConfigurationNotFoundError',
  policy: 'NoSuchBucketPolicy',
  tagging: 'NoSuchTagSet',
  website: 'NoSuchWebsiteConfiguration',
}
/** Sub-resources that are served, for buckets and for objects. */
const OF_BUCKET = new Set(['location', 'versioning', 'acl', 'versions', 'uploads', 'delete'])
const OF_OBJECT = new Set(['tagging', 'acl', 'uploads'])
/** All others that S3 has: a request for one of them must not be taken for one for the object itself. */
const UNKNOWN = new Set([
  'accelerate',
  'analytics',
  'attributes',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'logging',
  'metadataTable',
  'metrics',
  'notification',
  'ownershipControls',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'session',
  'torrent',
  'renameObject',
])

/** The operation's name, '' for none. @throws NotImplemented, MethodNotAllowed, and what a bucket does not have */
export function operationOf(request: S3Request): string {
  const { bucket, key, method } = request
  if (bucket === '') {
    if (method === 'GET') return 'ListBuckets'
    throw new S3Error('MethodNotAllowed')
  }
  const sub =
    request.query.length === 0 ? undefined : subResource(request, key === '' ? OF_BUCKET : OF_OBJECT)
  return key === '' ? ofBucket(request, sub) : ofObject(request, sub)
}

export function handlerOf(operations: Operations, operation: string): (exchange: Exchange) => Promise<void> {
  const handler = HANDLERS[operation]
  if (handler === undefined) throw new S3Error('MethodNotAllowed')
  return (exchange) => handler(operations, exchange)
}

function subResource(request: S3Request, known: ReadonlySet<string>): string | undefined {
  let found: string | undefined
  for (const [name, value] of request.query) {
    if (name === 'versionId' && value !== '' && value !== 'null') throw new S3Error('NoSuchVersion')
    const absent = request.key === '' ? ABSENT[name] : undefined
    if (known.has(name)) {
      if (found !== undefined) throw new S3Error('InvalidArgument', 'Conflicting sub-resources.')
      found = name
    } else if (absent !== undefined && (request.method === 'GET' || request.method === 'DELETE')) {
      throw new S3Error(absent, undefined, { details: { BucketName: request.bucket } })
    } else if (UNKNOWN.has(name) || Object.hasOwn(ABSENT, name)) {
      throw new S3Error('NotImplemented', `The sub-resource ${name} is not implemented here.`)
    }
  }
  return found
}

const BUCKET_OPERATIONS: Readonly<Record<string, string>> = {
  'PUT ': 'CreateBucket',
  'HEAD ': 'HeadBucket',
  'DELETE ': 'DeleteBucket',
  'GET location': 'GetBucketLocation',
  'GET versioning': 'GetBucketVersioning',
  'PUT versioning': 'PutBucketVersioning',
  'GET acl': 'GetBucketAcl',
  'PUT acl': 'PutBucketAcl',
  'GET versions': 'ListObjectVersions',
  'GET uploads': 'ListMultipartUploads',
  'POST delete': 'DeleteObjects',
}

function ofBucket(request: S3Request, sub: string | undefined): string {
  const { method } = request
  if (method === 'GET' && sub === undefined)
    return parameter(request, 'list-type') === '2' ? 'ListObjectsV2' : 'ListObjects'
  const operation = BUCKET_OPERATIONS[`${method} ${sub ?? ''}`]
  if (operation !== undefined) return operation
  if (method === 'POST' && sub === undefined)
    throw new S3Error('NotImplemented', 'Forms of browsers are not served here.')
  throw new S3Error('MethodNotAllowed')
}

const OBJECT_OPERATIONS: Readonly<Record<string, string>> = {
  'GET ': 'GetObject',
  'HEAD ': 'HeadObject',
  'PUT ': 'PutObject',
  'DELETE ': 'DeleteObject',
  'GET tagging': 'GetObjectTagging',
  'PUT tagging': 'PutObjectTagging',
  'DELETE tagging': 'DeleteObjectTagging',
  'GET acl': 'GetObjectAcl',
  'PUT acl': 'PutObjectAcl',
  'POST uploads': 'CreateMultipartUpload',
  'GET upload': 'ListParts',
  'PUT upload': 'UploadPart',
  'POST upload': 'CompleteMultipartUpload',
  'DELETE upload': 'AbortMultipartUpload',
}

function ofObject(request: S3Request, sub: string | undefined): string {
  const { method } = request
  const upload = request.query.length > 0 && parameter(request, 'uploadId') !== undefined
  const operation = OBJECT_OPERATIONS[`${method} ${upload ? 'upload' : (sub ?? '')}`]
  if (operation === undefined) throw new S3Error('MethodNotAllowed')
  if (!request.headers.has('x-amz-copy-source')) return operation
  if (operation === 'PutObject') return 'CopyObject'
  return operation === 'UploadPart' ? 'UploadPartCopy' : operation
}
