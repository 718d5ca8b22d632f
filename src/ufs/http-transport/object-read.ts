/** Reads a range of an object. What the server promised (Content-Range) is held against what came. */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { ChunkSource } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsReadOptions } from '../store.ts'
import type { Body } from './body.ts'

/** Ranges beyond this are asked for without an end: no object is larger. */
const LARGEST_OBJECT = 50 * 2 ** 40

export interface GetOptions {
  /** As the header: `bytes=0-9`. */
  readonly range?: string
  /** An ETag with its quotes. */
  readonly ifMatch?: string
  readonly signal: AbortSignal | undefined
}

export interface ObjectBytes {
  readonly etag: string | undefined
  /** As the header: `bytes 0-9/100`. */
  readonly contentRange: string | undefined
  readonly contentLength: number | undefined
  /** Whether the server heeded the range. */
  readonly partial: boolean
  readonly body: Body
}

export interface ObjectReadModules {
  /** @throws AlluxioError: OUT_OF_RANGE, CONFLICT when `ifMatch` does not */
  readonly get: (options: GetOptions) => Promise<ObjectBytes>
  /** Whether the path is a directory: asked when there is no such object. */
  readonly isDirectory: (path: string, signal: AbortSignal | undefined) => Promise<boolean>
}

export function unquoted(etag: string | undefined): string {
  return etag === undefined ? '' : etag.replace(/^(W\/)?"(.*)"$/, '$2')
}

export class ObjectRead implements ChunkSource {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #modules: ObjectReadModules
  #body: RangeRead | undefined
  #ended = false

  constructor(path: string, options: UfsReadOptions, modules: ObjectReadModules) {
    this.#path = path
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

  async #request(): Promise<RangeRead | undefined> {
    const { offset, length, fingerprint, signal } = this.#options
    if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
    const whole = offset === 0 && length >= LARGEST_OBJECT
    const end = length >= LARGEST_OBJECT ? '' : offset + Math.max(length, 1) - 1
    try {
      const answer = await this.#modules.get({
        ...(whole ? {} : { range: `bytes=${offset}-${end}` }),
        ...(fingerprint === undefined ? {} : { ifMatch: `"${fingerprint}"` }),
        signal,
      })
      this.#options.onFingerprint?.(unquoted(answer.etag))
      const total = totalLength(answer.contentRange)
      const { body, partial } = answer
      // A server that ignores ranges sends everything: what was not asked for is dropped here.
      const skip = partial ? 0 : offset
      const available = (partial ? total : answer.contentLength) ?? Number.POSITIVE_INFINITY
      return new RangeRead(body, skip, Math.max(0, Math.min(length, available - offset)), this.#path, signal)
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

/** Holds what comes against what was promised. */
class RangeRead {
  readonly #body: Body
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: () => void
  #skip: number
  /** Bytes that are still to come; infinite when the server did not say. */
  #missing: number
  #reject: ((error: unknown) => void) | undefined

  constructor(body: Body, skip: number, expected: number, path: string, signal: AbortSignal | undefined) {
    this.#body = body
    this.#skip = skip
    this.#missing = expected
    this.#path = path
    this.#signal = signal
    this.#onAbort = () => {
      this.destroy()
      this.#reject?.(cancelled(signal, 'open', path))
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#signal?.aborted) return Promise.reject(cancelled(this.#signal, 'open', this.#path))
    return new Promise((resolve, reject) => {
      this.#reject = reject
      const ask = (): void =>
        this.#body.next({
          chunk: (given) => {
            const chunk = this.#wanted(given)
            if (chunk.length === 0) ask()
            else resolve({ done: false, value: chunk })
          },
          ended: () => {
            this.#signal?.removeEventListener('abort', this.#onAbort)
            if (this.#missing === 0 || this.#missing === Number.POSITIVE_INFINITY) {
              resolve({ done: true, value: undefined })
            } else reject(this.#broken('it is too short'))
          },
          broken: (what) => {
            this.#signal?.removeEventListener('abort', this.#onAbort)
            reject(this.#broken(what))
          },
        })
      ask()
    })
  }

  destroy(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#body.destroy()
  }

  #wanted(given: Uint8Array): Uint8Array {
    let chunk = given
    if (this.#skip > 0) {
      const dropped = Math.min(this.#skip, chunk.length)
      this.#skip -= dropped
      chunk = chunk.subarray(dropped)
    }
    if (chunk.length > this.#missing) chunk = chunk.subarray(0, this.#missing)
    this.#missing -= chunk.length
    return chunk
  }

  #broken(what: string): AlluxioError {
    return new AlluxioError(
      'UNAVAILABLE',
      `GetObject ${this.#path}: the body broke off (${what}), ${this.#missing} bytes are missing`,
      { reason: 'TRUNCATED' },
    )
  }
}
