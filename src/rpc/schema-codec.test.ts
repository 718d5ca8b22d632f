import { describe, expect, it } from '@jest/globals'
import { Type as T, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { CONTRACTS } from './contract-lock.ts'
import { Reader, Writer } from './message-pack.ts'
import { codecOf } from './schema-codec.ts'

function encode(schema: TSchema, value: unknown): Buffer {
  const writer = new Writer(256)
  codecOf(schema, 'x').encode(writer, value)
  return writer.take()
}

function decode(schema: TSchema, bytes: Buffer): unknown {
  const reader = new Reader()
  reader.open(bytes, 0)
  const value = codecOf(schema, 'x').decode(reader)
  expect(reader.at).toBe(bytes.length)
  return value
}

const Rich = T.Object({
  name: T.String(),
  size: T.Number(),
  flag: T.Boolean(),
  data: T.Uint8Array(),
  kind: T.Union([T.Literal('A'), T.Literal(2), T.Literal(true)]),
  list: T.Array(T.Object({ id: T.Number(), tags: T.Array(T.String()), note: T.Optional(T.String()) })),
  map: T.Record(T.String(), T.Union([T.Uint8Array(), T.Null()])),
  middle: T.Optional(T.Number()),
  nested: T.Object({ deep: T.Object({ n: T.Integer() }) }),
  last: T.Optional(T.Record(T.String(), T.Array(T.Number()))),
})

const rich = fc.record(
  {
    name: fc.string({ unit: 'grapheme' }),
    size: fc.integer(),
    flag: fc.boolean(),
    data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    kind: fc.constantFrom('A', 2, true),
    list: fc.array(
      fc.record(
        { id: fc.nat(), tags: fc.array(fc.string(), { maxLength: 3 }), note: fc.string() },
        { requiredKeys: ['id', 'tags'] },
      ),
      { maxLength: 20 },
    ),
    map: fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString')),
      fc.option(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes))),
    ),
    middle: fc.integer(),
    nested: fc.record({ deep: fc.record({ n: fc.integer() }) }),
    last: fc.dictionary(fc.string(), fc.array(fc.integer(), { maxLength: 3 })),
  },
  { requiredKeys: ['name', 'size', 'flag', 'data', 'kind', 'list', 'map', 'nested'] },
)

describe('schema codec', () => {
  it('gives back every value of a schema', () => {
    fc.assert(
      fc.property(rich, (value) => {
        const back = decode(Rich, encode(Rich, value))
        expect(back).toEqual(value)
        expect(Object.keys(back as object).sort()).toEqual(Object.keys(value).sort())
        codecOf(Rich, 'x').check(back)
      }),
      { numRuns: 300 },
    )
  })

  it('writes positional arrays in the order of the schema, nil for what is absent', () => {
    const schema = T.Object({ b: T.String(), a: T.Optional(T.Number()), c: T.Object({ d: T.Boolean() }) })
    expect(unpack(encode(schema, { c: { d: true }, b: 'x' }))).toEqual(['x', null, [true]])
    expect(decode(schema, encode(schema, { c: { d: true }, b: 'x' }))).toEqual({ b: 'x', c: { d: true } })
  })

  it('reads what older and newer peers write', () => {
    const older = T.Object({ a: T.String() })
    const newer = T.Object({ a: T.String(), b: T.Optional(T.Number()), c: T.Optional(T.Array(T.String())) })
    expect(decode(newer, encode(older, { a: 'x' }))).toEqual({ a: 'x' })
    expect(decode(older, encode(newer, { a: 'x', b: 1, c: ['y', 'z'] }))).toEqual({ a: 'x' })
  })

  it('refuses bytes of another schema without making an object of them', () => {
    const schema = T.Object({ a: T.String(), b: T.Number() })
    expect(() => decode(schema, encode(T.Object({ a: T.Number(), b: T.Number() }), { a: 1, b: 2 }))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED' }),
    )
    expect(() => decode(schema, encode(T.Object({ a: T.String() }), { a: 'x' }))).toThrow(
      'properties are missing',
    )
    expect(() => decode(schema, encode(T.Array(T.Number()), []))).toThrow('properties are missing')
  })

  it('makes records without a prototype, so that no key can reach one', () => {
    const schema = T.Object({ map: T.Record(T.String(), T.Number()) })
    const bytes = encode(schema, { map: JSON.parse('{"__proto__":1,"constructor":2}') })
    const { map } = decode(schema, bytes) as { map: Record<string, number> }
    expect(Object.getPrototypeOf(map)).toBeNull()
    expect(Object.keys(map)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('checks what types alone do not say', () => {
    const codec = codecOf(
      T.Object({ how: T.Union([T.Literal('A'), T.Literal('B')]), n: T.Integer() }),
      'fs.x request',
    )
    codec.check({ how: 'A', n: 1 })
    expect(() => codec.check({ how: 'C', n: 1 })).toThrow(/fs\.x request how: /)
    expect(() => codec.check({ how: 'A', n: 1.5 })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'SCHEMA' }),
    )
  })

  it.each<[string, TSchema]>([
    ['a union of objects', T.Object({ a: T.Union([T.Object({}), T.String()]) })],
    ['an optional that may be null', T.Object({ a: T.Optional(T.Union([T.String(), T.Null()])) })],
    ['anything', T.Object({ a: T.Any() })],
    ['a property named __proto__', T.Object({ ['__proto__']: T.String() })],
  ])('refuses to compile %s', (_what, schema) => {
    expect(() => codecOf(schema, 'x')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })

  it('compiles every schema of every contract and carries a value of it', () => {
    for (const contract of CONTRACTS) {
      for (const [key, method] of Object.entries(contract.methods)) {
        const schemas = [
          method.request,
          'item' in method ? method.item : undefined,
          'response' in method ? method.response : undefined,
        ]
        for (const schema of schemas) {
          if (schema === undefined) continue
          const value = Value.Create(schema)
          expect([key, decode(schema, encode(schema, value))]).toEqual([key, value])
        }
      }
    }
  })
})
