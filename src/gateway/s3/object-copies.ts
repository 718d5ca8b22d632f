/** CopyObject, and the sources of copies. */
import { createHash } from 'node:crypto'
import type { FileStatus, FileWriter } from '../../client/index.ts'
import { OF_SOURCE, rangeOf, readCondition } from './conditions.ts'
import { S3Error } from './errors.ts'
import { answerXml, type Exchange, iso } from './exchange.ts'
import type { Keys } from './keys.ts'
import { type Described, describedBy, infoOf, OBJECT_XATTR, TAGS_XATTR, xattrOf } from './object-info.ts'
import type { ObjectReads } from './object-reads.ts'
import { checkUnsupported, type ObjectWrites } from './object-writes.ts'
import type { Opened } from './readers.ts'
import type { S3Request } from './request.ts'
import { MAX_UPLOAD_BYTES } from './upload-body.ts'
import { element } from './xml.ts'

const COPY_CHUNK_BYTES = 4 * 2 ** 20

export interface ObjectCopiesModules {
  readonly keys: Keys
  readonly reads: ObjectReads
  readonly writes: ObjectWrites
}

export class ObjectCopies {
  readonly #modules: ObjectCopiesModules

  constructor(modules: ObjectCopiesModules) {
    this.#modules = modules
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
    const [expected, writer] = await this.#modules.writes.begin(exchange, path)
    let status: FileStatus | undefined
    await this.#modules.writes.writing(writer, async () => {
      const { length } = source.status
      const known = infoOf(source.status)
      const etag = await copyInto(writer, source, { start: 0, end: length }, known.etag)
      const checksums = known.parts.length === 0 ? known.checksums : {}
      status = await this.#modules.writes.publish(
        writer,
        expected,
        xattrOf(described, { etag, fileId: writer.fileId, checksums }),
      )
    })
    return status!
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
