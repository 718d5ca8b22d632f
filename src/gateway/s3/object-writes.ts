/** PutObject, CopyObject, DeleteObject and DeleteObjects. An object appears whole, in one step, or not at all. */
import { createHash } from 'node:crypto'
import type { FileStatus, FileSystem, FileWriter } from '../../client/index.ts'
import { isAlluxioError, parentPath, type Runtime } from '../../core/index.ts'
import { type Buckets, checkAcl, isMarked } from './buckets.ts'
import { matches, OF_SOURCE, rangeOf, readCondition } from './conditions.ts'
import { S3Error, toS3Error } from './errors.ts'
import { answerEmpty, answerXml, type Exchange, type Headers, iso } from './exchange.ts'
import type { Keys } from './keys.ts'
import type { Md5Thread } from './md5.ts'
import {
  type Described,
  describedBy,
  infoOf,
  MARKER_XATTR,
  OBJECT_XATTR,
  TAGS_XATTR,
  xattrOf,
} from './object-info.ts'
import type { ObjectReads } from './object-reads.ts'
import { EMPTY_MD5 } from './object-reads.ts'
import type { Opened } from './readers.ts'
import type { S3Request } from './request.ts'
import {
  MAX_UPLOAD_BYTES,
  receiveDocument,
  receiveUpload,
  type Uploaded,
  uploadLength,
} from './upload-body.ts'
import { childrenOf, element, parseXml, textOf } from './xml.ts'

const MAX_DELETE_BYTES = 2 * 2 ** 20
const MAX_DELETES = 1000
/** Deletes of one request under way at once. */
const DELETES_AT_ONCE = 32
const COPY_CHUNK_BYTES = 4 * 2 ** 20

export interface ObjectWritesModules {
  readonly keys: Keys
  readonly reads: ObjectReads
  readonly buckets: Buckets
  readonly runtime: Runtime
  readonly md5s: Md5Thread
}

/** What has to be in the place of an object for it to be written. */
export type Expected = { readonly expects?: number }

export class ObjectWrites {
  readonly #modules: ObjectWritesModules

  constructor(modules: ObjectWritesModules) {
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
      const uploaded = await receiveUpload(request, payload, writer, this.#modules)
      const etag = uploaded.md5.toString('hex')
      const { checksums } = uploaded
      await this.publish(writer, expected, xattrOf(described, { etag, fileId: writer.fileId, checksums }))
      answerEmpty(exchange, 200, writtenHeaders(uploaded))
    })
  }

  /** Looks at bucket and preconditions while the file is made. */
  async begin(exchange: Exchange, path: string): Promise<[Expected, FileWriter]> {
    const { request, fs } = exchange
    const [writer, bucket, expected] = await Promise.allSettled([
      fs.create(path, { staged: true }),
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
    let made: FileStatus
    try {
      made = await fs.mkdir(path, { recursive: true, allowExists: true })
    } catch (error) {
      if (isAlluxioError(error, 'ALREADY_EXISTS')) throw new S3Error('ObjectParentIsFile')
      throw error
    }
    const xattr = xattrOf(described, { etag: EMPTY_MD5, fileId: made.fileId })
    await fs.setAttribute(path, { xattr: { ...xattr, [MARKER_XATTR]: Buffer.from('1') } })
    answerEmpty(exchange, 200, ['etag', `"${EMPTY_MD5}"`])
  }

  async copy(exchange: Exchange): Promise<void> {
    const { request } = exchange
    checkUnsupported(request)
    const directive = (request.headers.get('x-amz-metadata-directive') ?? 'COPY').toUpperCase()
    if (directive !== 'COPY' && directive !== 'REPLACE')
      throw new S3Error('InvalidArgument', 'Unknown metadata directive.')
    const source = await this.source(exchange)
    try {
      if (source.status.length > MAX_UPLOAD_BYTES)
        throw new S3Error('InvalidRequest', 'The source is larger than 5 GiB: copy it in parts.')
      const described = copyDescribed(request, source.status, directive)
      const path = this.#modules.keys.path(request.bucket, request.key)
      if (
        source.status.path === path &&
        directive === 'COPY' &&
        request.headers.get('x-amz-tagging-directive') === undefined
      ) {
        throw new S3Error(
          'InvalidRequest',
          'This copy request is illegal because it is trying to copy an object to itself without changing its metadata.',
        )
      }
      const status =
        source.status.path === path
          ? await this.#redescribe(exchange, source.status, described)
          : await this.#copyBytes(exchange, source, path, described)
      const times = `${element('LastModified', iso(status.lastModificationTimeMs))}<ETag>&quot;${infoOf(status).etag}&quot;</ETag>`
      answerXml(exchange, 'CopyObjectResult', times)
    } finally {
      source.close()
    }
  }

  /** The object of x-amz-copy-source, if the conditions on it hold. */
  async source(exchange: Exchange): Promise<Opened> {
    const { headers } = exchange.request
    const { bucket, key } = copySource(headers.get('x-amz-copy-source') ?? '')
    const opened = await this.#modules.reads.open(exchange, bucket, key)
    const { etag } = infoOf(opened.status)
    const modifiedMs = opened.status.lastModificationTimeMs
    if (readCondition(headers, OF_SOURCE, { etag, modifiedMs }) === 'go') return opened
    opened.close()
    throw new S3Error('PreconditionFailed')
  }

  async #redescribe({ fs }: Exchange, status: FileStatus, described: Described): Promise<FileStatus> {
    const { etag, checksums, parts } = infoOf(status)
    const { [TAGS_XATTR]: tags = null, [OBJECT_XATTR]: object } = xattrOf(described, {
      etag,
      fileId: status.fileId,
      checksums,
      parts,
    })
    await fs.setAttribute(status.path, { xattr: { [OBJECT_XATTR]: object!, [TAGS_XATTR]: tags } })
    return fs.getStatus(status.path)
  }

  async #copyBytes(
    exchange: Exchange,
    source: Opened,
    path: string,
    described: Described,
  ): Promise<FileStatus> {
    const [expected, writer] = await this.begin(exchange, path)
    let status: FileStatus | undefined
    await this.writing(writer, async () => {
      const { length } = source.status
      const known = infoOf(source.status)
      const etag = await copyInto(writer, source, { start: 0, end: length }, known.etag)
      const checksums = known.parts.length === 0 ? known.checksums : {}
      status = await this.publish(
        writer,
        expected,
        xattrOf(described, { etag, fileId: writer.fileId, checksums }),
      )
    })
    return status!
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
    if (status.folder) {
      if (!isMarked(status)) throw missing
      // What lies below it stays, and the folder with it.
      await fs.setAttribute(path, {
        xattr: { [MARKER_XATTR]: null, [OBJECT_XATTR]: null, [TAGS_XATTR]: null },
      })
      return path
    }
    try {
      await fs.delete(path)
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
        await fs.delete(at)
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

/** Bytes of the source into the new file; the entity tag. A plain MD5 of the source that is copied whole is that of the copy. */
export async function copyInto(
  writer: FileWriter,
  { reader }: Opened,
  range: { readonly start: number; readonly end: number },
  knownEtag?: string,
): Promise<string> {
  const known = knownEtag !== undefined && /^[0-9a-f]{32}$/.test(knownEtag) ? knownEtag : undefined
  const md5 = known === undefined ? createHash('md5') : undefined
  let length = 0
  for await (const bytes of reader.stream({ ...range, chunkBytes: COPY_CHUNK_BYTES })) {
    md5?.update(bytes)
    length += bytes.length
    await writer.write(bytes)
  }
  if (length !== range.end - range.start) throw new S3Error('InternalError')
  return known ?? md5!.digest('hex')
}

function copySource(header: string): { bucket: string; key: string } {
  const mark = header.indexOf('?')
  const raw = mark === -1 ? header : header.slice(0, mark)
  if (mark !== -1 && !/^\?versionId=(null)?$/.test(header.slice(mark))) throw new S3Error('NoSuchVersion')
  let path: string
  try {
    path = decodeURIComponent(raw)
  } catch {
    throw new S3Error('InvalidArgument', 'Copy Source must be URL-encoded.')
  }
  const from = path.startsWith('/') ? path.slice(1) : path
  const slash = from.indexOf('/')
  if (slash < 1 || slash === from.length - 1 || from.includes('\0')) {
    throw new S3Error(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
    )
  }
  return { bucket: from.slice(0, slash), key: from.slice(slash + 1) }
}

/** Range of an UploadPartCopy. @throws InvalidArgument, InvalidRange */
export function copyRange(header: string | undefined, length: number): { start: number; end: number } {
  if (header === undefined) return { start: 0, end: length }
  const range = /^bytes=\d+-\d+$/.test(header) ? rangeOf(header, length) : undefined
  if (range === undefined)
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last',
    )
  return range
}

function copyDescribed(request: S3Request, source: FileStatus, directive: string): Described {
  const given = describedBy(request)
  const known = infoOf(source)
  const tagging = (request.headers.get('x-amz-tagging-directive') ?? 'COPY').toUpperCase()
  const bytes = source.xattr[TAGS_XATTR]
  const tags =
    tagging === 'REPLACE' ? given.tags : bytes === undefined ? undefined : Buffer.from(bytes).toString()
  return directive === 'REPLACE'
    ? { headers: given.headers, metadata: given.metadata, tags }
    : { headers: known.headers, metadata: known.metadata, tags }
}

export function writtenHeaders({ md5, checksums }: Uploaded): Headers {
  const headers = ['etag', `"${md5.toString('hex')}"`]
  for (const [checksum, value] of Object.entries(checksums)) headers.push(`x-amz-checksum-${checksum}`, value)
  if (Object.keys(checksums).length > 0) headers.push('x-amz-checksum-type', 'FULL_OBJECT')
  return headers
}

function hasChecksum({ headers }: S3Request): boolean {
  for (const name of headers.keys()) if (name.startsWith('x-amz-checksum-')) return true
  return headers.has('x-amz-trailer')
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
