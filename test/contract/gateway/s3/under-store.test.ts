/** What becomes of objects in the under-store, by write type, and of what was begun and never finished. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../../src/client/index.ts'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { keyOf, S3Caller } from './client.ts'

let cluster: Cluster
let fs: FileSystem
let caller: S3Caller

beforeAll(async () => {
  cluster = await Cluster.start({
    proxy: true,
    properties: {
      'alluxio.proxy.s3.multipart.upload.max.age': '3s',
      'alluxio.master.ttl.checker.interval': '500ms',
      'alluxio.user.conf.sync.interval': '100ms',
      'alluxio.master.persistence.scheduler.interval': '100ms',
    },
  })
  fs = await cluster.connect()
  caller = new S3Caller(`http://${cluster.s3}`, await keyOf(fs, (await fs.getStatus('/')).owner))
}, 120_000)

afterAll(async () => {
  await cluster?.dispose()
})

async function eventually(check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('it did not come to that')
    await pause(50)
  }
}

const stored = (path: string) => join(cluster.folder, 'ufs', path)

async function bucket(name: string, writeType: string): Promise<void> {
  await caller.call({ method: 'PUT', path: `/${name}` })
  await fs.admin.setPathConf(`/${name}`, { set: { 'alluxio.user.file.writetype.default': writeType } })
  // Who asks next has the proxy look at what is said of paths; who asks after that, by it.
  await pause(200)
  await caller.call({ method: 'PUT', path: `/${name}/first`, body: '' })
  await pause(200)
}

test('ASYNC_THROUGH: later; an overwritten object is overwritten there too, again and again', async () => {
  await bucket('async', 'ASYNC_THROUGH')
  for (let version = 1; version <= 4; version++) {
    const body = patternBytes(version, 100_000 + version)
    expect((await caller.call({ method: 'PUT', path: '/async/deep/object', body })).status).toBe(200)
    // At times the earlier one is on its way there when the next one comes.
    if (version % 2 === 0) await eventually(async () => (await fs.getStatus('/async/deep/object')).persisted)
  }
  const last = patternBytes(4, 100_004)
  await eventually(async () => existsSync(stored('async/deep/object')))
  expect(readFileSync(stored('async/deep/object')).equals(last)).toBe(true)
  await fs.free('/async/deep/object', { forced: true })
  const answer = await caller.call({ path: '/async/deep/object' })
  expect(answer.body.equals(last)).toBe(true)
  expect(answer.headers.etag).toMatch(/^"[0-9a-f]{32}"$/)
  expect(existsSync(stored('.alluxio-staging'))).toBe(false)
})

test.each(['CACHE_THROUGH', 'THROUGH'])(
  '%s: the object is there when the answer comes',
  async (writeType) => {
    const name = writeType.toLowerCase().replace('_', '-')
    await bucket(name, writeType)
    for (const version of [1, 2]) {
      const body = patternBytes(version, 3_000_000)
      expect((await caller.call({ method: 'PUT', path: `/${name}/object`, body })).status).toBe(200)
      expect(readFileSync(stored(`${name}/object`)).equals(body)).toBe(true)
    }
    await caller.call({ method: 'PUT', path: `/${name}/empty`, body: '' })
    expect(readFileSync(stored(`${name}/empty`)).length).toBe(0)
    const { cachedBytes } = await fs.getStatus(`/${name}/object`)
    expect(cachedBytes).toBe(writeType === 'THROUGH' ? 0 : 3_000_000)
  },
)

test('CACHE_THROUGH: an object of parts is there once, whole, when it is completed', async () => {
  await bucket('joined', 'CACHE_THROUGH')
  const path = '/joined/object'
  const begun = await caller.call({ method: 'POST', path, query: [['uploads', '']] })
  const id = /<UploadId>(.*)<\/UploadId>/.exec(begun.body.toString())![1]!
  const bodies = [patternBytes(1, 5 * 2 ** 20), patternBytes(2, 5 * 2 ** 20), patternBytes(3, 1000)]
  let parts = ''
  for (const [i, body] of bodies.entries()) {
    const number = String(i + 1)
    const query = [
      ['partNumber', number],
      ['uploadId', id],
    ] as const
    const { headers } = await caller.call({ method: 'PUT', path, query, body })
    parts += `<Part><PartNumber>${number}</PartNumber><ETag>${headers.etag}</ETag></Part>`
  }
  expect(existsSync(stored('joined/object'))).toBe(false)
  const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`
  expect((await caller.call({ method: 'POST', path, query: [['uploadId', id]], body })).status).toBe(200)
  expect(readFileSync(stored('joined/object')).equals(Buffer.concat(bodies))).toBe(true)
  expect(await fs.getStatus(path)).toMatchObject({ persisted: true, blockSizeBytes: 5 * 2 ** 20 })
  // From the under-store it has the same blocks.
  await fs.free(path, { forced: true })
  expect((await caller.call({ path })).body.equals(Buffer.concat(bodies))).toBe(true)
  expect(existsSync(stored('.alluxio-staging'))).toBe(false)
})

test('MUST_CACHE: never', async () => {
  await bucket('cached', 'MUST_CACHE')
  await caller.call({ method: 'PUT', path: '/cached/object', body: 'x' })
  expect((await caller.call({ path: '/cached/object' })).body.toString()).toBe('x')
  expect(existsSync(stored('cached/object'))).toBe(false)
})

test('a file that changes in the under-store loses the entity tag that it had', async () => {
  await bucket('changed', 'CACHE_THROUGH')
  const put = await caller.call({
    method: 'PUT',
    path: '/changed/object',
    body: 'ours',
    headers: { 'content-type': 'a/b' },
  })
  const { writeFileSync } = await import('node:fs')
  writeFileSync(stored('changed/object'), 'theirs, and longer')
  await fs.syncs.run('/changed')
  const answer = await caller.call({ path: '/changed/object' })
  expect(answer.body.toString()).toBe('theirs, and longer')
  expect(answer.headers.etag).not.toBe(put.headers.etag)
  expect(answer.headers.etag).toMatch(/-0"$/)
})

test('a multipart upload that nobody finishes goes by itself', async () => {
  await bucket('parts', 'ASYNC_THROUGH')
  const begun = await caller.call({ method: 'POST', path: '/parts/object', query: [['uploads', '']] })
  const id = /<UploadId>(.*)<\/UploadId>/.exec(begun.body.toString())![1]!
  const part = [
    ['partNumber', '1'],
    ['uploadId', id],
  ] as const
  expect(
    (await caller.call({ method: 'PUT', path: '/parts/object', query: part, body: 'part' })).status,
  ).toBe(200)
  await eventually(async () => !(await fs.exists(`/.alluxio-staging/s3-${id}`)))
  const answer = await caller.call({ method: 'PUT', path: '/parts/object', query: part, body: 'part' })
  expect([answer.status, answer.code]).toEqual([404, 'NoSuchUpload'])
})
