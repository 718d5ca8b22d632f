import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { checkPart, copyRanges, LARGEST_OBJECT_BYTES, MOST_PARTS, partBytes } from './parts.ts'

const MIB = 2 ** 20
const LEAST = 16 * MIB

/** Parts that a stream of this length needs. */
function partsOf(length: number, hint: number | undefined): number {
  let number = 0
  for (let sent = 0; sent < length; sent += partBytes(number, LEAST, hint)) number++
  return number
}

test('5 TiB fit into 10,000 parts with and without a hint', () => {
  expect(partsOf(LARGEST_OBJECT_BYTES, undefined)).toBeLessThanOrEqual(MOST_PARTS)
  expect(partsOf(LARGEST_OBJECT_BYTES, LARGEST_OBJECT_BYTES)).toBeLessThanOrEqual(MOST_PARTS)
  expect(partBytes(1, LEAST, undefined)).toBe(LEAST)
})

test('any length fits, also when the hint was too small by up to 2 TiB', () => {
  const length = fc.integer({ min: 1, max: 2 ** 31 }).map((n) => n * 1279)
  const excess = fc.integer({ min: 0, max: 2 ** 31 }).map((n) => n * 1000)
  fc.assert(
    fc.property(length, excess, (hint, more) => {
      const actual = Math.min(LARGEST_OBJECT_BYTES, hint + more)
      expect(partsOf(actual, undefined)).toBeLessThanOrEqual(MOST_PARTS)
      expect(partsOf(actual, hint)).toBeLessThanOrEqual(MOST_PARTS)
    }),
    { numRuns: 50 },
  )
})

test('the limits of the protocol are refused before they are sent', () => {
  expect(() => checkPart(MOST_PARTS, 1, 'x')).not.toThrow()
  expect(() => checkPart(MOST_PARTS + 1, 1, 'x')).toThrow(/at most 10000 parts/)
  expect(() => checkPart(1, LARGEST_OBJECT_BYTES + 1, 'x')).toThrow(/5 TiB/)
})

test('copy ranges cover the object once, in order', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 }).map((n) => n * 2500),
      (length) => {
        const ranges = copyRanges(length)
        expect(ranges.length).toBeLessThanOrEqual(MOST_PARTS)
        expect(ranges[0]!.first).toBe(0)
        expect(ranges.at(-1)!.last).toBe(length - 1)
        const joined = ranges.every(({ number, first }, i) => {
          return number === i + 1 && (i === 0 || first === ranges[i - 1]!.last + 1)
        })
        expect(joined).toBe(true)
      },
    ),
    { numRuns: 30 },
  )
})
