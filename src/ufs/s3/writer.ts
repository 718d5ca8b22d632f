/**
 * Writes an object: one PutObject when it is small, else parts in parallel. The object appears whole at the end. Each request
 * is retried by itself, and a request whose answer was lost is recognised by an id in the object's metadata, so that a
 * conditional create that succeeded is never taken for one that lost the race.
 */
import { AlluxioError, isAlluxioError, type Runtime } from '../../core/index.ts'
import { ChunkBody } from '../http-transport/http-handler.ts'
import { unquoted } from '../http-transport/object-read.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from '../store.ts'
import type { S3Connection } from './client.ts'
import { checkPart, partBytes } from './parts.ts'

/** Metadata key of the id; not shown to users. */
export const WRITE_ID = 'alluxio-write-id'
/** Joining many parts may take a server minutes, and it may be silent meanwhile. */
const COMPLETE_SILENCE_MS = 300_000
/** Bytes of parts under way at once, at most; parts grow with the file. */
const IN_FLIGHT_BYTES = 256 * 2 ** 20

export interface S3WriterOptions extends UfsCreateOptions {
  readonly path: string
  readonly key: string
  readonly leastPartBytes: number
  /** Parts under way at once. */
  readonly uploads: number
}

export interface S3WriterModules {
  readonly connection: S3Connection
  readonly retry: RetryPolicy
  readonly runtime: Runtime
}

interface Part {
  readonly PartNumber: number
  readonly ETag: string
  readonly ChecksumCRC32C?: string
}

export class S3Writer implements UfsWriter {
  readonly #options: S3WriterOptions
  readonly #modules: S3WriterModules
  readonly #writeId: string
  readonly #abort = new AbortController()
  readonly #onAbort: () => void
  #chunks: Uint8Array[] = []
  #chunksBytes = 0
  #length = 0
  #target: number
  #upload: Promise<string> | undefined
  readonly #parts: Part[] = []
  readonly #inFlight = new Set<Promise<void>>()
  #partNumber = 0
  #error: unknown
  #closed = false

  constructor(options: S3WriterOptions, modules: S3WriterModules) {
    this.#options = options
    this.#modules = modules
    this.#writeId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(12))).toString('hex')
    this.#target = partBytes(1, options.leastPartBytes, options.sizeHint)
    this.#onAbort = () => this.#abort.abort(options.signal?.reason)
    if (options.signal?.aborted) this.#onAbort()
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    let rest = chunk
    while (this.#chunksBytes + rest.length >= this.#target) {
      const taken = this.#target - this.#chunksBytes
      this.#take(rest.subarray(0, taken))
      rest = rest.subarray(taken)
      await this.#startPart()
      if (this.#error !== undefined) throw await this.#failed(this.#error)
    }
    this.#take(rest)
    if (this.#error !== undefined) throw await this.#failed(this.#error)
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    try {
      const etag = this.#upload === undefined ? await this.#put() : await this.#complete()
      this.#finish()
      return {
        path: this.#options.path,
        directory: false,
        length: this.#length,
        modifiedMs: this.#modules.runtime.now(),
        fingerprint: etag,
        metadata: this.#options.metadata ?? {},
      }
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async abort(): Promise<void> {
    if (this.#closed) return
    await this.#discard()
  }

  #take(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#chunksBytes += chunk.length
    this.#length += chunk.length
  }

  #check(): void {
    const { path, signal } = this.#options
    if (this.#closed) throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: the writer is closed`)
    if (signal?.aborted) throw cancelled(signal, 'create', path)
  }

  async #put(): Promise<string> {
    const { connection } = this.#modules
    const { path, ifAbsent } = this.#options
    const chunks = this.#chunks
    const { server } = connection
    const checksum = server.checksumOf(chunks)
    const conditional = ifAbsent === true && server.conditionalPuts
    if (ifAbsent === true && !conditional) await this.#refuseExisting()
    return this.#conditional('PutObject', async () => {
      const command = new connection.sdk.PutObjectCommand({
        ...this.#address(),
        // One chunk is a plain body; the SDK would otherwise have to be told that a stream can be sent again.
        Body: new ChunkBody(chunks),
        ContentLength: this.#chunksBytes,
        ...checksum,
        ...this.#metadata(ifAbsent === true),
        ...(conditional ? { IfNoneMatch: '*' } : {}),
      })
      const answer = await connection.send(command, path, { signal: this.#abort.signal })
      connection.server.took(answer)
      return unquoted(answer.ETag)
    })
  }

  async #startPart(): Promise<void> {
    const chunks = this.#chunks
    const bytes = this.#chunksBytes
    const number = ++this.#partNumber
    checkPart(number, this.#length, this.#options.path)
    this.#upload ??= this.#begin()
    this.#chunks = []
    this.#chunksBytes = 0
    this.#target = partBytes(number + 1, this.#options.leastPartBytes, this.#options.sizeHint)
    const sending = this.#sendPart(number, chunks, bytes)
      .catch((error: unknown) => {
        this.#error ??= error
      })
      .finally(() => this.#inFlight.delete(sending))
    this.#inFlight.add(sending)
    const most = Math.max(1, Math.min(this.#options.uploads, Math.floor(IN_FLIGHT_BYTES / bytes)))
    while (this.#inFlight.size >= most && this.#error === undefined) await Promise.race(this.#inFlight)
  }

  async #begin(): Promise<string> {
    const { connection, retry } = this.#modules
    const { path, key, ifAbsent } = this.#options
    if (ifAbsent === true) await this.#refuseExisting()
    // Were the answer lost and this repeated, an upload would be left over: stores expire those.
    return retry.run('CreateMultipartUpload', path, this.#abort.signal, async () => {
      const command = new connection.sdk.CreateMultipartUploadCommand({
        Bucket: connection.bucket,
        Key: key,
        ...this.#metadata(true),
        ...connection.server.announced,
      })
      const { UploadId } = await connection.send(command, path, { signal: this.#abort.signal })
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
      await retry.run('HeadObject', path, this.#abort.signal, () =>
        connection.send(new connection.sdk.HeadObjectCommand(this.#address()), path, {
          signal: this.#abort.signal,
        }),
      )
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return
      throw error
    }
    throw this.#exists()
  }

  async #sendPart(number: number, chunks: readonly Uint8Array[], bytes: number): Promise<void> {
    const { connection, retry } = this.#modules
    const { path } = this.#options
    const UploadId = await this.#upload!
    const checksum = this.#modules.connection.server.checksumOf(chunks)
    const answer = await retry.run('UploadPart', path, this.#abort.signal, () =>
      connection.send(
        new connection.sdk.UploadPartCommand({
          ...this.#address(),
          UploadId,
          PartNumber: number,
          Body: new ChunkBody(chunks),
          ContentLength: bytes,
          ...checksum,
        }),
        path,
        { signal: this.#abort.signal },
      ),
    )
    connection.server.took(answer)
    const { ContentMD5: _, ...kept } = checksum
    this.#parts.push({ PartNumber: number, ETag: answer.ETag ?? '', ...kept })
  }

  async #complete(): Promise<string> {
    const { connection } = this.#modules
    const { path, ifAbsent } = this.#options
    if (this.#chunksBytes > 0) await this.#startPart()
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
    if (this.#error !== undefined) throw this.#error
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
        signal: this.#abort.signal,
        silenceMs: COMPLETE_SILENCE_MS,
      })
      // Ceph's gateway (16.2) leaves it empty.
      return unquoted(ETag) || ((await this.#mine()) ?? '')
    })
  }

  /** Retries the request that makes the object appear, and finds out whether an attempt without answer did so. */
  #conditional(operation: string, request: () => Promise<string>): Promise<string> {
    const { path } = this.#options
    return this.#modules.retry.run(operation, path, this.#abort.signal, async (attempt) => {
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
          signal: this.#abort.signal,
        },
      )
      return head.Metadata?.[WRITE_ID] === this.#writeId ? unquoted(head.ETag) : undefined
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
    return { Metadata: { ...metadata, ...(identified ? { [WRITE_ID]: this.#writeId } : {}) } }
  }

  #exists(cause?: unknown): AlluxioError {
    return new AlluxioError('ALREADY_EXISTS', `create ${this.#options.path}: it exists`, { cause })
  }

  async #failed(error: unknown): Promise<unknown> {
    await this.#discard()
    return error
  }

  async #discard(): Promise<void> {
    this.#abort.abort()
    await Promise.allSettled(this.#inFlight)
    this.#finish()
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

  #finish(): void {
    this.#closed = true
    this.#chunks = []
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
