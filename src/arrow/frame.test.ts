import { expect, test } from '@jest/globals'
import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { METADATA_KEYS, readTail, sealTime, writeHead, writeTail } from './frame.ts'
import { blockLayout, TAIL_BYTES } from './layout.ts'
import { renderFrame } from './render.ts'

const metadata = (length: number) => ({
  blockId: 2 ** 52 - 3,
  fileId: 2 ** 32,
  length,
  sealedMs: sealTime(1_790_000_000_123),
  bootTag: '0123456789abcdef',
})

function frame(length: number) {
  const layout = blockLayout(length)
  const head = Buffer.alloc(layout.bodyOffset)
  const tail = Buffer.alloc(TAIL_BYTES)
  writeHead(head, layout)
  writeTail(tail, 0, layout, metadata(length))
  return { layout, head, tail }
}

test('the frame is what apache-arrow writes, for every shape', () => {
  const shapes = [1, 64, 65, 100, 200, 300, 600, 2000, 4095, 4096, 4097, 65535, 65536, 100_000, 67_108_864]
  for (const length of shapes) {
    const { layout, head, tail } = frame(length)
    const values = METADATA_KEYS.map((key) => {
      const at = tail.indexOf(key)
      // The value stands before its key: find the 16 hex digits.
      const text = tail.toString('latin1', at - 64, at)
      return [key, /([0-9a-f]{16})[^0-9a-f]*$/.exec(text)![1]!] as const
    })
    const rendered = renderFrame(layout, new Map(values))
    expect(head.equals(rendered.head)).toBe(true)
    expect(tail.equals(rendered.tail)).toBe(true)
  }
})

test('arrow-js reads a whole file with its metadata', () => {
  const { layout, head, tail } = frame(9000)
  const body = Buffer.alloc(layout.tailOffset - layout.bodyOffset)
  for (let i = 0; i < 9000; i++) body[i] = i % 251
  const table = tableFromIPC(Buffer.concat([head, body, tail]))
  expect(table.numRows).toBe(3)
  expect(table.schema.metadata.get('alluxio.length')).toBe('0000000000002328')
  expect(Buffer.from(table.getChild('page')!.get(1) as Uint8Array).equals(body.subarray(4096, 8192))).toBe(
    true,
  )
})

test('the tail reads back, and any changed byte is found', () => {
  const { tail } = frame(123_456)
  expect(readTail(tail)).toEqual(metadata(123_456))
  fc.assert(
    fc.property(fc.nat(TAIL_BYTES - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const broken = Buffer.from(tail)
      broken[at]! ^= mask
      expect(readTail(broken)).toBeUndefined()
    }),
  )
})

test('a seal time is exact in seconds and nanoseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_500_000_000_000, max: 3_000_000_000_000 }), (ms) => {
      const sealed = sealTime(ms)
      expect(ms - sealed).toBeLessThan(2)
      expect(ms - sealed).toBeGreaterThanOrEqual(0)
      expect(sealTime(sealed)).toBe(sealed)
      const seconds = sealed / 1000
      const nanoseconds = (seconds - Math.floor(seconds)) * 1e9
      expect(Number.isInteger(nanoseconds)).toBe(true)
      expect(Math.floor(seconds) * 1000 + nanoseconds / 1e6).toBe(sealed)
    }),
  )
})
