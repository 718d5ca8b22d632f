/** The errors of S3, and which of them stands for what the cluster throws. */
import { type AlluxioError, type ErrorCode, toAlluxioError } from '../../core/index.ts'

/** Code, HTTP status, and the message for whom nothing better is said. */
const CODES = {
  AccessDenied: [403, 'Access Denied.'],
  AuthorizationHeaderMalformed: [400, 'The authorization header is malformed.'],
  AuthorizationQueryParametersError: [400, 'The authorization parameters of the query are malformed.'],
  BadDigest: [400, 'The checksum or Content-MD5 that you sent is not that of what arrived.'],
  BucketAlreadyExists: [409, 'The bucket name is in use.'],
  BucketAlreadyOwnedByYou: [409, 'You made this bucket already.'],
  BucketNotEmpty: [409, 'The bucket is not empty.'],
  EntityTooLarge: [400, 'What you send is larger than an object or part may be.'],
  EntityTooSmall: [400, 'A part that is not the last is smaller than 5 MiB.'],
  ExistingObjectIsDirectory: [409, 'The key names a directory of the namespace: other keys lie below it.'],
  ExpiredToken: [400, 'The token has expired.'],
  IncompleteBody: [400, 'You did not send the number of bytes that you said.'],
  InternalError: [500, 'We met an internal error. Please try again.'],
  InvalidAccessKeyId: [403, 'The access key id that you sent does not exist.'],
  InvalidArgument: [400, 'An argument is not valid.'],
  InvalidBucketName: [400, 'The bucket name is not valid.'],
  InvalidDigest: [400, 'The Content-MD5 or checksum that you sent is not valid.'],
  InvalidPart: [400, 'A part was not found, or its entity tag is another.'],
  InvalidPartOrder: [400, 'The list of parts is not in ascending order.'],
  InvalidRange: [416, 'The requested range is not satisfiable.'],
  InvalidRequest: [400, 'The request is not valid.'],
  InvalidStorageClass: [400, 'There is no such storage class here.'],
  InvalidTag: [400, 'A tag is not valid.'],
  InvalidURI: [400, 'The URI could not be parsed.'],
  KeyTooLongError: [400, 'The key is too long.'],
  MalformedTrailerError: [400, 'The trailer of the request is malformed.'],
  MalformedXML: [400, 'The XML that you sent is not well formed, or not what is expected here.'],
  MetadataTooLarge: [400, 'The metadata headers are larger than 2 KB.'],
  MethodNotAllowed: [405, 'The method is not allowed on this resource.'],
  MissingContentLength: [411, 'Content-Length is missing.'],
  MissingSecurityHeader: [400, 'A header that is needed is missing.'],
  NoSuchBucket: [404, 'The bucket does not exist.'],
  NoSuchBucketPolicy: [404, 'The bucket has no policy.'],
  NoSuchCORSConfiguration: [404, 'The bucket has no CORS configuration.'],
  NoSuchKey: [404, 'The key does not exist.'],
  NoSuchLifecycleConfiguration: [404, 'The bucket has no lifecycle configuration.'],
  NoSuchTagSet: [404, 'There are no tags.'],
  NoSuchUpload: [404, 'The upload does not exist: it may have been aborted or completed.'],
  NoSuchVersion: [404, 'There are no versions here.'],
  NoSuchWebsiteConfiguration: [404, 'The bucket has no website configuration.'],
  NotImplemented: [501, 'This is not implemented here.'],
  NotModified: [304, 'Not Modified'],
  ObjectLockConfigurationNotFoundError: [404, 'The bucket has no object lock configuration.'],
  ObjectParentIsFile: [409, 'A part of the key is an object: nothing can lie below it.'],
  OperationAborted: [409, 'Another operation is under way on this resource. Try again.'],
  PreconditionFailed: [412, 'A precondition that you set does not hold.'],
  RequestTimeout: [400, 'Your request did not arrive in time.'],
  RequestTimeTooSkewed: [403, 'The time of the request differs too much from that of the server.'],
  ServerSideEncryptionConfigurationNotFoundError: [404, 'There is no encryption configuration.'],
  ServiceUnavailable: [503, 'Please try again.'],
  SignatureDoesNotMatch: [
    403,
    'The signature that we computed is not the one that you sent. Check your key and how you sign.',
  ],
  SlowDown: [503, 'Please reduce your request rate.'],
  XAmzContentSHA256Mismatch: [400, 'x-amz-content-sha256 is not the digest of what arrived.'],
} as const satisfies Record<string, readonly [status: number, message: string]>

export type S3Code = keyof typeof CODES

/** A refusal in the words of S3. Thrown inside the gateway, never past it. */
export class S3Error extends Error {
  readonly code: S3Code
  readonly status: number
  /** Further elements of the answer. */
  readonly details: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: S3Code,
    message?: string,
    {
      details = {},
      headers = {},
    }: {
      readonly details?: Readonly<Record<string, string>>
      readonly headers?: Readonly<Record<string, string>>
    } = {},
  ) {
    const [status, text] = CODES[code]
    super(message ?? text)
    this.name = 'S3Error'
    this.code = code
    this.status = status
    this.details = details
    this.headers = headers
  }
}

const BY_CODE: Readonly<Record<ErrorCode, S3Code>> = {
  INVALID_ARGUMENT: 'InvalidArgument',
  NOT_FOUND: 'NoSuchKey',
  ALREADY_EXISTS: 'OperationAborted',
  NOT_A_DIRECTORY: 'ObjectParentIsFile',
  IS_A_DIRECTORY: 'ExistingObjectIsDirectory',
  DIRECTORY_NOT_EMPTY: 'OperationAborted',
  PERMISSION_DENIED: 'AccessDenied',
  UNAUTHENTICATED: 'AccessDenied',
  CONFLICT: 'OperationAborted',
  OUT_OF_RANGE: 'InvalidRange',
  RESOURCE_EXHAUSTED: 'SlowDown',
  UNAVAILABLE: 'ServiceUnavailable',
  TIMEOUT: 'ServiceUnavailable',
  CANCELLED: 'RequestTimeout',
  DATA_LOSS: 'InternalError',
  UNSUPPORTED: 'NotImplemented',
  INTERNAL: 'InternalError',
}

const BY_REASON: Readonly<Record<string, S3Code>> = {
  BODY_TOO_LARGE: 'EntityTooLarge',
  SLOW_BODY: 'RequestTimeout',
  PRECONDITION: 'PreconditionFailed',
}

/** What of an error's message strangers may know: not what went wrong inside. */
export function toS3Error(thrown: unknown): S3Error {
  if (thrown instanceof S3Error) return thrown
  const error: AlluxioError = toAlluxioError(thrown)
  const code = BY_REASON[error.reason ?? ''] ?? BY_CODE[error.code]
  return new S3Error(code, code === 'InternalError' ? undefined : error.message)
}
