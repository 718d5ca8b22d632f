/** Syncs of whole subtrees against stores that list in every way there is, beside writers of this cluster and of others. */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { makeWorld, ROOT } from '../../../../../test/support/namespace.ts'
import {
  AlluxioError,
  type FileId,
  FLAG_STALE,
  Metrics,
  parentPath,
  type Runtime,
  silentLog,
  systemRuntime,
} from '../../../../core/index.ts'
import type { Namespace } from '../../../../namespace/index.ts'
import {
  compareUtf8,
  MemoryStore,
  MemoryTree,
  type UfsCapabilities,
  type UfsListOptions,
  type UfsPage,
  type UnderStore,
} from '../../../../ufs/index.ts'
import { Looks } from '../looks.ts'
import { MetadataLoader } from '../metadata-loader.ts'
import { PathLocks } from '../path-locks.ts'
import { SyncJobs, SyncTimes } from './index.ts'

const BLOCK = 1024

/** How a store lists: as one with directories does, as one of keys does, or in no order. */
type Kind = 'directories' | 'keys' | 'shuffled'

/** Lists all descendants in the order of keys, by position, as an object store does: what comes meanwhile may be on a later page. */
async function keyPage(
  memory: UnderStore,
  path: string,
  options: UfsListOptions,
  pageSize: number,
): Promise<UfsPage> {
  const { entries } = await memory.list(path, { recursive: options.recursive === true, limit: 1e9 })
  const placed = entries
    .filter(
      (entry) =>
        !entry.directory ||
        options.recursive !== true ||
        entries.some(({ directory, path: at }) => !directory && at.startsWith(`${entry.path}/`)),
    )
    .map((entry) => ({ entry, key: entry.directory ? `${entry.path}/` : entry.path }))
    .sort((a, b) => compareUtf8(a.key, b.key))
    .filter(({ key }) => options.cursor === undefined || compareUtf8(key, options.cursor) > 0)
  const page = placed.slice(0, pageSize)
  const more = placed.length > page.length
  return { entries: page.map(({ entry }) => entry), ...(more ? { cursor: page.at(-1)!.key } : {}) }
}

async function worldOf(kind: Kind, pageSize = 3) {
  const clock = { ms: 1_700_000_000_000 }
  const runtime: Runtime = { ...systemRuntime, now: () => clock.ms++, monotonic: () => clock.ms }
  const memory = new MemoryStore({}, { runtime, tree: new MemoryTree() })
  const calls = { list: 0, status: 0 }
  const hooks: {
    onList: (call: number) => Promise<void>
    /** The store has answered; the answer is on its way. */
    onListed: (page: UfsPage) => Promise<void>
    /** The store was asked to list what it does not have. */
    onMissed: () => Promise<void>
  } = { onList: async () => {}, onListed: async () => {}, onMissed: async () => {} }
  const objects: Partial<UfsCapabilities> =
    kind === 'directories' ? {} : { directories: false, orderedList: false }
  const store: UnderStore = Object.assign(Object.create(memory) as UnderStore, {
    capabilities: { ...memory.capabilities, ...objects },
    status: (path: string) => {
      calls.status++
      return memory.status(path)
    },
    list: async (path: string, options: UfsListOptions = {}) => {
      calls.list++
      await hooks.onList(calls.list)
      const page = await listed(path, options).catch(async (error: unknown) => {
        await hooks.onMissed()
        throw error
      })
      await hooks.onListed(page)
      return page
    },
  })
  const listed = async (path: string, options: UfsListOptions): Promise<UfsPage> => {
    if (kind === 'directories') return memory.list(path, { ...options, limit: pageSize })
    const exists = await memory.status(path).catch(() => undefined)
    if (exists === undefined) return { entries: [] }
    if (kind === 'keys') return keyPage(memory, path, options, pageSize)
    const page = await memory.list(path, { recursive: options.recursive === true, limit: 1e9 })
    return { entries: [...page.entries].reverse() }
  }
  const put = async (path: string, text = path) => {
    const writer = await memory.create(path)
    await writer.write(Buffer.from(text))
    return writer.close()
  }
  const world = await makeWorld({}, runtime)
  const { namespace } = world
  const locks = new PathLocks()
  const looks = new Looks()
  const times = new SyncTimes({ runtime })
  const stores = { get: async () => store }
  let freed = 0
  const loader = {
    find: (path: string) => find(path),
    refresh: () => false as const,
  }
  const find = async (path: string) => {
    const name = path.slice(1)
    const status = await memory.status(name).catch(() => undefined)
    if (status === undefined || name.includes('/')) return false
    await namespace.load({
      path: '/',
      entries: [{ ...status, name }],
      blockSizeBytes: BLOCK,
      coverage: 'some',
      listedMs: runtime.now(),
    })
    return true
  }
  /** The one that answers clients. */
  const checks = new MetadataLoader(
    { blockSizeBytes: BLOCK, absentMs: 0 },
    {
      namespace,
      stores: stores as never,
      runtime,
      log: silentLog,
      metrics: new Metrics(),
      busy: () => false,
      locks,
      looks,
    },
  )
  const jobs = new SyncJobs(
    { blockSizeBytes: BLOCK },
    {
      namespace,
      stores,
      loader,
      locks,
      looks,
      times,
      busy: () => false,
      onFreed: () => {
        freed++
      },
      runtime,
      log: silentLog,
      metrics: new Metrics(),
    },
  )
  const sync = (path = '/', more: { recursive?: boolean; force?: boolean; dry?: boolean } = {}) =>
    jobs.run({ path, recursive: true, force: true, dry: false, ...more })
  /** What is shown below a path, without asking the store. */
  const shown = (path = '/') =>
    namespace
      .walk(path, { limit: 1e6 })
      .inodes.filter((inode) => inode.path !== path)
      .map(({ path: at, record }) => (record.directory ? `${at}/` : `${at}=${record.length}`))
      .sort()
  const stored = async () =>
    (await memory.list('', { recursive: true, limit: 1e9 })).entries
      .map(({ path, directory, length }) => (directory ? `/${path}/` : `/${path}=${length}`))
      .sort()
  const world2 = {
    memory,
    put,
    calls,
    hooks,
    locks,
    checks,
    times,
    jobs,
    sync,
    shown,
    stored,
    clock,
    namespace,
  }
  return { ...world2, records: world.store, freedTimes: () => freed }
}

/** Writes a file here: its bytes are nowhere else yet. */
async function written(namespace: Namespace, path: string, length = 7): Promise<FileId> {
  const request = { path, blockSizeBytes: BLOCK, recursive: true, overwrite: false, writeType: 'MUST_CACHE' }
  const { inode } = await namespace.create(request, ROOT)
  const fileId = inode.record.id
  await namespace.complete({ path, fileId, length, persistAsync: false }, ROOT)
  return fileId
}

const KINDS: Kind[] = ['directories', 'keys', 'shuffled']
const AWKWARD = ['a/x', 'a-b', 'a!/y', 'a!b', 'a0', 'b/c/d/e', 'b/c!', 'é/ü', '\u{1f680}/1', '\uffff/2']

test('a directory that comes between two looks at it is synced', async () => {
  const { put, memory, sync, shown, stored, hooks } = await worldOf('directories')
  await put('d/e/f')
  await sync()
  await memory.delete('d/e', { recursive: true })
  let late = false
  hooks.onMissed = async () => {
    if (late) return
    late = true
    await put('d/e/g')
  }
  await sync('/d/e')
  expect(late).toBe(true)
  expect(shown()).toEqual(await stored())
})

describe.each(KINDS)('a store that lists by %s', (kind) => {
  test('is shown whole, also names that sort around a slash', async () => {
    const { put, sync, shown, stored } = await worldOf(kind)
    for (const path of AWKWARD) await put(path)
    const { added, entries } = await sync()
    expect(shown()).toEqual(await stored())
    expect(added).toBe(entries)
  })

  test('a second sync that finds nothing new writes nothing', async () => {
    const { put, sync, records } = await worldOf(kind)
    for (const path of AWKWARD) await put(path)
    await sync()
    await records.durable()
    const before = records.version
    const { added, updated, removed, entries } = await sync()
    expect({ added, updated, removed }).toEqual({ added: 0, updated: 0, removed: 0 })
    expect(entries).toBeGreaterThan(AWKWARD.length)
    await records.durable()
    expect(records.version).toBe(before)
  })

  test('what changed, came and went there does so here, and its blocks are freed', async () => {
    const { put, memory, sync, shown, stored, freedTimes } = await worldOf(kind)
    for (let i = 0; i < 12; i++) await put(`d${i % 3}/f${i}`)
    await sync()
    await put('d0/f0', 'longer than before')
    await put('d1/new/deep', 'x')
    await memory.delete('d2', { recursive: true })
    const { added, updated, removed } = await sync()
    expect(shown()).toEqual(await stored())
    expect({ added, updated, removed }).toEqual({ added: 2, updated: 1, removed: 5 })
    expect(freedTimes()).toBeGreaterThan(0)
  })

  test('what a client has seen later is not undone by a page that was on its way', async () => {
    const { put, memory, sync, shown, stored, hooks, checks, namespace } = await worldOf(kind, 100)
    for (const name of ['gone', 'changed', 'same', 'back']) await put(`d/${name}`)
    await sync()
    await memory.delete('d/back')
    let checked = false
    hooks.onListed = async ({ entries }) => {
      if (checked || !entries.some(({ path }) => path === 'd/gone')) return
      checked = true
      await put('d/changed', 'longer than it was before')
      await memory.delete('d/gone')
      await put('d/back', 'it is there again')
      for (const name of ['changed', 'gone', 'back']) await checks.refresh(`/d/${name}`, 0)
      expect(namespace.inode('/d/gone')).toBeUndefined()
    }
    await put('d/another')
    await sync()
    expect(checked).toBe(true)
    expect(shown()).toEqual(await stored())
  })

  test('a dry run names what differs and changes nothing', async () => {
    const { put, memory, sync, shown, jobs } = await worldOf(kind)
    for (let i = 0; i < 12; i++) await put(`d${i % 3}/f${i}`)
    await sync()
    const before = shown()
    await put('d0/f0', 'longer than before')
    await put('d0/unknown')
    await memory.delete('d1/f4')
    const { id, inconsistent } = await sync('/', { dry: true })
    expect([...jobs.paths(id, 0, 10)].sort()).toEqual(['/d0/f0', '/d1/f4'])
    expect(inconsistent).toBe(2)
    expect(shown()).toEqual(before)
  })

  test('a path that its store has no more goes, what was written there stays', async () => {
    const { put, memory, sync, namespace, shown } = await worldOf(kind)
    await put('d/e/f')
    await put('d/g/h')
    await sync()
    await written(namespace, '/d/g/mine')
    await memory.delete('d', { recursive: true })
    await sync('/d')
    expect(shown()).toEqual(['/d/', '/d/g/', '/d/g/mine=7'])
  })

  test('without force only what was never listed is asked for', async () => {
    const { put, sync, calls, shown } = await worldOf(kind)
    await put('d/e/f')
    await sync('/', { force: false })
    const before = calls.list
    await put('d/e/g')
    await sync('/', { force: false })
    expect(calls.list).toBe(before)
    expect(shown()).toEqual(['/d/', '/d/e/', '/d/e/f=5'])
  })

  test('a store that fails leaves the path as it was, marked stale; the next sync heals it', async () => {
    const { put, sync, hooks, namespace, shown, stored } = await worldOf(kind)
    for (let i = 0; i < 12; i++) await put(`d${i % 3}/f${i}`)
    await sync()
    await put('d0/f0', 'longer than before')
    hooks.onList = async (call) => {
      if (call % 3 !== 0) throw new AlluxioError('UNAVAILABLE', 'the store is away')
    }
    await expect(sync()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(namespace.inode('/')!.record.flags & FLAG_STALE).toBe(FLAG_STALE)
    hooks.onList = async () => {}
    await sync()
    expect(shown()).toEqual(await stored())
    const stale = namespace.walk('/', { limit: 100 }).inodes.filter(({ record }) => record.flags & FLAG_STALE)
    expect(stale.map(({ path }) => path)).toEqual([])
  })

  test('a cancelled sync ends', async () => {
    const { put, jobs, hooks, sync, stored, shown } = await worldOf(kind)
    for (let i = 0; i < 30; i++) await put(`d${i}/f`)
    hooks.onList = async (call) => {
      if (call === 2) for (const { id, endedMs } of jobs.all()) if (endedMs === 0) jobs.cancel(id)
    }
    await expect(sync()).rejects.toMatchObject({ code: 'CANCELLED' })
    hooks.onList = async () => {}
    await sync()
    expect(shown()).toEqual(await stored())
  })
})

test('the same sync asked for twice is one', async () => {
  const { put, jobs, calls } = await worldOf('keys')
  await put('d/f')
  const request = { path: '/', recursive: true, force: true, dry: false }
  const [one, other] = await Promise.all([jobs.run(request), jobs.run(request)])
  expect(one.id).toBe(other.id)
  expect(calls.list).toBe(1)
})

test('of a listing in keys, one call brings each page', async () => {
  const { put, sync, calls } = await worldOf('keys')
  for (let i = 0; i < 30; i++) await put(`f${i}`)
  await sync()
  expect(calls).toEqual({ list: 10, status: 0 })
})

test('the only copy below a directory is not lost where its store has a file of that name', async () => {
  const { put, memory, sync, namespace, shown } = await worldOf('keys', 1000)
  for (let i = 0; i < 1200; i++) await put(`d/f${i}`)
  await sync()
  await written(namespace, '/d/zzz')
  await memory.delete('d', { recursive: true })
  await put('d', 'a file now')
  await sync()
  expect(shown()).toEqual(['/d/', '/d/zzz=7'])
})

test('a change of this cluster under way is left alone', async () => {
  const { put, sync, locks, shown, memory, namespace } = await worldOf('keys')
  await put('d/f')
  await put('d/g')
  await sync()
  const { promise, resolve } = Promise.withResolvers<void>()
  const changing = locks.exclusive(['/d/f'], async () => {
    await memory.delete('d/f')
    await promise
    await namespace.delete({ path: '/d/f', recursive: false }, ROOT)
  })
  await put('d/g', 'changed')
  const { passed, updated, removed } = await sync()
  expect({ passed, updated, removed }).toEqual({ passed: 1, updated: 1, removed: 0 })
  resolve()
  await changing
  expect(shown()).toEqual(['/d/', '/d/g=7'])
})

test('a clock that is an hour off changes nothing', async () => {
  const { put, sync, clock, shown, stored } = await worldOf('keys')
  for (const path of AWKWARD) await put(path)
  await sync()
  for (const hours of [1, -2, 1]) {
    clock.ms += hours * 3_600_000
    const { added, updated, removed } = await sync()
    expect({ added, updated, removed }).toEqual({ added: 0, updated: 0, removed: 0 })
  }
  await put('a-b', 'longer than before')
  clock.ms += 7_200_000
  await sync()
  expect(shown()).toEqual(await stored())
})

// --- random writers, here and there ------------------------------------------------------------------------------------

const place = fc
  .array(fc.constantFrom('a', 'b', 'a-', 'a!', 'c'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/'))
const action = fc.record({
  what: fc.constantFrom('put', 'put', 'put', 'remove', 'removeTree', 'write', 'write', 'persist', 'sync'),
  path: place,
  length: fc.integer({ min: 0, max: 9 }),
  /** Done while the store is asked for this page of the next sync; else at once. */
  atPage: fc.option(fc.integer({ min: 1, max: 6 })),
})

describe.each(KINDS)('beside random writers, a store that lists by %s', (kind) => {
  test('is shown as it is, and nothing that was written here is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const world = await worldOf(kind)
        const { memory, put, namespace, hooks, sync, shown, stored, locks } = world
        /** Files that are only here. */
        const mine = new Map<string, FileId>()
        const run = async ({ what, path, length }: { what: string; path: string; length: number }) => {
          const at = `/${path}`
          if (what === 'put') await put(path, 'x'.repeat(length)).catch(() => {})
          else if (what === 'remove') await memory.delete(path).catch(() => {})
          else if (what === 'removeTree') await memory.delete(path, { recursive: true }).catch(() => {})
          else if (what === 'write') {
            const id = await written(namespace, at, length + 1).catch(() => undefined)
            if (id !== undefined) mine.set(at, id)
          } else if (what === 'persist') {
            const next = [...mine].find(([, id]) => namespace.inodeById(id) !== undefined)
            if (next === undefined) return
            const [file, id] = next
            const text = 'x'.repeat(namespace.inodeById(id)!.record.length)
            const status = await put(file.slice(1), text).catch(() => undefined)
            if (status === undefined) return
            await locks.exclusive([file], () => namespace.persisted(id, status.fingerprint))
            mine.delete(file)
          }
        }
        const later = new Map<number, typeof actions>()
        for (const one of actions) {
          if (one.what === 'sync') {
            let page = 0
            hooks.onList = async () => {
              for (const then of later.get(++page) ?? []) await run(then)
            }
            await sync()
            hooks.onList = async () => {}
            for (const [at, left] of later) if (at > page) for (const then of left) await run(then)
            later.clear()
          } else if (one.atPage === null) await run(one)
          else later.set(one.atPage, [...(later.get(one.atPage) ?? []), one])
          for (const [path, id] of mine) expect(namespace.inode(path)?.record.id).toBe(id)
        }
        await sync()
        expect(shown()).toEqual(expected(kind, await stored(), namespace, mine))
        const { added, updated, removed } = await sync()
        expect({ added, updated, removed }).toEqual({ added: 0, updated: 0, removed: 0 })
      }),
      { numRuns: 60 },
    )
  })
})

/** What is in the store, but where something that is only here stands in its way. */
function expected(
  kind: Kind,
  stored: readonly string[],
  namespace: Namespace,
  mine: ReadonlyMap<string, FileId>,
): string[] {
  const shown = new Set<string>()
  const directories = new Set<string>()
  for (const path of mine.keys())
    for (let at = parentPath(path); at !== '/'; at = parentPath(at)) directories.add(at)
  // A directory that was made for a file that is persisted by now, and lies in one that is not, is in the store.
  for (const { path, record } of namespace.walk('/', { limit: 1e6 }).inodes)
    if (record.directory && record.persistence !== 'PERSISTED') directories.add(path)
  directories.delete('/')
  for (const path of mine.keys()) shown.add(`${path}=${namespace.inode(path)!.record.length}`)
  for (const path of directories) shown.add(`${path}/`)
  for (const entry of stored) {
    const directory = entry.endsWith('/')
    const path = directory ? entry.slice(0, -1) : entry.slice(0, entry.lastIndexOf('='))
    const hidden = [...mine.keys()].some((own) => path === own || path.startsWith(`${own}/`))
    if (hidden || (!directory && directories.has(path))) continue
    if (
      kind === 'keys' &&
      directory &&
      !stored.some((other) => other.startsWith(entry) && !other.endsWith('/'))
    )
      continue
    shown.add(entry)
  }
  return [...shown].sort()
}
