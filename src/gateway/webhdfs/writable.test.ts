import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isAlluxioError } from '../../core/index.ts'
import { WritableReader, WritableWriter } from './writable.ts'

test("numbers have Hadoop's own layout", () => {
  // As WritableUtils.writeVLong writes them.
  const known: [number, string][] = [
    [0, '00'],
    [127, '7f'],
    [128, '8f80'],
    [255, '8fff'],
    [256, '8e0100'],
    [65_536, '8d010000'],
    [1_795_342_564_935, '8a01a202c17e47'],
  ]
  for (const [value, hex] of known)
    expect([value, new WritableWriter().integer(value).end().toString('hex')]).toEqual([value, hex])
})

test('what was written is read', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.string(), fc.uint8Array(), (number, text, bytes) => {
      const written = new WritableWriter()
        .byte(7)
        .integer(number)
        .text(text.toWellFormed())
        .bytes(Buffer.from(bytes))
        .end()
      const reader = new WritableReader(written)
      expect([reader.byte(), reader.integer(), reader.text()]).toEqual([7, number, text.toWellFormed()])
      expect(Buffer.from(bytes).equals(reader.bytes())).toBe(true)
    }),
  )
})

test('any bytes are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
      const reader = new WritableReader(Buffer.from(bytes))
      try {
        for (let i = 0; i < 10; i++) reader.text()
      } catch (error) {
        expect(isAlluxioError(error, 'INVALID_ARGUMENT')).toBe(true)
      }
    }),
  )
})
