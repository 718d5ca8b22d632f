import { describe, expect, test } from '@jest/globals'
import { formatBytes, formatUptime, parseBytes, parseDuration } from './units.ts'

describe('units', () => {
  test.each([
    ['512', 512],
    ['1KB', 1024],
    ['64 MiB', 64 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['2TB', 2 ** 41],
  ])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

  test.each([
    ['500', 500],
    ['10s', 10_000],
    ['5min', 300_000],
    ['2 hours', 7_200_000],
    ['1d', 86_400_000],
    ['-1', -1],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

  test.each(['', 'x', '1QB', 'MB', '1 2'])('refuses the size %j', (text) =>
    expect(() => parseBytes(text)).toThrow('64MB'),
  )

  test('prints sizes as upstream does, up to zettabytes', () => {
    expect(formatBytes(512)).toBe('512B')
    expect(formatBytes(10.67 * 2 ** 30)).toBe('10.67GB')
    expect(formatBytes(2n ** 70n)).toBe('1.00ZB')
  })

  test('prints an uptime', () =>
    expect(formatUptime(90_061_000)).toBe('1 day(s), 1 hour(s), 1 minute(s), and 1 second(s)'))
})
