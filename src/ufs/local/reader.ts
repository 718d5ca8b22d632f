/** Reads a range of a file with several preads in flight, each into a fresh buffer that the caller may keep. */
import { close, constants, fstat, open, read } from 'node:fs'
import { promisify } from 'node:util'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import type { ChunkSource } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsReadOptions } from '../store.ts'
import type { Containment } from './containment.ts'

const openAsync = promisify(open)
const closeAsync = promisify(close)

export const READ_BYTES = 2 ** 20
const IN_FLIGHT = 2

export function fingerprintOf(stats: { readonly size: bigint; readonly mtimeNs: bigint }): string {
  return `${stats.size}:${stats.mtimeNs}`
}

export class LocalRead implements ChunkSource {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #containment: Containment
  readonly #queue: Promise<Uint8Array>[] = []
  #fd = -1
  #position: number
  #end = 0
  #started = false
  #ended = false

  constructor(path: string, options: UfsReadOptions, containment: Containment) {
    this.#path = path
    this.#options = options
    this.#containment = containment
    this.#position = options.offset
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const { signal } = this.#options
    if (this.#ended) return { done: true, value: undefined }
    try {
      if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
      if (!this.#started) await this.#start()
      while (this.#queue.length < IN_FLIGHT && this.#position < this.#end) this.#queue.push(this.#read())
      const first = this.#queue.shift()
      if (first === undefined) {
        await this.return()
        return { done: true, value: undefined }
      }
      const value = await first
      if (this.#queue.length === 0 && this.#position >= this.#end) await this.return()
      return { done: false, value }
    } catch (error) {
      await this.return()
      throw fromErrno(error, 'read', this.#path)
    }
  }

  async return(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const fd = this.#fd
    if (fd === -1) return
    // The descriptor's number may be reused at once, so it is closed only when no read uses it any more.
    if (this.#queue.length > 0) await Promise.allSettled(this.#queue)
    await closeAsync(fd).catch(() => {})
  }

  async #start(): Promise<void> {
    this.#started = true
    const place = await this.#containment.beforeOpen(this.#path)
    // Without O_NONBLOCK opening a named pipe would wait for a writer for ever.
    this.#fd = await openAsync(place, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    const [stats] = await Promise.all([fstatBig(this.#fd), this.#containment.opened(this.#fd, this.#path)])
    if (stats.isDirectory()) throw new AlluxioError('IS_A_DIRECTORY', `${this.#path} is a directory`)
    if (!stats.isFile()) throw new AlluxioError('UNSUPPORTED', `${this.#path} is no regular file`)
    const fingerprint = fingerprintOf(stats)
    if (this.#options.fingerprint !== undefined && this.#options.fingerprint !== fingerprint) {
      throw this.#changed(fingerprint)
    }
    this.#options.onFingerprint?.(fingerprint)
    this.#end = Math.min(Number(stats.size), this.#options.offset + this.#options.length)
  }

  #read(): Promise<Uint8Array> {
    const position = this.#position
    const length = Math.min(READ_BYTES, this.#end - position)
    this.#position += length
    const promise = new Promise<Uint8Array>((resolve, reject) => {
      const buffer = Buffer.allocUnsafeSlow(length)
      const step = (filled: number): void => {
        read(this.#fd, buffer, filled, length - filled, position + filled, (error, bytes) => {
          if (error !== null) reject(error)
          else if (filled + bytes === length) resolve(buffer)
          else if (bytes === 0) reject(this.#changed('it became shorter'))
          else step(filled + bytes)
        })
      }
      step(0)
    })
    // A read that fails behind another one is reported when its turn comes, or not at all if the reader leaves.
    promise.catch(() => {})
    return promise
  }

  #changed(actual: string): AlluxioError {
    return new AlluxioError(
      'CONFLICT',
      `${this.#path} has changed in the under-store: refresh its metadata`,
      {
        reason: 'SOURCE_CHANGED',
        details: { expected: this.#options.fingerprint, actual },
      },
    )
  }
}

function fstatBig(fd: number): Promise<import('node:fs').BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, stats) => (error === null ? resolve(stats) : reject(error)))
  })
}
