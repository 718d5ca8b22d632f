/**
 * The signature matrix of Signature Version 4: what is refused, and how. Where they agree with each other, MinIO and versitygw
 * are asked the same and answer the same status.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster } from '../../../support/cluster.ts'
import { ifAvailable, startMinio, startVersitygw } from '../../../support/servers/index.ts'
import { type Call, type Key, keyOf, plainChunks, S3Caller, signedChunks, timeText } from './client.ts'

const BUCKET = 'test-bucket'
const MINUTE = 60_000
const OBJECT = `/${BUCKET}/object`

const minio = await ifAvailable(startMinio)
const versity = await ifAvailable(startVersitygw)

let cluster: Cluster
let key: Key
let ours: S3Caller
const others: S3Caller[] = []

beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true })
  const fs = await cluster.connect()
  key = await keyOf(fs, (await fs.getStatus('/')).owner)
  ours = new S3Caller(`http://${cluster.s3}`, key)
  for (const { server } of [minio, versity]) {
    if (server === undefined) continue
    others.push(
      new S3Caller(server.endpoint, { accessKeyId: server.accessKey, secretAccessKey: server.secretKey }),
    )
  }
  expect((await ours.call({ method: 'PUT', path: `/${BUCKET}` })).status).toBe(200)
  for (const caller of [ours, ...others]) {
    expect((await caller.call({ method: 'PUT', path: OBJECT, body: 'content' })).status).toBe(200)
  }
}, 300_000)

afterAll(async () => {
  await Promise.allSettled([cluster?.dispose(), minio.server?.stop(), versity.server?.stop()])
})

interface Case {
  readonly name: string
  readonly send: (caller: S3Caller) => ReturnType<S3Caller['call']>
  readonly status: number
  readonly code: string
  /** Others answer another status, and why ours is this. */
  readonly alone?: string
}

const get = (more: Partial<Call>) => (caller: S3Caller) => caller.call({ path: OBJECT, ...more })
const presigned =
  (expires: string | number, more: Partial<Call> = {}) =>
  (caller: S3Caller) =>
    caller.send({}, {}, caller.presign({ path: OBJECT, ...more }, expires))

const CASES: readonly Case[] = [
  { name: 'signed', send: get({}), status: 200, code: '' },
  { name: 'unsigned', send: (c) => c.send({}, {}, OBJECT), status: 403, code: 'AccessDenied' },
  {
    name: 'an unknown key',
    send: (c) => new S3Caller(c.endpoint.href, { ...c.key, accessKeyId: 'AKUNKNOWN' }).call({ path: OBJECT }),
    status: 403,
    code: 'InvalidAccessKeyId',
  },
  {
    name: 'another secret',
    send: (c) =>
      new S3Caller(c.endpoint.href, { ...c.key, secretAccessKey: 'x'.repeat(40) }).call({ path: OBJECT }),
    status: 403,
    code: 'SignatureDoesNotMatch',
  },
  {
    name: 'a signature of zeros',
    send: get({
      spoil: ({ headers }) => {
        headers.authorization = headers.authorization!.replace(/[0-9a-f]{64}$/, '0'.repeat(64))
      },
    }),
    status: 403,
    code: 'SignatureDoesNotMatch',
  },
  {
    name: 'another method than was signed',
    send: (c) => c.send({ method: 'DELETE' }, c.sign({ path: OBJECT }).headers, OBJECT),
    status: 403,
    code: 'SignatureDoesNotMatch',
  },
  {
    name: 'another path than was signed',
    send: (c) => c.send({}, c.sign({ path: OBJECT }).headers, `/${BUCKET}/other`),
    status: 403,
    code: 'SignatureDoesNotMatch',
  },
  {
    name: 'a parameter that was not signed',
    send: (c) => c.send({}, c.sign({ path: OBJECT }).headers, `${OBJECT}?response-content-type=text/html`),
    status: 403,
    code: 'SignatureDoesNotMatch',
  },
  {
    name: 'an x-amz header that was not signed',
    send: get({ unsigned: { 'x-amz-meta-a': 'b' } }),
    status: 403,
    code: 'AccessDenied',
    alone: 'MinIO wants the headers of its own list signed, versitygw none; S3 wants all x-amz headers',
  },
  {
    name: 'a body that is not the one whose digest was signed',
    send: (c) =>
      c.send(
        { method: 'PUT', body: 'CONTENT' },
        c.sign({ method: 'PUT', path: OBJECT, body: 'content' }).headers,
        OBJECT,
      ),
    status: 400,
    code: 'XAmzContentSHA256Mismatch',
  },
  {
    name: '20 minutes ago',
    send: get({ timeMs: Date.now() - 20 * MINUTE }),
    status: 403,
    code: 'RequestTimeTooSkewed',
  },
  {
    name: 'in 20 minutes',
    send: get({ timeMs: Date.now() + 20 * MINUTE }),
    status: 403,
    code: 'RequestTimeTooSkewed',
  },
  { name: '10 minutes ago', send: get({ timeMs: Date.now() - 10 * MINUTE }), status: 200, code: '' },
  {
    name: 'a scope of another day than the header',
    send: get({
      spoil: ({ headers }) => {
        headers.authorization = headers.authorization!.replace(/\/\d{8}\//, '/20200101/')
      },
    }),
    status: 403,
    code: 'SignatureDoesNotMatch',
    alone: 'MinIO says 400 or 403 by version, versitygw 403',
  },
  {
    name: 'another service',
    send: get({ service: 'ec2' }),
    status: 400,
    code: 'AuthorizationHeaderMalformed',
  },
  {
    name: 'an authorization that is none',
    send: (c) =>
      c.send(
        {},
        {
          authorization: 'AWS4-HMAC-SHA256 nonsense',
          'x-amz-date': timeText(Date.now()),
          'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        },
        OBJECT,
      ),
    status: 400,
    code: 'AuthorizationHeaderMalformed',
  },
  {
    name: 'Signature Version 2',
    send: (c) => c.send({}, { authorization: 'AWS key:signature', date: new Date().toUTCString() }, OBJECT),
    status: 400,
    code: 'InvalidRequest',
    alone: 'MinIO still knows version 2 and refuses the key',
  },
  {
    name: 'no digest of the body',
    send: (c) => {
      const { 'x-amz-content-sha256': _, ...headers } = c.sign({ path: OBJECT }).headers
      return c.send({}, headers, OBJECT)
    },
    status: 400,
    code: 'InvalidRequest',
    alone: 'MinIO takes it for an empty body and says that the signature is wrong',
  },
  {
    name: 'in the header and in the query',
    send: (c) => {
      const target = c.presign({ path: OBJECT }, 60)
      return c.send({}, c.sign({ path: OBJECT }).headers, target)
    },
    status: 400,
    code: 'InvalidArgument',
    alone: 'MinIO and versitygw take one of them',
  },
  {
    name: 'host not signed',
    send: get({
      spoil: ({ headers }) => {
        headers.authorization = headers.authorization!.replace('SignedHeaders=host;', 'SignedHeaders=')
      },
    }),
    status: 403,
    code: 'AccessDenied',
  },
  {
    name: 'an unknown kind of streaming',
    send: get({ method: 'PUT', body: 'x', payload: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' }),
    status: 400,
    code: 'InvalidArgument',
    alone: 'MinIO says not implemented',
  },
  { name: 'presigned', send: presigned(60), status: 200, code: '' },
  { name: 'presigned for 7 days', send: presigned(604_800), status: 200, code: '' },
  {
    name: 'presigned, expired',
    send: presigned(60, { timeMs: Date.now() - 2 * MINUTE }),
    status: 403,
    code: 'AccessDenied',
  },
  {
    name: 'presigned an hour ago for a day: the skew does not count',
    send: presigned(86_400, { timeMs: Date.now() - 60 * MINUTE }),
    status: 200,
    code: '',
  },
  {
    name: 'presigned, not valid yet',
    send: presigned(60, { timeMs: Date.now() + 60 * MINUTE }),
    status: 403,
    code: 'AccessDenied',
  },
  {
    name: 'presigned for more than 7 days',
    send: presigned(604_801),
    status: 400,
    code: 'AuthorizationQueryParametersError',
  },
  {
    name: 'presigned for -1 seconds',
    send: presigned(-1),
    status: 400,
    code: 'AuthorizationQueryParametersError',
  },
  {
    name: 'presigned for 0 seconds',
    send: presigned(0),
    status: 400,
    code: 'AuthorizationQueryParametersError',
    alone: 'MinIO and versitygw take it for expired',
  },
  {
    name: 'presigned for no number of seconds',
    send: presigned('abc'),
    status: 400,
    code: 'AuthorizationQueryParametersError',
  },
  {
    name: 'presigned for another method',
    send: (c) => c.send({ method: 'PUT', body: 'x' }, {}, c.presign({ path: OBJECT }, 60)),
    status: 403,
    code: 'SignatureDoesNotMatch',
  },
  {
    name: 'presigned, without a signature',
    send: (c) => c.send({}, {}, c.presign({ path: OBJECT }, 60).replace(/&X-Amz-Signature=.*/, '')),
    status: 400,
    code: 'AuthorizationQueryParametersError',
    alone: 'MinIO says 400 or 403 by version',
  },
  {
    name: 'presigned with a parameter twice',
    send: (c) => c.send({}, {}, `${c.presign({ path: OBJECT }, 60)}&X-Amz-Expires=604800`),
    status: 400,
    code: 'AuthorizationQueryParametersError',
    alone: 'others say that the signature is wrong',
  },
  {
    name: 'credentials in the query of a write, and no more (CVE-2026-41145)',
    send: (c) =>
      c.send(
        { method: 'PUT', body: plainChunks([Buffer.from('evil')], {}) },
        {
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'x-amz-decoded-content-length': '4',
          'x-amz-date': timeText(Date.now()),
        },
        `/${BUCKET}/evil?X-Amz-Credential=${encodeURIComponent(`${c.key.accessKeyId}/${timeText(Date.now()).slice(0, 8)}/us-east-1/s3/aws4_request`)}`,
      ),
    status: 400,
    code: 'AuthorizationQueryParametersError',
    alone: 'this MinIO is the last one that takes it',
  },
]

describe('a request', () => {
  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, { send, status, code, alone }) => {
    const answer = await send(ours)
    expect([answer.status, answer.code]).toEqual([status, code])
    if (status >= 400) expect(answer.headers['content-type']).toBe('application/xml')
    const answers = await Promise.all(others.map(send))
    const statuses = answers.map((other) => other.status)
    if (alone === undefined && statuses.length === 2) expect(statuses).toContain(status)
  })

  test.each([
    ['spaces and plus', '/a%20b%2Bc', 'a b+c'],
    ['tilde and the like', '/-._~', '-._~'],
    ['what must be escaped', '/%21%27%28%29%2A%3B%3A%40%26%3D%24%2C%3F%23%5B%5D', "!'()*;:@&=$,?#[]"],
    ['letters of others', '/%C3%A9%E4%B8%AD%F0%9F%98%80', 'é中😀'],
    ['percent', '/100%25', '100%'],
    ['control characters', '/%01%09%7F', '\u0001\t\u007f'],
    ['backslash', '/a%5Cb', 'a\\b'],
  ])('a key with %s is read under the name that it was written', async (_, path, name) => {
    const put = await ours.call({ method: 'PUT', path: `/${BUCKET}/keys${path}`, body: name })
    expect(put.status).toBe(200)
    expect((await ours.call({ path: `/${BUCKET}/keys${path}` })).body.toString()).toBe(name)
    const fs = await cluster.connect()
    expect((await fs.getStatus(`/${BUCKET}/keys/${name}`)).length).toBe(Buffer.byteLength(name))
  })

  test('an escaped slash is a slash, for the signature and for the store', async () => {
    await ours.call({ method: 'PUT', path: `/${BUCKET}/p/q`, body: 'slash' })
    const signed = ours.sign({ path: `/${BUCKET}/p/q` })
    const answer = await ours.send({}, signed.headers, `/${BUCKET}/p%2Fq`)
    expect([answer.status, answer.body.toString()]).toEqual([200, 'slash'])
  })

  test.each([
    ['../secret', '..%2Fsecret', 400],
    ['a/../../secret', 'a/../../secret', 400],
    ['./a', './a', 400],
    ['a/.', 'a/.', 400],
    ['NUL', 'a%00b', 400],
    ['bad UTF-8', '%C3%28', 400],
    ['overlong UTF-8', '%C0%AE%C0%AE/x', 400],
    ['a lone percent', '%', 400],
  ])('the path %s is refused', async (_, path, status) => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      const headers = ours.sign({
        method,
        path: `/${BUCKET}/${path.replace('%2F', '/')}`,
        payload: 'UNSIGNED-PAYLOAD',
      }).headers
      const answer = await ours.send(
        { method, ...(method === 'PUT' ? { body: 'x' } : {}) },
        headers,
        `/${BUCKET}/${path}`,
      )
      expect([method, answer.status]).toEqual([method, status])
    }
  })

  test('a header that decides is not sent twice', async () => {
    const { headers } = ours.sign({ path: OBJECT })
    const answer = await ours.send(
      {},
      { ...headers, 'x-amz-date': [headers['x-amz-date']!, timeText(0)] },
      OBJECT,
    )
    expect([answer.status, answer.code]).toEqual([400, 'InvalidRequest'])
  })

  test('the name of the bucket in the host, where the domain is known', async () => {
    const domain = await Cluster.start({ proxy: true, properties: { 'alluxio.proxy.s3.domains': 's3.test' } })
    try {
      const fs = await domain.connect()
      const caller = new S3Caller(`http://${domain.s3}`, await keyOf(fs, (await fs.getStatus('/')).owner))
      expect((await caller.call({ method: 'PUT', path: '/hosted' })).status).toBe(200)
      const host = `hosted.s3.test:${domain.s3.split(':')[1]}`
      const put = await caller.call({ method: 'PUT', path: '/key', body: 'x', headers: { host } })
      expect(put.status).toBe(200)
      expect((await fs.getStatus('/hosted/key')).length).toBe(1)
    } finally {
      await domain.dispose()
    }
  })
})

describe('a body in chunks', () => {
  const chunks = [Buffer.alloc(64 * 1024, 1), Buffer.alloc(64 * 1024, 2), Buffer.from('end')]
  const length = String(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  const crc32 = 'x-amz-checksum-crc32'
  // Of the bytes above, by zlib.
  let checksum = ''
  beforeAll(async () => {
    const zlib = await import('node:zlib')
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(zlib.crc32(Buffer.concat(chunks)))
    checksum = bytes.toString('base64')
  })

  const put = (
    name: string,
    kind: string,
    body: (signed: ReturnType<S3Caller['sign']>) => Buffer,
    headers: Record<string, string> = {},
  ) => {
    const path = `/${BUCKET}/${name}`
    const all = { 'x-amz-decoded-content-length': length, 'content-encoding': 'aws-chunked', ...headers }
    const signed = ours.sign({ method: 'PUT', path, payload: kind, headers: all })
    return ours.send({ method: 'PUT', body: body(signed) }, signed.headers, path)
  }
  const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
  const absent = async (name: string) => {
    const answer = await ours.call({ method: 'HEAD', path: `/${BUCKET}/${name}` })
    expect(answer.status).toBe(404)
    const fs = await cluster.connect()
    for await (const { name: left, folder } of fs.list('/.alluxio-staging'))
      if (!folder) throw new Error(left)
  }

  test('signed, with and without trailers, and not signed', async () => {
    const plain = await put('chunks-1', SIGNED, (signed) => signedChunks(ours, signed, chunks))
    expect([plain.status, plain.code]).toEqual([200, ''])
    const trailer = { [crc32]: checksum }
    const signedTrailer = await put(
      'chunks-2',
      `${SIGNED}-TRAILER`,
      (signed) => signedChunks(ours, signed, chunks, trailer),
      { 'x-amz-trailer': crc32 },
    )
    expect([signedTrailer.status, signedTrailer.code]).toEqual([200, ''])
    const unsigned = await put(
      'chunks-3',
      'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      () => plainChunks(chunks, trailer),
      {
        'x-amz-trailer': crc32,
      },
    )
    expect([unsigned.status, unsigned.headers[crc32]]).toEqual([200, checksum])
    for (const name of ['chunks-1', 'chunks-2', 'chunks-3']) {
      const answer = await ours.call({ path: `/${BUCKET}/${name}` })
      expect(answer.body.equals(Buffer.concat(chunks))).toBe(true)
      expect(answer.headers['content-encoding']).toBeUndefined()
    }
  })

  test.each<[string, string, (body: Buffer) => Buffer, string, string | undefined]>([
    ['a byte of a chunk changed', SIGNED, (body) => spoilt(body, 1000), 'SignatureDoesNotMatch', undefined],
    [
      'the last chunk missing',
      SIGNED,
      (body) => body.subarray(0, body.lastIndexOf('\r\n0;') + 2),
      'IncompleteBody',
      undefined,
    ],
    ['cut in a chunk', SIGNED, (body) => body.subarray(0, 70_000), 'IncompleteBody', undefined],
    [
      'a chunk of 2^53 bytes',
      SIGNED,
      (body) => Buffer.concat([Buffer.from(`20000000000000;chunk-signature=${'0'.repeat(64)}\r\n`), body]),
      'InvalidRequest',
      undefined,
    ],
    [
      'no signature of a chunk',
      SIGNED,
      (body) => Buffer.concat([Buffer.from('10000\r\n'), body]),
      'InvalidRequest',
      undefined,
    ],
    [
      'something behind the last chunk',
      SIGNED,
      (body) => Buffer.concat([body, Buffer.from('more\r\n')]),
      'InvalidRequest',
      undefined,
    ],
    ['fewer bytes than said', SIGNED, (body) => body, 'IncompleteBody', '999999'],
    ['more bytes than said', SIGNED, (body) => body, 'IncompleteBody', '10'],
  ])('%s: nothing is there', async (name, kind, change, code, said) => {
    const object = `bad-${name.replace(/\W/g, '-')}`
    const answer = await put(
      object,
      kind,
      (signed) => change(signedChunks(ours, signed, chunks)),
      said === undefined ? {} : { 'x-amz-decoded-content-length': said },
    )
    expect([answer.status >= 400 && answer.status < 500, answer.code]).toEqual([true, code])
    await absent(object)
  })

  test.each([
    ['a checksum that is wrong', { [crc32]: 'AAAAAA==' }, 'BadDigest'],
    ['a checksum that is none', { [crc32]: '!' }, 'InvalidRequest'],
    ['no trailer', {}, 'MalformedTrailerError'],
    ['a trailer that was not said', { [crc32]: 'AAAAAA==', 'x-amz-meta-evil': 'x' }, 'MalformedTrailerError'],
  ])('trailers: %s', async (name, trailer, code) => {
    const object = `trailer-${name.replace(/\W/g, '-')}`
    const kind = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
    const answer = await put(object, kind, () => plainChunks(chunks, trailer as Record<string, string>), {
      'x-amz-trailer': crc32,
    })
    expect([answer.status, answer.code]).toEqual([400, code])
    await absent(object)
  })

  test('a signed trailer that was changed', async () => {
    const answer = await put(
      'trailer-signed',
      `${SIGNED}-TRAILER`,
      (signed) => {
        const body = signedChunks(ours, signed, chunks, { [crc32]: checksum }).toString('latin1')
        return Buffer.from(body.replace(checksum, 'AAAAAA=='), 'latin1')
      },
      { 'x-amz-trailer': crc32 },
    )
    expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch'])
    await absent('trailer-signed')
  })

  test('an unsigned body with a made-up signature of the request (CVE-2026-40344)', async () => {
    const answer = await ours.call({
      method: 'PUT',
      path: `/${BUCKET}/evil`,
      payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      headers: { 'x-amz-decoded-content-length': length },
      body: plainChunks(chunks, {}),
      spoil: ({ headers }) => {
        headers.authorization = headers.authorization!.replace(/[0-9a-f]{64}$/, 'a'.repeat(64))
      },
    })
    expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch'])
    await absent('evil')
  })
})

function spoilt(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body)
  copy[at] = copy[at]! ^ 1
  return copy
}
