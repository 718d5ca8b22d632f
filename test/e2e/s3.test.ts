/** A cluster over S3: calls counted by the server, and the server stopped, throttling, hanging, cut short. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem, OpenOptions, WriteType } from '../../src/client/index.ts'
import { patternBytes } from '../support/cluster.ts'
import { S3Cluster } from '../support/s3-cluster.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const s3 = await S3Cluster.around({ memory: '512MB' })
const { counting, minio } = s3
let fs: FileSystem
beforeAll(() => {
  fs = s3.fs
})

const write = (path: string, bytes: Uint8Array, writeType: WriteType = 'CACHE_THROUGH') =>
  writeWhole(fs, path, bytes, writeType)
const read = (path: string, options: OpenOptions = {}) => readWhole(fs, path, options)

const describeCounting = counting.server === undefined ? describe.skip : describe
const describeMinio = minio.server === undefined ? describe.skip : describe

describeCounting('calls to the store', () => {
  const server = counting.server!
  const calls = async () => (await server.stats()).calls
  afterEach(() => server?.reset())

  test('1,000 small files: listed in one page, read by one GET each, warm by none, validated by one page', async () => {
    await server.fill('small/o', 1000, 4096)
    await s3.mount('/small', server, 'small')
    await server.reset()
    const names: string[] = []
    for await (const { path } of fs.list('/small')) names.push(path)
    expect(names).toHaveLength(1000)
    expect(await calls()).toEqual({ ListObjectsV2: 1 })

    await server.reset()
    await readAll(names)
    expect(await calls()).toEqual({ GetObject: 1000 })

    await server.reset()
    await readAll(names)
    expect(await calls()).toEqual({})

    await server.reset()
    let validated = 0
    for await (const _ of fs.list('/small', { syncIntervalMs: 0 })) validated++
    expect(validated).toBe(1000)
    expect(await calls()).toEqual({ ListObjectsV2: 1 })
    await server.reset()
    await readAll(names)
    expect(await calls()).toEqual({})
  }, 60_000)

  test('random reads of a cold object move the extents that they touch', async () => {
    await server.fill('big/o', 1, 256 * 2 ** 20)
    await s3.mount('/big', server, 'big')
    const names: string[] = []
    for await (const { path } of fs.list('/big')) names.push(path)
    await server.reset()
    const reader = await fs.open(names[0]!)
    const extents = new Set<number>()
    const buffer = Buffer.alloc(65_536)
    let x = 12345
    for (let i = 0; i < 60; i++) {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0
      const position = x % (reader.length - buffer.length)
      for (let at = position; at < position + buffer.length; at += 65_535)
        extents.add(Math.floor(at / 2 ** 20))
      expect(await reader.readInto(position, buffer)).toBe(buffer.length)
    }
    await reader.close()
    const { bytesOut } = await server.stats()
    expect(bytesOut).toBeLessThanOrEqual(extents.size * 2 ** 20 * 1.1)
    expect(bytesOut).toBeGreaterThan(0)
  }, 60_000)

  test('throttled (503) and cut short: read right all the same', async () => {
    const bytes = patternBytes(77, 3_000_000)
    await s3.mount('/faults', server, 'faults')
    await write('/faults/a', bytes)
    await fs.free('/faults/a')
    await server.fault({ api: 'GetObject', kind: 'error', status: 503, code: 'SlowDown', count: 2 })
    expect((await read('/faults/a')).equals(bytes)).toBe(true)
    await fs.free('/faults/a')
    await server.fault({ api: 'GetObject', kind: 'truncate', bytes: 100_000, count: 1 })
    expect((await read('/faults/a')).equals(bytes)).toBe(true)
    await fs.free('/faults/a')
    await server.fault({ api: 'GetObject', kind: 'hang', count: 1 })
    expect((await read('/faults/a')).equals(bytes)).toBe(true)
  }, 120_000)

  async function readAll(names: readonly string[]): Promise<void> {
    const queue = [...names]
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
          const reader = await fs.open(path)
          expect(await reader.readInto(0, Buffer.alloc(4096))).toBe(4096)
          await reader.close()
        }
      }),
    )
  }
})

describeMinio('MinIO', () => {
  const server = minio.server!

  test('writes through, lists, reads cold and warm, renames, deletes', async () => {
    await s3.mount('/minio', server, 'tree')
    const bytes = patternBytes(3, 20_000_000)
    await write('/minio/a/b', bytes)
    await fs.free('/minio/a/b')
    const reader = await fs.open('/minio/a/b')
    expect((await read('/minio/a/b')).equals(bytes)).toBe(true)
    await reader.close()
    await fs.rename('/minio/a/b', '/minio/a/c')
    await fs.free('/minio/a/c')
    expect((await read('/minio/a/c', { syncIntervalMs: 0 })).equals(bytes)).toBe(true)
    await fs.delete('/minio/a', { recursive: true })
    await expect(fs.getStatus('/minio/a', { syncIntervalMs: 0 })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }, 60_000)

  test('stopped for 20 s in the middle of a read: the read goes on, byte for byte', async () => {
    await s3.mount('/stopped', server, 'stopped')
    const bytes = patternBytes(4, 96_000_000)
    await write('/stopped/a', bytes, 'THROUGH')
    const reader = await fs.open('/stopped/a', { readType: 'NO_CACHE' })
    const chunks: Buffer[] = []
    let seen = 0
    for await (const chunk of reader.stream({ chunkBytes: 2 ** 20 })) {
      chunks.push(Buffer.from(chunk))
      if (seen <= 4_000_000 && seen + chunk.length > 4_000_000) {
        await server.kill()
        setTimeout(() => void server.restart(), 20_000)
      }
      seen += chunk.length
    }
    await reader.close()
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  }, 120_000)

  test('stopped for 20 s in the middle of asynchronous persists: each happens', async () => {
    await s3.mount('/async', server, 'async')
    const files = Array.from({ length: 30 }, (_, i) => ({
      path: `/async/f${i}`,
      bytes: patternBytes(50 + i, 1_000_000 + i),
    }))
    for (const { path, bytes } of files.slice(0, 15)) await write(path, bytes, 'ASYNC_THROUGH')
    await server.kill()
    for (const { path, bytes } of files.slice(15)) await write(path, bytes, 'ASYNC_THROUGH')
    await pause(20_000)
    await server.restart()
    const deadline = Date.now() + 90_000
    for (const { path, bytes } of files) {
      while (!(await fs.getStatus(path)).persisted && Date.now() < deadline) await pause(100)
      await fs.free(path)
      expect((await read(path)).equals(bytes)).toBe(true)
    }
  }, 180_000)

  test('wrong credentials: refused at the mount, with what to do and without the secret', async () => {
    const options = server.options({ 's3a.secretKey': 'wrong-secret-canary-71' })
    const mounting = fs.mount('/denied', `s3://${server.bucket}/denied`, { options })
    await expect(mounting).rejects.toMatchObject({
      code: expect.stringMatching(/PERMISSION_DENIED|UNAUTHENTICATED/),
    })
    await expect(mounting).rejects.not.toMatchObject({ message: expect.stringContaining('canary') })
    await expect(
      fs.mount('/nobucket', 's3://no-such-bucket-here', { options: server.options() }),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('no-such-bucket-here'),
    })
  })
})
