import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { CHECKSUMS, checkChecksum, digestOf } from './checksums.ts'
import { ChunkedBody } from './chunked-body.ts'
import { matches, PLAIN, rangeOf, readCondition } from './conditions.ts'
import { isNewBucketName, Keys } from './keys.ts'
import { compare } from './listing.ts'
import { checkTags } from './object-info.ts'
import { encodeUri } from './request.ts'
import { escapeXml, parseXml, textOf } from './xml.ts'

describe('checksums', () => {
  // "123456789": the check value of each algorithm in the catalogue of CRCs, and FIPS 180-4 by node:crypto.
  const bytes = Buffer.from('123456789')
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
  const expected = {
    crc32: base64('cbf43926'),
    crc32c: base64('e3069283'),
    crc64nvme: base64('ae8b14860a799888'),
    sha1: createHash('sha1').update(bytes).digest('base64'),
    sha256: createHash('sha256').update(bytes).digest('base64'),
  }

  test.each(CHECKSUMS)('%s, whole and in pieces', (checksum) => {
    const whole = digestOf(checksum)
    whole.update(bytes)
    expect(whole.digest()).toBe(expected[checksum])
    const long = Buffer.alloc(1000, 'a1b2c3')
    const [one, pieces] = [digestOf(checksum), digestOf(checksum)]
    one.update(long)
    for (let at = 0; at < 1000; at += 7) pieces.update(long.subarray(at, at + 7))
    const value = one.digest()
    expect(pieces.digest()).toBe(value)
    expect(checkChecksum(checksum, value)).toBe(value)
    expect(() => checkChecksum(checksum, `${value}A`)).toThrow('invalid')
  })
})

describe('chunks', () => {
  const body = Buffer.from('5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:abc=\r\n\r\n')
  const options = { chain: undefined, trailer: true, decodedLength: 11, trailers: ['x-amz-checksum-crc32'] }

  test('in pieces of any size', () => {
    for (let size = 1; size <= body.length; size++) {
      const chunks = new ChunkedBody(options)
      const data: Buffer[] = []
      for (let at = 0; at < body.length; at += size) data.push(...chunks.push(body.subarray(at, at + size)))
      expect(Buffer.concat(data).toString()).toBe('hello world')
      expect([...chunks.finish()]).toEqual([['x-amz-checksum-crc32', 'abc=']])
    }
  })

  test.each([
    ['an endless line', 'a'.repeat(2000)],
    ['a size that is none', 'x\r\n'],
    ['a chunk longer than it says', '2\r\nhello\r\n'],
    ['more than was said', 'ff\r\n'],
  ])('%s', (_, text) => {
    expect(() => new ChunkedBody(options).push(Buffer.from(text))).toThrow()
  })

  test('cut off anywhere', () => {
    // Behind its last line a trailer may end with the body.
    for (let length = 0; length < body.length - 3; length++) {
      const chunks = new ChunkedBody(options)
      chunks.push(body.subarray(0, length))
      expect(() => chunks.finish()).toThrow()
    }
  })
})

describe('conditions', () => {
  const at = { etag: 'e', modifiedMs: Date.UTC(2026, 0, 1, 0, 0, 0, 500) }
  const date = (seconds: number) => new Date(at.modifiedMs + seconds * 1000).toUTCString()
  test.each([
    [{}, 'go'],
    [{ 'if-match': '"e"' }, 'go'],
    [{ 'if-match': '"a", "e"' }, 'go'],
    [{ 'if-match': '*' }, 'go'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-none-match': '"e"' }, 'unmodified'],
    [{ 'if-none-match': '"x"' }, 'go'],
    [{ 'if-modified-since': date(0) }, 'unmodified'],
    [{ 'if-modified-since': date(-5) }, 'go'],
    [{ 'if-unmodified-since': date(0) }, 'go'],
    [{ 'if-unmodified-since': date(-5) }, 'failed'],
    [{ 'if-match': '"e"', 'if-unmodified-since': date(-5) }, 'go'],
    [{ 'if-none-match': '"x"', 'if-modified-since': date(0) }, 'go'],
    [{ 'if-modified-since': 'never' }, 'go'],
  ])('%j: %s', (headers, verdict) => {
    expect(readCondition(new Map(Object.entries(headers)), PLAIN, at)).toBe(verdict)
  })

  test('ranges', () => {
    expect(rangeOf('bytes=0-0', 10)).toEqual({ start: 0, end: 1 })
    expect(rangeOf('bytes=-20', 10)).toEqual({ start: 0, end: 10 })
    for (const none of ['bytes=-', 'bytes=5-4', 'bytes=a-b', 'bytes=0-1,2-3'])
      expect(rangeOf(none, 10)).toBeUndefined()
    for (const bad of ['bytes=10-', 'bytes=-0', 'bytes=99-100']) expect(() => rangeOf(bad, 10)).toThrow()
    expect(() => rangeOf('bytes=0-', 0)).toThrow()
    expect(matches('W/"e"', 'e')).toBe(true)
  })
})

test('keys are paths, or no keys', () => {
  const keys = new Keys('/root')
  expect(keys.path('b', 'x/y')).toBe('/root/b/x/y')
  expect(keys.path('b', 'x/')).toBe('/root/b/x')
  expect(new Keys('/').path('b', 'é/..x')).toBe('/b/é/..x')
  for (const bad of ['..', 'a/../b', './a', 'a//b', '/a', 'a/./', '//'])
    expect(() => keys.path('b', bad)).toThrow()
  for (const bad of ['..', '.hidden', '', 'a/b', '.alluxio-staging'])
    expect(() => keys.path(bad, 'k')).toThrow()
  expect(isNewBucketName('a.b-c1')).toBe(true)
  for (const bad of ['ab', 'A-b', 'a..b', '-ab', 'ab-', '192.168.0.1', 'xn--a'])
    expect(isNewBucketName(bad)).toBe(false)
})

test('names are in the order of their bytes', () => {
  const names = ['', 'a', 'a-', 'a/', 'a0', 'é', '\uffee', '\u{1f600}', '\u{1f600}a']
  const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  expect([...names].reverse().sort(compare)).toEqual(sorted)
})

test('text in XML, URLs and tags', () => {
  const text = '<a>&"\u0001\t\r\n\uffff'
  const parsed = parseXml(`<R><T>${escapeXml(text)}</T></R>`, 'R')
  expect(textOf(parsed, 'T')).toBe('<a>&"?\t\r\n?')
  expect(encodeUri("a b/c~*'é", true)).toBe('a%20b/c~%2A%27%C3%A9')
  expect(encodeUri('a/b', false)).toBe('a%2Fb')
  expect(checkTags('a=b&c%20d=%26')).toBe('a=b&c%20d=%26')
  for (const bad of ['=x', 'a=b&a=c', 'aws:x=1', `${'k'.repeat(129)}=`, '%'])
    expect(() => checkTags(bad)).toThrow()
})
