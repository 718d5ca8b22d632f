/** Ceph: its gateway through the S3 store, what it does otherwise than Amazon's, and CephFS mounted. */
import { afterAll, describe, expect, test } from '@jest/globals'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { cephfsFactory } from '../../../src/ufs/cephfs/index.ts'
import { openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { type Ceph, startCeph } from '../../support/servers/ceph.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

const { server, reason } = await ifAvailable(startCeph)
const ceph = server as Ceph
const mounted = server === undefined ? { reason } : await ifAvailable(() => server.mount())
const folder = scratchFolder('cephfs')
afterAll(async () => {
  await server?.stop()
  folder.remove()
})

const modules = { runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
const gateway = (path: string, more: Record<string, string> = {}) =>
  openStore(`s3://${ceph.gateway.bucket}/${path}`, ceph.gateway.options(more), modules)
const SMALL = { largeCount: 60, largeBytes: 20 * 2 ** 20 }

if (server !== undefined) {
  const known = await gateway('below/a prefix')
  // From this first answer on the store knows whom it speaks to.
  await known.status('')
  await ufsSuite('RGW', Promise.resolve(known))
  const faults = { brokenReadRate: 0.3, delayMs: [0, 2] } as const
  const options = ceph.gateway.options({
    'alluxio.underfs.s3.server': 'rgw',
    'alluxio.underfs.s3.checksum': 'MD5',
    'alluxio.underfs.retry.base.sleep': '2',
  })
  const faulty = openStore(`s3://${ceph.gateway.bucket}/faults`, options, { ...modules, faults })
  await ufsSuite('RGW through faults, with MD5', faulty, SMALL)
} else skippedUfsSuite('RGW', reason)

const MOUNT = 'alluxio.underfs.cephfs.mount'
async function made(opening: Promise<UnderStore>): Promise<UnderStore> {
  const store = await opening
  await store.mkdir('')
  return store
}
if (mounted.server !== undefined) {
  await ufsSuite(
    'CephFS',
    made(openStore('cephfs:///below/a folder', { [MOUNT]: mounted.server }, modules)),
    SMALL,
  )
} else {
  // Where none can be mounted: a plain folder, which the table of mounts is made to call CephFS.
  const table = async () => `1 0 0:1 / ${folder.path} rw - ceph mon:/ rw`
  const factories = [cephfsFactory(table)]
  const store = openStore('cephfs:///below', { [MOUNT]: folder.path }, { ...modules, factories })
  await ufsSuite('CephFS, on a plain folder', made(store), SMALL)
}

describe('CephFS', () => {
  test('without a mount it says what to do', async () => {
    await expect(openStore('cephfs://mon/x', {}, modules)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`${MOUNT}=/mnt/cephfs`),
    })
    const options = { [MOUNT]: folder.path, 'alluxio.underfs.retry.max.duration': '0' }
    const store = await openStore('cephfs:///x', options, modules)
    await expect(store.list('')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'NOT_MOUNTED' })
  })
})

const suite = server === undefined ? describe.skip : describe
suite('RGW', () => {
  async function put(store: UnderStore, path: string, bytes: Uint8Array, ifAbsent = false) {
    const writer = await store.create(path, { ifAbsent })
    for (let at = 0; at < bytes.length; at += 2 ** 20) await writer.write(bytes.subarray(at, at + 2 ** 20))
    return writer.close()
  }
  async function pages(
    store: UnderStore,
    path: string,
    limit: number,
    recursive: boolean,
  ): Promise<string[]> {
    const all: string[] = []
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await store.list(path, { limit, recursive, ...(cursor === undefined ? {} : { cursor }) })
      all.push(...page.entries.map((entry) => `${entry.path}${entry.directory ? '/' : ''}`))
      cursor = page.cursor
      more = cursor !== undefined
    }
    return all
  }

  test('is known by its first answer, and what it cannot do is declared', async () => {
    const store = await gateway('traits')
    expect(store.capabilities.conditionalCreate).toBe(true)
    await store.status('')
    expect(store.capabilities.conditionalCreate).toBe(false)
    expect(
      (await gateway('traits', { 'alluxio.underfs.s3.server': 'rgw' })).capabilities.conditionalCreate,
    ).toBe(false)
    expect(
      (await gateway('traits', { 'alluxio.underfs.s3.server': 'aws' })).capabilities.conditionalCreate,
    ).toBe(true)
  })

  test('an object that came while a file was written in parts is not replaced by ifAbsent', async () => {
    const store = await gateway('late')
    const large = await store.create('file', { ifAbsent: true })
    for (let i = 0; i < 20; i++) await large.write(new Uint8Array(2 ** 20))
    await put(store, 'file', Buffer.from('first'))
    await expect(large.close()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    expect((await store.status('file')).length).toBe(5)
    await expect(put(store, 'file', Buffer.from('second'), true)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
  })

  test('a checksum that it does not verify is told once in the log; MD5 is verified', async () => {
    const lines: string[] = []
    const log = {
      ...silentLog,
      child: () => log,
      warn: (line: string) => void lines.push(line),
    } as typeof silentLog
    const open = (checksum: string) =>
      openStore(
        `s3://${ceph.gateway.bucket}/sums`,
        ceph.gateway.options({ 'alluxio.underfs.s3.checksum': checksum }),
        {
          ...modules,
          log,
        },
      )
    const crc = await open('CRC32C')
    for (const path of ['a', 'b']) await put(crc, path, Buffer.from('x'))
    expect(lines.filter((line) => line.includes('does not verify CRC32C'))).toHaveLength(1)
    const md5 = await open('MD5')
    await put(md5, 'c', Buffer.from('x'))
    await put(md5, 'd', new Uint8Array(20 * 2 ** 20))
    expect(lines).toHaveLength(1)
  })

  test('the end of an upload in parts, which it answers without an etag, has one all the same', async () => {
    const store = await gateway('parts')
    const created = await put(store, 'file', new Uint8Array(40 * 2 ** 20))
    expect(created.fingerprint).toMatch(/^[0-9a-f]{32}-\d+$/)
    expect(await store.status('file')).toMatchObject({
      fingerprint: created.fingerprint,
      length: 40 * 2 ** 20,
    })
  })

  test('order and paging, with and without a delimiter, of names that sort badly', async () => {
    const store = await gateway('order')
    const files = [
      'a-b',
      'a/x',
      'a/y/z',
      'a0',
      'a b',
      'a!',
      'é',
      'z',
      '日本/語',
      '🚀',
      'B',
      'a.b/c',
      '_',
      '~',
    ]
    for (const path of files) await put(store, path, Buffer.from(path))
    const flat = new Set(files.map((path) => (path.includes('/') ? `${path.split('/')[0]}/` : path)))
    const expected = [...flat].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
    for (const limit of [1, 2, 3, 5, 1000]) expect(await pages(store, '', limit, false)).toEqual(expected)
    const deep = [...files, 'a/', 'a/y/', '日本/', 'a.b/'].sort()
    for (const limit of [1, 2, 3, 5, 1000]) expect((await pages(store, '', limit, true)).sort()).toEqual(deep)
  })

  test('more common prefixes than a page', async () => {
    const store = await gateway('prefixes')
    const names = Array.from({ length: 1050 }, (_, i) => `d${String(i).padStart(4, '0')}`)
    let next = 0
    const lane = async () => {
      while (next < names.length) await put(store, `${names[next++]}/file`, Buffer.from('x'))
    }
    await Promise.all(Array.from({ length: 16 }, lane))
    expect(await pages(store, '', 1000, false)).toEqual(names.map((name) => `${name}/`))
    await Promise.all(names.slice(0, 3).map((name) => store.delete(name, { recursive: true })))
    expect(await pages(store, '', 400, false)).toHaveLength(1047)
  }, 60_000)
})
