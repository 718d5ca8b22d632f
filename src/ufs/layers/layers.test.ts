import { inspect } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import {
  AlluxioError,
  type Cancel,
  Metrics,
  type Runtime,
  Secret,
  silentLog,
  systemRuntime,
} from '../../core/index.ts'
import { MemoryStore, MemoryTree, memoryFactory } from '../memory/index.ts'
import { openStore, type UfsModules } from '../registry.ts'
import type { UnderStore } from '../store.ts'
import { around } from './around.ts'
import { TokenBucket } from './limit.ts'
import { readOnlyStore } from './mode.ts'
import { isRetriable, RetryPolicy } from './retry-policy.ts'
import { Redaction } from './secrets.ts'

/** A world of its own: time jumps to the next timer as soon as nothing else can run; random numbers come from a seed. */
function seededWorld(seed = 1): Runtime & { elapsed(): number } {
  let now = 1_000_000
  let state = seed
  const timers = new Set<{ at: number; fn: () => void }>()
  let scheduled = false
  const advance = () => {
    scheduled = false
    const next = [...timers].sort((a, b) => a.at - b.at)[0]
    if (next === undefined) return
    timers.delete(next)
    now = Math.max(now, next.at)
    next.fn()
    schedule()
  }
  const schedule = () => {
    if (scheduled || timers.size === 0) return
    scheduled = true
    setImmediate(advance)
  }
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return {
    now: () => now,
    monotonic: () => now,
    elapsed: () => now - 1_000_000,
    after(ms, fn): Cancel {
      const timer = { at: now + ms, fn }
      timers.add(timer)
      schedule()
      return () => timers.delete(timer)
    },
    defer: (fn) => void setImmediate(fn),
    random,
    randomBytes: (bytes) => bytes.map(() => Math.floor(random() * 256)),
  }
}

async function opened(modules: Partial<UfsModules> = {}, options: Record<string, string> = {}) {
  const runtime = modules.runtime ?? seededWorld()
  const metrics = new Metrics()
  const store = await openStore('mem://x', options, {
    runtime,
    log: silentLog,
    metrics,
    factories: [memoryFactory({ chunkBytes: 100 })],
    ...modules,
  })
  return { store, runtime, metrics }
}

async function put(store: UnderStore, path: string, bytes: Uint8Array) {
  const writer = await store.create(path)
  await writer.write(bytes)
  return writer.close()
}

async function get(store: UnderStore, path: string, length = 1e6) {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.open(path, { offset: 0, length })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const CONTENT = Uint8Array.from({ length: 1000 }, (_, i) => i % 251)

/** A store of which single operations are replaced. */
function factoryOf(change: (store: UnderStore) => Partial<UnderStore>): NonNullable<UfsModules['factories']> {
  return [
    {
      schemes: ['mem'],
      open: async (_uri, _options, { runtime }) => {
        const store = new MemoryStore({ chunkBytes: 100 }, { runtime, tree: new MemoryTree() })
        const bound = Object.fromEntries(
          [
            'open',
            'create',
            'status',
            'list',
            'mkdir',
            'delete',
            'rename',
            'space',
            'setAttributes',
            'close',
          ].map((name) => [
            name,
            ((store as UnderStore)[name as keyof UnderStore] as () => unknown).bind(store),
          ]),
        )
        return { scheme: 'mem', capabilities: store.capabilities, ...bound, ...change(store) } as UnderStore
      },
    },
  ]
}

describe('retry', () => {
  test('faults of every kind: each operation ends right, and a seed gives the same run twice', async () => {
    const run = async (seed: number) => {
      const runtime = seededWorld(seed)
      const faults = {
        errorRate: 0.15,
        throttleRate: 0.1,
        lostAnswerRate: 0.1,
        brokenReadRate: 0.3,
        delayMs: [1, 20],
      } as const
      const { store, metrics } = await opened(
        { runtime, faults },
        { 'alluxio.underfs.retry.max.duration': '1h' },
      )
      for (let i = 0; i < 20; i++) {
        await put(store, `dir/f${i}`, CONTENT).catch(() => undefined)
        if (i % 2 === 0) await store.delete(`dir/f${i}`).catch(() => undefined)
      }
      await store.mkdir('dir')
      for (const { path } of (await store.list('dir')).entries) {
        expect(Buffer.compare(await get(store, path, 1000), CONTENT)).toBe(0)
      }
      return `${runtime.elapsed()} ${JSON.stringify(metrics.values())}`
    }
    const [first, second, other] = [await run(7), await run(7), await run(8)]
    expect(second).toBe(first)
    expect(other).not.toBe(first)
  })

  test('only passing failures are retried', () => {
    const of = (code: ConstructorParameters<typeof AlluxioError>[0], reason?: string) =>
      isRetriable(new AlluxioError(code, 'x', reason === undefined ? {} : { reason }))
    expect([of('UNAVAILABLE'), of('TIMEOUT'), of('RESOURCE_EXHAUSTED', 'THROTTLED')]).toEqual([
      true,
      true,
      true,
    ])
    expect([of('RESOURCE_EXHAUSTED', 'ENOSPC'), of('NOT_FOUND'), of('CONFLICT'), of('DATA_LOSS')]).toEqual([
      false,
      false,
      false,
      false,
    ])
    expect(isRetriable(new TypeError('x'))).toBe(false)
  })

  test('waits are random up to a doubling ceiling, at least what the store asks, and end with the budget', async () => {
    const runtime = seededWorld()
    const policy = new RetryPolicy(
      { maxDurationMs: 10_000, baseMs: 100, capMs: 1000 },
      { runtime, log: silentLog },
    )
    const times: number[] = []
    const failing = policy.run('status', 'x', undefined, async () => {
      times.push(runtime.elapsed())
      throw new AlluxioError('UNAVAILABLE', 'down', {
        details: times.length === 3 ? { retryAfterMs: 2500 } : {},
      })
    })
    await expect(failing).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { retriesExhausted: true } })
    const waits = times.slice(1).map((time, i) => time - times[i]!)
    expect(waits[0]).toBeLessThanOrEqual(100)
    expect(waits[1]).toBeLessThanOrEqual(200)
    expect(waits[2]).toBeGreaterThanOrEqual(2500)
    expect(Math.max(...waits.slice(3))).toBeLessThanOrEqual(1000)
    expect(times.at(-1)).toBeLessThanOrEqual(10_000)
  })

  test('a rename is not repeated when its answer may have been lost', async () => {
    let renames = 0
    const { store } = await opened({
      factories: factoryOf(() => ({
        rename: async () => {
          renames++
          throw new AlluxioError('UNAVAILABLE', 'reset', { reason: 'ECONNRESET' })
        },
      })),
    })
    await expect(store.rename('a', 'b')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(renames).toBe(1)
  })

  test('an aborted signal ends the waiting', async () => {
    const controller = new AbortController()
    const { store } = await opened({
      runtime: systemRuntime,
      factories: factoryOf(() => ({ status: () => Promise.reject(new AlluxioError('UNAVAILABLE', 'down')) })),
    })
    const waiting = store.status('x', controller.signal)
    setTimeout(() => controller.abort(), 20)
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('timeout', () => {
  const short = {
    'alluxio.underfs.timeout': '1s',
    'alluxio.underfs.stall.timeout': '1s',
    'alluxio.underfs.retry.max.duration': '0',
  }

  test('a store that ignores its signal and hangs is cut off, in calls and in reads', async () => {
    const never = () => new Promise<never>(() => {})
    const { store, runtime } = await opened(
      {
        factories: factoryOf(() => ({
          status: never,
          list: never,
          open: () => ({ [Symbol.asyncIterator]: () => ({ next: never, return: never }) }),
        })),
      },
      short,
    )
    await expect(store.status('x')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(store.list('x')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(get(store, 'x')).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(runtime.monotonic() - 1_000_000).toBeLessThan(4000)
  })

  test('a writer that is made after its create was given up is aborted', async () => {
    const controller = new AbortController()
    const made = Promise.withResolvers<void>()
    let aborted = 0
    const { store } = await opened({
      factories: factoryOf((inner) => ({
        async create(path) {
          await made.promise
          const writer = await inner.create(path)
          return { ...writer, abort: async () => void aborted++ }
        },
      })),
    })
    const creating = store.create('file', { signal: controller.signal })
    controller.abort()
    await expect(creating).rejects.toMatchObject({ code: 'CANCELLED' })
    made.resolve()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(aborted).toBe(1)
  })

  test('a slow reader is not taken for a slow store', async () => {
    const { store, runtime } = await opened({}, short)
    await put(store, 'file', CONTENT)
    let bytes = 0
    for await (const chunk of store.open('file', { offset: 0, length: 1000 })) {
      await new Promise<void>((resolve) => void runtime.after(5000, resolve))
      bytes += chunk.length
    }
    expect(bytes).toBe(1000)
  })
})

describe('limits', () => {
  test('a bucket lets through its rate on average, whatever the sizes', () => {
    const runtime = seededWorld()
    let now = 0
    const bucket = new TokenBucket(1000, { ...runtime, monotonic: () => now })
    let taken = 0
    for (const n of [500, 1, 3000, 250, 249, 4000]) {
      now += bucket.take(n)
      taken += n
    }
    // One second's worth stands ready at the start; the last taker has waited for its own.
    expect(now).toBeCloseTo(((taken - 1000) / 1000) * 1000, 6)
  })

  test('reads and writes keep to their bandwidth, calls to their rate', async () => {
    const { store, runtime } = await opened(
      {},
      {
        'alluxio.underfs.read.bandwidth': '100',
        'alluxio.underfs.write.bandwidth': '1000',
        'alluxio.underfs.rate.limit': '10',
      },
    )
    await put(store, 'file', CONTENT)
    await get(store, 'file')
    const afterRead = runtime.monotonic() - 1_000_000
    expect(afterRead).toBeGreaterThan(8500)
    expect(afterRead).toBeLessThan(9500)
    for (let i = 0; i < 30; i++) await store.status('file')
    expect(runtime.monotonic() - 1_000_000 - afterRead).toBeGreaterThan(1500)
  })
})

describe('translation', () => {
  test('whatever a foreign store throws arrives as an AlluxioError', async () => {
    const { store } = await opened({
      factories: factoryOf(() => ({
        status: () => {
          throw new TypeError('cannot read properties of undefined')
        },
        list: () => Promise.reject('a string'),
        open: () => {
          throw new RangeError('no')
        },
      })),
    })
    await expect(store.status('x')).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(store.list('x')).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining('a string'),
    })
    await expect(get(store, 'x')).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})

describe('metrics', () => {
  test('operations, bytes, errors and retries, one registry for many stores', async () => {
    const metrics = new Metrics()
    const { store } = await opened({ metrics })
    await opened({ metrics })
    await put(store, 'file', CONTENT)
    await get(store, 'file')
    await store.status('missing').catch(() => {})
    const values = metrics.values()
    expect(values['alluxio_ufs_written_bytes_total{ufs="mem://x"}']).toBe(1000)
    expect(values['alluxio_ufs_read_bytes_total{ufs="mem://x"}']).toBe(1000)
    expect(values['alluxio_ufs_operations_total{ufs="mem://x",operation="open"}']).toBe(1)
    expect(values['alluxio_ufs_errors_total{ufs="mem://x",operation="status",code="NOT_FOUND"}']).toBe(1)
    expect(values['alluxio_ufs_operation_seconds_count{ufs="mem://x",operation="create"}']).toBe(1)
  })
})

describe('secrets', () => {
  test('no secret is left in message, stack, details or causes', () => {
    const redaction = new Redaction()
    redaction.hide(new Secret('hunter2-key'))
    const cause = new Error('signed with hunter2-key')
    const error = new AlluxioError('UNAVAILABLE', 'PUT with hunter2-key failed', {
      cause,
      details: { headers: { authorization: 'hunter2-key' } },
    })
    const clean = redaction.error(error) as AlluxioError
    expect(inspect(clean, { depth: 10, showHidden: true })).not.toContain('hunter2')
    expect(clean).toMatchObject({ code: 'UNAVAILABLE', message: 'PUT with *** failed' })
    const harmless = new AlluxioError('NOT_FOUND', 'x')
    expect(redaction.error(harmless)).toBe(harmless)
  })

  test('a secret by reference is resolved, and a missing one is named, not shown', async () => {
    const secret = (options: Record<string, string>) =>
      openStore('s3://bucket', options, { runtime: systemRuntime, log: silentLog })
    await expect(
      secret({ 's3a.accessKeyId': 'env:ALLUXIO_TEST_NOT_SET', 's3a.secretKey': 'x' }),
    ).rejects.toThrow(/s3a.accessKeyId: the environment variable ALLUXIO_TEST_NOT_SET is not set/)
    await expect(secret({ 's3a.accessKeyId': 'AKIA' })).rejects.toThrow(/s3a.secretKey is missing/)
    await expect(secret({ 's3a.accessKeyId': 'file:/nowhere', 's3a.secretKey': 'x' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })
})

describe('openStore', () => {
  test.each([
    ['gopher://x/y', {}, /no store serves "gopher:".*s3:\/\//],
    ['s3:///x', {}, /names no bucket: write s3:\/\/bucket/],
    ['s3://b_/x', {}, /no name of a bucket/],
    ['s3://bucket', { 'alluxio.underfs.s3.endpoint': '127.0.0.1:9000' }, /write for example http:/],
    ['/data', { 'alluxio.underfs.timeout': 'soon' }, /alluxio.underfs.timeout: "soon" is not a duration/],
  ])('%s %j is refused with what to write', async (uri, options, message) => {
    const opening = openStore(uri, options as Record<string, string>, {
      runtime: systemRuntime,
      log: silentLog,
    })
    await expect(opening).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })
})

describe('maintenance', () => {
  test('readOnly refuses every change, also moves object by object, and lets reads pass', async () => {
    const inner = new MemoryStore({}, { runtime: systemRuntime, tree: new MemoryTree() })
    const asked: string[] = []
    const moveObjects = async () => {
      asked.push('moveObjects')
      return { objects: 0 }
    }
    const store = readOnlyStore({ ...around(inner, {}), moveObjects }, 'mem://x')
    const refused = { code: 'PERMISSION_DENIED', reason: 'UFS_MODE' }
    await expect(store.moveObjects!('a', 'b')).rejects.toMatchObject(refused)
    await expect(store.rename('a', 'b')).rejects.toMatchObject(refused)
    await expect(store.create('a')).rejects.toMatchObject(refused)
    await expect(store.mkdir('a')).rejects.toMatchObject(refused)
    await expect(store.delete('a')).rejects.toMatchObject(refused)
    expect(asked).toEqual([])
    expect((await store.list('')).entries).toEqual([])
  })
})
