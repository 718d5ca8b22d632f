import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { memberHash, rendezvousScore } from '../core/index.ts'
import { LOCATION_POLICIES } from '../core/options/index.ts'
import { type Candidate, rankingOf } from './policy.ts'

const GB = 2 ** 30
const worker = (id: number, fields: Partial<Candidate> = {}): Candidate => ({
  id,
  host: `host-${id}`,
  uuid: `uuid-${id}`,
  local: false,
  capacityBytes: 10 * GB,
  usedBytes: 0,
  ...fields,
})
const modules = { runtime: { random: () => 0.5 } }
const choice = { key: 7, sizeBytes: GB, host: 'host-2' }
const ids = (workers: readonly Candidate[]) => workers.map(({ id }) => id)

describe('worker choice', () => {
  it('prefers the local worker, unless the block can never fit there', () => {
    const rank = rankingOf('LocalFirst', modules)
    expect(ids(rank([worker(1), worker(2, { local: true, usedBytes: 10 * GB }), worker(3)], choice))[0]).toBe(
      2,
    )
    const small = worker(2, { local: true, capacityBytes: GB / 2 })
    expect(ids(rank([small, worker(1), worker(3)], choice)).at(-1)).toBe(2)
  })

  it('avoids eviction before it prefers the local worker', () => {
    const rank = rankingOf('LocalFirstAvoidEviction', modules)
    const full = worker(2, { local: true, usedBytes: 10 * GB })
    expect(ids(rank([full, worker(1)], choice))).toEqual([1, 2])
    expect(ids(rank([worker(1), { ...full, usedBytes: 0 }], choice))).toEqual([2, 1])
    expect(ids(rank([worker(1, { usedBytes: 10 * GB }), full], choice))).toEqual([2, 1])
  })

  it('takes the one with most room', () => {
    const rank = rankingOf('MostAvailableFirst', modules)
    const workers = [
      worker(1, { usedBytes: 5 * GB }),
      worker(2, { capacityBytes: 30 * GB, usedBytes: 22 * GB }),
      worker(3),
    ]
    expect(ids(rank(workers, choice))).toEqual([3, 2, 1])
  })

  it('takes turns', () => {
    const rank = rankingOf('RoundRobin', modules)
    const workers = [worker(1), worker(2), worker(3)]
    expect([1, 2, 3, 4].map(() => rank(workers, choice)[0]!.id)).toEqual([1, 2, 3, 1])
    expect(ids(rank(workers, choice))).toEqual([2, 3, 1])
  })

  it('takes nobody but the named host', () => {
    const rank = rankingOf('SpecificHost', modules)
    expect(ids(rank([worker(1), worker(2)], choice))).toEqual([2])
    expect(rank([worker(1)], choice)).toEqual([])
  })

  it('moves only the keys of a worker that leaves', () => {
    const rank = rankingOf('DeterministicHash', modules)
    const workers = [1, 2, 3, 4, 5].map((id) => worker(id))
    const rest = workers.filter(({ id }) => id !== 3)
    const owned = new Map<number, number>()
    for (let key = 0; key < 1000; key++) {
      const before = rank(workers, { key: key * 2 ** 20, sizeBytes: 1 })
      const after = rank(rest, { key: key * 2 ** 20, sizeBytes: 1 })
      owned.set(before[0]!.id, (owned.get(before[0]!.id) ?? 0) + 1)
      expect(after[0]!.id).toBe(before[0]!.id === 3 ? before[1]!.id : before[0]!.id)
    }
    for (const { id } of workers) expect(owned.get(id)).toBeGreaterThan(120)
    expect(rendezvousScore(2 ** 32 + 1, memberHash('a'))).not.toBe(rendezvousScore(1, memberHash('a')))
  })

  it('draws in proportion to capacity', () => {
    let seed = 1
    const runtime = {
      random: () => {
        seed = (seed * 48271) % 2147483647
        return seed / 2147483647
      },
    }
    const rank = rankingOf('CapacityBaseRandom', { runtime })
    const workers = [
      worker(1, { capacityBytes: GB }),
      worker(2, { capacityBytes: 3 * GB }),
      worker(3, { capacityBytes: 0 }),
    ]
    let second = 0
    for (let i = 0; i < 4000; i++) if (rank(workers, choice)[0]!.id === 2) second++
    expect(second / 4000).toBeGreaterThan(0.71)
    expect(second / 4000).toBeLessThan(0.79)
  })

  it('ranks every worker once, whatever the policy and the cluster', () => {
    const candidates = fc.uniqueArray(
      fc.record({
        id: fc.nat(1000),
        host: fc.constantFrom('a', 'b', 'c'),
        uuid: fc.uuid(),
        local: fc.boolean(),
        capacityBytes: fc.nat(100 * GB),
        usedBytes: fc.nat(100 * GB),
      }),
      { selector: ({ id }) => id, maxLength: 8 },
    )
    fc.assert(
      fc.property(candidates, fc.constantFrom(...LOCATION_POLICIES), fc.nat(), (workers, policy, key) => {
        const ranked = rankingOf(policy, { runtime: Math })(workers, { key, sizeBytes: GB, host: 'a' })
        const expected = policy === 'SpecificHost' ? workers.filter(({ host }) => host === 'a') : workers
        expect(new Set(ids(ranked))).toEqual(new Set(ids(expected)))
        expect(ranked).toHaveLength(expected.length)
      }),
      { numRuns: 300 },
    )
  })
})
