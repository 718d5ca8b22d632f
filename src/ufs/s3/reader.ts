/** Reads a range of an object. What the server promised (Content-Range) is held against what came. */
import type { IncomingMessage } from 'node:http'
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { ChunkSource } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsReadOptions } from '../store.ts'
import type { S3Connection } from './client.ts'

/** Bytes that may wait for a slow reader before the connection is held back. */
const HIGH_WATER = 2 ** 20
/** Ranges beyond this are asked for without an end: no object is larger. */
const LARGEST_OBJECT = 50 * 2 ** 40

export interface S3ReadModules {
  readonly connection: S3Connection
  /** Whether the path is a directory: asked when there is no such object. */
  readonly isDirectory: (path: string, signal: AbortSignal | undefined) => Promise<boolean>
}

export function unquoted(etag: string | undefined): string {
  return etag === undefined ? '' : etag.replace(/^(W\/)?"(.*)"$/, '$2')
}

export class S3Read implements ChunkSource {
  readonly #path: string
  readonly #key: string
  readonly #options: UfsReadOptions
  readonly #modules: S3ReadModules
  #body: Body | undefined
  #ended = false

  constructor(path: string, key: string, options: UfsReadOptions, modules: S3ReadModules) {
    this.#path = path
    this.#key = key
    this.#options = options
    this.#modules = modules
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#ended) return { done: true, value: undefined }
    if (this.#body === undefined) {
      this.#body = await this.#request()
      if (this.#body === undefined) {
        this.#ended = true
        return { done: true, value: undefined }
      }
    }
    return this.#body.next()
  }

  async return(): Promise<void> {
    this.#ended = true
    this.#body?.destroy()
  }

  async #request(): Promise<Body | undefined> {
    const { offset, length, fingerprint, signal } = this.#options
    if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
    const { connection } = this.#modules
    const whole = offset === 0 && length >= LARGEST_OBJECT
    const end = length >= LARGEST_OBJECT ? '' : offset + Math.max(length, 1) - 1
    const command = new connection.sdk.GetObjectCommand({
      Bucket: connection.bucket,
      Key: this.#key,
      ...(whole ? {} : { Range: `bytes=${offset}-${end}` }),
      ...(fingerprint === undefined ? {} : { IfMatch: `"${fingerprint}"` }),
    })
    try {
      const answer = await connection.send(command, this.#path, { signal })
      this.#options.onFingerprint?.(unquoted(answer.ETag))
      const total = totalLength(answer.ContentRange)
      const body = answer.Body as unknown as IncomingMessage
      const partial = answer.$metadata.httpStatusCode === 206
      // A server that ignores ranges sends everything: what was not asked for is dropped here.
      const skip = partial ? 0 : offset
      const available = (partial ? total : answer.ContentLength) ?? Number.POSITIVE_INFINITY
      return new Body(body, skip, Math.max(0, Math.min(length, available - offset)), this.#path, signal)
    } catch (error) {
      if (isAlluxioError(error, 'OUT_OF_RANGE')) return undefined
      throw await this.#explained(error)
    }
  }

  async #explained(error: unknown): Promise<unknown> {
    const { fingerprint, signal } = this.#options
    if (isAlluxioError(error, 'CONFLICT')) {
      return new AlluxioError(
        'CONFLICT',
        `${this.#path} has changed in the under-store: refresh its metadata`,
        {
          reason: 'SOURCE_CHANGED',
          details: { expected: fingerprint },
          cause: error,
        },
      )
    }
    const missing = isAlluxioError(error, 'NOT_FOUND') && error.reason !== 'BUCKET_MISSING'
    if (missing && (await this.#modules.isDirectory(this.#path, signal))) {
      return new AlluxioError('IS_A_DIRECTORY', `${this.#path} is a directory`, { cause: error })
    }
    return error
  }
}

/** Total length of the object from `bytes 0-9/100`. */
function totalLength(contentRange: string | undefined): number | undefined {
  const match = /\/(\d+)$/.exec(contentRange ?? '')
  return match === null ? undefined : Number(match[1])
}

/** The chunks of a body as they come from the socket, without the bookkeeping of a stream's iterator. */
class Body {
  readonly #incoming: IncomingMessage
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: () => void
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #skip: number
  /** Bytes that are still to come. */
  #missing: number
  #error: AlluxioError | undefined
  #waiting: { resolve(result: IteratorResult<Uint8Array>): void; reject(error: unknown): void } | undefined
  #paused = false
  #ended = false

  constructor(
    incoming: IncomingMessage,
    skip: number,
    expected: number,
    path: string,
    signal: AbortSignal | undefined,
  ) {
    this.#incoming = incoming
    this.#skip = skip
    this.#missing = expected
    this.#path = path
    this.#signal = signal
    this.#onAbort = () => this.#fail(cancelled(signal, 'open', path))
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    incoming.on('data', (chunk: Uint8Array) => this.#arrived(chunk))
    incoming.once('end', () => this.#end())
    incoming.once('error', (error: NodeJS.ErrnoException) => this.#broken(error.code ?? error.message))
    incoming.once('close', () => {
      if (!this.#ended) this.#broken('the connection was closed')
    })
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length
      if (this.#paused && this.#queuedBytes < HIGH_WATER / 2) {
        this.#paused = false
        this.#incoming.resume()
      }
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  destroy(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (this.#ended) return
    this.#ended = true
    this.#queue = []
    this.#incoming.on('error', () => {})
    this.#incoming.destroy()
  }

  #arrived(given: Uint8Array): void {
    if (this.#ended) return
    let chunk = given
    if (this.#skip > 0) {
      const dropped = Math.min(this.#skip, chunk.length)
      this.#skip -= dropped
      chunk = chunk.subarray(dropped)
    }
    if (chunk.length > this.#missing) chunk = chunk.subarray(0, this.#missing)
    if (chunk.length === 0) return
    this.#missing -= chunk.length
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting
      this.#waiting = undefined
      resolve({ done: false, value: chunk })
      return
    }
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes > HIGH_WATER && this.#missing > 0) {
      this.#paused = true
      this.#incoming.pause()
    }
  }

  #end(): void {
    if (this.#ended) return
    if (this.#missing > 0 && this.#missing !== Number.POSITIVE_INFINITY) {
      this.#broken('the body is too short')
      return
    }
    this.#ended = true
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#waiting?.resolve({ done: true, value: undefined })
    this.#waiting = undefined
  }

  #broken(what: string): void {
    this.#fail(
      new AlluxioError(
        'UNAVAILABLE',
        `GetObject ${this.#path}: the body broke off (${what}), ${this.#missing} bytes are missing`,
        {
          reason: 'TRUNCATED',
        },
      ),
    )
  }

  /** What has arrived before is still handed out, so that a resumed read does not fetch it again. */
  #fail(error: AlluxioError): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#incoming.on('error', () => {})
    this.#incoming.destroy()
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
