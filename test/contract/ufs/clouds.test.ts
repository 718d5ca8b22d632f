/**
 * gs:// and oss:// against what their makers' documentation says, played in front of our own S3 server: every signature is
 * checked, headers of S3 are refused. cos:// and obs:// against the S3 server itself.
 */
import { afterAll, describe, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore } from '../../../src/ufs/index.ts'
import { startCloudFront } from '../../support/servers/cloud-front.ts'
import { ifAvailable, startS3Latency } from '../../support/servers/index.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

const SECRET = 'a-secret-key-4711'
const { server, reason } = await ifAvailable(() => startS3Latency())
const fronts =
  server === undefined
    ? undefined
    : {
        gcs: await startCloudFront({
          kind: 'gcs',
          target: server.endpoint,
          region: 'auto',
          secretKey: SECRET,
        }),
        oss: await startCloudFront({
          kind: 'oss',
          target: server.endpoint,
          region: 'cn-hangzhou',
          secretKey: SECRET,
        }),
      }
afterAll(async () => {
  await fronts?.gcs.stop()
  await fronts?.oss.stop()
  await server?.stop()
})

const OPTIONS = (scheme: string): Record<string, string> =>
  ({
    gs: {
      'alluxio.underfs.gcs.endpoint': fronts!.gcs.endpoint,
      'fs.gcs.accessKeyId': 'GOOG1',
      'fs.gcs.secretAccessKey': SECRET,
    },
    oss: {
      'fs.oss.endpoint': fronts!.oss.endpoint,
      'fs.oss.region': 'cn-hangzhou',
      'fs.oss.accessKeyId': 'LTAI',
      'fs.oss.accessKeySecret': SECRET,
    },
    cos: {
      'alluxio.underfs.s3.endpoint': server!.endpoint,
      'fs.cos.region': 'ap-guangzhou',
      'fs.cos.access.key': 'id',
      'fs.cos.secret.key': SECRET,
    },
  })[scheme]!

const open = (scheme: string, below: string, more: Record<string, string> = {}) =>
  openStore(
    `${scheme}://${server!.bucket}/${below}`,
    { ...OPTIONS(scheme), ...more },
    {
      runtime: systemRuntime,
      log: silentLog,
    },
  )

const sizes = { largeCount: 1010, largeBytes: 20 * 2 ** 20 }
for (const scheme of ['gs', 'oss', 'cos']) {
  if (reason === undefined) await ufsSuite(`${scheme}://`, open(scheme, `${scheme}/a prefix`), sizes)
  else skippedUfsSuite(`${scheme}://`, reason)
}

const suite = reason === undefined ? describe : describe.skip
suite('conditions', () => {
  test.each([
    ['gs', false],
    ['oss', true],
    ['cos', false],
  ])(
    '%s:// says whether a create is atomic (%s), and refuses what exists in any case',
    async (scheme, atomic) => {
      const store = await open(scheme, 'conditions')
      expect(store.capabilities.conditionalCreate).toBe(atomic)
      for (const [name, blocks] of [
        ['small', 1],
        [`large-${scheme}`, 20],
      ] as const) {
        const write = async () => {
          const writer = await store.create(name + scheme, { ifAbsent: true })
          for (let i = 0; i < blocks; i++) await writer.write(new Uint8Array(2 ** 20))
          return writer.close()
        }
        await write()
        await expect(write()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
      }
      await store.close()
    },
  )

  test('conditions were sent in the words of the cloud', () => {
    expect(fronts!.gcs.seen).toContain('PUT conditional')
    expect(fronts!.gcs.seen).not.toContain('POST conditional')
    expect(fronts!.oss.seen).toContain('POST conditional')
    for (const { seen } of Object.values(fronts!))
      expect(seen.filter((one) => !/conditional$/.test(one))).toEqual([])
  })

  test.each([
    ['gs', 'fs.gcs.secretAccessKey'],
    ['oss', 'fs.oss.accessKeySecret'],
  ])('%s:// with a wrong key names its own option and shows no secret', async (scheme, option) => {
    const store = await open(scheme, 'x', {
      [option]: 'wrong-0815',
      'alluxio.underfs.retry.max.duration': '0',
    })
    const failure = await store.list('').catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining(option) })
    expect(String((failure as Error).stack)).not.toContain('wrong-0815')
    await store.close()
  })
})
