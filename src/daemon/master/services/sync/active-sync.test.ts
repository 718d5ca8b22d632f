/** How often a path is synced by itself, and what a store that tells its changes saves. */
import { expect, test } from '@jest/globals'
import { makeWorld } from '../../../../../test/support/namespace.ts'
import { AlluxioError, Metrics, type Runtime, silentLog, systemRuntime } from '../../../../core/index.ts'
import { MemoryStore, MemoryTree, type UnderStore } from '../../../../ufs/index.ts'
import { Looks } from '../looks.ts'
import { PathLocks } from '../path-locks.ts'
import { ActiveSync, SyncJobs, SyncTimes } from './index.ts'

const LEAST = 1000
const MOST = 8000

async function begin(feed: boolean) {
  const clock = { ms: 1_700_000_000_000 }
  const timers: { atMs: number; run: () => void }[] = []
  const runtime: Runtime = {
    ...systemRuntime,
    now: () => clock.ms,
    monotonic: () => clock.ms,
    after: (ms, run) => {
      const timer = { atMs: clock.ms + ms, run }
      timers.push(timer)
      return () => {
        if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1)
      }
    },
  }
  const memory = new MemoryStore({}, { runtime, tree: new MemoryTree() })
  const calls: string[] = []
  const state = { down: false }
  const store: UnderStore = Object.assign(Object.create(memory) as UnderStore, {
    changes: feed ? memory.changes.bind(memory) : undefined,
    list: (path: string, options?: object) => {
      calls.push(path)
      if (state.down) throw new AlluxioError('UNAVAILABLE', 'away')
      return memory.list(path, options)
    },
  })
  const put = async (path: string) => {
    const writer = await memory.create(path)
    await writer.write(Buffer.from(path))
    await writer.close()
  }
  const { namespace } = await makeWorld()
  const log = silentLog
  const metrics = new Metrics()
  const stores = { get: async () => store }
  const modules = { namespace, stores, runtime, log, metrics }
  const loader = { find: () => false as const, refresh: () => false as const }
  const jobs = new SyncJobs(
    { blockSizeBytes: 1024 },
    {
      ...modules,
      loader,
      locks: new PathLocks(),
      looks: new Looks(),
      times: new SyncTimes({ runtime }),
      busy: () => false,
      onFreed: () => {},
    },
  )
  const active = new ActiveSync({ intervalMs: LEAST, maxIntervalMs: MOST }, { ...modules, jobs })
  await active.add('/')
  active.start()
  /** Lets time pass until the next sync has ended. */
  const next = async () => {
    const before = active.list()[0]!.syncs
    while (active.list()[0]!.syncs === before) {
      timers.sort((a, b) => a.atMs - b.atMs)
      const timer = timers.shift()
      if (timer !== undefined) {
        clock.ms = Math.max(clock.ms, timer.atMs)
        timer.run()
      }
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    return active.list()[0]!
  }
  return { put, next, calls, active, state, namespace }
}

test('seldom while nothing changes, often while something does, seldom again while the store is away', async () => {
  const { put, next, state } = await begin(false)
  await put('d/f')
  expect(await next()).toMatchObject({ intervalMs: LEAST, changes: 2, error: undefined })
  expect((await next()).intervalMs).toBe(1.5 * LEAST)
  for (let i = 0; i < 6; i++) await next()
  expect((await next()).intervalMs).toBe(MOST)
  await put('d/g')
  expect(await next()).toMatchObject({ intervalMs: MOST / 2, changes: 3 })
  state.down = true
  const failed = await next()
  expect(failed).toMatchObject({ intervalMs: MOST, error: expect.stringContaining('away') })
  state.down = false
  expect(await next()).toMatchObject({ error: undefined })
})

test('of a store that tells its changes only directories with changes are listed', async () => {
  const { put, next, calls, namespace } = await begin(true)
  for (const path of ['a/x', 'b/y', 'c/deep/z']) await put(path)
  await next()
  expect(namespace.inode('/c/deep/z')).toBeDefined()
  calls.length = 0
  await next()
  expect(calls).toEqual([])
  await put('b/new')
  await put('c/unknown/far/below')
  await next()
  expect(calls.sort()).toEqual(['b', 'c'])
  expect(namespace.inode('/b/new')).toBeDefined()
  expect(namespace.inode('/c/unknown')).toBeDefined()
})

test('a path below one that is synced is refused', async () => {
  const { active } = await begin(false)
  await expect(active.add('/d')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'SYNCED_ABOVE' })
  expect(await active.add('/')).toBe(false)
})
