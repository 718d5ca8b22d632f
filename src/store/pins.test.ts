import { expect, test } from '@jest/globals'
import { block, MIB, pattern, readAll, request, Source, until } from '../../test/support/block-store.ts'
import { storesOfEachTest } from '../../test/support/stores-of-test.ts'
import { type BlockId, type FileId, fileOfBlock } from '../core/index.ts'
import type { BlockStore } from './index.ts'

const LENGTH = MIB - 50_000
const each = storesOfEachTest()

async function open(quotas: Record<string, number>, intervalMs = 3_600_000) {
  const made = await each.open({
    tiers: Object.entries(quotas).map(([alias, quotaBytes]) => ({
      alias,
      folders: [{ path: `${each.folder}/${alias}`, quotaBytes }],
    })),
    align: { enabled: false, intervalMs },
  })
  return made
}
const pinned = (pins: Record<number, readonly string[]>) =>
  new Map(Object.entries(pins).map(([file, media]) => [fileOfBlock(block(Number(file))) as FileId, media]))
const put = (store: BlockStore, file: number, soleCopy = false) =>
  store.writeSmall(block(file), pattern(file, LENGTH), { soleCopy })
const tierOf = (store: BlockStore, file: number) => store.place(block(file))?.tier
async function isWhole(store: BlockStore, file: number): Promise<boolean> {
  const { bytes } = await store.readAt(request(block(file), LENGTH))
  return Buffer.compare(bytes, pattern(file, LENGTH)) === 0
}

test('blocks of a newly pinned file move to its medium, up or down, and are told to the master', async () => {
  const { store, metrics } = await open({ MEM: 8 * MIB, SSD: 8 * MIB, HDD: 8 * MIB })
  await put(store, 1)
  await put(store, 2, true)
  store.changes()
  store.setPinned(pinned({ 1: ['HDD', 'SSD'], 2: ['HDD'] }))
  await until(() => tierOf(store, 1) === 1 && tierOf(store, 2) === 2, 'moved')
  expect([await isWhole(store, 1), await isWhole(store, 2)]).toEqual([true, true])
  expect(store.changes().added).toEqual([
    { id: block(1), tier: 1 },
    { id: block(2), tier: 2 },
  ])
  store.setPinned(pinned({ 1: ['MEM'] }))
  await until(() => tierOf(store, 1) === 0, 'moved up')
  expect(tierOf(store, 2)).toBe(2)
  await until(() => metrics.values().alluxio_worker_pinned_blocks_moved_total === 3, 'counted')
  expect(metrics.values().alluxio_worker_pinned_blocks_misplaced).toBe(0)
})

test('new blocks of a pinned file go to its medium: written, written by parts, fetched, or told by the writer', async () => {
  const { store } = await open({ MEM: 16 * MIB, SSD: 16 * MIB })
  store.setPinned(pinned({ 1: ['SSD'], 2: ['SSD'], 3: ['SSD'] }))
  await put(store, 1)
  const writer = await store.write(block(2), { sizeHint: LENGTH, soleCopy: true })
  await writer.append(pattern(2, LENGTH))
  expect(await writer.commit()).toMatchObject({ tier: 'SSD' })
  const source = new Source(3, 3 * MIB)
  await store.load(request(block(3), 3 * MIB, { fetch: source.fetch }))
  await store.writeSmall(block(4), pattern(4, LENGTH), { soleCopy: true, pinned: true, medium: 'SSD' })
  await store.writeSmall(block(4, 1), pattern(4, LENGTH), { soleCopy: true })
  const ids: BlockId[] = [block(1), block(2), block(3), block(4), block(4, 1)]
  expect(ids.map((id) => store.place(id)?.tier)).toEqual([1, 1, 1, 1, 1])
})

test('a pinned block is never evicted nor driven off its medium, others go instead; unpinned it goes again', async () => {
  const { store } = await open({ MEM: 4 * MIB, SSD: 4 * MIB })
  await put(store, 1)
  store.setPinned(pinned({ 1: ['MEM'] }))
  for (let file = 10; file < 40; file++) await put(store, file)
  expect(tierOf(store, 1)).toBe(0)
  expect(await isWhole(store, 1)).toBe(true)
  store.setPinned(new Map())
  for (let file = 40; file < 60; file++) await put(store, file)
  expect(tierOf(store, 1)).toBeUndefined()
})

test('a tier full of pinned blocks refuses, and loses none of them', async () => {
  const { store } = await open({ MEM: 4 * MIB })
  store.setPinned(pinned({ 1: ['MEM'], 2: ['MEM'], 3: [], 4: ['MEM'] }))
  for (let file = 1; file <= 4; file++) await put(store, file)
  await expect(put(store, 5)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
  for (let file = 1; file <= 4; file++) expect(await isWhole(store, file)).toBe(true)
})

test('without room on its medium a block stays where it is, which is told; with room it moves', async () => {
  const { store, metrics, log } = await open({ MEM: 8 * MIB, SSD: 2 * MIB }, 20)
  store.setPinned(pinned({ 1: ['SSD'], 2: ['SSD'] }))
  await put(store, 1)
  await put(store, 2)
  for (let file = 10; file < 30; file++) await put(store, file)
  store.setPinned(pinned({ 1: ['SSD'], 2: ['SSD'], 3: ['SSD'], 10: ['HDD'] }))
  await put(store, 3)
  expect(tierOf(store, 3)).toBe(0)
  await until(() => log.some((line) => line.startsWith('pinned blocks stay on another medium')), 'told')
  expect(metrics.values().alluxio_worker_pinned_blocks_misplaced).toBe(1)
  for (let file = 40; file < 60; file++) await put(store, file)
  expect(await isWhole(store, 3)).toBe(true)
  await store.remove([block(1)])
  await until(() => tierOf(store, 3) === 1, 'moved when there was room')
  expect(metrics.values().alluxio_worker_pinned_blocks_misplaced).toBe(0)
})

test('a reader cannot promote a block off its medium', async () => {
  const { store } = await open({ MEM: 8 * MIB, SSD: 8 * MIB }, 10)
  store.setPinned(pinned({ 1: ['SSD'] }))
  await put(store, 1)
  await put(store, 2)
  await readAll(store, request(block(1), LENGTH, { promote: true }))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(tierOf(store, 1)).toBe(1)
})
