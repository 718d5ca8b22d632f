import { describe, expect, test } from '@jest/globals'
import {
  AlluxioError,
  ERROR_CODES,
  errorCodeFromWire,
  fromErrno,
  isAlluxioError,
  toAlluxioError,
} from './errors.ts'

describe('AlluxioError', () => {
  test('every code has a wire number of its own that leads back to it', () => {
    const wires = Object.values(ERROR_CODES).map(({ wire }) => wire)
    expect(new Set(wires).size).toBe(wires.length)
    for (const [code, { wire }] of Object.entries(ERROR_CODES)) expect(errorCodeFromWire(wire)).toBe(code)
    expect(errorCodeFromWire(250)).toBe('INTERNAL')
  })

  test('is recognised by its brand, not its class', () => {
    const foreign = Object.assign(Object.create(null), {
      code: 'NOT_FOUND',
      [Symbol.for('alluxio.error')]: true,
    })
    expect(isAlluxioError(foreign, 'NOT_FOUND')).toBe(true)
    expect(isAlluxioError(new TypeError('x'))).toBe(false)
    expect(isAlluxioError({ code: 'NOT_FOUND' })).toBe(false)
  })

  test('translates errno at the door, and keeps the cause', () => {
    const cause = Object.assign(new TypeError('no such file'), { code: 'ENOENT' })
    expect(fromErrno(cause, 'open', '/x')).toMatchObject({
      code: 'NOT_FOUND',
      reason: 'ENOENT',
      cause,
      details: { path: '/x' },
    })
    expect(fromErrno(Object.assign(new TypeError(''), { code: 'ENOSPC' }), 'write', '/x').code).toBe(
      'RESOURCE_EXHAUSTED',
    )
    expect(toAlluxioError('text')).toMatchObject({ code: 'INTERNAL', message: 'text' })
  })

  test('as JSON has code, reason, message and details', () => {
    expect(new AlluxioError('CONFLICT', 'm', { reason: 'R', details: { a: 1 } }).toJSON()).toEqual({
      code: 'CONFLICT',
      reason: 'R',
      message: 'm',
      details: { a: 1 },
    })
    expect(new AlluxioError('CONFLICT', 'm').toJSON()).toEqual({ code: 'CONFLICT', message: 'm' })
  })
})
