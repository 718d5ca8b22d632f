/** The Swift store against Debian's Swift: the contract suite, large objects, what other tools make, outages, credentials. */
import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type AlluxioError, Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { type FaultOptions, openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { MIB, md5Of, md5OfBlocks, numberedBlock, writeBlocks } from '../../support/numbered-blocks.ts'
import { ifAvailable, startToxiproxy, type Toxiproxy } from '../../support/servers/index.ts'
import { type KeystoneSwift, startKeystoneSwift } from '../../support/servers/keystone.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { type SwiftServer, startSwift } from '../../support/servers/swift.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

// Few segments a manifest, so that manifests of manifests are made.
const { server: started, reason } = await ifAvailable(() =>
  startSwift({ slo: 'min_segment_size = 1\nmax_manifest_segments = 8' }),
)
const server = started as SwiftServer
afterAll(() => started?.stop())
const SEGMENTS = '/test-container_segments'

function open(
  path: string,
  options: Record<string, string> = {},
  faults?: FaultOptions,
): Promise<UnderStore> {
  return openStore(
    `swift://${server.container}/${path}`,
    server.options({ 'alluxio.underfs.swift.segment.size': '4MB', ...options }),
    {
      runtime: systemRuntime,
      log: silentLog,
      metrics: new Metrics(),
      ...(faults === undefined ? {} : { faults }),
    },
  )
}

if (reason === undefined) {
  // The server makes 40 small objects a second: 1,000 and more are in the end-to-end test.
  await ufsSuite('Swift', open('below/a prefix'), { largeCount: 130 })
  const faults = { brokenReadRate: 0.3, delayMs: [0, 2] } as const
  const hasty = { 'alluxio.underfs.retry.base.sleep': '2' }
  const small = { largeCount: 20, largeBytes: 10 * MIB }
  await ufsSuite('Swift through faults', open('', hasty, faults), small)
} else {
  skippedUfsSuite('Swift', reason)
}

/** Names in a container, as the server lists them. */
async function listed(path: string): Promise<string[]> {
  const answer = await server.ask('GET', path)
  return answer.status === 200 ? (await answer.text()).split('\n').filter((name) => name !== '') : []
}

async function names(store: UnderStore, options: { recursive?: boolean; limit?: number }): Promise<string[]> {
  const found: string[] = []
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await store.list('', { ...options, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.entries.map(({ path, directory }) => path + (directory ? '/' : '')))
    cursor = page.cursor
    more = cursor !== undefined
  }
  return found
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const suite = reason === undefined ? describe : describe.skip

suite('large objects', () => {
  let store: UnderStore
  beforeAll(async () => {
    store = await open('large')
    expect(await listed(SEGMENTS)).toEqual([])
  })
  afterAll(() => store.close())

  test('segments go when their file is deleted, replaced or given up, and stay when it moves', async () => {
    const made = await writeBlocks(store, 'file', 10)
    expect(await listed(SEGMENTS)).toHaveLength(3)
    expect((await store.status('file')).fingerprint).toBe(made.fingerprint)
    expect((await store.list('')).entries[0]).toMatchObject({
      length: 10 * MIB,
      fingerprint: made.fingerprint,
    })
    await writeBlocks(store, 'file', 6, undefined, 3)
    expect(await listed(SEGMENTS)).toHaveLength(2)
    expect(await md5Of(store, 'file')).toBe(md5OfBlocks(6, 3))
    await store.rename('file', 'dir/moved')
    expect(await listed(SEGMENTS)).toHaveLength(2)
    expect(await md5Of(store, 'dir/moved')).toBe(md5OfBlocks(6, 3))
    await store.rename('dir', 'other')
    expect(await md5Of(store, 'other/moved')).toBe(md5OfBlocks(6, 3))
    const writer = await store.create('other/moved')
    for (let i = 0; i < 10; i++) await writer.write(numberedBlock(i))
    await writer.abort()
    expect(await listed(SEGMENTS)).toHaveLength(2)
    await writeBlocks(store, 'other/moved', 1)
    expect(await listed(SEGMENTS)).toEqual([])
    await writeBlocks(store, 'other/second', 9)
    await store.delete('other', { recursive: true })
    expect(await listed(SEGMENTS)).toEqual([])
  }, 60_000)

  test('more segments than a manifest holds: manifests of manifests, which go as a whole too', async () => {
    await writeBlocks(store, 'nested', 35)
    // 9 segments and 2 manifests.
    expect(await listed(SEGMENTS)).toHaveLength(11)
    expect(await store.status('nested')).toMatchObject({ length: 35 * MIB })
    expect(await md5Of(store, 'nested')).toBe(md5OfBlocks(35))
    const middle: Uint8Array[] = []
    for await (const chunk of store.open('nested', { offset: 32 * MIB - 5, length: 10 })) middle.push(chunk)
    expect(Buffer.concat(middle)).toEqual(
      Buffer.concat([numberedBlock(31).subarray(-5), numberedBlock(32).subarray(0, 5)]),
    )
    await writeBlocks(store, 'nested', 1)
    expect(await listed(SEGMENTS)).toEqual([])
    await writeBlocks(store, 'nested', 35)
    await store.delete('nested')
    expect(await listed(SEGMENTS)).toEqual([])
  }, 60_000)

  test('a move that breaks off leaves two files, and the delete of either leaves the other whole', async () => {
    for (const deleted of ['from', 'to']) {
      await writeBlocks(store, 'from', 6)
      // What a move does up to the delete of its source.
      const head = await server.ask('HEAD', `/${server.container}/large/from`)
      const id = head.headers.get('x-object-meta-alluxio-write-id')!
      const marked = { 'x-object-meta-alluxio-write-id': id, 'x-object-meta-alluxio-shared': 'true' }
      await server.ask('POST', `/${server.container}/large/from`, { headers: marked })
      const destination = `${server.container}/large/to`
      const from = `/${server.container}/large/from?multipart-manifest=get`
      expect((await server.ask('COPY', from, { headers: { destination } })).status).toBe(201)
      const left = deleted === 'from' ? 'to' : 'from'
      expect(await store.status(left)).toMatchObject({ length: 6 * MIB, metadata: {} })
      await store.delete(deleted)
      expect(await md5Of(store, left)).toBe(md5OfBlocks(6))
      await store.delete(left)
    }
    for (const segment of await listed(SEGMENTS)) await server.ask('DELETE', `${SEGMENTS}/${segment}`)
  }, 60_000)

  test('objects that somebody strung together stay when the string is deleted or replaced', async () => {
    const part = async (name: string, body: string) => {
      const { headers } = await server.ask('PUT', `/${server.container}/large/${name}`, { body })
      return {
        path: `/${server.container}/large/${name}`,
        etag: headers.get('etag'),
        size_bytes: body.length,
      }
    }
    const manifest = JSON.stringify([await part('p1', 'hello '), await part('p2', 'world')])
    const joined = `/${server.container}/large/joined?multipart-manifest=put`
    for (const end of [() => store.delete('joined'), () => writeBlocks(store, 'joined', 1)]) {
      expect((await server.ask('PUT', joined, { body: manifest })).status).toBe(201)
      expect(await store.status('joined')).toMatchObject({ length: 11 })
      await end()
      expect(await store.status('p1')).toMatchObject({ length: 6 })
    }
    await server.ask('PUT', `/${server.container}/large/dynamic`, {
      headers: { 'x-object-manifest': `${server.container}/large/p` },
      body: '',
    })
    const { entries } = await store.list('')
    expect(entries.find(({ path }) => path === 'dynamic')).toMatchObject({
      length: 11,
      fingerprint: (await store.status('dynamic')).fingerprint,
    })
    await store.rename('dynamic', 'renamed')
    expect(await md5Of(store, 'renamed')).toBe(createHash('md5').update('hello world').digest('hex'))
    for (const path of ['renamed', 'joined', 'p1', 'p2']) await store.delete(path)
  }, 60_000)
})

suite('directories that other tools made', () => {
  test('a marker without a slash is the directory, on one page or many', async () => {
    const store = await open('marked')
    const put = (name: string, headers: Record<string, string> = {}) =>
      server.ask('PUT', `/${server.container}/marked/${name}`, { headers, body: '' })
    for (const name of ['m', 'm/n', 'empty']) await put(name, { 'content-type': 'application/directory' })
    for (const name of ['m-a', 'm/n/x', 'm/y', 'z']) await put(name)
    for (const limit of [1, 2, 3, 1000]) {
      expect((await names(store, { limit })).sort()).toEqual(['empty/', 'm-a', 'm/', 'z'])
      expect((await names(store, { limit, recursive: true })).sort()).toEqual(
        ['empty/', 'm-a', 'm/', 'm/n/', 'm/n/x', 'm/y', 'z'].sort(),
      )
    }
    expect(await store.status('m')).toMatchObject({ directory: true })
    await store.mkdir('empty')
    await store.rename('empty', 'renamed')
    expect(await names(store, { recursive: true })).toContain('renamed/')
    await store.delete('renamed')
    await expect(store.delete('m')).rejects.toMatchObject({ code: 'DIRECTORY_NOT_EMPTY' })
    await store.delete('m', { recursive: true })
    expect(await names(store, { recursive: true })).toEqual(['m-a', 'z'])
    await store.close()
  }, 60_000)
})

suite('outages', () => {
  const hasty = { 'alluxio.underfs.stall.timeout': '1s', 'alluxio.underfs.timeout': '2s' }
  let store: UnderStore
  beforeAll(async () => {
    store = await open('outage', hasty)
    await writeBlocks(store, 'file', 24)
  })
  afterAll(() => store.close())
  const outage = async (ms = 500) => {
    await server.kill()
    await pause(ms)
    await server.restart()
  }

  test('a listing, a read, an upload and a rename survive a server that is killed and comes back', async () => {
    let back: Promise<void> | undefined
    await writeBlocks(store, 'file', 24, (i) => {
      if (i === 14) back = outage()
    })
    await back
    expect(await md5Of(store, 'file', outage)).toBe(md5OfBlocks(24))
    for (let i = 0; i < 20; i++) await writeBlocks(store, `dir/${i}`, 1)
    back = outage()
    expect((await store.list('dir')).entries).toHaveLength(20)
    await back
    const moving = store.rename('dir', 'moved')
    await pause(100)
    back = outage()
    await moving
    await back
    expect((await store.list('moved')).entries).toHaveLength(20)
    await expect(store.status('dir')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await store.delete('moved', { recursive: true })
  }, 120_000)

  test('an upload to a server that stays away fails cleanly, and nothing is visible', async () => {
    const impatient = await open('outage', { ...hasty, 'alluxio.underfs.retry.max.duration': '500ms' })
    await server.kill()
    await expect(writeBlocks(impatient, 'never', 10)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(writeBlocks(impatient, 'never', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    await expect(store.status('never')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await impatient.close()
  }, 60_000)

  test('a server that hangs is cut off at the deadline; one that is only slow is read', async () => {
    const impatient = await open('outage', {
      ...hasty,
      'alluxio.underfs.stall.timeout': '300ms',
      'alluxio.underfs.retry.max.duration': '0',
    })
    await impatient.status('file')
    server.pause()
    await expect(impatient.status('file')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(impatient.list('')).rejects.toMatchObject({ code: 'TIMEOUT' })
    server.resume()
    const toxiproxy: Toxiproxy = await startToxiproxy()
    const slow = await toxiproxy.proxy('swift', server.endpoint)
    const account = { 'alluxio.underfs.swift.storage.url': `${slow}/v1/AUTH_test` }
    const far = await open('outage', { ...hasty, ...account })
    await toxiproxy.toxic('swift', 'latency', { latency: 100 })
    expect(await md5Of(far, 'file')).toBe(md5OfBlocks(24))
    const later = await toxiproxy.proxy('later', server.endpoint)
    await toxiproxy.toxic('later', 'latency', { latency: 5000 })
    const late = await open('outage', {
      ...hasty,
      'alluxio.underfs.swift.storage.url': `${later}/v1/AUTH_test`,
      'alluxio.underfs.stall.timeout': '10s',
      'alluxio.underfs.retry.max.duration': '0',
    })
    await expect(late.list('')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await toxiproxy.stop()
    for (const one of [impatient, far, late]) await one.close()
  }, 60_000)

  test('a body that is cut short with status 200 is read on from there, never taken for the end', async () => {
    const toxiproxy: Toxiproxy = await startToxiproxy()
    const cut = await toxiproxy.proxy('swift', server.endpoint)
    await toxiproxy.toxic('swift', 'limit_data', { bytes: 5 * MIB })
    const account = { 'alluxio.underfs.swift.storage.url': `${cut}/v1/AUTH_test` }
    const patient = await open('outage', account)
    expect(await md5Of(patient, 'file')).toBe(md5OfBlocks(24))
    const strict = await open('outage', { ...account, 'alluxio.underfs.retry.max.duration': '0' })
    await expect(md5Of(strict, 'file')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'TRUNCATED' })
    // The server itself breaks off when a segment is gone.
    const segments = await listed(SEGMENTS)
    await server.ask('DELETE', `${SEGMENTS}/${segments.at(-1)}`)
    const direct = await open('outage', { 'alluxio.underfs.retry.max.duration': '0' })
    await expect(md5Of(direct, 'file')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await direct.delete('file')
    await toxiproxy.stop()
    for (const one of [patient, strict, direct]) await one.close()
  }, 60_000)
})

suite('credentials', () => {
  const folder = scratchFolder('swift-secrets')
  afterAll(() => folder.remove())
  const file = join(folder.path, 'password')

  test('tokens that end, and a password that changes in its file, go unnoticed', async () => {
    writeFileSync(file, server.password)
    const store = await open('rotated', { 'fs.swift.password': `file:${file}` })
    await writeBlocks(store, 'file', 1)
    await server.revokeTokens()
    expect(await store.status('file')).toMatchObject({ length: MIB })
    await server.revokeTokens()
    const [, listing] = await Promise.all([writeBlocks(store, 'other', 10), store.list('')])
    expect(listing.entries.length).toBeGreaterThan(0)
    writeFileSync(file, 'another-password-2215')
    await server.changePassword('another-password-2215')
    expect(await md5Of(store, 'other')).toBe(md5OfBlocks(10))
    await store.delete('other')
    await store.close()
  }, 60_000)

  test.each([
    ['a wrong password', { 'fs.swift.password': 'not-the-password-5521' }, 'UNAUTHENTICATED', /password/],
    ['an unknown user', { 'fs.swift.user': 'test:nobody' }, 'UNAUTHENTICATED', /fs\.swift\.user/],
    [
      'a user without rights',
      { 'fs.swift.user': 'test:guest', 'fs.swift.password': 'guest-password-1' },
      'PERMISSION_DENIED',
      /ACL/,
    ],
  ])('%s is refused, says what to set and shows no secret', async (_, wrong, code, message) => {
    const store = await open('', wrong)
    for (const action of [
      () => store.status('file'),
      () => store.list(''),
      () => md5Of(store, 'file'),
      () => writeBlocks(store, 'file', 1),
      () => writeBlocks(store, 'file', 10),
      () => store.mkdir('dir'),
    ]) {
      const error = (await action().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )) as AlluxioError
      expect(error).toMatchObject({ code })
      expect(error.message).toMatch(message)
      const shown = `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)} ${error.stack}`
      if ('fs.swift.password' in wrong) expect(shown).not.toContain(wrong['fs.swift.password'])
    }
    await store.close()
  })

  test('options that are missing or wrong are refused before any request', async () => {
    const bare = { runtime: systemRuntime, log: silentLog }
    for (const [uri, options, message] of [
      ['swift:///folder', server.options(), /names no container/],
      ['swift://c', server.options({ 'fs.swift.password': '' }), /fs\.swift\.password is missing/],
      ['swift://c', server.options({ 'fs.swift.user': '' }), /fs\.swift\.user is missing/],
      ['swift://c', server.options({ 'fs.swift.auth.url': 'nowhere' }), /fs\.swift\.auth\.url/],
      ['swift://c', server.options({ 'fs.swift.password': 'env:NOT_SET_ANYWHERE' }), /NOT_SET_ANYWHERE/],
      ['swift://c', server.options({ 'fs.swift.auth.method': 'kerberos' }), /tempauth/],
    ] as const) {
      await expect(openStore(uri, options, bare)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(message),
      })
    }
    rmSync(file, { force: true })
  })

  test('a missing container says so; a provider is cut off the container when it is named', async () => {
    const bare = { runtime: systemRuntime, log: silentLog }
    const dotted = await openStore(`swift://${server.container}.provider/`, server.options(), bare)
    for (const action of [
      () => dotted.status(''),
      () => dotted.list('x'),
      () => writeBlocks(dotted, 'x', 1),
    ]) {
      await expect(action()).rejects.toMatchObject({
        code: 'NOT_FOUND',
        reason: 'BUCKET_MISSING',
        message: expect.stringMatching(/alluxio\.underfs\.swift\.provider=provider/),
      })
    }
    const provider = { 'alluxio.underfs.swift.provider': 'provider' }
    const named = await openStore(`swift://${server.container}.provider/`, server.options(provider), bare)
    expect(await named.status('')).toMatchObject({ directory: true })
    for (const one of [dotted, named]) await one.close()
  })
})

suite('a server without bulk delete and without large objects', () => {
  test('deletes one by one; refuses a large file and says what to set', async () => {
    const plain = await startSwift({ without: ['bulk', 'slo'] })
    try {
      const segments = { 'alluxio.underfs.swift.segment.size': '1MB' }
      const store = await openStore(`swift://${plain.container}`, plain.options(segments), {
        runtime: systemRuntime,
        log: silentLog,
      })
      for (let i = 0; i < 5; i++) await writeBlocks(store, `dir/ü %${i}`, 1)
      await store.delete('dir', { recursive: true })
      expect(await names(store, { recursive: true })).toEqual([])
      await expect(writeBlocks(store, 'large', 3)).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(/segment\.size/),
      })
      await store.close()
    } finally {
      await plain.stop()
    }
  }, 60_000)
})

const keystone = reason === undefined ? await ifAvailable(startKeystoneSwift) : { reason }
afterAll(() => keystone.server?.stop())
const keystoneSuite = keystone.reason === undefined ? describe : describe.skip
keystoneSuite(`Keystone${keystone.reason === undefined ? '' : ` (skipped: ${keystone.reason})`}`, () => {
  const running = keystone.server as KeystoneSwift
  const opened = (options: Record<string, string> = {}) =>
    openStore(`swift://${running.container}`, running.options(options), {
      runtime: systemRuntime,
      log: silentLog,
    })

  test('a password opens the account of the project, and tokens that are revoked are renewed', async () => {
    const folder = scratchFolder('keystone-secrets')
    const file = join(folder.path, 'password')
    writeFileSync(file, running.options()['fs.swift.password']!)
    const secret = { 'fs.swift.password': `file:${file}` }
    const store = await opened({ 'fs.swift.region': running.region, ...secret })
    await writeBlocks(store, 'file', 1)
    const password = 'keystone-password-9934'
    await running.changePassword(password)
    writeFileSync(file, password)
    expect(await md5Of(store, 'file')).toBe(md5OfBlocks(1))
    await running.changePassword(running.options()['fs.swift.password']!)
    await expect(store.status('file')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await store.close()
    folder.remove()
  }, 60_000)

  test('an application credential needs no user', async () => {
    const { id, secret } = await running.makeApplicationCredential()
    const store = await opened({
      'fs.swift.user': '',
      'fs.swift.tenant': '',
      'fs.swift.password': '',
      'alluxio.underfs.swift.application.credential.id': id,
      'alluxio.underfs.swift.application.credential.secret': secret,
    })
    await writeBlocks(store, 'by application', 1)
    expect(await store.status('by application')).toMatchObject({ length: MIB })
    await store.close()
  }, 60_000)

  test.each([
    ['another region', { 'fs.swift.region': 'Mars' }, 'INVALID_ARGUMENT', /public in RegionOne/],
    ['a wrong password', { 'fs.swift.password': 'wrong-5521' }, 'UNAUTHENTICATED', /fs\.swift\.password/],
    ['another project', { 'fs.swift.tenant': 'nobody' }, 'UNAUTHENTICATED', /project/],
    [
      'the interface that leads nowhere',
      { 'alluxio.underfs.swift.interface': 'internal' },
      'UNAVAILABLE',
      /listens/,
    ],
  ])('%s is refused', async (_, wrong, code, message) => {
    const store = await opened({ 'alluxio.underfs.retry.max.duration': '0', ...wrong })
    await expect(store.status('file')).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
    await store.close()
  })
})
