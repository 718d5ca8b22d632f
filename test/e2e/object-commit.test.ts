/** Renames of directories over object stores: what they cost in calls, and that a master that dies in one loses nothing. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import type { UnderStore } from '../../src/ufs/index.ts'
import { patternBytes } from '../support/cluster.ts'
import { lanes } from '../support/lanes.ts'
import { openBucket, putObject, S3Cluster } from '../support/s3-cluster.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const s3 = await S3Cluster.around({ memory: '512MB' })
const { counting, minio } = s3
let fs: FileSystem
beforeAll(() => {
  fs = s3.fs
})

async function filesOf(store: UnderStore): Promise<Map<string, number>> {
  const files = new Map<string, number>()
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await store.list('', { recursive: true, ...(cursor === undefined ? {} : { cursor }) })
    for (const { path, directory, length } of page.entries) if (!directory) files.set(path, length)
    cursor = page.cursor
  }
  return files
}

const describeCounting = counting.server === undefined ? describe.skip : describe
const describeMinio = minio.server === undefined ? describe.skip : describe

describeCounting('calls of a rename', () => {
  const server = counting.server!
  const calls = async () => (await server.stats()).calls

  test('2,500 objects: a look, a page and a delete for each 1,000, a copy each, and a last look', async () => {
    await server.fill('job/_temporary/part-', 2500, 16)
    await s3.mount('/job', server, 'job')
    await server.reset()
    const { entries, added } = await fs.syncs.run('/job')
    expect({ entries, added }).toEqual({ entries: 2501, added: 2501 })
    expect(await calls()).toEqual({ ListObjectsV2: 3 })
    await server.reset()
    await fs.rename('/job/_temporary', '/job/done')
    expect(await calls()).toEqual({ HeadObject: 1, ListObjectsV2: 5, CopyObject: 2500, DeleteObjects: 3 })
    const files = await filesOf(await openBucket(server, 'job'))
    expect(files.size).toBe(2500)
    expect([...files.keys()].every((path) => path.startsWith('done/part-'))).toBe(true)
  }, 60_000)

  test('of what is not persisted yet: none; its persists go to the new names', async () => {
    await s3.mount('/fresh', server, 'fresh')
    await server.reset()
    const path = (i: number) => `_temporary/task-${i % 7}/part-${i}`
    await lanes(300, 16, (i) => writeWhole(fs, `/fresh/${path(i)}`, patternBytes(i, 100), 'MUST_CACHE'))
    const before = await calls()
    await fs.rename('/fresh/_temporary', '/fresh/out')
    expect(await calls()).toEqual(before)
    const named = (i: number) => path(i).replace('_temporary', 'out')
    await lanes(300, 16, (i) => fs.persist(`/fresh/${named(i)}`))
    const store = await openBucket(server, 'fresh')
    for (let files = new Map<string, number>(); files.size < 300; files = await filesOf(store))
      await pause(50)
    const expected = Array.from({ length: 300 }, (_, i) => named(i)).sort()
    expect([...(await filesOf(store)).keys()].sort()).toEqual(expected)
    expect((await calls()).CopyObject ?? 0).toBe(before.CopyObject ?? 0)
  }, 60_000)

  test('a file that is being written through when its directory moves is where it belongs in the end', async () => {
    await s3.mount('/open', server, 'open')
    await writeWhole(fs, '/open/d/whole', patternBytes(1, 100), 'CACHE_THROUGH')
    const bytes = patternBytes(2, 3000)
    const [kept, gone] = await Promise.all(
      ['kept', 'gone'].map((name) => fs.create(`/open/d/${name}`, { writeType: 'CACHE_THROUGH' })),
    )
    await kept!.write(bytes)
    await gone!.write(bytes)
    await fs.rename('/open/d', '/open/e')
    await fs.delete('/open/e/gone')
    await kept!.close()
    await expect(gone!.close()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const store = await openBucket(server, 'open')
    expect([...(await filesOf(store)).keys()].sort()).toEqual(['e/kept', 'e/whole'])
    expect(await readWhole(fs, '/open/e/kept')).toEqual(bytes)
  }, 60_000)

  test('a store that refuses half-way has everything back where it was', async () => {
    await server.fill('refused/d/part-', 1500, 16)
    await s3.mount('/refused', server, 'refused')
    await fs.syncs.run('/refused')
    await server.reset()
    const moving = fs.rename('/refused/d', '/refused/e')
    while (((await calls()).DeleteObjects ?? 0) === 0) await pause(1)
    await server.fault({ api: 'CopyObject', kind: 'error', status: 403, code: 'AccessDenied', count: 1 })
    await expect(moving).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    const files = await filesOf(await openBucket(server, 'refused'))
    expect(files.size).toBe(1500)
    expect([...files.keys()].every((path) => path.startsWith('d/'))).toBe(true)
    await fs.rename('/refused/d', '/refused/e')
  }, 60_000)
})

describeMinio('a master killed in the middle of a move', () => {
  const COUNT = 3000

  test('goes on with it: each object is at its new place once, with its bytes', async () => {
    const server = minio.server!
    const store = await openBucket(server, 'killed')
    const name = (i: number) => `s-${i % 10}/part-${i}`
    await lanes(COUNT, 32, (i) => putObject(store, `_temporary/${name(i)}`, patternBytes(i, 64)))
    await s3.mount('/killed', server, 'killed')
    await fs.syncs.run('/killed')
    const moving = fs.rename('/killed/_temporary', '/killed/done')
    moving.catch(() => {})
    const moved = async () =>
      [...(await filesOf(store)).keys()].filter((path) => path.startsWith('done/')).length
    for (let seen = 0; seen < 1200; seen = await moved()) await pause(20)
    await s3.cluster.master.kill()
    const half = await moved()
    expect(half).toBeLessThan(COUNT)
    await s3.cluster.master.start()
    await moving
    const files = await filesOf(store)
    expect([...files.keys()].sort()).toEqual(
      Array.from({ length: COUNT }, (_, i) => `done/${name(i)}`).sort(),
    )
    expect(await fs.exists('/killed/_temporary')).toBe(false)
    expect((await fs.contentSummary('/killed/done')).files).toBe(COUNT)
    await s3.cluster.workersLive(1)
    for (const i of [0, 999, 1500, COUNT - 1])
      expect(await readWhole(fs, `/killed/done/${name(i)}`)).toEqual(patternBytes(i, 64))
    const { added, updated, removed } = await fs.syncs.run('/killed')
    expect({ added, updated, removed }).toEqual({ added: 0, updated: 0, removed: 0 })
  }, 180_000)
})
