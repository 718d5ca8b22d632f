/** Translates what the SDK and its sockets throw. Nothing of a request (headers, signature, body) is kept. */
import { AlluxioError, type ErrorCode, isAlluxioError } from '../../core/index.ts'
import { cancelled, RETRIES_EXHAUSTED, THROTTLED } from '../layers/retry-policy.ts'

export interface S3Place {
  readonly bucket: string
  readonly endpoint: string
  /** What the advice calls the options of keys. @default those of S3 */
  readonly keyOptions?: { readonly access: string; readonly secret: string }
}

interface Meaning {
  readonly code: ErrorCode
  readonly reason?: string
  readonly advice?: string
}

const CREDENTIALS =
  'set s3a.accessKeyId and s3a.secretKey (for example --option s3a.accessKeyId=env:MY_KEY --option s3a.secretKey=env:MY_SECRET)'
const UNKNOWN_KEY: Meaning = {
  code: 'UNAUTHENTICATED',
  advice: `the server does not know the access key: ${CREDENTIALS}`,
}
const THROTTLE: Meaning = { code: 'RESOURCE_EXHAUSTED', reason: THROTTLED }
const DAMAGED: Meaning = { code: 'UNAVAILABLE', reason: 'CHECKSUM' }

const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchKey: { code: 'NOT_FOUND' },
  NotFound: { code: 'NOT_FOUND' },
  NoSuchUpload: { code: 'NOT_FOUND', reason: 'NO_SUCH_UPLOAD' },
  NoSuchBucket: {
    code: 'NOT_FOUND',
    reason: 'BUCKET_MISSING',
    advice: 'the bucket does not exist: make it, or correct its name or the endpoint',
  },
  InvalidAccessKeyId: UNKNOWN_KEY,
  InvalidAccessKey: UNKNOWN_KEY,
  SignatureDoesNotMatch: {
    code: 'UNAUTHENTICATED',
    advice: 'the secret key does not belong to the access key: correct s3a.secretKey',
  },
  ExpiredToken: { code: 'UNAUTHENTICATED', advice: 'the session token has expired: renew the credentials' },
  InvalidToken: {
    code: 'UNAUTHENTICATED',
    advice: 'the session token is not valid: correct s3a.sessionToken',
  },
  RequestTimeTooSkewed: { code: 'UNAUTHENTICATED', advice: "correct this host's clock" },
  CredentialsProviderError: { code: 'UNAUTHENTICATED', advice: `no credentials were found: ${CREDENTIALS}` },
  TokenProviderError: { code: 'UNAUTHENTICATED', advice: `no credentials were found: ${CREDENTIALS}` },
  AccessDenied: {
    code: 'PERMISSION_DENIED',
    advice: 'the credentials are known but may not do this: check the policy of the bucket and the user',
  },
  PreconditionFailed: { code: 'CONFLICT' },
  FileAlreadyExists: { code: 'CONFLICT' },
  ConditionalRequestConflict: { code: 'UNAVAILABLE', reason: 'CONDITIONAL_CONFLICT' },
  OperationAborted: { code: 'UNAVAILABLE', reason: 'CONDITIONAL_CONFLICT' },
  InvalidRange: { code: 'OUT_OF_RANGE' },
  SlowDown: THROTTLE,
  SlowDownRead: THROTTLE,
  SlowDownWrite: THROTTLE,
  Throttling: THROTTLE,
  ThrottlingException: THROTTLE,
  RequestLimitExceeded: THROTTLE,
  TooManyRequests: THROTTLE,
  RequestTimeout: { code: 'UNAVAILABLE' },
  InternalError: { code: 'UNAVAILABLE' },
  ServiceUnavailable: { code: 'UNAVAILABLE' },
  BadDigest: DAMAGED,
  InvalidDigest: DAMAGED,
  XAmzContentSHA256Mismatch: DAMAGED,
  XAmzContentChecksumMismatch: DAMAGED,
  IncompleteBody: { code: 'UNAVAILABLE' },
  QuotaExceeded: { code: 'RESOURCE_EXHAUSTED' },
  XMinioStorageFull: { code: 'RESOURCE_EXHAUSTED' },
  XMinioAdminBucketQuotaExceeded: { code: 'RESOURCE_EXHAUSTED' },
  NotImplemented: { code: 'UNSUPPORTED' },
  MethodNotAllowed: { code: 'UNSUPPORTED' },
  AuthorizationHeaderMalformed: {
    code: 'INVALID_ARGUMENT',
    advice: 'the bucket is in another region: set alluxio.underfs.s3.region',
  },
  PermanentRedirect: {
    code: 'INVALID_ARGUMENT',
    advice: 'the bucket is served elsewhere: set alluxio.underfs.s3.region or alluxio.underfs.s3.endpoint',
  },
}

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  301: BY_NAME.PermanentRedirect!,
  400: { code: 'INVALID_ARGUMENT' },
  401: { code: 'UNAUTHENTICATED' },
  403: BY_NAME.AccessDenied!,
  404: { code: 'NOT_FOUND' },
  405: { code: 'UNSUPPORTED' },
  409: { code: 'CONFLICT' },
  411: { code: 'INVALID_ARGUMENT' },
  412: { code: 'CONFLICT' },
  416: { code: 'OUT_OF_RANGE' },
  429: THROTTLE,
  501: { code: 'UNSUPPORTED' },
  507: { code: 'RESOURCE_EXHAUSTED' },
}

interface SdkError {
  readonly name?: string
  readonly message?: string
  readonly code?: string
  readonly Code?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
  readonly $response?: {
    readonly statusCode?: number
    readonly headers?: Readonly<Record<string, string | undefined>>
  }
}

/** `what` is for the message: `GetObject folder/file`. */
export function fromS3(
  error: unknown,
  what: string,
  place: S3Place,
  signal: AbortSignal | undefined,
): AlluxioError {
  if (isAlluxioError(error)) return error
  const raw = (typeof error === 'object' && error !== null ? error : {}) as SdkError
  if (signal?.aborted) return cancelled(signal, what, place.bucket)
  if (raw.name === 'AbortError') return new AlluxioError('CANCELLED', `${what}: it was cancelled`)
  const status = raw.$metadata?.httpStatusCode ?? raw.$response?.statusCode
  const meaning = meaningOf(raw, status)
  const name = raw.Code ?? (raw.name === 'Error' ? (raw.code ?? 'Error') : (raw.name ?? 'Error'))
  const retryAfterMs = retryAfter(raw.$response?.headers?.['retry-after'])
  const reason = meaning.reason ?? raw.code ?? name
  const { access = 's3a.accessKeyId', secret = 's3a.secretKey' } = place.keyOptions ?? {}
  const advice = meaning.advice?.replaceAll('s3a.accessKeyId', access).replaceAll('s3a.secretKey', secret)
  const at = `s3://${place.bucket}${place.endpoint === '' ? '' : ` at ${place.endpoint}`}`
  const said =
    raw.message === undefined || raw.message === '' || raw.message === name ? '' : `: ${raw.message}`
  return new AlluxioError(
    meaning.code,
    `${what} in ${at} failed: ${advice === undefined ? '' : `${advice}. `}The answer was ${status ?? 'no answer'} ${name}${said}`,
    {
      reason,
      operation: what.split(' ')[0]!,
      details: {
        ...(status === undefined ? {} : { status }),
        ...(raw.$metadata?.requestId === undefined ? {} : { requestId: raw.$metadata.requestId }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(reason === 'TLS' ? { [RETRIES_EXHAUSTED]: true } : {}),
      },
    },
  )
}

function meaningOf(raw: SdkError, status: number | undefined): Meaning {
  for (const name of [raw.Code, raw.name]) {
    if (name !== undefined && Object.hasOwn(BY_NAME, name)) return BY_NAME[name]!
  }
  if (status !== undefined && status >= 300)
    return BY_STATUS[status] ?? { code: status >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT' }
  if (raw.name === 'TimeoutError') return { code: 'TIMEOUT' }
  if (/^(CERT_|ERR_TLS|ERR_SSL|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(raw.code ?? '')) {
    return {
      code: 'UNAVAILABLE',
      reason: 'TLS',
      advice: 'check http:// against https:// in the endpoint, and its certificate',
    }
  }
  if (raw.code !== undefined && /^(E[A-Z_]+|HPE_|UND_)/.test(raw.code)) {
    return {
      code: 'UNAVAILABLE',
      ...(raw.code === 'ENOTFOUND'
        ? { advice: 'the host is not known: correct alluxio.underfs.s3.endpoint' }
        : {}),
      ...(raw.code === 'ECONNREFUSED'
        ? { advice: 'nobody listens there: start the server or correct alluxio.underfs.s3.endpoint' }
        : {}),
    }
  }
  // An answer that is no XML: something else than an S3 server speaks, or a proxy in between. It may pass.
  if (status !== undefined) return { code: 'UNAVAILABLE', reason: 'MALFORMED_ANSWER' }
  return { code: 'INTERNAL' }
}

/** Milliseconds from a Retry-After header in seconds, bounded to five minutes; dates are not used by stores. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined
  return Math.min(Number(header) * 1000, 300_000)
}
