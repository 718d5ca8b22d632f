/**
 * The form of a message. Frame 0 holds coalesced calls one after another, each `[head][body]`; the frames behind it are
 * the payloads that the heads announce, in order. A head is 32 bytes, little-endian:
 *
 * | offset | type | field |
 * | --- | --- | --- |
 * | 0 | u8 | protocol, 0xA1 |
 * | 1 | u8 | kind: 1 HELLO, 2 CALL, 3 REPLY, 4 ITEM, 5 END, 6 CREDIT, 7 CANCEL, 8 PING, 9 PONG, 10 GOODBYE |
 * | 2 | u8 | flags: 1 a payload frame belongs to it, 2 the body is an error |
 * | 3 | u8 | contract id |
 * | 4 | u16 | method id |
 * | 6 | u16 | 0 |
 * | 8 | u32 | call id, chosen by the client |
 * | 12 | u32 | body length, bytes |
 * | 16 | u32 | deadline of a CALL, ms from its arrival; 0 none. For streams: between two items |
 * | 20 | u32 | credit, bytes: in a CALL what the server may send, in a CREDIT what may be sent besides |
 * | 24 | u32 | acknowledgement: messages received from the peer in this session; read from the first head alone |
 * | 28 | u32 | payload length, bytes |
 *
 * A body is one MessagePack value: a positional array in the order of the schema (schema-codec.ts), or an error
 * (error-body.ts). CREDIT, CANCEL, PING, PONG, GOODBYE and END have none.
 */
import { AlluxioError } from '../core/index.ts'
import { isWellFormed, type Reader, Writer } from './message-pack.ts'

export const HEAD_BYTES = 32
export const PROTOCOL = 0xa1

export const HELLO = 1
export const CALL = 2
export const REPLY = 3
export const ITEM = 4
export const END = 5
export const CREDIT = 6
export const CANCEL = 7
export const PING = 8
export const PONG = 9
export const GOODBYE = 10

export const FLAG_PAYLOAD = 1
export const FLAG_ERROR = 2

/** Bounds on what arrives; what breaks them is refused before it is decoded. */
export interface MessageLimits {
  /** Bytes of one body. @default 4 MiB */
  readonly bodyBytes: number
  /** Bytes of frame 0. @default 16 MiB */
  readonly frameBytes: number
  /** Bytes of one payload frame. @default 64 MiB */
  readonly payloadBytes: number
}
export const MESSAGE_LIMITS: MessageLimits = {
  bodyBytes: 4 * 2 ** 20,
  frameBytes: 16 * 2 ** 20,
  payloadBytes: 64 * 2 ** 20,
}

/** Bytes queued in frame 0, or of payloads, from which a message is sent without waiting for the end of the turn. */
export const FLUSH_BODY_BYTES = 256 * 1024
export const FLUSH_PAYLOAD_BYTES = 64 * 1024

/** Bytes consumed of a stream after which credit is given back: often enough that its window never runs dry. */
export function grantBytes(windowBytes: number): number {
  return Math.min(windowBytes / 4, 2 * 2 ** 20)
}

export type Encode = (writer: Writer, value: unknown) => void

/** Collects what a turn of the event loop queues for one peer. */
export class Outbox {
  readonly writer: Writer
  #payloads: Uint8Array[] = []
  #payloadBytes = 0

  constructor(slabBytes: number) {
    this.writer = new Writer(slabBytes)
  }

  get empty(): boolean {
    return this.writer.length === 0
  }

  /** Bytes of the message so far. */
  get bytes(): number {
    return this.writer.length + this.#payloadBytes
  }

  /** Whether the message is long enough to go at once. */
  get full(): boolean {
    return this.writer.length >= FLUSH_BODY_BYTES || this.#payloadBytes >= FLUSH_PAYLOAD_BYTES
  }

  /**
   * Appends one call. @throws INVALID_ARGUMENT when the value does not fit its schema or the body is longer than
   * `limits.bodyBytes`; then nothing was appended.
   */
  add(
    kind: number,
    flags: number,
    contract: number,
    method: number,
    callId: number,
    deadlineMs: number,
    credit: number,
    encode: Encode | undefined,
    value: unknown,
    payload: Uint8Array | undefined,
    limits: MessageLimits,
  ): void {
    const writer = this.writer
    const mark = writer.length
    writer.reserve(HEAD_BYTES + 64)
    writer.at += HEAD_BYTES
    if (encode !== undefined) {
      try {
        encode(writer, value)
      } catch (error) {
        writer.truncate(mark)
        throw error
      }
    }
    const bodyBytes = writer.length - mark - HEAD_BYTES
    const payloadBytes = payload === undefined ? 0 : payload.length
    if (bodyBytes > limits.bodyBytes || payloadBytes > limits.payloadBytes) {
      writer.truncate(mark)
      tooLong(bodyBytes, payloadBytes, limits)
    }
    const b = writer.buffer
    const at = writer.start + mark
    b[at] = PROTOCOL
    b[at + 1] = kind
    b[at + 2] = payload === undefined ? flags : flags | FLAG_PAYLOAD
    b[at + 3] = contract
    b[at + 4] = method & 0xff
    b[at + 5] = method >>> 8
    b[at + 6] = 0
    b[at + 7] = 0
    write32(b, at + 8, callId)
    write32(b, at + 12, bodyBytes)
    write32(b, at + 16, deadlineMs)
    write32(b, at + 20, credit)
    write32(b, at + 24, 0)
    write32(b, at + 28, payloadBytes)
    if (payload !== undefined) {
      this.#payloads.push(payload)
      this.#payloadBytes += payloadBytes
    }
  }

  /** A head without body. */
  signal(kind: number, callId: number, credit: number): void {
    this.add(kind, 0, 0, 0, callId, 0, credit, undefined, undefined, undefined, MESSAGE_LIMITS)
  }

  /** The frames of the message; the outbox is empty again. */
  take(received: number): Uint8Array[] {
    write32(this.writer.buffer, this.writer.start + 24, received)
    const frames: Uint8Array[] = this.#payloads
    if (frames.length === 0) return [this.writer.take()]
    frames.unshift(this.writer.take())
    this.#payloads = []
    this.#payloadBytes = 0
    return frames
  }

  /** Throws away what was collected. */
  clear(): void {
    this.writer.truncate(0)
    this.#payloads = []
    this.#payloadBytes = 0
  }
}

function write32(b: Buffer, at: number, value: number): void {
  b[at] = value & 0xff
  b[at + 1] = (value >>> 8) & 0xff
  b[at + 2] = (value >>> 16) & 0xff
  b[at + 3] = value >>> 24
}

function tooLong(bodyBytes: number, payloadBytes: number, limits: MessageLimits): never {
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    bodyBytes > limits.bodyBytes
      ? `a body of ${bodyBytes} bytes is longer than the ${limits.bodyBytes} that a call may carry: page it`
      : `a payload of ${payloadBytes} bytes is longer than the ${limits.payloadBytes} that a call may carry: split it`,
    { reason: 'TOO_LONG' },
  )
}

/** Walks through the calls of a message. Nothing is decoded that has not been bounded. */
export class Inbox {
  kind = 0
  flags = 0
  contract = 0
  method = 0
  callId = 0
  deadlineMs = 0
  credit = 0
  bodyBytes = 0
  payload: Buffer | undefined
  /** Messages that the peer says it has received. */
  acknowledged = 0
  readonly #limits: MessageLimits
  #frames: readonly Uint8Array[] = []
  #frame: Buffer = Buffer.alloc(0)
  #at = 0
  #body = 0
  #nextPayload = 1

  constructor(limits: MessageLimits) {
    this.#limits = limits
  }

  /** @throws INVALID_ARGUMENT, reason MALFORMED, when the message cannot be ours. */
  open(frames: readonly Uint8Array[]): void {
    const first = frames[0]
    if (first === undefined || first.length < HEAD_BYTES) malformed('it is shorter than a head')
    if (first.length > this.#limits.frameBytes) malformed(`its first frame has ${first.length} bytes`)
    this.#frames = frames
    this.#frame = asBuffer(first)
    this.#at = 0
    this.#nextPayload = 1
    this.acknowledged = read32(this.#frame, 24)
  }

  /** Moves to the next call; false at the end. @throws INVALID_ARGUMENT, reason MALFORMED. */
  next(): boolean {
    const b = this.#frame
    const at = this.#at
    if (at === b.length) {
      if (this.#nextPayload !== this.#frames.length) malformed('a payload belongs to no call')
      return false
    }
    if (b.length - at < HEAD_BYTES || b[at] !== PROTOCOL) malformed('it holds no head where one must be')
    this.kind = b[at + 1]!
    this.flags = b[at + 2]!
    this.contract = b[at + 3]!
    this.method = b[at + 4]! | (b[at + 5]! << 8)
    this.callId = read32(b, at + 8)
    this.bodyBytes = read32(b, at + 12)
    this.deadlineMs = read32(b, at + 16)
    this.credit = read32(b, at + 20)
    this.#body = at + HEAD_BYTES
    const end = this.#body + this.bodyBytes
    if (this.bodyBytes > this.#limits.bodyBytes || end > b.length)
      malformed(`a body has ${this.bodyBytes} bytes`)
    if (this.bodyBytes > 0 && !isWellFormed(b, this.#body, end))
      malformed('a body is no bounded MessagePack value')
    this.#at = end
    this.payload = (this.flags & FLAG_PAYLOAD) === 0 ? undefined : this.#takePayload(read32(b, at + 28))
    return true
  }

  /** Points a reader at the body. @throws INVALID_ARGUMENT when the call has none. */
  body(reader: Reader): Reader {
    if (this.bodyBytes === 0) malformed('a call has no body')
    reader.open(this.#frame, this.#body)
    return reader
  }

  /** Lets go of the message's memory. */
  close(): void {
    this.#frames = []
    this.#frame = Buffer.alloc(0)
    this.payload = undefined
  }

  #takePayload(length: number): Buffer {
    const frame = this.#frames[this.#nextPayload++]
    if (frame === undefined || frame.length !== length || length > this.#limits.payloadBytes) {
      malformed('a payload is missing or not as long as its head says')
    }
    return asBuffer(frame)
  }
}

function read32(b: Buffer, at: number): number {
  return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0
}

/** The same memory as a Buffer. */
function asBuffer(frame: Uint8Array): Buffer {
  return Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
}

function malformed(why: string): never {
  throw new AlluxioError('INVALID_ARGUMENT', `a message is not of this protocol: ${why}`, {
    reason: 'MALFORMED',
  })
}
