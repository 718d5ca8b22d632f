import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { AlluxioError, ERROR_CODES, type ErrorCode } from '../core/index.ts'
import { decodeError, encodeError } from './error-body.ts'
import { isWellFormed, Reader, Writer } from './message-pack.ts'

function carried(thrown: unknown): AlluxioError {
  const writer = new Writer(64)
  encodeError(writer, thrown)
  const bytes = writer.take()
  expect(isWellFormed(bytes, 0, bytes.length)).toBe(true)
  const reader = new Reader()
  reader.open(bytes, 0)
  return decodeError(reader, 'fs.rename')
}

describe('errors on the wire', () => {
  it('keep code, reason, message and details', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[]
    const error = fc.record({
      code: fc.constantFrom(...codes),
      message: fc.string({ unit: 'grapheme' }),
      reason: fc.option(fc.string(), { nil: undefined }),
      details: fc.dictionary(
        fc.stringMatching(/^[a-z]{1,8}$/),
        fc.oneof(fc.string(), fc.integer(), fc.boolean()),
      ),
    })
    fc.assert(
      fc.property(error, ({ code, message, reason, details }) => {
        const made = new AlluxioError(code, message, { details, ...(reason === undefined ? {} : { reason }) })
        expect(carried(made).toJSON()).toEqual(made.toJSON())
        expect(carried(made).operation).toBe('fs.rename')
      }),
    )
  })

  it('say INTERNAL for what is no error of ours, without its stack', () => {
    const error = carried(new TypeError('x is not a function'))
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'x is not a function', details: {} })
    expect(error.cause).toBeUndefined()
    expect(carried('a thrown string')).toMatchObject({ code: 'INTERNAL', message: 'a thrown string' })
  })

  it('are bounded, and leave out details that no JSON can hold', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    expect(carried(new AlluxioError('CONFLICT', 'x'.repeat(1e6), { details: cycle }))).toMatchObject({
      message: 'x'.repeat(16 * 1024),
      details: {},
    })
    expect(
      carried(new AlluxioError('CONFLICT', 'x', { details: { long: 'y'.repeat(1e6) } })).details,
    ).toEqual({})
    expect(carried(new AlluxioError('CONFLICT', 'x', { details: { n: 7n } })).details).toEqual({ n: '7' })
  })

  it('bring no key that reaches a prototype', () => {
    const details = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"path":"/a"}',
    )
    const back = carried(new AlluxioError('CONFLICT', 'x', { details })).details
    expect(Object.keys(back)).toEqual(['path'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})
