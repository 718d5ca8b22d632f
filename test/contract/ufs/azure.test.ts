/** The Azure store against Azurite, which checks signatures; what it does when the server stops, dies, or refuses. */
import { createHmac } from 'node:crypto'
import { createServer, request as send } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { type FaultOptions, openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { MIB, md5Of, md5OfBlocks, numberedBlock, writeBlocks } from '../../support/numbered-blocks.ts'
import { type Azurite, startAzurite } from '../../support/servers/azurite.ts'
import { ifAvailable, startToxiproxy } from '../../support/servers/index.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

const { server: started, reason } = await ifAvailable(startAzurite)
const server = started as Azurite
afterAll(() => started?.stop())

/** An account signature made here: the store has to work with it alone. */
function accountSas(permissions: string): string {
  const fields = {
    sp: permissions,
    ss: 'b',
    srt: 'sco',
    st: '',
    se: '2099-01-01T00:00:00Z',
    sip: '',
    spr: '',
  }
  const { sp, ss, srt, st, se, sip, spr } = fields
  const text = `${[server.account, sp, ss, srt, st, se, sip, spr, '2020-10-02'].join('\n')}\n`
  const sig = createHmac('sha256', Buffer.from(server.key, 'base64')).update(text).digest('base64')
  return new URLSearchParams({ sv: '2020-10-02', ss, srt, sp, se, sig }).toString()
}

async function makeContainer(name: string): Promise<void> {
  const answer = await fetch(`${server.endpoint}/${name}?restype=container&${accountSas('rwdlac')}`, {
    method: 'PUT',
    headers: { 'x-ms-version': '2020-10-02' },
  })
  if (!answer.ok && answer.status !== 409) throw new Error(`${answer.status} ${await answer.text()}`)
}

function open(
  path: string,
  options: Record<string, string> = {},
  faults?: FaultOptions,
): Promise<UnderStore> {
  return openStore(`wasb://container/${path}`, server.options(options), {
    runtime: systemRuntime,
    log: silentLog,
    metrics: new Metrics(),
    ...(faults === undefined ? {} : { faults }),
  })
}

if (started !== undefined) await makeContainer('container')
if (reason === undefined) {
  await ufsSuite('Azurite', open('below/a prefix'))
  const faults = { brokenReadRate: 0.3, delayMs: [0, 2] } as const
  const hasty = { 'alluxio.underfs.retry.base.sleep': '2' }
  const small = { largeCount: 60, largeBytes: 20 * MIB }
  await ufsSuite('Azurite through faults', open('', hasty, faults), small)
} else {
  skippedUfsSuite('Azurite', reason)
}

/**
 * The way to the server, which can be cut: connections break, and new ones are refused. Azurite itself forgets the last five
 * seconds when it is killed.
 */
async function startWay(target: string) {
  const { port, pathname } = new URL(target)
  const sockets = new Set<Socket>()
  let gone = false
  const listener = createTcpServer((socket) => {
    if (gone) return void socket.destroy()
    const onward = connect(Number(port), '127.0.0.1')
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => {})
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(listener.address() as AddressInfo).port}${pathname}`,
    cut(ms: number) {
      gone = true
      for (const socket of sockets) socket.destroy()
      setTimeout(() => {
        gone = false
      }, ms)
    },
    close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
    },
  }
}

const suite = reason === undefined ? describe : describe.skip
const slowed = reason === undefined ? await ifAvailable(startToxiproxy) : { reason }
const throttled = slowed.server === undefined ? test.skip : test
afterAll(() => slowed.server?.stop())
throttled(
  'a slow way: reads go on as long as bytes come, and calls end at their deadline',
  async () => {
    const slow = await slowed.server!.proxy('azure', server.endpoint.replace(/\/[^/]*$/, ''))
    const endpoint = `${slow}/${server.account}`
    const hasty = {
      'alluxio.underfs.azure.endpoint': endpoint,
      'alluxio.underfs.retry.max.duration': '0',
      'alluxio.underfs.stall.timeout': '1s',
      'alluxio.underfs.timeout': '400ms',
    }
    const store = await open('slow', hasty)
    await writeBlocks(store, 'file', 1)
    // 256 KiB a second: the read takes four times as long as the server may be silent.
    await slowed.server!.toxic('azure', 'bandwidth', { rate: 256 })
    expect(await md5Of(store, 'file')).toBe(md5OfBlocks(1))
    await slowed.server!.toxic('azure', 'latency', { latency: 600 })
    await expect(store.list('')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await store.close()
  },
  60_000,
)

suite('Azure', () => {
  let store: UnderStore
  let way: Awaited<ReturnType<typeof startWay>>
  beforeAll(async () => {
    way = await startWay(server.endpoint)
    store = await open('outage', {
      'alluxio.underfs.stall.timeout': '2s',
      'alluxio.underfs.timeout': '4s',
      'alluxio.underfs.azure.endpoint': way.endpoint,
    })
  })
  afterAll(async () => {
    await store.close()
    way.close()
  })

  test('a read, an upload, a listing and a rename survive a server that is gone for half a second', async () => {
    await writeBlocks(store, 'file', 40, (i) => (i === 20 ? way.cut(500) : undefined))
    expect(await md5Of(store, 'file', () => way.cut(500))).toBe(md5OfBlocks(40))
    for (let i = 0; i < 20; i++) await writeBlocks(store, `dir/${i}`, 1)
    way.cut(500)
    expect((await store.list('dir')).entries).toHaveLength(20)
    const moving = store.rename('dir', 'moved')
    way.cut(500)
    await moving
    expect((await store.list('moved')).entries).toHaveLength(20)
    await expect(store.status('dir')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }, 120_000)

  test('an upload to a server that stays away fails cleanly, and nothing is visible', async () => {
    const impatient = await open('outage', { 'alluxio.underfs.retry.max.duration': '300ms' })
    const writer = await impatient.create('never')
    for (let i = 0; i < 20; i++) await writer.write(numberedBlock(i))
    await server.kill()
    await expect(writer.close()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    await expect(store.status('never')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await impatient.close()
  }, 60_000)

  test('a server that hangs is given up after the stall timeout', async () => {
    const impatient = await open('outage', {
      'alluxio.underfs.retry.max.duration': '0',
      'alluxio.underfs.stall.timeout': '300ms',
    })
    server.pause()
    try {
      await expect(impatient.status('file')).rejects.toMatchObject({ code: 'TIMEOUT' })
      await expect(impatient.list('')).rejects.toMatchObject({ code: 'TIMEOUT' })
    } finally {
      server.resume()
    }
    await impatient.close()
  }, 60_000)

  test.each([
    ['a wrong key', { 'alluxio.underfs.azure.account.key': Buffer.from('wrong-4711').toString('base64') }],
    [
      'an unknown account',
      { 'alluxio.underfs.azure.account': 'nobody', 'alluxio.underfs.azure.account.key': 'c2VjcmV0' },
    ],
    [
      'a signature that has expired',
      {
        'alluxio.underfs.azure.account.key': '',
        'alluxio.underfs.azure.sas.token': 'sv=2020-10-02&ss=b&srt=sco&sp=r&se=2001-01-01&sig=AAAA',
      },
    ],
  ])('%s is refused, says what to set and shows no secret', async (_, wrong) => {
    const refused = await open('', { 'alluxio.underfs.retry.max.duration': '0', ...wrong })
    for (const action of [
      () => refused.status('file'),
      () => refused.list(''),
      () => md5Of(refused, 'file'),
      () => writeBlocks(refused, 'file', 1),
      () => refused.mkdir('dir'),
    ]) {
      const error = (await action().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )) as Error
      expect(error).toMatchObject({ code: expect.stringMatching(/UNAUTHENTICATED|PERMISSION_DENIED/) })
      expect(error.message).toMatch(/alluxio\.underfs\.azure|permissions/)
      for (const [key, secret] of Object.entries(wrong)) {
        if (key !== 'alluxio.underfs.azure.account' && secret !== '')
          expect(`${error.stack}`).not.toContain(secret)
      }
    }
    await refused.close()
  })

  test('a shared access signature, a connection string and another address of the container', async () => {
    const sas = accountSas('rwdlac')
    const bare = { 'alluxio.underfs.azure.account.key': '' }
    const string = `AccountName=${server.account};AccountKey=${server.key};BlobEndpoint=${server.endpoint};`
    const ways: [string, Record<string, string>][] = [
      ['wasb://container/ways', { ...bare, 'alluxio.underfs.azure.sas.token': `?${sas}` }],
      ['abfs://container/ways', { 'alluxio.underfs.azure.connection.string': string }],
      [
        `wasb://container@${server.account}.blob.core.windows.net/ways`,
        { 'alluxio.underfs.azure.account': '' },
      ],
    ]
    for (const [uri, options] of ways) {
      const other = await openStore(uri, server.options(options), { runtime: systemRuntime, log: silentLog })
      await writeBlocks(other, 'a file', 2)
      await other.rename('a file', 'another')
      expect(await md5Of(other, 'another')).toBe(md5OfBlocks(2))
      expect((await other.list('')).entries.map(({ path }) => path)).toEqual(['another'])
      await other.delete('another')
      await other.close()
    }
  })

  test('the answer to the request that makes the blob is lost: the writer knows its own blob again', async () => {
    let lost = 0
    const { hostname, port, pathname } = new URL(server.endpoint)
    const proxy = createServer((incoming, answer) => {
      const { method = '', url: path = '', headers } = incoming
      const visible = method === 'PUT' && (!path.includes('?') || path.includes('comp=blocklist'))
      const onward = send({ hostname, port, method, path, headers }, (got) => {
        if (visible && lost++ % 2 === 0) {
          got.resume()
          got.once('end', () => answer.destroy())
          return
        }
        answer.writeHead(got.statusCode ?? 500, got.headers)
        got.pipe(answer)
      })
      incoming.pipe(onward)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${pathname}`
    const other = await open('lost', { 'alluxio.underfs.azure.endpoint': endpoint })
    for (const blocks of [1, 40]) {
      const writer = await other.create(`of-${blocks}`, { ifAbsent: true })
      for (let i = 0; i < blocks; i++) await writer.write(numberedBlock(i))
      const { fingerprint } = await writer.close()
      expect(await other.status(`of-${blocks}`)).toMatchObject({ fingerprint, length: blocks * MIB })
      const second = await other.create(`of-${blocks}`, { ifAbsent: true })
      await second.write(numberedBlock(7))
      await expect(second.close()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    }
    expect(lost).toBeGreaterThan(3)
    await other.close()
    proxy.closeAllConnections()
    proxy.close()
  }, 60_000)

  test('a missing container says so', async () => {
    const options = server.options()
    const missing = await openStore('wasb://no-such', options, { runtime: systemRuntime, log: silentLog })
    for (const action of [
      () => missing.status(''),
      () => missing.list('x'),
      () => writeBlocks(missing, 'file', 1),
    ]) {
      await expect(action()).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'BUCKET_MISSING' })
    }
    await missing.close()
  })

  test('folders of Hadoop are directories, and so are those without a marker', async () => {
    await store.mkdir('hadoop/empty')
    await writeBlocks(store, 'hadoop/a-b', 1)
    await writeBlocks(store, 'hadoop/a/b', 1)
    const put = await fetch(`${server.endpoint}/container/outage/hadoop/made?${accountSas('rwc')}`, {
      method: 'PUT',
      headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-hdi_isfolder': 'true', 'content-length': '0' },
    })
    expect(put.status).toBe(201)
    const shape = (await store.list('hadoop')).entries.map(
      ({ path, directory }) => path + (directory ? '/' : ''),
    )
    expect(shape.sort()).toEqual(['hadoop/a-b', 'hadoop/a/', 'hadoop/empty/', 'hadoop/made/'])
    await writeBlocks(store, 'hadoop/made/file', 1)
    for (const limit of [1, 2, 10]) {
      const found: string[] = []
      for (let cursor: string | undefined; ; ) {
        const page = await store.list('hadoop', {
          recursive: true,
          limit,
          ...(cursor === undefined ? {} : { cursor }),
        })
        found.push(...page.entries.map(({ path, directory }) => path + (directory ? '/' : '')))
        cursor = page.cursor
        if (cursor === undefined) break
      }
      expect(found.sort()).toEqual(
        ['hadoop/a-b', 'hadoop/a/', 'hadoop/a/b', 'hadoop/empty/', 'hadoop/made/', 'hadoop/made/file'].sort(),
      )
    }
    await expect(md5Of(store, 'hadoop/made')).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' })
    await store.rename('hadoop', 'renamed')
    expect((await store.status('renamed/empty')).directory).toBe(true)
    expect((await store.status('renamed/made/file')).length).toBe(MIB)
    await store.delete('renamed', { recursive: true })
    await expect(store.status('renamed')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('a directory moves page by page, but for what has to stay', async () => {
    await store.mkdir('pages/empty')
    for (const name of ['a', 'b/c', 'b/d', 'z']) await writeBlocks(store, `pages/${name}`, 1)
    const stays = (path: string) => path === 'pages/b/c'
    const move = async () => {
      let objects = 0
      for (let cursor: string | undefined; ; ) {
        const moved = await store.moveObjects!('pages', 'there', {
          stays,
          ...(cursor === undefined ? {} : { cursor }),
        })
        objects += moved.objects
        cursor = moved.cursor
        if (cursor === undefined) return objects
      }
    }
    expect(await move()).toBe(5)
    expect(await move()).toBe(0)
    const names = async (path: string) =>
      (await store.list(path, { recursive: true })).entries.map((one) => one.path)
    expect((await names('pages')).sort()).toEqual(['pages/b', 'pages/b/c'])
    expect((await names('there')).sort()).toEqual([
      'there/a',
      'there/b',
      'there/b/d',
      'there/empty',
      'there/z',
    ])
    expect((await store.status('there/empty')).directory).toBe(true)
  })

  test('two writers at once: one wins, the other is told that its blocks are gone', async () => {
    // One block at a time, so that those of the loser are there before the winner drops them.
    const stepwise = await open('race', { 'alluxio.underfs.azure.upload.threads.max': '1' })
    const writers = await Promise.all([stepwise.create('both'), stepwise.create('both')])
    for (const writer of writers) for (let i = 0; i < 40; i++) await writer.write(numberedBlock(i))
    await writers[0]!.close()
    await expect(writers[1]!.close()).rejects.toMatchObject({ code: 'CONFLICT', reason: 'BLOCKS_GONE' })
    expect(await md5Of(stepwise, 'both')).toBe(md5OfBlocks(40))
    await stepwise.close()
  })
})

test('a body cut short with status 200, and one that never comes', async () => {
  const cut = createServer((request, response) => {
    response.setHeader('etag', '"v1"')
    response.setHeader('content-length', 1000)
    if (request.url!.endsWith('/hangs')) return
    response.write('x'.repeat(300))
    setTimeout(() => response.destroy(), 10)
  })
  await new Promise<void>((resolve) => cut.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(cut.address() as AddressInfo).port}/account`
  const store = await openStore(
    'wasb://container',
    {
      'alluxio.underfs.azure.endpoint': endpoint,
      'alluxio.underfs.azure.account': 'account',
      'alluxio.underfs.retry.max.duration': '0',
      'alluxio.underfs.stall.timeout': '200ms',
    },
    { runtime: systemRuntime, log: silentLog },
  )
  await expect(md5Of(store, 'file')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'TRUNCATED' })
  await expect(md5Of(store, 'hangs')).rejects.toMatchObject({ code: 'TIMEOUT' })
  await store.close()
  cut.closeAllConnections()
  cut.close()
})
