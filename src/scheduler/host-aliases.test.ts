import { expect, test } from '@jest/globals'
import { parseHostAliases } from './host-aliases.ts'
import { parseRates } from './rates.ts'

test('lines of host and aliases, with comments', () => {
  const aliases = parseHostAliases('# all\nw1.example = w1, 10.0.0.1 # the first\n\nw2=W2.Local\n', 'f')
  expect([...aliases]).toEqual([
    ['w1.example', 'w1.example'],
    ['w1', 'w1.example'],
    ['10.0.0.1', 'w1.example'],
    ['w2', 'w2'],
    ['w2.local', 'w2'],
  ])
})

test('a name of two hosts is refused and says where', () => {
  expect(() => parseHostAliases('a=x\n\nb=X', 'names')).toThrow(
    'names, line 3: X is a name of b, but line 1 says that it is one of a: a name can mean one host only',
  )
  expect(() => parseHostAliases('a=b\nb=c', 'names')).toThrow(/b is a name of b, but line 1/)
  expect(() => parseHostAliases('a=a\na=b', 'names')).not.toThrow()
})

test.each(['a', '=b', 'a=', 'a=b=c', 'a=b,,c', 'a b=c'])('%p is no line', (line) => {
  expect(() => parseHostAliases(line, 'names')).toThrow(/line 1: .* is not host=alias,alias/)
})

test('rates: all of them, above 0, no others', () => {
  expect(parseRates(['MEM=4', 'SSD=3', 'HDD=2', 'REMOTE=1KB', 'STORE=1'], 'o')).toEqual({
    tiers: [4, 3, 2],
    remote: 1024,
    store: 1,
  })
  expect(() => parseRates(['MEM=4'], 'alluxio.hints.rates')).toThrow(
    /alluxio.hints.rates: the rate of SSD is missing/,
  )
  expect(() => parseRates(['TAPE=4'], 'o')).toThrow(/none of MEM/)
  expect(() => parseRates(['MEM=0'], 'o')).toThrow(/not above 0/)
})
