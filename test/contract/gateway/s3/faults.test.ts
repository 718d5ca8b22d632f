/** Clients that misbehave or go away, and a cluster that is not there. */

import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../../src/client/index.ts'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { keyOf, S3Caller } from './client.ts'

const BUCKET = 'faults'
let cluster: Cluster
let fs: FileSystem
let caller: S3Caller

beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true, memory: '512MB' })
  fs = await cluster.connect()
  caller = new S3Caller(`http://${cluster.s3}`, await keyOf(fs, (await fs.getStatus('/')).owner))
  await caller.call({ method: 'PUT', path: `/${BUCKET}` })
}, 120_000)

afterAll(async () => {
  await cluster?.dispose()
})

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(caller.endpoint.port), caller.endpoint.hostname, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** A signed request's head as bytes. */
function head(method: string, path: string, more: Readonly<Record<string, string>> = {}): string {
  const { headers } = caller.sign({ method, path, payload: 'UNSIGNED-PAYLOAD' })
  const lines = Object.entries({ ...headers, ...more }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

async function staged(): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of fs.list('/.alluxio-staging')) names.push(name)
  return names
}

async function eventually(check: () => Promise<boolean>, within = 10_000): Promise<void> {
  const deadline = Date.now() + within
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('it did not come to that')
    await pause(50)
  }
}

/** Pages that are the process's own: those of mapped blocks are not. */
async function memoryOf(pid: number): Promise<number> {
  return Number(/RssAnon:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}

test.each([0, 1000, 3 * 2 ** 20])('an upload that is cut off after %i bytes leaves nothing', async (sent) => {
  const socket = await open()
  socket.write(head('PUT', `/${BUCKET}/cut`, { 'content-length': String(8 * 2 ** 20) }))
  socket.write(patternBytes(1, sent))
  await eventually(async () => (await staged().catch(() => [])).length > 0)
  socket.destroy()
  await eventually(async () => (await staged()).length === 0)
  expect((await caller.call({ method: 'HEAD', path: `/${BUCKET}/cut` })).status).toBe(404)
})

test('who is refused in the middle of a body learns why', async () => {
  const body = Buffer.alloc(16 * 2 ** 20)
  for (let i = 0; i < 5; i++) {
    const answer = await caller.call({ method: 'PUT', path: '/no-such-bucket/key', body })
    expect([answer.status, answer.code, answer.headers.connection]).toEqual([404, 'NoSuchBucket', 'close'])
  }
})

test('a request whose head does not end is dropped', async () => {
  const socket = await open()
  const since = Date.now()
  socket.write('GET / HTTP/1.1\r\n')
  const dripping = setInterval(() => socket.write('x: y\r\n'), 500)
  await new Promise((closed) => socket.on('error', () => {}).on('close', closed))
  clearInterval(dripping)
  expect(Date.now() - since).toBeLessThan(20_000)
}, 30_000)

test('a body of a byte a second is dropped, and leaves nothing', async () => {
  const socket = await open()
  const since = Date.now()
  let answer = ''
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1')
  })
  socket.write(head('PUT', `/${BUCKET}/slow`, { 'content-length': '1000000' }))
  const dripping = setInterval(() => socket.write('x'), 1000)
  await new Promise((closed) => socket.on('error', () => {}).on('close', closed))
  clearInterval(dripping)
  expect(Date.now() - since).toBeLessThan(45_000)
  expect(answer).toContain('<Code>RequestTimeout</Code>')
  await eventually(async () => (await staged()).length === 0)
}, 60_000)

test('clients that stop reading cost no memory, and others are served', async () => {
  const bytes = patternBytes(3, 64 * 2 ** 20)
  expect((await caller.call({ method: 'PUT', path: `/${BUCKET}/large`, body: bytes })).status).toBe(200)
  await caller.call({ path: `/${BUCKET}/large` })
  const before = await memoryOf(cluster.proxy!.pid)
  const sockets = await Promise.all(Array.from({ length: 30 }, open))
  for (const socket of sockets) socket.pause().write(head('GET', `/${BUCKET}/large`))
  await pause(1500)
  expect((await memoryOf(cluster.proxy!.pid)) - before).toBeLessThan(200 * 2 ** 20)
  const answer = await caller.call({ path: `/${BUCKET}/large`, headers: { range: 'bytes=5-9' } })
  expect(answer.body.equals(bytes.subarray(5, 10))).toBe(true)
  for (const socket of sockets) socket.destroy()
})

test('5,000 idle connections, and others are served', async () => {
  const before = await memoryOf(cluster.proxy!.pid)
  const sockets: Socket[] = []
  for (let i = 0; i < 50; i++) sockets.push(...(await Promise.all(Array.from({ length: 100 }, open))))
  for (const socket of sockets) socket.on('error', () => {})
  expect((await caller.call({ path: '/' })).status).toBe(200)
  expect((await memoryOf(cluster.proxy!.pid)) - before).toBeLessThan(150 * 2 ** 20)
  for (const socket of sockets) socket.destroy()
}, 60_000)

test('no request of garbage is answered by an error of ours', async () => {
  const targets = [
    '/',
    `/${BUCKET}`,
    `/${BUCKET}/k`,
    '/%',
    '/?%',
    '//',
    `/${BUCKET}/?uploads&uploadId=1`,
    `/${BUCKET}/k?partNumber=-1&uploadId=${'0'.repeat(32)}`,
  ]
  const headers = [
    {},
    { range: 'bytes=99999999999999999999-' },
    { 'x-amz-copy-source': '' },
    { 'x-amz-copy-source': '%' },
    { 'x-amz-copy-source': 'a' },
    { 'x-amz-copy-source': '/faults/../x' },
    { 'content-md5': '!' },
    { 'if-match': '"' },
    { 'x-amz-date': 'yesterday' },
    { 'x-amz-decoded-content-length': '-1' },
    { 'x-amz-checksum-crc32': 'x', 'x-amz-checksum-sha1': 'y' },
    { 'x-amz-metadata-directive': 'NONE' },
    { 'x-amz-tagging': '%' },
    { 'x-amz-trailer': 'x'.repeat(1000) },
    { 'x-amz-meta-x': 'y'.repeat(3000) },
  ]
  for (const target of targets) {
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']) {
      for (const more of headers) {
        const [path = '', query = ''] = target.split('?')
        const pairs = query
          .split('&')
          .filter((part) => part !== '')
          .map((part) => [part.split('=')[0]!, part.split('=')[1] ?? ''] as const)
        const signed = caller.sign({
          method,
          path,
          query: pairs,
          headers: more as Record<string, string>,
          payload: 'UNSIGNED-PAYLOAD',
        })
        const body = method === 'PUT' || method === 'POST' ? { body: '<x/>' } : {}
        const { status } = await caller.send({ method, ...body }, signed.headers, target)
        if (status >= 500 && status !== 501)
          throw new Error(`${method} ${target} ${JSON.stringify(more)}: ${status}`)
      }
    }
  }
}, 60_000)

test('metrics tell what was asked, and the log no secret', async () => {
  const metrics = await (await fetch(`http://${cluster.webHdfs}/metrics`)).text()
  expect(metrics).toMatch(/alluxio_proxy_s3_requests_total\{operation="GetObject",status="200"\} \d+/)
  for (const daemon of [cluster.proxy!, cluster.master]) {
    expect(await readFile(daemon.log, 'utf8')).not.toContain(caller.key.secretAccessKey)
  }
})

test('without a master: 503 in XML, and all is well when it is back', async () => {
  await caller.call({ method: 'PUT', path: `/${BUCKET}/kept`, body: 'kept' })
  await cluster.master.kill()
  const since = performance.now()
  // One whose key is remembered, one whose key is not, and a write.
  const unknown = { accessKeyId: 'AKUNKNOWN', secretAccessKey: 'nobody' }
  const stranger = new S3Caller(`http://${cluster.s3}`, unknown)
  const [answer, ...others] = await Promise.all([
    caller.call({ path: `/${BUCKET}/kept` }),
    stranger.call({ path: `/${BUCKET}/kept` }),
    caller.call({ method: 'PUT', path: `/${BUCKET}/new`, body: 'new' }),
  ])
  expect(performance.now() - since).toBeLessThan(6_000)
  for (const { status, code } of [answer, ...others])
    expect([status, code]).toEqual([503, 'ServiceUnavailable'])
  expect(answer.headers['retry-after']).toBe('1')
  await cluster.master.start()
  await cluster.workersLive(1)
  await eventually(async () => (await caller.call({ path: `/${BUCKET}/kept` })).body.toString() === 'kept')
}, 120_000)
