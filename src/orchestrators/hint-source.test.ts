import { expect, test } from '@jest/globals'
import type { HintOptions, PathHint } from '../client/index.ts'
import { systemRuntime } from '../core/index.ts'
import { rankOffers } from '../scheduler/index.ts'
import { HintSource } from './hint-source.ts'

const SCORES: Readonly<Record<string, number>> = { h1: 1, h2: 0.4, h3: 0.2 }

function rank(paths: readonly string[], { candidates = ['h1'] }: HintOptions = {}): Promise<PathHint[]> {
  const hosts = candidates.map((host) => ({
    ...{ host, score: SCORES[host]!, load: 0, confidence: 1, reason: '' },
    bytes: { MEM: 0, SSD: 0, HDD: 0 },
  }))
  hosts.sort((a, b) => b.score - a.score)
  return Promise.resolve(paths.map((path) => ({ path, length: 1, cold: false, blocks: [], hosts })))
}

test('the best of the hosts that are known so far is not taken for the best of all', async () => {
  const source = new HintSource({ timeoutMs: 1000 }, { hints: { rank }, runtime: systemRuntime })
  const offer = { id: { value: 'o' }, hostname: 'h2' }
  const taken = async (...known: Parameters<HintSource['rank']>) => {
    const { hints } = await source.rank(...known)
    return rankOffers([offer], hints!, { waitedMs: 0 }).accept.length
  }
  expect(await taken(['/a'], ['h2', 'h3'], false)).toBe(0)
  expect(await taken(['/a'], ['h1', 'h2', 'h3'], false)).toBe(0)
  // There is no better one to wait for.
  expect(await taken(['/a'], ['h2', 'h3'])).toBe(1)
})
