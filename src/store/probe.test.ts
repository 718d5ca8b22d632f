import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import {
  block,
  hastened,
  MIB,
  pattern,
  readAll,
  request,
  Source,
  until,
} from '../../test/support/block-store.ts'
import { storesOfEachTest } from '../../test/support/stores-of-test.ts'
import { AlluxioError, systemRuntime } from '../core/index.ts'
import { type BlockStore, MemoryDisk } from './index.ts'

const LENGTH = 100_000
const each = storesOfEachTest()

async function open(paths: readonly string[], disk?: MemoryDisk, probeIntervalMs = 5_000) {
  const made = await each.open(
    {
      tiers: [{ alias: 'SSD', folders: paths.map((path) => ({ path, quotaBytes: 16 * MIB })) }],
      allocation: 'RoundRobin',
      probeIntervalMs,
    },
    { runtime: hastened(250), ...(disk === undefined ? {} : { disk }) },
  )
  return made
}
const put = (store: BlockStore, file: number) =>
  store.writeSmall(block(file), pattern(file, LENGTH), { soleCopy: file % 2 === 0 })
const failures = (store: BlockStore) => store.usage()[0]!.folders.map(({ failure }) => failure !== undefined)
async function readWhole(store: BlockStore, file: number): Promise<number> {
  const source = new Source(file, LENGTH)
  const read = await readAll(store, request(block(file), LENGTH, { fetch: source.fetch }))
  expect(read.bytes.equals(pattern(file, LENGTH))).toBe(true)
  return source.requests.length
}

describe('a folder that failed', () => {
  test('and was taken away is used again when it is given back, with its blocks', async () => {
    const [a, b] = [`${each.folder}/a`, `${each.folder}/b`]
    const { store, metrics } = await open([a, b])
    for (let file = 1; file <= 8; file++) await put(store, file)
    renameSync(a, `${each.folder}/gone`)
    for (let file = 1; file <= 8; file++) await readWhole(store, file)
    expect(failures(store)).toEqual([true, false])
    await new Promise((resolve) => setTimeout(resolve, 60))
    // A mount that has gone must not be filled below.
    expect(readdirSync(each.folder).sort()).toEqual(['b', 'gone'])
    store.changes()
    renameSync(`${each.folder}/gone`, a)
    await until(() => !failures(store)[0], 'in use again')
    for (let file = 1; file <= 8; file++) expect(await readWhole(store, file)).toBe(0)
    expect(metrics.values().alluxio_worker_folders_recovered_total).toBe(1)
    // What was fetched anew in the meantime is not there twice, and nothing of the probe is left.
    const names = [a, b].flatMap((path) => readdirSync(path))
    expect(new Set(names.map((name) => name.replace(/_.*/, ''))).size).toBe(names.length)
    expect(names.filter((name) => name.startsWith('tmp_'))).toEqual([])
    const used = store.usage()[0]!.usedBytes
    await store.stop()
    const again = await open([a, b])
    expect([again.store.blocks, again.store.usage()[0]!.usedBytes]).toEqual([8, used])
  })

  test('is told to the master as gone, and as here again', async () => {
    const a = `${each.folder}/a`
    const { store } = await open([a])
    await put(store, 2)
    expect(store.changes().added).toEqual([{ id: block(2), tier: 0 }])
    renameSync(a, `${each.folder}/gone`)
    await expect(async () => store.readAt(request(block(2), LENGTH))).rejects.toBeDefined()
    expect(store.changes().removed).toEqual([block(2)])
    let told = 0
    store.onChanges(() => told++)
    renameSync(`${each.folder}/gone`, a)
    await until(() => told > 0, 'told')
    expect(store.changes()).toEqual({ removed: [], added: [{ id: block(2), tier: 0 }], lost: [] })
    const { bytes } = await store.readAt(request(block(2), LENGTH))
    expect(Buffer.compare(bytes, pattern(2, LENGTH))).toBe(0)
  })

  test('and is a folder of nothing afterwards takes new blocks', async () => {
    const a = `${each.folder}/a`
    const { store } = await open([a])
    await put(store, 1)
    rmSync(a, { recursive: true })
    await readWhole(store, 1)
    expect(failures(store)).toEqual([true])
    await expect(put(store, 2)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
    mkdirSync(a)
    await until(() => !failures(store)[0], 'in use again')
    await put(store, 2)
    expect(await readWhole(store, 2)).toBe(0)
  })

  test.each(['EROFS', 'EIO'])(
    'by %s stays out as long as that lasts, tried ever less often',
    async (reason) => {
      const disk = new MemoryDisk({}, { runtime: systemRuntime })
      const { store } = await open(['/a', '/b'], disk)
      for (let file = 1; file <= 6; file++) await put(store, file)
      let probes = 0
      let bad = true
      disk.fault = (operation, path) => {
        if (!bad || !path.startsWith('/a/')) return
        if (operation === 'open' && path.includes('tmp_0_')) probes++
        if (['read', 'write', 'open'].includes(operation) && (reason === 'EIO' || operation !== 'read')) {
          throw new AlluxioError('DATA_LOSS', `${operation} ${path}: ${reason}`, {
            reason,
            details: { path },
          })
        }
      }
      for (let file = 1; file <= 6; file++) await readWhole(store, file)
      for (let file = 7; file <= 9; file++) await put(store, file)
      expect(failures(store)).toEqual([true, false])
      // 250 times faster: 5 + 10 + 20 + 40 s make 0.3 s.
      await new Promise((resolve) => setTimeout(resolve, 400))
      expect(probes).toBeGreaterThanOrEqual(2)
      expect(probes).toBeLessThanOrEqual(4)
      bad = false
      await until(() => !failures(store)[0], 'in use again')
      for (let file = 1; file <= 9; file++) expect(await readWhole(store, file)).toBe(0)
    },
  )

  test('is left alone when probing is off', async () => {
    const a = `${each.folder}/a`
    const { store } = await open([a], undefined, 0)
    await put(store, 1)
    renameSync(a, `${each.folder}/gone`)
    await readWhole(store, 1)
    renameSync(`${each.folder}/gone`, a)
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(failures(store)).toEqual([true])
  })
})

test('a full folder takes blocks again when it has room', async () => {
  const disk = new MemoryDisk({}, { runtime: systemRuntime })
  const { store } = await open(['/a'], disk)
  disk.fault = (operation, path) => {
    if (operation === 'write') {
      throw new AlluxioError('RESOURCE_EXHAUSTED', `write ${path}: ENOSPC`, {
        reason: 'ENOSPC',
        details: { path },
      })
    }
  }
  await expect(put(store, 1)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
  expect(failures(store)).toEqual([false])
  disk.fault = () => {}
  await new Promise((resolve) => setTimeout(resolve, 60))
  await put(store, 1)
  expect(await readWhole(store, 1)).toBe(0)
})
