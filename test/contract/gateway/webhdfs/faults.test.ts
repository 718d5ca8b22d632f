/** What goes wrong: clients that stop, cut off or only wait, writers at once, daemons that are gone. */

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { ask, exceptionOf, Hdfs } from './http.ts'

const root = process.env.USER ?? 'root'
const MiB = 2 ** 20
let cluster: Cluster
let hdfs: Hdfs
beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true, workers: 2, memory: '512MB' })
  hdfs = new Hdfs(cluster.webHdfs, root)
}, 120_000)
afterAll(() => cluster?.dispose())

async function target(
  method: string,
  path: string,
  op: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<URL> {
  const { json } = await hdfs.call(method, path, op, { ...parameters, noredirect: 'true' })
  return new URL(json.Location)
}

/** Opens a connection and says something; nothing is read unless the caller does. */
async function say(authority: string, text: string): Promise<Socket> {
  const [host, port] = authority.split(':') as [string, string]
  const socket = connect(Number(port), host)
  socket.on('error', () => {})
  await new Promise<void>((done) => socket.once('connect', done))
  socket.write(text)
  return socket
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}

async function eventually<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const found = await look()
    if (isRight(found) || attempt === 100) return found
    await pause(100)
  }
}

describe('uploads', () => {
  test.each(['CREATE', 'APPEND'] as const)(
    '%s cut off leaves nothing',
    async (op) => {
      const path = `/cut/${op}`
      const before = patternBytes(3, 1000)
      if (op === 'APPEND') await hdfs.write(path, before)
      const to = await target(op === 'CREATE' ? 'PUT' : 'POST', path, op)
      const head = `${op === 'CREATE' ? 'PUT' : 'POST'} ${to.pathname}${to.search} HTTP/1.1\r\nHost: ${to.host}\r\n`
      for (const framing of ['Content-Length: 10000000', 'Transfer-Encoding: chunked']) {
        const socket = await say(to.host, `${head}${framing}\r\n\r\n`)
        const chunk = 'x'.repeat(2 * MiB)
        socket.write(framing.startsWith('T') ? `${chunk.length.toString(16)}\r\n${chunk}\r\n` : chunk)
        await pause(300)
        socket.destroy()
        const names = async () =>
          (await hdfs.call('GET', '/cut', 'LISTSTATUS')).json.FileStatuses?.FileStatus ?? []
        const left = await eventually(names, (found) => found.length === (op === 'APPEND' ? 1 : 0))
        expect(left.map(({ pathSuffix }) => pathSuffix)).toEqual(op === 'APPEND' ? ['APPEND'] : [])
      }
      if (op === 'APPEND') {
        expect((await hdfs.read(path)).equals(before)).toBe(true)
        // Its lease has been given back.
        expect((await hdfs.call('POST', path, 'APPEND', {}, Buffer.from('y'))).status).toBe(200)
        await hdfs.call('DELETE', path, 'DELETE')
      }
      const fs = await cluster.connect()
      const staged = async () =>
        (await fs.exists('/.alluxio-staging')) ? (await fs.getStatus('/.alluxio-staging')).length : 0
      expect(await eventually(staged, (count) => count === 0)).toBe(0)
    },
    60_000,
  )

  test('an overwrite that is cut off leaves the file as it was', async () => {
    const before = patternBytes(4, 100_000)
    await hdfs.write('/over/f', before)
    const to = await target('PUT', '/over/f', 'CREATE', { overwrite: 'true' })
    const socket = await say(
      to.host,
      `PUT ${to.pathname}${to.search} HTTP/1.1\r\nHost: ${to.host}\r\nContent-Length: 10000000\r\n\r\n${'x'.repeat(MiB)}`,
    )
    await pause(300)
    expect((await hdfs.read('/over/f')).equals(before)).toBe(true)
    socket.destroy()
    await pause(200)
    expect((await hdfs.read('/over/f')).equals(before)).toBe(true)
  })

  test('of one path at once end with one of them whole', async () => {
    const bodies = Array.from({ length: 6 }, (_, i) => patternBytes(100 + i, 3 * MiB + i))
    await hdfs.write('/race/f', patternBytes(99, MiB))
    const answers = await Promise.all(
      bodies.map((body) => hdfs.write('/race/f', body, { overwrite: 'true' })),
    )
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 201))
    const found = await hdfs.read('/race/f')
    expect(bodies.some((body) => body.equals(found))).toBe(true)
    const claims = await Promise.all(bodies.map((body) => hdfs.write('/race/new', body)))
    expect(claims.filter(({ status }) => status === 201)).toHaveLength(1)
    const winner = claims.findIndex(({ status }) => status === 201)
    expect((await hdfs.read('/race/new')).equals(bodies[winner]!)).toBe(true)
  })

  test('that append at once never mix', async () => {
    const before = patternBytes(7, MiB)
    await hdfs.write('/race/append', before)
    const parts = Array.from({ length: 5 }, (_, i) => patternBytes(200 + i, 2 * MiB + i))
    const answers = await Promise.all(
      parts.map((part) => hdfs.call('POST', '/race/append', 'APPEND', {}, part)),
    )
    const won = answers.map(({ status }) => status === 200)
    for (const [i, answer] of answers.entries())
      if (!won[i]) expect(exceptionOf(answer)).toMatch(/^(AlreadyBeingCreatedException|IOException)$/)
    let rest = (await hdfs.read('/race/append')).subarray(MiB)
    expect(won).toContain(true)
    // Those that succeeded stand one behind the other, each whole.
    while (rest.length > 0) {
      const i = parts.findIndex((part, index) => won[index] && rest.subarray(0, part.length).equals(part))
      expect(i).toBeGreaterThanOrEqual(0)
      won[i] = false
      rest = rest.subarray(parts[i]!.length)
    }
    expect(won).not.toContain(true)
  })

  test('that append to a file follow it when it is renamed', async () => {
    const [before, more] = [patternBytes(41, 3000), patternBytes(42, 2000)]
    await hdfs.write('/follow/a', before)
    const to = await target('POST', '/follow/a', 'APPEND')
    const head = `POST ${to.pathname}${to.search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${more.length}\r\n\r\n`
    const socket = await say(to.host, head)
    socket.write(more.subarray(0, 500))
    await pause(300)
    await hdfs.call('PUT', '/follow/a', 'RENAME', { destination: '/follow/b' })
    socket.write(more.subarray(500))
    const answer = await new Promise<string>((done) => socket.once('data', (chunk) => done(chunk.toString())))
    expect(answer).toContain('200 OK')
    socket.destroy()
    expect((await hdfs.read('/follow/b')).equals(Buffer.concat([before, more]))).toBe(true)
    expect(await hdfs.status('/follow/a')).toBeUndefined()
  })

  test('wait for the word to go on only when they are where they belong', async () => {
    const socket = await say(
      cluster.webHdfs,
      `PUT /webhdfs/v1/expect?op=CREATE&user.name=${root} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
    )
    const [first] = await new Promise<string[]>((done) =>
      socket.once('data', (data) => done(data.toString().split('\r\n'))),
    )
    expect(first).toBe('HTTP/1.1 307 Temporary Redirect')
    socket.destroy()
    const to = await target('PUT', '/expect', 'CREATE')
    const data = await say(
      to.host,
      `PUT ${to.pathname}${to.search} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
    )
    const next = () => new Promise<string>((done) => data.once('data', (chunk) => done(chunk.toString())))
    expect(await next()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    data.write('hello')
    expect(await next()).toContain('201 Created')
    data.destroy()
    expect((await hdfs.read('/expect')).toString()).toBe('hello')
  })
})

describe('clients', () => {
  test('that take nothing hold no memory', async () => {
    const bytes = patternBytes(9, 64 * MiB)
    await hdfs.write('/slow/f', bytes)
    const to = await target('GET', '/slow/f', 'OPEN')
    const pids = [...cluster.workers.map(({ pid }) => pid), cluster.proxy!.pid]
    const before = pids.map(rssOf)
    const sockets = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = await say(to.host, `GET ${to.pathname}${to.search} HTTP/1.1\r\nHost: x\r\n\r\n`)
        return socket.pause()
      }),
    )
    await pause(2000)
    // The file's own pages count once, as they are mapped.
    for (const [i, pid] of pids.entries()) expect(rssOf(pid) - before[i]!).toBeLessThan(64 * MiB + 100 * MiB)
    expect((await hdfs.read('/slow/f', { length: '100' })).equals(bytes.subarray(0, 100))).toBe(true)
    for (const socket of sockets) socket.destroy()
  }, 60_000)

  test('that only wait, 5,000 of them, are in nobody’s way', async () => {
    await hdfs.write('/idle', Buffer.from('idle'))
    const { pid } = cluster.proxy!
    const before = rssOf(pid)
    const sockets: Socket[] = []
    for (let i = 0; i < 50; i++)
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => say(cluster.webHdfs, 'GET /')))))
    const begunMs = performance.now()
    for (let i = 0; i < 20; i++) expect((await hdfs.status('/idle')).length).toBe(4)
    expect((performance.now() - begunMs) / 20).toBeLessThan(200)
    expect(rssOf(pid) - before).toBeLessThan(150 * MiB)
    // A head that does not come is not waited for.
    const closed = async () =>
      sockets.filter(({ readableEnded, destroyed }) => readableEnded || destroyed).length
    for (const socket of sockets) socket.resume()
    for (let i = 0; i < 30 && (await closed()) < 5000; i++) await pause(1000)
    expect(await closed()).toBe(5000)
  }, 90_000)
})

test('workers count requests, bytes and time of their data half', async () => {
  const counted = async (what: string) => {
    const texts = await Promise.all(
      cluster.workers.map(async ({ webPort }) => (await fetch(`http://127.0.0.1:${webPort}/metrics`)).text()),
    )
    const name = `alluxio_webhdfs_data_${what}`.replace(/[{}]/g, '\\$&')
    return texts.reduce(
      (sum, text) => sum + Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0),
      0,
    )
  }
  const names = ['CREATE', 'OPEN', 'APPEND'].flatMap((op) =>
    ['requests_total', 'bytes_total', 'seconds_count'].map((what) => `${what}{op="${op}"}`),
  )
  const now = () => Promise.all([...names, 'failures_total{code="OUT_OF_RANGE"}'].map(counted))
  const before = await now()
  await hdfs.write('/counted', patternBytes(4, 1000))
  await hdfs.call('POST', '/counted', 'APPEND', {}, patternBytes(4, 30))
  await hdfs.read('/counted')
  await hdfs.read('/counted', { offset: '1000', length: '7' })
  const data = await target('GET', '/counted', 'OPEN', { offset: '1' })
  await ask(data.host, { target: data.pathname + data.search.replace('offset=1&', 'offset=5000&') })
  const after = await now()
  expect(after.map((count, i) => count - before[i]!)).toEqual([1, 1000, 1, 3, 1037, 3, 1, 30, 1, 1])
})

describe('daemons', () => {
  test('a worker that is gone is not led to, and without workers the proxy serves', async () => {
    const bytes = patternBytes(11, 3 * MiB)
    await hdfs.write('/gone/through', bytes)
    const fs = await cluster.connect()
    await eventually(
      () => fs.getStatus('/gone/through'),
      ({ persisted }) => persisted,
    )
    const [first, second] = cluster.workers
    await first!.kill()
    for (let i = 0; i < 4; i++) {
      // As Hadoop's client asks when it could not reach one.
      const to = await target('GET', '/gone/through', 'OPEN', {
        excludedatanodes: `127.0.0.1:${first!.webPort}`,
      })
      expect(to.host).toBe(`127.0.0.1:${second!.webPort}`)
    }
    const ports = async () => (await target('GET', '/gone/through', 'OPEN')).port
    await pause(4000)
    for (let i = 0; i < 4; i++) expect(await ports()).toBe(String(second!.webPort))
    expect((await hdfs.read('/gone/through')).equals(bytes)).toBe(true)
    await second!.kill()
    await eventually(
      async () => (await fs.admin.workers()).filter(({ state }) => state === 'LIVE').length,
      (live) => live === 0,
    )
    await pause(1500)
    expect(await ports()).toBe(cluster.webHdfs.split(':')[1])
    expect((await hdfs.read('/gone/through')).equals(bytes)).toBe(true)
    await Promise.all([first!.start(), second!.start()])
    await cluster.workersLive(2)
  }, 90_000)

  test('without a master the proxy says so, and serves again when it is back', async () => {
    const written = await hdfs.write('/there', patternBytes(12, 1000))
    expect(`${written.status} ${written.body}`).toBe('201 ')
    const data = await target('GET', '/there', 'OPEN')
    await cluster.master.kill()
    const since = performance.now()
    const down = await hdfs.call('GET', '/', 'GETFILESTATUS')
    expect([down.status, exceptionOf(down)]).toEqual([503, 'RetriableException'])
    // The data half, too.
    const bytes = await ask(data.host, { target: data.pathname + data.search })
    expect(bytes.status).toBe(503)
    expect(performance.now() - since).toBeLessThan(8_000)
    const health = await ask(cluster.webHdfs, { target: '/healthz' })
    expect(health.status).toBe(200)
    await cluster.master.start()
    const status = async () => (await hdfs.call('GET', '/', 'GETFILESTATUS')).status
    expect(await eventually(status, (found) => found === 200)).toBe(200)
  }, 120_000)
})
