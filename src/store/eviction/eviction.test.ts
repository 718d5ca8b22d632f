import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type BlockId, blockIdOf, type FileId } from '../../core/index.ts'
import type { EvictionPolicy } from '../types.ts'
import { evictionByName } from './index.ts'
import { Lrfu } from './lrfu.ts'
import { Lru } from './lru.ts'
import { S3Fifo } from './s3fifo.ts'

const id = (n: number): BlockId => blockIdOf((n + 1) as FileId, 0)
const CAPACITY = 1000

type Step = readonly ['add' | 'access' | 'remove' | 'evict', number]
const steps = fc.array(
  fc.tuple(fc.constantFrom('add', 'access', 'access', 'remove', 'evict'), fc.nat(15)) as fc.Arbitrary<Step>,
  { maxLength: 120 },
)

/** Applies steps to a policy and to the set of blocks that it should hold. */
function run(policy: EvictionPolicy, all: readonly Step[], onEvict: (victim: BlockId) => void = () => {}) {
  const held = new Set<BlockId>()
  for (const [kind, n] of all) {
    if (kind === 'add') {
      policy.added(id(n), 10)
      held.add(id(n))
    } else if (kind === 'access') policy.accessed(id(n))
    else if (kind === 'remove') {
      policy.removed(id(n), false)
      held.delete(id(n))
    } else {
      const [victim] = policy.victims()
      expect(victim === undefined).toBe(held.size === 0)
      if (victim === undefined) continue
      onEvict(victim)
      policy.removed(victim, true)
      held.delete(victim)
    }
  }
  return held
}

const policies: readonly [string, () => EvictionPolicy][] = [
  ['LRU', () => new Lru()],
  ['LRFU', () => new Lrfu(0.25, 2)],
  ['LRFU as LFU', () => new Lrfu(0, 2)],
  ['S3FIFO', () => new S3Fifo(CAPACITY)],
]

describe.each(policies)('%s', (_name, make) => {
  test('offers exactly the blocks it holds, each once, and stays whole when none is taken', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const policy = make()
        const held = run(policy, all)
        for (let round = 0; round < 2; round++) {
          const offered = [...policy.victims()]
          expect(new Set(offered)).toEqual(held)
          expect(offered).toHaveLength(held.size)
        }
      }),
    )
  })

  test('all can be taken in one iteration, some skipped', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat(15)), (all, pinned) => {
        const policy = make()
        const held = run(policy, all)
        const keep = new Set(pinned.map(id))
        for (const victim of policy.victims()) {
          if (keep.has(victim)) continue
          policy.removed(victim, true)
          expect(held.delete(victim)).toBe(true)
        }
        expect([...held].every((block) => keep.has(block))).toBe(true)
        expect(new Set(policy.victims())).toEqual(held)
      }),
    )
  })
})

test('LRU is the list in order of the last access', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const policy = new Lru()
      let model: BlockId[] = []
      for (const [kind, n] of all) {
        const known = model.includes(id(n))
        if (kind === 'add' || kind === 'access') {
          if (kind === 'add') policy.added(id(n))
          else policy.accessed(id(n))
          if (known || kind === 'add') model = [...model.filter((block) => block !== id(n)), id(n)]
        } else if (kind === 'remove') {
          policy.removed(id(n))
          model = model.filter((block) => block !== id(n))
        }
      }
      expect([...policy.victims()]).toEqual(model)
    }),
  )
})

test.each([
  [0, 2],
  [0.25, 2],
  [0.7, 3],
  [1, 2],
])('LRFU with step %d orders by the sum of fading weights, as its paper defines it', (step, attenuation) => {
  fc.assert(
    fc.property(steps, (all) => {
      const policy = new Lrfu(step, attenuation)
      const accesses = new Map<BlockId, number[]>()
      let clock = 0
      for (const [kind, n] of all) {
        const times = accesses.get(id(n))
        if (kind === 'add' || (kind === 'access' && times !== undefined)) {
          clock++
          if (times === undefined) accesses.set(id(n), [clock])
          else times.push(clock)
        } else if (kind === 'remove') accesses.delete(id(n))
        if (kind === 'add') policy.added(id(n))
        else if (kind === 'access') policy.accessed(id(n))
        else if (kind === 'remove') policy.removed(id(n))
      }
      const value = (block: BlockId) =>
        accesses.get(block)!.reduce((sum, t) => sum + (1 / attenuation) ** (step * (clock - t)), 0)
      const order = [...policy.victims()]
      for (let i = 1; i < order.length; i++) {
        expect(value(order[i - 1]!)).toBeLessThanOrEqual(value(order[i]!) * (1 + 1e-9))
      }
    }),
  )
})

test('LRFU does not lose its order after millions of accesses', () => {
  const policy = new Lrfu(1, 2)
  for (let i = 0; i < 10; i++) policy.added(id(i))
  for (let i = 0; i < 300_000; i++) policy.accessed(id(i % 9))
  expect([...policy.victims()][0]).toBe(id(9))
  const [, second] = policy.victims()
  expect(second).toBe(id(300_000 % 9))
})

describe('S3-FIFO', () => {
  const fill = (policy: S3Fifo, from: number, to: number) => {
    let held = 0
    for (let n = from; n < to; n++) {
      policy.added(id(n), 10)
      held++
    }
    return held
  }

  test('a scan passes through and spoils nothing', () => {
    const policy = new S3Fifo(CAPACITY)
    fill(policy, 0, 90)
    for (let round = 0; round < 2; round++) for (let n = 0; n < 50; n++) policy.accessed(id(n))
    let size = 90
    const evicted = new Set<BlockId>()
    for (let n = 1000; n < 1500; n++) {
      while (size >= 100) {
        const [victim] = policy.victims()
        policy.removed(victim!, true)
        evicted.add(victim!)
        size--
      }
      policy.added(id(n), 10)
      size++
    }
    const hotLost = Array.from({ length: 50 }, (_, n) => id(n)).filter((block) => evicted.has(block))
    expect(hotLost).toEqual([])
  })

  test('what comes back soon after it left is kept', () => {
    const policy = new S3Fifo(CAPACITY)
    fill(policy, 0, 12)
    const [victim] = policy.victims()
    policy.removed(victim!, true)
    policy.added(victim!, 10)
    fill(policy, 100, 140)
    const order: BlockId[] = []
    for (const next of policy.victims()) order.push(next)
    expect(order.indexOf(victim!)).toBeGreaterThan(30)
  })
})

test('policies by name: upstream class names, modules, and what cannot be', async () => {
  const options = { capacityBytes: 1, lrfu: { step: 0.25, attenuation: 2 } }
  for (const [name, expected] of [
    ['LRU', 'LRU'],
    ['alluxio.worker.block.annotator.LRFUAnnotator', 'LRFU'],
    ['S3-FIFO', 'S3FIFO'],
  ] as const) {
    expect((await evictionByName(name))(options).name).toBe(expected)
  }
  const module = `data:text/javascript,export default () => ({ name: 'MINE' })`
  expect((await evictionByName(module))(options).name).toBe('MINE')
  await expect(evictionByName('no-such-policy')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(evictionByName('data:text/javascript,export const x = 1')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})
