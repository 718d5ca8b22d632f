/**
 * Multipart uploads. An upload is a folder of the staging area that only its user can open, with what is known of it in an
 * attribute, and a file for each part; it goes by itself when it is abandoned.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { FileStatus, FileSystem } from '../../client/index.ts'
import { isAlluxioError, parentPath, type Runtime, STAGING_PATH } from '../../core/index.ts'
import type { Buckets } from './buckets.ts'
import { ownerXml } from './buckets.ts'
import { S3Error, toS3Error } from './errors.ts'
import { answerEmpty, answerXml, type Exchange, headersOf, iso } from './exchange.ts'
import type { Keys } from './keys.ts'
import { compare } from './listing.ts'
import type { Md5Thread } from './md5.ts'
import { copyInto, copyRange, type ObjectCopies } from './object-copies.ts'
import { type Described, describedBy, infoOf, xattrOf } from './object-info.ts'
import { checkUnsupported, type ObjectWrites, writtenHeaders } from './object-writes.ts'
import type { Readers } from './readers.ts'
import { encodeUri, parameter, type S3Request } from './request.ts'
import { receiveDocument, receiveUpload, uploadLength } from './upload-body.ts'
import { childrenOf, document, element, escapeXml, parseXml, textOf, XML_HEAD } from './xml.ts'

const UPLOAD_XATTR = 's3.upload'
const WRITE = 2
const SEARCH = 1
const PREFIX = 's3-'
const MAX_PARTS = 10_000
const MIN_PART_BYTES = 5 * 2 ** 20
/** Blocks of the usual size that a part may have and still be written as one. */
const MAX_BLOCKS_IN_ONE = 4
const MAX_COMPLETE_BYTES = 4 * 2 ** 20
const MAX_LISTED = 1000
/** A client that hears nothing for a minute gives up: it gets blanks while parts are joined. */
const BLANK_MS = 10_000

export interface MultipartOptions {
  /** How long an upload may go on, ms; then it is taken for abandoned. */
  readonly maxAgeMs: number
  /** Of new files. */
  readonly blockSizeBytes: number
}

export interface MultipartModules {
  readonly keys: Keys
  readonly writes: ObjectWrites
  readonly copies: ObjectCopies
  readonly buckets: Buckets
  readonly readers: Readers
  readonly runtime: Runtime
  readonly md5s: Md5Thread
}

interface Upload extends Described {
  readonly bucket: string
  readonly key: string
}

interface Part {
  readonly number: number
  readonly etag: string
}

export class Multipart {
  readonly #options: MultipartOptions
  readonly #modules: MultipartModules
  readonly #completing = new Map<string, Promise<void>>()

  constructor(options: MultipartOptions, modules: MultipartModules) {
    this.#options = options
    this.#modules = modules
  }

  async create(exchange: Exchange): Promise<void> {
    const { request, fs } = exchange
    const { bucket, key } = request
    const described = describedBy(request)
    checkUnsupported(request)
    if (key.endsWith('/')) throw new S3Error('InvalidRequest', 'A key that ends with a slash is a folder.')
    const target = this.#modules.keys.path(bucket, key)
    await this.#modules.buckets.check(fs, bucket)
    await checkWritable(fs, target)
    const id = Buffer.from(this.#modules.runtime.randomBytes(new Uint8Array(16))).toString('hex')
    const upload: Upload = { bucket, key, ...described }
    const path = folderOf(id)
    const { maxAgeMs: ttlMs } = this.#options
    await fs.mkdir(path, {
      recursive: false,
      mode: 0o700,
      writeType: 'MUST_CACHE',
      ttlMs,
      ttlAction: 'DELETE',
    })
    await fs.setAttribute(path, { xattr: { [UPLOAD_XATTR]: Buffer.from(JSON.stringify(upload)) } })
    const inner = element('Bucket', bucket) + element('Key', key) + element('UploadId', id)
    answerXml(exchange, 'InitiateMultipartUploadResult', inner)
  }

  async uploadPart(exchange: Exchange): Promise<void> {
    const { request, fs, payload } = exchange
    const id = idOf(request)
    const number = partNumberOf(request)
    const [, writer] = await this.#beginPart(exchange, id, number, uploadLength(request, payload))
    await this.#modules.writes.writing(writer, async () => {
      const uploaded = await receiveUpload(request, payload, writer, this.#modules)
      const { etag, checksums } = uploaded
      const made = { etag, fileId: writer.fileId, checksums }
      await this.#closePart(fs, id, writer, xattrOf(PLAIN_PART, made))
      answerEmpty(exchange, 200, writtenHeaders(uploaded))
    })
  }

  async copyPart(exchange: Exchange): Promise<void> {
    const { request, fs } = exchange
    const id = idOf(request)
    const number = partNumberOf(request)
    const source = await this.#modules.copies.source(exchange)
    try {
      const range = copyRange(request.headers.get('x-amz-copy-source-range'), source.status.length)
      const [, writer] = await this.#beginPart(exchange, id, number, range.end - range.start)
      await this.#modules.writes.writing(writer, async () => {
        const etag = await copyInto(writer, source, range)
        const status = await this.#closePart(
          fs,
          id,
          writer,
          xattrOf(PLAIN_PART, { etag, fileId: writer.fileId }),
        )
        const times = `${element('LastModified', iso(status.lastModificationTimeMs))}<ETag>&quot;${etag}&quot;</ETag>`
        answerXml(exchange, 'CopyPartResult', times)
      })
    } finally {
      source.close()
    }
  }

  async #beginPart(exchange: Exchange, id: string, number: number, lengthBytes: number) {
    const { fs } = exchange
    const { blockSizeBytes } = this.#options
    // A part of one block can become a block of the object.
    const sized =
      lengthBytes > blockSizeBytes && lengthBytes <= MAX_BLOCKS_IN_ONE * blockSizeBytes
        ? { blockSizeBytes: lengthBytes }
        : {}
    const [found, made] = await Promise.allSettled([
      this.#find(exchange, id),
      fs.create(`${folderOf(id)}/${fileOf(number)}`, {
        staged: true,
        recursive: false,
        writeType: 'MUST_CACHE',
        ...sized,
      }),
    ])
    if (found.status === 'fulfilled' && made.status === 'fulfilled') return [found.value, made.value] as const
    if (made.status === 'fulfilled') await made.value.abort()
    throw found.status === 'rejected' ? found.reason : (made as PromiseRejectedResult).reason
  }

  async #closePart(
    fs: FileSystem,
    id: string,
    writer: Awaited<ReturnType<FileSystem['create']>>,
    xattr: Record<string, Uint8Array>,
  ): Promise<FileStatus> {
    const status = await writer.close({ xattr })
    // The upload may have been aborted or completed meanwhile: its folder must not come again.
    const folder = await statusOf(fs, folderOf(id))
    if (folder?.xattr[UPLOAD_XATTR] !== undefined) return status
    await fs.delete(folderOf(id), { recursive: true }).catch(() => {})
    throw new S3Error('NoSuchUpload')
  }

  /** Of several attempts at once each waits for the one before: the blocks of the parts go into one object. */
  async complete(exchange: Exchange): Promise<void> {
    const id = idOf(exchange.request)
    const before = this.#completing.get(id)
    const completed =
      before === undefined ? this.#complete(exchange, id) : before.then(() => this.#complete(exchange, id))
    const ended = completed.then(ignored, ignored)
    this.#completing.set(id, ended)
    try {
      await completed
    } finally {
      if (this.#completing.get(id) === ended) this.#completing.delete(id)
    }
  }

  async #complete(exchange: Exchange, id: string): Promise<void> {
    const { request, fs, payload } = exchange
    const text = await receiveDocument(request, payload, this.#modules.runtime, MAX_COMPLETE_BYTES)
    const parts = partsOf(text)
    const etag = etagOf(parts)
    const path = this.#modules.keys.path(request.bucket, request.key)
    let upload: Upload
    try {
      upload = await this.#find(exchange, id)
    } catch (error) {
      // The answer to the first attempt may not have reached the client.
      const there =
        error instanceof S3Error && error.code === 'NoSuchUpload' ? await statusOf(fs, path) : undefined
      if (there === undefined || there.folder || infoOf(there).etag !== etag) throw error
      return answerXml(exchange, 'CompleteMultipartUploadResult', completedXml(request, etag))
    }
    const files = await this.#check(fs, id, parts)
    if (await this.#wasJoined(exchange, { id, path, etag, upload })) {
      await fs.delete(folderOf(id), { recursive: true })
      return answerXml(exchange, 'CompleteMultipartUploadResult', completedXml(request, etag))
    }
    const join = this.#join(exchange, { id, path, etag, upload, files })
    await this.#answerWhenJoined(exchange, join, etag)
  }

  async #join(
    exchange: Exchange,
    {
      id,
      path,
      etag,
      upload,
      files,
    }: { id: string; path: string; etag: string; upload: Upload; files: FileStatus[] },
  ): Promise<void> {
    const { fs } = exchange
    const blockSizeBytes = blockSizeOf(files)
    const sized = blockSizeBytes === undefined ? {} : { blockSizeBytes }
    const [expected, writer] = await this.#modules.writes.begin(exchange, path, sized)
    await this.#modules.writes.writing(writer, async () => {
      const adopted = blockSizeBytes !== undefined && (await writer.adopt(files))
      for (const file of adopted ? [] : files) {
        const opened = await this.#modules.readers.open(fs, file.path)
        try {
          await copyInto(writer, opened, { start: 0, end: file.length }, EMPTY_ETAG)
        } finally {
          opened.close()
        }
      }
      const sizes = runsOf(files.map(({ length }) => length))
      const xattr = xattrOf(upload, { etag, fileId: writer.fileId, parts: sizes })
      await this.#modules.writes.publish(writer, expected, xattr)
    })
    await fs.delete(folderOf(id), { recursive: true })
  }

  /** An attempt whose end nobody was told of may have put the object in its place, and the blocks of the parts went into it. */
  async #wasJoined(
    { fs }: Exchange,
    { id, path, etag, upload }: { id: string; path: string; etag: string; upload: Upload },
  ): Promise<boolean> {
    const [there, folder] = await Promise.all([statusOf(fs, path), statusOf(fs, folderOf(id))])
    if (there === undefined || folder === undefined || there.folder) return false
    const { headers, metadata, ...info } = infoOf(there)
    return (
      info.etag === etag &&
      there.creationTimeMs >= folder.creationTimeMs &&
      isDeepStrictEqual({ ...headers }, { ...upload.headers }) &&
      isDeepStrictEqual({ ...metadata }, { ...upload.metadata })
    )
  }

  /** Long joins are answered by 200 and blanks, and an error in the document if it comes to that, as S3 does. */
  async #answerWhenJoined(exchange: Exchange, join: Promise<void>, etag: string): Promise<void> {
    const { request, response } = exchange
    const { runtime } = this.#modules
    let begun = false
    let cancel = () => {}
    const blank = () => {
      if (!begun) response.writeHead(200, [...headersOf(exchange), 'content-type', 'application/xml'])
      response.write(begun ? ' ' : XML_HEAD)
      begun = true
      cancel = runtime.after(BLANK_MS, blank, true)
    }
    cancel = runtime.after(BLANK_MS, blank, true)
    try {
      await join
      cancel()
      const inner = completedXml(request, etag)
      if (!begun) answerXml(exchange, 'CompleteMultipartUploadResult', inner)
      else response.end(document('CompleteMultipartUploadResult', inner).slice(XML_HEAD.length))
    } catch (thrown) {
      cancel()
      if (!begun) throw thrown
      const { code, message } = toS3Error(thrown)
      response.end(`<Error>${element('Code', code)}${element('Message', message)}</Error>`)
    }
  }

  /** The files of the parts in order. @throws InvalidPart, EntityTooSmall */
  async #check(fs: FileSystem, id: string, parts: readonly Part[]): Promise<FileStatus[]> {
    const known = new Map<string, FileStatus>()
    for await (const status of fs.list(folderOf(id))) if (status.completed) known.set(status.name, status)
    const files: FileStatus[] = []
    for (const [i, { number, etag }] of parts.entries()) {
      const file = known.get(fileOf(number))
      if (file === undefined || infoOf(file).etag !== etag) {
        throw new S3Error('InvalidPart', undefined, { details: { PartNumber: String(number), ETag: etag } })
      }
      if (i < parts.length - 1 && file.length < MIN_PART_BYTES) {
        const details = {
          PartNumber: String(number),
          ProposedSize: String(file.length),
          MinSizeAllowed: String(MIN_PART_BYTES),
        }
        throw new S3Error('EntityTooSmall', undefined, { details })
      }
      files.push(file)
    }
    return files
  }

  async abort(exchange: Exchange): Promise<void> {
    const id = idOf(exchange.request)
    await this.#find(exchange, id)
    await exchange.fs.delete(folderOf(id), { recursive: true })
    answerEmpty(exchange, 204)
  }

  async listParts(exchange: Exchange): Promise<void> {
    const { request, fs, user } = exchange
    const id = idOf(request)
    await this.#find(exchange, id)
    const limit = limitOf(parameter(request, 'max-parts'), 'max-parts')
    const marker = limitOf(parameter(request, 'part-number-marker') ?? '0', 'part-number-marker', MAX_PARTS)
    let inner = ''
    let last = 0
    let count = 0
    let truncated = false
    for await (const status of fs.list(folderOf(id), marker === 0 ? {} : { startAfter: fileOf(marker) })) {
      if (!status.completed || status.folder) continue
      truncated = count === limit
      if (truncated) break
      last = Number(status.name)
      count++
      inner += `<Part>${element('PartNumber', last)}${element('LastModified', iso(status.lastModificationTimeMs))}<ETag>&quot;${infoOf(status).etag}&quot;</ETag>${element('Size', status.length)}</Part>`
    }
    const head = element('Bucket', request.bucket) + element('Key', request.key) + element('UploadId', id)
    const who = `<Initiator>${element('ID', user)}${element('DisplayName', user)}</Initiator>${ownerXml(user)}<StorageClass>STANDARD</StorageClass>`
    const page = `${element('PartNumberMarker', marker)}${truncated ? element('NextPartNumberMarker', last) : ''}${element('MaxParts', limit)}${element('IsTruncated', truncated)}`
    answerXml(exchange, 'ListPartsResult', head + who + page + inner)
  }

  /** The uploads of this user to a bucket. */
  async list(exchange: Exchange): Promise<void> {
    const { request, fs, user } = exchange
    await this.#modules.buckets.check(fs, request.bucket)
    const prefix = parameter(request, 'prefix') ?? ''
    const limit = limitOf(parameter(request, 'max-uploads'), 'max-uploads')
    const after = parameter(request, 'key-marker') ?? ''
    const afterId = parameter(request, 'upload-id-marker') ?? ''
    const found: { key: string; id: string; status: FileStatus }[] = []
    try {
      for await (const status of fs.list(STAGING_PATH)) {
        if (!status.folder || status.owner !== user || !status.name.startsWith(PREFIX)) continue
        const upload = uploadIn(status)
        const id = status.name.slice(PREFIX.length)
        if (upload?.bucket !== request.bucket || !upload.key.startsWith(prefix)) continue
        const order = compare(upload.key, after)
        if (order > 0 || (order === 0 && afterId !== '' && id > afterId))
          found.push({ key: upload.key, id, status })
      }
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) throw error
    }
    found.sort((a, b) => compare(a.key, b.key) || (a.id < b.id ? -1 : 1))
    const shown = found.slice(0, limit)
    const last = shown.at(-1)
    const truncated = found.length > shown.length && last !== undefined
    const text =
      parameter(request, 'encoding-type') === 'url'
        ? (key: string) => encodeUri(key, true)
        : (key: string) => key
    const who = `<Initiator>${element('ID', user)}${element('DisplayName', user)}</Initiator>${ownerXml(user)}`
    let inner =
      element('Bucket', request.bucket) +
      element('KeyMarker', text(after)) +
      element('UploadIdMarker', afterId)
    if (truncated) inner += element('NextKeyMarker', text(last.key)) + element('NextUploadIdMarker', last.id)
    inner +=
      element('Prefix', text(prefix)) + element('MaxUploads', limit) + element('IsTruncated', truncated)
    for (const { key, id, status } of shown) {
      inner += `<Upload>${element('Key', text(key))}${element('UploadId', id)}${who}<StorageClass>STANDARD</StorageClass>${element('Initiated', iso(status.creationTimeMs))}</Upload>`
    }
    answerXml(exchange, 'ListMultipartUploadsResult', inner)
  }

  /** @throws NoSuchUpload for one that is of another key, or of another user */
  async #find({ request, fs }: Exchange, id: string): Promise<Upload> {
    const status = await statusOf(fs, folderOf(id))
    const upload = status === undefined ? undefined : uploadIn(status)
    if (upload === undefined || upload.bucket !== request.bucket || upload.key !== request.key) {
      await this.#modules.buckets.check(fs, request.bucket)
      throw new S3Error('NoSuchUpload', undefined, { details: { UploadId: id } })
    }
    return upload
  }
}

/** That of an object whose blocks the blocks of its parts can become; undefined if they have to be copied. */
function blockSizeOf(files: readonly FileStatus[]): number | undefined {
  const [first, ...others] = files
  const last = others.pop()
  if (first === undefined) return undefined
  if (last === undefined || first.length > first.blockSizeBytes) return first.blockSizeBytes
  const { length } = first
  return others.every((file) => file.length === length) && last.length <= length ? length : undefined
}

function ignored(): void {}

const PLAIN_PART: Described = { headers: {}, metadata: {}, tags: undefined }
/** Given for an entity tag that nobody needs, so that none is computed. */
const EMPTY_ETAG = '0'.repeat(32)

function folderOf(id: string): string {
  return `${STAGING_PATH}/${PREFIX}${id}`
}

function fileOf(number: number): string {
  return String(number).padStart(5, '0')
}

function uploadIn(status: FileStatus): Upload | undefined {
  const bytes = status.xattr[UPLOAD_XATTR]
  try {
    return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
}

/** Whether the user may put something there: said before the parts come, and again when they are joined. */
async function checkWritable(fs: FileSystem, path: string): Promise<void> {
  for (let at = parentPath(path); ; at = parentPath(at)) {
    try {
      await fs.checkAccess(at, WRITE | SEARCH)
      return
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND') || at === '/') throw error
    }
  }
}

async function statusOf(fs: FileSystem, path: string): Promise<FileStatus | undefined> {
  try {
    return await fs.getStatus(path)
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) return undefined
    throw error
  }
}

function idOf(request: S3Request): string {
  const id = parameter(request, 'uploadId') ?? ''
  if (!/^[0-9a-f]{32}$/.test(id)) throw new S3Error('NoSuchUpload')
  return id
}

function partNumberOf(request: S3Request): number {
  const text = parameter(request, 'partNumber') ?? ''
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > MAX_PARTS)
    throw new S3Error(
      'InvalidArgument',
      `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`,
    )
  return number
}

function limitOf(text: string | undefined, name: string, max = MAX_LISTED): number {
  if (text === undefined || text === '') return max
  if (!/^\d{1,10}$/.test(text)) throw new S3Error('InvalidArgument', `${name} is no number.`)
  return Math.min(Number(text), max)
}

/** @throws MalformedXML, InvalidPartOrder */
function partsOf(text: string): Part[] {
  const parts: Part[] = []
  for (const part of childrenOf(parseXml(text, 'CompleteMultipartUpload'), 'Part')) {
    const number = Number(textOf(part, 'PartNumber') ?? Number.NaN)
    const etag = (textOf(part, 'ETag') ?? '').trim().replace(/^"|"$/g, '')
    if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS || !/^[0-9a-fA-F]{32}$/.test(etag)) {
      if (Number.isInteger(number) && etag !== '') throw new S3Error('InvalidPart')
      throw new S3Error('MalformedXML')
    }
    const before = parts.at(-1)
    if (before !== undefined && before.number >= number) throw new S3Error('InvalidPartOrder')
    parts.push({ number, etag: etag.toLowerCase() })
  }
  if (parts.length === 0 || parts.length > MAX_PARTS) throw new S3Error('MalformedXML')
  return parts
}

/** MD5 of the MD5s, and their number. */
function etagOf(parts: readonly Part[]): string {
  const md5 = createHash('md5')
  for (const { etag } of parts) md5.update(Buffer.from(etag, 'hex'))
  return `${md5.digest('hex')}-${parts.length}`
}

/** Equal sizes in a row as number and size. */
function runsOf(sizes: readonly number[]): number[] {
  const runs: number[] = []
  for (const size of sizes) {
    if (runs.length > 0 && runs.at(-1) === size) runs[runs.length - 2]!++
    else runs.push(1, size)
  }
  return runs.length > 512 ? [] : runs
}

function completedXml(request: S3Request, etag: string): string {
  const { bucket, key, headers } = request
  const location = `http://${headers.get('host') ?? ''}/${bucket}/${encodeUri(key, true)}`
  return `${element('Location', location)}${element('Bucket', bucket)}${element('Key', key)}<ETag>${escapeXml(`"${etag}"`)}</ETag>`
}
