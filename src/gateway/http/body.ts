/** The bytes of requests and responses: views of blocks to the socket, bodies into files, both bounded in time and memory. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileReader, FileWriter } from '../../client/index.ts'
import { AlluxioError, isAlluxioError, type Runtime } from '../../core/index.ts'
import { bodyWanted } from './continue.ts'

/** Bytes of a response that wait for the client; of a local block they are views, which hold no memory of ours. */
const IN_FLIGHT_BYTES = 8 * 2 ** 20
const VIEW_BYTES = 4 * 2 ** 20
/** What goes with one write, copied out of the block: cheaper than a stream of views. */
const SINGLE_WRITE_BYTES = 64 * 1024
/** A client that takes nothing for so long is dropped, ms. */
const STALL_MS = 60_000

export interface SendOptions {
  /** Called right before the first byte goes out, to write the head: what fails before can still be answered by an error. */
  readonly head?: () => void
  readonly signal?: AbortSignal
}

/**
 * Sends the bytes from `start` to before `end` and ends the response. The head must have told their number.
 * @throws what reading throws (the response is cut off if its head had been written); CANCELLED when the client went away or
 * took nothing for 60 s
 */
export async function sendRange(
  reader: FileReader,
  { start, end }: { readonly start: number; readonly end: number },
  response: ServerResponse,
  { head, signal }: SendOptions = {},
): Promise<void> {
  try {
    if (end - start <= SINGLE_WRITE_BYTES) {
      const bytes = Buffer.allocUnsafe(end - start)
      const read = reader.readInto(start, bytes)
      const n = typeof read === 'number' ? read : await read
      if (n !== bytes.length) throw shorter(reader, end)
      head?.()
      response.end(bytes)
      return
    }
    let sent = start
    const views = reader.stream({
      start,
      end,
      chunkBytes: VIEW_BYTES,
      ...(signal === undefined ? {} : { signal }),
    })
    for await (const view of views) {
      if (sent === start) head?.()
      sent += view.length
      if (!response.write(view) && response.writableLength >= IN_FLIGHT_BYTES) await drained(response)
      if (response.destroyed) throw gone()
    }
    if (sent !== end) throw shorter(reader, end)
    response.end()
  } catch (error) {
    if (response.headersSent) response.destroy()
    throw error
  }
}

/** How often a file is opened that is replaced again and again. */
const ATTEMPTS = 5

/**
 * Opens a file and sends it; again where it was replaced between its opening and its first byte, or its object has gone from the
 * under-store: there may be another one now.
 */
export async function openAndSend<T>(
  response: ServerResponse,
  open: () => Promise<T>,
  send: (opened: T) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const opened = await open()
    try {
      return await send(opened)
    } catch (error) {
      const replaced =
        isAlluxioError(error, 'NOT_FOUND') ||
        (isAlluxioError(error, 'CONFLICT') && error.reason === 'SOURCE_CHANGED')
      if (!replaced || response.headersSent || attempt === ATTEMPTS) throw error
    }
  }
}

/** Resolves when the client has taken what waits for it. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    // The HTTP server drops a connection whose time is up; bytes that the client takes begin it anew.
    const { socket } = response
    socket?.setTimeout(STALL_MS)
    const settle = () => {
      socket?.setTimeout(0)
      response.off('drain', settle).off('close', settle)
      if (response.destroyed || response.socket === null) reject(gone())
      else resolve()
    }
    response.on('drain', settle).on('close', settle)
  })
}

function gone(): AlluxioError {
  return new AlluxioError(
    'CANCELLED',
    'the client closed the connection, or took no byte of its answer for too long',
    {
      reason: 'CLIENT_GONE',
    },
  )
}

function shorter(reader: FileReader, end: number): AlluxioError {
  return new AlluxioError('DATA_LOSS', `${reader.status.path} has fewer than ${end} bytes`)
}

export interface BodyLimits {
  readonly runtime: Runtime
  /** @throws RESOURCE_EXHAUSTED, reason BODY_TOO_LARGE @default unlimited */
  readonly maxBytes?: number
  /** Least rate over each window, bytes a second; time in which the cluster holds the client back does not count. @default 8 KiB/s */
  readonly minBytesPerSecond?: number
  /** @default 30 s */
  readonly windowMs?: number
}

/** Of a file that a program holds open: logs and tasks that compute say nothing for minutes. A byte an hour shows that somebody is there. */
export const OPEN_FILE_PACE = { minBytesPerSecond: 1 / 3600, windowMs: 3_600_000 }

/**
 * Writes a request's body to a file that the caller completes, or aborts if this throws. Resolves with the number of bytes.
 * @throws as `receive`, and what the writer throws
 */
export function receiveBody(
  request: IncomingMessage,
  writer: FileWriter,
  limits: BodyLimits,
): Promise<number> {
  return receive(request, (chunk) => writer.write(chunk), limits)
}

/**
 * Hands each chunk of a body to `take`; while that is busy the client is held back. Resolves with the number of bytes.
 * When it throws the rest of the body is thrown away as it comes: answer with `Connection: close`.
 * @throws CANCELLED reason CLIENT_GONE for a body cut off, TIMEOUT reason SLOW_BODY, RESOURCE_EXHAUSTED reason BODY_TOO_LARGE
 */
export function receive(
  request: IncomingMessage,
  take: (chunk: Buffer) => Promise<unknown> | undefined,
  limits: BodyLimits,
): Promise<number> {
  return new Receiving(request, take, limits).done
}

class Receiving {
  readonly done: Promise<number>
  readonly #request: IncomingMessage
  readonly #take: (chunk: Buffer) => Promise<unknown> | undefined
  readonly #limits: BodyLimits
  #received = 0
  #taking = false
  #ended = false
  #settled = false
  /** Bytes at the start of the window, and milliseconds of it in which the client was held back. */
  #before = 0
  #heldMs = 0
  #heldSince = 0
  #stopClock: () => void = () => {}
  #resolve!: (bytes: number) => void
  #reject!: (error: unknown) => void

  constructor(
    request: IncomingMessage,
    take: (chunk: Buffer) => Promise<unknown> | undefined,
    limits: BodyLimits,
  ) {
    this.#request = request
    this.#take = take
    this.#limits = limits
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    bodyWanted(request)
    request
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', this.#onClose)
      .on('close', this.#onClose)
    if (request.destroyed && !request.readableEnded) this.#onClose()
    else this.#startWindow()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#limits
    if (this.#received > maxBytes) {
      this.#fail(
        new AlluxioError('RESOURCE_EXHAUSTED', `the request's body is longer than ${maxBytes} bytes`, {
          reason: 'BODY_TOO_LARGE',
        }),
      )
      return
    }
    let taken: Promise<unknown> | undefined
    try {
      taken = this.#take(chunk)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (taken === undefined) return
    this.#taking = true
    this.#heldSince = this.#limits.runtime.monotonic()
    this.#request.pause()
    taken.then(this.#onTaken, this.#fail)
  }

  readonly #onTaken = (): void => {
    this.#taking = false
    if (this.#settled) return
    this.#heldMs += this.#limits.runtime.monotonic() - this.#heldSince
    if (this.#ended) this.#finish()
    else this.#request.resume()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    if (!this.#taking) this.#finish()
  }

  readonly #onClose = (): void => {
    if (this.#ended) return
    this.#fail(
      new AlluxioError('CANCELLED', `the client cut its request off after ${this.#received} bytes`, {
        reason: 'CLIENT_GONE',
      }),
    )
  }

  #startWindow(): void {
    const { runtime, minBytesPerSecond = 8 * 1024, windowMs = 30_000 } = this.#limits
    this.#before = this.#received
    this.#heldMs = 0
    this.#heldSince = runtime.monotonic()
    this.#stopClock = runtime.after(
      windowMs,
      () => {
        const held = this.#heldMs + (this.#taking ? runtime.monotonic() - this.#heldSince : 0)
        const due = (minBytesPerSecond * (windowMs - held)) / 1000
        if (this.#received - this.#before >= due || this.#ended) return this.#startWindow()
        this.#fail(
          new AlluxioError(
            'TIMEOUT',
            `the request's body comes at less than ${minBytesPerSecond} bytes a second`,
            {
              reason: 'SLOW_BODY',
            },
          ),
        )
      },
      true,
    )
  }

  #finish(): void {
    this.#settle()
    this.#resolve(this.#received)
  }

  readonly #fail = (error: unknown): void => {
    if (this.#settled) return
    this.#settle()
    // Unread bytes would turn the closing of the connection into a reset, and the client might never see its answer.
    this.#request.on('error', () => {}).resume()
    this.#reject(error)
  }

  #settle(): void {
    this.#settled = true
    this.#stopClock()
    const request = this.#request
    request
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', this.#onClose)
      .off('close', this.#onClose)
  }
}
