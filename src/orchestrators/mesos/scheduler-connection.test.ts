/** What a lone real master does not show: one that leads to another, one that falls silent, one that ends the framework. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../core/index.ts'
import type { SchedulerEvent } from './scheduler-api.ts'
import { SchedulerConnection } from './scheduler-connection.ts'

/** As Mesos 1.11 wrote it, but for the interval, which it cannot have so short. */
const SUBSCRIBED = {
  subscribed: {
    framework_id: { value: '7bf866b8-138b-4cda-9e8e-f03912bb75bf-0001' },
    heartbeat_interval_seconds: 0.05,
    master_info: {
      hostname: 'localhost',
      id: '7bf866b8-138b-4cda-9e8e-f03912bb75bf',
      ip: 16777343,
      port: 38675,
    },
  },
  type: 'SUBSCRIBED',
}
const HEARTBEAT = { type: 'HEARTBEAT' }

interface Seen {
  readonly type: string
  readonly stream: string | undefined
  readonly framework: string | undefined
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function master(
  answer: (call: Seen, request: IncomingMessage, response: ServerResponse) => void,
): Promise<URL> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const call = JSON.parse(Buffer.concat(chunks).toString())
      const stream = request.headers['mesos-stream-id'] as string | undefined
      answer({ type: call.type, stream, framework: call.framework_id?.value }, request, response)
    })
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

function tell(response: ServerResponse, ...events: readonly unknown[]): void {
  for (const event of events) {
    const text = JSON.stringify(event)
    response.write(`${Buffer.byteLength(text)}\n${text}`)
  }
}

function stream(response: ServerResponse, id: string, ...events: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'application/json', 'mesos-stream-id': id })
  tell(response, ...events)
}

function connect(masters: readonly URL[], onEvent: (event: SchedulerEvent) => void, patienceMs = 5000) {
  return new SchedulerConnection(
    { masters, patienceMs },
    { runtime: systemRuntime, log: silentLog, subscribe: () => ({ framework_info: {} }), onEvent },
    undefined,
  )
}

test('follows to the leader, and subscribes again as the same framework when it falls silent', async () => {
  const seen: Seen[] = []
  const abort = new AbortController()
  let subscriptions = 0
  const leader = await master((call, _request, response) => {
    seen.push(call)
    if (call.type !== 'SUBSCRIBE') return response.writeHead(202).end()
    subscriptions++
    stream(response, `stream-${subscriptions}`, SUBSCRIBED, HEARTBEAT)
  })
  const other = await master((_call, request, response) => {
    response.writeHead(307, { location: `//${leader.host}${request.url}` }).end()
  })
  const connection = connect([other], ({ type }) => {
    if (type !== 'SUBSCRIBED') return
    if (subscriptions === 1) void connection.call({ type: 'REVIVE' })
    else abort.abort()
  })
  await connection.run(abort.signal)
  const framework = SUBSCRIBED.subscribed.framework_id.value
  expect(seen).toEqual([
    { type: 'SUBSCRIBE', stream: undefined, framework: undefined },
    { type: 'REVIVE', stream: 'stream-1', framework },
    // A subscription names its framework, never a stream.
    { type: 'SUBSCRIBE', stream: undefined, framework },
  ])
  await expect(connection.call({ type: 'REVIVE' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('heartbeats keep it', async () => {
  const abort = new AbortController()
  let subscriptions = 0
  let beats = 0
  const subscribed = {
    ...SUBSCRIBED,
    subscribed: { ...SUBSCRIBED.subscribed, heartbeat_interval_seconds: 0.4 },
  }
  const url = await master((_call, _request, response) => {
    subscriptions++
    stream(response, 's', subscribed)
    const timer = setInterval(() => tell(response, HEARTBEAT), 100)
    response.on('close', () => clearInterval(timer))
  })
  await connect([url], ({ type }) => {
    if (type === 'HEARTBEAT' && ++beats === 14) abort.abort()
  }).run(abort.signal)
  expect(subscriptions).toBe(1)
})

test.each([
  ['a framework that the master ended', 200, 'CONFLICT', /Framework has been removed/],
  ['one that it does not take', 403, 'PERMISSION_DENIED', /not authorized/],
  ['no master', 503, 'UNAVAILABLE', /no Mesos master takes the framework for 300 ms.*not leading/],
])('gives up: %s', async (_what, status, code, message) => {
  const url = await master((_call, _request, response) => {
    if (status === 403) response.writeHead(403).end('Framework is not authorized')
    else if (status === 503) response.writeHead(503).end('not leading')
    else
      stream(response, 's', SUBSCRIBED, { type: 'ERROR', error: { message: 'Framework has been removed' } })
  })
  const run = connect([url], () => {}, 300).run(new AbortController().signal)
  await expect(run).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})
