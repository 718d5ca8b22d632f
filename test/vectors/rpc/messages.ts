/**
 * The golden messages: what goes over the wire, said once here, kept as `messages.json` and `malformed.json` for every
 * implementation to check itself against (Jest here, JUnit in the Java client).
 *
 * In the JSON, bytes are `{"$bytes": hex}`. A message's frames are hex; `calls` is what they mean.
 */
import { AlluxioError } from '../../../src/core/index.ts'
import * as wire from '../../../src/rpc/codec.ts'
import { decodeError, encodeError } from '../../../src/rpc/error-body.ts'
import { clientHello, serverHello } from '../../../src/rpc/hello.ts'
import { type Contract, MasterBlock, MasterFs, type Method, WorkerBlock } from '../../../src/rpc/index.ts'
import { Reader } from '../../../src/rpc/message-pack.ts'
import { codecOf, type SchemaCodec } from '../../../src/rpc/schema-codec.ts'

export interface GoldenCall {
  readonly kind: keyof typeof KINDS
  /** `contract.method` and which of its schemas the body has. */
  readonly method?: string
  readonly part?: 'request' | 'response' | 'item'
  readonly callId: number
  readonly deadlineMs?: number
  readonly credit?: number
  readonly body?: unknown
  readonly error?: unknown
  readonly payload?: unknown
}
export interface GoldenMessage {
  readonly name: string
  readonly acknowledged: number
  readonly calls: readonly GoldenCall[]
  readonly frames: readonly string[]
}
type Draft = Omit<GoldenMessage, 'frames'>

const KINDS = {
  HELLO: wire.HELLO,
  CALL: wire.CALL,
  REPLY: wire.REPLY,
  ITEM: wire.ITEM,
  END: wire.END,
  CREDIT: wire.CREDIT,
  CANCEL: wire.CANCEL,
  PING: wire.PING,
  PONG: wire.PONG,
  GOODBYE: wire.GOODBYE,
} as const

const CONTRACTS: readonly Contract[] = [MasterFs, MasterBlock, WorkerBlock]
const bytes = (hex: string) => ({ $bytes: hex })

export const DRAFTS: readonly Draft[] = [
  {
    name: 'hello of a client, with a first call behind it',
    acknowledged: 0,
    calls: [
      {
        kind: 'HELLO',
        callId: 0,
        body: {
          user: 'ann',
          host: 'node-1.example',
          clientId: 'cli-4711',
          contracts: [{ id: 1, name: 'master.fs', version: 1 }],
        },
      },
      {
        kind: 'CALL',
        method: 'master.fs.getStatus',
        part: 'request',
        callId: 1,
        deadlineMs: 30_000,
        body: { path: '/data/flights.parquet' },
      },
    ],
  },
  {
    name: 'hello of a server',
    acknowledged: 1,
    calls: [
      {
        kind: 'HELLO',
        callId: 0,
        body: {
          serverId: '00112233aabbccdd',
          windowBytes: 8_388_608,
          bodyBytes: 4_194_304,
          payloadBytes: 67_108_864,
          contracts: [
            { id: 1, name: 'master.fs', version: 1 },
            { id: 2, name: 'master.admin', version: 1 },
          ],
        },
      },
    ],
  },
  {
    name: 'a refused hello',
    acknowledged: 1,
    calls: [
      {
        kind: 'HELLO',
        callId: 0,
        error: {
          code: 'UNSUPPORTED',
          reason: 'CONTRACT_VERSION',
          message: 'the client speaks version 2 of master.fs, the server version 1: upgrade the server',
        },
      },
    ],
  },
  {
    name: 'three coalesced calls, the second with a payload',
    acknowledged: 70_000,
    calls: [
      {
        kind: 'CALL',
        method: 'master.fs.list',
        part: 'request',
        callId: 258,
        deadlineMs: 120_000,
        body: { path: '/grüße/東京 🙂', limit: 1000, cursor: 'z', loadMetadata: 'ONCE' },
      },
      {
        kind: 'CALL',
        method: 'worker.block.writeSmall',
        part: 'request',
        callId: 4_294_967_295,
        deadlineMs: 30_000,
        body: { blockId: 8_589_934_592 * 1_048_576 - 1, pinned: false, soleCopy: true },
        payload: bytes('00ff10'),
      },
      {
        kind: 'CALL',
        method: 'worker.block.remove',
        part: 'request',
        callId: 259,
        deadlineMs: 10_000,
        body: { blockIds: Array.from({ length: 17 }, (_, i) => 2 ** i - 1) },
      },
    ],
  },
  {
    name: 'numbers of every form',
    acknowledged: 2,
    calls: [
      {
        kind: 'CALL',
        method: 'worker.block.remove',
        part: 'request',
        callId: 7,
        deadlineMs: 10_000,
        body: {
          blockIds: [
            0, 127, 128, 255, 256, 65_535, 65_536, 2_147_483_648, 4_294_967_295, 4_294_967_296, -1, -32, -33,
            -128, -32_769, -2_147_483_648, -2_147_483_649, 0.5, 1e300, 9_007_199_254_740_991,
          ],
        },
      },
    ],
  },
  {
    name: 'a record with bytes and null, optional properties in the middle',
    acknowledged: 3,
    calls: [
      {
        kind: 'CALL',
        method: 'master.fs.setAttribute',
        part: 'request',
        callId: 8,
        deadlineMs: 30_000,
        body: {
          path: '/a',
          commandId: bytes('000102030405060708090a0b0c0d0e0f'),
          recursive: true,
          owner: 'bob',
          media: ['MEM', 'SSD'],
          xattr: { 'user.a': bytes('cafe'), 'user.b': null },
        },
      },
    ],
  },
  {
    name: 'replies: one with bytes inside, one with a payload, one empty, one error',
    acknowledged: 4,
    calls: [
      {
        kind: 'REPLY',
        method: 'master.fs.getStatus',
        part: 'response',
        callId: 1,
        body: { entry: bytes('ab'.repeat(300)) },
      },
      {
        kind: 'REPLY',
        method: 'worker.block.readAt',
        part: 'response',
        callId: 2,
        body: { from: 'MEM' },
        payload: bytes('00'.repeat(64)),
      },
      { kind: 'REPLY', method: 'master.fs.rename', part: 'response', callId: 3, body: {} },
      {
        kind: 'REPLY',
        callId: 4,
        error: { code: 'NOT_FOUND', message: 'stat /x: no such file', details: { path: '/x', line: 7 } },
      },
    ],
  },
  {
    name: 'a download: request with credit',
    acknowledged: 5,
    calls: [
      {
        kind: 'CALL',
        method: 'worker.block.read',
        part: 'request',
        callId: 9,
        deadlineMs: 60_000,
        credit: 8_388_608,
        body: {
          blockId: 1_048_576,
          offset: 0,
          length: 3,
          blockLength: 67_108_864,
          fileOffset: 0,
          source: { mountId: 1, path: 'a/b', length: 3, fingerprint: '"etag"' },
          cache: true,
          promote: false,
          sequential: true,
        },
      },
    ],
  },
  {
    name: 'a download: two items and the end',
    acknowledged: 6,
    calls: [
      {
        kind: 'ITEM',
        method: 'worker.block.read',
        part: 'item',
        callId: 9,
        body: { from: 'UFS' },
        payload: bytes('0102'),
      },
      {
        kind: 'ITEM',
        method: 'worker.block.read',
        part: 'item',
        callId: 9,
        body: { from: 'MEM' },
        payload: bytes('03'),
      },
      { kind: 'REPLY', method: 'worker.block.read', callId: 9 },
    ],
  },
  {
    name: 'an upload: item and end',
    acknowledged: 7,
    calls: [
      {
        kind: 'ITEM',
        method: 'worker.block.write',
        part: 'item',
        callId: 10,
        body: {},
        payload: bytes('ff'.repeat(33)),
      },
      { kind: 'END', callId: 10 },
    ],
  },
  {
    name: 'signals',
    acknowledged: 4_294_967_295,
    calls: [
      { kind: 'CREDIT', callId: 9, credit: 2_097_152 },
      { kind: 'CANCEL', callId: 11 },
      { kind: 'PING', callId: 0 },
      { kind: 'PONG', callId: 0 },
      { kind: 'GOODBYE', callId: 0 },
    ],
  },
]

/** What must be refused before anything of it is decoded, and why. */
export function malformedMessages(): { name: string; frames: string[] }[] {
  const good = encodeMessage(DRAFTS[0]!)[0]!
  const change = (at: number, value: number) => {
    const copy = Buffer.from(good)
    copy[at] = value
    return copy
  }
  const body = (...content: number[]) => {
    const head = Buffer.from(encodeMessage(DRAFTS.at(-1)!)[0]!.subarray(0, wire.HEAD_BYTES))
    head[1] = wire.CALL
    head.writeUInt32LE(content.length, 12)
    return Buffer.concat([head, Buffer.from(content)])
  }
  const announced = Buffer.from(body(0x90))
  announced[2] = wire.FLAG_PAYLOAD
  announced.writeUInt32LE(5, 28)
  const cases: [string, Uint8Array[]][] = [
    ['an empty frame', [Buffer.alloc(0)]],
    ['an HTTP request', [Buffer.from('GET / HTTP/1.1\r\nHost: localhost:19998\r\n\r\n')]],
    ['another protocol number', [change(0, 0xa2)]],
    ['a cut head', [good.subarray(0, 31)]],
    ['a cut body', [good.subarray(0, good.length - 1)]],
    ['bytes behind the last body', [Buffer.concat([good, Buffer.from([1])])]],
    ['a body longer than the frame', [change(12, 0xff)]],
    ['a body of 4 GiB', [change(15, 0xff)]],
    ['an extension type in a body', [body(0xd4, 0x70, 0x00)]],
    ['an array of 4 G elements', [body(0xdd, 0xff, 0xff, 0xff, 0xff)]],
    ['20 levels of arrays', [body(...new Array(20).fill(0x91), 0xc0)]],
    ['a payload that does not come', [announced]],
    ['a payload that is shorter than announced', [announced, Buffer.alloc(4)]],
    ['a payload that nobody announced', [body(0x90), Buffer.alloc(4)]],
  ]
  return cases.map(([name, frames]) => ({
    name,
    frames: frames.map((frame) => Buffer.from(frame).toString('hex')),
  }))
}

export function encodeMessage(message: Draft): Buffer[] {
  const outbox = new wire.Outbox(256)
  for (const call of message.calls) {
    const found = find(call)
    outbox.add(
      KINDS[call.kind],
      call.error === undefined ? 0 : wire.FLAG_ERROR,
      found?.contract.id ?? 0,
      found?.method.id ?? 0,
      call.callId,
      call.deadlineMs ?? 0,
      call.credit ?? 0,
      encoderOf(call, found),
      call.error === undefined ? fromJson(call.body) : toError(call.error),
      call.payload === undefined ? undefined : (fromJson(call.payload) as Uint8Array),
      wire.MESSAGE_LIMITS,
    )
  }
  return outbox.take(message.acknowledged) as Buffer[]
}

/** What the frames mean, in the form of the JSON. */
export function decodeMessage(name: string, frames: readonly Uint8Array[]): Draft {
  const inbox = new wire.Inbox(wire.MESSAGE_LIMITS)
  inbox.open(frames)
  const calls: GoldenCall[] = []
  while (inbox.next()) calls.push(decodeCall(inbox))
  return { name, acknowledged: inbox.acknowledged, calls }
}

function decodeCall(inbox: wire.Inbox): GoldenCall {
  const kind = Object.entries(KINDS).find(([, value]) => value === inbox.kind)?.[0] as GoldenCall['kind']
  const contract = CONTRACTS.find(({ id }) => id === inbox.contract)
  const [key, method] =
    Object.entries(contract?.methods ?? {}).find(([, { id }]) => id === inbox.method) ?? []
  const part = kind === 'CALL' ? 'request' : kind === 'ITEM' ? 'item' : 'response'
  const failed = (inbox.flags & wire.FLAG_ERROR) !== 0
  const reader = new Reader()
  let content: Partial<GoldenCall> = {}
  if (failed) content = { error: decodeError(inbox.body(reader), '').toJSON() }
  else if (inbox.bodyBytes > 0 && (kind === 'HELLO' || (method !== undefined && part in method))) {
    const codec = kind === 'HELLO' ? helloCodec(inbox) : partCodec(method!, part)
    content = { body: toJson(codec.decode(inbox.body(reader))) }
  }
  return {
    kind,
    ...(contract === undefined || key === undefined ? {} : { method: `${contract.name}.${key}` }),
    ...(method === undefined || inbox.bodyBytes === 0 ? {} : { part }),
    callId: inbox.callId,
    ...(inbox.deadlineMs === 0 ? {} : { deadlineMs: inbox.deadlineMs }),
    ...(inbox.credit === 0 ? {} : { credit: inbox.credit }),
    ...content,
    ...(inbox.payload === undefined ? {} : { payload: toJson(inbox.payload) }),
  }
}

/** A client's hello is the first message of a session, so it acknowledges none. */
function helloCodec(inbox: wire.Inbox): SchemaCodec {
  return inbox.acknowledged === 0 ? clientHello : serverHello
}

interface Found {
  readonly contract: Contract
  readonly method: Method
}

function find(call: GoldenCall): Found | undefined {
  for (const contract of CONTRACTS) {
    for (const [key, method] of Object.entries(contract.methods)) {
      if (`${contract.name}.${key}` === call.method) return { contract, method }
    }
  }
  return undefined
}

function encoderOf(call: GoldenCall, found: Found | undefined): wire.Encode | undefined {
  if (call.error !== undefined) return encodeError
  if (call.body === undefined) return undefined
  if (call.kind === 'HELLO')
    return 'serverId' in (call.body as object) ? serverHello.encode : clientHello.encode
  return partCodec(found!.method, call.part!).encode
}

function partCodec(method: Method, part: 'request' | 'response' | 'item'): SchemaCodec {
  const schema = part === 'request' ? method.request : (method as Extract<Method, { kind: 'upload' }>)[part]
  return codecOf(schema, part)
}

function toError(error: unknown): AlluxioError {
  const { code, message, reason, details } = error as AlluxioError
  return new AlluxioError(code, message, {
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
  })
}

function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value !== 'object' || value === null) return value
  if ('$bytes' in value) return Buffer.from(value.$bytes as string, 'hex')
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fromJson(inner)]))
}

function toJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return bytes(Buffer.from(value).toString('hex'))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]))
}
