/**
 * The simulation as part of the suite: seeds that once found something, then as many others as half a minute holds; each
 * planted defect is found; a seed played twice is the same. A failure prints its seed, its world and how to replay it.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { PLANTED } from './planted.ts'
import { type RunResult, report, runSeed } from './run.ts'

const SMOKE_MS = 20_000
/** Where the smoke's seeds begin. The same on every machine: a red suite is red for everybody. Hunts begin elsewhere. */
const FIRST_SEED = 1
/** Seeds within which each planted defect must be found. */
const PLANTED_SEEDS = 40

function mustBeGood(result: RunResult): void {
  if (result.violations.length > 0) throw new Error(report(result))
}

function regressSeeds(): number[] {
  const text = readFileSync(new URL('./seeds/regress.txt', import.meta.url), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => Number(line.split(';')[0]))
}

describe('simulated clusters', () => {
  test('seeds that found something once stay good', async () => {
    for (const seed of regressSeeds()) mustBeGood(await runSeed(seed))
  }, 600_000)

  test('other seeds are good, and the workload is not a weak one', async () => {
    const end = performance.now() + SMOKE_MS
    let operations = 0
    let acknowledged = 0
    for (let seed = FIRST_SEED; performance.now() < end; seed++) {
      const result = await runSeed(seed)
      mustBeGood(result)
      operations += result.operations
      acknowledged += result.acknowledged
    }
    expect(acknowledged / operations).toBeGreaterThan(0.4)
  }, 600_000)

  test('a seed played twice gives the same trace', async () => {
    for (const seed of [11, 12]) {
      const first = await runSeed(seed)
      const second = await runSeed(seed)
      expect({ hash: second.hash, events: second.events }).toEqual({ hash: first.hash, events: first.events })
    }
  }, 600_000)

  test.each(PLANTED)(
    'the checkers find the planted defect %s',
    async (planted) => {
      for (let seed = 1; seed <= PLANTED_SEEDS; seed++) {
        const { violations } = await runSeed(seed, { planted })
        if (violations.length === 0) continue
        // Found because of the defect, not beside it.
        mustBeGood(await runSeed(seed))
        return
      }
      throw new Error(`${planted} was not found in ${PLANTED_SEEDS} seeds`)
    },
    600_000,
  )
})
