/** Folders on real web servers, read through the HTTP store: nginx (HTML and JSON indexes), Python's, and one of Node's. */
import { createHash } from 'node:crypto'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UfsReadOptions, type UfsStatus, type UnderStore } from '../../../src/ufs/index.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { startNginx, startPythonWeb } from '../../support/servers/web.ts'

const NAMES = [
  'with space',
  'per%cent%20%2F',
  'hash#and?query&amp;=+',
  'quote\'s "double" <tag>',
  'ünïcödé-日本語-🚀',
  '~tilde:colon;semi,comma',
  '.hidden',
  '...',
  'C=N;O=D',
  `long-${'x'.repeat(250)}`,
  '語'.repeat(85),
]
/** More than the sockets on both sides hold: a server that dies amid a read has not sent all. */
const LARGE = 16 * 2 ** 20 + 17
const large = Buffer.from(new Uint8Array(LARGE).map((_, i) => (i * 31 + (i >>> 8) * 7) & 255))

const folder = scratchFolder('web')
mkdirSync(join(folder.path, 'names'))
for (const name of NAMES) writeFileSync(join(folder.path, 'names', name), `content of ${name}`)
for (const name of ['changing', 'dir', 'dir/a b', 'dir/a b/deep', 'dir/empty', 'dir-x'])
  mkdirSync(join(folder.path, name))
for (const name of ['dir/file', 'dir/a b/deep/file', 'dir/a b/z', 'dir-x/file', 'page.html', 'zero']) {
  writeFileSync(join(folder.path, name), name === 'zero' ? '' : name)
}
writeFileSync(join(folder.path, 'large'), large)
mkdirSync(join(folder.path, 'many'))
for (let i = 0; i < 1100; i++)
  writeFileSync(join(folder.path, 'many', `file-${String(i).padStart(4, '0')}`), 'x')
utimesSync(join(folder.path, 'dir/file'), 1_700_000_000, 1_700_000_000)

const nginx = await ifAvailable(() => startNginx(folder.path, 'alice:{PLAIN}pass word\n'))
const python = await ifAvailable(() => startPythonWeb(folder.path))
afterAll(async () => {
  await nginx.server?.stop()
  await python.server?.stop()
  folder.remove()
})
const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function open(uri: string, options: Record<string, string> = {}): Promise<UnderStore> {
  const hasty = { 'alluxio.underfs.retry.max.duration': '100ms', 'alluxio.underfs.stall.timeout': '5s' }
  const store = await openStore(uri, { ...hasty, ...options }, { runtime: systemRuntime, log: silentLog })
  endings.push(() => store.close())
  return store
}

async function get(store: UnderStore, path: string, options: Partial<UfsReadOptions> = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40, ...options })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function listAll(
  store: UnderStore,
  path: string,
  limit: number,
  recursive = false,
): Promise<UfsStatus[]> {
  const entries: UfsStatus[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await store.list(path, { limit, recursive, ...(cursor === undefined ? {} : { cursor }) })
    expect(page.entries.length).toBeLessThanOrEqual(limit)
    entries.push(...page.entries)
    if (page.cursor === undefined) return entries
    cursor = page.cursor
  }
}
const shape = (entries: readonly UfsStatus[]) =>
  entries.map(({ path, directory }) => path + (directory ? '/' : ''))
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')

describe.each([
  ['nginx, HTML', nginx, 'html/'],
  ['nginx, JSON', nginx, 'json/'],
  ['Python', python, ''],
])('%s', (name, { server, reason }, below) => {
  const run = reason === undefined ? test : test.skip
  const root = () => server!.endpoint + below
  const suffix = reason === undefined ? '' : ` (skipped: ${reason})`

  run(`lists directories with lengths and times${suffix}`, async () => {
    const store = await open(root())
    expect(shape((await store.list('')).entries)).toEqual(
      ['changing/', 'dir/', 'dir-x/', 'large', 'many/', 'names/', 'page.html', 'zero'].sort((a, b) =>
        Buffer.compare(Buffer.from(a.replace(/\/$/, '')), Buffer.from(b.replace(/\/$/, ''))),
      ),
    )
    const [, , file] = (await store.list('dir')).entries
    const status = await store.status('dir/file')
    expect(file).toEqual(status)
    expect(status).toMatchObject({ length: 8, modifiedMs: 1_700_000_000_000, directory: false })
    expect(status.fingerprint).not.toBe('')
    expect((await store.status('zero')).length).toBe(0)
    for (const path of ['', 'dir', 'dir/a b', 'dir/empty']) {
      expect(await store.status(path)).toMatchObject({ path, directory: true })
    }
    expect(await store.list('dir/empty')).toEqual({ entries: [] })
  })

  run(
    'lists recursively and by small pages, each name once',
    async () => {
      const store = await open(`${root()}dir`)
      const all = ['a b/', 'a b/deep/', 'a b/deep/file', 'a b/z', 'empty/', 'file']
      for (const limit of [1, 2, 100]) expect(shape(await listAll(store, '', limit, true))).toEqual(all)
      expect(shape(await listAll(store, 'a b', 1, true))).toEqual(['a b/deep/', 'a b/deep/file', 'a b/z'])
      const many = await listAll(await open(root()), 'many', 1000)
      expect(many).toHaveLength(1100)
      expect(new Set(many.map(({ path }) => path)).size).toBe(1100)
    },
    60_000,
  )

  run('names are decoded once and encoded back', async () => {
    const store = await open(root())
    // nginx does not list names that begin with a dot. A name that looks like a sort (`?C=N;O=D`) is none.
    expect((await listAll(store, 'names', 3)).map(({ path }) => path.slice(6))).toEqual(
      NAMES.filter((one) => name === 'Python' || !one.startsWith('.')).sort((a, b) =>
        Buffer.compare(Buffer.from(a), Buffer.from(b)),
      ),
    )
    for (const one of NAMES) {
      expect((await get(store, `names/${one}`)).toString()).toBe(`content of ${one}`)
      expect((await store.status(`names/${one}`)).path).toBe(`names/${one}`)
    }
  })

  run('reads ranges, also from a server that has none', async () => {
    const store = await open(root())
    expect(md5(await get(store, 'large'))).toBe(md5(large))
    for (const [offset, length] of [
      [0, 1],
      [1_000_000, 70_000],
      [LARGE - 5, 100],
      [LARGE, 10],
      [LARGE + 100, 10],
      [5, 0],
    ] as const) {
      expect(md5(await get(store, 'large', { offset, length }))).toBe(
        md5(large.subarray(offset, offset + length)),
      )
    }
    expect(await get(store, 'zero')).toHaveLength(0)
    expect(await get(store, 'zero', { offset: 3, length: 5 })).toHaveLength(0)
    for (let i = 0; i < 20; i++)
      for await (const _ of store.open('large', { offset: i, length: LARGE })) break
    expect((await get(store, 'page.html')).toString()).toBe('page.html')
  })

  run('what is missing, a directory, or changed says so', async () => {
    const store = await open(root())
    await expect(store.status('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.list('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(get(store, 'nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(get(store, 'dir')).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' })
    await expect(get(store, '')).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' })
    await expect(store.list('dir/file')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' })
    const path = join(folder.path, `changing/${name}`)
    writeFileSync(path, 'first')
    utimesSync(path, 1_700_000_000, 1_700_000_000)
    const { fingerprint } = await store.status(`changing/${name}`)
    const versions: string[] = []
    const onFingerprint = (version: string) => versions.push(version)
    expect((await get(store, `changing/${name}`, { fingerprint, onFingerprint })).toString()).toBe('first')
    expect(versions).toEqual([fingerprint])
    writeFileSync(path, 'other')
    await expect(get(store, `changing/${name}`, { fingerprint })).rejects.toMatchObject({
      code: 'CONFLICT',
      reason: 'SOURCE_CHANGED',
    })
  })

  run('nothing can be written', async () => {
    const store = await open(root())
    expect(store.capabilities.readOnly).toBe(true)
    for (const action of [
      () => store.create('new'),
      () => store.mkdir('new'),
      () => store.delete('dir', { recursive: true }),
      () => store.rename('zero', 'one'),
      () => store.setAttributes('zero', { mode: 0o600 }),
    ]) {
      await expect(action()).rejects.toMatchObject({ code: 'PERMISSION_DENIED', reason: 'READ_ONLY_STORE' })
    }
    await expect(store.space()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

const withNginx = nginx.server === undefined ? describe.skip : describe
withNginx('nginx', () => {
  const at = (below: string) => nginx.server!.endpoint + below
  test('wants its password, which no error shows', async () => {
    const user = { 'alluxio.underfs.http.user': 'alice' }
    const right = await open(at('locked'), { ...user, 'alluxio.underfs.http.password': 'pass word' })
    expect((await right.list('dir')).entries).toHaveLength(3)
    const wrong = await open(at('locked'), { ...user, 'alluxio.underfs.http.password': 'wrong-4711' })
    for (const store of [wrong, await open(at('locked'))]) {
      const error = await store.list('').catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringMatching(/http\.user/) })
      expect(String((error as Error).stack)).not.toContain('wrong-4711')
    }
  })

  test('a folder without index can be read but not listed, and says why', async () => {
    const store = await open(at('none'))
    expect((await get(store, 'dir/file')).toString()).toBe('dir/file')
    await expect(store.list('dir')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    // A page of one's own is no index.
    const html = await open(at('html'))
    writeFileSync(join(folder.path, 'dir', 'empty', 'index.html'), '<title>Hello</title><a href="x">x</a>')
    await expect(html.list('dir/empty')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      reason: 'NOT_AN_INDEX',
    })
    await expect(
      (await open(at('html'), { 'alluxio.underfs.web.titles': 'hell' })).list('dir/empty'),
    ).resolves.toBeDefined()
    const small = await open(at('html'), { 'alluxio.underfs.http.index.max.bytes': '1KB' })
    await expect(small.list('many')).rejects.toMatchObject({ code: 'UNSUPPORTED', reason: 'TOO_LARGE' })
  })

  test('redirects are followed on the web, and have an end', async () => {
    expect((await (await open(at('elsewhere'))).list('').catch(() => undefined))?.entries.length ?? -1).toBe(
      -1,
    )
    for (const below of ['loop', 'away']) {
      await expect((await open(at(below))).list('')).rejects.toMatchObject({ reason: 'REDIRECT' })
    }
  })

  test('a server that is killed amid a read and comes back is read to the end', async () => {
    const store = await open(at('html'), { 'alluxio.underfs.retry.max.duration': '20s' })
    let received = 0
    const hash = createHash('md5')
    for await (const chunk of store.open('large', { offset: 0, length: LARGE })) {
      hash.update(chunk)
      if (received === 0) {
        await nginx.server!.kill()
        void nginx.server!.restart()
      }
      received += chunk.length
    }
    expect(hash.digest('hex')).toBe(md5(large))
    await nginx.server!.kill()
    const listing = store.list('dir')
    await nginx.server!.restart()
    expect((await listing).entries).toHaveLength(3)
  }, 60_000)
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a server of our own', () => {
  test('links out of the root, sorts, parents and fragments are no entries', async () => {
    const links = [
      '../',
      '/',
      '/other/x',
      '?C=N;O=D',
      'a?download=1',
      '#top',
      'http://example.org/x',
      'mailto:x@example.org',
      'sub/deeper/file',
      '%2e%2e/x',
      'a%2Fb',
      './plain',
      '/root/absolute',
      'sub/',
      "it's",
    ]
    const seen: string[] = []
    const server = await serve((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      if (request.url === '/root/') {
        response.setHeader('content-type', 'text/html')
        const anchors = links.map((link) => `<A class=x HREF="${link.replaceAll('&', '&amp;')}">x</A>`)
        response.end(`<html><head><title>Index of /root</title></head><body>${anchors.join('')}`)
      } else {
        response.setHeader('etag', 'W/"7"')
        response.setHeader('content-length', '4')
        response.end(request.method === 'HEAD' ? undefined : 'text')
      }
    })
    const store = await open(`${server}/root`)
    expect(shape((await store.list('')).entries)).toEqual(['absolute', "it's", 'plain', 'sub/'])
    expect(seen.filter((one) => one.startsWith('GET'))).toEqual(['GET /root/'])
  })

  test('credentials stay with their origin, and redirects to another are followed without them', async () => {
    const given: Record<string, string | undefined> = {}
    const other = await serve((request, response) => {
      given.other = request.headers.authorization
      response.setHeader('content-length', '5')
      response.end('there')
    })
    const first = await serve((request, response) => {
      given.first = request.headers.authorization
      response.writeHead(307, { location: `${other}/x`, 'content-length': '0' }).end()
    })
    const store = await open(first, { 'alluxio.underfs.http.token': 'token-123' })
    expect((await get(store, 'file')).toString()).toBe('there')
    expect(given).toEqual({ first: 'Bearer token-123', other: undefined })
  })

  test.each([
    ['with a length', { 'content-length': '1000' }],
    ['in pieces', { 'transfer-encoding': 'chunked', 'content-length': undefined }],
  ])(
    'a body cut short with status 200 %s is not taken for the end',
    async (_, { 'content-length': length }) => {
      const server = await serve((request, response) => {
        response.setHeader('content-length', '1000')
        if (request.method === 'HEAD') response.end()
        else {
          if (length === undefined) response.removeHeader('content-length')
          response.write('x'.repeat(300))
          setTimeout(() => response.destroy(), 20)
        }
      })
      const store = await open(server)
      expect((await store.status('file')).length).toBe(1000)
      await expect(get(store, 'file')).rejects.toMatchObject({
        code: expect.stringMatching(length === undefined ? /UNSUPPORTED|UNAVAILABLE/ : /UNAVAILABLE/),
      })
    },
  )

  test('a range that is not the one asked for, a silent server, and one that knows no HEAD', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/silent') return
      if (request.method === 'HEAD') return void response.writeHead(405, { 'content-length': '0' }).end()
      const wrong = request.url === '/wrong' && request.headers.range !== 'bytes=0-0'
      response
        .writeHead(206, { 'content-range': `bytes ${wrong ? 7 : 0}-0/10`, 'content-length': '1' })
        .end('x')
    })
    const store = await open(server, { 'alluxio.underfs.stall.timeout': '200ms' })
    expect((await store.status('file')).length).toBe(10)
    await expect(get(store, 'wrong', { offset: 3, length: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(store.status('silent')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(store.status('silent', AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  test.each([
    [404, 'NOT_FOUND'],
    [403, 'PERMISSION_DENIED'],
    [401, 'UNAUTHENTICATED'],
    [429, 'RESOURCE_EXHAUSTED'],
    [503, 'UNAVAILABLE'],
  ])('%i is %s', async (status, code) => {
    const server = await serve(
      (_request, response) => void response.writeHead(status, { 'content-length': '0' }).end(),
    )
    const store = await open(server)
    await expect(store.status('file')).rejects.toMatchObject({ code })
    await expect(get(store, 'file')).rejects.toMatchObject({ code })
    await expect(store.list('')).rejects.toMatchObject({ code })
  })

  test.each(['http://host/a?b', 'http://host/a#b', 'http:///a', 'http://user:pw@host/'])(
    '%s is refused',
    async (uri) => {
      await expect(open(uri)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    },
  )
})
