/** Directories of Swift that move page by page, and segments that killed writers left: counted by the server's own access log. */
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { MIB, md5Of, md5OfBlocks, numberedBlock, writeBlocks } from '../../support/numbered-blocks.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { type SwiftServer, startSwift } from '../../support/servers/swift.ts'

const { server: started, reason } = await ifAvailable(() =>
  startSwift({ slo: 'min_segment_size = 1\nmax_manifest_segments = 8' }),
)
const server = started as SwiftServer
afterAll(() => started?.stop())
const SEGMENTS = '/test-container_segments'
const suite = reason === undefined ? describe : describe.skip

function open(path: string, options: Record<string, string> = {}): Promise<UnderStore> {
  return openStore(
    `swift://${server.container}/${path}`,
    server.options({ 'alluxio.underfs.swift.segment.size': '4MB', ...options }),
    { runtime: systemRuntime, log: silentLog },
  )
}

async function listed(path: string): Promise<string[]> {
  const answer = await server.ask('GET', path)
  return answer.status === 200 ? (await answer.text()).split('\n').filter((name) => name !== '') : []
}

async function put(store: UnderStore, path: string): Promise<void> {
  const writer = await store.create(path)
  await writer.write(Buffer.from(path))
  await writer.close()
}

async function moveAll(store: UnderStore, stays?: (path: string) => boolean): Promise<number> {
  let moved = 0
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await store.moveObjects!('from', 'to', {
      ...(cursor === undefined ? {} : { cursor }),
      ...(stays === undefined ? {} : { stays }),
    })
    moved += page.objects
    cursor = page.cursor
    more = cursor !== undefined
  }
  return moved
}

suite('moves object by object', () => {
  let store: UnderStore
  beforeEach(async () => {
    store = await open(`moves-${Math.random().toString(36).slice(2)}`)
    return () => store.close()
  })

  test('cost a page, a copy each and one bulk delete; what stays, stays', async () => {
    for (let i = 0; i < 20; i++) await put(store, `from/d${i % 3}/f${i}`)
    await store.mkdir('from/empty')
    await put(store, 'from-not/x')
    await server.calls()
    expect(await moveAll(store, (path) => path === 'from/d0/f0')).toBe(21)
    // 19 files, and the markers of two directories.
    expect(await server.calls()).toEqual({
      'GET container': 1,
      'COPY object': 21,
      'POST account': 1,
      // For a marker without a slash.
      'HEAD object': 1,
      // Once in the life of a store.
      'GET info': 1,
    })
    expect(await moveAll(store)).toBe(1)
    expect(await moveAll(store)).toBe(0)
    const { entries } = await store.list('', { recursive: true })
    const files = entries.filter(({ directory }) => !directory).map(({ path }) => path)
    expect(files).toHaveLength(21)
    expect(files.every((path) => path === 'from-not/x' || path.startsWith('to/d'))).toBe(true)
    expect((await store.status('to/empty')).directory).toBe(true)
    await expect(store.status('from')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }, 60_000)

  test('of a large object copy the manifest, not the segments, which go with it afterwards', async () => {
    await writeBlocks(store, 'from/large', 10)
    const segments = await listed(SEGMENTS)
    expect(await moveAll(store)).toBe(1)
    expect(await listed(SEGMENTS)).toEqual(segments)
    expect(await md5Of(store, 'to/large')).toBe(md5OfBlocks(10))
    await store.delete('to/large')
    expect(await listed(SEGMENTS)).toHaveLength(segments.length - 3)
  }, 60_000)

  test('take a marker without a slash along', async () => {
    const key = `/${server.container}/marked/from`
    const marked = await open('marked')
    await server.ask('PUT', key, { headers: { 'content-type': 'application/directory' }, body: '' })
    await put(marked, 'from/file')
    expect(await moveAll(marked)).toBe(2)
    expect((await server.ask('HEAD', key)).status).toBe(404)
    await marked.delete('to/file')
    expect((await marked.status('to')).directory).toBe(true)
    await marked.close()
  }, 60_000)

  test('survive a server that is killed between two pages, and a move that was broken off', async () => {
    for (let i = 0; i < 6; i++) await put(store, `from/f${i}`)
    // One was copied before, and not deleted.
    const prefix = (await listed(`/${server.container}`)).find((key) => key.endsWith('/from/f0'))!
    const destination = `${server.container}/${prefix.replace('/from/', '/to/')}`
    await server.ask('COPY', `/${server.container}/${prefix}`, { headers: { destination } })
    await server.kill()
    const moving = moveAll(store)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await server.restart()
    await moving
    await moveAll(store)
    const { entries } = await store.list('', { recursive: true })
    expect(entries.filter(({ directory }) => !directory).map(({ path }) => path)).toEqual(
      Array.from({ length: 6 }, (_, i) => `to/f${i}`),
    )
  }, 60_000)
})

suite('cleaning', () => {
  const PATIENT = { 'alluxio.underfs.temporary.max.age': '2s' }
  const aged = () => new Promise((resolve) => setTimeout(resolve, 4000))

  /** A writer that is killed: its segments are there, its manifest is not. */
  async function broken(store: UnderStore, path: string): Promise<void> {
    const before = (await listed(SEGMENTS)).length
    const writer = await store.create(path)
    for (let i = 0; i < 10; i++) await writer.write(numberedBlock(i))
    while ((await listed(SEGMENTS)).length < before + 2) await new Promise((r) => setTimeout(r, 50))
  }

  test('takes segments that no manifest names, and nothing else', async () => {
    const store = await open('clean', PATIENT)
    const already = (await listed(SEGMENTS)).length
    expect(already).toBe(0)
    await writeBlocks(store, 'plain', 6)
    await writeBlocks(store, 'nested', 35)
    await writeBlocks(store, 'from/moved', 6)
    expect(await moveAll(store)).toBe(1)
    // Another client copies a manifest to another container, and deletes the one that it came from.
    await writeBlocks(store, 'copied', 6)
    await server.ask('PUT', '/elsewhere')
    const copied = `/${server.container}/clean/copied`
    const headers = { destination: 'elsewhere/folder/copy' }
    expect((await server.ask('COPY', `${copied}?multipart-manifest=get`, { headers })).status).toBe(201)
    await server.ask('DELETE', copied)
    const used = (await listed(SEGMENTS)).length
    expect(used).toBe(2 + 11 + 2 + 2)
    // Manifests of parts whose whole has gone are leftovers like their segments.
    await writeBlocks(store, 'headless', 35)
    await server.ask('DELETE', `/${server.container}/clean/headless`)
    await broken(store, 'killed')
    await aged()
    await broken(store, 'young')
    const before = (await listed(SEGMENTS)).length
    const young = 2
    expect(before).toBe(used + 11 + 2 + young)
    expect(await store.clean!()).toMatchObject({ objects: 11 + 2 })
    expect(await listed(SEGMENTS)).toHaveLength(used + young)
    for (const [path, blocks] of [
      ['plain', 6],
      ['nested', 35],
      ['to/moved', 6],
    ] as const)
      expect(await md5Of(store, path)).toBe(md5OfBlocks(blocks))
    const copy = await server.ask('GET', '/elsewhere/folder/copy')
    expect((await copy.arrayBuffer()).byteLength).toBe(6 * MIB)
    expect(await (await open('clean')).clean!()).toEqual({ objects: 0, bytes: 0 })
    await store.close()
  }, 120_000)

  test('deletes nothing when the server goes away', async () => {
    const store = await open('unread', { ...PATIENT, 'alluxio.underfs.retry.max.duration': '0' })
    await writeBlocks(store, 'file', 6)
    await broken(store, 'killed')
    await aged()
    const before = await listed(SEGMENTS)
    await server.kill()
    await expect(store.clean!()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    expect(await listed(SEGMENTS)).toEqual(before)
    await store.close()
  }, 60_000)
})
