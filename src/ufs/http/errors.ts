/** What an answer's status and a broken connection mean, for stores that speak plain HTTP. Nothing of a request is kept. */
import { AlluxioError, type ErrorCode, isAlluxioError } from '../../core/index.ts'
import { cancelled, RETRIES_EXHAUSTED, THROTTLED } from '../layers/retry-policy.ts'

export interface Meaning {
  readonly code: ErrorCode
  readonly reason?: string
  /** What to do about it. */
  readonly advice?: string
}

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: { code: 'UNAUTHENTICATED' },
  403: { code: 'PERMISSION_DENIED' },
  404: { code: 'NOT_FOUND' },
  405: { code: 'UNSUPPORTED' },
  408: { code: 'UNAVAILABLE' },
  409: { code: 'CONFLICT' },
  410: { code: 'NOT_FOUND' },
  412: { code: 'CONFLICT' },
  416: { code: 'OUT_OF_RANGE' },
  425: { code: 'UNAVAILABLE' },
  429: { code: 'RESOURCE_EXHAUSTED', reason: THROTTLED },
  501: { code: 'UNSUPPORTED' },
  507: { code: 'RESOURCE_EXHAUSTED' },
}

export function meaningOfStatus(status: number): Meaning {
  return BY_STATUS[status] ?? { code: status >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT' }
}

export interface Refusal {
  /** What was tried, such as `GET folder/file`. */
  readonly what: string
  /** Where, without credentials. */
  readonly place: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** What the server said. */
  readonly said?: string
  readonly meaning?: Meaning
}

export function refused({ what, place, status, headers, said = '', meaning }: Refusal): AlluxioError {
  const { code, reason, advice } = meaning ?? meaningOfStatus(status)
  const retryAfterMs = retryAfter(headers['retry-after'])
  return new AlluxioError(
    code,
    `${what} in ${place} failed: ${advice === undefined ? '' : `${advice}. `}The answer was ${status}${said === '' ? '' : ` ${said}`}`,
    {
      reason: reason ?? `HTTP_${status}`,
      operation: what.split(' ')[0]!,
      details: { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    },
  )
}

/** The error of a connection. `setting` names the option or address to correct. */
export function unreachable(
  error: unknown,
  what: string,
  place: string,
  setting: string,
  signal: AbortSignal | undefined,
): AlluxioError {
  if (isAlluxioError(error)) return error
  if (signal?.aborted) return cancelled(signal, what, place)
  const { name, code, message } = error as NodeJS.ErrnoException
  if (name === 'AbortError') return new AlluxioError('CANCELLED', `${what}: it was cancelled`)
  const text = (advice: string) => `${what} in ${place} failed: ${advice}${message} (${code ?? name})`
  const operation = what.split(' ')[0]!
  if (name === 'TimeoutError') {
    return new AlluxioError('TIMEOUT', text(''), { operation, reason: 'ETIMEDOUT', cause: error })
  }
  if (/^(CERT_|ERR_TLS|ERR_SSL|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(code ?? '')) {
    return new AlluxioError(
      'UNAVAILABLE',
      text('check http:// against https:// in the address, and its certificate. '),
      { operation, reason: 'TLS', details: { [RETRIES_EXHAUSTED]: true }, cause: error },
    )
  }
  const advice =
    code === 'ENOTFOUND'
      ? `the host is not known: correct ${setting}. `
      : code === 'ECONNREFUSED'
        ? `nobody listens there: start the server or correct ${setting}. `
        : ''
  return new AlluxioError('UNAVAILABLE', text(advice), { operation, reason: code ?? 'BROKEN', cause: error })
}

/** Milliseconds from a Retry-After header in seconds, bounded to five minutes. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined
  return Math.min(Number(header) * 1000, 300_000)
}
