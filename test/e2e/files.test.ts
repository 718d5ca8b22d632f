/** Files of all kinds through a real cluster: odd names, empty ones, many, large ones through a small cache, changed sources. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem, OpenOptions, WriteType } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

let cluster: Cluster
let fs: FileSystem
const ufs = (path: string) => join(cluster.folder, 'ufs', path)

beforeAll(async () => {
  cluster = await Cluster.start({
    memory: '64MB',
    properties: { 'alluxio.user.block.size.bytes.default': '4MB' },
  })
  fs = await cluster.connect({ 'alluxio.user.block.size.bytes.default': '4MB' })
}, 120_000)
afterAll(() => cluster?.dispose())

const write = (path: string, bytes: Uint8Array, writeType: WriteType = 'CACHE_THROUGH') =>
  writeWhole(fs, path, bytes, writeType)
const read = (path: string, options: OpenOptions = {}) => readWhole(fs, path, options)

const NAMES = [
  'with space',
  'ünïcode-文件-😀',
  '100%',
  'a#b?c=d&e',
  '%2F',
  'quote"\'`$',
  'new\nline',
  '-dash',
  '.hidden',
  'n'.repeat(255),
  'ü'.repeat(127),
]

test.each(NAMES)('name %j: written through, listed, read, renamed, deleted', async (name) => {
  const bytes = patternBytes(name.length, 5000)
  await fs.mkdir('/names', { allowExists: true })
  await write(`/names/${name}`, bytes)
  expect((await readFile(ufs(`names/${name}`))).equals(bytes)).toBe(true)
  const listed: string[] = []
  for await (const entry of fs.list('/names')) listed.push(entry.name)
  expect(listed).toEqual([name])
  expect((await read(`/names/${name}`)).equals(bytes)).toBe(true)
  await fs.rename(`/names/${name}`, '/names/plain')
  expect((await readFile(ufs('names/plain'))).equals(bytes)).toBe(true)
  await fs.delete('/names/plain')
  await expect(stat(ufs('names/plain'))).rejects.toThrow('ENOENT')
})

test('a name of 256 bytes and one with a NUL are refused with what is wrong', async () => {
  await expect(fs.create(`/${'x'.repeat(256)}`)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('255 bytes'),
  })
  await expect(fs.create('/a\0b')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(fs.getStatus('/a/../b')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test.each(['MUST_CACHE', 'CACHE_THROUGH', 'THROUGH'] as const)('an empty file, %s', async (writeType) => {
  const path = `/empty-${writeType}`
  const writer = await fs.create(path, { writeType })
  const status = await writer.close()
  expect(status).toMatchObject({ length: 0, completed: true, inAlluxioPercentage: 100 })
  expect(await read(path)).toHaveLength(0)
  if (writeType !== 'MUST_CACHE') expect((await stat(ufs(path.slice(1)))).size).toBe(0)
})

test('two writers of one path: the second is refused, the first one wins', async () => {
  const first = await fs.create('/one-path', { writeType: 'MUST_CACHE' })
  await expect(fs.create('/one-path', { writeType: 'MUST_CACHE' })).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
  })
  await first.write(Buffer.from('first'))
  await first.close()
  expect(String(await read('/one-path'))).toBe('first')
})

test('100,000 files in one directory: listed in pages, in order, counted at once', async () => {
  await fs.mkdir('/many')
  let next = 0
  const one = async () => {
    while (next < 100_000) {
      const writer = await fs.create(`/many/f${String(next++).padStart(6, '0')}`, { writeType: 'MUST_CACHE' })
      await writer.close()
    }
  }
  await Promise.all(Array.from({ length: 256 }, one))
  expect(await fs.contentSummary('/many')).toMatchObject({ files: 100_000, directories: 0 })
  let seen = 0
  for await (const { name } of fs.list('/many')) expect(name).toBe(`f${String(seen++).padStart(6, '0')}`)
  expect(seen).toBe(100_000)
  await fs.delete('/many', { recursive: true })
  await expect(fs.getStatus('/many')).rejects.toMatchObject({ code: 'NOT_FOUND' })
}, 120_000)

test('a file ten times the cache is read through it, and written through it', async () => {
  const size = 640 * 2 ** 20
  const chunk = patternBytes(5, 2 ** 20)
  const written = createHash('sha256')
  const writer = await fs.create('/large', { writeType: 'CACHE_THROUGH' })
  for (let at = 0; at < size; at += chunk.length) {
    chunk.writeUInt32LE(at / chunk.length, 0)
    written.update(chunk)
    await writer.write(chunk)
  }
  await writer.close()
  const reader = await fs.open('/large')
  const seen = createHash('sha256')
  for await (const part of reader.stream()) seen.update(part)
  await reader.close()
  expect(seen.digest('hex')).toBe(written.digest('hex'))
  const [worker] = await fs.admin.workers()
  const { usedBytes, capacityBytes } = worker!.tiers[0]!
  expect(usedBytes).toBeLessThanOrEqual(capacityBytes)
  await fs.delete('/large')
}, 180_000)

describe('files that others put into the under-store', () => {
  test('are found, read, and again when they change and the caller asks for a check', async () => {
    await mkdir(ufs('outside/deep'), { recursive: true })
    await writeFile(ufs('outside/deep/a'), 'one')
    expect(String(await read('/outside/deep/a'))).toBe('one')
    expect(String(await read('/outside/deep/a'))).toBe('one')
    await writeFile(ufs('outside/deep/a.new'), 'two, longer')
    await rename(ufs('outside/deep/a.new'), ufs('outside/deep/a'))
    expect(String(await read('/outside/deep/a', { syncIntervalMs: 0 }))).toBe('two, longer')
    expect((await fs.getStatus('/outside/deep/a')).length).toBe(11)
  })

  test('are never served torn: a source that changed under a cold read is an error or the new bytes', async () => {
    await writeFile(ufs('changing'), patternBytes(1, 300_000))
    await fs.getStatus('/changing')
    const fresh = patternBytes(2, 300_000)
    await writeFile(ufs('changing'), fresh)
    await utimes(ufs('changing'), new Date(), new Date(Date.now() + 5000))
    const bytes = await read('/changing').catch((error: unknown) => error)
    if (Buffer.isBuffer(bytes)) expect(bytes.equals(fresh)).toBe(true)
    else expect(bytes).toMatchObject({ code: 'CONFLICT' })
    expect((await read('/changing', { syncIntervalMs: 0 })).equals(fresh)).toBe(true)
  })

  test('and vanish with them when the directory is checked', async () => {
    await mkdir(ufs('gone'), { recursive: true })
    await writeFile(ufs('gone/x'), 'x')
    const names = async (options: object) => {
      const found: string[] = []
      for await (const { name } of fs.list('/gone', options)) found.push(name)
      return found
    }
    expect(await names({})).toEqual(['x'])
    await writeFile(ufs('gone/y'), 'y')
    await rename(ufs('gone/x'), ufs('gone/z'))
    expect(await names({ syncIntervalMs: 0 })).toEqual(['y', 'z'])
  })
})
