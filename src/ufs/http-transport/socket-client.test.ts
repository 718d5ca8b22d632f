/** The GET client against servers that send exactly the bytes of a case. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { systemRuntime } from '../../core/index.ts'
import type { Body } from './body.ts'
import { OtherFraming, SocketClient } from './socket-client.ts'

let server: Server | undefined
let client: SocketClient | undefined
const sockets = new Set<Socket>()
afterEach(async () => {
  client?.destroy()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
  server = undefined
})

/** Serves each request by `answer`; returns a function that asks. */
async function serving(answer: (socket: Socket, count: number) => void, connections = 4) {
  let count = 0
  const made = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let head = ''
    socket.on('data', (data) => {
      head += data.toString('latin1')
      for (let end = head.indexOf('\r\n\r\n'); end !== -1; end = head.indexOf('\r\n\r\n')) {
        head = head.slice(end + 4)
        answer(socket, count++)
      }
    })
  })
  server = made
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  const { port } = made.address() as { port: number }
  const asker = new SocketClient({ connections }, { runtime: systemRuntime })
  client = asker
  return (signal?: AbortSignal, silenceMs = 2000) =>
    asker.send({
      host: '127.0.0.1',
      port,
      head: 'GET /x HTTP/1.1\r\nhost: x',
      bodyless: false,
      signal,
      silenceMs,
    })
}

function collect(body: Body | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    const ask = (): void =>
      body!.next({
        chunk: (chunk) => {
          chunks.push(chunk)
          ask()
        },
        ended: () => resolve(Buffer.concat(chunks)),
        broken: (what) => reject(new Error(what)),
      })
    ask()
  })
}

const ok = (content: string, more = '') =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n${more}\r\n${content}`

describe('answers', () => {
  test('one connection serves one request after the other', async () => {
    const ask = await serving((socket, i) => socket.write(ok(`answer ${i}`)))
    for (let i = 0; i < 5; i++) {
      const answer = await ask()
      expect(answer).toMatchObject({ status: 200, reason: 'OK' })
      expect((await collect(answer.body)).toString()).toBe(`answer ${i}`)
    }
    expect(sockets.size).toBe(1)
  })

  test('a head that comes byte by byte, after a 100, with repeated headers', async () => {
    const ask = await serving((socket) => {
      const text = `HTTP/1.1 100 Continue\r\n\r\n${ok('content', 'X-A: 1\r\nx-a: 2\r\n')}`
      let at = 0
      const step = () => {
        if (at === text.length) return
        socket.write(text[at++]!)
        setImmediate(step)
      }
      step()
    })
    const { headers, body } = await ask()
    expect(headers['x-a']).toBe('1, 2')
    expect((await collect(body)).toString()).toBe('content')
  })

  test('a large body arrives whole and in order though its reader is slow', async () => {
    const content = Buffer.alloc(12_345_678).map((_, i) => (i * 7 + (i >>> 10)) & 255)
    const ask = await serving((socket) => {
      socket.write(`HTTP/1.1 206 Partial Content\r\nContent-Length: ${content.length}\r\n\r\n`)
      socket.write(content)
    })
    const { body } = await ask()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(Buffer.compare(await collect(body), content)).toBe(0)
    expect((await collect((await ask()).body)).length).toBe(content.length)
    expect(sockets.size).toBe(1)
  })

  test('an empty body, and a refusal with its text', async () => {
    const refusal = 'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone'
    const ask = await serving((socket, i) => socket.write(i === 0 ? ok('') : refusal))
    expect((await collect((await ask()).body)).length).toBe(0)
    const { status, text, body } = await ask()
    expect([status, Buffer.from(text!).toString(), body]).toEqual([404, 'gone', undefined])
    expect(sockets.size).toBe(1)
  })

  test('a server that closes after each answer is asked over new connections', async () => {
    const ask = await serving((socket) => socket.end(ok('x', 'Connection: close\r\n')))
    for (let i = 0; i < 3; i++) expect((await collect((await ask()).body)).toString()).toBe('x')
    expect(sockets.size).toBe(3)
  })
})

describe('what goes wrong', () => {
  test('a framing that it does not understand is left to a full client', async () => {
    const ask = await serving((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'),
    )
    await expect(ask()).rejects.toBeInstanceOf(OtherFraming)
  })

  test.each([
    ['no HTTP', 'SSH-2.0-server\r\n\r\n', /no HTTP/],
    ['more than announced', `${ok('abc')}more`, /longer than it says/],
    ['an endless head', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`, /head of the answer is too long/],
  ])('%s', async (_, bytes, message) => {
    const ask = await serving((socket) => socket.write(bytes))
    await expect(ask()).rejects.toThrow(message)
  })

  test('a body that breaks off hands out what came, then says so', async () => {
    const ask = await serving((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
      setTimeout(() => socket.destroy(), 20)
    })
    const { body } = await ask()
    const first = await new Promise<string>((resolve, reject) =>
      body!.next({
        chunk: (chunk) => resolve(Buffer.from(chunk).toString()),
        ended: () => reject(new Error('ended')),
        broken: (what) => reject(new Error(what)),
      }),
    )
    expect(first).toBe('half')
    await expect(collect(body)).rejects.toThrow(/ECONNRESET|closed/)
  })

  test('an idle connection that the server has closed meanwhile is replaced without a word', async () => {
    const ask = await serving((socket, i) => {
      // The second request meets a connection that is reset under it.
      if (i === 1) socket.resetAndDestroy()
      else socket.write(ok(`answer ${i}`))
    })
    await collect((await ask()).body)
    expect((await collect((await ask()).body)).toString()).toBe('answer 2')
  })

  test('silence is cut off, and a slot is free again', async () => {
    const ask = await serving((socket, i) => void (i > 0 && socket.write(ok('late'))), 1)
    await expect(ask(undefined, 100)).rejects.toMatchObject({ name: 'TimeoutError' })
    expect((await collect((await ask()).body)).toString()).toBe('late')
  })

  test('aborts before the answer and within the body free their slots', async () => {
    const ask = await serving((socket, i) => {
      if (i === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
      if (i > 1) socket.write(ok('whole'))
    }, 1)
    const before = new AbortController()
    const waiting = ask(before.signal)
    setTimeout(() => before.abort(), 20)
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    const within = new AbortController()
    const { body } = await ask(within.signal)
    within.abort()
    await expect(collect(body)).rejects.toThrow(/abort/)
    expect((await collect((await ask()).body)).toString()).toBe('whole')
  })

  test('no more connections than allowed, and a reader that leaves frees its own', async () => {
    const ask = await serving(
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n${'z'.repeat(20)}`),
      2,
    )
    const held = [await ask(), await ask()]
    let third = false
    const waiting = ask().then((answer) => {
      third = true
      return answer
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect([third, sockets.size]).toEqual([false, 2])
    held[0]!.body!.destroy()
    await waiting
    expect(sockets.size).toBe(3)
  })
})
