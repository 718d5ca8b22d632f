import { describe, expect, test } from '@jest/globals'
import { JsonLog } from '../../../src/core/index.ts'
import { MemoryStore, MemoryTree, runUfsTests, type UfsTestResult } from '../../../src/ufs/index.ts'
import { Kernel } from '../kernel/kernel.ts'
import { Trace } from '../kernel/trace.ts'
import type { UfsOptions } from '../options.ts'
import { openRemoteStore, type StoreServer } from './under-store.ts'

function world(options: Partial<UfsOptions> = {}) {
  const kernel = new Kernel({ seed: 1, maxEvents: 1_000_000 }, { trace: new Trace({ keep: 0 }) })
  const tree = new MemoryTree()
  const node = kernel.boot('n')
  const server: StoreServer = {
    store: new MemoryStore({}, { runtime: node.runtime, tree }),
    options: { delayMs: 5, failure: null, slow: null, slowMs: 1000, ...options },
    rng: kernel.rng('ufs'),
    faulty: true,
  }
  const log = new JsonLog({ level: 'error' }, { sink: () => {}, runtime: node.runtime })
  return { kernel, node, tree, open: () => openRemoteStore(server, node, log) }
}

describe('an under-store over the simulated wire', () => {
  test('passes the contract suite of stores', async () => {
    const { kernel, node, open } = world()
    let results: UfsTestResult[] | undefined
    runUfsTests(await open(), { runtime: node.runtime, largeCount: 1010, largeBytes: 100_000 }).then(
      (done) => {
        results = done
      },
    )
    expect(await kernel.run(3_600_000, () => results !== undefined)).toBe(true)
    expect(results?.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(results?.filter(({ outcome }) => outcome === 'passed').length).toBeGreaterThan(44)
  })

  test('a failed call took effect or not; a dead caller hears nothing', async () => {
    const { kernel, node, tree, open } = world({ failure: 1 })
    const store = await open()
    const outcomes: string[] = []
    for (let i = 0; i < 20; i++)
      store.mkdir(`d${i}`).catch((error: { code: string }) => outcomes.push(error.code))
    await kernel.run(3_600_000)
    expect(outcomes).toEqual(new Array(20).fill('UNAVAILABLE'))
    expect(tree.root.children.size).toBeGreaterThan(2)
    expect(tree.root.children.size).toBeLessThanOrEqual(20)
    store.mkdir('last').catch(() => outcomes.push('heard'))
    node.kill()
    await kernel.run(7_200_000)
    expect(outcomes).not.toContain('heard')
  })
})
