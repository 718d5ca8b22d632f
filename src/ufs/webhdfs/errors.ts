/** Translates what a NameNode or DataNode answers, and what happens to the connection, into AlluxioErrors. */
import { AlluxioError, type ErrorCode, isAlluxioError } from '../../core/index.ts'
import { UFS_HDFS_NAMENODES, UFS_HDFS_TOKEN, UFS_HDFS_USER } from '../../core/options/ufs.options.ts'
import { cancelled, NOT_DONE, RETRIES_EXHAUSTED } from '../layers/retry-policy.ts'

/** `reason` of an answer that came from a NameNode that is not the active one. */
export const STANDBY = 'STANDBY'
/** `reason` when a delegation token is expired, cancelled or unknown. */
export const TOKEN_REFUSED = 'TOKEN_REFUSED'
/** The connection failed before the call can have begun. */
export const NOT_REACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])
const MALFORMED = 'MALFORMED_ANSWER'

interface Meaning {
  readonly code: ErrorCode
  readonly reason?: string
  readonly advice?: string
}

const ADDRESS = `the NameNode's HTTP address is needed (dfs.namenode.http-address, port 9870 unless configured), not its RPC port: set ${UFS_HDFS_NAMENODES.key}`
const NO_SPACE: Meaning = {
  code: 'RESOURCE_EXHAUSTED',
  advice: 'a quota of HDFS is used up: free space or raise it (hdfs dfsadmin -setQuota, -setSpaceQuota)',
}
const REFUSED_NAME: Meaning = { code: 'INVALID_ARGUMENT', reason: 'NAME_REFUSED' }
const WAITING: Meaning = { code: 'UNAVAILABLE' }
const BAD_TOKEN: Meaning = {
  code: 'UNAUTHENTICATED',
  reason: TOKEN_REFUSED,
  advice: `the delegation token is expired, cancelled or unknown: put a new one where ${UFS_HDFS_TOKEN.key} points`,
}

const BY_EXCEPTION: Readonly<Record<string, Meaning>> = {
  FileNotFoundException: { code: 'NOT_FOUND' },
  FileAlreadyExistsException: { code: 'ALREADY_EXISTS' },
  ParentNotDirectoryException: { code: 'NOT_A_DIRECTORY' },
  PathIsNotDirectoryException: { code: 'NOT_A_DIRECTORY' },
  PathIsNotEmptyDirectoryException: { code: 'DIRECTORY_NOT_EMPTY' },
  AccessControlException: {
    code: 'PERMISSION_DENIED',
    advice: `check the owner and mode of the path in HDFS, and ${UFS_HDFS_USER.key}`,
  },
  AuthorizationException: { code: 'PERMISSION_DENIED' },
  SecurityException: { code: 'UNAUTHENTICATED' },
  AuthenticationException: { code: 'UNAUTHENTICATED' },
  InvalidToken: BAD_TOKEN,
  StandbyException: { code: 'UNAVAILABLE', reason: STANDBY },
  ObserverRetryOnActiveException: { code: 'UNAVAILABLE', reason: STANDBY },
  RetriableException: WAITING,
  SafeModeException: { code: 'UNAVAILABLE', reason: 'SAFE_MODE', advice: 'the NameNode is in safe mode' },
  BlockMissingException: {
    code: 'UNAVAILABLE',
    reason: 'BLOCK_MISSING',
    advice: 'no DataNode has a block of it',
  },
  ConnectException: WAITING,
  NoRouteToHostException: WAITING,
  SocketTimeoutException: WAITING,
  ConnectTimeoutException: WAITING,
  SocketException: WAITING,
  EOFException: WAITING,
  ClosedChannelException: WAITING,
  ServerException: WAITING,
  NotReplicatedYetException: WAITING,
  NSQuotaExceededException: NO_SPACE,
  DSQuotaExceededException: NO_SPACE,
  QuotaByStorageTypeExceededException: NO_SPACE,
  QuotaExceededException: NO_SPACE,
  PathComponentTooLongException: REFUSED_NAME,
  MaxDirectoryItemsExceededException: { code: 'RESOURCE_EXHAUSTED' },
  InvalidPathException: REFUSED_NAME,
  LeaseExpiredException: { code: 'CONFLICT', reason: 'LEASE_EXPIRED' },
  AlreadyBeingCreatedException: { code: 'CONFLICT', reason: 'BEING_WRITTEN' },
  IllegalArgumentException: { code: 'INVALID_ARGUMENT' },
  HadoopIllegalArgumentException: { code: 'INVALID_ARGUMENT' },
  UnsupportedOperationException: { code: 'UNSUPPORTED' },
}

/** What only the text tells: HDFS has these as plain IOExceptions, or as exceptions that mean several things. */
const BY_TEXT: readonly (readonly [RegExp, Meaning])[] = [
  [/\(is not a directory\)|is not a directory$/i, { code: 'NOT_A_DIRECTORY' }],
  [/must both be (directories|files)/, { code: 'IS_A_DIRECTORY' }],
  [/startup mode|in the process of starting/, WAITING],
  [/There are 0 datanode|Failed to find datanode/, { code: 'UNAVAILABLE', advice: 'no DataNode is there' }],
  [
    /could only be (written|replicated) to 0/,
    { code: 'RESOURCE_EXHAUSTED', advice: 'no DataNode takes the block: they are full, or too few' },
  ],
  [/Unable to close file because the last block/, WAITING],
  [
    /Invalid path name|Pathname .* is not a valid|Invalid file name|Invalid value for webhdfs parameter "destination"/,
    REFUSED_NAME,
  ],
  [/token .*(expired|can't be found|doesn't exist)|Invalid token/i, BAD_TOKEN],
]

interface RemoteException {
  readonly exception: string
  readonly message: string
}

export function remoteException(text: string): RemoteException | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  const remote = (parsed as { RemoteException?: unknown } | null)?.RemoteException
  if (typeof remote !== 'object' || remote === null) return undefined
  const { exception, message } = remote as { exception?: unknown; message?: unknown }
  return { exception: String(exception ?? ''), message: String(message ?? '') }
}

/** The error of an answer that is no success. `what` is such as `MKDIRS /folder`; `at` the server. */
export function fromAnswer(status: number, text: string, what: string, at: string): AlluxioError {
  const remote = remoteException(text)
  const operation = what.split(' ')[0]!
  if (remote === undefined) {
    const meaning = withoutException(status)
    return new AlluxioError(
      meaning.code,
      `${what} at ${at} failed: ${meaning.advice}. The answer was ${status}: ${plain(text)}`,
      { reason: meaning.reason ?? MALFORMED, operation, details: { status } },
    )
  }
  // FSLimitException$PathComponentTooLongException, SecretManager$InvalidToken
  const name = remote.exception.slice(remote.exception.lastIndexOf('$') + 1)
  const said = remote.message.split('\n')[0]!
  const meaning =
    BY_TEXT.find(([pattern]) => pattern.test(said))?.[1] ?? BY_EXCEPTION[name] ?? withException(status)
  return new AlluxioError(
    meaning.code,
    `${what} at ${at} failed: ${meaning.advice === undefined ? '' : `${meaning.advice}. `}The answer was ${status} ${name}: ${said}`,
    {
      reason: meaning.reason ?? name,
      operation,
      // Hadoop told that it did not do it, so that even a rename may be tried again.
      details: { status, ...(meaning.code === 'UNAVAILABLE' ? { [NOT_DONE]: true } : {}) },
    },
  )
}

function withException(status: number): Meaning {
  return { code: status === 404 ? 'NOT_FOUND' : status >= 500 ? 'UNAVAILABLE' : 'INTERNAL' }
}

function withoutException(status: number): Meaning {
  if (status === 401) {
    return {
      code: 'UNAUTHENTICATED',
      reason: 'AUTHENTICATION',
      advice: `the server asks for a login (Kerberos): give a delegation token by ${UFS_HDFS_TOKEN.key}`,
    }
  }
  if (status === 403) return { code: 'PERMISSION_DENIED', reason: 'FORBIDDEN', advice: 'access is refused' }
  // Also a NameNode that is still starting answers so: it may pass.
  return { code: 'UNAVAILABLE', advice: `this is no answer of WebHDFS; ${ADDRESS}` }
}

/** An answer that says success and yet is none of WebHDFS: a proxy, or a cut body. */
export function malformed(what: string, at: string, text: string): AlluxioError {
  return new AlluxioError(
    'UNAVAILABLE',
    `${what} at ${at}: this is no answer of WebHDFS; ${ADDRESS}. It began with: ${plain(text)}`,
    { reason: MALFORMED, operation: what.split(' ')[0]! },
  )
}

/** What a socket or the transport threw. */
export function fromConnection(
  error: unknown,
  what: string,
  at: string,
  signal: AbortSignal | undefined,
): AlluxioError {
  if (isAlluxioError(error)) return error
  const operation = what.split(' ')[0]!
  if (signal?.aborted) return cancelled(signal, operation, what.slice(operation.length + 1))
  const { code, message } = error as NodeJS.ErrnoException
  const tls = /^(CERT_|ERR_TLS|ERR_SSL|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(code ?? '')
  return new AlluxioError(
    code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT' ? 'TIMEOUT' : 'UNAVAILABLE',
    `${what} at ${at} failed: ${adviceFor(code, tls)}${message}`,
    {
      reason: tls ? 'TLS' : (code ?? 'BROKEN'),
      operation,
      details: {
        ...(tls ? { [RETRIES_EXHAUSTED]: true } : {}),
        ...(NOT_REACHED.has(code ?? '') ? { [NOT_DONE]: true } : {}),
      },
    },
  )
}

function adviceFor(code: string | undefined, tls: boolean): string {
  if (tls) return 'check http against https in the address, and its certificate. '
  if (code === 'ECONNREFUSED') return `nobody listens there; ${ADDRESS}. `
  if (code === 'ENOTFOUND') {
    return `the host is not known; for a pair of NameNodes list both in ${UFS_HDFS_NAMENODES.key}. `
  }
  return ''
}

function plain(text: string): string {
  const words = text
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return words === '' ? 'nothing' : words.slice(0, 200)
}
