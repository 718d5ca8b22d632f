/** Who is believed to be who: names, proxy users, delegation tokens, and the tokens of redirects. */
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster } from '../../../support/cluster.ts'
import { ask, exceptionOf, Hdfs } from './http.ts'

const root = process.env.USER ?? 'root'
/** An address of this machine by which it is not known to itself as loopback. */
const outer = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start({
    proxy: true,
    properties: {
      'alluxio.security.transport': 'none',
      'alluxio.proxy.web.bind.host': '0.0.0.0',
      'alluxio.security.proxyusers': `hue:alice|bob:127.0.0.1,oozie:*:10.255.0.1`,
    },
  })
  const hdfs = new Hdfs(cluster.webHdfs, root)
  await hdfs.call('PUT', '/private', 'MKDIRS', { permission: '700' })
  await hdfs.write('/private/f', Buffer.from('private'))
  await hdfs.call('PUT', '/shared', 'MKDIRS', { permission: '777' })
  await hdfs.write('/shared/f', Buffer.from('shared'))
}, 120_000)
afterAll(() => cluster?.dispose())

/** A call as nobody says who: all that identifies is in the parameters. */
function call(
  method: string,
  path: string,
  op: string,
  parameters: Readonly<Record<string, string>>,
  host = '127.0.0.1',
) {
  const query = new URLSearchParams({ op, ...parameters })
  const port = cluster.webHdfs.split(':')[1]
  return ask(`${host}:${port}`, { method, target: `/webhdfs/v1${path}?${query}` })
}

describe('names', () => {
  test('of callers from this host are believed, with what they may', async () => {
    expect((await call('GET', '/private/f', 'GETFILESTATUS', { 'user.name': root })).status).toBe(200)
    const other = await call('GET', '/private/f', 'GETFILESTATUS', { 'user.name': 'alice' })
    expect([other.status, exceptionOf(other)]).toEqual([403, 'AccessControlException'])
    expect((await call('GET', '/private/f', 'GETFILESTATUS', {})).status).toBe(403)
    expect((await call('GET', '/', 'GETHOMEDIRECTORY', {})).json.Path).toBe('/user/dr.who')
    expect(
      (await call('GET', '/shared', 'CHECKACCESS', { 'user.name': 'alice', fsaction: 'rwx' })).status,
    ).toBe(200)
    expect(
      (await call('GET', '/private', 'CHECKACCESS', { 'user.name': 'alice', fsaction: 'r--' })).status,
    ).toBe(403)
  })

  const withOuter = outer === undefined ? test.skip : test
  withOuter('of callers from elsewhere are not', async () => {
    for (const parameters of [{ 'user.name': root }, {}, { 'user.name': root, doas: 'alice' }]) {
      const answer = await call('GET', '/shared/f', 'GETFILESTATUS', parameters, outer)
      expect([answer.status, exceptionOf(answer)]).toEqual([401, 'AccessControlException'])
    }
    const headers = { 'X-Forwarded-For': '127.0.0.1', Forwarded: 'for=127.0.0.1', Host: 'localhost' }
    const port = cluster.webHdfs.split(':')[1]
    const forged = await ask(`${outer}:${port}`, {
      target: `/webhdfs/v1/shared/f?op=GETFILESTATUS&user.name=${root}`,
      headers,
    })
    expect(forged.status).toBe(401)
  })

  test('that are none are refused', async () => {
    for (const name of ['a b', '../x', 'a/b', '\n', 'x'.repeat(200), '*', '"']) {
      const answer = await call('GET', '/shared/f', 'GETFILESTATUS', { 'user.name': name })
      expect([name, answer.status]).toEqual([name, 400])
    }
  })

  test('do not count from pages of web sites', async () => {
    const target = `/webhdfs/v1/shared/f?op=TRUNCATE&newlength=1&user.name=${root}`
    for (const headers of [
      { Origin: 'http://evil.example' },
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-origin', Host: 'rebound.example' },
    ]) {
      const answer = await ask(cluster.webHdfs, {
        method: 'POST',
        target,
        headers: headers as Record<string, string>,
      })
      expect([headers, answer.status]).toEqual([headers, 403])
      expect(answer.headers['access-control-allow-origin']).toBeUndefined()
    }
    const typed = {
      target: `/webhdfs/v1/?op=LISTSTATUS&user.name=${root}`,
      headers: { 'Sec-Fetch-Site': 'none' },
    }
    expect((await ask(cluster.webHdfs, typed)).status).toBe(200)
  })

  test('of others are for those who may act for them', async () => {
    const home = async (user: string, doas: string) =>
      call('GET', '/', 'GETHOMEDIRECTORY', { 'user.name': user, doas })
    expect((await home('hue', 'alice')).json.Path).toBe('/user/alice')
    expect((await home('alice', 'alice')).json.Path).toBe('/user/alice')
    for (const [user, doas] of [
      ['hue', root],
      ['alice', 'bob'],
      ['oozie', 'alice'],
      ['hue2', 'alice'],
      [root, 'alice'],
    ] as const)
      expect([user, (await home(user, doas)).status]).toEqual([user, 403])
  })
})

describe('delegation tokens', () => {
  async function issue(user: string, renewer: string): Promise<string> {
    return (await call('GET', '/', 'GETDELEGATIONTOKEN', { 'user.name': user, renewer })).json.Token.urlString
  }

  test('act for their owner, from anywhere', async () => {
    const delegation = await issue('alice', 'yarn')
    expect((await call('GET', '/', 'GETHOMEDIRECTORY', { delegation }, outer ?? '127.0.0.1')).json.Path).toBe(
      '/user/alice',
    )
    expect((await call('GET', '/private/f', 'GETFILESTATUS', { delegation })).status).toBe(403)
    const other = await call('GET', '/', 'GETHOMEDIRECTORY', { delegation, 'user.name': root })
    expect(other.status).toBe(403)
  })

  test('are renewed by their renewer, and cancelled by their owner, for good', async () => {
    const token = await issue('alice', 'yarn')
    const renewed = await call('PUT', '/', 'RENEWDELEGATIONTOKEN', { 'user.name': 'yarn', token })
    expect(renewed.json.long).toBeGreaterThan(Date.now() + 23 * 3600_000)
    for (const user of ['alice', 'bob']) {
      const answer = await call('PUT', '/', 'RENEWDELEGATIONTOKEN', { 'user.name': user, token })
      expect([answer.status, exceptionOf(answer)]).toEqual([403, 'AccessControlException'])
    }
    expect((await call('PUT', '/', 'CANCELDELEGATIONTOKEN', { 'user.name': 'bob', token })).status).toBe(403)
    expect((await call('PUT', '/', 'CANCELDELEGATIONTOKEN', { 'user.name': 'alice', token })).status).toBe(
      200,
    )
    const used = await call('GET', '/', 'GETHOMEDIRECTORY', { delegation: token })
    expect([used.status, used.json.RemoteException?.javaClassName]).toEqual([
      403,
      'org.apache.hadoop.security.token.SecretManager$InvalidToken',
    ])
    expect((await call('PUT', '/', 'RENEWDELEGATIONTOKEN', { 'user.name': 'yarn', token })).status).toBe(403)
  })

  test('cannot be made from tokens, nor made up', async () => {
    const delegation = await issue('alice', 'yarn')
    for (const op of ['GETDELEGATIONTOKEN', 'GETDELEGATIONTOKENS'])
      expect((await call('GET', '/', op, { delegation })).status).toBe(403)
    const bytes = Buffer.from(delegation, 'base64url')
    for (let at = 0; at < bytes.length - 20; at += 3) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      const { status } = await call('GET', '/', 'GETHOMEDIRECTORY', {
        delegation: changed.toString('base64url'),
      })
      expect([at, status]).toEqual([at, 403])
    }
    for (const text of ['', 'AAAA', 'x'.repeat(5000), '%00'])
      expect((await call('GET', '/', 'GETHOMEDIRECTORY', { delegation: text })).status).toBe(403)
  })

  test('outlive the proxy and the master', async () => {
    const delegation = await issue('alice', 'yarn')
    const cancelled = await issue('alice', 'yarn')
    await call('PUT', '/', 'CANCELDELEGATIONTOKEN', { 'user.name': 'alice', token: cancelled })
    await Promise.all([cluster.proxy!.kill(), cluster.master.kill()])
    await cluster.master.start()
    await cluster.proxy!.start()
    await cluster.workersLive(1)
    expect((await call('GET', '/', 'GETHOMEDIRECTORY', { delegation })).json.Path).toBe('/user/alice')
    expect((await call('GET', '/', 'GETHOMEDIRECTORY', { delegation: cancelled })).status).toBe(403)
  }, 60_000)
})

describe('redirects', () => {
  async function redirected(method: string, path: string, op: string, user = root): Promise<URL> {
    return new URL((await call(method, path, op, { 'user.name': user })).headers.location!)
  }

  test('lead to a worker, for one path, operation and user', async () => {
    const to = await redirected('GET', '/shared/f', 'OPEN')
    expect(to.host).toBe(`127.0.0.1:${cluster.workers[0]!.webPort}`)
    expect((await ask(to.host, { target: to.pathname + to.search })).body.toString()).toBe('shared')
    expect(to.searchParams.get('user.name')).toBeNull()
    const token = to.searchParams.get('alluxio.token')!
    const refused: readonly [string, string][] = [
      ['GET', '/webhdfs/v1/private/f?op=OPEN'],
      ['GET', '/webhdfs/v1/shared?op=OPEN'],
      ['PUT', '/webhdfs/v1/shared/f?op=CREATE&overwrite=true'],
      ['POST', '/webhdfs/v1/shared/f?op=APPEND'],
      ['GET', '/webhdfs/v1/shared/f?op=GETFILECHECKSUM'],
    ]
    for (const host of [to.host, cluster.webHdfs]) {
      for (const [method, target] of refused) {
        const body = method === 'GET' ? {} : { body: Buffer.from('x') }
        const answer = await ask(host, { method, target: `${target}&alluxio.token=${token}`, ...body })
        expect([target, answer.status, exceptionOf(answer)]).toEqual([target, 403, 'AccessControlException'])
      }
    }
    const [ends, , signature] = token.split('.')
    const asAlice = `${ends}.${Buffer.from('alice').toString('base64url')}.${signature}`
    const later = `${(Number.parseInt(ends!, 36) + 1).toString(36)}.${token.split('.').slice(1).join('.')}`
    for (const forged of [asAlice, later, '', '..', 'a.b.c', `${token}.x`, token.slice(0, -1)]) {
      const target = `/webhdfs/v1/shared/f?op=OPEN&alluxio.token=${forged}`
      expect([forged, (await ask(to.host, { target })).status]).toEqual([forged, 403])
    }
  })

  test('are the only way to a worker', async () => {
    const worker = `127.0.0.1:${cluster.workers[0]!.webPort}`
    for (const op of ['OPEN', 'GETFILESTATUS', 'LISTSTATUS', 'DELETE', ''])
      for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
        const { status } = await ask(worker, {
          method,
          target: `/webhdfs/v1/shared/f?op=${op}&user.name=${root}`,
        })
        expect([method, op, status]).toEqual([method, op, 403])
      }
  })

  test('let nobody do what he may not', async () => {
    expect((await call('GET', '/private/f', 'OPEN', { 'user.name': 'alice' })).status).toBe(403)
    const to = await redirected('PUT', '/private/new', 'CREATE', root)
    expect(to.pathname).toBe('/webhdfs/v1/private/new')
    await call('PUT', '/shared/of-alice', 'MKDIRS', { 'user.name': 'alice' })
    const made = await ask(cluster.webHdfs, {
      ...{ method: 'PUT', follow: true, body: Buffer.from('x') },
      target: '/webhdfs/v1/shared/of-alice/f?op=CREATE&user.name=alice',
    })
    expect(made.status).toBe(201)
    const { json } = await call('GET', '/shared/of-alice/f', 'GETFILESTATUS', { 'user.name': root })
    expect(json.FileStatus).toMatchObject({ owner: 'alice' })
  })
})
