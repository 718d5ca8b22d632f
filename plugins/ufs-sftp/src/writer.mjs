/** A file being written: under a temporary name beside its place, with several writes in flight, moved there when it is whole. */
import { refuse } from './errors.mjs'

const WRITE_BYTES = 128 * 1024
const IN_FLIGHT = 16

export class SftpWriter {
  #store
  #session
  #handle
  #path
  #ifAbsent
  #draft
  #position = 0
  #underway = new Set()
  #failure
  #handleOpen = true

  constructor(store, { session, handle, path, draft, ifAbsent }) {
    this.#store = store
    this.#session = session
    this.#handle = handle
    this.#path = path
    this.#draft = draft
    this.#ifAbsent = ifAbsent
  }

  async write(chunk) {
    for (let at = 0; at < chunk.length; at += WRITE_BYTES) {
      if (this.#failure !== undefined) throw this.#failure
      this.#send(chunk.subarray(at, at + WRITE_BYTES))
      if (this.#underway.size >= IN_FLIGHT) await Promise.race(this.#underway)
    }
  }

  async close() {
    await Promise.all(this.#underway)
    if (this.#failure !== undefined) throw this.#failure
    await this.#closeHandle()
    return this.#store.publish(this.#draft, this.#path, this.#ifAbsent)
  }

  async abort() {
    await Promise.all(this.#underway)
    await this.#closeHandle().catch(() => {})
    await this.#store.discard(this.#draft)
  }

  #send(piece) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    const position = this.#position
    this.#position += bytes.length
    const sending = this.#store
      .callOn(this.#session, 'write', this.#path, (sftp, done) =>
        sftp.write(this.#handle, bytes, 0, bytes.length, position, done),
      )
      .catch(async (error) => {
        this.#failure ??= (await this.#store.isFull())
          ? refuse('RESOURCE_EXHAUSTED', `write ${this.#path}: the SFTP server has no space left`)
          : error
      })
      .finally(() => this.#underway.delete(sending))
    this.#underway.add(sending)
  }

  async #closeHandle() {
    if (!this.#handleOpen) return
    this.#handleOpen = false
    await this.#store.callOn(this.#session, 'close', this.#path, (sftp, done) =>
      sftp.close(this.#handle, done),
    )
  }
}
