/** PutObject, and what all writes share: an object appears whole, in one step, or not at all. */
import type { FileStatus, FileSystem, FileWriter } from '../../client/index.ts'
import { isAlluxioError, type Runtime } from '../../core/index.ts'
import { type Buckets, checkAcl } from './buckets.ts'
import { matches } from './conditions.ts'
import { S3Error } from './errors.ts'
import { answerEmpty, type Exchange, type Headers } from './exchange.ts'
import type { Keys } from './keys.ts'
import type { Md5Thread } from './md5.ts'
import { ANY_FOLDER, type Described, describedBy, infoOf, MARKER_XATTR, xattrOf } from './object-info.ts'
import { EMPTY_MD5 } from './object-reads.ts'
import type { S3Request } from './request.ts'
import { receiveDocument, receiveUpload, type Uploaded, uploadLength } from './upload-body.ts'

export interface ObjectWritesOptions {
  /** Length up to which the entity tag of an upload is its MD5, bytes. */
  readonly maxMd5Bytes: number
}

export interface ObjectWritesModules {
  readonly keys: Keys
  readonly buckets: Buckets
  readonly runtime: Runtime
  readonly md5s: Md5Thread
}

/** What has to be in the place of an object for it to be written. */
export type Expected = { readonly expects?: number }

export class ObjectWrites {
  readonly #options: ObjectWritesOptions
  readonly #modules: ObjectWritesModules

  constructor(options: ObjectWritesOptions, modules: ObjectWritesModules) {
    this.#options = options
    this.#modules = modules
  }

  async put(exchange: Exchange): Promise<void> {
    const { request, payload } = exchange
    const { bucket, key } = request
    const described = describedBy(request)
    checkUnsupported(request)
    uploadLength(request, payload)
    if (key.endsWith('/')) return this.#putFolder(exchange, described)
    const path = this.#modules.keys.path(bucket, key)
    const [expected, writer] = await this.begin(exchange, path)
    await this.writing(writer, async () => {
      const { maxMd5Bytes } = this.#options
      const uploaded = await receiveUpload(request, payload, writer, this.#modules, maxMd5Bytes)
      const { etag, checksums } = uploaded
      await this.publish(writer, expected, xattrOf(described, { etag, fileId: writer.fileId, checksums }))
      answerEmpty(exchange, 200, writtenHeaders(uploaded))
    })
  }

  /** Looks at bucket and preconditions while the file is made. */
  async begin(
    exchange: Exchange,
    path: string,
    sized: { readonly blockSizeBytes?: number } = {},
  ): Promise<[Expected, FileWriter]> {
    const { request, fs } = exchange
    const [writer, bucket, expected] = await Promise.allSettled([
      fs.create(path, { staged: true, ...sized }),
      this.#modules.buckets.check(fs, request.bucket),
      this.#expected(fs, path, request),
    ])
    if (writer.status === 'fulfilled' && bucket.status === 'fulfilled' && expected.status === 'fulfilled') {
      return [expected.value, writer.value]
    }
    if (writer.status === 'fulfilled') await writer.value.abort()
    for (const outcome of [bucket, expected, writer]) if (outcome.status === 'rejected') throw outcome.reason
    throw new S3Error('InternalError')
  }

  /** Aborts the file when `write` throws. */
  async writing(writer: FileWriter, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      await writer.abort(error)
      throw error
    }
  }

  /** @throws PreconditionFailed */
  async publish(
    writer: FileWriter,
    expected: Expected,
    xattr: Record<string, Uint8Array>,
  ): Promise<FileStatus> {
    return writer.close({ ...expected, xattr })
  }

  async #expected(fs: FileSystem, path: string, { headers, key }: S3Request): Promise<Expected> {
    const match = headers.get('if-match')
    const noneMatch = headers.get('if-none-match')
    if (match === undefined && noneMatch === undefined) return {}
    if (noneMatch !== undefined && noneMatch.trim() !== '*')
      throw new S3Error('NotImplemented', 'If-None-Match of a write can only be "*".')
    let status: FileStatus | undefined
    try {
      status = await fs.getStatus(path)
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) throw error
    }
    if (noneMatch !== undefined) {
      if (status !== undefined)
        throw new S3Error('PreconditionFailed', undefined, { details: { Condition: 'If-None-Match' } })
      return { expects: 0 }
    }
    if (status === undefined || status.folder)
      throw new S3Error('NoSuchKey', undefined, { details: { Key: key } })
    if (!matches(match!, infoOf(status).etag))
      throw new S3Error('PreconditionFailed', undefined, { details: { Condition: 'If-Match' } })
    return { expects: status.fileId }
  }

  /** A key that ends with a slash is a folder. */
  async #putFolder(exchange: Exchange, described: Described): Promise<void> {
    const { request, fs, payload } = exchange
    const path = this.#modules.keys.path(request.bucket, request.key)
    if (uploadLength(request, payload) > 0)
      throw new S3Error('InvalidRequest', 'A key that ends with a slash is a folder, which holds no bytes.')
    await receiveDocument(request, payload, this.#modules.runtime, 0)
    await this.#modules.buckets.check(fs, request.bucket)
    await this.#makeFolder(fs, path, described)
    answerEmpty(exchange, 200, ['etag', `"${EMPTY_MD5}"`])
  }

  async #makeFolder(fs: FileSystem, path: string, described: Described): Promise<void> {
    const xattr = xattrOf(described, { etag: EMPTY_MD5, fileId: ANY_FOLDER })
    try {
      // In one step: a folder without a mark goes with the last of what lies in it.
      await fs.mkdir(path, {
        recursive: true,
        allowExists: true,
        xattr: { ...xattr, [MARKER_XATTR]: Buffer.from('1') },
      })
    } catch (error) {
      if (isAlluxioError(error, 'ALREADY_EXISTS')) throw new S3Error('ObjectParentIsFile')
      throw error
    }
  }
}

export function writtenHeaders({ etag, checksums }: Uploaded): Headers {
  const headers = ['etag', `"${etag}"`]
  for (const [checksum, value] of Object.entries(checksums)) headers.push(`x-amz-checksum-${checksum}`, value)
  if (Object.keys(checksums).length > 0) headers.push('x-amz-checksum-type', 'FULL_OBJECT')
  return headers
}

/** What would be promised and not kept. @throws NotImplemented, InvalidStorageClass */
export function checkUnsupported({ headers }: S3Request): void {
  checkAcl(headers)
  const storage = headers.get('x-amz-storage-class')
  if (storage !== undefined && storage !== 'STANDARD') throw new S3Error('InvalidStorageClass')
  for (const name of headers.keys()) {
    if (name.startsWith('x-amz-server-side-encryption') || name.startsWith('x-amz-object-lock')) {
      throw new S3Error(
        'NotImplemented',
        `A header you provided implies functionality that is not implemented: ${name}`,
      )
    }
  }
}
