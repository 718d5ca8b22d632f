/** What goes wrong in tier folders: each case degrades the store and never ends it, and no wrong byte is served. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { AlluxioError, type FileId, systemRuntime } from '../../../src/core/index.ts'
import { type BlockStoreOptions, MemoryDisk, mountRamdisk, unmountRamdisk } from '../../../src/store/index.ts'
import { block, MIB, openStore, pattern, readAll, request, Source } from '../../support/block-store.ts'
import { storesOfEachTest } from '../../support/stores-of-test.ts'

const each = storesOfEachTest()
const { open } = each
const tier = (alias: string, quotas: Record<string, number>) => ({
  alias,
  folders: Object.entries(quotas).map(([name, quotaBytes]) => ({
    path: join(each.folder, name),
    quotaBytes,
  })),
})

describe('a file system that is smaller than the quota', () => {
  const small = () => join(each.folder, 'small')
  let mounted = false
  beforeEach(async () => {
    mounted = (await mountRamdisk({ path: small(), sizeBytes: 8 * MIB, mode: 'Mount' })).kind === 'mounted'
    if (!mounted) process.stderr.write('SKIPPED: this user may not mount a tmpfs\n')
  })
  afterEach(async () => {
    if (mounted) await unmountRamdisk(small(), 'Mount')
  })

  test('fills up: writes go to the next tier, reads pass through, nothing stops', async () => {
    if (!mounted) return
    const { store } = await open({
      tiers: [tier('MEM', { small: 64 * MIB }), tier('SSD', { big: 64 * MIB })],
    })
    for (let file = 1; file <= 20; file++) {
      await store.writeSmall(block(file), pattern(file, MIB), { soleCopy: true })
    }
    for (let file = 1; file <= 20; file++) {
      const read = await store.readAt(request(block(file), MIB))
      expect(Buffer.compare(read.bytes, pattern(file, MIB))).toBe(0)
    }
    const [mem, ssd] = store.usage()
    expect(mem!.usedBytes).toBeLessThanOrEqual(9 * MIB)
    expect(mem!.usedBytes + ssd!.usedBytes).toBeGreaterThan(20 * MIB)
  })

  test('is filled by someone else: ENOSPC in the middle of writes finds another folder', async () => {
    if (!mounted) return
    const { store } = await open({
      tiers: [tier('MEM', { small: 64 * MIB, other: 64 * MIB })],
      allocation: 'Greedy',
    })
    await store.writeSmall(block(1), pattern(1, MIB), { soleCopy: false })
    // Behind the back of the cached answer about free space.
    try {
      writeFileSync(join(small(), 'foreign'), Buffer.alloc(16 * MIB))
    } catch {
      // It is full now: that is what it is for.
    }
    for (let file = 2; file <= 5; file++) {
      await store.writeSmall(block(file), pattern(file, MIB), { soleCopy: false })
    }
    expect(store.blocks).toBe(5)
    const source = new Source(9, 4 * MIB)
    const read = await readAll(store, request(block(9), 4 * MIB, { fetch: source.fetch }))
    expect(read.bytes.equals(pattern(9, 4 * MIB))).toBe(true)
    expect(readdirSync(small()).filter((name) => name.startsWith('tmp_'))).toEqual([])
  })
})

test('mounting a ramdisk is idempotent, and says what it did', async () => {
  const path = join(each.folder, 'ram')
  const plain = await mountRamdisk({ path, sizeBytes: 8 * MIB, mode: 'NoMount' })
  expect(plain).toMatchObject({ kind: 'plain', path })
  expect(plain.remark).toContain('/etc/fstab')
  const first = await mountRamdisk({ path, sizeBytes: 8 * MIB, mode: 'Mount' })
  if (first.kind === 'plain') return
  writeFileSync(join(path, 'kept'), 'x')
  const again = await mountRamdisk({ path, sizeBytes: 8 * MIB, mode: 'Mount' })
  expect(again.kind).toBe('existing')
  const grown = await mountRamdisk({ path, sizeBytes: 16 * MIB, mode: 'Mount' })
  expect(grown.sizeBytes).toBeGreaterThanOrEqual(16 * MIB)
  expect(readdirSync(path)).toEqual(['kept'])
  expect(await unmountRamdisk(path, 'Mount')).toBe(true)
  expect(await unmountRamdisk(path, 'Mount')).toBe(false)
})

test('a folder that disappears is left out; the others go on', async () => {
  const { store } = await open({
    tiers: [tier('MEM', { a: 16 * MIB, b: 16 * MIB })],
    allocation: 'RoundRobin',
  })
  for (let file = 1; file <= 6; file++) {
    await store.writeSmall(block(file), pattern(file, 100_000), { soleCopy: false })
  }
  renameSync(join(each.folder, 'a'), join(each.folder, 'gone'))
  let lost = 0
  for (let file = 1; file <= 6; file++) {
    const source = new Source(file, 100_000)
    const read = await readAll(store, request(block(file), 100_000, { fetch: source.fetch }))
    expect(read.bytes.equals(pattern(file, 100_000))).toBe(true)
    if (source.requests.length > 0) lost++
  }
  expect(lost).toBe(3)
  expect(store.usage()[0]!.folders.map(({ failure }) => failure === undefined)).toEqual([false, true])
  expect(store.usage()[0]!.capacityBytes).toBe(16 * MIB)
  await store.writeSmall(block(7), pattern(7, 100_000), { soleCopy: false })
})

test('a quota that shrank is kept to at the next start', async () => {
  const before = await open({ tiers: [tier('MEM', { a: 32 * MIB }), tier('SSD', { s: 6 * MIB })] })
  for (let file = 1; file <= 20; file++) {
    await before.store.writeSmall(block(file), pattern(file, MIB), { soleCopy: file === 3 })
  }
  await before.store.stop()
  const { store } = await open({ tiers: [tier('MEM', { a: 5 * MIB }), tier('SSD', { s: 6 * MIB })] })
  for (const { usedBytes, capacityBytes } of store.usage())
    expect(usedBytes).toBeLessThanOrEqual(capacityBytes)
  const sole = await store.readAt(request(block(3), MIB))
  expect(Buffer.compare(sole.bytes, pattern(3, MIB))).toBe(0)
  expect(store.blocks).toBeGreaterThan(6)
})

test.each(['EIO', 'EROFS'])('%s of a disk takes its folder out of use', async (reason) => {
  const disk = new MemoryDisk({}, { runtime: systemRuntime })
  const { store } = await open(
    {
      tiers: [
        {
          alias: 'SSD',
          folders: [
            { path: '/a', quotaBytes: 16 * MIB },
            { path: '/b', quotaBytes: 16 * MIB },
          ],
        },
      ],
    },
    { disk },
  )
  for (let file = 1; file <= 6; file++) {
    await store.writeSmall(block(file), pattern(file, 100_000), { soleCopy: false })
  }
  disk.fault = (operation, path) => {
    if (path.startsWith('/a/') && (operation === 'read' || operation === 'write')) {
      throw new AlluxioError('DATA_LOSS', `${operation} ${path}: ${reason}`, { reason, details: { path } })
    }
  }
  for (let file = 1; file <= 12; file++) {
    const source = new Source(file, 100_000)
    const read = await readAll(store, request(block(file), 100_000, { fetch: source.fetch }))
    expect(read.bytes.equals(pattern(file, 100_000))).toBe(true)
  }
  const [a, b] = store.usage()[0]!.folders
  expect(a!.failure).toContain(reason)
  expect(b!.failure).toBeUndefined()
  expect(store.changes().removed.length + store.blocks).toBeGreaterThanOrEqual(12 - 6)
})

test('block files cut short or changed anywhere are moved aside and fetched again', async () => {
  const { store } = await open({ tiers: [tier('MEM', { a: 64 * MIB })] })
  const length = 150_000
  for (let round = 1; round <= 12; round++) {
    const source = new Source(round, length)
    await store.load(request(block(round), length, { fetch: source.fetch }))
    const path = join(each.folder, 'a', `b${block(round)}_${length}.arrow`)
    const size = readFileSync(path).length
    const at = Math.floor((size * round) / 13)
    if (round % 2 === 0) truncateSync(path, at)
    else {
      const bytes = readFileSync(path)
      bytes[at]! ^= 0x20
      writeFileSync(path, bytes)
    }
    const read = await readAll(store, request(block(round), length, { fetch: source.fetch }))
    expect(read.bytes.equals(pattern(round, length))).toBe(true)
  }
  expect(store.quarantined).toBeGreaterThanOrEqual(11)
  expect(readdirSync(join(each.folder, 'a', 'quarantine')).length).toBe(store.quarantined)
})

test('readers keep their bytes while everything is evicted under them', async () => {
  const { store } = await open({ tiers: [tier('MEM', { a: 4 * MIB })] })
  const length = MIB - 50_000
  const held: { bytes: Uint8Array; file: number }[] = []
  for (let file = 1; file <= 40; file++) {
    await store.writeSmall(block(file), pattern(file, length), { soleCopy: false })
    held.push({ file, ...(await store.readAt(request(block(file), length))) })
  }
  expect(store.blocks).toBeLessThan(5)
  for (const { file, bytes } of held) expect(Buffer.compare(bytes, pattern(file, length))).toBe(0)
})

test('ten times the cache streams through it', async () => {
  const { store } = await open({
    tiers: [tier('MEM', { a: 16 * MIB }), tier('SSD', { s: 16 * MIB })],
    eviction: 'S3FIFO',
  })
  const length = 4 * MIB
  for (let file = 1; file <= 80; file++) {
    const source = new Source(file, length)
    const read = await readAll(store, request(block(file), length, { sequential: true, fetch: source.fetch }))
    expect(read.bytes.equals(pattern(file, length))).toBe(true)
    expect(source.fetchedBytes).toBe(length)
    for (const { usedBytes, capacityBytes } of store.usage())
      expect(usedBytes).toBeLessThanOrEqual(capacityBytes)
  }
  // A tier holds three; one may have been dropped to make room for the next one of a reader that was faster than the demotions.
  expect(store.blocks).toBeGreaterThanOrEqual(2)
})

test('1,000 random reads of 64 KiB over a cold object fetch the extents they touch', async () => {
  const { store } = await open({ tiers: [tier('MEM', { a: 400 * MIB })] })
  const blocks = 4
  const length = 64 * MIB
  const sources = Array.from({ length: blocks }, (_, i) => new Source(i + 1, length))
  const touched = new Set<number>()
  let x = 12345
  for (let i = 0; i < 250; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0
    const at = Math.floor((x / 2 ** 32) * (blocks * length - 65536))
    const index = Math.floor(at / length)
    const offset = at % length
    const size = Math.min(65536, length - offset)
    const read = await store.readAt(
      request(block(index + 1), length, { offset, length: size, fetch: sources[index]!.fetch }),
    )
    expect(Buffer.compare(read.bytes, pattern(index + 1, size, offset))).toBe(0)
    for (let extent = Math.floor(offset / MIB); extent <= Math.floor((offset + size - 1) / MIB); extent++) {
      touched.add(index * 1000 + extent)
    }
  }
  const fetched = sources.reduce((sum, source) => sum + source.fetchedBytes, 0)
  expect(fetched).toBe(touched.size * MIB)
})

test('a reader that gives up cancels what nobody else waits for', async () => {
  const { store } = await open({ tiers: [tier('MEM', { a: 64 * MIB })] })
  const source = new Source(1, 32 * MIB)
  const gate = Promise.withResolvers<void>()
  source.gate = () => gate.promise
  const controller = new AbortController()
  const read = readAll(store, request(block(1), 32 * MIB, { fetch: source.fetch, signal: controller.signal }))
  const other = readAll(store, request(block(1), 32 * MIB, { length: MIB, fetch: source.fetch }))
  await new Promise((resolve) => setTimeout(resolve, 20))
  controller.abort(new AlluxioError('CANCELLED', 'enough'))
  await expect(read).rejects.toMatchObject({ code: 'CANCELLED' })
  gate.resolve()
  expect((await other).bytes.equals(pattern(1, MIB))).toBe(true)
  const again = await readAll(store, request(block(1), 32 * MIB, { fetch: source.fetch }))
  expect(again.bytes.equals(pattern(1, 32 * MIB))).toBe(true)
})

test('a source that fails, or is shorter than it should be, fails its readers and nothing else', async () => {
  const { store } = await open({ tiers: [tier('MEM', { a: 64 * MIB })] })
  const source = new Source(1, 4 * MIB)
  const broken = new AlluxioError('UNAVAILABLE', 'no answer')
  let left = 30
  source.gate = () => {
    if (left-- === 0) throw broken
  }
  await expect(readAll(store, request(block(1), 4 * MIB, { fetch: source.fetch }))).rejects.toBe(broken)
  const read = await readAll(store, request(block(1), 4 * MIB, { fetch: source.fetch }))
  expect(read.bytes.equals(pattern(1, 4 * MIB))).toBe(true)
  const short = new Source(2, 3 * MIB)
  for (const cache of [true, false]) {
    await expect(
      readAll(store, request(block(2), 4 * MIB, { cache, fetch: short.fetch })),
    ).rejects.toMatchObject({
      code: 'DATA_LOSS',
      reason: 'SOURCE_LENGTH',
    })
  }
})

test('a worker that is killed while it writes leaves whole blocks and nothing else', async () => {
  const path = join(each.folder, 'a')
  mkdirSync(path)
  const program = join(dirname(fileURLToPath(import.meta.url)), 'endless-writer.ts')
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [program, path, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {},
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 60 + round * 40))
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const { store } = await open({ tiers: [tier('MEM', { a: 2048 * MIB })] })
  expect(readdirSync(path).filter((name) => !/^b\d+_\d+(\.sole)?\.(arrow|part|side)$/.test(name))).toEqual([])
  let seen = 0
  for (const place of [...store.blockPages(100)].flat()) {
    const { length } = store.place(place.id)!
    const read = await store.readAt(request(place.id, length))
    expect(Buffer.compare(read.bytes, pattern(place.id, length))).toBe(0)
    seen++
  }
  expect(seen).toBeGreaterThan(0)
  rmSync(path, { recursive: true })
})

test('a machine that loses power keeps acknowledged sole copies, and serves nothing that is wrong', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    let x = seed
    const random = () => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0
      return x / 2 ** 32
    }
    const disk = new MemoryDisk({ volatileFolders: ['/mem'] }, { runtime: { ...systemRuntime, random } })
    const options: BlockStoreOptions = {
      extentBytes: 65536,
      tiers: [
        { alias: 'MEM', folders: [{ path: '/mem', quotaBytes: 500_000 }] },
        { alias: 'SSD', folders: [{ path: '/ssd', quotaBytes: 8 * MIB }] },
      ],
    }
    const first = await openStore(options, { disk })
    const durable = new Set<number>()
    for (let file = 1; file <= 12; file++) {
      const id = block(file)
      const length = 20_000 * file
      if (file % 3 === 0) {
        const source = new Source(id, length)
        await readAll(first.store, request(id, length, { length: length >> 1, fetch: source.fetch }))
      } else {
        await first.store.writeSmall(id, pattern(id, length), { soleCopy: true, medium: 'SSD' })
        if (first.store.place(id)!.tier === 1) durable.add(file)
      }
    }
    disk.crashMachine()
    const { store } = await open(options, { disk })
    for (let file = 1; file <= 12; file++) {
      const id = block(file)
      const length = 20_000 * file
      const source = new Source(id, length)
      const read = await readAll(store, request(id, length, durable.has(file) ? {} : { fetch: source.fetch }))
      expect(read.bytes.equals(pattern(id, length))).toBe(true)
    }
    expect(durable.size).toBe(8)
    store.markPersisted(1 as FileId)
  }
})
