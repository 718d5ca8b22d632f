/**
 * The RPC with nothing above it, client and server in processes of their own over ZeroMQ on loopback: small calls at
 * several depths, and downloads and uploads of 1 MiB frames.
 *
 *   node bench/micro/rpc.bench.ts [--seconds 2] [--gib 2] [--only calls|streams]
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Type as T } from '@sinclair/typebox'
import { silentLog, systemRuntime } from '../../src/core/index.ts'
import {
  type Client,
  connectRpc,
  contract,
  download,
  RpcServer,
  unary,
  upload,
  ZeroMqTransport,
} from '../../src/rpc/index.ts'

const FRAME = 2 ** 20
const CALL = { doc: 'A measured call.', idempotent: true, deadlineMs: 60_000 } as const

const Bench = contract({
  name: 'bench',
  id: 250,
  version: 1,
  methods: {
    stat: unary({
      ...CALL,
      id: 1,
      request: T.Object({ path: T.String(), syncIntervalMs: T.Optional(T.Number()) }),
      response: T.Object({ entry: T.Uint8Array() }),
    }),
    cpu: unary({ ...CALL, id: 2, request: T.Object({}), response: T.Object({ us: T.Number() }) }),
    read: download({
      ...CALL,
      id: 3,
      request: T.Object({ frames: T.Number() }),
      item: T.Object({ from: T.String() }),
    }),
    write: upload({
      ...CALL,
      id: 4,
      request: T.Object({}),
      item: T.Object({}),
      response: T.Object({ bytes: T.Number() }),
    }),
    later: unary({
      ...CALL,
      id: 5,
      request: T.Object({ path: T.String() }),
      response: T.Object({ entry: T.Uint8Array() }),
    }),
  },
})

const runtime = systemRuntime

async function serve(): Promise<void> {
  const entry = Buffer.alloc(160, 1)
  const data = Buffer.alloc(64 * FRAME, 2)
  const server = new RpcServer({}, { runtime, log: silentLog })
  server.serve(Bench, {
    stat: () => ({ entry }),
    later: async () => ({ entry }),
    cpu() {
      const { user, system } = process.cpuUsage()
      return { us: user + system }
    },
    async *read({ frames }) {
      for (let i = 0; i < frames; i++) {
        const at = (i % 64) * FRAME
        yield { item: { from: 'MEM' }, payload: data.subarray(at, at + FRAME) }
      }
    },
    async write(_request, items) {
      let bytes = 0
      for await (const { payload } of items) bytes += payload?.length ?? 0
      return { bytes }
    },
  })
  await server.listen(new ZeroMqTransport({}, { runtime }), 'tcp://127.0.0.1:0')
  process.stdout.write(`${server.address}\n`)
  process.stdin.on('end', () => server.close()).resume()
}

interface Measured {
  readonly seconds: number
  readonly clientUs: number
  readonly serverUs: number
}

async function measure(bench: Client<typeof Bench>, work: () => Promise<unknown>): Promise<Measured> {
  const server = await bench.cpu({})
  const own = process.cpuUsage()
  const started = runtime.monotonic()
  await work()
  const seconds = (runtime.monotonic() - started) / 1000
  const { user, system } = process.cpuUsage(own)
  return { seconds, clientUs: user + system, serverUs: (await bench.cpu({})).us - server.us }
}

async function calls(bench: Client<typeof Bench>, method: 'stat' | 'later', depth: number, seconds: number) {
  const latencies: number[] = []
  let count = 0
  const result = await measure(bench, async () => {
    const end = runtime.monotonic() + seconds * 1000
    const one = async () => {
      for (let now = runtime.monotonic(); now < end; ) {
        await bench[method]({ path: `/some/directory/file-${count++}` })
        const after = runtime.monotonic()
        if (depth === 1) latencies.push(after - now)
        now = after
      }
    }
    await Promise.all(Array.from({ length: depth }, one))
  })
  latencies.sort((a, b) => a - b)
  const p50 = depth === 1 ? `  p50 ${((latencies[latencies.length >> 1] ?? 0) * 1000).toFixed(0)} us` : ''
  print(
    `${method} ${String(depth).padStart(3)} in flight  ${Math.round(count / result.seconds).toLocaleString('en')} calls/s  client ${(result.clientUs / count).toFixed(1)} us  server ${(result.serverUs / count).toFixed(1)} us a call${p50}`,
  )
}

async function streams(bench: Client<typeof Bench>, gib: number): Promise<void> {
  const frames = gib * 1024
  const gb = (frames * FRAME) / 1e9
  const say = (what: string, m: Measured) =>
    print(
      `${what} ${(gb / m.seconds).toFixed(2)} GB/s  client ${(m.clientUs / 1e6 / gb).toFixed(2)}  server ${(m.serverUs / 1e6 / gb).toFixed(2)} CPU s/GB`,
    )
  say(
    'download',
    await measure(bench, async () => {
      for await (const _ of bench.read({ frames })) {
      }
    }),
  )
  const data = Buffer.alloc(64 * FRAME, 3)
  say(
    'upload  ',
    await measure(bench, async () => {
      const stream = bench.write({})
      for (let i = 0; i < frames; i++)
        await stream.write({}, data.subarray((i % 64) * FRAME, ((i % 64) + 1) * FRAME))
      await stream.finish()
    }),
  )
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      server: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '2' },
      gib: { type: 'string', default: '2' },
      only: { type: 'string' },
    },
  })
  if (values.server) return serve()
  const child = spawn(process.execPath, [process.argv[1]!, '--server'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const address = await new Promise<string>((resolve) =>
    child.stdout.once('data', (line) => resolve(String(line).trim())),
  )
  const connection = connectRpc(
    { address, user: 'bench', host: 'localhost', clientId: 'bench' },
    { transport: new ZeroMqTransport({}, { runtime }), runtime, log: silentLog },
  )
  const bench = connection.client(Bench)
  if (values.only !== 'streams') {
    for (const depth of [1, 16, 64, 256]) {
      for (const method of ['stat', 'later'] as const)
        await calls(bench, method, depth, Number(values.seconds))
    }
  }
  if (values.only !== 'calls') for (let i = 0; i < 3; i++) await streams(bench, Number(values.gib))
  await connection.close()
  child.stdin.end()
}

await main()
