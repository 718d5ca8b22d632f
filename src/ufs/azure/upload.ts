/**
 * What a written file is to Azure: one Put Blob when it is small, else blocks and a list that makes them the blob in one step.
 * Each request is retried by itself, and one whose answer was lost is recognised by an id in the blob's metadata, so that a
 * conditional create that succeeded is never taken for one that lost the race. Blocks of an aborted write are nowhere
 * visible; the service drops them after a week, or when the blob is written.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { unquoted } from '../http-transport/object-read.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import type { PartTarget, PartWrite } from '../part-writer.ts'
import type { UfsCreateOptions } from '../store.ts'
import type { AzureClient } from './client.ts'
import { metadataHeaders } from './metadata.ts'

/** Metadata name of the id; not shown to users. */
export const WRITE_ID = 'alluxiowriteid'
const MOST_BLOCKS = 50_000
const LARGEST_BLOCK_BYTES = 4000 * 2 ** 20
const COMMIT_SILENCE_MS = 120_000
/** Blocks after which the size of a block doubles when the length is not known: 50,000 reach 57 TiB. */
const DOUBLING_BLOCKS = 5000

export interface AzureUploadOptions extends UfsCreateOptions {
  readonly path: string
  readonly key: string
  readonly leastBlockBytes: number
}

export interface AzureUploadModules {
  readonly client: AzureClient
  readonly retry: RetryPolicy
  readonly write: PartWrite
}

/** Size in bytes of block `number` (from 0). */
export function blockBytes(number: number, leastBytes: number, lengthHint: number | undefined): number {
  const planned = lengthHint === undefined ? 0 : Math.ceil(lengthHint / (MOST_BLOCKS - 10_000))
  const grown = Math.max(leastBytes, planned) * 2 ** Math.min(20, Math.floor(number / DOUBLING_BLOCKS))
  return Math.min(LARGEST_BLOCK_BYTES, lengthHint === undefined ? grown : Math.max(leastBytes, planned))
}

export class AzureUpload implements PartTarget {
  readonly #options: AzureUploadOptions
  readonly #m: AzureUploadModules
  /** A large upload that must fail at its end may as well fail before its first byte. */
  #absent: Promise<void> | undefined
  #blocks = 0

  constructor(options: AzureUploadOptions, modules: AzureUploadModules) {
    this.#options = options
    this.#m = modules
  }

  partBytes(number: number): number {
    return blockBytes(number, this.#options.leastBlockBytes, this.#options.sizeHint)
  }

  put(body: readonly Uint8Array[]): Promise<string> {
    return this.#visible('PutBlob', { headers: { 'x-ms-blob-type': 'BlockBlob' }, body })
  }

  async send(number: number, body: readonly Uint8Array[]): Promise<void> {
    const { client, retry, write } = this.#m
    const { path, key, ifAbsent } = this.#options
    const { signal } = write
    if (number >= MOST_BLOCKS) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `create ${path}: a blob has at most ${MOST_BLOCKS} blocks; give the length in advance, or raise alluxio.underfs.azure.upload.block.size`,
        { reason: 'TOO_LARGE' },
      )
    }
    this.#blocks = number + 1
    if (ifAbsent === true) {
      this.#absent ??= this.#refuseExisting()
      await this.#absent
    }
    const query = { comp: 'block', blockid: this.#blockId(number) }
    await retry.run('PutBlock', path, signal, () =>
      client.send({ api: 'PutBlock', method: 'PUT', key, path, signal, query, body }),
    )
  }

  async complete(): Promise<string> {
    let list = '<?xml version="1.0" encoding="utf-8"?><BlockList>'
    for (let i = 0; i < this.#blocks; i++) list += `<Uncommitted>${this.#blockId(i)}</Uncommitted>`
    const body = [Buffer.from(`${list}</BlockList>`)]
    return this.#visible('PutBlockList', { query: { comp: 'blocklist' }, body })
  }

  async #refuseExisting(): Promise<void> {
    if ((await this.#head()) !== undefined) throw this.#exists()
  }

  /** The request that makes the blob appear; finds out whether an attempt without answer did so. */
  #visible(
    api: string,
    request: {
      readonly query?: Readonly<Record<string, string>>
      readonly headers?: Readonly<Record<string, string>>
      readonly body: readonly Uint8Array[]
    },
  ): Promise<string> {
    const { client, retry } = this.#m
    const { path, key, ifAbsent, metadata } = this.#options
    const { signal } = this.#m.write
    const headers = {
      ...request.headers,
      'content-type': 'application/octet-stream',
      ...metadataHeaders({ ...metadata, [WRITE_ID]: this.#m.write.id }),
      ...(ifAbsent === true ? { 'if-none-match': '*' } : {}),
    }
    const sent = {
      ...request,
      api,
      method: 'PUT',
      key,
      path,
      signal,
      headers,
      silenceMs: COMMIT_SILENCE_MS,
    } as const
    return retry.run(api, path, signal, async (attempt) => {
      try {
        return unquoted((await client.send(sent)).headers.etag)
      } catch (error) {
        if (!isAlluxioError(error, 'CONFLICT')) throw error
        const head = attempt > 0 ? await this.#head() : undefined
        if (head?.writeId === this.#m.write.id) return head.etag
        if (ifAbsent === true) throw this.#exists(error)
        if (error.reason !== 'BLOCKS_GONE') throw error
        throw new AlluxioError(
          'CONFLICT',
          `create ${path}: another writer has written it meanwhile, which drops the blocks of this one: write it again`,
          { reason: 'BLOCKS_GONE', cause: error },
        )
      }
    })
  }

  async #head(): Promise<{ readonly etag: string; readonly writeId: string | undefined } | undefined> {
    const { client, retry } = this.#m
    const { path, key } = this.#options
    const { signal } = this.#m.write
    try {
      const { headers } = await retry.run('GetBlobProperties', path, signal, () =>
        client.ask({ api: 'GetBlobProperties', method: 'HEAD', key, path, signal }),
      )
      return { etag: unquoted(headers.etag), writeId: headers[`x-ms-meta-${WRITE_ID}`] }
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }

  /** All of one length, as the service demands, and of this writer alone. */
  #blockId(number: number): string {
    return Buffer.from(`${this.#m.write.id}${String(number).padStart(6, '0')}`).toString('base64')
  }

  #exists(cause?: unknown): AlluxioError {
    return new AlluxioError('ALREADY_EXISTS', `create ${this.#options.path}: it exists`, { cause })
  }
}
