/** A block that is written as a stream through the worker: space as it grows, one commit, nothing after an abort. */
import { type BlockFileWriter, blockFileBytes } from '../arrow/index.ts'
import type { BlockId } from '../core/index.ts'
import { allocated } from './folder.ts'
import type { Reservation } from './space.ts'
import type { BlockWriter } from './types.ts'
import type { Writes } from './writes.ts'

export class StreamedWrite implements BlockWriter {
  readonly #blockId: BlockId
  readonly #path: string
  readonly #soleCopy: boolean
  readonly #writer: BlockFileWriter
  readonly #reservation: Reservation
  readonly #owner: Writes
  #ended = false

  constructor(
    options: { readonly blockId: BlockId; readonly path: string; readonly soleCopy: boolean },
    modules: {
      readonly writer: BlockFileWriter
      readonly reservation: Reservation
      readonly owner: Writes
    },
  ) {
    this.#blockId = options.blockId
    this.#path = options.path
    this.#soleCopy = options.soleCopy
    this.#writer = modules.writer
    this.#reservation = modules.reservation
    this.#owner = modules.owner
  }

  append(bytes: Uint8Array): void | Promise<void> {
    if (bytes.length === 0) return
    const lacks = allocated(blockFileBytes(this.#writer.length + bytes.length)) - this.#reservation.bytes
    if (lacks > 0) {
      return this.#owner.moreSpace(this.#reservation, lacks).then(() => this.#append(bytes))
    }
    return this.#append(bytes)
  }

  #append(bytes: Uint8Array): void | Promise<void> {
    try {
      const written = this.#writer.append(bytes)
      if (written === undefined) return
      return written.catch((error: unknown) => this.#judge(error))
    } catch (error) {
      this.#judge(error)
    }
  }

  #judge(error: unknown): never {
    this.#owner.diskError(this.#reservation.folder, error)
    throw error
  }

  async commit(): Promise<{ length: number; tier: string }> {
    this.#ended = true
    const { length } = this.#writer
    try {
      const owner = this.#owner
      const durable = this.#soleCopy && owner.syncs(this.#reservation.folder)
      await this.#writer.seal(durable)
      const tier = await owner.publish(this.#blockId, length, this.#path, this.#reservation, this.#soleCopy)
      owner.finished(this.#blockId, length)
      return { length, tier }
    } catch (error) {
      this.#owner.diskError(this.#reservation.folder, error)
      await this.#owner.discard(this.#blockId, this.#path, this.#reservation)
      throw error
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#writer.abort()
    await this.#owner.discard(this.#blockId, this.#path, this.#reservation)
  }
}
