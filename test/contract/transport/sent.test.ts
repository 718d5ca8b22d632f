/** When a transport over ZeroMQ says that a message's memory is free: not before libzmq let go of it, and once. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from '@jest/globals'
import { systemRuntime } from '../../../src/core/index.ts'
import { ZeroMqTransport } from '../../../src/rpc/index.ts'
import { eventually, pause } from './eventually.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

it('a sent frame is free only after it has left, though its sender still holds it', async () => {
  const transport = new ZeroMqTransport({}, { runtime: systemRuntime })
  const peer = Promise.withResolvers<string>()
  const listener = await transport.listen('tcp://127.0.0.1:0', (from) => peer.resolve(from))
  let bytes = 0
  const up = Promise.withResolvers<void>()
  const client = transport.connect(
    listener.address,
    (frames) => {
      for (const frame of frames) bytes += frame.length
    },
    { up: () => up.resolve() },
  )
  await up.promise
  client.send([Buffer.from('hello')])
  const to = await peer.promise
  const mine = Buffer.alloc(4 * 2 ** 20, 9)
  let sent = 0
  listener.send(to, [Buffer.from('head'), mine], () => {
    sent++
  })
  expect(sent).toBe(0)
  await eventually(() => bytes === 4 + mine.length)
  await eventually(() => {
    collect()
    return sent === 1
  })
  collect()
  await pause(20)
  expect([sent, mine[0]]).toEqual([1, 9])
  await client.close()
  await listener.close()
})
