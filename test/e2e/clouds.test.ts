/** A cluster over Azure (Azurite) and over a web server: what reaches the store, and how often it is asked. */
import { createHmac } from 'node:crypto'
import { createServer, type Server, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { startAzurite } from '../support/servers/azurite.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const azurite = await ifAvailable(startAzurite)
let cluster: Cluster
let fs: FileSystem
const servers: Server[] = []

beforeAll(async () => {
  cluster = await Cluster.start({ memory: '256MB' })
  fs = await cluster.connect()
}, 120_000)
afterAll(async () => {
  await cluster?.dispose()
  await azurite.server?.stop()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Passes requests on and counts them by method. */
async function counted(target: string): Promise<{ endpoint: string; take(): Record<string, number> }> {
  const { hostname, port, pathname } = new URL(target)
  let calls: Record<string, number> = {}
  const origin = await listen(
    createServer((incoming, answer) => {
      const { method = '', url: path, headers } = incoming
      calls[method] = (calls[method] ?? 0) + 1
      const onward = send({ hostname, port, method, path, headers }, (got) => {
        answer.writeHead(got.statusCode ?? 500, got.headers)
        got.pipe(answer)
      })
      onward.on('error', () => answer.destroy())
      incoming.pipe(onward)
    }),
  )
  return {
    endpoint: origin + pathname,
    take() {
      const taken = calls
      calls = {}
      return taken
    },
  }
}

async function names(path: string): Promise<string[]> {
  const found: string[] = []
  for await (const entry of fs.list(path)) found.push(entry.path)
  return found
}

const withAzure = azurite.server === undefined ? describe.skip : describe
withAzure('Azure', () => {
  const server = azurite.server!

  /** Asks the store itself, not through us. */
  async function ask(method: string, below: string, query = ''): Promise<Response> {
    const [sp, sv, se] = ['rwdlac', '2020-10-02', '2099-01-01']
    const text = `${[server.account, sp, 'b', 'sco', '', se, '', '', sv].join('\n')}\n`
    const sig = createHmac('sha256', Buffer.from(server.key, 'base64')).update(text).digest('base64')
    const sas = new URLSearchParams({ sv, ss: 'b', srt: 'sco', sp, se, sig })
    return fetch(`${server.endpoint}/${below}?${query === '' ? '' : `${query}&`}${sas}`, { method })
  }

  test('written through, read cold and warm, renamed, deleted', async () => {
    expect((await ask('PUT', 'e2e', 'restype=container')).status).toBe(201)
    const way = await counted(server.endpoint)
    await fs.mount('/azure', 'wasb://e2e/root', {
      options: server.options({ 'alluxio.underfs.azure.endpoint': way.endpoint }),
    })
    const bytes = patternBytes(3 * 2 ** 20 + 5, 1)
    await writeWhole(fs, '/azure/dir/a file', bytes, 'CACHE_THROUGH')
    const stored = await ask('GET', 'e2e/root/dir/a%20file')
    expect(Buffer.compare(Buffer.from(await stored.arrayBuffer()), bytes)).toBe(0)

    way.take()
    expect(Buffer.compare(await readWhole(fs, '/azure/dir/a file'), bytes)).toBe(0)
    expect(way.take()).toEqual({})

    await fs.rename('/azure/dir/a file', '/azure/dir/moved')
    expect((await ask('HEAD', 'e2e/root/dir/a%20file')).status).toBe(404)
    expect((await ask('HEAD', 'e2e/root/dir/moved')).status).toBe(200)
    await fs.delete('/azure/dir', { recursive: true })
    expect((await ask('HEAD', 'e2e/root/dir/moved')).status).toBe(404)
  }, 60_000)

  test('1,000 files of others: one page, one GET each, none when warm', async () => {
    await fs.mount('/fill', 'wasb://e2e/thousand', { options: server.options() })
    const all = Array.from({ length: 1000 }, (_, i) => `file-${String(i).padStart(4, '0')}`)
    for (let i = 0; i < all.length; i += 50) {
      await Promise.all(
        all.slice(i, i + 50).map((name) => writeWhole(fs, `/fill/${name}`, patternBytes(4096, 3), 'THROUGH')),
      )
    }
    await fs.unmount('/fill')
    const way = await counted(server.endpoint)
    const options = server.options({ 'alluxio.underfs.azure.endpoint': way.endpoint })
    await fs.mount('/thousand', 'wasb://e2e/thousand/', { options })
    way.take()
    const found = await names('/thousand')
    expect(found).toHaveLength(1000)
    expect(way.take()).toEqual({ GET: 1 })
    for (let i = 0; i < found.length; i += 50) {
      await Promise.all(found.slice(i, i + 50).map((path) => readWhole(fs, path)))
    }
    expect(way.take()).toEqual({ GET: 1000 })
    for (const path of found.slice(0, 50)) await readWhole(fs, path)
    expect(way.take()).toEqual({})
    for (const path of found.slice(0, 10)) await fs.delete(path)
    const left = await (
      await ask('GET', 'e2e', 'restype=container&comp=list&prefix=thousand/file-000')
    ).text()
    expect(left).not.toContain('<Name>')
  }, 240_000)
})

test('a folder of a web server is mounted read-only, read cold and warm', async () => {
  const bytes = patternBytes(2 ** 20 + 3, 2)
  const seen: string[] = []
  const origin = await listen(
    createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      if (request.url === '/data/') {
        response.setHeader('content-type', 'text/html')
        response.end('<title>Index of /data/</title><a href="../">../</a><a href="a%20file">a file</a>')
        return
      }
      if (request.url !== '/data/a%20file')
        return void response.writeHead(404, { 'content-length': '0' }).end()
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
      const part = from === undefined ? bytes : bytes.subarray(Number(from), to ? Number(to) + 1 : undefined)
      response.setHeader('etag', '"v1"')
      if (from !== undefined) {
        response.statusCode = 206
        response.setHeader('content-range', `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`)
      }
      response.setHeader('content-length', part.length)
      response.end(request.method === 'HEAD' ? undefined : part)
    }),
  )
  await fs.mount('/web', `${origin}/data`)
  expect(await names('/web')).toEqual(['/web/a file'])
  expect(Buffer.compare(await readWhole(fs, '/web/a file'), bytes)).toBe(0)
  seen.length = 0
  expect(Buffer.compare(await readWhole(fs, '/web/a file'), bytes)).toBe(0)
  expect(seen).toEqual([])
  await expect(writeWhole(fs, '/web/new', bytes, 'CACHE_THROUGH')).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  })
  await expect(fs.delete('/web/a file')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(seen).toEqual([])
})
