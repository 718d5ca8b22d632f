/** A read whose bytes come from the thread of a plug-in: the thread sends as much as is granted, and the reader takes it. */
import type { ChunkSource } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsReadOptions } from '../store.ts'
import { GRANT_BYTES } from './messages.ts'
import type { Opened } from './remote-store.ts'
import type { Receiver, Session } from './session.ts'

const END: IteratorResult<Uint8Array> = { done: true, value: undefined }

export class RemoteRead implements ChunkSource, Receiver {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #store: { at(): Promise<Opened> }
  readonly #onAbort = () => this.#abort()
  readonly #arrived: Uint8Array[] = []
  #session: Session | undefined
  #id = 0
  #taken = 0
  #ended = false
  #failure: unknown
  #waiting: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined

  constructor(path: string, options: UfsReadOptions, store: { at(): Promise<Opened> }) {
    this.#path = path
    this.#options = options
    this.#store = store
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#session === undefined && !this.#ended) await this.#start()
    const chunk = this.#arrived.shift()
    if (chunk !== undefined) return this.#hand(chunk)
    if (this.#failure !== undefined) throw this.#failure
    if (this.#ended) return END
    this.#waiting = Promise.withResolvers()
    return this.#waiting.promise
  }

  async return(): Promise<void> {
    this.#arrived.length = 0
    if (this.#ended) return
    this.#finish()
    this.#session?.giveUp(this.#id)
  }

  chunk(chunk: Uint8Array): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#arrived.push(chunk)
    else waiting.resolve(this.#hand(chunk))
  }

  fingerprint(value: string): void {
    this.#options.onFingerprint?.(value)
  }

  result(): void {
    this.#finish()
    this.#waiting?.resolve(END)
  }

  error(error: unknown): void {
    this.#failure = error
    this.#finish()
    this.#waiting?.reject(error)
  }

  async #start(): Promise<void> {
    const { offset, length, fingerprint, signal } = this.#options
    if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
    const { session, store } = await this.#store.at()
    if (this.#ended) return
    if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
    this.#session = session
    this.#id = session.newId()
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    session.post({ kind: 'read', id: this.#id, store, path: this.#path, offset, length, fingerprint })
    session.expect(this.#id, this)
  }

  #hand(value: Uint8Array): IteratorResult<Uint8Array> {
    this.#taken += value.length
    if (this.#taken >= GRANT_BYTES && !this.#ended && this.#session?.alive) {
      this.#session.post({ kind: 'grant', id: this.#id, bytes: this.#taken })
      this.#taken = 0
    }
    return { done: false, value }
  }

  #abort(): void {
    if (this.#ended) return
    this.#session?.giveUp(this.#id)
    this.#arrived.length = 0
    this.error(cancelled(this.#options.signal, 'open', this.#path))
  }

  #finish(): void {
    this.#ended = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
