/** Calls as the server sees them while they run: the handler's view of a call, and the two kinds of streams. */
import { AlluxioError, type Counter, type Histogram } from '../core/index.ts'
import { grantBytes, HEAD_BYTES } from './codec.ts'
import type { Call, DownloadItem, Item, Method, Peer } from './contract.ts'
import type { SchemaCodec } from './schema-codec.ts'
import type { ServerPeer } from './server-peer.ts'
import { WheelEntry } from './wheel.ts'

/** What one download may have on its way, whatever its client grants. */
const MAX_CREDIT_BYTES = 64 * 2 ** 20

/** A method with all that serving it needs, looked up once. */
export interface ServedMethod {
  /** Such as `master.fs.getStatus`. */
  readonly name: string
  readonly contractId: number
  readonly method: Method
  readonly request: SchemaCodec
  readonly response: SchemaCodec | undefined
  readonly item: SchemaCodec | undefined
  readonly handler: (...args: unknown[]) => unknown
  readonly calls: Counter
  readonly seconds: Histogram
}

/** What the calls ask of the server that runs them. */
export interface CallOwner {
  reply(call: ServerCall, result: unknown): void
  fail(call: ServerCall, error: unknown): void
  /** Queues an item of a download. */
  item(call: DownloadCall, item: DownloadItem<unknown>): void
  /** Lets the client send `bytes` more. */
  credit(call: UploadCall, bytes: number): void
  arm(call: ServerCall, ms: number): void
  disarm(call: ServerCall): void
}

export class ServerCall extends WheelEntry implements Call {
  readonly connection: ServerPeer
  readonly method: ServedMethod
  readonly id: number
  readonly startedMs: number
  readonly payload: Uint8Array | undefined
  readonly owner: CallOwner
  /** Answered, cancelled or expired: what the handler still brings is dropped. */
  done = false
  #controller: AbortController | undefined
  #abortReason: AlluxioError | undefined

  constructor(
    owner: CallOwner,
    connection: ServerPeer,
    method: ServedMethod,
    id: number,
    startedMs: number,
    payload: Uint8Array | undefined,
  ) {
    super()
    this.owner = owner
    this.connection = connection
    this.method = method
    this.id = id
    this.startedMs = startedMs
    this.payload = payload
  }

  get peer(): Peer {
    return this.connection.peer
  }

  /** Made when it is asked for: most calls end before anybody does. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  abort(reason: AlluxioError): void {
    if (this.done) return
    this.done = true
    this.#abortReason = reason
    this.owner.disarm(this)
    this.#controller?.abort(reason)
    this.stop(reason)
  }

  /** What a stream does when its call ends early. */
  protected stop(_reason: AlluxioError): void {}

  /** The deadline has passed. The client knows it by its own clock, so nothing is sent. */
  expire(): void {
    const ms = this.method.method.deadlineMs
    this.abort(
      new AlluxioError(
        'TIMEOUT',
        `${this.method.name} did not end within its deadline (${ms} ms by default)`,
      ),
    )
  }
}

/** Pulls the handler's iterator only while the client has granted credit. */
export class DownloadCall extends ServerCall {
  #credit = 0
  #deadlineMs = 0
  #iterator: AsyncIterator<DownloadItem<unknown>> | undefined
  #granted: (() => void) | undefined

  /** Serves the stream to its end. Never rejects. */
  async run(
    iterable: AsyncIterable<DownloadItem<unknown>>,
    credit: number,
    deadlineMs: number,
  ): Promise<void> {
    this.#credit = Math.min(credit, MAX_CREDIT_BYTES)
    this.#deadlineMs = deadlineMs
    try {
      this.#iterator = iterable[Symbol.asyncIterator]()
      while (!this.done) {
        if (this.#credit <= 0) {
          await new Promise<void>((resolve) => {
            this.#granted = resolve
          })
          continue
        }
        if (this.#deadlineMs > 0) this.owner.arm(this, this.#deadlineMs)
        const next = await this.#iterator.next()
        if (this.#deadlineMs > 0) this.owner.disarm(this)
        if (this.done) {
          if (next.done !== true) next.value.release?.()
          return
        }
        if (next.done === true) return this.owner.reply(this, undefined)
        this.owner.item(this, next.value)
      }
    } catch (error) {
      this.owner.fail(this, error)
    }
  }

  grant(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, MAX_CREDIT_BYTES)
    if (this.#credit > 0) this.#wake()
  }

  /** Takes what an item cost from the credit, which the last item may overdraw. */
  spend(bytes: number): void {
    this.#credit -= bytes
  }

  /** Ends the stream from this side, after an item could not be sent. */
  close(): void {
    this.#return()
  }

  protected override stop(): void {
    this.#wake()
    this.#return()
  }

  #wake(): void {
    const granted = this.#granted
    this.#granted = undefined
    granted?.()
  }

  #return(): void {
    // A generator that is running takes this up at its next yield; a failure of its clean-up is the handler's.
    this.#iterator?.return?.().catch(() => {})
  }
}

/** What a handler iterates over: items in order, credit given back as they are taken. */
export class UploadCall
  extends ServerCall
  implements AsyncIterable<Item<unknown>>, AsyncIterator<Item<unknown>>
{
  readonly #windowBytes: number
  readonly #queue: { readonly item: Item<unknown>; readonly bytes: number }[] = []
  /** Bytes that came and were not given back as credit. */
  #outstanding = 0
  #taken = 0
  #ended = false
  #error: AlluxioError | undefined
  #waiting: { resolve(next: IteratorResult<Item<unknown>>): void; reject(error: unknown): void } | undefined

  constructor(
    owner: CallOwner,
    connection: ServerPeer,
    method: ServedMethod,
    id: number,
    startedMs: number,
    payload: Uint8Array | undefined,
    windowBytes: number,
  ) {
    super(owner, connection, method, id, startedMs, payload)
    this.#windowBytes = windowBytes
  }

  [Symbol.asyncIterator](): AsyncIterator<Item<unknown>> {
    return this
  }

  next(): Promise<IteratorResult<Item<unknown>>> {
    const first = this.#queue.shift()
    if (first !== undefined) {
      this.#giveBack(first.bytes)
      return Promise.resolve({ value: first.item, done: false })
    }
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** The handler wants no more. */
  return(): Promise<IteratorResult<Item<unknown>>> {
    this.#ended = true
    this.#queue.length = 0
    return Promise.resolve({ value: undefined, done: true })
  }

  /** @throws RESOURCE_EXHAUSTED when the client sent more than it was allowed. */
  push(item: Item<unknown>, bodyBytes: number): void {
    if (this.#ended) return
    const bytes = HEAD_BYTES + bodyBytes + (item.payload?.length ?? 0)
    if (this.#outstanding >= this.#windowBytes) {
      throw new AlluxioError('RESOURCE_EXHAUSTED', `${this.method.name}: the client sent beyond its credit`, {
        reason: 'CREDIT',
      })
    }
    this.#outstanding += bytes
    const waiting = this.#waiting
    if (waiting === undefined) {
      this.#queue.push({ item, bytes })
      return
    }
    this.#waiting = undefined
    this.#giveBack(bytes)
    waiting.resolve({ value: item, done: false })
  }

  end(): void {
    this.#ended = true
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve({ value: undefined, done: true })
  }

  protected override stop(reason: AlluxioError): void {
    this.#error = reason
    this.#queue.length = 0
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(reason)
  }

  #giveBack(bytes: number): void {
    this.#taken += bytes
    if (this.#taken < grantBytes(this.#windowBytes) || this.done || this.#ended) return
    this.#outstanding -= this.#taken
    this.owner.credit(this, this.#taken)
    this.#taken = 0
  }
}
