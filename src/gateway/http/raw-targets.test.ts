import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { acceptRawTargets } from './raw-targets.ts'

let server: Server
const seen: { url: string; body: string; from: string | undefined }[] = []

beforeEach(async () => {
  seen.length = 0
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ url: request.url!, body, from: request.socket.remoteAddress })
    response.end(`answer ${seen.length}`)
  })
  acceptRawTargets(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
})
afterEach(() => {
  server.close()
  server.closeAllConnections()
})

/** Sends packets, each after the answer to the one before; resolves with all that came when `until` did, or the connection ended. */
function talk(packets: readonly (string | Buffer)[], until: string): Promise<string> {
  return new Promise((resolve) => {
    const left = [...packets]
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.setNoDelay(true)
    let told = ''
    const next = () => {
      const packet = left.shift()
      if (packet !== undefined) socket.write(packet)
    }
    socket.on('connect', next)
    socket.on('data', (bytes) => {
      told += bytes
      if (told.includes(until)) socket.destroy()
      else next()
    })
    socket.on('close', () => resolve(told))
  })
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const put = (path: string, body: string) =>
  `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`

test('raw names, plain ones and bodies on one connection', async () => {
  const packets = [get('/a'), get('/ž/文?op=X'), get('/b'), put('/ů', 'body'), put('/c', 'more'), get('/🐘')]
  expect(await talk(packets, 'answer 6')).toContain('answer 6')
  expect(seen.map(({ url, body }) => [decodeURIComponent(url), body])).toEqual([
    ['/a', ''],
    ['/ž/文?op=X', ''],
    ['/b', ''],
    ['/ů', 'body'],
    ['/c', 'more'],
    ['/🐘', ''],
  ])
  expect(seen.every(({ url }) => /^[!-~]+$/.test(url))).toBe(true)
  expect(new Set(seen.map(({ from }) => from))).toEqual(new Set(['127.0.0.1']))
})

test('a line that comes in pieces', async () => {
  const whole = Buffer.from(get(`/${'ž'.repeat(100)}/文/x`))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.setNoDelay(true)
  const answered = new Promise((resolve) => socket.once('data', resolve))
  for (let at = 0; at < whole.length; at += 50) {
    socket.write(whole.subarray(at, at + 50))
    await new Promise((later) => setImmediate(later))
  }
  await answered
  socket.destroy()
  expect(decodeURIComponent(seen[0]!.url)).toBe(`/${'ž'.repeat(100)}/文/x`)
})

test.each([
  ['a blank in the path', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['no request at all', Buffer.from([0xff, 0xfe, 0x20, 0x2f])],
  ['a control character', 'GET /a\u0001 HTTP/1.1\r\nHost: x\r\n\r\n'],
])('%s is refused', async (_, packet) => {
  expect(await talk([packet], 'no such thing')).toMatch(/^HTTP\/1.1 400 Bad Request/)
  expect(seen).toEqual([])
})

test('a raw line behind another request in one packet is refused', async () => {
  expect(await talk([get('/a') + get('/ž')], 'no such thing')).toContain('400 Bad Request')
})
