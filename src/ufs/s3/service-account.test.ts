/** A service account of Google's: the statement that it signs, and the token that is used instead of a signature. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { openStore } from '../index.ts'

const folder = mkdtempSync(join(tmpdir(), 'alluxio-service-account-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

async function listen(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    answer(request, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function open(tokens: string) {
  const path = join(folder, 'key.json')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  writeFileSync(
    path,
    JSON.stringify({ client_email: 'me@project.example', private_key: pem, token_uri: `${tokens}/token` }),
  )
  const seen: (string | undefined)[] = []
  const storage = await listen((request, response) => {
    seen.push(request.headers.authorization)
    expect(Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))).toEqual([])
    response.setHeader('etag', '"v1"')
    response.setHeader('content-length', '5')
    response.end(request.method === 'HEAD' ? undefined : 'hello')
  })
  const store = await openStore(
    'gs://bucket/folder',
    {
      'alluxio.underfs.gcs.endpoint': storage,
      'fs.gcs.credential.path': path,
      'alluxio.underfs.retry.max.duration': '0',
    },
    { runtime: systemRuntime, log: silentLog },
  )
  endings.push(() => store.close())
  return { store, seen }
}

test('the statement is signed by the key, one token serves all requests', async () => {
  const asked: string[] = []
  const tokens = await listen((_request, response, body) => {
    asked.push(body)
    response.end(JSON.stringify({ access_token: 'token-1', expires_in: 3600 }))
  })
  const { store, seen } = await open(tokens)
  await Promise.all(['a', 'b', 'c'].map((name) => store.status(name)))
  await store.status('d')
  expect(seen).toEqual(Array(4).fill('Bearer token-1'))
  expect(asked).toHaveLength(1)
  const form = new URLSearchParams(asked[0])
  expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
  const [head = '', claims = '', signature = ''] = form.get('assertion')!.split('.')
  const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))
  expect(verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'))).toBe(
    true,
  )
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
  expect(said).toMatchObject({
    iss: 'me@project.example',
    aud: `${tokens}/token`,
    exp: (said.iat as number) + 3600,
  })
})

test('a token near its end is renewed', async () => {
  let tokens = 0
  const { store, seen } = await open(
    await listen((_request, response) =>
      response.end(JSON.stringify({ access_token: `t${++tokens}`, expires_in: 60 })),
    ),
  )
  await store.status('a')
  await store.status('b')
  expect(seen).toEqual(['Bearer t1', 'Bearer t2'])
})

test('a refused account and a file that is no key say so', async () => {
  const { store } = await open(
    await listen((_request, response) => {
      response.statusCode = 400
      response.end(JSON.stringify({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }))
    }),
  )
  await expect(store.status('a')).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
    message: expect.stringMatching(/invalid_grant Invalid JWT Signature/),
  })
  const path = join(folder, 'other.json')
  writeFileSync(path, '{"private_key":"secret-4711"}')
  const opening = openStore(
    'gs://bucket',
    { 'fs.gcs.credential.path': path },
    { runtime: systemRuntime, log: silentLog },
  )
  const error = await opening.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('fs.gcs.credential.path'),
  })
  expect(String((error as Error).stack)).not.toContain('secret-4711')
})
