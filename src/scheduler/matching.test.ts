import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Matching } from './matching.ts'

interface Instance {
  readonly capacity: readonly number[]
  /** Of each split: host and tier. */
  readonly edges: readonly (readonly { readonly host: number; readonly tier: number }[])[]
}

const instances = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 14 }))
  .chain(([hosts, splits]) =>
    fc.record({
      capacity: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: hosts, maxLength: hosts }),
      edges: fc.array(
        fc.uniqueArray(
          fc.record({ host: fc.integer({ min: 0, max: hosts - 1 }), tier: fc.integer({ min: 0, max: 2 }) }),
          { maxLength: 4, selector: ({ host }) => host },
        ),
        { minLength: splits, maxLength: splits },
      ),
    }),
  )

function solve({ capacity, edges }: Instance) {
  const flat = edges.flat()
  const first = new Int32Array(edges.length + 1)
  for (const [s, own] of edges.entries()) first[s + 1] = first[s]! + own.length
  const matching = new Matching({
    splits: edges.length,
    capacity: Int32Array.from(capacity),
    first,
    host: Int32Array.from(flat, ({ host }) => host),
    tier: Uint8Array.from(flat, ({ tier }) => tier),
    seconds: Float64Array.from(flat, ({ tier }) => 10 ** tier),
  })
  return { local: matching.run(), hostOf: [...matching.hostOf], count: [...matching.count] }
}

/** The most splits that can be matched: one augmenting path at a time, each slot of a host a node of its own. */
function exact({ capacity, edges }: Instance): number {
  const slots = capacity.flatMap((n, host) => Array.from({ length: n }, () => host))
  const holder = slots.map(() => -1)
  const tryFor = (split: number, seen: Set<number>): boolean =>
    slots.some((host, slot) => {
      if (seen.has(slot) || !edges[split]!.some((edge) => edge.host === host)) return false
      seen.add(slot)
      if (holder[slot] !== -1 && !tryFor(holder[slot]!, seen)) return false
      holder[slot] = split
      return true
    })
  return edges.filter((_, split) => tryFor(split, new Set())).length
}

describe('matching of splits to hosts', () => {
  test('is as large as can be, above no capacity, along edges only', () => {
    fc.assert(
      fc.property(instances, (instance) => {
        const { local, hostOf, count } = solve(instance)
        expect(local).toBe(exact(instance))
        for (const [host, n] of count.entries()) {
          expect(n).toBe(hostOf.filter((at) => at === host).length)
          expect(n).toBeLessThanOrEqual(instance.capacity[host]!)
        }
        for (const [split, host] of hostOf.entries())
          if (host !== -1) expect(instance.edges[split]!.map((edge) => edge.host)).toContain(host)
      }),
      { numRuns: 1500 },
    )
  })

  test('never shrinks when a host gets a replica or a slot more', () => {
    fc.assert(
      fc.property(instances, fc.nat(), fc.nat(), (instance, a, b) => {
        const { local } = solve(instance)
        const host = a % instance.capacity.length
        const roomier = { ...instance, capacity: instance.capacity.map((n, h) => (h === host ? n + 1 : n)) }
        expect(solve(roomier).local).toBeGreaterThanOrEqual(local)
        const split = instance.edges.length === 0 ? -1 : b % instance.edges.length
        const edges = instance.edges.map((own, s) =>
          s !== split || own.some((edge) => edge.host === host) ? own : [...own, { host, tier: 0 }],
        )
        expect(solve({ ...instance, edges }).local).toBeGreaterThanOrEqual(local)
      }),
    )
  })

  test('takes memory before disk, and moves splits for those that have one host only', () => {
    const both = [
      { host: 0, tier: 0 },
      { host: 1, tier: 2 },
    ]
    expect(solve({ capacity: [1, 1], edges: [both] }).hostOf).toEqual([0])
    expect(solve({ capacity: [1, 1], edges: [both, [{ host: 0, tier: 2 }]] }).hostOf).toEqual([1, 0])
  })

  test('a long chain of moves', () => {
    const n = 400
    // Split i is held by hosts i and i + 1, the last one by the last host: all match in one way only.
    const edges = Array.from({ length: n }, (_, i) =>
      [i + 1, i].filter((host) => host < n).map((host) => ({ host, tier: 0 })),
    )
    expect(solve({ capacity: Array.from({ length: n }, () => 1), edges }).local).toBe(n)
  })
})
