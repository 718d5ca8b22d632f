/** What is acknowledged survives kill -9 of either daemon. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem, OpenOptions, WriteType } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

let cluster: Cluster
let fs: FileSystem

beforeAll(async () => {
  cluster = await Cluster.start({ properties: { 'alluxio.user.block.size.bytes.default': '1MB' } })
  fs = await cluster.connect({ 'alluxio.user.block.size.bytes.default': '1MB' })
}, 120_000)
afterAll(() => cluster?.dispose())

const write = (path: string, bytes: Uint8Array, writeType: WriteType = 'MUST_CACHE') =>
  writeWhole(fs, path, bytes, writeType)
const read = (path: string, options: OpenOptions = {}) => readWhole(fs, path, options)

describe('kill -9 of the master', () => {
  test('in the middle of 10,000 creates: every acknowledged one is there', async () => {
    await fs.mkdir('/storm')
    const acknowledged: string[] = []
    let next = 0
    let killed = false
    const storm = Array.from({ length: 64 }, async () => {
      while (next < 10_000) {
        const path = `/storm/f${next++}`
        try {
          const writer = await fs.create(path, { writeType: 'MUST_CACHE' })
          await writer.close()
          acknowledged.push(path)
        } catch (error) {
          if (!killed) throw error
        }
      }
    })
    while (acknowledged.length < 3000) await pause(5)
    killed = true
    await cluster.master.kill()
    await cluster.master.start()
    await Promise.all(storm)
    const listed = new Set<string>()
    for await (const { path, completed } of fs.list('/storm')) if (completed) listed.add(path)
    expect(acknowledged.filter((path) => !listed.has(path))).toEqual([])
    expect(acknowledged.length).toBeGreaterThan(3000)
    const { files } = await fs.contentSummary('/storm')
    expect(files).toBeGreaterThanOrEqual(acknowledged.length)
  }, 120_000)

  test('with cached files: data is readable again when the worker has registered', async () => {
    const bytes = patternBytes(1, 3_500_000)
    await write('/kept', bytes)
    await cluster.master.kill()
    await cluster.master.start()
    await cluster.workersLive(1)
    expect((await read('/kept')).equals(bytes)).toBe(true)
  }, 60_000)

  test('with async persists queued: each happens, once', async () => {
    await fs.mkdir('/async')
    const files = Array.from({ length: 40 }, (_, i) => ({
      path: `/async/f${i}`,
      bytes: patternBytes(100 + i, 200_000 + i),
    }))
    for (const { path, bytes } of files) await write(path, bytes, 'ASYNC_THROUGH')
    await cluster.master.kill()
    await cluster.master.start()
    await persisted(files.map(({ path }) => path))
    await expectInStore(files)
  }, 120_000)
})

describe('kill -9 of the worker', () => {
  test('with async persists under way: each happens, once', async () => {
    await fs.mkdir('/async2')
    const files = Array.from({ length: 40 }, (_, i) => ({
      path: `/async2/f${i}`,
      bytes: patternBytes(200 + i, 1_200_000 + i),
    }))
    for (const { path, bytes } of files) await write(path, bytes, 'ASYNC_THROUGH')
    await cluster.workers[0]!.kill()
    await cluster.workers[0]!.start()
    await persisted(files.map(({ path }) => path))
    await expectInStore(files)
  }, 120_000)

  test('blocks in MEM outlive the process', async () => {
    const bytes = patternBytes(7, 2_300_000)
    await write('/outlives', bytes)
    await cluster.workers[0]!.kill()
    await cluster.workers[0]!.start()
    await cluster.workersLive(1)
    expect((await read('/outlives')).equals(bytes)).toBe(true)
  }, 60_000)

  test('in the middle of a write: the write fails clearly, nothing half is readable, the path can be written again', async () => {
    const bytes = patternBytes(8, 8_000_000)
    const writer = await fs.create('/half', { writeType: 'MUST_CACHE' })
    await writer.write(bytes.subarray(0, 2_500_000))
    await cluster.workers[0]!.kill()
    await expect(
      (async () => {
        await writer.write(bytes.subarray(2_500_000))
        await writer.close()
      })(),
    ).rejects.toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|TIMEOUT/) })
    await writer.abort().catch(() => {})
    await cluster.workers[0]!.start()
    await cluster.workersLive(1)
    await expect(fs.open('/half')).rejects.toMatchObject({
      code: expect.stringMatching(/NOT_FOUND|CONFLICT/),
    })
    await fs.delete('/half').catch(() => {})
    await write('/half', bytes)
    expect((await read('/half')).equals(bytes)).toBe(true)
    const leftovers = (await readdir(cluster.memoryFolders[0]!, { recursive: true })).filter((name) =>
      name.includes('.tmp'),
    )
    expect(leftovers).toEqual([])
  }, 120_000)

  test('in the middle of a read of persisted data: the read goes on from the under-store, byte for byte', async () => {
    const bytes = patternBytes(9, 6_000_000)
    await write('/through', bytes, 'CACHE_THROUGH')
    const remote = await cluster.connect({ 'alluxio.user.short.circuit.enabled': 'false' })
    const reader = await remote.open('/through')
    const chunks: Buffer[] = []
    let seen = 0
    for await (const chunk of reader.stream({ chunkBytes: 128 * 1024 })) {
      chunks.push(Buffer.from(chunk))
      seen += chunk.length
      if (seen > 1_500_000 && seen - chunk.length <= 1_500_000) await cluster.workers[0]!.kill()
    }
    await reader.close()
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    await cluster.workers[0]!.start()
    await cluster.workersLive(1)
  }, 120_000)
})

async function persisted(paths: readonly string[]): Promise<void> {
  const deadline = Date.now() + 60_000
  for (const path of paths) {
    for (;;) {
      const status = await fs.getStatus(path)
      if (status.persisted) break
      if (Date.now() > deadline) throw new Error(`${path} is ${status.persistenceState}`)
      await pause(50)
    }
  }
}

async function expectInStore(files: readonly { path: string; bytes: Buffer }[]): Promise<void> {
  for (const { path, bytes } of files) {
    const file = join(cluster.folder, 'ufs', path)
    expect(existsSync(file)).toBe(true)
    expect((await readFile(file)).equals(bytes)).toBe(true)
  }
  const folder = join(cluster.folder, 'ufs', files[0]!.path, '..')
  // Nothing but the files themselves, and perhaps what the killed worker was writing, under a name that no listing shows.
  const shown = (await readdir(folder)).filter((name) => !name.startsWith('.alluxio-'))
  expect(shown.sort()).toEqual(files.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)).sort())
}
