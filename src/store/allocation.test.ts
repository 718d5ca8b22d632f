import { expect, test } from '@jest/globals'
import { greedy, maxFree, roundRobin } from './allocation.ts'
import { allocationByName } from './eviction/index.ts'
import type { FolderState } from './types.ts'

const folder = (tier: number, index: number, freeBytes: number): FolderState => ({
  ...{ tier, index, medium: 'SSD', freeBytes, capacityBytes: 100 },
})
const folders = [folder(0, 0, 10), folder(0, 1, 90), folder(0, 2, 90)]

test('MaxFree takes the emptiest, Greedy the first', () => {
  expect(maxFree().choose(folders, 5)?.index).toBe(1)
  expect(greedy().choose(folders, 5)?.index).toBe(0)
  for (const make of [maxFree, greedy, roundRobin]) expect(make().choose([], 5)).toBeUndefined()
})

test('RoundRobin goes round in each tier, past folders that have no space', () => {
  const policy = roundRobin()
  const next = (from: readonly FolderState[]) => policy.choose(from, 5)!.index
  expect([next(folders), next(folders), next(folders), next(folders)]).toEqual([0, 1, 2, 0])
  expect(next([folders[0]!, folders[2]!])).toBe(2)
  expect(next([folder(1, 0, 50)])).toBe(0)
  expect(next(folders)).toBe(0)
})

test('policies by name', async () => {
  expect((await allocationByName('alluxio.worker.block.allocator.RoundRobinAllocator'))().name).toBe(
    'RoundRobin',
  )
  await expect(allocationByName('Nearest')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
