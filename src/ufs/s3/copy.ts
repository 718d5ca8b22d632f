/** Copies objects inside a bucket, on the server: what a rename is made of. */
import { AlluxioError } from '../../core/index.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import type { S3Connection } from './client.ts'
import { copyRanges, LARGEST_COPY_BYTES } from './parts.ts'

const PARTS_AT_ONCE = 8
/** A server copies up to 5 GiB without a word. */
const COPY_SILENCE_MS = 600_000

export interface CopySource {
  readonly key: string
  readonly length: number
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

export interface CopierOptions {
  /** Longest object that is copied by one call. @default 5 GiB, the protocol's limit */
  readonly wholeBytes?: number
  /** Least size of a part of a longer one. @default 512 MiB */
  readonly partBytes?: number
}

export class Copier {
  readonly #options: CopierOptions
  readonly #connection: S3Connection
  readonly #retry: RetryPolicy

  constructor(
    options: CopierOptions,
    modules: { readonly connection: S3Connection; readonly retry: RetryPolicy },
  ) {
    this.#options = options
    this.#connection = modules.connection
    this.#retry = modules.retry
  }

  /** `path` is for messages. */
  async copy(
    source: CopySource,
    target: string,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const most = this.#connection.server.wholeCopies ? Number.POSITIVE_INFINITY : LARGEST_COPY_BYTES
    if (source.length > (this.#options.wholeBytes ?? most))
      return this.#copyParts(source, target, path, signal)
    const { sdk, bucket } = this.#connection
    await this.#retry.run('CopyObject', path, signal, () =>
      this.#connection.send(
        new sdk.CopyObjectCommand({ Bucket: bucket, Key: target, CopySource: this.#sourceOf(source.key) }),
        path,
        { signal, silenceMs: COPY_SILENCE_MS },
      ),
    )
  }

  async #copyParts(
    source: CopySource,
    target: string,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { sdk, bucket } = this.#connection
    const address = { Bucket: bucket, Key: target }
    const { UploadId } = await this.#retry.run('CreateMultipartUpload', path, signal, () =>
      this.#connection.send(
        new sdk.CreateMultipartUploadCommand({
          ...address,
          ...(source.metadata === undefined ? {} : { Metadata: { ...source.metadata } }),
        }),
        path,
        { signal },
      ),
    )
    try {
      const ranges = copyRanges(source.length, this.#options.partBytes)
      const parts: { PartNumber: number; ETag: string }[] = []
      let next = 0
      const lane = async () => {
        while (next < ranges.length) {
          const { number, first, last } = ranges[next++]!
          const answer = await this.#retry.run('UploadPartCopy', path, signal, () =>
            this.#connection.send(
              new sdk.UploadPartCopyCommand({
                ...address,
                UploadId,
                PartNumber: number,
                CopySource: this.#sourceOf(source.key),
                CopySourceRange: `bytes=${first}-${last}`,
              }),
              path,
              { signal, silenceMs: COPY_SILENCE_MS },
            ),
          )
          const ETag = answer.CopyPartResult?.ETag
          if (ETag === undefined)
            throw new AlluxioError('UNAVAILABLE', `rename ${path}: a copied part has no etag`)
          parts.push({ PartNumber: number, ETag })
        }
      }
      await Promise.all(Array.from({ length: PARTS_AT_ONCE }, lane))
      parts.sort((a, b) => a.PartNumber - b.PartNumber)
      await this.#retry.run('CompleteMultipartUpload', path, signal, () =>
        this.#connection.send(
          new sdk.CompleteMultipartUploadCommand({ ...address, UploadId, MultipartUpload: { Parts: parts } }),
          path,
          { signal, silenceMs: COPY_SILENCE_MS },
        ),
      )
    } catch (error) {
      await this.#connection
        .send(new sdk.AbortMultipartUploadCommand({ ...address, UploadId }), path)
        .catch(() => {})
      throw error
    }
  }

  #sourceOf(key: string): string {
    return `${this.#connection.bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  }
}
