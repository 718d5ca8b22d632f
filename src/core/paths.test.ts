import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { baseName, canonicalPath, isWithin, joinPath, parentPath, pathNames } from './paths.ts'

describe('canonicalPath', () => {
  test.each([
    ['/', '/'],
    ['//', '/'],
    ['/a/', '/a'],
    ['/a//b///c', '/a/b/c'],
    ['alluxio://host:19998/a/b', '/a/b'],
    ['alluxio://host:19998', '/'],
    ['alluxio:/a', '/a'],
    ['/.hidden', '/.hidden'],
    ['/a/..b', '/a/..b'],
    ['/ü ber/%2F', '/ü ber/%2F'],
  ])('%j is %j', (given, canonical) => expect(canonicalPath(given)).toBe(canonical))

  test.each([
    '',
    'a',
    './a',
    '/a/./b',
    '/..',
    '/a/..',
    '/a\0b',
    `/${'x'.repeat(256)}`,
    `/${'ü'.repeat(128)}`,
    '/\ud800',
  ])('refuses %j', (given) =>
    expect(() => canonicalPath(given)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' })),
  )

  test('is idempotent and agrees with its parts', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 20 })
      .filter((s) => !/[/\0]/.test(s) && s !== '.' && s !== '..')
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 6 }), (names) => {
        const path = canonicalPath(`/${names.join('/')}`)
        expect(canonicalPath(path)).toBe(path)
        expect(pathNames(path)).toEqual(names)
        expect(joinPath(parentPath(path), baseName(path))).toBe(path)
        expect(isWithin(path, parentPath(path))).toBe(true)
      }),
    )
  })
})

test('isWithin knows names from prefixes', () => {
  expect(isWithin('/ab', '/a')).toBe(false)
  expect(isWithin('/a/b', '/a')).toBe(true)
  expect(isWithin('/a', '/a/b')).toBe(false)
})
