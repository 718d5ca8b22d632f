/** A file being written in the thread of a plug-in: chunks are copied, since they stay the caller's, and moved there. */
import type { UfsStatus, UfsWriter } from '../store.ts'
import { WINDOW_BYTES } from './messages.ts'
import type { Session, WriterReceiver } from './session.ts'

export class RemoteWriter implements UfsWriter, WriterReceiver {
  readonly #session: Session
  readonly #id: number
  #underway = 0
  #failure: Error | undefined
  #waiting: PromiseWithResolvers<void> | undefined

  constructor(session: Session, id: number) {
    this.#session = session
    this.#id = id
    session.writing(id, this)
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const copy = new Uint8Array(chunk)
    this.#session.post({ kind: 'write', writer: this.#id, chunk: copy }, [copy.buffer])
    this.#underway += chunk.length
    while (this.#underway >= WINDOW_BYTES) {
      this.#waiting ??= Promise.withResolvers()
      await this.#waiting.promise
    }
  }

  taken(bytes: number): void {
    this.#underway -= bytes
    if (this.#underway >= WINDOW_BYTES) return
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  failed(error: Error): void {
    this.#failure = error
    this.#underway = 0
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  async close(): Promise<UfsStatus> {
    if (this.#failure !== undefined) throw this.#failure
    const status = await this.#end<UfsStatus>('close')
    this.#session.written(this.#id)
    return status
  }

  async abort(): Promise<void> {
    this.#session.written(this.#id)
    // With its thread went the file that was not closed.
    if (this.#session.alive) await this.#end('abort')
  }

  #end<T>(how: 'close' | 'abort'): Promise<T> {
    return this.#session.call({ kind: 'end', id: this.#session.newId(), writer: this.#id, how })
  }
}
