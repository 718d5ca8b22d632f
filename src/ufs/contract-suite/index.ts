/**
 * What every store must do. Owns the cases and their runner; knows no test framework and no kind of store: a case is
 * gated by what the store declares. `alluxio runUfsTests` runs the same cases as `test/contract/ufs`.
 */
import { type Runtime, systemRuntime } from '../../core/index.ts'
import type { UnderStore } from '../store.ts'
import { FILE_CASES } from './common-cases.ts'
import { DIRECTORY_CASES } from './directory-cases.ts'
import { OBJECT_CASES } from './object-cases.ts'
import { OWN_CASES } from './own-cases.ts'
import { runCase, skipReason, type UfsTestCase, type UfsTestResult } from './runner.ts'

export type { UfsTestResult } from './runner.ts'

/** In upstream's order: its 44 common cases, its 4 of S3, then ours. */
const UFS_TEST_CASES: readonly UfsTestCase[] = [
  ...FILE_CASES,
  ...DIRECTORY_CASES,
  ...OBJECT_CASES,
  ...OWN_CASES,
]

export function ufsTestNames(): string[] {
  return UFS_TEST_CASES.map((test) => test.name)
}

/** Why `runUfsTests` would skip a case for this store; undefined when it would run it. */
export function ufsTestSkipReason(name: string, store: UnderStore): string | undefined {
  const test = UFS_TEST_CASES.find((known) => known.name === name)
  return test === undefined ? 'there is no such case' : skipReason(test, store)
}

interface RunUfsTestsOptions {
  /** Only cases of these names. @default all */
  readonly only?: readonly string[]
  /** Called after each case. */
  readonly onResult?: (result: UfsTestResult) => void
  /** Directory of the tests, removed at the end. @default a new one below the root */
  readonly root?: string
  readonly runtime?: Runtime
  /** Children of a large directory. @default 1100: more than a page and than a batch of deletes */
  readonly largeCount?: number
  /** Bytes of a large file. @default 40 MiB: more than two upload parts */
  readonly largeBytes?: number
}

/** Runs the suite against a store, one case after the other, and leaves nothing behind. Never throws for a failed case. */
export async function runUfsTests(
  store: UnderStore,
  options: RunUfsTestsOptions = {},
): Promise<UfsTestResult[]> {
  const runtime = options.runtime ?? systemRuntime
  const suffix = Buffer.from(runtime.randomBytes(new Uint8Array(6))).toString('hex')
  const context = {
    store,
    runtime,
    root: options.root ?? `alluxio-ufs-tests-${suffix}`,
    largeCount: options.largeCount ?? 1100,
    largeBytes: options.largeBytes ?? 40 * 2 ** 20,
  }
  const results: UfsTestResult[] = []
  const chosen = UFS_TEST_CASES.filter((test) => options.only?.includes(test.name) ?? true)
  for (const test of chosen) {
    const result = await runCase(test, context)
    results.push(result)
    options.onResult?.(result)
  }
  await store.delete(context.root, { recursive: true }).catch(() => {})
  return results
}
