/**
 * Namespace paths: absolute, `/`-separated, canonical. A path is decoded once, here; every later layer sees this form.
 */
import { AlluxioError } from './errors.ts'

export const MAX_NAME_BYTES = 255
export const MAX_PATH_BYTES = 4096
export const MAX_PATH_DEPTH = 256
/** Directory of files that are written aside and take their place when they are whole. Nothing of it reaches an under-store. */
export const STAGING_PATH = '/.alluxio-staging'

/**
 * The canonical form of a user's path: `alluxio://authority` stripped, repeated and trailing slashes removed.
 * @throws INVALID_ARGUMENT if it is not absolute, has a `.` or `..` segment, a NUL, or a name over 255 bytes.
 */
export function canonicalPath(input: string): string {
  let path = input
  if (path.startsWith('alluxio://')) {
    const slash = path.indexOf('/', 'alluxio://'.length)
    path = slash === -1 ? '/' : path.slice(slash)
  } else if (path.startsWith('alluxio:/')) path = path.slice('alluxio:'.length)
  if (!path.startsWith('/')) {
    throw new AlluxioError('INVALID_ARGUMENT', `path "${input}" is not absolute: begin it with "/"`)
  }
  if (isCanonical(path)) return path
  const names = path.split('/').filter((name) => name !== '')
  for (const name of names) checkName(name, input)
  const canonical = `/${names.join('/')}`
  if (names.length > MAX_PATH_DEPTH || Buffer.byteLength(canonical) > MAX_PATH_BYTES) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `path "${input.slice(0, 80)}…" is too long: at most ${MAX_PATH_DEPTH} names and ${MAX_PATH_BYTES} bytes`,
    )
  }
  return canonical
}

/** Cheap test for the common case: short ASCII without anything that needs a closer look. */
function isCanonical(path: string): boolean {
  const length = path.length
  if (length === 1) return true
  if (length > MAX_NAME_BYTES || path.charCodeAt(length - 1) === 47) return false
  let previous = 0
  for (let i = 0; i < length; i++) {
    const c = path.charCodeAt(i)
    if (c > 126 || c < 32) return false
    if (previous === 47 && (c === 47 || c === 46)) return false
    previous = c
  }
  return true
}

export function checkName(name: string, path: string): void {
  if (name === '.' || name === '..' || name === '') {
    throw new AlluxioError('INVALID_ARGUMENT', `path "${path}" has a "${name}" segment: write the path out`)
  }
  if (name.includes('\0') || name.includes('/')) {
    throw new AlluxioError('INVALID_ARGUMENT', `path "${path}" has a NUL byte or slash inside a name`)
  }
  if (name.length > MAX_NAME_BYTES / 3 && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `name "${name.slice(0, 40)}…" is longer than ${MAX_NAME_BYTES} bytes`,
    )
  }
  if (!name.isWellFormed()) {
    throw new AlluxioError('INVALID_ARGUMENT', `path "${path}" is not well-formed Unicode`)
  }
}

/** Parent of a canonical path; the root is its own parent. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** Last name of a canonical path; '' for the root. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Names of a canonical path from the root down; empty for the root. */
export function pathNames(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/')
}

export function joinPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}

/** Whether `path` is `ancestor` or lies below it (both canonical). */
export function isWithin(path: string, ancestor: string): boolean {
  return ancestor === '/' || path === ancestor || path.startsWith(`${ancestor}/`)
}
