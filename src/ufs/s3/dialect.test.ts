/** Signatures of clouds against those of their makers' own programs; no server of theirs can be had here. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { openStore } from '../index.ts'
import { GOOG, OSS, signDialect } from './dialect.ts'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

test('OSS V4: the vector that the SDKs of Aliyun test with (alibabacloud-oss-go-sdk-v2, oss/signer/signer_test.go)', () => {
  const wire = {
    method: 'PUT',
    hostname: 'bucket.oss-cn-hangzhou.aliyuncs.com',
    path: '/1234%2B-/123/1.txt',
    query: {
      param1: 'value1',
      '+param1': 'value3',
      '|param1': 'value4',
      '+param2': '',
      '|param2': null,
      param2: '',
    },
    headers: {
      'x-oss-head1': 'value',
      abc: 'value',
      zabc: 'value',
      xyz: 'value',
      'content-type': 'text/plain',
      'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
      // 1702743657 s
      'x-oss-date': '20231216T162057Z',
    },
  }
  const keys = { accessKeyId: 'ak', secretAccessKey: 'sk' }
  const expected =
    'OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe'
  expect(signDialect(OSS, wire, { bucket: 'bucket', region: 'cn-hangzhou' }, keys)).toBe(expected)
  // The bucket is part of the signed path wherever it stands.
  const inPath = { ...wire, hostname: 'oss-cn-hangzhou.aliyuncs.com', path: '/bucket/1234%2B-/123/1.txt' }
  expect(signDialect(OSS, inPath, { bucket: 'bucket', region: 'cn-hangzhou' }, keys)).toBe(expected)
})

test('GOOG4: as curl 7.88 signs (--aws-sigv4 goog:goog:auto:storage)', () => {
  const wire = {
    method: 'PUT',
    hostname: 'storage.googleapis.com',
    path: '/bucket/a%20key',
    query: {},
    headers: {
      host: 'storage.googleapis.com',
      'user-agent': 'curl/7.88.1',
      'x-goog-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-goog-date': '20261122T081757Z',
      'x-goog-if-generation-match': '0',
      'x-goog-meta-colour': 'red',
    },
  }
  const keys = { accessKeyId: 'GOOGTS7C7FUP3AIRVJTE', secretAccessKey: 'not-a-real-secret' }
  expect(signDialect(GOOG, wire, { bucket: 'bucket', region: 'auto' }, keys)).toBe(
    'GOOG4-HMAC-SHA256 Credential=GOOGTS7C7FUP3AIRVJTE/20261122/auto/storage/goog4_request, SignedHeaders=host;x-goog-content-sha256;x-goog-date;x-goog-if-generation-match;x-goog-meta-colour, Signature=d245fa3ba10765079680fa2ea763fcd188cdd084e1b70e436a4cd5243153764c',
  )
})

async function listener(): Promise<{
  endpoint: string
  seen: { url: string; headers: IncomingHttpHeaders }[]
}> {
  const seen: { url: string; headers: IncomingHttpHeaders }[] = []
  const server = createServer((request, response) => {
    seen.push({ url: `${request.method} ${request.url}`, headers: request.headers })
    response.statusCode = 404
    response.setHeader('content-length', '0')
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

test.each([
  [
    'gs',
    'alluxio.underfs.gcs.endpoint',
    { 'fs.gcs.accessKeyId': 'GOOG1', 'fs.gcs.secretAccessKey': 'hidden' },
    /^GOOG4-/,
  ],
  [
    'oss',
    'fs.oss.endpoint',
    { 'fs.oss.region': 'cn-x', 'fs.oss.accessKeyId': 'a', 'fs.oss.accessKeySecret': 'hidden' },
    /^OSS4-.*\/cn-x\/oss\//,
  ],
  [
    'cos',
    'alluxio.underfs.s3.endpoint',
    { 'fs.cos.region': 'ap-x', 'fs.cos.access.key': 'a', 'fs.cos.secret.key': 'hidden' },
    /^AWS4-.*\/ap-x\/s3\//,
  ],
  [
    'obs',
    'fs.obs.endpoint',
    { 'alluxio.underfs.s3.region': 'cn-y', 'fs.obs.accessKey': 'a', 'fs.obs.secretKey': 'hidden' },
    /^AWS4-.*\/cn-y\/s3\//,
  ],
])('%s:// signs in its own way and mixes no headers', async (scheme, key, options, authorization) => {
  const { endpoint, seen } = await listener()
  const store = await openStore(
    `${scheme}://bucket/folder`,
    { 'alluxio.underfs.retry.max.duration': '0', [key]: endpoint, ...options },
    { runtime: systemRuntime, log: silentLog },
  )
  endings.push(() => store.close())
  await store.status('a key').catch(() => {})
  await store
    .create('x', { ifAbsent: true })
    .then((writer) => writer.close())
    .catch(() => {})
  expect(seen.length).toBeGreaterThan(1)
  for (const { headers, url } of seen) {
    expect(headers.authorization).toMatch(authorization)
    const foreign = Object.keys(headers).filter((name) => /^x-amz-/.test(name))
    if (scheme === 'gs' || scheme === 'oss') {
      expect(foreign).toEqual([])
      expect(url).not.toMatch(/x-id=/)
    }
  }
})

test.each([
  ['oss://bucket/x', { 'fs.oss.endpoint': 'oss-cn-beijing-internal.aliyuncs.com' }, undefined],
  ['oss://bucket/x', {}, /fs\.oss\.region/],
  ['cos://bucket-125/x', {}, /fs\.cos\.region/],
  ['obs://bucket/x', {}, /fs\.obs\.endpoint/],
  [
    'oss://bucket/x',
    { 'fs.oss.region': 'cn-x', 'fs.oss.accessKeyId': 'a' },
    /fs\.oss\.accessKeySecret is missing/,
  ],
])('%s with %j', async (uri, options, message) => {
  const opening = openStore(uri, options, { runtime: systemRuntime, log: silentLog })
  if (message === undefined) await (await opening).close()
  else
    await expect(opening).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
})
