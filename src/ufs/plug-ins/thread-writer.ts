/** A file being written by a plug-in's store: chunks that come faster than the store takes them wait here, in order. */
import type { UfsStatus, UfsWriter } from '../store.ts'
import { type ForeignError, foreignError } from './messages.ts'

interface Tell {
  readonly taken: (bytes: number) => void
  readonly failed: (error: ForeignError) => void
}

export class ThreadWriter {
  readonly #writer: UfsWriter
  readonly #tell: Tell
  readonly #waiting: Uint8Array[] = []
  #draining: Promise<void> | undefined
  #aborted = false
  #error: unknown

  constructor(writer: UfsWriter, tell: Tell) {
    this.#writer = writer
    this.#tell = tell
  }

  write(chunk: Uint8Array): void {
    this.#waiting.push(chunk)
    this.#draining ??= this.#drain()
  }

  async close(): Promise<UfsStatus> {
    while (this.#draining !== undefined) await this.#draining
    if (this.#error !== undefined) throw this.#error
    return this.#writer.close()
  }

  async abort(): Promise<void> {
    this.#aborted = true
    this.#waiting.length = 0
    await this.#writer.abort()
  }

  /** Never throws: a chunk that the store refuses ends the file. */
  async #drain(): Promise<void> {
    try {
      for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift()) {
        if (this.#error !== undefined || this.#aborted) continue
        await this.#writer.write(chunk)
        this.#tell.taken(chunk.length)
      }
    } catch (error) {
      this.#error = error ?? 'the store refused the bytes'
      this.#waiting.length = 0
      this.#tell.failed(foreignError(error))
    } finally {
      this.#draining = undefined
    }
  }
}
