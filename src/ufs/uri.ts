/** URIs of under-stores: `file:///data`, `/data`, `s3://bucket/prefix`. */
import { AlluxioError } from '../core/index.ts'

export interface UfsUri {
  /** Lower case, without colon; `file` for a plain path. */
  readonly scheme: string
  /** Bucket, host or cluster; '' for `file`. */
  readonly authority: string
  /** Path below the authority, without leading and trailing slash; '' for the root. */
  readonly path: string
  /** Canonical form without credentials: what messages, labels and mount tables show. */
  readonly text: string
}

/** Azure's: `wasbs://container@account.blob.core.windows.net/folder`. What stands before the @ is no secret there. */
const CONTAINER_AT_HOST = new Set(['wasb', 'wasbs', 'abfs', 'abfss'])
const EXAMPLE = 'write for example s3://bucket/folder, file:///data or /data'

/** @throws INVALID_ARGUMENT saying what to write instead. */
export function parseUfsUri(input: string): UfsUri {
  const text = input.trim()
  if (text === '') throw invalid(input, `the address of the store is empty: ${EXAMPLE}`)
  if (text.startsWith('/')) return local(input, text)
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):(?:\/\/([^/]*))?(\/.*)?$/.exec(text)
  if (match === null) {
    throw invalid(input, `"${redactUserInfo(text)}" is neither a URI nor an absolute path: ${EXAMPLE}`)
  }
  const scheme = match[1]!.toLowerCase()
  const authority = match[2] ?? ''
  const rest = match[3] ?? ''
  if (authority.includes('@') && !(CONTAINER_AT_HOST.has(scheme) && /^[^:@]*@[^@]*$/.test(authority))) {
    throw invalid(
      input,
      `"${redactUserInfo(text)}" has credentials in it: leave them out and name them by options, for example --option s3a.accessKeyId=env:MY_KEY`,
    )
  }
  if (scheme === 'file') {
    if (authority !== '' && authority !== 'localhost') {
      throw invalid(input, `"${text}" names a host: write file:///${authority}${rest} for a local folder`)
    }
    return local(input, rest)
  }
  const path = canonical(input, rest)
  return { scheme, authority, path, text: `${scheme}://${authority}${path === '' ? '' : `/${path}`}` }
}

function local(input: string, rest: string): UfsUri {
  if (rest === '') throw invalid(input, `"${input}" has no path: write file:///data`)
  const path = canonical(input, rest)
  return { scheme: 'file', authority: '', path, text: `file:///${path}` }
}

function canonical(input: string, path: string): string {
  const names = path.split('/').filter((name) => name !== '')
  for (const name of names) {
    if (name === '.' || name === '..') {
      throw invalid(input, `"${redactUserInfo(input)}" has a "${name}" segment: write the path out`)
    }
    if (name.includes('\0')) throw invalid(input, 'the address of the store has a NUL byte')
  }
  return names.join('/')
}

function invalid(input: string, message: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, {
    reason: 'INVALID_UFS_URI',
    operation: 'ufs.open',
    details: { uri: redactUserInfo(input) },
  })
}

/** A URI for messages: `user:password@` becomes `***@`. */
export function redactUserInfo(text: string): string {
  return text.replace(/(:\/\/)[^/]*@/, '$1***@')
}

/**
 * Refuses what is no canonical path below a root, so that no store has to think about `..`.
 * @throws INVALID_ARGUMENT
 */
export function checkStorePath(path: string): void {
  if (path === '') return
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..' || name.includes('\0')) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `"${path}" is not a path below the root of a store: no empty, "." or ".." segment, no NUL`,
        { reason: 'INVALID_UFS_PATH' },
      )
    }
  }
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function childOf(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`
}

/** Compares in the byte order of UTF-8, which differs from that of UTF-16 where surrogates meet U+E000 and above. */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const xSurrogate = x >= 0xd800 && x <= 0xdfff
    const ySurrogate = y >= 0xd800 && y <= 0xdfff
    if (xSurrogate !== ySurrogate && x >= 0xd800 && y >= 0xd800) return xSurrogate ? 1 : -1
    return x < y ? -1 : 1
  }
  return a.length - b.length
}
