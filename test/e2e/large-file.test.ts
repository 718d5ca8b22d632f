/** A file ten times the cache, at the size that users have: 10 GiB of an under-store read through 1 GiB of memory and no other tier. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'

const MIB = 2 ** 20
const SIZE = 10 * 1024 * MIB
const CACHE = 1024 * MIB
const PAGE = 4096
const ZEROS = Buffer.alloc(MIB)

let cluster: Cluster
let fs: FileSystem

beforeAll(async () => {
  cluster = await Cluster.start({
    memory: String(CACHE),
    properties: { 'alluxio.worker.tieredstore.levels': '1' },
  })
  fs = await cluster.connect()
  // Sparse, so that it costs the disk 40 MB: each MiB begins with a page that only this MiB has.
  const file = await open(join(cluster.folder, 'ufs', 'large'), 'w')
  await file.truncate(SIZE)
  for (let mib = 0; mib < SIZE / MIB; mib++) await file.write(pageOf(mib), 0, PAGE, mib * MIB)
  await file.close()
}, 120_000)
afterAll(() => cluster?.dispose())

function pageOf(mib: number): Buffer {
  return patternBytes(mib + 1, PAGE)
}

/** Every byte of a part of the file that begins at `at`. */
function isPart(bytes: Buffer, at: number): boolean {
  for (let n = 0; n < bytes.length; ) {
    const inMib = (at + n) % MIB
    const page = inMib < PAGE
    const end = Math.min(bytes.length, n + (page ? PAGE : MIB) - inMib)
    const expected = page ? pageOf(Math.floor((at + n) / MIB)).subarray(inMib) : ZEROS
    if (bytes.compare(expected, 0, end - n, n, end) !== 0) return false
    n = end
  }
  return true
}

test('10 GiB pass whole through 1 GiB of cache, and at random offsets', async () => {
  const reader = await fs.open('/large')
  expect(reader.length).toBe(SIZE)
  let at = 0
  for await (const part of reader.stream()) {
    if (!isPart(Buffer.from(part.buffer, part.byteOffset, part.length), at))
      throw new Error(`wrong bytes at ${at}`)
    at += part.length
  }
  expect(at).toBe(SIZE)

  const buffer = Buffer.alloc(100_000)
  for (let i = 0; i < 200; i++) {
    // Every third one lies across the border of two blocks.
    const offset =
      i % 3 === 0 ? (1 + (i % 150)) * 64 * MIB - 50_000 : Math.floor(((i * 0.618034) % 1) * (SIZE - 100_000))
    expect(await reader.readInto(offset, buffer)).toBe(buffer.length)
    if (!isPart(buffer, offset)) throw new Error(`wrong bytes at ${offset}`)
  }
  await reader.close()

  const [worker] = await fs.admin.workers()
  expect(worker!.tiers).toHaveLength(1)
  const { usedBytes, capacityBytes } = worker!.tiers[0]!
  expect(capacityBytes).toBe(CACHE)
  expect(usedBytes).toBeLessThanOrEqual(capacityBytes)
  expect(usedBytes).toBeGreaterThan(CACHE / 2)
}, 300_000)
