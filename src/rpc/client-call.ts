/** Calls as the client sees them while they run: one unary form and the two kinds of streams. */
import { AlluxioError } from '../core/index.ts'
import { grantBytes, HEAD_BYTES } from './codec.ts'
import type { CallOptions, Item, Method, UploadStream } from './contract.ts'
import type { SchemaCodec } from './schema-codec.ts'
import { WheelEntry } from './wheel.ts'

/** A method with all that calling it needs, looked up once. */
export interface CalledMethod {
  /** Such as `master.fs.getStatus`. */
  readonly name: string
  readonly contractId: number
  readonly method: Method
  readonly request: SchemaCodec
  readonly response: SchemaCodec | undefined
  readonly item: SchemaCodec | undefined
}

/** What the calls ask of the connection that runs them. */
export interface CallRunner {
  /** Bytes that a download may receive ahead of its consumer. */
  readonly windowBytes: number
  /** A deadline has passed; the runner knows whether it is the call's own or that of reaching the server. */
  expired(call: ClientCall): void
  /** Ends a call from this side; the server is told when it may still be working on it. */
  cancel(call: ClientCall, error: unknown): void
  credit(call: ClientCall, bytes: number): void
  /** Queues an item. @throws INVALID_ARGUMENT when it does not fit the schema or the limits. */
  item(call: UploadCall, item: unknown, payload: Uint8Array | undefined): void
  end(call: UploadCall): void
  /** Starts the clock of a stream that waits for its peer, and stops it. */
  arm(call: ClientCall, ms: number): void
  disarm(call: ClientCall): void
}

export abstract class ClientCall extends WheelEntry {
  readonly runner: CallRunner
  readonly method: CalledMethod
  readonly request: unknown
  readonly payload: Uint8Array | undefined
  readonly deadlineMs: number
  id = 0
  /** Whether it was sent in the present session. */
  sent = false
  done = false
  /** By the monotonic clock; infinite for streams, whose deadline is between items. */
  expiresMs = Number.POSITIVE_INFINITY
  readonly #signal: AbortSignal | undefined
  #onAbort: (() => void) | undefined

  constructor(runner: CallRunner, method: CalledMethod, request: unknown, options: CallOptions | undefined) {
    super()
    this.runner = runner
    this.method = method
    this.request = request
    this.payload = options?.payload
    this.deadlineMs = options?.deadlineMs ?? method.method.deadlineMs
    this.#signal = options?.signal
  }

  /** Follows the caller's signal; false when it is aborted already, and the call has failed. */
  watch(): boolean {
    const signal = this.#signal
    if (signal === undefined) return true
    if (signal.aborted) {
      this.done = true
      this.fail(this.#cancelled(signal))
      return false
    }
    this.#onAbort = () => this.runner.cancel(this, this.#cancelled(signal))
    signal.addEventListener('abort', this.#onAbort, { once: true })
    return true
  }

  unwatch(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  expire(): void {
    if (!this.done) this.runner.expired(this)
  }

  /** A session stands: a stream that waits for its peer starts its clock. */
  restart(): void {}
  /** Credit that goes with the call itself. */
  get firstCredit(): number {
    return 0
  }
  /** Whether it may be sent again after its session broke. */
  get repeatable(): boolean {
    return this.method.method.idempotent
  }
  abstract succeed(response: unknown): void
  abstract fail(error: unknown): void

  #cancelled(signal: AbortSignal): AlluxioError {
    return new AlluxioError('CANCELLED', `${this.method.name} was cancelled`, { cause: signal.reason })
  }
}

export class UnaryCall extends ClientCall {
  readonly #resolve: (response: unknown) => void
  readonly #reject: (error: unknown) => void

  constructor(
    runner: CallRunner,
    method: CalledMethod,
    request: unknown,
    options: CallOptions | undefined,
    resolve: (response: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    super(runner, method, request, options)
    this.#resolve = resolve
    this.#reject = reject
  }

  succeed(response: unknown): void {
    this.#resolve(response)
  }
  fail(error: unknown): void {
    this.#reject(error)
  }
}

type Next = IteratorResult<Item<unknown>>

export class DownloadCall extends ClientCall implements AsyncIterableIterator<Item<unknown>> {
  readonly #queue: { readonly item: Item<unknown>; readonly bytes: number }[] = []
  readonly #waiting: { resolve(next: Next): void; reject(error: unknown): void }[] = []
  #consumed = 0
  #received = 0
  #ended = false
  #error: unknown

  override get firstCredit(): number {
    return this.runner.windowBytes
  }
  override get repeatable(): boolean {
    return super.repeatable && this.#received === 0
  }

  override restart(): void {
    if (this.deadlineMs > 0 && this.#waiting.length > 0) this.runner.arm(this, this.deadlineMs)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Next> {
    const first = this.#queue.shift()
    if (first !== undefined) {
      this.#giveBack(first.bytes)
      return Promise.resolve({ value: first.item, done: false })
    }
    if (this.#ended) return this.#over()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (this.deadlineMs > 0 && this.#waiting.length === 1) this.runner.arm(this, this.deadlineMs)
    })
  }

  return(): Promise<Next> {
    this.#queue.length = 0
    if (!this.done) {
      this.runner.cancel(
        this,
        new AlluxioError('CANCELLED', `${this.method.name} was given up by its reader`),
      )
    }
    this.#error = undefined
    return Promise.resolve({ value: undefined, done: true })
  }

  throw(error: unknown): Promise<Next> {
    void this.return()
    return Promise.reject(error)
  }

  push(item: Item<unknown>, bodyBytes: number): void {
    const bytes = HEAD_BYTES + bodyBytes + (item.payload?.length ?? 0)
    this.#received++
    const waiting = this.#waiting.shift()
    if (waiting === undefined) {
      this.#queue.push({ item, bytes })
      return
    }
    if (this.deadlineMs > 0) {
      this.runner.disarm(this)
      if (this.#waiting.length > 0) this.runner.arm(this, this.deadlineMs)
    }
    this.#giveBack(bytes)
    waiting.resolve({ value: item, done: false })
  }

  succeed(): void {
    this.#ended = true
    for (const waiting of this.#waiting.splice(0)) waiting.resolve({ value: undefined, done: true })
  }

  fail(error: unknown): void {
    this.#ended = true
    const [first, ...rest] = this.#waiting.splice(0)
    if (first === undefined) this.#error = error
    else first.reject(error)
    for (const waiting of rest) waiting.resolve({ value: undefined, done: true })
  }

  /** The error is told once, then the stream is simply over. */
  #over(): Promise<Next> {
    const error = this.#error
    this.#error = undefined
    return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error)
  }

  #giveBack(bytes: number): void {
    this.#consumed += bytes
    if (this.#consumed < grantBytes(this.runner.windowBytes) || this.done) return
    this.runner.credit(this, this.#consumed)
    this.#consumed = 0
  }
}

interface Write {
  readonly item: unknown
  readonly payload: Uint8Array | undefined
  resolve(): void
  reject(error: unknown): void
}

export class UploadCall extends ClientCall implements UploadStream<unknown, unknown> {
  readonly #writes: Write[] = []
  readonly #response = Promise.withResolvers<unknown>()
  #credit = 0
  #finishing = false
  #endSent = false
  #armed = false
  #error: unknown

  constructor(runner: CallRunner, method: CalledMethod, request: unknown, options: CallOptions | undefined) {
    super(runner, method, request, options)
    // Who never calls finish has been told by write; the process must not die of it.
    this.#response.promise.catch(() => {})
  }

  /** An upload is never repeated: its items are gone. */
  override get repeatable(): boolean {
    return !this.sent
  }

  write(item: unknown, payload?: Uint8Array): Promise<void> {
    if (this.done || this.#finishing) return Promise.reject(this.#error ?? this.#closed())
    if (this.#credit > 0 && this.#writes.length === 0) {
      try {
        this.runner.item(this, item, payload)
      } catch (error) {
        return Promise.reject(error)
      }
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      this.#writes.push({ item, payload, resolve, reject })
      this.#clock()
    })
  }

  finish(): Promise<unknown> {
    if (!this.#finishing) {
      this.#finishing = true
      if (!this.done) this.#pump()
    }
    return this.#response.promise
  }

  abort(reason: unknown): void {
    if (this.done) return
    this.runner.cancel(
      this,
      new AlluxioError('CANCELLED', `${this.method.name} was given up`, { cause: reason }),
    )
  }

  override restart(): void {
    this.#armed = false
    this.#clock()
  }

  grant(bytes: number): void {
    this.#credit += bytes
    this.#pump()
  }

  spend(bytes: number): void {
    this.#credit -= bytes
  }

  succeed(response: unknown): void {
    this.#response.resolve(response)
    this.#rejectWrites(this.#closed())
  }

  fail(error: unknown): void {
    this.#error = error
    this.#response.reject(error)
    this.#rejectWrites(error)
  }

  #pump(): void {
    while (this.#credit > 0) {
      const write = this.#writes.shift()
      if (write === undefined) break
      try {
        this.runner.item(this, write.item, write.payload)
        write.resolve()
      } catch (error) {
        write.reject(error)
      }
    }
    if (this.#finishing && !this.#endSent && this.#writes.length === 0 && this.sent) {
      this.#endSent = true
      this.runner.end(this)
    }
    this.#clock()
  }

  /** The deadline runs while this side waits for the server: for credit, or for the response. */
  #clock(): void {
    if (this.#armed) this.runner.disarm(this)
    this.#armed = this.deadlineMs > 0 && !this.done && (this.#writes.length > 0 || this.#finishing)
    if (this.#armed) this.runner.arm(this, this.deadlineMs)
  }

  #rejectWrites(error: unknown): void {
    for (const write of this.#writes.splice(0)) write.reject(error)
  }

  #closed(): AlluxioError {
    return new AlluxioError(
      'INVALID_ARGUMENT',
      `${this.method.name} has ended: nothing can be written to it`,
      {
        reason: 'STREAM_ENDED',
      },
    )
  }
}
