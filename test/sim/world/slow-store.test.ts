/** A production cluster on a store that takes minutes over a call, or does not answer: who waits for what, and for how long. */
import { expect, test } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { isAlluxioError, silentLog } from '../../../src/core/index.ts'
import { MemoryStore, MemoryTree } from '../../../src/ufs/index.ts'
import { Kernel } from '../kernel/kernel.ts'
import { Trace } from '../kernel/trace.ts'
import { optionsOf } from '../options.ts'
import { NOTHING } from '../planted.ts'
import { MasterHost, WorkerHost } from './hosts.ts'
import { SimNetwork } from './network.ts'
import { connectClient } from './programs.ts'
import type { StoreServer } from './under-store.ts'

const HOUR_MS = 3_600_000

async function clusterOf(workers: number) {
  const drawn = optionsOf(1)
  const options = {
    ...drawn,
    network: { ...drawn.network, jitterMs: 0, breakEveryMs: null, cutEveryMs: null },
    processes: { ...drawn.processes, clockSkewMs: 0 },
  }
  const kernel = new Kernel({ seed: 1, maxEvents: 3_000_000 }, { trace: new Trace({ keep: 0 }) })
  const network = new SimNetwork(options.network, { kernel })
  const tree = new MemoryTree()
  const { runtime } = kernel.boot('under-store')
  const faults = { delayMs: 1, failure: null as number | null, slow: null as number | null, slowMs: 0 }
  const ufs: StoreServer = {
    store: new MemoryStore({}, { runtime, tree }),
    options: faults,
    rng: kernel.rng('ufs'),
    faulty: true,
  }
  const shared = { kernel, network, ufs, options, plant: NOTHING, logOf: () => silentLog }
  const master = new MasterHost(shared)
  const hosts = Array.from({ length: workers }, (_, i) => new WorkerHost(i, shared))
  master.process.start()
  for (const { process } of hosts) process.start()
  const node = kernel.boot('client')
  let fs!: FileSystem
  /** Does something on the client's host, for at most an hour of its time. */
  const does = async <T>(task: () => Promise<T>): Promise<{ value: T; ms: number }> => {
    const begun = kernel.nowMs
    let outcome: { value?: T; error?: unknown } | undefined
    kernel.schedule(node, 0, 'test', () => {
      task().then(
        (value) => {
          outcome = { value }
        },
        (error: unknown) => {
          outcome = { error }
        },
      )
    })
    expect(await kernel.run(begun + HOUR_MS, () => outcome !== undefined)).toBe(true)
    if (outcome!.error !== undefined) throw outcome!.error
    return { value: outcome!.value as T, ms: kernel.nowMs - begun }
  }
  await does(async () => {
    fs = await connectClient(node, { network, ufs, log: silentLog, options })
    while ((await fs.admin.workers().catch(() => [])).length < workers)
      await new Promise<void>((resolve) => node.runtime.after(100, resolve))
  })
  const written = (path: string) =>
    does(async () => {
      const writer = await fs.create(path, { writeType: 'CACHE_THROUGH' })
      await writer.write(Buffer.from('content'))
      await writer.close()
    })
  return { kernel, fs, faults, tree, does, written, master, hosts }
}

test('a rename and a delete are waited for as long as the store takes', async () => {
  const { fs, faults, does, written } = await clusterOf(1)
  await written('/a')
  Object.assign(faults, { slow: 1, slowMs: 200_000 })
  const renamed = await does(() => fs.rename('/a', '/b'))
  expect(renamed.ms).toBeGreaterThan(2 * 200_000)
  const deleted = await does(() => fs.delete('/b', { recursive: true }).catch((error: unknown) => error))
  // A delete of one file is a short call, and its limit is the store's, not the client's.
  expect(deleted.value).toMatchObject({ code: 'UNAVAILABLE', reason: 'UNSETTLED' })
  expect(deleted.ms).toBeGreaterThan(30_000)
})

test('what is under way is told, also when nobody waits for it', async () => {
  const { kernel, fs, faults, tree, does, written } = await clusterOf(1)
  await written('/a')
  Object.assign(faults, { slow: 1, slowMs: 200_000 })
  void does(() => fs.rename('/a', '/b')).catch(() => {})
  await kernel.run(kernel.nowMs + 1000)
  const { value: changes } = await does(() => fs.admin.storeChanges())
  expect(changes).toMatchObject([{ op: 'rename', paths: ['/a', '/b'], uri: 'mem://root' }])
  await kernel.run(kernel.nowMs + HOUR_MS)
  expect([...tree.root.children.keys()]).toEqual(['b'])
  expect((await does(() => fs.admin.storeChanges())).value).toEqual([])
})

test.each([1, 3])(
  'a cold read of a store that is down fails within one retry window (%i workers)',
  async (workers) => {
    const { kernel, fs, faults, does, written } = await clusterOf(workers)
    await written('/a')
    await does(() => fs.free('/a'))
    await kernel.run(kernel.nowMs + 10_000)
    Object.assign(faults, { failure: 1 })
    const { value, ms } = await does(async () => {
      const reader = await fs.open('/a')
      const outcome = await Promise.resolve(reader.readInto(0, Buffer.alloc(7))).catch(
        (error: unknown) => error,
      )
      await reader.close()
      return outcome
    })
    expect(isAlluxioError(value) && value.message).toMatch(/mem:\/\/root does not answer/)
    expect(value).toMatchObject({ reason: 'STORE_DOWN', details: { uri: 'mem://root' } })
    // The retry layer gives up after two minutes.
    expect(ms).toBeGreaterThan(100_000)
    expect(ms).toBeLessThan(150_000)
  },
)

test('the client reads the store itself when no worker can be reached', async () => {
  const { kernel, fs, does, written, hosts } = await clusterOf(1)
  await written('/a')
  const reader = (await does(() => fs.open('/a'))).value
  for (const { process } of hosts) process.crash()
  await kernel.run(kernel.nowMs + 1000)
  const buffer = Buffer.alloc(7)
  await does(async () => reader.readInto(0, buffer))
  expect(buffer.toString()).toBe('content')
})
