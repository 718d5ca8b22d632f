/** The contract suite of under-stores as tests: one run, each case a test of its own. */
import { describe, expect, test } from '@jest/globals'
import {
  runUfsTests,
  type UfsTestResult,
  type UnderStore,
  ufsTestNames,
  ufsTestSkipReason,
} from '../../src/ufs/index.ts'

export interface UfsSuiteOptions {
  /** @default 1100 */
  readonly largeCount?: number
  /** @default 40 MiB */
  readonly largeBytes?: number
}

export async function ufsSuite(
  name: string,
  opening: Promise<UnderStore>,
  options: UfsSuiteOptions = {},
): Promise<void> {
  const store = await opening
  describe(name, () => {
    const results = new Map<string, UfsTestResult>()
    let running: Promise<void> | undefined
    const run = async () => {
      await runUfsTests(store, { ...options, onResult: (result) => results.set(result.name, result) })
      const left = (await store.list('')).entries.filter((entry) =>
        entry.path.startsWith('alluxio-ufs-tests'),
      )
      await store.close()
      expect(left).toEqual([])
    }
    for (const caseName of ufsTestNames()) {
      const reason = ufsTestSkipReason(caseName, store)
      // A case that asks for what the store says it cannot do is no test of this store.
      if (reason === undefined) {
        test(caseName, async () => {
          running ??= run()
          await running
          const result = results.get(caseName)
          if (result?.error !== undefined) throw result.error
          expect(result?.outcome).toBe('passed')
        }, 300_000)
      }
    }
  })
}

/** In place of the suite where a server cannot be had: skipped, with the reason. */
export function skippedUfsSuite(name: string, reason: string): void {
  describe.skip(`${name} (skipped: ${reason})`, () => test.each(ufsTestNames())('%s', () => {}))
}
