import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type BlockId, blockIdOf, type FileId, type WorkerId } from '../core/index.ts'
import { BlockMap } from './block-map.ts'
import { IdTable } from './id-table.ts'

const MB = 2 ** 20
const w = (id: number) => id as WorkerId

function page(entries: readonly (readonly [block: number, tier: number])[]): Buffer {
  const bytes = Buffer.alloc(entries.length * 9)
  entries.forEach(([block, tier], i) => {
    bytes.writeDoubleLE(block, i * 9)
    bytes[i * 9 + 8] = tier
  })
  return bytes
}

test('an id table agrees with a map over random operations', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.constantFrom('set', 'delete', 'add'), fc.integer({ min: 1, max: 300 }), fc.integer()),
        {
          maxLength: 900,
        },
      ),
      (operations) => {
        const table = new IdTable(1)
        const model = new Map<number, number>()
        for (const [operation, n, value] of operations) {
          const id = n * 2 ** 20
          if (operation === 'delete') expect(table.delete(id)).toBe(model.delete(id))
          else if (operation === 'set') {
            table.set(id, 0, value)
            model.set(id, value)
          } else {
            table.add(id, 0, value)
            model.set(id, (model.get(id) ?? 0) + value)
          }
        }
        expect(table.size).toBe(model.size)
        expect([...table.ids()].sort((a, b) => a - b)).toEqual([...model.keys()].sort((a, b) => a - b))
        for (const [id, value] of model) expect(table.get(id, 0)).toBe(value)
      },
    ),
  )
})

describe('block map', () => {
  test('agrees with a model over adds, removes, registrations and losses', () => {
    const block = fc.integer({ min: 1, max: 12 }).map((n) => n * 2 ** 20)
    const worker = fc.integer({ min: 1, max: 3 })
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), worker, block, tier: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ kind: fc.constant('remove' as const), worker, block }),
      fc.record({
        kind: fc.constant('register' as const),
        worker,
        pages: fc.array(fc.array(fc.tuple(block, fc.integer({ min: 0, max: 2 })), { maxLength: 5 }), {
          maxLength: 3,
        }),
      }),
      fc.record({ kind: fc.constant('lost' as const), worker }),
      fc.record({ kind: fc.constant('drop' as const), file: fc.integer({ min: 1, max: 12 }) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const map = new BlockMap()
        const model = new Map<string, number>()
        for (const step of operations) {
          if (step.kind === 'add') {
            map.add(w(step.worker), step.block as BlockId, step.tier)
            model.set(`${step.worker}/${step.block}`, step.tier)
          } else if (step.kind === 'remove') {
            map.remove(w(step.worker), step.block as BlockId)
            model.delete(`${step.worker}/${step.block}`)
          } else if (step.kind === 'register') {
            for (const id of [...model.keys()]) if (id.startsWith(`${step.worker}/`)) model.delete(id)
            map.beginRegistration(w(step.worker))
            for (const entries of step.pages) {
              map.registerPage(w(step.worker), page(entries))
              for (const [b, tier] of entries) model.set(`${step.worker}/${b}`, tier)
            }
            map.endRegistration(w(step.worker))
          } else if (step.kind === 'lost') {
            map.workerLost(w(step.worker))
            for (const id of [...model.keys()]) if (id.startsWith(`${step.worker}/`)) model.delete(id)
          } else {
            map.drop(step.file as FileId, 1)
            for (const id of [...model.keys()]) {
              if (id.endsWith(`/${step.file * 2 ** 20}`)) model.delete(id)
            }
          }
        }
        expect(map.replicas).toBe(model.size)
        expect(map.blocks).toBe(new Set([...model.keys()].map((id) => id.split('/')[1])).size)
        for (let n = 1; n <= 12; n++) {
          const expected = [1, 2, 3]
            .filter((id) => model.has(`${id}/${n * 2 ** 20}`))
            .map((id) => ({ workerId: id, tier: model.get(`${id}/${n * 2 ** 20}`) }))
          const found = map.locations((n * 2 ** 20) as BlockId).sort((a, b) => a.workerId - b.workerId)
          expect(found).toEqual(expected)
        }
        for (const id of [1, 2, 3]) {
          const expected = [...model.keys()].filter((key) => key.startsWith(`${id}/`)).length
          expect(map.blockCountOf(w(id))).toBe(expected)
          expect([...map.blocksOf(w(id))]).toHaveLength(expected)
        }
      }),
    )
  })

  test('cached bytes count each block once and know the short last block', () => {
    const map = new BlockMap()
    const file = 9 as FileId
    map.add(w(1), blockIdOf(file, 0), 0)
    map.add(w(2), blockIdOf(file, 0), 1)
    map.add(w(2), blockIdOf(file, 2), 1)
    expect(map.cached(file, 2 * MB + 10, MB)).toEqual({ cachedBytes: MB + 10, inMemoryBytes: MB })
    expect(map.cached(file, 0, MB)).toEqual({ cachedBytes: 0, inMemoryBytes: 0 })
  })

  test('a dropped file is told to each worker that holds a block of it, once', () => {
    const map = new BlockMap()
    const file = 5 as FileId
    map.add(w(1), blockIdOf(file, 0), 0)
    map.add(w(2), blockIdOf(file, 0), 0)
    map.add(w(2), blockIdOf(file, 3), 1)
    expect(map.drop(file, 0)).toBe(2)
    const drops = (id: number) => {
      const bytes = Buffer.from(map.takeDrops(w(id)))
      return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(i * 8))
    }
    expect(map.hasDrops(w(2))).toBe(true)
    expect(drops(1)).toEqual([blockIdOf(file, 0)])
    expect(drops(2)).toEqual([blockIdOf(file, 0), blockIdOf(file, 3)])
    expect(drops(2)).toEqual([])
    expect(map.blocks).toBe(0)
  })

  test('a hundred thousand blocks register again, and what is not named any more is gone', () => {
    const map = new BlockMap()
    const pages = Array.from({ length: 10 }, (_, p) => {
      const bytes = Buffer.alloc(90_000)
      for (let i = 0; i < 10_000; i++)
        bytes.writeDoubleLE(blockIdOf((p * 10_000 + i + 2) as FileId, 0), i * 9)
      return bytes
    })
    const register = (count: number) => {
      map.beginRegistration(w(1))
      for (const bytes of pages.slice(0, count)) map.registerPage(w(1), bytes)
      map.endRegistration(w(1))
    }
    register(10)
    register(10)
    expect(map.blocks).toBe(100_000)
    register(3)
    expect(map.blocks).toBe(30_000)
    expect(map.blockCountOf(w(1))).toBe(30_000)
  })

  test('a page that is cut is refused', () => {
    expect(() => new BlockMap().registerPage(w(1), Buffer.alloc(10))).toThrow(/9-byte/)
  })
})
