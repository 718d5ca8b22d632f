import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { RecordReader } from './record-reader.ts'

const framed = (texts: readonly string[]) =>
  Buffer.concat(texts.map((text) => Buffer.from(`${Buffer.byteLength(text)}\n${text}`)))

test('records come whole however the bytes are cut', () => {
  const cuts = fc.array(fc.nat({ max: 40 }), { maxLength: 30 })
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 50 })), cuts, (texts, lengths) => {
      const bytes = framed(texts)
      const reader = new RecordReader()
      const read: string[] = []
      let at = 0
      for (const length of [...lengths, bytes.length]) {
        for (const record of reader.push(bytes.subarray(at, at + length))) read.push(record.toString())
        at += length
      }
      expect(read).toEqual(texts.map((text) => Buffer.from(text).toString()))
    }),
  )
})

test.each(['x\n{}', '-1\n', '12345678901', '999999999\n{', '\n'])('%j is no RecordIO', (text) => {
  expect(() => new RecordReader().push(Buffer.from(text))).toThrow(/no RecordIO/)
})
