import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type BlockId, blockIdOf, type FileId, fileOfBlock, type WorkerId } from '../core/index.ts'
import { BlockMap, ReplicaList } from './block-map.ts'
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
    const WORKERS = [1, 2, 3, 4, 5, 6]
    const FILES = [1, 2, 3]
    // Within a segment, across segments, and a place of its own.
    const block = fc
      .tuple(fc.constantFrom(...FILES), fc.constantFrom(0, 1, 2, 3, 7, 15, 16, 17, 40))
      .map(([file, index]) => blockIdOf(file as FileId, index))
    const worker = fc.constantFrom(...WORKERS)
    const tier = fc.integer({ min: 0, max: 2 })
    const operation = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), worker, block, tier }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), worker, block }) },
      fc.record({
        kind: fc.constant('register' as const),
        worker,
        pages: fc.array(fc.array(fc.tuple(block, tier), { maxLength: 5 }), { maxLength: 3 }),
        torn: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('lost' as const), worker }),
      fc.record({ kind: fc.constant('drop' as const), file: fc.constantFrom(...FILES) }),
      fc.record({ kind: fc.constant('sweep' as const), limit: fc.integer({ min: 1, max: 3 }) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const map = new BlockMap()
        const model = new Map<string, number>()
        const forget = (gone: (key: string) => boolean) => {
          for (const key of [...model.keys()]) if (gone(key)) model.delete(key)
        }
        const heard = new Map<string, number>()
        map.observer = {
          replicaChanged(id, of, level) {
            if (level === -1) heard.delete(`${of}/${id}`)
            else heard.set(`${of}/${id}`, level)
          },
        }
        for (const step of operations) {
          if (step.kind === 'add') {
            map.add(w(step.worker), step.block, step.tier)
            model.set(`${step.worker}/${step.block}`, step.tier)
          } else if (step.kind === 'remove') {
            map.remove(w(step.worker), step.block)
            model.delete(`${step.worker}/${step.block}`)
          } else if (step.kind === 'register') {
            // One that broke off is begun again.
            if (step.torn) {
              map.beginRegistration(w(step.worker))
              map.registerPage(w(step.worker), page(step.pages[0] ?? []))
            }
            forget((key) => key.startsWith(`${step.worker}/`))
            map.beginRegistration(w(step.worker))
            for (const entries of step.pages) {
              map.registerPage(w(step.worker), page(entries))
              for (const [b, level] of entries) model.set(`${step.worker}/${b}`, level)
            }
            map.endRegistration(w(step.worker))
          } else if (step.kind === 'lost') {
            map.workerLost(w(step.worker))
            forget((key) => key.startsWith(`${step.worker}/`))
          } else if (step.kind === 'drop') {
            map.drop(step.file as FileId, 41)
            forget((key) => fileOfBlock(Number(key.split('/')[1]) as BlockId) === step.file)
          } else map.sweep(step.limit)
          expect(map.replicas).toBe(model.size)
        }
        const blocks = new Set([...model.keys()].map((key) => Number(key.split('/')[1]) as BlockId))
        const check = () => {
          for (const file of FILES) {
            const listed: string[] = []
            const list = new ReplicaList()
            map.collect(file as FileId, 0, 41, list)
            for (let i = 0; i < list.length; i++) {
              const id = map.workerAt(list.ordinal[i]!)
              if (id !== undefined)
                listed.push(`${id}/${blockIdOf(file as FileId, list.index[i]!)}=${list.tier[i]}`)
            }
            const expected = [...model].filter(
              ([key]) => fileOfBlock(Number(key.split('/')[1]) as BlockId) === file,
            )
            expect(listed.sort()).toEqual(expected.map(([key, level]) => `${key}=${level}`).sort())
          }
          for (const id of blocks) {
            const tiers = WORKERS.flatMap((of) => model.get(`${of}/${id}`) ?? [])
            expect(map.locations(id)).toHaveLength(tiers.length)
            expect(map.bestTier(id)).toBe(Math.min(...tiers))
          }
          for (const id of WORKERS)
            expect(map.blockCountOf(w(id))).toBe(
              [...model.keys()].filter((key) => key.startsWith(`${id}/`)).length,
            )
        }
        check()
        while (!map.sweep(1)) {}
        check()
        expect(map.blocks).toBe(blocks.size)
        expect([...heard].sort()).toEqual([...model].sort())
        const paged: string[] = []
        for (let at = 0; at !== -1; )
          at = map.page(at, 2, (id, of, level) => paged.push(`${of}/${id}=${level}`))
        expect(paged.sort()).toEqual([...model].map(([key, level]) => `${key}=${level}`).sort())
      }),
      { numRuns: 200 },
    )
  })

  test('rows of blocks that went are used again', () => {
    const map = new BlockMap()
    const fill = (file: number) => {
      for (let i = 0; i < 40; i++)
        for (let id = 1; id <= 5; id++) map.add(w(id), blockIdOf(file as FileId, i), 0)
    }
    fill(1)
    const { bytes } = map
    for (let file = 2; file < 50; file++) {
      map.drop((file - 1) as FileId, 40)
      fill(file)
    }
    // Runs of the lengths that a growing segment had are left over once.
    expect(map.bytes).toBeLessThan(2 * bytes)
    expect(map.blocks).toBe(40)
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

  test('twenty thousand blocks register again, and what is not named any more is gone', () => {
    const map = new BlockMap()
    const pages = Array.from({ length: 10 }, (_, p) => {
      const bytes = Buffer.alloc(18_000)
      for (let i = 0; i < 2000; i++) bytes.writeDoubleLE(blockIdOf((p * 2000 + i + 2) as FileId, 0), i * 9)
      return bytes
    })
    const register = (count: number) => {
      map.beginRegistration(w(1))
      for (const bytes of pages.slice(0, count)) map.registerPage(w(1), bytes)
      map.endRegistration(w(1))
    }
    register(10)
    register(10)
    expect(map.blocks).toBe(20_000)
    register(3)
    expect(map.locations(blockIdOf(19_000 as FileId, 0))).toEqual([])
    while (!map.sweep(1000)) {}
    expect(map.blocks).toBe(6_000)
    expect(map.blockCountOf(w(1))).toBe(6_000)
  })

  test('a page that is cut is refused', () => {
    expect(() => new BlockMap().registerPage(w(1), Buffer.alloc(10))).toThrow(/9-byte/)
  })
})
