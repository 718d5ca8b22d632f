/** What checks of known files cost in calls to the store, and that what they answer is never older than was asked for. */
import { describe, expect, test } from '@jest/globals'
import { makeWorld } from '../../../../test/support/namespace.ts'
import { Config } from '../../../core/config/index.ts'
import { AlluxioError, Metrics, type Runtime, silentLog, systemRuntime } from '../../../core/index.ts'
import { MemoryStore, MemoryTree, type UnderStore } from '../../../ufs/index.ts'
import { UnderStores } from '../../under-stores.ts'
import { Looks } from './looks.ts'
import { MetadataLoader } from './metadata-loader.ts'
import { PathLocks } from './path-locks.ts'

const MINUTE = 60_000

/** A folder `/d` of so many files in a store that counts its calls, listed once; the clock stands still. */
async function folderOf(files: number) {
  let clock = 1_700_000_000_000
  const runtime: Runtime = { ...systemRuntime, now: () => clock, monotonic: () => clock }
  const calls = { status: 0, list: 0 }
  const memory = new MemoryStore({}, { runtime, tree: new MemoryTree() })
  const put = async (path: string, text: string) => {
    const writer = await memory.create(path)
    await writer.write(Buffer.from(text))
    await writer.close()
  }
  let listing: Promise<unknown> = Promise.resolve()
  const store: UnderStore = Object.assign(Object.create(memory) as UnderStore, {
    status: (path: string, signal?: AbortSignal) => {
      calls.status++
      return memory.status(path, signal)
    },
    list: async (path: string, options?: object) => {
      calls.list++
      const page = await memory.list(path, options)
      await listing
      return page
    },
  })
  await memory.mkdir('d')
  const name = (i: number) => `/d/${String(i).padStart(5, '0')}`
  for (let i = 0; i < files; i++) await put(name(i).slice(1), 'old')
  const { namespace } = await makeWorld({}, runtime)
  const metrics = new Metrics()
  const log = silentLog
  const config = Config.load({ env: {} })
  const stores = new UnderStores({ runtime, log, metrics, config, openStore: async () => store })
  const loader = new MetadataLoader(
    { blockSizeBytes: 1024, absentMs: 1000 },
    {
      namespace,
      stores,
      runtime,
      log,
      metrics,
      busy: () => false,
      locks: new PathLocks(),
      looks: new Looks(),
    },
  )
  await loader.find(name(0))
  await loader.children('/d', true)
  Object.assign(calls, { status: 0, list: 0 })
  return {
    calls,
    put: (i: number, text: string) => put(name(i).slice(1), text),
    remove: (i: number) => memory.delete(name(i).slice(1)),
    pass: (ms: number) => {
      clock += ms
    },
    hold: (until: Promise<unknown>) => {
      listing = until
    },
    refuseListing: () => {
      store.list = async () => {
        calls.list++
        throw new AlluxioError('PERMISSION_DENIED', 'no listing')
      }
    },
    check: (i: number, intervalMs: number) => loader.refresh(name(i), intervalMs),
    length: (i: number) => namespace.inode(name(i))?.record.length,
  }
}

describe('checks of files within an interval', () => {
  test('of a listed folder cost nothing until the interval is over', async () => {
    const folder = await folderOf(3)
    folder.pass(MINUTE / 2)
    expect(folder.check(0, MINUTE)).toBe(false)
    folder.pass(MINUTE)
    expect(await folder.check(0, MINUTE)).toBe(true)
    expect(folder.check(0, MINUTE)).toBe(false)
    expect(folder.calls).toEqual({ status: 1, list: 0 })
  })

  test('1,000 files opened 16 at a time cost one status and one page', async () => {
    const folder = await folderOf(1000)
    folder.pass(2 * MINUTE)
    await folder.put(500, 'longer')
    await folder.remove(5)
    for (let i = 0; i < 992; i += 16)
      await Promise.all(Array.from({ length: 16 }, (_, k) => folder.check(i + k, MINUTE)))
    expect(folder.calls).toEqual({ status: 1, list: 1 })
    expect(folder.length(500)).toBe(6)
    expect(folder.length(5)).toBeUndefined()
    expect(folder.length(502)).toBe(3)
  })

  test('each by itself where a page does not hold the folder, which is tried once an interval', async () => {
    const folder = await folderOf(1001)
    folder.pass(2 * MINUTE)
    for (let i = 0; i < 10; i++) await folder.check(i, MINUTE)
    expect(folder.calls).toEqual({ status: 10, list: 1 })
    folder.pass(2 * MINUTE)
    for (let i = 0; i < 10; i++) await folder.check(i, MINUTE)
    expect(folder.calls).toEqual({ status: 20, list: 2 })
  })

  test('each by itself where listing is forbidden', async () => {
    const folder = await folderOf(20)
    folder.refuseListing()
    folder.pass(2 * MINUTE)
    await folder.put(7, 'longer')
    for (let i = 0; i < 10; i++) await folder.check(i, MINUTE)
    expect(folder.calls).toEqual({ status: 10, list: 1 })
    expect(folder.length(7)).toBe(6)
  })

  test('always (interval 0) is one status each, now', async () => {
    const folder = await folderOf(20)
    for (let i = 0; i < 10; i++) await folder.check(i, 0)
    await folder.put(3, 'longer')
    await folder.check(3, 0)
    expect(folder.length(3)).toBe(6)
    expect(folder.calls).toEqual({ status: 11, list: 0 })
  })

  test('a page that was asked for longer ago than the interval does not serve who comes now', async () => {
    const folder = await folderOf(20)
    folder.pass(2 * MINUTE)
    await folder.check(0, MINUTE)
    const { promise, resolve } = Promise.withResolvers<void>()
    folder.hold(promise)
    const early = folder.check(1, MINUTE)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(folder.calls.list).toBe(1)
    await folder.put(2, 'longer')
    folder.pass(2 * MINUTE)
    const late = folder.check(2, MINUTE)
    resolve()
    await Promise.all([early, late])
    expect(folder.length(2)).toBe(6)
  })
})
