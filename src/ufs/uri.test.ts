import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { checkStorePath, compareUtf8, parseUfsUri } from './uri.ts'

describe('parseUfsUri', () => {
  test.each([
    ['/data/set', 'file', '', 'data/set', 'file:///data/set'],
    ['file:///data//set/', 'file', '', 'data/set', 'file:///data/set'],
    ['file:/data', 'file', '', 'data', 'file:///data'],
    ['/', 'file', '', '', 'file:///'],
    ['s3://bucket', 's3', 'bucket', '', 's3://bucket'],
    ['S3A://bucket/a/b c%20/', 's3a', 'bucket', 'a/b c%20', 's3a://bucket/a/b c%20'],
    ['hdfs://host:8020/x', 'hdfs', 'host:8020', 'x', 'hdfs://host:8020/x'],
  ])('%s', (input, scheme, authority, path, text) => {
    expect(parseUfsUri(input)).toEqual({ scheme, authority, path, text })
  })

  test.each([
    ['', /empty.*write for example/],
    ['data/set', /neither a URI nor an absolute path.*write/],
    ['s3://key:secret@bucket/x', /credentials.*env:/],
    ['file://host/data', /names a host: write file:\/\/\//],
    ['/a/../b', /"\.\." segment/],
    ['s3://bucket/./x', /"\." segment/],
    ['/nul\0', /NUL/],
  ])('refuses %j and says what to write', (input, message) => {
    expect(() => parseUfsUri(input)).toThrow(message)
    try {
      parseUfsUri(input)
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain('secret@')
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })

  test('its text is canonical: it parses to itself', () => {
    const name = fc.string({ minLength: 1, maxLength: 8 }).filter((s) => !/[/\0]|^\.\.?$|^\s|\s$/.test(s))
    fc.assert(
      fc.property(
        fc.constantFrom('s3://bucket/', '/', 'file:///'),
        fc.array(name, { maxLength: 4 }),
        (prefix, names) => {
          const parsed = parseUfsUri(prefix + names.join('/'))
          expect(parseUfsUri(parsed.text)).toEqual(parsed)
        },
      ),
    )
  })
})

test('checkStorePath lets through exactly the paths that stay below the root', () => {
  for (const path of ['', 'a', 'a/b', '...', 'a b/%2e%2e/c', '.hidden'])
    expect(() => checkStorePath(path)).not.toThrow()
  for (const path of ['/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', 'a/.', 'a\0b']) {
    expect(() => checkStorePath(path)).toThrow(/not a path below the root/)
  }
})

test('compareUtf8 orders as the bytes of UTF-8 do', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 6 })
  const odd = fc.constantFrom('\uffff', '\ue000', '\u{10000}', '\u{1f680}', '\ud7ff', 'a', '')
  const mixed = fc.tuple(text, odd, text).map((parts) => parts.join(''))
  fc.assert(
    fc.property(mixed, mixed, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
    }),
  )
})
