/** What an SFTP server says, in the words of Alluxio. */
import { AlluxioError } from 'alluxio/ufs'

/** Status codes of SFTP version 3. */
export const NO_SUCH_FILE = 2
export const FAILURE = 4
const CODES = {
  1: 'OUT_OF_RANGE',
  [NO_SUCH_FILE]: 'NOT_FOUND',
  3: 'PERMISSION_DENIED',
  [FAILURE]: 'INTERNAL',
  // OpenSSH answers so to names that are too long.
  5: 'INVALID_ARGUMENT',
  6: 'UNAVAILABLE',
  7: 'UNAVAILABLE',
  8: 'UNSUPPORTED',
}

/** An error that a request ended with. A connection that broke gives errors without a status. */
export function requestFailure(error, operation, path) {
  if (typeof error.code === 'string' && error.code !== 'ERR_SSH') return error
  const status = typeof error.code === 'number' ? error.code : undefined
  return new AlluxioError(
    status === undefined ? 'UNAVAILABLE' : (CODES[status] ?? 'INTERNAL'),
    `${operation} ${path}: the SFTP server says: ${error.message}`,
    { reason: `SFTP_${status ?? 'CONNECTION_LOST'}`, details: { status }, cause: error },
  )
}

/** An error that logging in ended with. */
export function connectFailure(error, { host, port, user }) {
  const where = `${host}:${port}`
  if (error.level === 'client-authentication') {
    return new AlluxioError(
      'UNAUTHENTICATED',
      `${where} does not let ${user} in: check the key or the password`,
      {
        reason: 'SFTP_LOGIN',
        cause: error,
      },
    )
  }
  if (error.level === 'client-timeout') {
    return new AlluxioError('TIMEOUT', `${where} did not answer in time`, {
      reason: 'SFTP_CONNECT',
      cause: error,
    })
  }
  const code = typeof error.code === 'string' ? error.code : 'SFTP_CONNECT'
  return new AlluxioError('UNAVAILABLE', `no connection to ${where}: ${error.message}`, {
    reason: code,
    cause: error,
  })
}

export function statusOf(error) {
  return error?.details?.status
}

export function refuse(code, message, reason) {
  return new AlluxioError(code, message, reason === undefined ? {} : { reason })
}

export function changed(path) {
  return refuse('CONFLICT', `${path} has changed on the SFTP server: refresh its metadata`, 'SOURCE_CHANGED')
}
