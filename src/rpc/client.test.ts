import { describe, expect, test } from '@jest/globals'
import { Type as T } from '@sinclair/typebox'
import { Kernel } from '../../test/sim/kernel/kernel.ts'
import { Trace } from '../../test/sim/kernel/trace.ts'
import { silentLog } from '../core/index.ts'
import { connectRpc } from './client.ts'
import { contract, unary } from './contract.ts'
import { RpcServer } from './server.ts'
import { MemoryNetwork } from './transport/memory.ts'

const Test = contract({
  name: 'test',
  id: 205,
  version: 1,
  methods: {
    echo: unary({
      id: 1,
      doc: 'Of the test.',
      idempotent: true,
      deadlineMs: 30_000,
      request: T.Object({ n: T.Number() }),
      response: T.Object({ n: T.Number() }),
    }),
  },
})

/** A client and a server on the simulated clock; the server counts its sessions and calls. */
async function world(options: { maxPeers?: number; loseReplies?: () => boolean } = {}) {
  const kernel = new Kernel({ seed: 7, maxEvents: 1_000_000 }, { trace: new Trace({ keep: 0 }) })
  const seen = { sessions: 0, calls: 0 }
  const network = new MemoryNetwork(
    { model: { deliver: (from) => (from === 's' && options.loseReplies?.() ? 'drop' : 1) }, reconnectMs: 5 },
    { runtime: kernel.boot('network').runtime },
  )
  const { runtime } = kernel.boot('s')
  const server = new RpcServer(
    { onFatal: () => {}, ...(options.maxPeers === undefined ? {} : { maxPeers: options.maxPeers }) },
    { runtime, log: silentLog },
  )
  server.serve(Test, {
    echo: ({ n }) => {
      seen.calls++
      return { n }
    },
  })
  await server.listen(network.host('s'), 's:7')
  const client = connectRpc(
    { address: 's:7', user: 'u', host: 'c', clientId: 'c', connectTimeoutMs: 30_000 },
    {
      transport: counted(network.host('c'), () => seen.sessions++),
      runtime: kernel.boot('c').runtime,
      log: silentLog,
    },
  )
  return { kernel, seen, network, client, echo: client.client(Test).echo }
}

function counted(transport: ReturnType<MemoryNetwork['host']>, onUp: () => void): typeof transport {
  return {
    listen: transport.listen,
    connect: (address, onMessage, events = {}) =>
      transport.connect(address, onMessage, {
        ...events,
        up: () => {
          onUp()
          events.up?.()
        },
      }),
  }
}

describe('a server that takes calls and never answers', () => {
  test('is tried ever more rarely until the deadline', async () => {
    const { kernel, seen, echo } = await world({ loseReplies: () => true })
    const failing = expect(echo({ n: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await kernel.run(31_000)
    await failing
    // At the pace of reconnection alone it would be thousands.
    expect(seen.sessions).toBeGreaterThan(10)
    expect(seen.sessions).toBeLessThan(80)
    expect(seen.calls).toBeLessThanOrEqual(seen.sessions)
  })

  test('and answers at last: the call succeeds within its deadline, the next failure begins anew', async () => {
    let lossy = true
    const { kernel, seen, echo } = await world({ loseReplies: () => lossy })
    const answer = echo({ n: 5 })
    await kernel.run(15_000)
    lossy = false
    await kernel.run(18_000)
    expect(await answer).toEqual({ n: 5 })
    const { sessions } = seen
    lossy = true
    const again = echo({ n: 6 })
    await kernel.run(18_500)
    expect(seen.sessions - sessions).toBeGreaterThan(1)
    lossy = false
    await kernel.run(25_000)
    expect(await again).toEqual({ n: 6 })
  })

  test('is sent no more than the budget of what waits', async () => {
    let lossy = true
    const { kernel, seen, echo } = await world({ loseReplies: () => lossy })
    const answers = Array.from({ length: 5000 }, (_, n) => echo({ n }))
    await kernel.run(10_000)
    // The first attempt of each, the burst of 1,000, and 100 a second.
    expect(seen.calls).toBeGreaterThanOrEqual(5000)
    expect(seen.calls).toBeLessThanOrEqual(5000 + 1000 + 1000)
    lossy = false
    await kernel.run(14_000)
    expect(await Promise.all(answers)).toHaveLength(5000)
  })
})

test('a server that has no room is asked again ever more rarely, and then serves', async () => {
  const { kernel, seen, echo } = await world({ maxPeers: 0 })
  const failing = expect(echo({ n: 1 })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('has its 0 clients already'),
  })
  await kernel.run(30_100)
  await failing
  expect(seen.sessions).toBeLessThan(80)
  expect(seen.calls).toBe(0)
})

describe('reach', () => {
  test('asks nothing while a session stands; without one it waits so long and no longer', async () => {
    const { kernel, network, client, echo } = await world()
    const first = echo({ n: 1 })
    await kernel.run(100)
    await first
    expect(client.reach(1000)).toBeUndefined()
    network.cut('s', 'c')
    // A call under way is what finds out.
    const waiting = echo({ n: 2 })
    await kernel.run(20_000)
    let refused: unknown
    client.reach(1000)?.catch((error: unknown) => {
      refused = error
    })
    await kernel.run(20_900)
    expect(refused).toBeUndefined()
    await kernel.run(21_100)
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', reason: 'NOT_REACHABLE' })
    let reached = false
    client.reach(10_000)?.then(() => {
      reached = true
    })
    network.heal('s', 'c')
    await kernel.run(25_000)
    expect(reached).toBe(true)
    expect(await waiting).toEqual({ n: 2 })
    expect(client.reach(1000)).toBeUndefined()
  })

  test('ends with its connection', async () => {
    const { kernel, network, client } = await world()
    network.cut('s', 'c')
    await kernel.run(20_000)
    const waiting = expect(client.reach(60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await client.close()
    await waiting
  })
})
