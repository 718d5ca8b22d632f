/**
 * A file on its way to an object store: one request when it is no larger than a part, else parts in parallel and a last request
 * that makes the object appear whole. Cuts the parts, bounds what is under way, and ends in one of three ways: closed, failed,
 * aborted. What a part, a put and an end are to a kind of store is its `PartTarget`.
 */
import { AlluxioError, type Runtime } from '../core/index.ts'
import { cancelled } from './layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from './store.ts'

/** Bytes of parts under way at once, at most; parts may grow with the file. */
const IN_FLIGHT_BYTES = 256 * 2 ** 20

/** What a target is told of the write that it serves. */
export interface PartWrite {
  /** Of this write alone, hexadecimal: a request whose answer was lost is recognised by it. */
  readonly id: string
  /** Aborted when the write ends without an object. */
  readonly signal: AbortSignal
}

export interface PartTarget {
  /** Size in bytes at which part `number` (from 0) is cut; it is sent when a byte follows it. */
  partBytes(number: number): number
  /** Sees each piece of the next part as it comes, and how long the file is with it. */
  took?(piece: Uint8Array, length: number): void
  /** Sends the whole file, which is no larger than a part. Resolves to its fingerprint. */
  put(pieces: readonly Uint8Array[], bytes: number): Promise<string>
  /** Sends part `number` of a file that has `length` bytes with it. Called in order; the calls overlap. */
  send(number: number, pieces: readonly Uint8Array[], bytes: number, length: number): Promise<void>
  /** Makes the object of all its parts. Resolves to its fingerprint. */
  complete(): Promise<string>
  /** Removes what the parts begun have left; nothing is under way any more. Never throws. */
  discard?(parts: number): Promise<void>
}

export interface PartWriterOptions extends UfsCreateOptions {
  readonly path: string
  /** Parts under way at once. */
  readonly uploads: number
}

export interface PartWriterModules {
  readonly runtime: Runtime
  readonly target: (write: PartWrite) => PartTarget
}

export class PartWriter implements UfsWriter {
  readonly #options: PartWriterOptions
  readonly #runtime: Runtime
  readonly #target: PartTarget
  readonly #abort = new AbortController()
  readonly #onAbort: () => void
  #pieces: Uint8Array[] = []
  #piecesBytes = 0
  #partBytes: number
  #length = 0
  #parts = 0
  readonly #inFlight = new Set<Promise<void>>()
  #error: unknown
  #closed = false

  constructor(options: PartWriterOptions, { runtime, target }: PartWriterModules) {
    this.#options = options
    this.#runtime = runtime
    const id = Buffer.from(runtime.randomBytes(new Uint8Array(12))).toString('hex')
    this.#target = target({ id, signal: this.#abort.signal })
    this.#partBytes = this.#target.partBytes(0)
    this.#onAbort = () => this.#abort.abort(options.signal?.reason)
    if (options.signal?.aborted) this.#onAbort()
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    let rest = chunk
    while (this.#piecesBytes + rest.length > this.#partBytes) {
      const taken = this.#partBytes - this.#piecesBytes
      this.#take(rest.subarray(0, taken))
      rest = rest.subarray(taken)
      await this.#startPart()
      if (this.#error !== undefined) throw await this.#failed(this.#error)
    }
    this.#take(rest)
    if (this.#error !== undefined) throw await this.#failed(this.#error)
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    try {
      const fingerprint = await (this.#parts === 0
        ? this.#target.put(this.#pieces, this.#piecesBytes)
        : this.#complete())
      this.#finish()
      const { path, metadata = {} } = this.#options
      const modifiedMs = this.#runtime.now()
      return { path, directory: false, length: this.#length, modifiedMs, fingerprint, metadata }
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async abort(): Promise<void> {
    if (!this.#closed) await this.#failed(undefined)
  }

  #take(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#piecesBytes += piece.length
    this.#length += piece.length
    this.#target.took?.(piece, this.#length)
  }

  #check(): void {
    const { path, signal } = this.#options
    if (this.#closed) throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: the writer is closed`)
    if (signal?.aborted) throw cancelled(signal, 'create', path)
  }

  async #startPart(): Promise<void> {
    const pieces = this.#pieces
    const bytes = this.#piecesBytes
    const number = this.#parts++
    this.#pieces = []
    this.#piecesBytes = 0
    this.#partBytes = this.#target.partBytes(this.#parts)
    const sending = this.#target
      .send(number, pieces, bytes, this.#length)
      .catch((error: unknown) => {
        this.#error ??= error
      })
      .finally(() => this.#inFlight.delete(sending))
    this.#inFlight.add(sending)
    const most = Math.max(1, Math.min(this.#options.uploads, Math.floor(IN_FLIGHT_BYTES / bytes)))
    while (this.#inFlight.size >= most && this.#error === undefined) await Promise.race(this.#inFlight)
  }

  async #complete(): Promise<string> {
    if (this.#piecesBytes > 0) await this.#startPart()
    await Promise.all(this.#inFlight)
    if (this.#error !== undefined) throw this.#error
    return this.#target.complete()
  }

  async #failed(error: unknown): Promise<unknown> {
    this.#abort.abort()
    await Promise.allSettled(this.#inFlight)
    this.#finish()
    await this.#target.discard?.(this.#parts)
    return error
  }

  #finish(): void {
    this.#closed = true
    this.#pieces = []
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
