/** What is asked without the SDK: its signature, what its refusals mean, and when the SDK is asked instead. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { openStore, type UnderStore } from '../index.ts'
import { Signer } from './signature.ts'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

interface Seen {
  readonly method: string
  readonly bySdk: boolean
}

async function storeAnswering(
  answer: (request: IncomingMessage, response: ServerResponse, bySdk: boolean) => void,
  options: Record<string, string> = {},
): Promise<{ store: UnderStore; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const bySdk = request.headers['user-agent']?.startsWith('aws-sdk-js') === true
    seen.push({ method: request.method!, bySdk })
    answer(request, response, bySdk)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  const settings = {
    'alluxio.underfs.s3.endpoint': `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    's3a.accessKeyId': 'key',
    's3a.secretKey': 'hidden',
    'alluxio.underfs.retry.max.duration': '0',
    ...options,
  }
  const store = await openStore('s3://bucket/', settings, { runtime: systemRuntime, log: silentLog })
  endings.push(() => store.close())
  return { store, seen }
}

test('a signature is that of the example in the documentation of S3', () => {
  const signed = new Signer('us-east-1').sign(
    {
      method: 'GET',
      host: 'examplebucket.s3.amazonaws.com',
      path: '/test.txt',
      headers: { range: 'bytes=0-9' },
    },
    { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    Date.UTC(2013, 4, 24),
  )
  expect(signed.authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
      'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, ' +
      'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  )
})

test('a status is one HEAD without the SDK, and anonymous access sends no signature', async () => {
  let authorization: string | undefined
  const { store, seen } = await storeAnswering(
    (request, response) => {
      authorization = request.headers.authorization
      response.setHeader('etag', '"v1"')
      response.setHeader('last-modified', 'Sun, 22 Nov 2026 06:00:00 GMT')
      response.setHeader('x-amz-meta-colour', 'red')
      response.setHeader('content-length', 12_345)
      response.end()
    },
    { 'alluxio.underfs.s3.anonymous': 'true' },
  )
  expect(await store.status('a')).toEqual({
    path: 'a',
    directory: false,
    length: 12_345,
    modifiedMs: Date.UTC(2026, 10, 22, 6),
    fingerprint: 'v1',
    metadata: { colour: 'red' },
  })
  // The connection that carried an answer without content serves again.
  expect((await store.status('b')).length).toBe(12_345)
  expect(seen).toEqual(Array(2).fill({ method: 'HEAD', bySdk: false }))
  expect(authorization).toBeUndefined()
})

test('a refusal that may be about the way of asking is asked again through the SDK, which then stays', async () => {
  const { store, seen } = await storeAnswering((_request, response, bySdk) => {
    if (!bySdk) {
      response.statusCode = 403
      response.end('<Error><Code>RequestTimeTooSkewed</Code></Error>')
      return
    }
    response.setHeader('etag', '"v1"')
    response.setHeader('content-length', 5)
    response.end('hello')
  })
  const read = async () => {
    const chunks: Uint8Array[] = []
    for await (const chunk of store.open('a', { offset: 0, length: 5 })) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }
  expect(await read()).toBe('hello')
  expect(await read()).toBe('hello')
  expect(seen.map(({ bySdk }) => bySdk)).toEqual([false, true, true])
})

test.each([
  [404, 'NoSuchBucket', 'NOT_FOUND', 'BUCKET_MISSING'],
  [412, 'PreconditionFailed', 'CONFLICT', 'SOURCE_CHANGED'],
  [503, 'SlowDown', 'RESOURCE_EXHAUSTED', 'THROTTLED'],
  [500, 'InternalError', 'UNAVAILABLE', 'InternalError'],
])('a GET refused with %i %s is %s (%s), in one request', async (status, name, code, reason) => {
  const { store, seen } = await storeAnswering((_request, response) => {
    response.statusCode = status
    const text = `<Error><Code>${name}</Code><Message>what is said</Message></Error>`
    response.setHeader('content-length', text.length)
    response.end(text)
  })
  const reading = (async () => {
    for await (const _ of store.open('a', { offset: 0, length: 5 }));
  })()
  await expect(reading).rejects.toMatchObject({ code, reason })
  expect(seen).toEqual([{ method: 'GET', bySdk: false }])
})
