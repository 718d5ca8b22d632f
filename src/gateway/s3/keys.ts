/** Buckets and keys as paths of the namespace. */
import { MAX_NAME_BYTES } from '../../core/index.ts'
import { S3Error } from './errors.ts'

const MAX_KEY_BYTES = 1024
/** What CreateBucket takes. */
const NEW_BUCKET = /^(?!xn--)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/
/** What a folder may be called to be a bucket. */
const BUCKET = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/

export function isBucketName(name: string): boolean {
  return BUCKET.test(name)
}

export function isNewBucketName(name: string): boolean {
  return NEW_BUCKET.test(name) && !name.includes('..')
}

export class Keys {
  readonly #root: string

  /** @param root canonical path of the folder whose folders are buckets */
  constructor(root: string) {
    this.#root = root === '/' ? '' : root
  }

  get root(): string {
    return this.#root === '' ? '/' : this.#root
  }

  /** @throws NoSuchBucket for what cannot be one */
  bucket(bucket: string): string {
    if (!isBucketName(bucket)) throw noSuchBucket(bucket)
    return `${this.#root}/${bucket}`
  }

  /**
   * The path of a key; a slash at its end is left out.
   * @throws InvalidArgument, KeyTooLongError for keys that no path of the namespace can stand for; NoSuchKey with `reading`
   */
  path(bucket: string, key: string, reading = false): string {
    const below = key.charCodeAt(key.length - 1) === 47 ? key.slice(0, -1) : key
    if (!isSimple(below)) checkKey(key, below, reading)
    return `${this.bucket(bucket)}/${below}`
  }
}

/** Short ASCII names that do not begin with a dot. */
function isSimple(key: string): boolean {
  const { length } = key
  if (length === 0 || length > MAX_NAME_BYTES) return false
  let previous = 47
  for (let i = 0; i < length; i++) {
    const c = key.charCodeAt(i)
    if (c > 126 || c < 32 || (previous === 47 && (c === 47 || c === 46))) return false
    previous = c
  }
  return true
}

function checkKey(key: string, below: string, reading: boolean): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError')
  for (const name of below.split('/')) {
    if (name === '.' || name === '..')
      throw new S3Error('InvalidArgument', 'The key has a segment "." or "..", which no file can be called.')
    if (name === '') {
      if (reading) throw noSuchKey(key)
      throw new S3Error('InvalidArgument', 'The key has an empty segment: a file system has no name for it.')
    }
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      if (reading) throw noSuchKey(key)
      throw new S3Error('KeyTooLongError', `A segment of the key is longer than ${MAX_NAME_BYTES} bytes.`)
    }
  }
}

export function noSuchKey(key: string): S3Error {
  return new S3Error('NoSuchKey', undefined, { details: { Key: key } })
}

export function noSuchBucket(bucket: string): S3Error {
  return new S3Error('NoSuchBucket', undefined, { details: { BucketName: bucket } })
}
