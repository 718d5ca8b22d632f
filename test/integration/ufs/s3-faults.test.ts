/** What the S3 store does when the server misbehaves: each fault is played by the latency server, call by call. */
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals'
import { isAlluxioError, Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UfsReadOptions, type UnderStore } from '../../../src/ufs/index.ts'
import { ifAvailable, type S3LatencyServer, startS3Latency } from '../../support/servers/index.ts'

const { server: started, reason } = await ifAvailable(() => startS3Latency())
const server = started as S3LatencyServer
afterAll(() => started?.stop())

const MIB = 2 ** 20
const metrics = new Metrics()
const open = (options: Record<string, string> = {}): Promise<UnderStore> =>
  openStore(
    `s3://${server.bucket}`,
    server.options({ 'alluxio.underfs.retry.base.sleep': '5', ...options }),
    {
      runtime: systemRuntime,
      log: silentLog,
      metrics,
    },
  )

function bytes(length: number, seed = 0): Uint8Array {
  const made = new Uint8Array(length)
  for (let i = 0; i < length; i++) made[i] = (i * 31 + (i >>> 8) * 7 + seed) & 255
  return made
}

async function read(
  store: UnderStore,
  path: string,
  options: Partial<UfsReadOptions> = {},
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40, ...options })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Jest's own comparison of megabytes takes seconds. */
function same(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length)
  expect(Buffer.compare(actual, expected)).toBe(0)
}

async function write(store: UnderStore, path: string, content: Uint8Array, ifAbsent = false) {
  const writer = await store.create(path, { ifAbsent })
  for (let at = 0; at < content.length; at += MIB) await writer.write(content.subarray(at, at + MIB))
  return writer.close()
}

async function calls(action: () => Promise<unknown>): Promise<Record<string, number>> {
  await server.reset()
  await action()
  return { ...(await server.stats()).calls }
}

const suite = reason === undefined ? describe : describe.skip
suite(`S3 faults${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let store: UnderStore
  beforeEach(async () => {
    store = await open()
    await server.reset()
  })

  describe('throttling and outages', () => {
    test('503 SlowDown is waited out as long as the server asks', async () => {
      await write(store, 'slow', bytes(10))
      await server.fault({ api: 'HeadObject', kind: 'error', status: 503, code: 'SlowDown', retryAfter: '1' })
      const start = performance.now()
      expect((await store.status('slow')).length).toBe(10)
      expect(performance.now() - start).toBeGreaterThan(950)
    })

    test.each([
      [500, 'InternalError'],
      [502, 'BadGateway'],
      [503, 'ServiceUnavailable'],
      [429, 'TooManyRequests'],
    ])('%d %s is retried', async (status, code) => {
      await write(store, 'retried', bytes(10))
      for (const api of ['HeadObject', 'GetObject', 'PutObject', 'ListObjectsV2']) {
        await server.fault({ api, kind: 'error', status, code, count: 2 })
      }
      expect((await store.status('retried')).length).toBe(10)
      same(await read(store, 'retried'), bytes(10))
      await write(store, 'retried', bytes(11))
      expect((await store.list('')).entries.map((entry) => entry.path)).toContain('retried')
    })

    test('what never heals ends with the error, the number of attempts and no endless wait', async () => {
      const impatient = await open({ 'alluxio.underfs.retry.max.duration': '200' })
      await server.fault({ api: 'ListObjectsV2', kind: 'error', status: 503, code: 'SlowDown', count: 1000 })
      const error = await impatient.list('x').catch((thrown: unknown) => thrown)
      expect(isAlluxioError(error, 'RESOURCE_EXHAUSTED')).toBe(true)
      expect((error as Error).message).toMatch(/attempts in/)
    })

    test('a call that hangs is cut off and tried again', async () => {
      await write(store, 'hung', bytes(10))
      const hasty = await open({
        'alluxio.underfs.timeout': '200ms',
        'alluxio.underfs.stall.timeout': '200ms',
      })
      await server.fault({ api: 'HeadObject', kind: 'hang' })
      expect((await hasty.status('hung')).length).toBe(10)
      await server.fault({ api: 'GetObject', kind: 'hang' })
      expect((await read(hasty, 'hung')).length).toBe(10)
      await server.fault({ api: 'PutObject', kind: 'hang' })
      await write(hasty, 'hung', bytes(12))
      expect((await hasty.status('hung')).length).toBe(12)
    })
  })

  describe('broken bodies', () => {
    const content = bytes(3 * MIB)

    test('a body that breaks off is resumed at its byte', async () => {
      await write(store, 'broken', content)
      await server.fault({ api: 'GetObject', kind: 'truncate', bytes: MIB + 17 })
      await server.fault({ api: 'GetObject', kind: 'truncate', bytes: 12_345 })
      const seen = await calls(async () => {
        await server.fault({ api: 'GetObject', kind: 'truncate', bytes: MIB + 17 })
        await server.fault({ api: 'GetObject', kind: 'truncate', bytes: 12_345 })
        same(await read(store, 'broken'), content)
      })
      expect(seen).toEqual({ GetObject: 3 })
      expect((await server.stats()).bytesOut).toBeLessThan(2 * MIB)
    })

    test('a 206 that sends less than its range, and a 200 that sends everything, are seen through', async () => {
      await write(store, 'odd', content)
      await server.fault({ api: 'GetObject', kind: 'short', bytes: 1000 })
      same(await read(store, 'odd', { offset: 100, length: 50_000 }), content.subarray(100, 50_100))
      await server.fault({ api: 'GetObject', kind: 'whole' })
      same(await read(store, 'odd', { offset: 100, length: 50_000 }), content.subarray(100, 50_100))
    })

    test('an object that changed while its read was broken is refused, not mixed', async () => {
      await write(store, 'mixed', content)
      await server.fault({ api: 'GetObject', kind: 'truncate', bytes: MIB })
      const chunks = store.open('mixed', { offset: 0, length: content.length })[Symbol.asyncIterator]()
      await chunks.next()
      await write(store, 'mixed', bytes(3 * MIB, 99))
      const rest = async () => {
        while ((await chunks.next()).done !== true);
      }
      await expect(rest()).rejects.toMatchObject({ code: 'CONFLICT', reason: 'SOURCE_CHANGED' })
    })
  })

  describe('lost answers', () => {
    test('a conditional create whose answer was lost is not taken for a lost race', async () => {
      await server.fault({ api: 'PutObject', kind: 'drop' })
      const status = await write(store, 'once', bytes(100), true)
      expect((await store.status('once')).fingerprint).toBe(status.fingerprint)
      expect((await store.status('once')).metadata).toEqual({})
      await expect(write(store, 'once', bytes(5), true)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    })

    test('a lost answer does not hide that another writer won', async () => {
      await write(store, 'taken', bytes(7))
      await server.fault({ api: 'PutObject', kind: 'drop' })
      await expect(write(store, 'taken', bytes(5), true)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
      expect((await store.status('taken')).length).toBe(7)
    })

    test('an upload completed without an answer is found complete', async () => {
      const content = bytes(33 * MIB)
      await server.fault({ api: 'CompleteMultipartUpload', kind: 'drop' })
      await server.fault({ api: 'UploadPart', kind: 'drop' })
      const status = await write(store, 'large', content, true)
      same(await read(store, 'large', { fingerprint: status.fingerprint }), content)
      expect((await server.stats()).uploads).toBe(0)
    })

    test('a delete whose answer was lost succeeds', async () => {
      await write(store, 'gone', bytes(1))
      await server.fault({ api: 'DeleteObject', kind: 'drop' })
      await store.delete('gone')
      await expect(store.status('gone')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })
  })

  describe('what is left behind', () => {
    test('neither an abort nor a refused part leaves an upload', async () => {
      const writer = await store.create('half')
      for (let i = 0; i < 40; i++) await writer.write(bytes(MIB))
      await writer.abort()
      expect((await server.stats()).uploads).toBe(0)
      await server.fault({ api: 'UploadPart', kind: 'error', status: 403, code: 'AccessDenied' })
      await expect(write(store, 'half', bytes(40 * MIB))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
      expect((await server.stats()).uploads).toBe(0)
      await expect(store.status('half')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })
  })

  test('calls to the server, operation by operation', async () => {
    await store.mkdir('count')
    await write(store, 'count/file', bytes(10))
    const counted = async (action: () => Promise<unknown>) => calls(action)
    expect(await counted(() => store.status('count/file'))).toEqual({ HeadObject: 1 })
    expect(await counted(() => store.status('count'))).toEqual({ HeadObject: 1, ListObjectsV2: 1 })
    expect(await counted(() => store.list('count'))).toEqual({ ListObjectsV2: 1 })
    expect(await counted(() => read(store, 'count/file'))).toEqual({ GetObject: 1 })
    expect(await counted(() => write(store, 'count/new', bytes(1)))).toEqual({ PutObject: 1 })
    expect(await counted(() => write(store, 'count/new2', bytes(1), true))).toEqual({ PutObject: 1 })
    expect(await counted(() => store.delete('count/new'))).toEqual({ HeadObject: 1, DeleteObject: 1 })
    expect(await counted(() => store.mkdir('count/sub'))).toEqual({ HeadObject: 2, PutObject: 1 })
    await server.fill('many/', 2500, 1)
    expect(await counted(() => store.delete('many', { recursive: true }))).toEqual({
      HeadObject: 1,
      ListObjectsV2: 3,
      DeleteObjects: 3,
    })
  })

  test('requests to the server are counted in the metrics', async () => {
    await store.status('').catch(() => {})
    const label = `{ufs="s3://${server.bucket}",api="ListObjectsV2"}`
    expect(metrics.values()[`alluxio_ufs_api_calls_total${label}`]).toBeGreaterThan(0)
  })

  test('a file beside a directory of its name is the file, on one page or many', async () => {
    for (const path of ['x', 'x-1', 'x!', 'y']) await write(store, `beside/${path}`, bytes(3))
    await server.fill('beside/x/', 3, 1)
    for (const limit of [1, 2, 3, 1000]) {
      const names: string[] = []
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await store.list('beside', { limit, ...(cursor === undefined ? {} : { cursor }) })
        names.push(...page.entries.map((entry) => entry.path + (entry.directory ? '/' : '')))
        cursor = page.cursor
        more = cursor !== undefined
      }
      expect(names).toEqual(['beside/x', 'beside/x!', 'beside/x-1', 'beside/y'])
    }
  })
})
