/** What client and server promise to those who call and serve, over any transport. */
import { createHash, randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Type as T } from '@sinclair/typebox'
import { AlluxioError, AssertionFailure, Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import {
  type Call,
  connectRpc,
  contract,
  download,
  type Handlers,
  RpcServer,
  type RpcServerOptions,
  unary,
  upload,
  WithPayload,
} from '../../../src/rpc/index.ts'
import { eventually, pause } from './eventually.ts'
import type { World } from './worlds.ts'

const CALL = { doc: 'Of the suite.', deadlineMs: 5000, idempotent: true } as const

const Suite = contract({
  name: 'suite',
  id: 201,
  version: 3,
  methods: {
    echo: unary({
      ...CALL,
      id: 1,
      request: T.Object({ text: T.String(), extra: T.Optional(T.Array(T.Number())) }),
      response: T.Object({ text: T.String(), extra: T.Optional(T.Array(T.Number())) }),
    }),
    mirror: unary({ ...CALL, id: 2, request: T.Object({}), response: T.Object({ sum: T.String() }) }),
    wait: unary({ ...CALL, id: 3, request: T.Object({ ms: T.Number() }), response: T.Object({}) }),
    fail: unary({
      ...CALL,
      id: 4,
      request: T.Object({ how: T.String() }),
      response: T.Object({ text: T.String() }),
    }),
    once: unary({
      ...CALL,
      idempotent: false,
      id: 5,
      request: T.Object({ ms: T.Number() }),
      response: T.Object({}),
    }),
    patient: unary({
      ...CALL,
      deadlineMs: 0,
      id: 8,
      request: T.Object({ ms: T.Number() }),
      response: T.Object({}),
    }),
    count: download({
      ...CALL,
      id: 6,
      request: T.Object({ items: T.Number(), bytes: T.Number() }),
      item: T.Object({ i: T.Number() }),
    }),
    add: upload({
      ...CALL,
      idempotent: false,
      id: 7,
      request: T.Object({ slowMs: T.Number() }),
      item: T.Object({ i: T.Number() }),
      response: T.Object({ items: T.Number(), sum: T.String() }),
    }),
  },
})

const digest = (...parts: (Uint8Array | undefined)[]) => {
  const hash = createHash('sha256')
  for (const part of parts) if (part !== undefined) hash.update(part)
  return hash.digest('hex')
}

/** A service that shows what reached it. */
class Service implements Handlers<typeof Suite> {
  readonly calls: Call[] = []
  /** Items made by downloads and not consumed by anybody yet are seen as made minus consumed. */
  made = 0
  ended = 0
  released = 0

  echo({ text, extra }: { text: string; extra?: number[] }) {
    return extra === undefined ? { text } : { text, extra }
  }
  mirror(_request: object, call: Call) {
    const payload = call.payload ?? new Uint8Array()
    return new WithPayload({ sum: digest(payload) }, payload, () => {
      this.released++
    })
  }
  async wait({ ms }: { ms: number }, call: Call) {
    this.calls.push(call)
    await pause(ms)
    return {}
  }
  patient(request: { ms: number }, call: Call) {
    return this.wait(request, call)
  }
  once(request: { ms: number }, call: Call) {
    return this.wait(request, call)
  }
  fail({ how }: { how: string }): { text: string } | Promise<{ text: string }> {
    if (how === 'sync')
      throw new AlluxioError('NOT_FOUND', 'no such thing', { reason: 'GONE', details: { at: 7 } })
    if (how === 'async') return Promise.reject(new AlluxioError('CONFLICT', 'changed'))
    if (how === 'bug') throw new TypeError('x is not a function')
    if (how === 'assert') throw new AssertionFailure('two leaders')
    return { text: 5 as never }
  }
  async *count({ items, bytes }: { items: number; bytes: number }, call: Call) {
    this.calls.push(call)
    try {
      for (let i = 0; i < items; i++) {
        this.made++
        const release = () => {
          this.released++
        }
        yield bytes === 0 ? { item: { i } } : { item: { i }, payload: Buffer.alloc(bytes, i), release }
      }
    } finally {
      this.ended++
    }
  }
  async add(
    { slowMs }: { slowMs: number },
    items: AsyncIterable<{ item: { i: number }; payload?: Uint8Array }>,
    call: Call,
  ) {
    this.calls.push(call)
    const hash = createHash('sha256')
    let count = 0
    for await (const { item, payload } of items) {
      if (item.i < 0) throw new AlluxioError('OUT_OF_RANGE', 'below zero')
      if (slowMs > 0) await pause(slowMs)
      hash.update(payload ?? '')
      count++
      this.made++
    }
    return { items: count, sum: hash.digest('hex') }
  }
}

export function rpcSuite(makeWorld: () => World): void {
  describe(`rpc over ${makeWorld().name}`, () => {
    const opened: { close(): Promise<void> }[] = []
    afterEach(async () => {
      for (const one of opened.splice(0).reverse()) await one.close()
    })

    async function serve(world: World, options: RpcServerOptions = {}, address = world.address('server')) {
      const service = new Service()
      const metrics = new Metrics()
      const fatal: unknown[] = []
      const server = new RpcServer(
        { onFatal: (error) => fatal.push(error), drainMs: 200, ...options },
        { runtime: systemRuntime, log: silentLog, metrics },
      )
      server.serve(Suite, service)
      await server.listen(world.transport('server'), address)
      opened.push(server)
      return { server, service, metrics, fatal, address: server.address }
    }

    function connect(world: World, address: string, options: object = {}) {
      const connection = connectRpc(
        { address, user: 'ann', host: 'client', clientId: 'suite', heartbeatMs: 200, ...options },
        { transport: world.transport('client'), runtime: systemRuntime, log: silentLog },
      )
      opened.push(connection)
      return { connection, suite: connection.client(Suite) }
    }

    async function pair(options: RpcServerOptions = {}, client: object = {}) {
      const world = makeWorld()
      const served = await serve(world, options)
      return { world, ...served, ...connect(world, served.address, client) }
    }

    describe('unary calls', () => {
      it('answer', async () => {
        const { suite } = await pair()
        expect(await suite.echo({ text: 'grüße 東京 🙂' })).toEqual({ text: 'grüße 東京 🙂' })
        expect(await suite.echo({ text: '', extra: [1, -2.5, 2 ** 40] })).toEqual({
          text: '',
          extra: [1, -2.5, 2 ** 40],
        })
      })

      it('of 10,000 made at once are carried in a few messages and each gets its own answer', async () => {
        const { suite, metrics } = await pair()
        await suite.echo({ text: 'first' })
        const texts = Array.from({ length: 10_000 }, (_, i) => `call ${i}`)
        const answers = await Promise.all(texts.map((text) => suite.echo({ text })))
        expect(answers.map(({ text }) => text)).toEqual(texts)
        expect(metrics.text()).toContain('alluxio_server_rpc_calls_total{method="suite.echo"} 10001')
      })

      it('carry big payloads whole, both ways', async () => {
        const { suite, service } = await pair()
        for (const bytes of [1, 128, 129, 65_536, 5 * 2 ** 20]) {
          const payload = randomBytes(bytes)
          const answer = await suite.mirror({}, { payload })
          expect(answer.sum).toBe(digest(payload))
          expect(digest(answer.payload)).toBe(answer.sum)
        }
        // The next messages of the client acknowledge the answers, so their memory is released.
        await suite.echo({ text: 'ack' })
        expect(service.released).toBe(5)
      })

      it('fail with the code, reason, message and details that the handler gave', async () => {
        const { suite } = await pair()
        await expect(suite.fail({ how: 'sync' })).rejects.toMatchObject({
          code: 'NOT_FOUND',
          reason: 'GONE',
          message: 'no such thing',
          details: { at: 7 },
          operation: 'suite.fail',
        })
        await expect(suite.fail({ how: 'async' })).rejects.toMatchObject({
          code: 'CONFLICT',
          message: 'changed',
        })
        await expect(suite.fail({ how: 'bug' })).rejects.toMatchObject({
          code: 'INTERNAL',
          message: 'x is not a function',
        })
        await expect(suite.fail({ how: 'response' })).rejects.toMatchObject({
          code: 'INTERNAL',
          message: expect.stringContaining('text: a string was expected'),
        })
        expect((await suite.echo({ text: 'still there' })).text).toBe('still there')
      })

      it('never answer a broken invariant: the process is told', async () => {
        const { suite, fatal } = await pair()
        const answer = suite.fail({ how: 'assert' }, { deadlineMs: 300 })
        await expect(answer).rejects.toMatchObject({ code: 'TIMEOUT' })
        expect(fatal).toHaveLength(1)
        expect(fatal[0]).toBeInstanceOf(AssertionFailure)
      })

      it('of wrong arguments are refused before they are sent', async () => {
        const { suite, metrics } = await pair()
        await expect(suite.echo({ text: 5 as never })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: 'text: a string was expected, not number',
        })
        await expect(suite.echo({ text: 'x'.repeat(5 * 2 ** 20) })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          reason: 'TOO_LONG',
        })
        expect((await suite.echo({ text: 'fine' })).text).toBe('fine')
        expect(metrics.values()['alluxio_server_rpc_calls_total{method="suite.echo"}']).toBe(1)
      })

      it('end at their deadline, and the server is told to stop', async () => {
        const { suite, service } = await pair()
        const started = performance.now()
        await expect(suite.wait({ ms: 2000 }, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' })
        expect(performance.now() - started).toBeLessThan(1500)
        await eventually(() => service.calls[0]!.signal.aborted)
      })

      it('without a deadline last as long as the session, also while the server closes', async () => {
        const { suite, service, server } = await pair({ drainMs: 2000 })
        const answer = suite.patient({ ms: 300 })
        await eventually(() => service.calls.length === 1)
        await Promise.all([expect(answer).resolves.toBeDefined(), server.close()])
        expect(service.calls[0]!.signal.aborted).toBe(false)
      })

      it('end when they are cancelled, and the server is told to stop', async () => {
        const { suite, service } = await pair()
        const controller = new AbortController()
        const answer = suite.wait({ ms: 2000 }, { signal: controller.signal })
        const failed = expect(answer).rejects.toMatchObject({ code: 'CANCELLED' })
        await eventually(() => service.calls.length === 1)
        const { signal } = service.calls[0]!
        expect(signal.aborted).toBe(false)
        controller.abort()
        await failed
        await eventually(() => signal.aborted)
        await expect(suite.echo({ text: 'x' }, { signal: controller.signal })).rejects.toMatchObject({
          code: 'CANCELLED',
        })
      })

      it('beyond what one client may have open wait for their turn; what must not be repeated is refused', async () => {
        const { suite, service } = await pair({ maxCallsPerPeer: 3 })
        const waits = Array.from({ length: 7 }, () => suite.wait({ ms: 50 }))
        await expect(suite.once({ ms: 0 })).rejects.toMatchObject({
          code: 'RESOURCE_EXHAUSTED',
          reason: 'TOO_MANY_CALLS',
        })
        await Promise.all(waits)
        expect(service.calls).toHaveLength(7)
      })

      it('tell the handler who calls', async () => {
        const { suite, service } = await pair()
        await suite.wait({ ms: 0 })
        expect(service.calls[0]!.peer).toMatchObject({ user: 'ann', host: 'client', clientId: 'suite' })
      })
    })

    describe('downloads', () => {
      it('bring every item with its payload, in order', async () => {
        const { suite, service } = await pair()
        let next = 0
        for await (const { item, payload } of suite.count({ items: 200, bytes: 100_000 })) {
          expect(item.i).toBe(next)
          expect(payload!.length).toBe(100_000)
          expect(payload![99_999]).toBe(next % 256)
          next++
        }
        expect(next).toBe(200)
        // What was read is acknowledged with the next message.
        await suite.echo({ text: 'ack' })
        await eventually(() => service.released === 200)
      })

      it('of a slow consumer hold no more than the window', async () => {
        const { suite, service } = await pair({}, { windowBytes: 1_000_000 })
        const items = suite.count({ items: 500, bytes: 100_000 })
        let consumed = 0
        for await (const _ of items) {
          consumed++
          await pause(2)
          // The window, and one item that overdraws it, and one that the generator has ready.
          expect(service.made - consumed).toBeLessThanOrEqual(12)
          if (consumed === 60) break
        }
        await eventually(() => service.ended === 1)
        expect(service.made).toBeLessThan(80)
      })

      it('that are given up end the handler, also before it has made anything', async () => {
        const { suite, service } = await pair()
        const items = suite.count({ items: 1e9, bytes: 1000 })
        await items.next()
        await items.return!()
        await eventually(() => service.ended === 1)
        expect(service.calls[0]!.signal.aborted).toBe(true)
        expect((await items.next()).done).toBe(true)
        const controller = new AbortController()
        const other = suite.count({ items: 1e9, bytes: 1000 }, { signal: controller.signal })
        await other.next()
        controller.abort()
        await eventually(() => service.ended === 2)
        await expect(
          (async () => {
            for await (const _ of other);
          })(),
        ).rejects.toMatchObject({ code: 'CANCELLED' })
      })

      it('without items end at once', async () => {
        const { suite } = await pair()
        expect((await suite.count({ items: 0, bytes: 0 }).next()).done).toBe(true)
      })

      it('run beside each other and beside calls', async () => {
        const { suite } = await pair({}, { windowBytes: 200_000 })
        const total = async () => {
          let bytes = 0
          for await (const { payload } of suite.count({ items: 100, bytes: 10_000 })) bytes += payload!.length
          return bytes
        }
        const [a, b, c] = await Promise.all([total(), total(), suite.echo({ text: 'between' })])
        expect([a, b, c.text]).toEqual([1e6, 1e6, 'between'])
      })
    })

    describe('uploads', () => {
      it('bring every byte', async () => {
        const { suite } = await pair({ windowBytes: 500_000 })
        const stream = suite.add({ slowMs: 0 })
        const parts = Array.from({ length: 100 }, () => randomBytes(70_000))
        for (const [i, part] of parts.entries()) await stream.write({ i }, part)
        expect(await stream.finish()).toEqual({ items: 100, sum: digest(...parts) })
      })

      it('to a slow server are held back by its credit', async () => {
        const { suite, service } = await pair({ windowBytes: 500_000 })
        const stream = suite.add({ slowMs: 5 })
        for (let i = 0; i < 40; i++) {
          await stream.write({ i }, Buffer.alloc(100_000))
          expect(i - service.made).toBeLessThanOrEqual(7)
        }
        expect((await stream.finish()).items).toBe(40)
      })

      it('keep the order of writes that nobody waited for', async () => {
        const { suite } = await pair({ windowBytes: 100_000 })
        const stream = suite.add({ slowMs: 0 })
        const parts = Array.from({ length: 50 }, () => randomBytes(9000))
        for (const [i, part] of parts.entries()) void stream.write({ i }, part)
        expect(await stream.finish()).toEqual({ items: 50, sum: digest(...parts) })
      })

      it('tell the writer what the handler threw', async () => {
        const { suite } = await pair({ windowBytes: 100_000 })
        const stream = suite.add({ slowMs: 0 })
        await stream.write({ i: -1 })
        await expect(
          (async () => {
            for (let i = 0; i < 1000; i++) await stream.write({ i }, Buffer.alloc(10_000))
          })(),
        ).rejects.toMatchObject({ code: 'OUT_OF_RANGE' })
        await expect(stream.finish()).rejects.toMatchObject({ code: 'OUT_OF_RANGE' })
      })

      it('that are aborted end the handler', async () => {
        const { suite, service } = await pair()
        const stream = suite.add({ slowMs: 0 })
        await stream.write({ i: 1 })
        await eventually(() => service.made === 1)
        stream.abort(new Error('the source broke'))
        await eventually(() => service.calls[0]!.signal.aborted)
        await expect(stream.finish()).rejects.toMatchObject({ code: 'CANCELLED' })
      })
    })

    describe('sessions', () => {
      it('wait for a server that starts later', async () => {
        const world = makeWorld()
        const first = await serve(world)
        await first.server.close()
        // A socket lets go of its port in its own time: until then it may take a connection, to drop it.
        await pause(200)
        const { suite } = connect(world, first.address)
        const answer = suite.echo({ text: 'early' })
        const items = suite.count({ items: 3, bytes: 0 })
        const stream = suite.add({ slowMs: 0 })
        const written = stream.write({ i: 1 })
        await pause(150)
        await serve(world, {}, first.address)
        expect((await answer).text).toBe('early')
        let count = 0
        for await (const _ of items) count++
        await written
        expect([count, (await stream.finish()).items]).toEqual([3, 1])
      })

      it('say what to do when nobody answers', async () => {
        const world = makeWorld()
        const first = await serve(world)
        await first.server.close()
        const { suite } = connect(world, first.address, { connectTimeoutMs: 200, peer: 'master' })
        const failure = { code: 'UNAVAILABLE', reason: 'NOT_REACHABLE' }
        await expect(suite.echo({ text: 'x' })).rejects.toMatchObject({
          ...failure,
          message: expect.stringMatching(/no master answers at .*nobody listens there.*start it/),
        })
        await expect(suite.count({ items: 1, bytes: 0 }).next()).rejects.toMatchObject(failure)
        await expect(suite.add({ slowMs: 0 }).finish()).rejects.toMatchObject(failure)
      })

      it('repeat idempotent calls on the server that comes back, and fail the others', async () => {
        const { world, server, suite, service, address } = await pair({ drainMs: 0 })
        const idempotent = suite.wait({ ms: 1500 })
        const once = expect(suite.once({ ms: 1500 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
        const items = suite.count({ items: 1000, bytes: 100_000 })
        await items.next()
        await eventually(() => service.calls.length === 3)
        await server.close()
        await once
        await expect(
          (async () => {
            for await (const _ of items);
          })(),
        ).rejects.toMatchObject({ code: 'UNAVAILABLE' })
        const second = await serve(world, {}, address)
        expect(await idempotent).toEqual({})
        expect(second.service.calls).toHaveLength(1)
        expect((await suite.echo({ text: 'back' })).text).toBe('back')
      })

      it('of two clients do not mix', async () => {
        const world = makeWorld()
        const { address } = await serve(world)
        const [a, b] = [connect(world, address, { user: 'a' }), connect(world, address, { user: 'b' })]
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? a : b).suite.echo({ text: `${i}` })),
        )
        expect(answers.map(({ text }) => Number(text))).toEqual(Array.from({ length: 200 }, (_, i) => i))
      })

      it('end on both sides when the client closes', async () => {
        const { suite, connection, service, metrics } = await pair()
        const answer = expect(suite.wait({ ms: 3000 })).rejects.toMatchObject({ code: 'CANCELLED' })
        await eventually(() => service.calls.length === 1)
        const { signal } = service.calls[0]!
        await connection.close()
        await answer
        await eventually(() => signal.aborted)
        expect(metrics.values().alluxio_server_rpc_clients).toBe(0)
        await expect(suite.echo({ text: 'x' })).rejects.toMatchObject({ code: 'CANCELLED' })
      })

      it('are let go when a client falls silent', async () => {
        const { suite, service, metrics } = await pair({ peerTimeoutMs: 400 }, { heartbeatMs: 60_000 })
        const answer = suite.wait({ ms: 1500 })
        answer.catch(() => {})
        await eventually(() => service.calls.length === 1)
        await eventually(() => metrics.values().alluxio_server_rpc_clients === 0)
        expect(service.calls[0]!.signal.aborted).toBe(true)
        // The server does not know it any more: it starts over and its call is made again.
        expect((await suite.echo({ text: 'again' })).text).toBe('again')
      })

      it('are refused when the versions of a contract differ', async () => {
        const world = makeWorld()
        const { address } = await serve(world)
        const { connection } = connect(world, address)
        const newer = connection.client(contract({ ...Suite, version: 4 }))
        await expect(newer.echo({ text: 'x' })).rejects.toMatchObject({
          code: 'UNSUPPORTED',
          reason: 'CONTRACT_VERSION',
          message: expect.stringContaining('the client speaks version 4 of suite, the server version 3'),
        })
        await expect(newer.echo({ text: 'x' })).rejects.toMatchObject({ reason: 'CONTRACT_VERSION' })
        const other = connect(world, address).connection.client(
          contract({ ...Suite, id: 202, name: 'other' }),
        )
        await expect(other.echo({ text: 'x' })).rejects.toMatchObject({ reason: 'CONTRACT_UNKNOWN' })
      })

      it('accept fields that a newer peer adds at the end', async () => {
        const { connection } = await pair()
        const { echo } = Suite.methods
        const added = contract({
          ...Suite,
          methods: {
            echo: unary({
              ...echo,
              request: T.Object({ ...echo.request.properties, added: T.Optional(T.String()) }),
              response: T.Object({ ...echo.response.properties, added: T.Optional(T.String()) }),
            }),
          },
        })
        const newer = connection.client(added)
        expect(await newer.echo({ text: 'x', added: 'of tomorrow' })).toEqual({ text: 'x' })
      })

      it('drain: running calls are answered before the server goes', async () => {
        const { suite, server, service } = await pair({ drainMs: 2000 })
        const answer = suite.once({ ms: 200 })
        await eventually(() => service.calls.length === 1)
        await server.close()
        expect(await answer).toEqual({})
      })
    })
  })
}
