import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Matching } from './matching.ts'
import { Polish } from './polish.ts'

interface Instance {
  readonly capacity: readonly number[]
  readonly roomBytes: readonly number[] | undefined
  readonly splits: readonly {
    readonly bytes: number
    readonly edges: readonly { readonly host: number; readonly tier: number }[]
  }[]
}

/** Seconds a byte. */
const RATES = [1, 5, 50]

const instances = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 7 }), fc.boolean())
  .chain(([hosts, splits, bytes]) => {
    const ofHosts = { minLength: hosts, maxLength: hosts }
    return fc.record({
      capacity: fc.array(fc.integer({ min: 0, max: 4 }), ofHosts),
      roomBytes: bytes ? fc.array(fc.integer({ min: 0, max: 20 }), ofHosts) : fc.constant(undefined),
      splits: fc.array(
        fc.record({
          bytes: fc.integer({ min: 1, max: 9 }),
          edges: fc.uniqueArray(
            fc.record({ host: fc.integer({ min: 0, max: hosts - 1 }), tier: fc.integer({ min: 0, max: 2 }) }),
            { maxLength: 3, selector: ({ host }) => host },
          ),
        }),
        { minLength: splits, maxLength: splits },
      ),
    })
  })

function problemOf({ capacity, roomBytes, splits }: Instance) {
  const first = new Int32Array(splits.length + 1)
  for (const [s, { edges }] of splits.entries()) first[s + 1] = first[s]! + edges.length
  const flat = splits.flatMap(({ bytes, edges }) =>
    edges.map(({ host, tier }) => ({ host, tier, seconds: bytes * RATES[tier]! })),
  )
  return {
    splits: splits.length,
    capacity: Int32Array.from(capacity),
    first,
    host: Int32Array.from(flat, ({ host }) => host),
    tier: Uint8Array.from(flat, ({ tier }) => tier),
    seconds: Float64Array.from(flat, ({ seconds }) => seconds),
    ...(roomBytes === undefined
      ? {}
      : { bytes: Float64Array.from(splits, ({ bytes }) => bytes), roomBytes: Float64Array.from(roomBytes) }),
  }
}

function costOf({ capacity, splits }: Instance, hostOf: readonly number[]): number {
  const work = capacity.map(() => 0)
  for (const [s, { bytes, edges }] of splits.entries()) {
    const edge = edges.find(({ host }) => host === hostOf[s])
    if (edge !== undefined) work[edge.host]! += bytes * RATES[edge.tier]!
  }
  return work.reduce((sum, seconds, h) => sum + seconds ** 2 / Math.max(1, capacity[h]!), 0)
}

function isAllowed({ capacity, roomBytes, splits }: Instance, hostOf: readonly number[]): boolean {
  return capacity.every((slots, h) => {
    const own = splits.filter((_, s) => hostOf[s] === h)
    const bytes = own.reduce((sum, split) => sum + split.bytes, 0)
    return own.length <= slots && bytes <= (roomBytes?.[h] ?? Number.POSITIVE_INFINITY)
  })
}

/** The most splits that can be placed, and the least cost at that count: every choice is tried. */
function exact(instance: Instance): { local: number; cost: number } {
  const { splits } = instance
  let best = { local: 0, cost: 0 }
  const hostOf: number[] = []
  const choose = (s: number) => {
    if (s < splits.length) {
      for (const host of [-1, ...splits[s]!.edges.map((edge) => edge.host)]) {
        hostOf[s] = host
        choose(s + 1)
      }
      return
    }
    if (!isAllowed(instance, hostOf)) return
    const local = hostOf.filter((host) => host !== -1).length
    const cost = costOf(instance, hostOf)
    if (local > best.local || (local === best.local && cost < best.cost)) best = { local, cost }
  }
  choose(0)
  return best
}

describe('polishing a matching', () => {
  test('lowers the cost at the same count, within the room, and leaves no better move or change of places', () => {
    let near = 0
    let all = 0
    fc.assert(
      fc.property(instances, (instance) => {
        const problem = problemOf(instance)
        const matching = new Matching(problem)
        const local = matching.run()
        const before = costOf(instance, [...matching.hostOf])
        const polish = new Polish(problem, matching)
        polish.run()
        const hostOf = [...matching.hostOf]
        const cost = costOf(instance, hostOf)
        expect(polish.cost).toBeCloseTo(cost, 5)
        expect(cost).toBeLessThanOrEqual(before + 1e-9)
        expect(hostOf.filter((host) => host !== -1)).toHaveLength(local)
        expect(isAllowed(instance, hostOf)).toBe(true)
        const best = exact(instance)
        if (instance.roomBytes === undefined) {
          expect(local).toBe(best.local)
          all++
          if (cost <= best.cost * 1.0001) near++
        } else expect(local).toBeLessThanOrEqual(best.local)
        for (const [s, { edges }] of instance.splits.entries()) {
          for (const { host } of hostOf[s] === -1 ? [] : edges) {
            const moved = hostOf.with(s, host)
            if (isAllowed(instance, moved))
              expect(costOf(instance, moved)).toBeGreaterThanOrEqual(cost - 1e-5)
          }
        }
      }),
      { numRuns: 600 },
    )
    // A local optimum is nearly always the best there is.
    expect(near / all).toBeGreaterThan(0.85)
  })

  test('one makes room for another whose own disk is slower', () => {
    // The first split is on host 0 in memory, or on 1; the second one on 1 in memory only because 0 was full.
    const instance: Instance = {
      capacity: [1, 1, 1],
      roomBytes: undefined,
      splits: [
        {
          bytes: 9,
          edges: [
            { host: 0, tier: 0 },
            { host: 1, tier: 1 },
          ],
        },
        {
          bytes: 9,
          edges: [
            { host: 0, tier: 2 },
            { host: 1, tier: 0 },
            { host: 2, tier: 0 },
          ],
        },
      ],
    }
    const problem = problemOf(instance)
    const matching = new Matching(problem)
    matching.put(0, 1)
    matching.put(1, 0)
    new Polish(problem, matching).run()
    expect(costOf(instance, [...matching.hostOf])).toBe(exact(instance).cost)
  })
})
