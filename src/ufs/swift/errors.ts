/** Translates what the server answers and what its sockets throw. Nothing of a request (token, body) is kept. */
import { AlluxioError, type ErrorCode, isAlluxioError } from '../../core/index.ts'
import { cancelled, RETRIES_EXHAUSTED, THROTTLED } from '../layers/retry-policy.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly reason?: string
  readonly advice?: string
}

export interface Refusal {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text?: Uint8Array
}

export const CREDENTIALS =
  'set fs.swift.user, fs.swift.password (for example --option fs.swift.password=env:MY_PASSWORD), fs.swift.auth.method and fs.swift.auth.url'
const THROTTLE: Meaning = { code: 'RESOURCE_EXHAUSTED', reason: THROTTLED }

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  400: { code: 'INVALID_ARGUMENT' },
  401: { code: 'UNAUTHENTICATED', advice: `the token is refused: ${CREDENTIALS}` },
  403: {
    code: 'PERMISSION_DENIED',
    advice: 'the user is known but may not do this: check its roles and the ACLs of the container',
  },
  404: { code: 'NOT_FOUND' },
  405: { code: 'UNSUPPORTED' },
  408: { code: 'UNAVAILABLE' },
  // Somebody wrote with a later timestamp, or a segment of a large object is gone.
  409: { code: 'UNAVAILABLE', reason: 'SWIFT_CONFLICT' },
  412: { code: 'CONFLICT' },
  413: {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_LARGE',
    advice: 'a quota or the largest size of an object is passed: free space or set a smaller segment size',
  },
  416: { code: 'OUT_OF_RANGE' },
  422: { code: 'UNAVAILABLE', reason: 'CHECKSUM' },
  429: THROTTLE,
  498: THROTTLE,
  501: { code: 'UNSUPPORTED' },
  507: { code: 'RESOURCE_EXHAUSTED' },
}

/** `what` is for the message: `GetObject folder/file in swift://container`. */
export function refused(what: string, { statusCode, headers, text }: Refusal): AlluxioError {
  const meaning = BY_STATUS[statusCode] ?? { code: statusCode >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT' }
  const said = text === undefined ? '' : plain(Buffer.from(text).toString('utf8'))
  const requestId = headers['x-trans-id'] ?? headers['x-openstack-request-id']
  const retryAfterMs = retryAfter(headers['retry-after'])
  return new AlluxioError(
    meaning.code,
    `${what} failed: ${meaning.advice === undefined ? '' : `${meaning.advice}. `}The answer was ${statusCode}${said === '' ? '' : `: ${said}`}`,
    {
      reason: meaning.reason ?? `HTTP_${statusCode}`,
      operation: what.split(' ')[0]!,
      details: {
        status: statusCode,
        ...(requestId === undefined ? {} : { requestId }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      },
    },
  )
}

/** What a request without an answer failed of. */
export function unanswered(what: string, error: unknown, signal: AbortSignal | undefined): AlluxioError {
  if (isAlluxioError(error)) return error
  if (signal?.aborted) return cancelled(signal, what, '')
  const { name, message, code } = error as NodeJS.ErrnoException
  if (name === 'AbortError') return new AlluxioError('CANCELLED', `${what}: it was cancelled`)
  if (name === 'TimeoutError')
    return new AlluxioError('TIMEOUT', `${what}: ${message}`, { reason: 'ETIMEDOUT' })
  const failed = (advice: string, more: { reason: string; details?: Record<string, unknown> }) =>
    new AlluxioError('UNAVAILABLE', `${what} failed: ${advice}${message}`, more)
  if (/^(CERT_|ERR_TLS|ERR_SSL|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(code ?? '')) {
    return failed('check http:// against https://, and the certificate of the server. ', {
      reason: 'TLS',
      details: { [RETRIES_EXHAUSTED]: true },
    })
  }
  if (code === 'ENOTFOUND')
    return failed('the host is not known: correct fs.swift.auth.url. ', { reason: code })
  if (code === 'ECONNREFUSED') return failed('nobody listens there: start the server. ', { reason: code })
  if (code === 'ERR_INVALID_CHAR')
    return new AlluxioError('INVALID_ARGUMENT', `${what}: metadata and credentials must be one line of text`)
  return failed('', { reason: code ?? 'BROKEN' })
}

export function malformed(what: string, problem: string): AlluxioError {
  return new AlluxioError('UNAVAILABLE', `${what}: ${problem}`, { reason: 'MALFORMED_ANSWER' })
}

/** Swift answers in HTML: `<html><h1>Not Found</h1><p>The resource could not be found.</p></html>`. */
function plain(text: string): string {
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300)
}

/** Milliseconds from a Retry-After header in seconds, bounded to five minutes. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined
  return Math.min(Number(header) * 1000, 300_000)
}
