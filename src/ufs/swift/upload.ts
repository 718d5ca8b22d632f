/**
 * What a written file is to Swift: one PUT when it is no larger than a segment, else segments and a manifest at the end. Each request is retried by itself. What the new object replaces loses its segments.
 */
import { createHash, type Hash } from 'node:crypto'
import { AlluxioError, errorCode, isAlluxioError, type Log } from '../../core/index.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import type { PartTarget, PartWrite } from '../part-writer.ts'
import type { UfsCreateOptions } from '../store.ts'
import { isMissing, objectPath, type SwiftConnection } from './client.ts'
import { BULK_SILENCE_MS, type LargeObjects, SEGMENTS, type Segment } from './large-objects.ts'
import { EMPTY, headOf, metadataHeaders, type ObjectHead } from './metadata.ts'

/** An object up to this size is sent at once under the condition that nothing is there; sending it again costs little. */
const TENTATIVE_BYTES = 2 ** 20

export interface SwiftUploadOptions extends UfsCreateOptions {
  readonly path: string
  readonly key: string
  readonly segmentBytes: number
  readonly checksum: boolean
}

export interface SwiftUploadModules {
  readonly connection: SwiftConnection
  readonly large: LargeObjects
  readonly retry: RetryPolicy
  readonly log: Log
  readonly write: PartWrite
}

export class SwiftUpload implements PartTarget {
  readonly #options: SwiftUploadOptions
  readonly #modules: SwiftUploadModules
  readonly #signal: AbortSignal
  /** Of the part that comes in. */
  #hash: Hash | undefined
  /** What stands at the path before; asked early for what is not small. */
  #before: Promise<ObjectHead | undefined> | undefined
  /** Settles when it is known whether segments may be sent. */
  #allowed: Promise<void> | undefined
  readonly #segments: Segment[] = []
  #nested: string[] = []
  /** The manifest was sent and its outcome is not known: it may name the segments. */
  #uncertain = false

  constructor(options: SwiftUploadOptions, modules: SwiftUploadModules) {
    this.#options = options
    this.#modules = modules
    this.#signal = modules.write.signal
  }

  partBytes(): number {
    return this.#options.segmentBytes
  }

  took(piece: Uint8Array, length: number): void {
    if (this.#options.checksum) {
      // Piece by piece as they come: a whole segment at once would hold up everybody else.
      this.#hash ??= createHash('md5')
      this.#hash.update(piece)
    }
    if (length > TENTATIVE_BYTES && this.#before === undefined) {
      this.#before = this.#lookBefore()
      this.#before.catch(() => {})
    }
  }

  async put(body: readonly Uint8Array[], bytes: number): Promise<string> {
    const { ifAbsent, metadata, path } = this.#options
    const headers = {
      ...this.#checksum(),
      'content-type': bytes === 0 ? EMPTY : 'application/octet-stream',
      ...metadataHeaders(metadata, this.#modules.write.id),
    }
    if (bytes <= TENTATIVE_BYTES) {
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

  async send(number: number, body: readonly Uint8Array[], bytes: number): Promise<void> {
    const { connection, large } = this.#modules
    const { path } = this.#options
    const signal = this.#signal
    const checksum = this.#checksum()
    // None is on its way when the write is refused: what a server has taken over it may store after it was told to forget it.
    this.#allowed ??= this.#refuse()
    await this.#allowed
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
    const signal = this.#signal
    const { segments } = await retry.run('Info', this.#options.path, signal, () =>
      connection.abilities(signal),
    )
    return segments
  }

  async complete(): Promise<string> {
    const { large } = this.#modules
    const { path, metadata } = this.#options
    const most = await this.#mostSegments()
    const manifest = this.#segments.length <= most ? this.#segments : await this.#nest(most)
    const replaced = await this.#replaced()
    const etag = await this.#appear('PutManifest', {
      headers: this.#conditional({
        'content-type': 'application/octet-stream',
        ...metadataHeaders(metadata, this.#modules.write.id),
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
    const signal = this.#signal
    const container = connection.segmentContainer
    const nested: Segment[] = []
    for (let at = 0; at < this.#segments.length; at += most) {
      const part = this.#segments.slice(at, at + most)
      const key = `${SEGMENTS}/${this.#modules.write.id}/manifest-${String(nested.length).padStart(4, '0')}`
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
    const signal = this.#signal
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
    return this.#modules.retry.run('HeadObject', path, this.#signal, () => this.#head())
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
        signal: this.#signal,
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
    const signal = this.#signal
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
        if (head?.writeId === this.#modules.write.id) return head.etag
        throw this.#exists(error)
      }
    })
  }

  #segmentKey(number: number): string {
    return `${SEGMENTS}/${this.#modules.write.id}/${String(number).padStart(8, '0')}`
  }

  /** Of all pieces since the part before. */
  #checksum(): Record<string, string> {
    const { checksum } = this.#options
    if (!checksum) return {}
    const etag = (this.#hash ?? createHash('md5')).digest('hex')
    this.#hash = undefined
    return { etag }
  }

  #exists(cause?: unknown): AlluxioError {
    return new AlluxioError('ALREADY_EXISTS', `create ${this.#options.path}: it exists`, { cause })
  }

  async discard(parts: number): Promise<void> {
    if (parts === 0) return
    const { connection, large, log } = this.#modules
    if (this.#uncertain) {
      log.warn('a manifest was sent and not answered: its segments stay', {
        path: this.#options.path,
        segments: `${SEGMENTS}/${this.#modules.write.id}`,
      })
      return
    }
    const keys = Array.from({ length: parts }, (_, number) => this.#segmentKey(number))
    const objects = [...this.#nested, ...keys].map((key) => objectPath(connection.segmentContainer, key))
    await large.discard(objects, this.#options.path)
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
