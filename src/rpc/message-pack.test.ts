import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { pack, unpack } from 'msgpackr'
import { isWellFormed, MAX_DEPTH, Reader, Writer } from './message-pack.ts'

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer(64)
  write(writer)
  return writer.take()
}

function reader(bytes: Buffer): Reader {
  const made = new Reader()
  made.open(bytes, 0)
  return made
}

/** Writes any plain value, as a peer of another language might. */
function writeAny(writer: Writer, value: unknown): void {
  if (Array.isArray(value)) {
    writer.array(value.length)
    for (const item of value) writeAny(writer, item)
  } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    writer.map(Object.keys(value).length)
    for (const [key, item] of Object.entries(value)) {
      writer.string(key, 'key')
      writeAny(writer, item)
    }
  } else writer.scalar(value, 'value')
}

const scalar = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.double({ noNaN: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
  fc.integer(),
  fc.constantFrom(
    0,
    31,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    -1,
    -32,
    -33,
    -(2 ** 31),
  ),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
)

describe('MessagePack', () => {
  it('reads every scalar that it writes, and an independent reader agrees', () => {
    fc.assert(
      fc.property(scalar, (value) => {
        const bytes = written((writer) => writer.scalar(value, 'value'))
        expect(isWellFormed(bytes, 0, bytes.length)).toBe(true)
        const made = reader(bytes)
        expect(made.scalar('value')).toEqual(value)
        expect(made.at).toBe(bytes.length)
        expect(unpack(bytes)).toEqual(value)
      }),
    )
  })

  it('reads what an independent writer makes', () => {
    fc.assert(
      fc.property(scalar, (value) => {
        expect(reader(pack(value)).scalar('value')).toEqual(value)
      }),
    )
  })

  it('skips any value whole', () => {
    const any = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value'), { maxLength: 20 }),
        fc.dictionary(fc.string({ maxLength: 5 }), tie('value'), { maxKeys: 20 }),
      ),
    })).value
    fc.assert(
      fc.property(any, (value) => {
        const bytes = written((writer) => {
          writeAny(writer, value)
          writer.number(7, 'behind')
        })
        const made = reader(bytes)
        made.skip()
        expect(made.number('behind')).toBe(7)
        expect(made.at).toBe(bytes.length)
      }),
    )
  })

  it('accepts no cut of a well-formed value, and survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(scalar, { minLength: 1, maxLength: 5 }), (value) => {
        const bytes = written((writer) => writeAny(writer, value))
        for (let end = 0; end < bytes.length; end++) expect(isWellFormed(bytes, 0, end)).toBe(false)
      }),
      { numRuns: 30 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect([true, false]).toContain(isWellFormed(Buffer.from(bytes), 0, bytes.length))
      }),
      { numRuns: 2000 },
    )
  })

  it.each<[string, number[]]>([
    ['an array of 4 G elements', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map of 4 G pairs', [0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0, 0xc0]],
    ['a string longer than the bytes left', [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ['bytes longer than the bytes left', [0xc6, 0x00, 0x00, 0x00, 0x05, 0x61]],
    ['a fixed extension', [0xd4, 0x70, 0x00]],
    ['an extension of 8 bits', [0xc7, 0x01, 0x01, 0x00]],
    ['an extension of 32 bits', [0xc9, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['the tag that is never used', [0xc1]],
    ['two values', [0x01, 0x02]],
    ['nothing', []],
    ['too many levels', [...new Array(MAX_DEPTH + 1).fill(0x91), 0xc0]],
    ['very many levels', [...new Array(100_000).fill(0x91), 0xc0]],
  ])('refuses %s', (_what, bytes) => {
    expect(isWellFormed(Buffer.from(bytes), 0, bytes.length)).toBe(false)
  })

  it(`accepts ${MAX_DEPTH} levels`, () => {
    const bytes = Buffer.from([...new Array(MAX_DEPTH).fill(0x91), 0xc0])
    expect(isWellFormed(bytes, 0, bytes.length)).toBe(true)
  })

  it('reads integers of 64 bits that fit, and refuses others', () => {
    const big = Buffer.alloc(9)
    big[0] = 0xcf
    big.writeBigUInt64BE(2n ** 53n - 1n, 1)
    expect(reader(big).number('n')).toBe(2 ** 53 - 1)
    big.writeBigUInt64BE(2n ** 53n, 1)
    expect(() => reader(big).number('n')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('names the field of a wrong type, on both sides', () => {
    const writer = new Writer(64)
    expect(() => writer.string(7, 'path')).toThrow('path: a string was expected, not number')
    expect(() => writer.number(null, 'n')).toThrow('n: a number was expected, not null')
    expect(() => writer.bytes([1], 'b')).toThrow('b: bytes was expected, not an array')
    expect(() => reader(Buffer.from([0x01])).string('path')).toThrow(
      'path: a string was expected, not tag 0x1',
    )
  })

  it('never writes again to a message that was taken', () => {
    const writer = new Writer(256)
    const messages: { taken: Buffer; copy: Buffer }[] = []
    for (let i = 0; i < 500; i++) {
      for (let n = 0; n < (i * 7) % 90; n++) writer.string(`message ${i} ${n}`, 'text')
      writer.number(i, 'n')
      const taken = writer.take()
      messages.push({ taken, copy: Buffer.from(taken) })
      if (i % 50 === 0) writer.release()
    }
    for (const { taken, copy } of messages) expect(taken.equals(copy)).toBe(true)
  })

  it('gives bytes as a view of the message, not as a copy', () => {
    const message = written((writer) => writer.bytes(Buffer.alloc(100, 5), 'b'))
    const view = reader(message).bytes('b')
    expect(view.buffer).toBe(message.buffer)
    expect(view).toHaveLength(100)
  })
})
