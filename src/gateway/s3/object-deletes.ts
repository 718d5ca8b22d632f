/** DeleteObject and DeleteObjects. */
import type { DeleteExpectation, FileStatus, FileSystem } from '../../client/index.ts'
import { isAlluxioError, parentPath, type Runtime } from '../../core/index.ts'
import { type Buckets, isMarked } from './buckets.ts'
import { matches } from './conditions.ts'
import { S3Error, toS3Error } from './errors.ts'
import { answerEmpty, answerXml, type Exchange } from './exchange.ts'
import type { Keys } from './keys.ts'
import { infoOf, MARKER_XATTR, OBJECT_XATTR, TAGS_XATTR } from './object-info.ts'
import type { S3Request } from './request.ts'
import { receiveDocument } from './upload-body.ts'
import { childrenOf, element, parseXml, textOf } from './xml.ts'

const MAX_DELETE_BYTES = 2 * 2 ** 20
const MAX_DELETES = 1000
/** Deletes of one request under way at once. */
const DELETES_AT_ONCE = 32

export interface ObjectDeletesModules {
  readonly keys: Keys
  readonly buckets: Buckets
  readonly runtime: Runtime
}

export class ObjectDeletes {
  readonly #modules: ObjectDeletesModules

  constructor(modules: ObjectDeletesModules) {
    this.#modules = modules
  }

  async delete(exchange: Exchange): Promise<void> {
    const { request, fs } = exchange
    const { bucket, key } = request
    const root = this.#modules.keys.bucket(bucket)
    let parent: string | undefined
    try {
      parent = await this.#deleteKey(fs, bucket, key, request.headers.get('if-match'))
    } catch (error) {
      if (error instanceof S3Error && error.code === 'NoSuchKey')
        await this.#modules.buckets.check(fs, bucket)
      else throw error
    }
    if (parent !== undefined) await this.#prune(fs, root, parent)
    answerEmpty(exchange, 204)
  }

  /** The directory that it lay in. @throws NoSuchKey when there was nothing */
  async #deleteKey(fs: FileSystem, bucket: string, key: string, match?: string): Promise<string | undefined> {
    const path = this.#modules.keys.path(bucket, key, true)
    const missing = new S3Error('NoSuchKey')
    let status: FileStatus
    try {
      status = await fs.getStatus(path)
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) throw missing
      throw error
    }
    if (key.endsWith('/') !== status.folder) throw missing
    if (match !== undefined && !matches(match, infoOf(status).etag)) throw new S3Error('PreconditionFailed')
    if (status.folder && !isMarked(status)) throw missing
    try {
      if (status.folder) {
        // What lies below it stays, and the folder with it.
        await fs.setAttribute(path, {
          xattr: { [MARKER_XATTR]: null, [OBJECT_XATTR]: null, [TAGS_XATTR]: null },
        })
        return path
      }
      await fs.delete(path, match === undefined || match.trim() === '*' ? {} : { expects: versionOf(status) })
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) throw missing
      throw error
    }
    return parentPath(path)
  }

  /** Folders that nobody made by their keys go with the last of what lay in them. */
  async #prune(fs: FileSystem, root: string, directory: string): Promise<void> {
    try {
      for (let at = directory; at.length > root.length && at.startsWith(`${root}/`); at = parentPath(at)) {
        const status = await fs.getStatus(at)
        if (!status.folder || status.length > 0 || isMarked(status) || status.mountPoint) return
        await fs.delete(at, { expects: { lacks: MARKER_XATTR } })
      }
    } catch (error) {
      // Somebody puts something there, has taken it away, or this user may not.
      if (!isAlluxioError(error)) throw error
    }
  }

  async deleteMany(exchange: Exchange): Promise<void> {
    const { request, fs, payload } = exchange
    const text = await receiveDocument(request, payload, this.#modules.runtime, MAX_DELETE_BYTES)
    if (
      request.headers.get('content-md5') === undefined &&
      !hasChecksum(request) &&
      payload.kind === 'unsigned'
    )
      throw new S3Error(
        'InvalidRequest',
        'Missing required header for this request: Content-MD5 or a checksum',
      )
    const root = parseXml(text, 'Delete')
    const objects = childrenOf(root, 'Object')
    if (objects.length === 0 || objects.length > MAX_DELETES) throw new S3Error('MalformedXML')
    const quiet = textOf(root, 'Quiet')?.trim() === 'true'
    await this.#modules.buckets.check(fs, request.bucket)
    const parents = new Set<string>()
    const results: string[] = new Array(objects.length).fill('')
    let next = 0
    const work = async () => {
      for (let i = next++; i < objects.length; i = next++) {
        const key = textOf(objects[i]!, 'Key') ?? ''
        const version = textOf(objects[i]!, 'VersionId')
        results[i] = await this.#deleteOne(fs, request.bucket, key, version, quiet, parents)
      }
    }
    await Promise.all(Array.from({ length: Math.min(DELETES_AT_ONCE, objects.length) }, work))
    const bucket = this.#modules.keys.bucket(request.bucket)
    // The deepest first, so that each is looked at when what lay in it has gone.
    for (const parent of [...parents].sort((a, b) => b.length - a.length))
      await this.#prune(fs, bucket, parent)
    answerXml(exchange, 'DeleteResult', results.join(''))
  }

  async #deleteOne(
    fs: FileSystem,
    bucket: string,
    key: string,
    version: string | undefined,
    quiet: boolean,
    parents: Set<string>,
  ): Promise<string> {
    try {
      if (key === '') throw new S3Error('InvalidArgument', 'A key is needed.')
      if (version !== undefined && version !== '' && version !== 'null') throw new S3Error('NoSuchVersion')
      const parent = await this.#deleteKey(fs, bucket, key)
      if (parent !== undefined) parents.add(parent)
    } catch (thrown) {
      const { code, message } = toS3Error(thrown)
      if (code !== 'NoSuchKey')
        return `<Error>${element('Key', key)}${element('Code', code)}${element('Message', message)}</Error>`
    }
    return quiet ? '' : `<Deleted>${element('Key', key)}</Deleted>`
  }
}

/** What the entity tag of an object is of. */
function versionOf({ fileId, ufsFingerprint }: FileStatus): DeleteExpectation {
  return ufsFingerprint === '' ? { fileId } : { fileId, fingerprint: ufsFingerprint }
}

function hasChecksum({ headers }: S3Request): boolean {
  for (const name of headers.keys()) if (name.startsWith('x-amz-checksum-')) return true
  return headers.has('x-amz-trailer')
}
