/** The body of an upload on its way into a file: decoded, measured, digested; good only when `receiveUpload` resolves. */
import { createHash, type Hash } from 'node:crypto'
import type { FileWriter } from '../../client/index.ts'
import type { Runtime } from '../../core/index.ts'
import { receive } from '../http/body.ts'
import { type Checksum, checkChecksum, type Digest, digestOf } from './checksums.ts'
import { ChunkedBody } from './chunked-body.ts'
import { S3Error } from './errors.ts'
import { type Md5, Md5Here, type Md5Thread } from './md5.ts'
import { checksumsOf } from './object-info.ts'
import type { S3Request } from './request.ts'
import type { Payload } from './signature.ts'

/** Most bytes of one object or part that come with one request. */
export const MAX_UPLOAD_BYTES = 5 * 2 ** 30

export interface Uploaded {
  /** Without quotes: the MD5 in hexadecimal, unless the body was too large to wait for it. */
  readonly etag: string
  readonly length: number
  readonly checksums: Readonly<Partial<Record<Checksum, string>>>
}

/** @throws MissingContentLength, EntityTooLarge, InvalidDigest, InvalidRequest: what can be said before the body comes */
export function uploadLength(request: S3Request, payload: Payload): number {
  const { headers } = request
  const name = payload.kind === 'chunks' ? 'x-amz-decoded-content-length' : 'content-length'
  const text = headers.get(name)
  if (text === undefined) {
    if (payload.kind !== 'chunks' && headers.get('transfer-encoding') === undefined) return 0
    throw new S3Error('MissingContentLength', `The header ${name} is needed.`)
  }
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', `${name} is no number of bytes.`)
  const length = Number(text)
  if (length > MAX_UPLOAD_BYTES) {
    throw new S3Error('EntityTooLarge', undefined, {
      details: { ProposedSize: text, MaxSizeAllowed: String(MAX_UPLOAD_BYTES) },
    })
  }
  return length
}

/** Bodies up to this size are digested where they are received. */
const SMALL_BYTES = 2 ** 20

export interface UploadModules {
  readonly runtime: Runtime
  readonly md5s: Md5Thread
}

/**
 * Writes the body into the file, which the caller closes, or aborts if this throws.
 * @param maxMd5Bytes a longer body whose MD5 nobody gave gets another entity tag: one that no other file ever has
 */
export async function receiveUpload(
  request: S3Request,
  payload: Payload,
  writer: FileWriter,
  { runtime, md5s }: UploadModules,
  maxMd5Bytes = Number.POSITIVE_INFINITY,
): Promise<Uploaded> {
  const length = uploadLength(request, payload)
  const untagged = length > maxMd5Bytes && request.headers.get('content-md5') === undefined
  const md5 = untagged ? undefined : length > SMALL_BYTES ? md5s.begin() : new Md5Here()
  const { digest, ...uploaded } = await receiveInto(request, payload, writer, runtime, md5)
  return { ...uploaded, etag: digest?.toString('hex') ?? tagOfFile(writer.fileId) }
}

/** In the form of a multipart upload's, which nobody takes for an MD5. */
function tagOfFile(fileId: number): string {
  return `${fileId.toString(16).padStart(32, '0')}-1`
}

async function receiveInto(
  request: S3Request,
  payload: Payload,
  writer: Pick<FileWriter, 'write'>,
  runtime: Runtime,
  md5: Md5 | undefined,
): Promise<Omit<Uploaded, 'etag'> & { readonly digest: Buffer | undefined }> {
  try {
    const body = new UploadBody(request, payload, md5)
    const length = uploadLength(request, payload)
    if (length > 0 || payload.kind === 'chunks') {
      await receive(request.message, (bytes) => body.take(bytes, writer), { runtime })
    }
    return await body.finish(length)
  } catch (error) {
    md5?.abandon()
    throw error
  }
}

class UploadBody {
  readonly #payload: Payload
  readonly #md5: Md5 | undefined
  readonly #sha256: Hash | undefined
  readonly #chunks: ChunkedBody | undefined
  readonly #digests = new Map<Checksum, Digest>()
  readonly #given: Readonly<Partial<Record<Checksum, string>>>
  readonly #expectedMd5: Buffer | undefined
  #length = 0

  constructor(request: S3Request, payload: Payload, md5Of: Md5 | undefined) {
    this.#payload = payload
    this.#md5 = md5Of
    const { given, trailing, algorithm } = checksumsOf(request)
    this.#given = given
    for (const [checksum, value] of Object.entries(given)) checkChecksum(checksum as Checksum, value)
    const asked = [...(Object.keys(given) as Checksum[]), ...trailing]
    if (asked.length === 0 && algorithm !== undefined) asked.push(algorithm)
    for (const checksum of asked) this.#digests.set(checksum, digestOf(checksum))
    if (payload.kind === 'digest') this.#sha256 = createHash('sha256')
    if (payload.kind === 'chunks') {
      const { chain, trailer } = payload
      const trailers = trailing.map((checksum) => `x-amz-checksum-${checksum}`)
      const decodedLength = uploadLength(request, payload)
      this.#chunks = new ChunkedBody({ chain, trailer, decodedLength, trailers })
    } else if (trailing.length > 0) throw new S3Error('InvalidRequest', 'A trailer needs a chunked body.')
    const md5 = request.headers.get('content-md5')
    if (md5 === undefined) return
    this.#expectedMd5 = Buffer.from(md5, 'base64')
    if (this.#expectedMd5.length !== 16) throw new S3Error('InvalidDigest')
  }

  take(bytes: Buffer, writer: Pick<FileWriter, 'write'>): Promise<unknown> | undefined {
    if (this.#chunks === undefined) return this.#add(bytes, writer)
    let last: Promise<unknown> | undefined
    for (const data of this.#chunks.push(bytes)) last = this.#add(data, writer)
    return last
  }

  #add(bytes: Buffer, writer: Pick<FileWriter, 'write'>): Promise<unknown> {
    this.#length += bytes.length
    const room = this.#md5?.update(bytes)
    this.#sha256?.update(bytes)
    for (const digest of this.#digests.values()) digest.update(bytes)
    const written = writer.write(bytes)
    return room === undefined ? written : Promise.all([written, room])
  }

  async finish(
    expectedLength: number,
  ): Promise<Omit<Uploaded, 'etag'> & { readonly digest: Buffer | undefined }> {
    const trailers = this.#chunks?.finish()
    if (this.#length !== expectedLength) throw new S3Error('IncompleteBody')
    const md5 = await this.#md5?.digest()
    if (this.#expectedMd5 !== undefined && (md5 === undefined || !this.#expectedMd5.equals(md5)))
      throw new S3Error('BadDigest')
    if (this.#payload.kind === 'digest' && this.#sha256!.digest('hex') !== this.#payload.sha256)
      throw new S3Error('XAmzContentSHA256Mismatch')
    const checksums: Partial<Record<Checksum, string>> = {}
    for (const [checksum, digest] of this.#digests) {
      const value = digest.digest()
      const trailing = trailers?.get(`x-amz-checksum-${checksum}`)
      const given =
        this.#given[checksum] ?? (trailing === undefined ? undefined : checkChecksum(checksum, trailing))
      if (given !== undefined && given !== value)
        throw new S3Error(
          'BadDigest',
          `The ${checksum.toUpperCase()} you specified did not match the calculated checksum.`,
        )
      checksums[checksum] = value
    }
    return { digest: md5, length: this.#length, checksums }
  }
}

/** A small body in memory, for XML. Its signature is checked like that of an object. */
export async function receiveDocument(
  request: S3Request,
  payload: Payload,
  runtime: Runtime,
  maxBytes: number,
): Promise<string> {
  if (uploadLength(request, payload) > maxBytes) throw new S3Error('EntityTooLarge')
  const parts: Buffer[] = []
  const writer = {
    write: (bytes: Uint8Array) => {
      parts.push(Buffer.from(bytes))
      return Promise.resolve()
    },
  }
  await receiveInto(request, payload, writer, runtime, new Md5Here())
  return Buffer.concat(parts).toString('utf8')
}
