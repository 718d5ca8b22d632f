/** The SFTP plug-in against a real sshd, in the thread that it runs in; what it does when the server dies, refuses or is slow. */
import { createHmac } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { Config } from '../../../src/core/config/index.ts'
import '../../../src/core/options/index.ts'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { type FaultOptions, openStore, StorePlugIns, type UnderStore } from '../../../src/ufs/index.ts'
import { patternBytes } from '../../support/cluster.ts'
import { ifAvailable, startToxiproxy } from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { type Sshd, startSshd } from '../../support/servers/sshd.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

const PREFIX = 'alluxio.underfs.sftp.'
const MIB = 2 ** 20
const scratch = scratchFolder('sftp')
const { server: started, reason } = await ifAvailable(startSshd)
const sshd = started as Sshd
const plugIns = StorePlugIns.of(
  Config.load({
    env: { ALLUXIO_DATA: scratch.path },
    overrides: { 'alluxio.underfs.modules': `sftp=${resolve('plugins/ufs-sftp/src/index.mjs')}` },
  }),
)
const opened: UnderStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
afterAll(async () => {
  await started?.stop()
  scratch.remove()
})

interface Opening {
  readonly path?: string
  readonly port?: number
  readonly faults?: FaultOptions
}

/** `options` replace those that log in by key; '' takes one away. */
async function start(options: Record<string, string> = {}, { path = '', port, faults }: Opening = {}) {
  return openStore(
    `sftp://127.0.0.1:${port ?? sshd.port}${sshd.folder}/${path}`,
    { ...sshd.options, ...options },
    { runtime: systemRuntime, log: silentLog, plugIns, ...(faults === undefined ? {} : { faults }) },
  )
}

async function open(options?: Record<string, string>, opening?: Opening): Promise<UnderStore> {
  const store = await start(options, opening)
  opened.push(store)
  return store
}

function file(name: string, text: string): string {
  const path = join(scratch.path, name)
  writeFileSync(path, text)
  return path
}

async function put(store: UnderStore, path: string, bytes: Uint8Array): Promise<void> {
  const writer = await store.create(path)
  for (let at = 0; at < bytes.length; at += MIB) await writer.write(bytes.subarray(at, at + MIB))
  await writer.close()
}

const failureOf = (running: Promise<unknown>) =>
  running.then(
    () => undefined,
    (error: Error & { code: string; reason?: string }) => error,
  )

const ONCE = { 'alluxio.underfs.retry.max.duration': '0ms' }

if (reason === undefined) {
  mkdirSync(join(sshd.folder, 'suite'))
  mkdirSync(join(sshd.folder, 'faulty'))
  await ufsSuite('sshd', start({}, { path: 'suite' }))
  const faults = { brokenReadRate: 0.3, delayMs: [0, 2] } as const
  const small = { largeCount: 60, largeBytes: 20 * MIB }
  const hasty = { 'alluxio.underfs.retry.base.sleep': '2ms' }
  await ufsSuite('sshd, with faults', start(hasty, { path: 'faulty', faults }), small)
} else skippedUfsSuite('sshd', reason)

const given = reason === undefined ? describe : describe.skip

given('logging in', () => {
  const login = async (options: Record<string, string>) =>
    failureOf((await open({ ...ONCE, ...options })).status(''))

  test('by password, and by a wrong one', async () => {
    if (sshd.password === undefined) return
    const byPassword = (text: string) => ({
      [`${PREFIX}private.key`]: '',
      [`${PREFIX}password`]: `file:${file('password', text)}`,
    })
    expect(await login(byPassword(sshd.password))).toBeUndefined()
    const error = await login(byPassword('wrong password'))
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'SFTP_LOGIN' })
    expect(error?.message).not.toContain('wrong password')
  })

  test('with a key that the server does not know', async () => {
    const stranger = readFileSync(sshd.keyFile.replace('user_key', 'host_key'), 'utf8')
    expect(await login({ [`${PREFIX}private.key`]: `file:${file('stranger', stranger)}` })).toMatchObject({
      code: 'UNAUTHENTICATED',
    })
  })

  test.each([
    [{ [`${PREFIX}user`]: '' }, 'say whom to log in as'],
    [{ [`${PREFIX}private.key`]: '' }, 'say how to log in'],
    [{ [`${PREFIX}password`]: 'in the open' }, 'is a secret: write env:NAME or file:PATH'],
    [{ [`${PREFIX}connections`]: '1000' }, 'from 1 to 64'],
  ])('options %j are refused', async (options, says) => {
    expect(await failureOf(start(options))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(says),
    })
  })
})

given('the key of the host', () => {
  const line = () => readFileSync(sshd.knownHosts, 'utf8').trim()
  const status = async (known: string) =>
    failureOf((await open({ ...ONCE, [`${PREFIX}known.hosts`]: file('known', known) })).status(''))

  test('is known by name, by a pattern and by a hash', async () => {
    expect(await status(line())).toBeUndefined()
    const [where, ...key] = line().split(' ')
    expect(await status(`# ours\n\n*.example.org,[127.*]:${sshd.port} ${key.join(' ')}\n`)).toBeUndefined()
    const salt = Buffer.alloc(20, 7)
    const hash = createHmac('sha1', salt).update(where!).digest('base64')
    expect(await status(`|1|${salt.toString('base64')}|${hash} ${key.join(' ')}`)).toBeUndefined()
  })

  test.each([
    ['of another host', (known: string) => known.replace('127.0.0.1', '127.0.0.2'), 'is not known'],
    ['of another port', (known: string) => known.replace(/:\d+/, ':1'), 'is not known'],
    ['excluded', (known: string) => known.replace(/^(\S+)/, '$1,![127.0.0.1]:*'), 'is not known'],
    ['revoked', (known: string) => `${known}\n@revoked ${known}`, 'is revoked'],
    [
      'another one',
      (known: string) =>
        known.replace(
          /ssh-ed25519 \S+/,
          readFileSync(`${sshd.keyFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' '),
        ),
      'is not the one that is known',
    ],
  ])('%s: refused, and never asked twice', async (_name, change, says) => {
    const error = await status(change(line()))
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'SFTP_HOST_KEY' })
    expect(error?.message).toMatch(says)
  })

  test('a file that is missing is an error that names it', async () => {
    const missing = join(scratch.path, 'none')
    const store = await open({ ...ONCE, [`${PREFIX}known.hosts`]: missing })
    expect(await failureOf(store.status(''))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(missing),
    })
  })
})

given('what others do in the folder', () => {
  test('links are not followed, and files being written are not shown', async () => {
    const folder = join(sshd.folder, 'shown')
    mkdirSync(folder)
    symlinkSync('/etc', join(folder, 'link'))
    const store = await open({}, { path: 'shown' })
    const writer = await store.create('file')
    await writer.write(patternBytes(1, 1000))
    expect((await store.list('')).entries).toEqual([])
    expect(readdirSync(folder).length).toBe(2)
    expect(await failureOf(store.status('link'))).toMatchObject({ code: 'NOT_FOUND' })
    await writer.close()
    expect((await store.list('')).entries).toMatchObject([{ path: 'file', length: 1000 }])
  })

  test('a version of the same length within the same second is another one', async () => {
    const store = await open({}, { path: 'versions' })
    const prints = new Set<string>()
    for (let i = 0; i < 4; i++) {
      await put(store, 'file', patternBytes(i, 100))
      prints.add((await store.status('file')).fingerprint)
    }
    expect(prints.size).toBe(4)
  })
})

given('a server that is killed and comes back', () => {
  const bytes = patternBytes(8, 32 * MIB)
  /** Kills the server now; it is back a moment later. */
  const bounce = async () => {
    await sshd.kill()
    return pause(300).then(() => sshd.start())
  }

  test('in the middle of a read: it goes on where it broke', async () => {
    const store = await open({}, { path: 'bounced' })
    await put(store, 'large', bytes)
    const chunks: Buffer[] = []
    let bouncing: Promise<void> | undefined
    for await (const chunk of store.open('large', { offset: 0, length: bytes.length })) {
      chunks.push(Buffer.from(chunk))
      bouncing ??= bounce()
    }
    await bouncing
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  test('in the middle of a write: it fails, nothing of it is visible, and the next one succeeds', async () => {
    const store = await open({}, { path: 'bounced' })
    const writer = await store.create('broken')
    await writer.write(bytes.subarray(0, 4 * MIB))
    const bouncing = bounce()
    const failure = await failureOf(
      (async () => {
        for (let i = 0; i < 8; i++) await writer.write(bytes.subarray(0, 4 * MIB))
        await writer.close()
      })(),
    )
    expect(failure).toMatchObject({ code: 'UNAVAILABLE' })
    await bouncing
    await writer.abort()
    expect(existsSync(join(sshd.folder, 'bounced/broken'))).toBe(false)
    await put(store, 'broken', bytes.subarray(0, 1000))
    expect(readFileSync(join(sshd.folder, 'bounced/broken')).equals(bytes.subarray(0, 1000))).toBe(true)
  })

  test('between the pages of a listing, and during renames: each ends right or is told as failed', async () => {
    const store = await open({}, { path: 'moved' })
    for (let i = 0; i < 60; i++) await put(store, `from/${i}`, bytes.subarray(0, i))
    const first = await store.list('from', { limit: 30 })
    const bouncing = bounce()
    const second = await store.list('from', { limit: 30, cursor: first.cursor! })
    expect(new Set([...first.entries, ...second.entries].map(({ path }) => path)).size).toBe(60)
    await bouncing
    await store.mkdir('to')
    let again: Promise<void> | undefined
    const failures: unknown[] = []
    for (let i = 0; i < 60; i++) {
      if (i === 20) again = bounce()
      const failure = await failureOf(store.rename(`from/${i}`, `to/${i}`))
      if (failure !== undefined) failures.push(failure)
    }
    await again
    for (const failure of failures) expect(failure).toMatchObject({ code: 'UNAVAILABLE' })
    const names = [
      ...readdirSync(join(sshd.folder, 'moved/from')),
      ...readdirSync(join(sshd.folder, 'moved/to')),
    ]
    expect(names.sort()).toEqual(Array.from({ length: 60 }, (_, i) => String(i)).sort())
  })
})

given('a slow server', () => {
  test('is cut off at the deadline, which names the plug-in', async () => {
    const toxiproxy = await ifAvailable(startToxiproxy)
    if (toxiproxy.server === undefined) return
    const port = Number(new URL(await toxiproxy.server.proxy('sshd', `http://127.0.0.1:${sshd.port}`)).port)
    const known = file('proxied', readFileSync(sshd.knownHosts, 'utf8').replace(/:\d+/, `:${port}`))
    const options = { ...ONCE, [`${PREFIX}known.hosts`]: known, 'alluxio.underfs.timeout': '1s' }
    const store = await open(options, { port })
    expect((await store.status('')).directory).toBe(true)
    await toxiproxy.server.toxic('sshd', 'latency', { latency: 3000 })
    const start = performance.now()
    const error = await failureOf(store.status(''))
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('ufs-sftp') })
    expect(performance.now() - start).toBeLessThan(2500)
    await toxiproxy.server.stop()
  })
})
