/** Errors in WebHDFS' own form: an HTTP status and the exception that a Java client throws. */
import { type AlluxioError, ERROR_CODES, toAlluxioError } from '../../core/index.ts'

const PACKAGES: Readonly<Record<string, string>> = {
  IllegalArgumentException: 'java.lang',
  UnsupportedOperationException: 'java.lang',
  FileNotFoundException: 'java.io',
  IOException: 'java.io',
  EOFException: 'java.io',
  InterruptedIOException: 'java.io',
  SocketTimeoutException: 'java.net',
  AccessControlException: 'org.apache.hadoop.security',
  RetriableException: 'org.apache.hadoop.ipc',
  AlreadyBeingCreatedException: 'org.apache.hadoop.hdfs.protocol',
  XAttrNotFoundException: 'org.apache.hadoop.hdfs.protocol',
  InvalidToken: 'org.apache.hadoop.security.token.SecretManager$',
}

/** Reasons that HDFS has an exception of its own for. */
const BY_REASON: Readonly<Record<string, string>> = {
  LEASE_HELD: 'AlreadyBeingCreatedException',
  XATTR_NOT_FOUND: 'XAttrNotFoundException',
  INVALID_TOKEN: 'InvalidToken',
}

/** What is the client's doing is never answered by 5xx. */
const STATUS: Readonly<Partial<Record<AlluxioError['code'], number>>> = { UNSUPPORTED: 400, CANCELLED: 400 }

export interface Failure {
  readonly status: number
  readonly body: string
}

export function failureOf(thrown: unknown): Failure {
  const error = toAlluxioError(thrown)
  const { code, reason } = error
  const exception = BY_REASON[reason ?? ''] ?? ERROR_CODES[code].hadoop
  const within = PACKAGES[exception] ?? 'org.apache.hadoop.fs'
  const javaClassName = within.endsWith('$') ? within + exception : `${within}.${exception}`
  const message = code === 'INTERNAL' ? 'internal error: the log of the gateway tells more' : error.message
  return {
    status: reason === 'INVALID_TOKEN' ? 403 : (STATUS[code] ?? ERROR_CODES[code].http),
    body: JSON.stringify({ RemoteException: { exception, javaClassName, message } }),
  }
}
