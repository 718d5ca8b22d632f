import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { Adapters, type PathHint } from '../index.ts'

test('flink: the cases of its plug-in', () => {
  const text = readFileSync('plugins/flink/src/test/resources/hosts.txt', 'utf8')
  const cases = text
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'))
  expect(cases).toHaveLength(10)
  for (const line of cases) {
    const [hosts, told] = line.split(' -> ').map((names) => names.split(' ')) as [string[], string[]]
    expect(new Adapters().of('flink').adapt([heldBy(hosts)], {})).toMatchObject({
      files: [{ blocks: [{ hosts: told }] }],
    })
  }
})

function heldBy(hosts: readonly string[]): PathHint {
  const bytes = { MEM: 1, SSD: 0, HDD: 0 }
  return {
    path: '/a',
    length: 1,
    cold: false,
    blocks: [{ offset: 0, length: 1, hosts: hosts.map((host) => ({ host, tier: 'MEM', freshMs: 1 })) }],
    hosts: hosts.map((host) => ({ host, score: 1, bytes, load: 0, confidence: 1, reason: '' })),
  }
}
