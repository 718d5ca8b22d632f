import { describe, expect, test } from '@jest/globals'
import { ALICE, BOB, fastRuntime, makeWorld, ROOT, type World } from '../../test/support/namespace.ts'
import {
  type BlockId,
  blockIdOf,
  type FileId,
  FLAG_CHILDREN_LOADED,
  FLAG_PINNED,
  FLAG_STALE,
  readEntries,
  type WorkerId,
} from '../core/index.ts'
import type { Caller, CreateRequest, LoadedEntry } from './types.ts'

const W1 = 1 as WorkerId
const KB = 1024
/** A time behind everything that a test does. */
const LATER = 4e12

const file = (path: string, more: Partial<CreateRequest> = {}): CreateRequest => ({
  path,
  blockSizeBytes: KB,
  recursive: true,
  overwrite: false,
  writeType: 'MUST_CACHE',
  ...more,
})

/** Creates and completes a file of so many bytes, with its blocks on worker 1. */
async function write(
  world: World,
  path: string,
  length: number,
  caller: Caller = ROOT,
  fingerprint?: string,
) {
  const { inode } = await world.namespace.create(file(path), caller)
  const fileId = inode.record.id
  for (let i = 0; i * KB < length; i++) world.blocks.add(W1, blockIdOf(fileId, i), 0)
  const request = {
    path,
    fileId,
    length,
    persistAsync: false,
    ...(fingerprint === undefined ? {} : { fingerprint }),
  }
  await world.namespace.complete(request, caller)
  return fileId
}

function command(n: number): Uint8Array {
  return new Uint8Array(16).fill(n)
}

function drops(world: World): number[] {
  const bytes = Buffer.from(world.blocks.takeDrops(W1))
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(i * 8))
}

const loaded = (name: string, fingerprint: string, length = 10): LoadedEntry => ({
  name,
  directory: false,
  length,
  modifiedMs: 5,
  fingerprint,
})

describe('names', () => {
  const names = [
    'a b',
    '%2F#?&',
    'ünïcode',
    '\u{1f600}',
    'x'.repeat(255),
    'é'.repeat(127),
    '\u0001\u007f',
    '..a',
    '\'"`',
  ]

  test('of every kind are created, found, listed in byte order, renamed and deleted', async () => {
    const world = await makeWorld({}, fastRuntime())
    for (const name of names) await world.namespace.create(file(`/d/${name}`, { complete: true }), ROOT)
    const { page } = await world.namespace.list('/d', ROOT, { limit: 100 })
    const listed = readEntries(page).map((entry) => entry.name)
    expect(listed).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    for (const name of names) {
      expect((await world.namespace.status(`/d/${name}`, ROOT)).name).toBe(name)
      await world.namespace.rename({ src: `/d/${name}`, dst: `/${name}` }, ROOT)
      await world.namespace.delete({ path: `/${name}`, recursive: false }, ROOT)
    }
    expect(await world.namespace.contentSummary('/', ROOT)).toMatchObject({ files: 0, directories: 1 })
  })

  test('a directory of 5,000 files pages with a cursor, counts in constant time and goes in one step', async () => {
    const world = await makeWorld({}, fastRuntime())
    const entries = Array.from({ length: 5000 }, (_, i) =>
      loaded(`part-${String(i).padStart(6, '0')}`, 'e', 7),
    )
    await world.namespace.mkdir({ path: '/big', recursive: false, allowExists: false }, ROOT)
    await world.namespace.load({ path: '/big', entries, blockSizeBytes: KB, coverage: 'all', listedMs: 1 })
    expect(await world.namespace.contentSummary('/', ROOT)).toMatchObject({ files: 5000, bytes: 35_000 })
    let count = 0
    let cursor: string | undefined
    do {
      const page = await world.namespace.list('/big', ROOT, { limit: 1000, cursor })
      count += readEntries(page.page).length
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(count).toBe(5000)
    const gone = await world.namespace.delete({ path: '/big', recursive: true }, ROOT)
    expect(gone).toMatchObject({ files: 5000, directories: 1 })
    expect(world.namespace.totals()).toMatchObject({ files: 0, directories: 0, bytes: 0 })
    let steps = 0
    while (await world.namespace.reclaim(1000)) steps++
    expect(steps).toBeGreaterThanOrEqual(5)
    expect(world.store.stats().entries).toBeLessThan(60)
  })

  test('a path of 200 names', async () => {
    const world = await makeWorld({}, fastRuntime())
    const path = `/${Array.from({ length: 200 }, (_, i) => `d${i}`).join('/')}`
    await world.namespace.mkdir({ path, recursive: true, allowExists: false }, ROOT)
    await world.namespace.create(file(`${path}/f`, { complete: true }), ROOT)
    expect(await world.namespace.contentSummary('/d0', ROOT)).toMatchObject({ files: 1, directories: 199 })
    await world.restart()
    expect((await world.namespace.status(`${path}/f`, ROOT)).name).toBe('f')
  })
})

describe('command ids', () => {
  test('a repeat returns the first outcome, also after a restart, and acts once', async () => {
    const world = await makeWorld({}, fastRuntime())
    const request = file('/f', { commandId: command(1) })
    const first = await world.namespace.create(request, ROOT)
    const again = await world.namespace.create(request, ROOT)
    expect(again.inode.record.id).toBe(first.inode.record.id)
    await world.namespace.mkdir(
      { path: '/d', recursive: false, allowExists: false, commandId: command(2) },
      ROOT,
    )
    await world.namespace.rename({ src: '/f', dst: '/g', commandId: command(3) }, ROOT)
    await world.restart()
    expect((await world.namespace.create(request, ROOT)).inode).toMatchObject({ path: '/g' })
    await world.namespace.mkdir(
      { path: '/d', recursive: false, allowExists: false, commandId: command(2) },
      ROOT,
    )
    await world.namespace.rename({ src: '/f', dst: '/g', commandId: command(3) }, ROOT)
    await world.namespace.delete({ path: '/g', recursive: false, commandId: command(4) }, ROOT)
    await world.namespace.create(file('/g', { complete: true }), ROOT)
    const repeated = await world.namespace.delete(
      { path: '/g', recursive: false, commandId: command(4) },
      ROOT,
    )
    expect(repeated.inode).toBeUndefined()
    expect(world.namespace.inode('/g')).toBeDefined()
    await expect(
      world.namespace.create(file('/d', { commandId: new Uint8Array(3) }), ROOT),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test('a repeat in the same turn waits with the first', async () => {
    const world = await makeWorld({}, fastRuntime())
    const request = file('/f', { complete: true, commandId: command(9) })
    const [a, b] = await Promise.all([
      world.namespace.create(request, ROOT),
      world.namespace.create(request, ROOT),
    ])
    expect(b.inode.record.id).toBe(a.inode.record.id)
    expect(world.namespace.totals().files).toBe(1)
  })

  test('are forgotten beyond their number, oldest first, and their records with them', async () => {
    const world = await makeWorld({ maxCommands: 50 }, fastRuntime())
    const id = (i: number) => new Uint8Array(new Float64Array([i + 0.5, i * 7]).buffer)
    for (let i = 0; i < 200; i++) {
      await world.namespace.create(file(`/f${i}`, { complete: true, commandId: id(i) }), ROOT)
    }
    const records = [...world.store.range('command', { start: Buffer.from([0]), end: Buffer.alloc(7, 0xff) })]
    expect(records.length).toBeLessThanOrEqual(51)
    const known = await world.namespace.create(file('/f199', { complete: true, commandId: id(199) }), ROOT)
    expect(known.inode.path).toBe('/f199')
    await expect(
      world.namespace.create(file('/f0', { complete: true, commandId: id(0) }), ROOT),
    ).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
  })
})

describe('reads', () => {
  test('what rests on a batch that is not durable waits for it; what does not, answers at once', async () => {
    const world = await makeWorld()
    await world.namespace.create(file('/old', { complete: true }), ROOT)
    const creating = world.namespace.create(file('/new', { complete: true }), ROOT)
    const fresh = world.namespace.status('/new', ROOT)
    expect(fresh).toBeInstanceOf(Promise)
    expect(world.namespace.status('/old', ROOT)).not.toBeInstanceOf(Promise)
    const listed = world.namespace.list('/', ROOT, { limit: 10 })
    expect(listed).toBeInstanceOf(Promise)
    await creating
    expect((await fresh).name).toBe('new')
    expect(world.namespace.list('/', ROOT, { limit: 10 })).not.toBeInstanceOf(Promise)
    const deleting = world.namespace.delete({ path: '/old', recursive: false }, ROOT)
    const missing = world.namespace.status('/old', ROOT)
    expect(missing).toBeInstanceOf(Promise)
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await deleting
    expect(() => world.namespace.status('/old', ROOT)).toThrow(/does not exist/)
  })

  test('a page is served again from memory until anything in it changes', async () => {
    const world = await makeWorld({}, fastRuntime())
    const id = await write(world, '/d/f', 2 * KB)
    const list = async () => readEntries((await world.namespace.list('/d', ROOT, { limit: 10 })).page)
    const raw = async () => (await world.namespace.list('/d', ROOT, { limit: 10 })).page
    expect((await list())[0]).toMatchObject({ name: 'f', cachedBytes: 2 * KB, inMemoryBytes: 2 * KB })
    expect(await raw()).toBe(await raw())
    world.blocks.remove(W1, blockIdOf(id, 0))
    world.blocks.add(W1, blockIdOf(id, 1), 1)
    expect((await list())[0]).toMatchObject({ cachedBytes: KB, inMemoryBytes: 0 })
    await world.namespace.create(file('/d/g', { complete: true }), ROOT)
    expect((await list()).map((entry) => entry.name)).toEqual(['f', 'g'])
    await world.namespace.setAttribute({ path: '/d/f', recursive: false, mode: 0o600 }, ROOT)
    expect((await list())[0]?.record.mode).toBe(0o600)
    await world.namespace.rename({ src: '/d/g', dst: '/h' }, ROOT)
    expect((await list()).map((entry) => entry.name)).toEqual(['f'])
  })

  test('open refuses directories, incomplete files and readers without the right', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.create(file('/d/f', { mode: 0o600 }), ROOT)
    expect(() => world.namespace.open('/d', ROOT)).toThrow(
      expect.objectContaining({ code: 'IS_A_DIRECTORY' }),
    )
    expect(() => world.namespace.open('/d/f', ROOT)).toThrow(
      expect.objectContaining({ reason: 'INCOMPLETE' }),
    )
    expect(() => world.namespace.open('/d/f', ALICE)).toThrow(
      expect.objectContaining({ code: 'PERMISSION_DENIED' }),
    )
  })
})

describe('cached bytes', () => {
  test('of subtrees follow blocks, renames, deletes and lost workers', async () => {
    const world = await makeWorld({}, fastRuntime())
    const a = await write(world, '/x/a/f', 3 * KB)
    await write(world, '/x/b/g', KB)
    const summary = async (path: string) => (await world.namespace.contentSummary(path, ROOT)).cachedBytes
    expect(await summary('/x')).toBe(4 * KB)
    await world.namespace.rename({ src: '/x/a', dst: '/y' }, ROOT)
    expect([await summary('/x'), await summary('/y'), await summary('/')]).toEqual([KB, 3 * KB, 4 * KB])
    await world.namespace.rename({ src: '/x/b/g', dst: '/y/g' }, ROOT)
    expect([await summary('/x'), await summary('/y')]).toEqual([0, 4 * KB])
    world.blocks.remove(W1, blockIdOf(a, 2))
    expect(await summary('/y')).toBe(3 * KB)
    await world.namespace.delete({ path: '/y/g', recursive: false }, ROOT)
    expect(await summary('/')).toBe(2 * KB)
    world.blocks.workerLost(W1)
    expect([await summary('/'), await summary('/y')]).toEqual([0, 0])
  })

  test('blocks of deleted, overwritten and unknown files are dropped, once the deletion is durable', async () => {
    const world = await makeWorld()
    const id = await write(world, '/f', 2 * KB)
    const deleting = world.namespace.delete({ path: '/f', recursive: false }, ROOT)
    world.namespace.totals()
    expect(drops(world)).toEqual([])
    await deleting
    expect(drops(world).sort()).toEqual([blockIdOf(id, 0), blockIdOf(id, 1)])
    const old = await write(world, '/g', KB)
    await world.namespace.create(file('/g', { overwrite: true, complete: true }), ROOT)
    expect(drops(world)).toEqual([blockIdOf(old, 0)])
    world.blocks.add(W1, blockIdOf(id, 5), 0)
    world.namespace.settleUsage()
    expect(drops(world)).toEqual([blockIdOf(id, 5)])
    const future = blockIdOf(900_000 as FileId, 0)
    world.blocks.add(W1, future, 0)
    world.namespace.settleUsage()
    expect(drops(world)).toEqual([])
    expect(world.blocks.locations(future as BlockId)).toHaveLength(1)
  })
})

describe('attributes', () => {
  test('only the owner changes the mode, only the superuser the owner, only members the group', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.setAttribute({ path: '/', recursive: false, mode: 0o777 }, ROOT)
    await world.namespace.create(file('/f', { complete: true }), ALICE)
    const set = (fields: object, caller: Caller) =>
      world.namespace.setAttribute({ path: '/f', recursive: false, ...fields }, caller)
    await expect(set({ mode: 0o777 }, BOB)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(set({ owner: 'alice2' }, ALICE)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(set({ group: 'dev' }, ALICE)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(set({ pinned: true }, BOB)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(await set({ mode: 0o640, group: 'staff' }, ALICE)).toEqual({ changed: 1 })
    expect(await set({ mode: 0o640 }, ALICE)).toEqual({ changed: 0 })
    expect(await set({ owner: 'bob', group: 'dev' }, { user: 'carl', groups: ['supergroup'] })).toEqual({
      changed: 1,
    })
    expect((await world.namespace.status('/f', ROOT)).record).toMatchObject({
      owner: 'bob',
      group: 'dev',
      mode: 0o640,
    })
    await expect(set({ mode: 0o10000 }, ROOT)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(set({ replicationMin: 5, replicationMax: 2 }, ROOT)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect(set({ xattr: { big: new Uint8Array(70_000) } }, ROOT)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test('recursive changes reach everything, pins always do and are inherited', async () => {
    const world = await makeWorld({}, fastRuntime())
    for (let i = 0; i < 30; i++)
      await world.namespace.create(file(`/d/e${i % 3}/f${i}`, { complete: true }), ROOT)
    expect(await world.namespace.setAttribute({ path: '/d', recursive: true, mode: 0o700 }, ROOT)).toEqual({
      changed: 34,
    })
    await world.namespace.setAttribute({ path: '/d', recursive: false, pinned: true, media: ['MEM'] }, ROOT)
    expect([...world.namespace.pins()]).toHaveLength(30)
    const { inode } = await world.namespace.create(file('/d/e0/new', { complete: true }), ROOT)
    expect(inode.record.flags & FLAG_PINNED).toBe(FLAG_PINNED)
    expect([...world.namespace.pins()].find((pin) => pin.fileId === inode.record.id)?.media).toEqual(['MEM'])
    await world.restart()
    const version = world.namespace.pinsVersion
    expect([...world.namespace.pins()]).toHaveLength(31)
    expect(world.namespace.inodeById(inode.record.id)?.path).toBe('/d/e0/new')
    await world.namespace.setAttribute({ path: '/d', recursive: false, pinned: false }, ROOT)
    expect([...world.namespace.pins()]).toEqual([])
    expect(world.namespace.pinsVersion).not.toBe(version)
  })

  test('extended attributes are set one by one and taken away', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.create(file('/f', { complete: true }), ROOT)
    const set = (xattr: Record<string, Uint8Array | null>) =>
      world.namespace.setAttribute({ path: '/f', recursive: false, xattr }, ROOT)
    const names = async () => Object.keys((await world.namespace.status('/f', ROOT)).record.tail.xattr ?? {})
    await set({ a: Buffer.from('1'), b: Buffer.from('2') })
    await set({ a: null, c: Buffer.from('3') })
    expect(await names()).toEqual(['b', 'c'])
    await set({ b: null, c: null, ['__proto__']: Buffer.from('x') })
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('times to live end in order, move with a change and go with the file', async () => {
    let now = 1_000
    const world = await makeWorld({}, { ...fastRuntime(), now: () => now })
    await world.namespace.create(file('/a', { complete: true, ttlMs: 100 }), ROOT)
    await world.namespace.create(file('/b', { complete: true, ttlMs: 50, ttlAction: 'FREE' }), ROOT)
    await world.namespace.mkdir({ path: '/c', recursive: false, allowExists: false, ttlMs: 80 }, ROOT)
    await world.namespace.create(file('/d', { complete: true }), ROOT)
    const expired = (ms: number) => world.namespace.expired(ms, 10).map((e) => `${e.inode.path} ${e.action}`)
    expect(expired(now)).toEqual([])
    expect(expired(now + 90)).toEqual(['/b FREE', '/c DELETE'])
    await world.namespace.setAttribute({ path: '/b', recursive: false, ttlMs: -1 }, ROOT)
    await world.namespace.rename({ src: '/a', dst: '/c/a' }, ROOT)
    await world.namespace.setAttribute({ path: '/d', recursive: false, ttlMs: 0 }, ROOT)
    now += 200
    await world.restart()
    expect(expired(now)).toEqual(['/d DELETE', '/c DELETE', '/c/a DELETE'])
    await world.namespace.evict('/c')
    expect(expired(now)).toEqual(['/d DELETE'])
    await world.namespace.reclaim()
    expect([
      ...world.store.range('ttl', { start: Buffer.from([0]), end: Buffer.alloc(13, 0xff) }),
    ]).toHaveLength(1)
  })
})

describe('persistence', () => {
  test('goes from the queue to persisted, through a restart, once', async () => {
    const world = await makeWorld({}, fastRuntime())
    const id = await write(world, '/a/b/f', KB)
    await world.namespace.create(file('/a/empty', { complete: true, persistAsync: true }), ROOT)
    expect(await world.namespace.persist({ path: '/a/b/f' }, ROOT)).toEqual({ queued: true })
    expect(await world.namespace.persist({ path: '/a/b/f' }, ROOT)).toEqual({ queued: true })
    await world.restart()
    expect(world.namespace.persistQueue().map((task) => task.path)).toEqual(['/a/b/f', '/a/empty'])
    expect(world.namespace.persistQueue({ after: id }).map((task) => task.path)).toEqual(['/a/empty'])
    expect(await world.namespace.persisted(id, 'etag-1')).toBe(true)
    expect(world.namespace.persistQueue().map((task) => task.path)).toEqual(['/a/empty'])
    const { record } = await world.namespace.status('/a/b/f', ROOT)
    expect([record.persistence, record.tail.fp]).toEqual(['PERSISTED', 'etag-1'])
    expect((await world.namespace.status('/a', ROOT)).record.persistence).toBe('PERSISTED')
    expect(await world.namespace.persist({ path: '/a/b/f' }, ROOT)).toEqual({ queued: false })
    await world.namespace.delete({ path: '/a/empty', recursive: false }, ROOT)
    expect(world.namespace.persistQueue()).toEqual([])
    expect(await world.namespace.persisted(123_456 as FileId, 'x')).toBe(false)
  })

  test('what is incomplete or lost is not queued', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.create(file('/f'), ROOT)
    await expect(world.namespace.persist({ path: '/f' }, ROOT)).rejects.toMatchObject({
      reason: 'INCOMPLETE',
    })
    const id = await write(world, '/g', KB)
    expect(await world.namespace.markLost(id)).toBe(true)
    await expect(world.namespace.persist({ path: '/g' }, ROOT)).rejects.toMatchObject({ reason: 'LOST' })
    await expect(world.namespace.persist({ path: '/' }, ROOT)).rejects.toMatchObject({
      code: 'IS_A_DIRECTORY',
    })
  })

  test('two writers of one path: the second is refused; an overwritten one learns it when it completes', async () => {
    const world = await makeWorld({}, fastRuntime())
    const first = await world.namespace.create(file('/f'), ROOT)
    await expect(world.namespace.create(file('/f'), ROOT)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    const second = await world.namespace.create(file('/f', { overwrite: true }), ROOT)
    const done = (fileId: FileId) =>
      world.namespace.complete({ path: '/f', fileId, length: 5, persistAsync: false }, ROOT)
    await expect(done(first.inode.record.id)).rejects.toMatchObject({ reason: 'FILE_GONE' })
    await world.namespace.rename({ src: '/f', dst: '/renamed' }, ROOT)
    expect((await done(second.inode.record.id)).inode.path).toBe('/renamed')
    await expect(done(second.inode.record.id)).rejects.toMatchObject({ reason: 'COMPLETED' })
  })
})

describe('children of an under-store', () => {
  const load = (world: World, entries: LoadedEntry[], listedMs = LATER) =>
    world.namespace.load({ path: '/m', entries, blockSizeBytes: KB, coverage: 'all', listedMs })

  test('come, change and vanish with it, idempotently', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.mkdir({ path: '/m', recursive: false, allowExists: false, persisted: true }, ROOT)
    const entries = [loaded('a', '1'), loaded('b', '1'), { ...loaded('sub', ''), directory: true, length: 0 }]
    expect(await load(world, entries)).toMatchObject({ added: 3, updated: 0, removed: 0 })
    expect(await load(world, entries)).toMatchObject({ added: 0, updated: 0, removed: 0, changedFiles: [] })
    const inode = await world.namespace.status('/m', ROOT)
    expect(inode.record.flags & FLAG_CHILDREN_LOADED).toBe(FLAG_CHILDREN_LOADED)
    const a = await world.namespace.status('/m/a', ROOT)
    expect(a.record).toMatchObject({ length: 10, persistence: 'PERSISTED', modifiedMs: 5, owner: 'root' })
    world.blocks.add(W1, blockIdOf(a.record.id, 0), 0)
    world.namespace.settleUsage()
    const changed = await load(world, [loaded('a', '2', 20), entries[2]!])
    expect(changed).toMatchObject({ added: 0, updated: 1, removed: 1 })
    expect(changed.changedFiles).toContain(a.record.id)
    expect(drops(world)).toEqual([blockIdOf(a.record.id, 0)])
    const after = await world.namespace.status('/m/a', ROOT)
    expect(after.record).toMatchObject({ length: 20 })
    expect(after.record.id).not.toBe(a.record.id)
    expect(await world.namespace.contentSummary('/m', ROOT)).toMatchObject({
      files: 1,
      directories: 1,
      bytes: 20,
      cachedBytes: 0,
    })
    expect(world.namespace.inode('/m/b')).toBeUndefined()
  })

  test('leave alone what was written here and what an old listing could not know', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.mkdir({ path: '/m', recursive: false, allowExists: false, persisted: true }, ROOT)
    await write(world, '/m/mine', KB)
    const listedMs = 1
    await write(world, '/m/through', KB, ROOT, 'etag')
    expect(await load(world, [], listedMs)).toMatchObject({ removed: 0 })
    expect(await load(world, [loaded('mine', 'theirs')])).toMatchObject({ updated: 0, removed: 1 })
    expect((await world.namespace.status('/m/mine', ROOT)).record.length).toBe(KB)
    expect(world.namespace.inode('/m/through')).toBeUndefined()
  })

  test('names that cannot be shown are left out; pages end with loadEnd', async () => {
    const world = await makeWorld({}, fastRuntime())
    await world.namespace.mkdir({ path: '/m', recursive: false, allowExists: false, persisted: true }, ROOT)
    const bad = ['', '.', '..', 'a/b', 'x'.repeat(256), 'nul\0'].map((name) => loaded(name, '1'))
    const some = { path: '/m', blockSizeBytes: KB, coverage: 'some' as const, listedMs: LATER }
    expect(await world.namespace.load({ ...some, entries: [...bad, loaded('ok', '1')] })).toMatchObject({
      added: 1,
    })
    expect(await world.namespace.load({ ...some, entries: [loaded('ok2', '1')] })).toMatchObject({ added: 1 })
    const end = await world.namespace.loadEnd({ path: '/m', names: new Set(['ok2']), listedMs: LATER })
    expect(end).toMatchObject({ removed: 1 })
    expect(world.namespace.inode('/m/ok2')).toBeDefined()
    await world.namespace.markStale('/m/ok2', true)
    expect(world.namespace.inode('/m/ok2')!.record.flags & FLAG_STALE).toBe(FLAG_STALE)
    await world.namespace.load({ ...some, entries: [loaded('ok2', '1')] })
    expect(world.namespace.inode('/m/ok2')!.record.flags & FLAG_STALE).toBe(0)
    expect(world.namespace.syncedMs(world.namespace.inode('/m/ok2')!)).toBeGreaterThan(0)
  })
})

test('mounts resolve to the longest mount point and survive a restart', async () => {
  const world = await makeWorld({}, fastRuntime())
  await world.namespace.mounts.add(
    { path: '/s3', uri: 's3://bucket/x', readOnly: true, shared: true, options: { k: 'env:K' } },
    ROOT,
  )
  await world.namespace.mounts.add(
    { path: '/s3/nested', uri: 's3://other', readOnly: false, shared: false, options: {} },
    ROOT,
  )
  const version = world.namespace.mounts.version
  await world.namespace.mounts.update(
    { path: '/s3/nested', readOnly: true, shared: false, options: { a: 'b' } },
    ROOT,
  )
  expect(world.namespace.mounts.version).toBeGreaterThan(version)
  await world.restart()
  const { resolve } = world.namespace
  const at = (path: string) => {
    const { mount, path: rest } = resolve.call(world.namespace, path)
    return `${mount.uri} ${rest}`
  }
  expect([at('/'), at('/s3'), at('/s3/a/b'), at('/s3/nested/c'), at('/s3x/y')]).toEqual([
    'file:///under ',
    's3://bucket/x ',
    's3://bucket/x a/b',
    's3://other c',
    'file:///under s3x/y',
  ])
  expect(world.namespace.mounts.all().map((mount) => mount.options)).toEqual([{}, { k: 'env:K' }, { a: 'b' }])
  await expect(world.namespace.create(file('/s3/f'), ROOT)).rejects.toMatchObject({
    reason: 'READ_ONLY_MOUNT',
  })
  await expect(world.namespace.mounts.remove({ path: '/s3' }, ROOT)).rejects.toMatchObject({
    reason: 'NESTED_MOUNT',
  })
  await world.namespace.mounts.remove({ path: '/s3/nested' }, ROOT)
  await world.namespace.mounts.remove({ path: '/s3' }, ROOT)
  expect(world.namespace.inode('/s3')).toBeUndefined()
})

test('a nearly full disk refuses changes and leaves the tree as it was', async () => {
  const world = await makeWorld()
  const { runtime, advance } = steppedClock()
  const stepped = await makeWorld({}, runtime)
  advance(10_000)
  stepped.disk.freeBytes = 0
  await expect(stepped.namespace.create(file('/a/b'), ROOT)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
  })
  expect(stepped.namespace.inode('/a')).toBeUndefined()
  expect(stepped.namespace.totals()).toMatchObject({ files: 0, directories: 0 })
  stepped.disk.freeBytes = 1e9
  advance(10_000)
  await stepped.namespace.create(file('/a/b'), ROOT)
  expect(stepped.namespace.totals()).toMatchObject({ files: 1, directories: 1 })
  await world.store.close()
})

function steppedClock() {
  const fast = fastRuntime()
  let now = 0
  return {
    runtime: { ...fast, monotonic: () => now },
    advance: (ms: number) => {
      now += ms
    },
  }
}
