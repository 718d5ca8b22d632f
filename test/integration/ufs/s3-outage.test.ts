/** A real S3 server that stops, dies and comes back under reads and writes, and refuses wrong credentials. */
import { inspect } from 'node:util'
import { afterAll, describe, expect, test } from '@jest/globals'
import { type AlluxioError, JsonLog, Secret, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { RetryPolicy } from '../../../src/ufs/layers/retry-policy.ts'
import { connect } from '../../../src/ufs/s3/client.ts'
import { Copier } from '../../../src/ufs/s3/copy.ts'
import { ifAvailable, type S3Server, startMinio } from '../../support/servers/index.ts'

const { server: started, reason } = await ifAvailable(startMinio)
const server = started as S3Server
afterAll(() => started?.stop())

const MIB = 2 ** 20
const lines: string[] = []
const open = (bucket: string, options: Record<string, string>): Promise<UnderStore> =>
  openStore(`s3://${bucket}`, options, {
    runtime: systemRuntime,
    log: new JsonLog({ level: 'debug' }, { sink: (line) => lines.push(line), runtime: systemRuntime }),
  })
const hasty = () =>
  open(
    server.bucket,
    server.options({ 'alluxio.underfs.stall.timeout': '1s', 'alluxio.underfs.timeout': '2s' }),
  )

function block(index: number): Uint8Array {
  return new Uint8Array(MIB).map((_, i) => (i * 7 + index * 13 + (i >>> 9)) & 255)
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function write(store: UnderStore, path: string, blocks: number, between?: (i: number) => unknown) {
  const writer = await store.create(path)
  for (let i = 0; i < blocks; i++) {
    await writer.write(block(i))
    await between?.(i)
  }
  return writer.close()
}

async function verify(store: UnderStore, path: string, blocks: number, between?: (mib: number) => unknown) {
  const hash = (await import('node:crypto')).createHash('md5')
  const expected = (await import('node:crypto')).createHash('md5')
  for (let i = 0; i < blocks; i++) expected.update(block(i))
  let received = 0
  let last = -1
  for await (const chunk of store.open(path, { offset: 0, length: blocks * MIB })) {
    hash.update(chunk)
    received += chunk.length
    const mib = Math.floor(received / MIB)
    if (mib !== last) await between?.(mib)
    last = mib
  }
  expect(received).toBe(blocks * MIB)
  expect(hash.digest('hex')).toBe(expected.digest('hex'))
}

const suite = reason === undefined ? describe : describe.skip
suite(`S3 server outages${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('a read survives a server that hangs for 3 s, and one that is killed and restarted', async () => {
    const store = await hasty()
    await write(store, 'outage', 64)
    let broken = 0
    await verify(store, 'outage', 64, (mib) => {
      if (mib === 5) {
        broken++
        server.pause()
        setTimeout(() => server.resume(), 3000)
      }
      if (mib === 30) {
        broken++
        void server.kill().then(async () => {
          await pause(2000)
          await server.restart()
        })
        return pause(500)
      }
      return undefined
    })
    expect(broken).toBe(2)
  }, 120_000)

  test('an upload survives a server that hangs, and one that is killed and restarted', async () => {
    const store = await hasty()
    await write(store, 'upload', 80, (i) => {
      if (i === 20) {
        server.pause()
        setTimeout(() => server.resume(), 3000)
      }
      if (i === 50) {
        void server.kill().then(async () => {
          await pause(2000)
          await server.restart()
        })
      }
    })
    await verify(store, 'upload', 80)
  }, 120_000)

  test('an upload to a server that stays away fails cleanly, and nothing is visible', async () => {
    const store = await open(
      server.bucket,
      server.options({ 'alluxio.underfs.retry.max.duration': '1s', 'alluxio.underfs.stall.timeout': '1s' }),
    )
    await server.kill()
    await expect(write(store, 'never', 40)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    await expect(store.status('never')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }, 120_000)

  test.each([
    ['a wrong secret key', { 's3a.secretKey': 'not-the-secret-key-5521' }, /secret key does not belong/],
    ['an unknown access key', { 's3a.accessKeyId': 'nobody-knows-me-7731' }, /does not know the access key/],
  ])('%s is UNAUTHENTICATED, says what to set and shows no secret', async (_, wrong, message) => {
    const store = await open(server.bucket, server.options(wrong))
    for (const action of [
      () => store.status('file'),
      () => store.status(''),
      () => store.list(''),
      () => verify(store, 'file', 1),
      () => write(store, 'file', 1),
      () => write(store, 'file', 40),
      () => store.mkdir('dir'),
    ]) {
      const error = (await action().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )) as AlluxioError
      expect(error).toMatchObject({ code: 'UNAUTHENTICATED' })
      expect(error.message).toMatch(message)
      const shown = `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)} ${error.stack}`
      for (const secret of [server.secretKey, ...Object.values(wrong)]) expect(shown).not.toContain(secret)
    }
  })

  test('no credentials at all', async () => {
    const { 's3a.accessKeyId': _a, 's3a.secretKey': _s, ...bare } = server.options()
    const store = await open(server.bucket, { ...bare, 'alluxio.underfs.s3.anonymous': 'true' })
    await expect(store.list('')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })

  test('a missing bucket and a missing server say so', async () => {
    const store = await open('no-such-bucket', server.options())
    for (const action of [() => store.status(''), () => store.list('x'), () => write(store, 'file', 1)]) {
      await expect(action()).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'BUCKET_MISSING' })
    }
    const nobody = await open(server.bucket, {
      ...server.options({ 'alluxio.underfs.retry.max.duration': '200ms' }),
      'alluxio.underfs.s3.endpoint': 'http://127.0.0.1:9',
    })
    await expect(nobody.status('x')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'ECONNREFUSED' })
  })

  test('an object too long for one copy is copied in parts, with its metadata', async () => {
    const store = await hasty()
    const writer = await store.create('long one', { metadata: { owner: 'alice' } })
    for (let i = 0; i < 23; i++) await writer.write(block(i))
    await writer.close()
    const retry = new RetryPolicy(
      { maxDurationMs: 1000, baseMs: 10, capMs: 100 },
      { runtime: systemRuntime, log: silentLog },
    )
    const modules = { runtime: systemRuntime, log: silentLog, retry, onApiCall: () => {} }
    const secret = (_key: string, text: string) => new Secret(text)
    const connection = await connect(server.bucket, server.options(), { ...modules, secret })
    const copier = new Copier({ wholeBytes: 8 * MIB, partBytes: 6 * MIB }, { connection, retry })
    const source = { key: 'long one', length: 23 * MIB, metadata: { owner: 'alice' } }
    await copier.copy(source, 'copied % one', 'long one', undefined)
    await verify(store, 'copied % one', 23)
    expect(await store.status('copied % one')).toMatchObject({
      metadata: { owner: 'alice' },
      fingerprint: expect.stringMatching(/-4$/),
    })
    connection.close()
  })

  test('no line of the log holds a secret', () => {
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(line).not.toContain(server.secretKey)
  })
})
