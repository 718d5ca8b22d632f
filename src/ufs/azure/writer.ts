/**
 * Writes a blob: one Put Blob when it is small, else blocks in parallel and a list that makes them the blob in one step.
 * Each request is retried by itself, and one whose answer was lost is recognised by an id in the blob's metadata, so that a
 * conditional create that succeeded is never taken for one that lost the race. Blocks of an aborted write are nowhere
 * visible; the service drops them after a week, or when the blob is written.
 */
import { AlluxioError, isAlluxioError, type Runtime } from '../../core/index.ts'
import { unquoted } from '../http-transport/object-read.ts'
import { cancelled, type RetryPolicy } from '../layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from '../store.ts'
import type { AzureClient } from './client.ts'
import { metadataHeaders } from './metadata.ts'

/** Metadata name of the id; not shown to users. */
export const WRITE_ID = 'alluxiowriteid'
/** Bytes of blocks under way at once, at most. */
const IN_FLIGHT_BYTES = 256 * 2 ** 20
const MOST_BLOCKS = 50_000
const LARGEST_BLOCK_BYTES = 4000 * 2 ** 20
const COMMIT_SILENCE_MS = 120_000
/** Blocks after which the size of a block doubles when the length is not known: 50,000 reach 57 TiB. */
const DOUBLING_BLOCKS = 5000

export interface AzureWriterOptions extends UfsCreateOptions {
  readonly path: string
  readonly key: string
  readonly leastBlockBytes: number
  /** Blocks under way at once. */
  readonly uploads: number
}

export interface AzureWriterModules {
  readonly client: AzureClient
  readonly retry: RetryPolicy
  readonly runtime: Runtime
}

/** Size in bytes of block `number` (from 0). */
export function blockBytes(number: number, leastBytes: number, lengthHint: number | undefined): number {
  const planned = lengthHint === undefined ? 0 : Math.ceil(lengthHint / (MOST_BLOCKS - 10_000))
  const grown = Math.max(leastBytes, planned) * 2 ** Math.min(20, Math.floor(number / DOUBLING_BLOCKS))
  return Math.min(LARGEST_BLOCK_BYTES, lengthHint === undefined ? grown : Math.max(leastBytes, planned))
}

export class AzureWriter implements UfsWriter {
  readonly #options: AzureWriterOptions
  readonly #m: AzureWriterModules
  readonly #writeId: string
  readonly #abort = new AbortController()
  readonly #onAbort: () => void
  #chunks: Uint8Array[] = []
  #chunksBytes = 0
  #length = 0
  #target: number
  #blocks = 0
  readonly #inFlight = new Set<Promise<void>>()
  #error: unknown
  #closed = false

  constructor(options: AzureWriterOptions, modules: AzureWriterModules) {
    this.#options = options
    this.#m = modules
    this.#writeId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(12))).toString('hex')
    this.#target = blockBytes(0, options.leastBlockBytes, options.sizeHint)
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
      await this.#startBlock()
      if (this.#error !== undefined) throw await this.#failed(this.#error)
    }
    this.#take(rest)
    if (this.#error !== undefined) throw await this.#failed(this.#error)
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    try {
      const etag = this.#blocks === 0 ? await this.#put() : await this.#commit()
      this.#finish()
      return {
        path: this.#options.path,
        directory: false,
        length: this.#length,
        modifiedMs: this.#m.runtime.now(),
        fingerprint: etag,
        metadata: this.#options.metadata ?? {},
      }
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async abort(): Promise<void> {
    if (!this.#closed) await this.#failed(undefined)
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

  #put(): Promise<string> {
    const body = this.#chunks
    return this.#visible('PutBlob', {
      headers: { 'x-ms-blob-type': 'BlockBlob' },
      body,
    })
  }

  async #startBlock(): Promise<void> {
    const { path, ifAbsent, leastBlockBytes, sizeHint, uploads } = this.#options
    const body = this.#chunks
    const bytes = this.#chunksBytes
    const number = this.#blocks++
    if (number >= MOST_BLOCKS) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `create ${path}: a blob has at most ${MOST_BLOCKS} blocks; give the length in advance, or raise alluxio.underfs.azure.upload.block.size`,
        { reason: 'TOO_LARGE' },
      )
    }
    this.#chunks = []
    this.#chunksBytes = 0
    this.#target = blockBytes(number + 1, leastBlockBytes, sizeHint)
    // A large upload that must fail at its end may as well fail before its first byte.
    if (number === 0 && ifAbsent === true && (await this.#head()) !== undefined) {
      this.#error = this.#exists()
      return
    }
    const sending = this.#sendBlock(number, body)
      .catch((error: unknown) => {
        this.#error ??= error
      })
      .finally(() => this.#inFlight.delete(sending))
    this.#inFlight.add(sending)
    const most = Math.max(1, Math.min(uploads, Math.floor(IN_FLIGHT_BYTES / bytes)))
    while (this.#inFlight.size >= most && this.#error === undefined) await Promise.race(this.#inFlight)
  }

  async #sendBlock(number: number, body: readonly Uint8Array[]): Promise<void> {
    const { client, retry } = this.#m
    const { path, key } = this.#options
    const { signal } = this.#abort
    const query = { comp: 'block', blockid: this.#blockId(number) }
    await retry.run('PutBlock', path, signal, () =>
      client.send({ api: 'PutBlock', method: 'PUT', key, path, signal, query, body }),
    )
  }

  async #commit(): Promise<string> {
    if (this.#chunksBytes > 0) await this.#startBlock()
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
    if (this.#error !== undefined) throw this.#error
    let list = '<?xml version="1.0" encoding="utf-8"?><BlockList>'
    for (let i = 0; i < this.#blocks; i++) list += `<Uncommitted>${this.#blockId(i)}</Uncommitted>`
    const body = [Buffer.from(`${list}</BlockList>`)]
    return this.#visible('PutBlockList', { query: { comp: 'blocklist' }, body })
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
    const { signal } = this.#abort
    const headers = {
      ...request.headers,
      'content-type': 'application/octet-stream',
      ...metadataHeaders({ ...metadata, [WRITE_ID]: this.#writeId }),
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
        if (head?.writeId === this.#writeId) return head.etag
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
    const { signal } = this.#abort
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
    return Buffer.from(`${this.#writeId}${String(number).padStart(6, '0')}`).toString('base64')
  }

  #exists(cause?: unknown): AlluxioError {
    return new AlluxioError('ALREADY_EXISTS', `create ${this.#options.path}: it exists`, { cause })
  }

  async #failed(error: unknown): Promise<unknown> {
    this.#abort.abort()
    await Promise.allSettled(this.#inFlight)
    this.#finish()
    return error
  }

  #finish(): void {
    this.#closed = true
    this.#chunks = []
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
