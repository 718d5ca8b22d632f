import { afterEach, describe, expect, it } from '@jest/globals'
import { Type as T } from '@sinclair/typebox'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { connectRpc } from '../client.ts'
import { contract, unary } from '../contract.ts'
import { RpcServer } from '../server.ts'
import { MemoryNetwork, type NetworkModel } from './memory.ts'
import type { Frames, Transport } from './transport.ts'

const runtime = systemRuntime
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !check(); i++) await pause(2)
  expect(check()).toBe(true)
}

const Test = contract({
  name: 'test',
  id: 204,
  version: 1,
  methods: {
    echo: unary({
      id: 1,
      doc: 'Of the test.',
      idempotent: true,
      deadlineMs: 3000,
      request: T.Object({ n: T.Number() }),
      response: T.Object({ n: T.Number() }),
    }),
    once: unary({
      id: 2,
      doc: 'Of the test.',
      idempotent: false,
      deadlineMs: 3000,
      request: T.Object({ n: T.Number() }),
      response: T.Object({ n: T.Number() }),
    }),
  },
})

describe('network in memory', () => {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close()
  })

  async function link(model: NetworkModel) {
    const network = new MemoryNetwork({ model, reconnectMs: 5 }, { runtime })
    const came: string[] = []
    const listener = await network.host('s').listen('s:7', (_peer, [frame]) => came.push(String(frame)))
    const events: string[] = []
    const connection = network.host('c').connect('s:7', () => {}, {
      up: () => events.push('up'),
      down: () => events.push('down'),
    })
    opened.push(listener, connection)
    await eventually(() => events.includes('up'))
    return { network, came, connection, events, listener }
  }

  it('keeps the order of a session whatever the delays', async () => {
    let n = 0
    const { connection, came } = await link({ deliver: () => (n++ * 7) % 13 })
    const sent = Array.from({ length: 60 }, (_, i) => `${i}`)
    for (const text of sent) connection.send([Buffer.from(text)])
    await eventually(() => came.length === sent.length)
    expect(came).toEqual(sent)
  })

  it('ends the session with the first message that is lost, and all behind it are lost', async () => {
    let n = 0
    const { connection, came, events } = await link({ deliver: () => (++n === 3 ? 'drop' : 1) })
    for (const text of ['a', 'b', 'c', 'd']) connection.send([Buffer.from(text)])
    await eventually(() => events.length === 3)
    expect(events).toEqual(['up', 'down', 'up'])
    connection.send([Buffer.from('e')])
    await eventually(() => came.includes('e'))
    expect(came.filter((text) => text > 'b')).toEqual(['e'])
  })

  it('shows the receiver a sender that writes again to bytes it has sent', async () => {
    const { connection, came } = await link({ deliver: () => 5 })
    const bytes = Buffer.from('first')
    connection.send([bytes])
    bytes.write('torn!')
    await eventually(() => came.length === 1)
    expect(came).toEqual(['torn!'])
  })

  it('tells once for each message when its memory is free: delivered, lost or dropped', async () => {
    const { connection, network, came } = await link({ deliver: () => 2 })
    const sent: number[] = []
    const send = (n: number) => connection.send([Buffer.from(`${n}`)], () => sent.push(n))
    send(1)
    expect(sent).toEqual([])
    await eventually(() => came.length === 1)
    network.cut('c', 's')
    send(2)
    await eventually(() => sent.length === 2)
    send(3)
    network.kill('s')
    send(4)
    await pause(10)
    expect(sent).toEqual([1, 2, 3, 4])
    expect(came).toEqual(['1'])
  })

  it('goes on after a cut that swallowed nothing, and breaks after one that did', async () => {
    const { connection, network, came, events } = await link({ deliver: () => 1 })
    network.cut('s', 'c')
    network.heal('c', 's')
    connection.send([Buffer.from('a')])
    await eventually(() => came.length === 1)
    expect(events).toEqual(['up'])
    network.cut('s', 'c')
    connection.send([Buffer.from('b')])
    await pause(10)
    network.heal('s', 'c')
    expect(events).toEqual(['up', 'down'])
    await eventually(() => events.length === 3)
    expect(came).toEqual(['a'])
  })

  async function served(network: MemoryNetwork, transport: Transport) {
    const seen: number[] = []
    const server = new RpcServer({ drainMs: 0 }, { runtime, log: silentLog })
    const echo = ({ n }: { n: number }) => {
      seen.push(n)
      return { n }
    }
    server.serve(Test, { echo, once: echo })
    await server.listen(transport, 's:7')
    const connection = connectRpc(
      { address: 's:7', user: 'u', host: 'c', clientId: 'c', heartbeatMs: 20, heartbeatMisses: 2 },
      { transport: network.host('c'), runtime, log: silentLog },
    )
    opened.push(server, connection)
    return { seen, client: connection.client(Test) }
  }

  it('lets a client notice by heartbeats that a link is cut, and answer its idempotent calls after it is mended', async () => {
    const network = new MemoryNetwork({ reconnectMs: 5 }, { runtime })
    const { seen, client } = await served(network, network.host('s'))
    await client.echo({ n: 1 })
    network.cut('c', 's')
    const repeated = client.echo({ n: 2 })
    const once = expect(client.once({ n: 3 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'CONNECTION_LOST',
    })
    await once
    network.heal('c', 's')
    expect(await repeated).toEqual({ n: 2 })
    expect(seen).toEqual([1, 2])
  })

  it('lets a client survive a server that dies and comes back', async () => {
    const network = new MemoryNetwork({ reconnectMs: 5 }, { runtime })
    const { client } = await served(network, network.host('s'))
    await client.echo({ n: 1 })
    network.kill('s')
    const repeated = client.echo({ n: 2 })
    const { seen } = await served(network, network.host('s'))
    expect(await repeated).toEqual({ n: 2 })
    expect(seen).toEqual([2])
  })

  it('carries the calls of a turn in one message', async () => {
    const network = new MemoryNetwork({}, { runtime })
    let messages = 0
    const inner = network.host('s')
    const counting: Transport = {
      listen: (address, onMessage) =>
        inner.listen(address, (peer, frames) => {
          messages++
          onMessage(peer, frames)
        }),
      connect: (address, onMessage, events) => inner.connect(address, onMessage, events),
    }
    const { client } = await served(network, counting)
    await client.echo({ n: 0 })
    const before = messages
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => client.echo({ n })))
    expect(answers.map(({ n }) => n)).toEqual(Array.from({ length: 1000 }, (_, n) => n))
    expect(messages - before).toBe(1)
  })

  it('sends a peer away that never said hello', async () => {
    const frames: Frames[] = []
    const network = new MemoryNetwork({}, { runtime })
    const { seen, client } = await served(network, network.host('s'))
    const tap = network.host('tap').connect('s:7', (message) => frames.push(message))
    opened.push(tap)
    await client.echo({ n: 1 })
    await eventually(() => {
      if (frames.length === 0) tap.send([Buffer.from([0xa1, 2, ...new Array(30).fill(0)])])
      return frames.length > 0
    })
    expect(frames[0]![0]![1]).toBe(10)
    expect(seen).toEqual([1])
  })
})
