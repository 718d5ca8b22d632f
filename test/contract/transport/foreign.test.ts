/** Peers of other protocols, and our own gone mad, at the port of a server and of a client. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Type as T } from '@sinclair/typebox'
import * as zmq from 'zeromq'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { connectRpc, contract, RpcServer, unary, ZeroMqTransport } from '../../../src/rpc/index.ts'
import { eventually, pause } from './eventually.ts'

const runtime = systemRuntime
const Ping = contract({
  name: 'ping',
  id: 203,
  version: 1,
  methods: {
    ping: unary({
      id: 1,
      doc: 'Of the test.',
      idempotent: true,
      deadlineMs: 5000,
      request: T.Object({ n: T.Number() }),
      response: T.Object({ n: T.Number() }),
    }),
  },
})

describe('foreign peers', () => {
  const opened: { close(): unknown }[] = []
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close()
  })

  async function serve() {
    const metrics = new Metrics()
    const fatal: unknown[] = []
    const server = new RpcServer(
      { onFatal: (error) => fatal.push(error), drainMs: 0 },
      { runtime, log: silentLog, metrics },
    )
    server.serve(Ping, { ping: ({ n }) => ({ n }) })
    await server.listen(
      new ZeroMqTransport({ handshakeMs: 300, frameBytes: 2 ** 20 }, { runtime }),
      'tcp://127.0.0.1:0',
    )
    opened.push(server)
    const port = Number(server.address.split(':').at(-1))
    const connection = connectRpc(
      { address: server.address, user: 'u', host: 'h', clientId: 'good' },
      { transport: new ZeroMqTransport({}, { runtime }), runtime, log: silentLog },
    )
    opened.push(connection)
    const { ping } = connection.client(Ping)
    const unharmed = async () => {
      expect(await ping({ n: 7 })).toEqual({ n: 7 })
      expect(fatal).toEqual([])
      expect(metrics.values().alluxio_server_rpc_clients).toBe(1)
    }
    const malformed = () => metrics.values().alluxio_server_rpc_malformed_messages_total
    await unharmed()
    return { address: server.address, port, unharmed, malformed }
  }

  async function tcp(port: number): Promise<Socket> {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => {})
    opened.push({ close: () => socket.destroy() })
    await once(socket, 'connect')
    return socket
  }

  // libzmq takes what does not begin like ZMTP 2 or 3 for ZMTP 1, which has no handshake to fail: it keeps the connection
  // until the peer closes it, and nothing that comes by it means anything to us.
  it.each<[string, Buffer]>([
    ['an HTTP request', Buffer.from('GET /api/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(50))],
    ['a TLS hello', Buffer.from(`16030100${'a5'.repeat(500)}`, 'hex')],
    ['zeros', Buffer.alloc(10_000)],
  ])('%s does no harm', async (_what, bytes) => {
    const { port, unharmed } = await serve()
    const socket = await tcp(port)
    socket.write(bytes)
    await unharmed()
    await pause(100)
    await unharmed()
  })

  it.each<[string, Buffer]>([
    ['a signature and random bytes', Buffer.concat([greeting().subarray(0, 12), randomBytes(100_000)])],
    ['a greeting of ZMTP 3.1 and then rubbish', Buffer.concat([greeting(), randomBytes(5000)])],
  ])('%s does no harm, and its connection is closed', async (_what, bytes) => {
    const { port, unharmed } = await serve()
    const socket = await tcp(port)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.resume()
    socket.write(bytes)
    await unharmed()
    await closed
    await unharmed()
  })

  it('one that says nothing is hung up on', async () => {
    const { port, unharmed } = await serve()
    const socket = await tcp(port)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.resume()
    socket.write(greeting().subarray(0, 20))
    await closed
    await unharmed()
  })

  it('a ZeroMQ peer that sends rubbish is counted and not answered', async () => {
    const { address, unharmed, malformed } = await serve()
    const dealer = new zmq.Dealer({ linger: 0, receiveTimeout: 200 })
    opened.push(dealer)
    dealer.connect(address)
    const messages = [
      [''],
      ['', 'request'],
      ['x'.repeat(31)],
      ['x'.repeat(500)],
      [Buffer.alloc(64)],
      [Buffer.alloc(64, 0xa1)],
      ...Array.from({ length: 100 }, () => [randomBytes(40), randomBytes(10)]),
    ]
    for (const message of messages) await dealer.send(message)
    await eventually(() => malformed() === messages.length)
    await expect(dealer.receive()).rejects.toMatchObject({ code: 'EAGAIN' })
    await unharmed()
  })

  it('a call without a hello is told to start over', async () => {
    const { address, unharmed } = await serve()
    const dealer = new zmq.Dealer({ linger: 0, receiveTimeout: 3000 })
    opened.push(dealer)
    dealer.connect(address)
    const head = Buffer.alloc(32)
    head[0] = 0xa1
    head[1] = 2
    await dealer.send([head])
    const [goodbye] = await dealer.receive()
    expect([goodbye![0], goodbye![1]]).toEqual([0xa1, 10])
    await unharmed()
  })

  it('a frame longer than may be ends the connection that it came by', async () => {
    const { address, unharmed, malformed } = await serve()
    const dealer = new zmq.Dealer({ linger: 0, sendHighWaterMark: 0 })
    opened.push(dealer)
    dealer.connect(address)
    const before = process.memoryUsage.rss()
    await dealer.send([Buffer.alloc(64), Buffer.alloc(64 * 2 ** 20)])
    await pause(300)
    await unharmed()
    expect(malformed()).toBe(0)
    // One copy is the sender's own.
    expect(process.memoryUsage.rss() - before).toBeLessThan(120 * 2 ** 20)
  })

  it('a client says so when the port speaks another protocol', async () => {
    const http = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'))
    })
    opened.push(http)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const connection = connectRpc(
      {
        address: `tcp://127.0.0.1:${(http.address() as AddressInfo).port}`,
        user: 'u',
        host: 'h',
        clientId: 'c',
        connectTimeoutMs: 500,
      },
      { transport: new ZeroMqTransport({}, { runtime }), runtime, log: silentLog },
    )
    opened.push(connection)
    await expect(connection.client(Ping).ping({ n: 1 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'NOT_REACHABLE',
      message: expect.stringMatching(/another protocol|does not speak this protocol/),
    })
  })
})

describe('addresses', () => {
  it('that other hosts reach are not bound without keys', async () => {
    const careful = new ZeroMqTransport({}, { runtime })
    for (const address of [
      'tcp://0.0.0.0:0',
      'tcp://*:0',
      'tcp://[::]:0',
      'tcp://192.0.2.1:0',
      'tcp://example.org:0',
    ]) {
      await expect(careful.listen(address, () => {})).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        reason: 'INSECURE_ADDRESS',
        message: expect.stringContaining('alluxio.security.transport=none'),
      })
    }
    const open = await new ZeroMqTransport({ security: 'none' }, { runtime }).listen(
      'tcp://0.0.0.0:0',
      () => {},
    )
    expect(open.address).toMatch(/^tcp:\/\/0\.0\.0\.0:\d+$/)
    await open.close()
  })

  it('of loopback are', async () => {
    const careful = new ZeroMqTransport({}, { runtime })
    for (const address of ['127.0.0.1:0', 'tcp://localhost:0', 'tcp://127.1.2.3:0']) {
      const listener = await careful.listen(address, () => {})
      expect(listener.address).toMatch(/^tcp:\/\/127\.\d+\.\d+\.\d+:\d+$/)
      await listener.close()
    }
  })
})

/** The first 64 bytes of a ZMTP 3.1 peer with the NULL mechanism. */
function greeting(): Buffer {
  const bytes = Buffer.alloc(64)
  bytes[0] = 0xff
  bytes[9] = 0x7f
  bytes[10] = 3
  bytes[11] = 1
  bytes.write('NULL', 12)
  return bytes
}
