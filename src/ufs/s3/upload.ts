/**
 * What a written file is to S3: one PutObject when it is small, else a multipart upload. Each request is retried by itself, and
 * one whose answer was lost is recognised by an id in the object's metadata, so that a conditional create that succeeded is
 * never taken for one that lost the race.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { ChunkBody } from '../http-transport/http-handler.ts'
import { unquoted } from '../http-transport/object-read.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import type { PartTarget, PartWrite } from '../part-writer.ts'
import type { UfsCreateOptions } from '../store.ts'
import type { S3Connection } from './client.ts'
import { checkPart, partBytes } from './parts.ts'

/** Metadata key of the id; not shown to users. */
export const WRITE_ID = 'alluxio-write-id'
/** Joining many parts may take a server minutes, and it may be silent meanwhile. */
const COMPLETE_SILENCE_MS = 300_000

export interface S3UploadOptions extends UfsCreateOptions {
  readonly path: string
  readonly key: string
  readonly leastPartBytes: number
}

export interface S3UploadModules {
  readonly connection: S3Connection
  readonly retry: RetryPolicy
  readonly write: PartWrite
}

interface Part {
  readonly PartNumber: number
  readonly ETag: string
  readonly ChecksumCRC32C?: string
}

export class S3Upload implements PartTarget {
  readonly #options: S3UploadOptions
  readonly #modules: S3UploadModules
  readonly #signal: AbortSignal
  #upload: Promise<string> | undefined
  readonly #parts: Part[] = []

  constructor(options: S3UploadOptions, modules: S3UploadModules) {
    this.#options = options
    this.#modules = modules
    this.#signal = modules.write.signal
  }

  partBytes(number: number): number {
    return partBytes(number + 1, this.#options.leastPartBytes, this.#options.sizeHint)
  }

  async put(pieces: readonly Uint8Array[], bytes: number): Promise<string> {
    const { connection } = this.#modules
    const { path, ifAbsent } = this.#options
    const { server } = connection
    const checksum = server.checksumOf(pieces)
    const conditional = ifAbsent === true && server.conditionalPuts
    if (ifAbsent === true && !conditional) await this.#refuseExisting()
    return this.#conditional('PutObject', async () => {
      const command = new connection.sdk.PutObjectCommand({
        ...this.#address(),
        // One chunk is a plain body; the SDK would otherwise have to be told that a stream can be sent again.
        Body: new ChunkBody(pieces),
        ContentLength: bytes,
        ...checksum,
        ...this.#metadata(ifAbsent === true),
        ...(conditional ? { IfNoneMatch: '*' } : {}),
      })
      const answer = await connection.send(command, path, { signal: this.#signal })
      connection.server.took(answer)
      return unquoted(answer.ETag)
    })
  }

  async #begin(): Promise<string> {
    const { connection, retry } = this.#modules
    const { path, key, ifAbsent } = this.#options
    if (ifAbsent === true) await this.#refuseExisting()
    // Were the answer lost and this repeated, an upload would be left over: stores expire those.
    return retry.run('CreateMultipartUpload', path, this.#signal, async () => {
      const command = new connection.sdk.CreateMultipartUploadCommand({
        Bucket: connection.bucket,
        Key: key,
        ...this.#metadata(true),
        ...connection.server.announced,
      })
      const { UploadId } = await connection.send(command, path, { signal: this.#signal })
      if (UploadId === undefined) {
        throw new AlluxioError('UNAVAILABLE', `create ${path}: the server began an upload without naming it`)
      }
      return UploadId
    })
  }

  /** A large upload that must fail at its end may as well fail before its first byte. */
  async #refuseExisting(): Promise<void> {
    const { connection, retry } = this.#modules
    const { path } = this.#options
    try {
      await retry.run('HeadObject', path, this.#signal, () =>
        connection.send(new connection.sdk.HeadObjectCommand(this.#address()), path, {
          signal: this.#signal,
        }),
      )
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return
      throw error
    }
    throw this.#exists()
  }

  async send(index: number, pieces: readonly Uint8Array[], bytes: number, length: number): Promise<void> {
    const { connection, retry } = this.#modules
    const { path } = this.#options
    const number = index + 1
    checkPart(number, length, path)
    this.#upload ??= this.#begin()
    const UploadId = await this.#upload
    const checksum = connection.server.checksumOf(pieces)
    const answer = await retry.run('UploadPart', path, this.#signal, () =>
      connection.send(
        new connection.sdk.UploadPartCommand({
          ...this.#address(),
          UploadId,
          PartNumber: number,
          Body: new ChunkBody(pieces),
          ContentLength: bytes,
          ...checksum,
        }),
        path,
        { signal: this.#signal },
      ),
    )
    connection.server.took(answer)
    const { ContentMD5: _, ...kept } = checksum
    this.#parts.push({ PartNumber: number, ETag: answer.ETag ?? '', ...kept })
  }

  async complete(): Promise<string> {
    const { connection } = this.#modules
    const { path, ifAbsent } = this.#options
    const UploadId = await this.#upload!
    this.#parts.sort((a, b) => a.PartNumber - b.PartNumber)
    // As late as can be where the server would replace it.
    if (ifAbsent === true && !connection.server.conditionalParts) await this.#refuseExisting()
    return this.#conditional('CompleteMultipartUpload', async () => {
      const command = new connection.sdk.CompleteMultipartUploadCommand({
        ...this.#address(),
        UploadId,
        MultipartUpload: { Parts: this.#parts },
        ...(ifAbsent === true && connection.server.conditionalParts ? { IfNoneMatch: '*' } : {}),
      })
      const { ETag } = await connection.send(command, path, {
        signal: this.#signal,
        silenceMs: COMPLETE_SILENCE_MS,
      })
      // Ceph's gateway (16.2) leaves it empty.
      return unquoted(ETag) || ((await this.#mine()) ?? '')
    })
  }

  /** Retries the request that makes the object appear, and finds out whether an attempt without answer did so. */
  #conditional(operation: string, request: () => Promise<string>): Promise<string> {
    const { path } = this.#options
    return this.#modules.retry.run(operation, path, this.#signal, async (attempt) => {
      try {
        return await request()
      } catch (error) {
        const refused = isAlluxioError(error, 'CONFLICT')
        const gone = isAlluxioError(error, 'NOT_FOUND') && error.reason === 'NO_SUCH_UPLOAD'
        if (attempt > 0 && (refused || gone)) {
          const etag = await this.#mine()
          if (etag !== undefined) return etag
        }
        throw refused ? this.#exists(error) : error
      }
    })
  }

  /** The etag of the object if this writer made it. */
  async #mine(): Promise<string | undefined> {
    const { connection } = this.#modules
    try {
      const head = await connection.send(
        new connection.sdk.HeadObjectCommand(this.#address()),
        this.#options.path,
        {
          signal: this.#signal,
        },
      )
      return head.Metadata?.[WRITE_ID] === this.#modules.write.id ? unquoted(head.ETag) : undefined
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }

  #address(): { Bucket: string; Key: string } {
    return { Bucket: this.#modules.connection.bucket, Key: this.#options.key }
  }

  #metadata(identified: boolean): { Metadata?: Record<string, string> } {
    const { metadata } = this.#options
    if (metadata === undefined && !identified) return {}
    return { Metadata: { ...metadata, ...(identified ? { [WRITE_ID]: this.#modules.write.id } : {}) } }
  }

  #exists(cause?: unknown): AlluxioError {
    return new AlluxioError('ALREADY_EXISTS', `create ${this.#options.path}: it exists`, { cause })
  }

  async discard(): Promise<void> {
    const uploadId = await this.#upload?.catch(() => undefined)
    if (uploadId === undefined) return
    const { connection, retry } = this.#modules
    const { path } = this.#options
    await retry
      .run('AbortMultipartUpload', path, undefined, () =>
        connection.send(
          new connection.sdk.AbortMultipartUploadCommand({ ...this.#address(), UploadId: uploadId }),
          path,
        ),
      )
      .catch(() => {})
  }
}
