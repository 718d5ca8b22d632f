/**
 * One error class and one table of codes for every layer, wire and face (DESIGN 11).
 *
 * An error is recognised by a `Symbol.for` brand, never by `instanceof` or message text, so that it survives realms,
 * bundles and the wire. Messages say what was tried, on what, and what to do next.
 */

/** When a caller may try the same call again. */
export type RetryRule =
  | 'never'
  | 'after-refresh'
  | 'after-delay'
  | 'other-peer'
  | 'if-idempotent'
  | 'other-replica'

export interface ErrorCodeInfo {
  /** Number on the wire; never reused. */
  readonly wire: number
  readonly retry: RetryRule
  readonly http: number
  /** Exit status of the command line (sysexits.h where one fits). */
  readonly exit: number
  readonly hadoop: string
}

export const ERROR_CODES = {
  INVALID_ARGUMENT: { wire: 1, retry: 'never', http: 400, exit: 64, hadoop: 'IllegalArgumentException' },
  NOT_FOUND: { wire: 2, retry: 'never', http: 404, exit: 66, hadoop: 'FileNotFoundException' },
  ALREADY_EXISTS: { wire: 3, retry: 'never', http: 409, exit: 73, hadoop: 'FileAlreadyExistsException' },
  NOT_A_DIRECTORY: { wire: 4, retry: 'never', http: 409, exit: 65, hadoop: 'ParentNotDirectoryException' },
  IS_A_DIRECTORY: { wire: 5, retry: 'never', http: 409, exit: 65, hadoop: 'PathIsDirectoryException' },
  DIRECTORY_NOT_EMPTY: {
    wire: 6,
    retry: 'never',
    http: 409,
    exit: 65,
    hadoop: 'PathIsNotEmptyDirectoryException',
  },
  PERMISSION_DENIED: { wire: 7, retry: 'never', http: 403, exit: 77, hadoop: 'AccessControlException' },
  UNAUTHENTICATED: { wire: 8, retry: 'never', http: 401, exit: 77, hadoop: 'AccessControlException' },
  CONFLICT: { wire: 9, retry: 'after-refresh', http: 412, exit: 75, hadoop: 'IOException' },
  OUT_OF_RANGE: { wire: 10, retry: 'never', http: 416, exit: 65, hadoop: 'EOFException' },
  RESOURCE_EXHAUSTED: { wire: 11, retry: 'after-delay', http: 507, exit: 75, hadoop: 'IOException' },
  UNAVAILABLE: { wire: 12, retry: 'other-peer', http: 503, exit: 69, hadoop: 'RetriableException' },
  TIMEOUT: { wire: 13, retry: 'if-idempotent', http: 504, exit: 75, hadoop: 'SocketTimeoutException' },
  CANCELLED: { wire: 14, retry: 'never', http: 499, exit: 130, hadoop: 'InterruptedIOException' },
  DATA_LOSS: { wire: 15, retry: 'other-replica', http: 500, exit: 74, hadoop: 'ChecksumException' },
  UNSUPPORTED: { wire: 16, retry: 'never', http: 501, exit: 69, hadoop: 'UnsupportedOperationException' },
  INTERNAL: { wire: 17, retry: 'never', http: 500, exit: 70, hadoop: 'IOException' },
} as const satisfies Record<string, ErrorCodeInfo>

export type ErrorCode = keyof typeof ERROR_CODES

const BRAND = Symbol.for('alluxio.error')

export interface AlluxioErrorOptions {
  /** A finer constant than the code, such as `LEASE_EXPIRED`. */
  readonly reason?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
  /** What was being done, such as `fs.rename`. */
  readonly operation?: string
}

export class AlluxioError extends Error {
  readonly code: ErrorCode
  readonly reason: string | undefined
  readonly details: Readonly<Record<string, unknown>>
  readonly operation: string | undefined

  constructor(code: ErrorCode, message: string, options: AlluxioErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AlluxioError'
    this.code = code
    this.reason = options.reason
    this.details = options.details ?? {}
    this.operation = options.operation
    Object.defineProperty(this, BRAND, { value: true })
  }

  toJSON(): {
    code: ErrorCode
    reason?: string
    message: string
    details?: Readonly<Record<string, unknown>>
  } {
    return {
      code: this.code,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      message: this.message,
      ...(Object.keys(this.details).length === 0 ? {} : { details: this.details }),
    }
  }
}

export function isAlluxioError(error: unknown, code?: ErrorCode): error is AlluxioError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
  return code === undefined || (error as unknown as AlluxioError).code === code
}

/** The code of any thrown value: foreign errors are INTERNAL until their door translates them. */
export function errorCode(error: unknown): ErrorCode {
  return isAlluxioError(error) ? error.code : 'INTERNAL'
}

/** Any thrown value as an AlluxioError; a foreign one keeps its message and becomes the cause. */
export function toAlluxioError(error: unknown, operation?: string): AlluxioError {
  if (isAlluxioError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new AlluxioError('INTERNAL', message, {
    cause: error,
    ...(operation === undefined ? {} : { operation }),
  })
}

const BY_WIRE = new Map<number, ErrorCode>(
  Object.entries(ERROR_CODES).map(([code, info]) => [info.wire, code as ErrorCode]),
)

export function errorCodeFromWire(wire: number): ErrorCode {
  return BY_WIRE.get(wire) ?? 'INTERNAL'
}

/** Translates a Node.js system error (`errno` names of POSIX) at a file-system door. */
export function fromErrno(error: unknown, operation: string, path: string): AlluxioError {
  if (isAlluxioError(error)) return error
  const errno = (error as NodeJS.ErrnoException | undefined)?.code
  const message = `${operation} ${path}: ${error instanceof Error ? error.message : String(error)}`
  return new AlluxioError(ERRNO[errno ?? ''] ?? 'INTERNAL', message, {
    cause: error,
    operation,
    ...(errno === undefined ? {} : { reason: errno }),
    details: { path },
  })
}

const ERRNO: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EEXIST: 'ALREADY_EXISTS',
  ENOTDIR: 'NOT_A_DIRECTORY',
  EISDIR: 'IS_A_DIRECTORY',
  ENOTEMPTY: 'DIRECTORY_NOT_EMPTY',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
  EMFILE: 'RESOURCE_EXHAUSTED',
  ENFILE: 'RESOURCE_EXHAUSTED',
  ENAMETOOLONG: 'INVALID_ARGUMENT',
  EINVAL: 'INVALID_ARGUMENT',
  EIO: 'DATA_LOSS',
  ETIMEDOUT: 'TIMEOUT',
  ECONNREFUSED: 'UNAVAILABLE',
  ECONNRESET: 'UNAVAILABLE',
  EPIPE: 'UNAVAILABLE',
  EADDRINUSE: 'UNAVAILABLE',
  ENOTCONN: 'UNAVAILABLE',
  ECONNABORTED: 'UNAVAILABLE',
  EHOSTDOWN: 'UNAVAILABLE',
  EHOSTUNREACH: 'UNAVAILABLE',
  ENETUNREACH: 'UNAVAILABLE',
  ESTALE: 'UNAVAILABLE',
}

/** A broken invariant: never turned into a reply, it ends the process with its state dumped. */
export class AssertionFailure extends Error {
  constructor(message: string) {
    super(`assertion failed: ${message}`)
    this.name = 'AssertionFailure'
  }
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}
