/** What every transport promises (src/rpc/transport/transport.ts), whoever implements it. */
import { afterEach, describe, expect, it } from '@jest/globals'
import type { Connection, Listener } from '../../../src/rpc/index.ts'
import { eventually } from './eventually.ts'
import type { World } from './worlds.ts'

const text = (frames: readonly Uint8Array[]) => frames.map((frame) => Buffer.from(frame).toString())

export function transportSuite(makeWorld: () => World): void {
  describe(`transport: ${makeWorld().name}`, () => {
    const opened: { close(): Promise<void> }[] = []
    afterEach(async () => {
      for (const one of opened.splice(0).reverse()) await one.close()
    })

    /** A server that records what comes, and a way to connect clients to it. */
    async function server(world: World, onMessage?: (peer: string, frames: Uint8Array[]) => void) {
      const came: { peer: string; frames: string[] }[] = []
      const listener = await world.transport('server').listen(world.address('server'), (peer, frames) => {
        came.push({ peer, frames: text(frames) })
        onMessage?.(peer, frames)
      })
      opened.push(listener)
      return { listener, came }
    }

    function client(world: World, address: string, host = 'client') {
      const came: string[][] = []
      const events: string[] = []
      const up = Promise.withResolvers<void>()
      const connection = world.transport(host).connect(address, (frames) => came.push(text(frames)), {
        up: () => {
          events.push('up')
          up.resolve()
        },
        down: () => events.push('down'),
        trouble: () => {
          if (events.at(-1) !== 'trouble') events.push('trouble')
        },
      })
      opened.push(connection)
      return { connection, came, events, up: up.promise }
    }

    it('carries messages of several frames both ways, in order, however long', async () => {
      const world = makeWorld()
      let listener: Listener | undefined
      const { came, listener: made } = await server(world, (peer, frames) => listener?.send(peer, frames))
      listener = made
      const one = client(world, listener.address)
      await one.up
      const sent = Array.from({ length: 300 }, (_, i) => [`head ${i}`, 'x'.repeat(i * 7), ''])
      for (const frames of sent) one.connection.send(frames.map((frame) => Buffer.from(frame)))
      await eventually(() => one.came.length === sent.length)
      expect(one.came).toEqual(sent)
      expect(came.map(({ frames }) => frames)).toEqual(sent)
    })

    it('keeps clients apart', async () => {
      const world = makeWorld()
      const { listener, came } = await server(world)
      const clients = [client(world, listener.address, 'a'), client(world, listener.address, 'b')]
      await Promise.all(clients.map(({ up }) => up))
      for (const [i, one] of clients.entries()) one.connection.send([Buffer.from(`from ${i}`)])
      await eventually(() => came.length === 2)
      expect(came[0]!.peer).not.toBe(came[1]!.peer)
      for (const { peer, frames } of came) listener.send(peer, [Buffer.from(`to ${frames[0]!.slice(5)}`)])
      await eventually(() => clients.every((one) => one.came.length === 1))
      expect(clients.map((one) => one.came)).toEqual([[['to 0']], [['to 1']]])
    })

    it('drops what is sent to an unknown peer, and what is sent before a session stands', async () => {
      const world = makeWorld()
      const { listener, came } = await server(world)
      listener.send('nobody', [Buffer.from('lost')])
      const one = client(world, listener.address)
      one.connection.send([Buffer.from('too early')])
      await one.up
      one.connection.send([Buffer.from('in time')])
      await eventually(() => came.length === 1)
      expect(came.map(({ frames }) => frames)).toEqual([['in time']])
    })

    it('tells when a session breaks, and connects anew to a listener that comes back', async () => {
      const world = makeWorld()
      const first = await server(world)
      const { address } = first.listener
      const one = client(world, address)
      await one.up
      await first.listener.close()
      await eventually(() => one.events.includes('down'))
      one.connection.send([Buffer.from('to nobody')])
      const came: string[][] = []
      const second = await world
        .transport('server')
        .listen(address, (_peer, frames) => came.push(text(frames)))
      opened.push(second)
      await eventually(() => one.events.filter((event) => event === 'up').length === 2)
      one.connection.send([Buffer.from('again')])
      await eventually(() => came.length === 1)
      expect(came).toEqual([['again']])
    })

    it('connects to a listener that starts later', async () => {
      const world = makeWorld()
      const first = await server(world)
      const { address } = first.listener
      await first.listener.close()
      const one = client(world, address)
      await eventually(() => one.events.includes('trouble'))
      const came: string[][] = []
      opened.push(await world.transport('server').listen(address, (_peer, frames) => came.push(text(frames))))
      // A socket that is closing may still have accepted the first session: then that one breaks and takes its messages along.
      await eventually(() => {
        if (one.events.at(-1) === 'up') one.connection.send([Buffer.from('hello')])
        return came.length > 0
      })
      expect(came[0]).toEqual(['hello'])
    })

    it('delivers nothing of a session that was reset', async () => {
      const world = makeWorld()
      const { listener, came } = await server(world)
      const one = client(world, listener.address)
      await one.up
      one.connection.send([Buffer.from('first')])
      await eventually(() => came.length === 1)
      one.connection.reset(0)
      one.connection.send([Buffer.from('between sessions')])
      await eventually(() => one.events.filter((event) => event === 'up').length === 2)
      one.connection.send([Buffer.from('second')])
      await eventually(() => came.length === 2)
      expect(came[1]!.frames).toEqual(['second'])
      expect(came[1]!.peer).not.toBe(came[0]!.peer)
      listener.send(came[0]!.peer, [Buffer.from('to the old session')])
      listener.send(came[1]!.peer, [Buffer.from('to the new one')])
      await eventually(() => one.came.length > 0)
      expect(one.came).toEqual([['to the new one']])
    })

    it('refuses an address that is in use, with a remedy', async () => {
      const world = makeWorld()
      const { listener } = await server(world)
      await expect(world.transport('server').listen(listener.address, () => {})).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        reason: 'ADDRESS_IN_USE',
      })
    })

    it('refuses what is no address', async () => {
      const world = makeWorld()
      for (const address of ['', 'tcp://', 'nowhere', 'http://host:1/x', 'tcp://127.0.0.1:99999999']) {
        await expect(world.transport('server').listen(address, () => {})).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        })
      }
    })

    it('calls sent once for a message that nobody will take', async () => {
      const world = makeWorld()
      const { listener } = await server(world)
      const one = client(world, listener.address)
      await one.up
      const connection: Connection = one.connection
      await connection.close()
      let sent = 0
      connection.send([Buffer.alloc(1000)], () => {
        sent++
      })
      expect(sent).toBe(1)
    })
  })
}
