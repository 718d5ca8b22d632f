import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { block, MIB, pattern, readAll, request, Source } from '../../test/support/block-store.ts'
import { storesOfEachTest } from '../../test/support/stores-of-test.ts'
import { BlockFileWriter, FileDisk, openBlock } from '../arrow/index.ts'
import { type FileId, fileOfBlock } from '../core/index.ts'
import type { BlockStoreOptions } from './index.ts'

const each = storesOfEachTest()
const { open } = each

const oneTier = (quotaBytes: number, alias = 'MEM'): BlockStoreOptions => ({
  tiers: [{ alias, folders: [{ path: `${each.folder}/${alias}`, quotaBytes }] }],
})
const twoTiers = (mem: number, ssd: number): BlockStoreOptions => ({
  tiers: [
    { alias: 'MEM', folders: [{ path: `${each.folder}/MEM`, quotaBytes: mem }] },
    { alias: 'SSD', folders: [{ path: `${each.folder}/SSD`, quotaBytes: ssd }] },
  ],
})
const sealedFiles = (alias = 'MEM') =>
  readdirSync(`${each.folder}/${alias}`).filter((n) => n.endsWith('.arrow'))

describe.each(['MEM', 'SSD'])('one tier, %s', (alias) => {
  test.each([1, 100, 4096, 5000, 65535, 65536, 70_001, 3 * MIB + 17])(
    '%i bytes written are read',
    async (length) => {
      const { store } = await open(oneTier(64 * MIB, alias))
      const id = block(7)
      const bytes = pattern(id, length)
      const writer = await store.write(id, { sizeHint: length, soleCopy: true })
      for (let at = 0; at < length; at += 100_000) await writer.append(bytes.subarray(at, at + 100_000))
      expect(await writer.commit()).toEqual({ length, tier: alias })
      const read = await readAll(store, request(id, length, { cache: false }))
      expect(read.bytes.equals(bytes)).toBe(true)
      expect(read.from).toEqual({ [alias]: length })
      const middle = await store.readAt(
        request(id, length, { offset: length >> 1, length: length - (length >> 1) }),
      )
      expect(Buffer.compare(middle.bytes, bytes.subarray(length >> 1))).toBe(0)
      expect(store.changes()).toEqual({ removed: [], added: [{ id, tier: 0 }], lost: [] })
    },
  )

  test('small blocks at once, and a restart keeps everything', async () => {
    const { store } = await open(oneTier(64 * MIB, alias))
    for (let file = 1; file <= 20; file++) {
      await store.writeSmall(block(file), pattern(file, file * 999), { soleCopy: file % 2 === 0 })
    }
    await expect(store.writeSmall(block(1), pattern(1, 9), { soleCopy: false })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
    const used = store.usage()[0]!.usedBytes
    await store.stop()
    const { store: again } = await open(oneTier(64 * MIB, alias))
    expect(again.blocks).toBe(20)
    expect(again.usage()[0]!.usedBytes).toBe(used)
    for (let file = 1; file <= 20; file++) {
      const read = await again.readAt(request(block(file), file * 999))
      expect(Buffer.compare(read.bytes, pattern(file, file * 999))).toBe(0)
    }
    expect([...again.blockPages(7)].map((page) => page.length)).toEqual([7, 7, 6])
  })

  test('a miss fetches only the extents it touches, and a whole block is sealed', async () => {
    const { store } = await open(oneTier(64 * MIB, alias))
    const length = 5 * MIB + 123
    const id = block(3)
    const source = new Source(id, length)
    const part = await readAll(
      store,
      request(id, length, { offset: 2.5 * MIB, length: MIB, fetch: source.fetch }),
    )
    expect(part.bytes.equals(pattern(id, MIB, 2.5 * MIB))).toBe(true)
    expect(source.requests).toEqual([{ offset: 2 * MIB, length: 2 * MIB }])
    expect(store.place(id)).toBeUndefined()
    expect(store.changes()).toEqual({ removed: [], added: [], lost: [] })
    const whole = await readAll(store, request(id, length, { fetch: source.fetch }))
    expect(whole.bytes.equals(pattern(id, length))).toBe(true)
    expect(whole.from).toEqual({ [alias]: 2 * MIB, UFS: length - 2 * MIB })
    expect(source.fetchedBytes).toBe(length)
    await store.load(request(id, length, { fetch: source.fetch }))
    expect(store.place(id)).toEqual({ tier: 0, length })
    const warm = await readAll(store, request(id, length))
    expect(warm.bytes.equals(pattern(id, length))).toBe(true)
    expect(warm.from).toEqual({ [alias]: length })
    expect(sealedFiles(alias)).toEqual([`b${id}_${length}.arrow`])
    expect(readdirSync(`${each.folder}/${alias}`)).toHaveLength(1)
  })

  test('a partial block survives a restart', async () => {
    const { store } = await open(oneTier(64 * MIB, alias))
    const length = 4 * MIB
    const id = block(3)
    const source = new Source(id, length)
    await readAll(store, request(id, length, { offset: MIB, length: MIB, fetch: source.fetch }))
    await store.stop()
    const { store: again } = await open(oneTier(64 * MIB, alias))
    const read = await readAll(again, request(id, length, { fetch: source.fetch }))
    expect(read.bytes.equals(pattern(id, length))).toBe(true)
    expect(read.from).toEqual({ [alias]: MIB, UFS: 3 * MIB })
  })

  test('a flipped byte is never served: the source is asked again, or the loss is told', async () => {
    const { store } = await open(oneTier(64 * MIB, alias))
    const id = block(3)
    const length = 200_000
    await store.writeSmall(id, pattern(id, length), { soleCopy: false })
    await store.readAt(request(id, length, { length: 10 }))
    const path = `${each.folder}/${alias}/${sealedFiles(alias)[0]}`
    flip(path, 4096 + 150_000)
    const source = new Source(id, length)
    const read = await store.readAt(request(id, length, { fetch: source.fetch }))
    expect(Buffer.compare(read.bytes, pattern(id, length))).toBe(0)
    expect(read.from).toBe('UFS')
    expect(store.quarantined).toBe(1)
    await store.load(request(id, length, { fetch: source.fetch }))
    flip(`${each.folder}/${alias}/${sealedFiles(alias)[0]}`, 4096 + 150_000)
    await expect(async () => store.readAt(request(id, length))).rejects.toMatchObject({ code: 'DATA_LOSS' })
    await expect(async () => store.readAt(request(id, length))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(store.changes().removed).toEqual([id])
  })
})

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 4
  writeFileSync(path, bytes)
}

test('one flight however many readers', async () => {
  const { store } = await open(oneTier(64 * MIB))
  const length = 3 * MIB
  const id = block(5)
  const source = new Source(id, length)
  const reads = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      readAll(store, request(id, length, { offset: i * 1000, length: 2 * MIB, fetch: source.fetch })),
    ),
  )
  for (const [i, read] of reads.entries())
    expect(read.bytes.equals(pattern(id, 2 * MIB, i * 1000))).toBe(true)
  expect(source.fetchedBytes).toBe(length)
  const small = new Source(9, 5000)
  await Promise.all(
    Array.from({ length: 20 }, () => store.readAt(request(block(9), 5000, { fetch: small.fetch }))),
  )
  expect(small.requests).toHaveLength(1)
})

test('NO_CACHE leaves nothing and asks for no more than was wanted', async () => {
  const { store } = await open(oneTier(64 * MIB))
  const id = block(5)
  const source = new Source(id, 8 * MIB)
  const wanted = { offset: 1000, length: 5 * MIB, cache: false, fetch: source.fetch, rangeBytes: MIB }
  const read = await readAll(store, request(id, 8 * MIB, wanted))
  expect(read.bytes.equals(pattern(id, 5 * MIB, 1000))).toBe(true)
  expect(source.fetchedBytes).toBe(5 * MIB)
  expect(readdirSync(`${each.folder}/MEM`)).toEqual([])
})

test('sequential positioned reads are fetched ahead, random ones are not', async () => {
  const { store } = await open(oneTier(64 * MIB))
  const id = block(5)
  const length = 16 * MIB
  const source = new Source(id, length)
  const at = (offset: number, sequential: boolean) =>
    store.readAt(request(id, length, { offset, length: 65536, sequential, fetch: source.fetch }))
  await at(9 * MIB, false)
  expect(source.fetchedBytes).toBe(MIB)
  for (let offset = 0; offset < 2 * MIB; offset += 65536) await at(offset, true)
  expect(source.fetchedBytes).toBeGreaterThan(4 * MIB)
  expect(source.fetchedBytes).toBeLessThanOrEqual(8 * MIB)
})

test('demotion before deletion; sole copies and pinned files stay', async () => {
  const { store, metrics } = await open(twoTiers(4 * MIB, 8 * MIB))
  const length = MIB - 100_000
  for (let file = 1; file <= 3; file++) {
    await store.writeSmall(block(file), pattern(file, length), { soleCopy: true })
  }
  for (let file = 4; file <= 30; file++) {
    await store.writeSmall(block(file), pattern(file, length), { soleCopy: false })
  }
  store.setPinned(new Map([[fileOfBlock(block(30)), []]]))
  for (let file = 31; file <= 60; file++) {
    await store.writeSmall(block(file), pattern(file, length), { soleCopy: false })
  }
  for (const file of [1, 2, 3, 30]) {
    const read = await store.readAt(request(block(file), length))
    expect(Buffer.compare(read.bytes, pattern(file, length))).toBe(0)
  }
  expect(metrics.values()['alluxio_worker_blocks_demoted_total{tier="MEM"}']).toBeGreaterThan(0)
  for (const tier of store.usage()) expect(tier.usedBytes).toBeLessThanOrEqual(tier.capacityBytes)
  store.markPersisted(1 as FileId)
  store.setPinned(new Map())
  expect(
    sealedFiles('SSD')
      .concat(sealedFiles('MEM'))
      .filter((n) => n.includes('sole')),
  ).toHaveLength(2)
  await store.remove([block(2), block(3)])
  expect(store.place(block(2))).toBeUndefined()
})

test('nothing may leave: RESOURCE_EXHAUSTED, and reads pass through', async () => {
  const { store } = await open(oneTier(4 * MIB))
  for (let file = 1; file <= 3; file++) {
    await store.writeSmall(block(file), pattern(file, MIB), { soleCopy: true })
  }
  await expect(store.writeSmall(block(9), pattern(9, 2 * MIB), { soleCopy: false })).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
  })
  const source = new Source(10, 8 * MIB)
  const read = await readAll(store, request(block(10), 8 * MIB, { fetch: source.fetch }))
  expect(read.bytes.equals(pattern(10, 8 * MIB))).toBe(true)
  expect(read.from).toEqual({ UFS: 8 * MIB })
})

test('CACHE_PROMOTE brings a block up', async () => {
  const { store } = await open(twoTiers(8 * MIB, 32 * MIB))
  for (let file = 1; file <= 12; file++) {
    await store.writeSmall(block(file), pattern(file, MIB), { soleCopy: false })
  }
  const low = Array.from({ length: 12 }, (_, i) => i + 1).find(
    (file) => store.place(block(file))!.tier === 1,
  )!
  const read = await store.readAt(request(block(low), MIB, { promote: true }))
  expect(read.from).toBe('SSD')
  for (let i = 0; i < 200 && store.place(block(low))!.tier === 1; i++)
    await new Promise((r) => setTimeout(r, 5))
  const up = await store.readAt(request(block(low), MIB))
  expect(up.from).toBe('MEM')
  expect(Buffer.compare(up.bytes, pattern(low, MIB))).toBe(0)
})

test('a writer on this host fills the file itself', async () => {
  const { store } = await open(oneTier(64 * MIB))
  const id = block(4)
  const length = 300_000
  const disk = new FileDisk()
  const local = await store.createLocal(id, { sizeHint: MIB })
  const writer = new BlockFileWriter(
    { blockId: id, fileId: 4, sizeHint: MIB, synchronous: true },
    { file: disk.open(local.path, 'create'), bootTag: disk.bootTag, now: Date.now },
  )
  await writer.append(pattern(id, length))
  await writer.seal(false)
  expect(await store.commitLocal(id, length, { soleCopy: true })).toEqual({ tier: 'MEM' })
  expect(await store.commitLocal(id, length, { soleCopy: true })).toEqual({ tier: 'MEM' })
  const place = store.localPath(id, { promote: false })!
  const handle = openBlock(disk, place.path, place)
  expect(handle.trusted).toBe(true)
  expect(Buffer.compare(handle.view(0, length), pattern(id, length))).toBe(0)
  handle.close()
  const used = store.usage()[0]!.usedBytes
  expect(used).toBe(Math.ceil(statSync(place.path).size / 4096) * 4096)
  await store.createLocal(block(5), { sizeHint: MIB })
  await store.abortLocal(block(5))
  await store.createLocal(block(5), { sizeHint: MIB })
  await expect(store.commitLocal(block(5), 7, { soleCopy: false })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  expect(store.usage()[0]!.usedBytes).toBe(used)
})

test('a seal that was broken is not trusted, even with the bytes intact', async () => {
  const { store } = await open(oneTier(64 * MIB))
  await store.writeSmall(block(4), pattern(4, 5000), { soleCopy: false })
  const { path } = store.localPath(block(4), { promote: false })!
  const disk = new FileDisk()
  utimesSync(path, 1, 1)
  const handle = openBlock(disk, path, { trustSeal: true })
  expect(handle.trusted).toBe(false)
  expect(Buffer.compare(handle.view(0, 5000), pattern(4, 5000))).toBe(0)
  handle.close()
})

test('a block that is removed while it is fetched serves its readers and is not kept', async () => {
  const { store } = await open(oneTier(64 * MIB))
  for (const length of [5000, 3 * MIB]) {
    const id = block(length)
    const source = new Source(id, length)
    const gate = Promise.withResolvers<void>()
    source.gate = () => gate.promise
    const reading = readAll(store, request(id, length, { fetch: source.fetch }))
    await new Promise((resolve) => setTimeout(resolve, 10))
    await store.remove([id])
    gate.resolve()
    expect((await reading).bytes.equals(pattern(id, length))).toBe(true)
    for (let i = 0; i < 100 && store.inProgress > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 2))
    expect(store.place(id)).toBeUndefined()
  }
  expect(readdirSync(`${each.folder}/MEM`)).toEqual([])
  expect(store.usage()[0]!.usedBytes).toBe(0)
})

test('space is kept free ahead, and hot blocks rise, in the background', async () => {
  const options = twoTiers(8 * MIB, 64 * MIB)
  const { store } = await open({
    ...options,
    freeAheadBytes: 3 * MIB,
    align: { enabled: true, intervalMs: 20 },
  })
  for (let file = 1; file <= 12; file++) {
    await store.writeSmall(block(file), pattern(file, MIB), { soleCopy: false })
  }
  const until = async (done: () => boolean) => {
    for (let i = 0; i < 300 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
    return done()
  }
  const mem = () => store.usage()[0]!
  expect(await until(() => mem().usedBytes <= mem().capacityBytes - 3 * MIB)).toBe(true)
  expect(store.blocks).toBe(12)
  const low = Array.from({ length: 12 }, (_, i) => i + 1).find(
    (file) => store.place(block(file))!.tier === 1,
  )!
  expect(
    await until(() => {
      void store.readAt(request(block(low), MIB))
      return store.place(block(low))!.tier === 0
    }),
  ).toBe(true)
})

test('what is asked about is told again: what is there, and what has gone', async () => {
  const { store } = await open(oneTier(64 * MIB))
  for (const file of [1, 2]) await store.writeSmall(block(file), pattern(file, 5000), { soleCopy: false })
  store.changes()
  rmSync(`${each.folder}/MEM/${sealedFiles().find((name) => name.startsWith(`b${block(2)}_`))}`)
  await store.recheck([block(1), block(2), block(3)])
  expect(store.changes()).toEqual({
    removed: [block(2), block(3)],
    added: [{ id: block(1), tier: 0 }],
    lost: [],
  })
  expect(store.blocks).toBe(1)
})

test('options that make no store are refused', async () => {
  const folders = [{ path: each.folder, quotaBytes: 1 }]
  await expect(open({ tiers: [] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(open({ tiers: [{ alias: 'MEM', folders: [] }] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  await expect(open({ tiers: [{ alias: 'MEM', folders: [...folders, ...folders] }] })).rejects.toThrow(
    'same path',
  )
  await expect(open({ tiers: [{ alias: 'MEM', folders }], extentBytes: 5000 })).rejects.toThrow('extents')
})
