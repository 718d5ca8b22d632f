import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from '@jest/globals'
import { type Runtime, silentLog, systemRuntime } from '../../../../core/index.ts'
import { HintHttp, type HintHttpModules } from './hint-http.ts'

const HEAD = 'POST /api/v1/hints/rank HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n'

test('a body that does not arrive is refused in time, and keeps nobody else waiting', async () => {
  let clock = 0
  const timers: (() => void)[] = []
  const runtime: Runtime = {
    ...systemRuntime,
    monotonic: () => clock,
    after: (_, fn) => {
      timers.push(fn)
      return () => {}
    },
  }
  const later = () => {
    for (const fn of timers.splice(0)) fn()
  }
  const service = { each: () => undefined }
  const changes = { epoch: 'e', sequence: 1 }
  const callers = { of: (user: string) => ({ user, groups: [] }) }
  const door = new HintHttp({
    service,
    changes,
    callers,
    runtime,
    log: silentLog,
  } as unknown as HintHttpModules)
  const server = createServer((request, response) => void door.route(request, response, request.url!))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = async (text: string) => {
    const arrived = once(server, 'request')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
    socket.write(text)
    await arrived
    return socket
  }
  try {
    const slow = await open(`${HEAD}{"paths"`)
    const gone = await open(`${HEAD}{"paths"`)
    gone.destroy()
    clock = 14_000
    later()
    const late = await open(`${HEAD}{"paths"`)
    clock = 16_000
    const [refused] = await Promise.all([once(slow, 'data'), later()])
    expect(refused[0]).toMatch(/^HTTP\/1\.1 504 [\s\S]*connection: close[\s\S]*BODY_TOO_SLOW/)
    late.write(': []}')
    expect((await once(late, 'data'))[0]).toMatch(/^HTTP\/1\.1 200 [\s\S]*\[\]$/)
    late.destroy()
    clock = 60_000
    later()
    // Nothing is on its way: nothing is looked for.
    expect(timers).toEqual([])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
