/**
 * Writes an object: one PUT when it is no larger than a segment, else segments in parallel and a manifest at the end, which
 * makes the object appear whole. Each request is retried by itself. What the new object replaces loses its segments.
 */
import { createHash, type Hash } from 'node:crypto'
import { AlluxioError, errorCode, isAlluxioError, type Log, type Runtime } from '../../core/index.ts'
import { cancelled, type RetryPolicy } from '../layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from '../store.ts'
import { isMissing, objectPath, type SwiftConnection } from './client.ts'
import { BULK_SILENCE_MS, type LargeObjects, type Segment } from './large-objects.ts'
import { EMPTY, headOf, metadataHeaders, type ObjectHead } from './metadata.ts'

/** An object up to this size is sent at once under the condition that nothing is there; sending it again costs little. */
const TENTATIVE_BYTES = 2 ** 20
/** Bytes of segments under way at once, at most. */
const IN_FLIGHT_BYTES = 256 * 2 ** 20
/** Folder of segments in their container. */
const SEGMENTS = 'alluxio'

export interface SwiftWriterOptions extends UfsCreateOptions {
  readonly path: string
  readonly key: string
  readonly segmentBytes: number
  /** Segments under way at once. */
  readonly uploads: number
  readonly checksum: boolean
}

export interface SwiftWriterModules {
  readonly connection: SwiftConnection
  readonly large: LargeObjects
  readonly retry: RetryPolicy
  readonly runtime: Runtime
  readonly log: Log
}

export class SwiftWriter implements UfsWriter {
  readonly #options: SwiftWriterOptions
  readonly #modules: SwiftWriterModules
  readonly #writeId: string
  readonly #abort = new AbortController()
  readonly #onAbort: () => void
  #chunks: Uint8Array[] = []
  #chunksBytes = 0
  #hash: Hash | undefined
  #length = 0
  /** What stands at the path before; asked early for what is not small. */
  #before: Promise<ObjectHead | undefined> | undefined
  readonly #segments: Segment[] = []
  readonly #inFlight = new Set<Promise<void>>()
  #begun = 0
  #nested: string[] = []
  /** The manifest was sent and its outcome is not known: it may name the segments. */
  #uncertain = false
  #error: unknown
  #closed = false

  constructor(options: SwiftWriterOptions, modules: SwiftWriterModules) {
    this.#options = options
    this.#modules = modules
    this.#writeId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(12))).toString('hex')
    this.#onAbort = () => this.#abort.abort(options.signal?.reason)
    if (options.signal?.aborted) this.#onAbort()
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    const { segmentBytes } = this.#options
    let rest = chunk
    // A segment is sent when a byte follows it: what fits into one is a plain object.
    while (this.#chunksBytes + rest.length > segmentBytes) {
      const taken = segmentBytes - this.#chunksBytes
      this.#take(rest.subarray(0, taken))
      rest = rest.subarray(taken)
      await this.#startSegment()
      if (this.#error !== undefined) throw await this.#failed(this.#error)
    }
    this.#take(rest)
    if (this.#error !== undefined) throw await this.#failed(this.#error)
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    try {
      const etag = await (this.#begun === 0 ? this.#put() : this.#complete())
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
    if (this.#options.checksum) {
      // Chunk by chunk as they come: a whole segment at once would hold up everybody else.
      this.#hash ??= createHash('md5')
      this.#hash.update(chunk)
    }
    if (this.#length > TENTATIVE_BYTES && this.#before === undefined) {
      this.#before = this.#lookBefore()
      this.#before.catch(() => {})
    }
  }

  #check(): void {
    const { path, signal } = this.#options
    if (this.#closed) throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: the writer is closed`)
    if (signal?.aborted) throw cancelled(signal, 'create', path)
  }

  async #put(): Promise<string> {
    const { ifAbsent, metadata, path } = this.#options
    const body = this.#chunks
    const headers = {
      ...this.#checksum(),
      'content-type': this.#length === 0 ? EMPTY : 'application/octet-stream',
      ...metadataHeaders(metadata, this.#writeId),
    }
    if (this.#length <= TENTATIVE_BYTES) {
      try {
        return await this.#appear('PutObject', { headers: { ...headers, 'if-none-match': '*' }, body })
      } catch (error) {
        if (ifAbsent === true || !isAlluxioError(error, 'ALREADY_EXISTS')) throw error
      }
    }
    const replaced = await this.#replaced()
    const etag = await this.#appear('PutObject', { headers: this.#conditional(headers), body })
    await this.#modules.large.discard(replaced, path)
    return etag
  }

  #conditional(headers: Record<string, string>): Record<string, string> {
    return this.#options.ifAbsent === true ? { ...headers, 'if-none-match': '*' } : headers
  }

  async #startSegment(): Promise<void> {
    const { segmentBytes, uploads } = this.#options
    const body = this.#chunks
    const bytes = this.#chunksBytes
    const checksum = this.#checksum()
    const number = this.#begun++
    this.#chunks = []
    this.#chunksBytes = 0
    this.#hash = undefined
    const sending = this.#sendSegment(number, body, bytes, checksum)
      .catch((error: unknown) => {
        this.#error ??= error
      })
      .finally(() => this.#inFlight.delete(sending))
    this.#inFlight.add(sending)
    const most = Math.max(1, Math.min(uploads, Math.floor(IN_FLIGHT_BYTES / segmentBytes)))
    while (this.#inFlight.size >= most && this.#error === undefined) await Promise.race(this.#inFlight)
  }

  async #sendSegment(
    number: number,
    body: readonly Uint8Array[],
    bytes: number,
    checksum: Record<string, string>,
  ): Promise<void> {
    const { connection, large } = this.#modules
    const { path } = this.#options
    const signal = this.#abort.signal
    if (number === 0) await this.#refuse()
    const container = connection.segmentContainer
    const key = this.#segmentKey(number)
    const put = () =>
      connection.send({
        api: 'PutSegment',
        method: 'PUT',
        container,
        key,
        path,
        headers: { ...checksum, 'content-type': 'application/octet-stream' },
        body,
        signal,
      })
    const { headers } = await this.#modules.retry.run('PutSegment', path, signal, async () => {
      try {
        return await put()
      } catch (error) {
        if (!isAlluxioError(error, 'NOT_FOUND')) throw error
        await large.makeSegmentContainer(path)
        return put()
      }
    })
    this.#segments[number] = { container, key, etag: (headers.etag ?? '').replaceAll('"', ''), bytes }
  }

  /** A large upload that must fail at its end may as well fail at its beginning. */
  async #refuse(): Promise<void> {
    const { ifAbsent, path } = this.#options
    if (ifAbsent === true && (await this.#before) !== undefined) throw this.#exists()
    if ((await this.#mostSegments()) > 0) return
    throw new AlluxioError(
      'UNSUPPORTED',
      `create ${path}: the server has no static large objects (middleware slo): set alluxio.underfs.swift.segment.size to the size of the largest file, at most 5 GiB`,
    )
  }

  async #mostSegments(): Promise<number> {
    const { connection, retry } = this.#modules
    const signal = this.#abort.signal
    const { segments } = await retry.run('Info', this.#options.path, signal, () =>
      connection.abilities(signal),
    )
    return segments
  }

  async #complete(): Promise<string> {
    const { large } = this.#modules
    const { path, metadata } = this.#options
    if (this.#chunksBytes > 0) await this.#startSegment()
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
    if (this.#error !== undefined) throw this.#error
    const most = await this.#mostSegments()
    const manifest = this.#segments.length <= most ? this.#segments : await this.#nest(most)
    const replaced = await this.#replaced()
    const etag = await this.#appear('PutManifest', {
      headers: this.#conditional({
        'content-type': 'application/octet-stream',
        ...metadataHeaders(metadata, this.#writeId),
      }),
      body: [manifestBody(manifest)],
      query: 'multipart-manifest=put',
      silenceMs: BULK_SILENCE_MS,
    })
    await large.discard(replaced, path)
    return etag
  }

  /** Manifests of manifests, so that segments need not grow with the file and memory stays as it is. */
  async #nest(most: number): Promise<Segment[]> {
    const { connection, retry } = this.#modules
    const { path } = this.#options
    const signal = this.#abort.signal
    const container = connection.segmentContainer
    const nested: Segment[] = []
    for (let at = 0; at < this.#segments.length; at += most) {
      const part = this.#segments.slice(at, at + most)
      const key = `${SEGMENTS}/${this.#writeId}/manifest-${String(nested.length).padStart(4, '0')}`
      this.#nested.push(key)
      const { headers } = await retry.run('PutManifest', path, signal, () =>
        connection.send({
          api: 'PutManifest',
          method: 'PUT',
          container,
          key,
          path,
          query: 'multipart-manifest=put',
          body: [manifestBody(part)],
          signal,
          silenceMs: BULK_SILENCE_MS,
        }),
      )
      const bytes = part.reduce((sum, segment) => sum + segment.bytes, 0)
      nested.push({ container, key, etag: (headers.etag ?? '').replaceAll('"', ''), bytes })
    }
    return nested
  }

  /** Segments of the object that is to be replaced. */
  async #replaced(): Promise<string[]> {
    const { large, retry } = this.#modules
    const { ifAbsent, key, path } = this.#options
    const signal = this.#abort.signal
    if (ifAbsent === true) return []
    const before = await (this.#before ?? this.#lookBefore())
    if (before?.large !== true) return []
    try {
      return await retry.run('GetManifest', path, signal, () => large.owned(key, path, signal))
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  }

  #lookBefore(): Promise<ObjectHead | undefined> {
    const { path } = this.#options
    return this.#modules.retry.run('HeadObject', path, this.#abort.signal, () => this.#head())
  }

  async #head(): Promise<ObjectHead | undefined> {
    const { connection } = this.#modules
    const { key, path } = this.#options
    const { container } = connection
    try {
      const { headers } = await connection.ask({
        api: 'HeadObject',
        method: 'HEAD',
        container,
        key,
        path,
        signal: this.#abort.signal,
      })
      return headOf(headers)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Sends what makes the object appear, and finds out whether an attempt without answer did so. */
  #appear(
    api: string,
    request: {
      readonly headers: Record<string, string>
      readonly body: readonly Uint8Array[]
      readonly query?: string
      readonly silenceMs?: number
    },
  ): Promise<string> {
    const { connection, retry } = this.#modules
    const { key, path } = this.#options
    const { container } = connection
    const signal = this.#abort.signal
    return retry.run(api, path, signal, async (attempt) => {
      try {
        const { headers } = await connection.send({
          api,
          method: 'PUT',
          container,
          key,
          path,
          signal,
          ...request,
        })
        return (headers.etag ?? '').replaceAll('"', '')
      } catch (error) {
        if (['UNAVAILABLE', 'TIMEOUT', 'CANCELLED'].includes(errorCode(error))) this.#uncertain = true
        if (!isAlluxioError(error, 'CONFLICT')) throw error
        const head = attempt > 0 ? await this.#head() : undefined
        if (head?.writeId === this.#writeId) return head.etag
        throw this.#exists(error)
      }
    })
  }

  #segmentKey(number: number): string {
    return `${SEGMENTS}/${this.#writeId}/${String(number).padStart(8, '0')}`
  }

  #checksum(): Record<string, string> {
    const { checksum } = this.#options
    if (!checksum) return {}
    return { etag: (this.#hash ?? createHash('md5')).digest('hex') }
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
    if (this.#begun === 0) return
    const { connection, large, log } = this.#modules
    if (this.#uncertain) {
      log.warn('a manifest was sent and not answered: its segments stay', {
        path: this.#options.path,
        segments: `${SEGMENTS}/${this.#writeId}`,
      })
      return
    }
    const keys = Array.from({ length: this.#begun }, (_, number) => this.#segmentKey(number))
    const objects = [...this.#nested, ...keys].map((key) => objectPath(connection.segmentContainer, key))
    await large.discard(objects, this.#options.path)
  }

  #finish(): void {
    this.#closed = true
    this.#chunks = []
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}

/** The server checks that the segments are the ones that were sent. */
function manifestBody(segments: readonly Segment[]): Uint8Array {
  const items = segments.map(({ container, key, etag, bytes }) => ({
    path: `/${container}/${key}`,
    etag,
    size_bytes: bytes,
  }))
  return Buffer.from(JSON.stringify(items))
}
