/** Listings of random keys against a model, page by page, on a real server. */
import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UfsStatus, type UnderStore } from '../../../src/ufs/index.ts'
import { ifAvailable, type S3LatencyServer, startS3Latency } from '../../support/servers/index.ts'

const { server: started, reason } = await ifAvailable(() => startS3Latency())
const server = started as S3LatencyServer
afterAll(() => started?.stop())

const segment = fc.constantFrom(
  'a',
  'b',
  'a!',
  'a-',
  'a.b',
  'aa',
  'é',
  '\u{1f680}',
  '\uffff',
  'x y',
  '%2F',
  '+',
)
const key = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([names, marker]) => names.join('/') + (marker ? '/' : ''))

/** What a tree of these keys looks like: a file hides what lies below its name. */
function model(keys: readonly string[], recursive: boolean): Map<string, boolean> {
  const files = new Set(keys.filter((name) => !name.endsWith('/')))
  const entries = new Map<string, boolean>()
  for (const name of keys) {
    const names = name.replace(/\/$/, '').split('/')
    const prefixes = names.map((_, i) => names.slice(0, i + 1).join('/'))
    if (prefixes.slice(0, -1).some((prefix) => files.has(prefix))) continue
    for (const [i, prefix] of prefixes.entries()) {
      if (i > 0 && !recursive) break
      const directory = i < prefixes.length - 1 || name.endsWith('/')
      if (!(directory && files.has(prefix))) entries.set(prefix, directory)
    }
  }
  return entries
}

async function listed(store: UnderStore, recursive: boolean, limit: number): Promise<UfsStatus[]> {
  const entries: UfsStatus[] = []
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await store.list('', { recursive, limit, ...(cursor === undefined ? {} : { cursor }) })
    expect(page.entries.length).toBeLessThanOrEqual(limit)
    entries.push(...page.entries)
    cursor = page.cursor
    more = cursor !== undefined
  }
  return entries
}

const suite = reason === undefined ? describe : describe.skip
suite(`listing of keys${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('is the tree of the model for any keys, page size and depth', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 14 }),
        fc.integer({ min: 1, max: 5 }),
        async (keys, limit) => {
          const prefix = `run-${run++}`
          const open = (uri: string) =>
            openStore(uri, server.options(), { runtime: systemRuntime, log: silentLog })
          for (const name of keys) {
            const path = `/${server.bucket}/${prefix}/${name}`.split('/').map(encodeURIComponent).join('/')
            await fetch(server.endpoint + path, { method: 'PUT', body: 'x' })
          }
          const store = await open(`s3://${server.bucket}/${prefix}`)
          for (const recursive of [false, true]) {
            const entries = await listed(store, recursive, limit)
            const shape = new Map(entries.map(({ path, directory }) => [path, directory]))
            expect(shape.size).toBe(entries.length)
            expect([...shape].sort()).toEqual([...model(keys, recursive)].sort())
          }
          for (const [path, directory] of model(keys, true)) {
            expect((await store.status(path)).directory).toBe(directory)
          }
          await store.close()
        },
      ),
      { numRuns: 60, seed: 42 },
    )
  }, 60_000)

  test('1,000 objects are one page although their directory has a marker', async () => {
    const put = (name: string) =>
      fetch(`${server.endpoint}/${server.bucket}/${name}`, { method: 'PUT', body: 'x' })
    await put('marked/')
    for (let i = 0; i < 1000; i++) await put(`marked/${i}`)
    await put('only-marked/')
    const store = await openStore(`s3://${server.bucket}/`, server.options(), {
      runtime: systemRuntime,
      log: silentLog,
    })
    await server.reset()
    const page = await store.list('marked')
    expect(page.entries).toHaveLength(1000)
    expect(page.cursor).toBeUndefined()
    expect((await server.stats()).calls).toEqual({ ListObjectsV2: 1 })
    expect(await store.list('only-marked')).toEqual({ entries: [] })
    expect((await store.status('only-marked')).directory).toBe(true)
    await store.close()
  }, 60_000)
})
