/** Reads a range of a file with two reads in flight, each into a fresh buffer that the caller may keep. */
import { AlluxioError } from '../../core/index.ts'
import type { ChunkSource } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import { fingerprintOf } from '../local/reader.ts'
import type { UfsReadOptions } from '../store.ts'
import type { Stat } from './layout.ts'
import type { Asking, OpenFile } from './open-files.ts'

const READ_BYTES = 2 ** 20
const IN_FLIGHT = 2

export class GlusterRead implements ChunkSource {
  readonly #options: UfsReadOptions
  readonly #asking: Asking
  readonly #start: () => Promise<{ readonly stat: Stat; readonly file: OpenFile }>
  readonly #queue: Promise<Uint8Array>[] = []
  #file: OpenFile | undefined
  #position: number
  #end = 0
  #ended = false

  constructor(
    options: UfsReadOptions,
    asking: Asking,
    start: () => Promise<{ readonly stat: Stat; readonly file: OpenFile }>,
  ) {
    this.#options = options
    this.#asking = asking
    this.#start = start
    this.#position = options.offset
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const { signal, path } = this.#asking
    if (this.#ended) return { done: true, value: undefined }
    try {
      if (signal?.aborted) throw cancelled(signal, 'open', path)
      if (this.#file === undefined) await this.#begin()
      while (this.#queue.length < IN_FLIGHT && this.#position < this.#end) this.#queue.push(this.#read())
      const first = this.#queue.shift()
      if (first === undefined) {
        await this.return()
        return { done: true, value: undefined }
      }
      return { done: false, value: await first }
    } catch (error) {
      void this.return()
      throw error
    }
  }

  async return(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    if (this.#file === undefined) return
    await Promise.allSettled(this.#queue)
    await this.#file.close(this.#asking).catch(() => {})
  }

  async #begin(): Promise<void> {
    const { stat, file } = await this.#start()
    this.#file = file
    const fingerprint = fingerprintOf(stat)
    if (this.#options.fingerprint !== undefined && this.#options.fingerprint !== fingerprint) {
      throw this.#changed(fingerprint)
    }
    this.#options.onFingerprint?.(fingerprint)
    this.#end = Math.min(Number(stat.size), this.#options.offset + this.#options.length)
  }

  #read(): Promise<Uint8Array> {
    const position = this.#position
    const length = Math.min(READ_BYTES, this.#end - position)
    this.#position += length
    const read = this.#fill(Buffer.allocUnsafeSlow(length), position)
    // One that fails behind another is reported when its turn comes, or not at all if the reader leaves.
    read.catch(() => {})
    return read
  }

  async #fill(buffer: Buffer, position: number): Promise<Uint8Array> {
    for (let filled = 0; filled < buffer.length; ) {
      const rest = filled === 0 ? buffer : buffer.subarray(filled)
      const bytes = await this.#file!.read(rest, position + filled, this.#asking)
      if (bytes === 0) throw this.#changed('it became shorter')
      filled += bytes
    }
    return buffer
  }

  #changed(actual: string): AlluxioError {
    const { path } = this.#asking
    return new AlluxioError('CONFLICT', `${path} has changed in the under-store: refresh its metadata`, {
      reason: 'SOURCE_CHANGED',
      details: { expected: this.#options.fingerprint, actual },
    })
  }
}
