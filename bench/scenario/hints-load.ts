/** The workers and the askers of `hints.bench.ts`: takes orders from it, one at a time, and answers with figures. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { blockIdOf, type FileId, silentLog, systemRuntime } from '../../src/core/index.ts'
import { connectRpc, HintsContract, MasterBlock, ZeroMqTransport } from '../../src/rpc/index.ts'

interface Order {
  readonly do: 'register' | 'http' | 'rpc' | 'beat' | 'fresh' | 'lost' | 'end'
  readonly workers: number
  readonly perFile: number
  readonly ids: string
  readonly rpc: number
  readonly web: number
  readonly clusterId: string
  readonly seconds: number
  readonly blocks: boolean
  /** Asks for the health of the master instead: what a request costs that asks for nothing. */
  readonly bare?: boolean
  /** Paths of one HTTP request. @default 1 */
  readonly batch?: number
  /** Blocks that each worker's heartbeat adds, and as many that it removes. */
  readonly changes: number
}

const FILES_A_DIRECTORY = 1000
const REPLICAS = 2
const HINTS = '/api/v1/hints/rank?user.name=bench'
const CONNECTIONS = 32
const BATCH = 100
const BATCHES = 4
const BEAT_MS = 1000
const ENTRY = 9
const tiers = ['MEM', 'SSD'].map((alias) => ({ alias, capacityBytes: 2 ** 40, usedBytes: 0 }))
const transport = new ZeroMqTransport({}, { runtime: systemRuntime })

let state = 7
function random(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state >>> 7) % n
}

function connect(port: number) {
  return connectRpc(
    {
      address: `tcp://127.0.0.1:${port}`,
      user: 'bench',
      host: 'load',
      clientId: `load-${random(1e9)}`,
      peer: 'master',
    },
    { runtime: systemRuntime, transport, log: silentLog },
  )
}

function percentiles(latencies: number[]) {
  latencies.sort((a, b) => a - b)
  const at = (q: number) => Math.round((latencies[Math.floor(latencies.length * q)] ?? 0) * 1000) / 1000
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(0.999999) }
}

class Load {
  readonly #setup: Order
  readonly #ids: Float64Array
  readonly #connection
  readonly #sessions: number[] = []
  readonly #silent = new Set<number>()
  #beating = true
  #rounds = Promise.resolve()

  constructor(setup: Order) {
    this.#setup = setup
    const bytes = readFileSync(setup.ids)
    this.#ids = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
    this.#connection = connect(setup.rpc)
  }

  /** All workers register, each with its share of the blocks. */
  async register() {
    const { workers, perFile, clusterId } = this.#setup
    const pages = this.#pages()
    const master = this.#connection.client(MasterBlock)
    // Those that came first must not be lost before the last one is there.
    this.#keepAlive()
    const began = performance.now()
    for (let w = 0; w < workers; w++) {
      const { session } = await master.register({
        ...{ uuid: `worker-${w}`, host: `host-${w}`, rpcPort: 1, webPort: 1, tiers, clusterId },
      })
      await master.registerBlocks({ session, blocks: pages[w]! })
      await master.registerEnd({ session })
      this.#sessions.push(session)
    }
    return {
      workers,
      replicas: this.#ids.length * perFile * REPLICAS,
      seconds: (performance.now() - began) / 1000,
    }
  }

  #pages(): Buffer[] {
    const { workers, perFile } = this.#setup
    const total = this.#ids.length * perFile * REPLICAS
    const owner = new Uint16Array(total)
    const count = new Int32Array(workers)
    for (let i = 0; i < total; i++) {
      owner[i] = random(workers)
      count[owner[i]!]!++
    }
    const pages = Array.from(count, (n) => Buffer.allocUnsafe(n * ENTRY))
    const used = new Int32Array(workers)
    for (let i = 0; i < total; i++) {
      const w = owner[i]!
      const block = Math.floor(i / REPLICAS)
      const id = blockIdOf(this.#ids[Math.floor(block / perFile)] as FileId, block % perFile)
      used[w] = pages[w]!.writeUInt8(i % REPLICAS, pages[w]!.writeDoubleLE(id, used[w]!))
    }
    return pages
  }

  /** Heartbeats without changes, spread over a second, until the end. */
  #keepAlive(): void {
    const step = async () => {
      const began = performance.now()
      if (this.#beating) await this.#round(0, Math.floor(BEAT_MS / 10))
      if (!this.#beating) return
      setTimeout(() => (this.#rounds = step()), Math.max(0, BEAT_MS - (performance.now() - began)))
    }
    this.#rounds = step()
  }

  async #round(changes: number, slices: number): Promise<number> {
    const master = this.#connection.client(MasterBlock)
    const empty = new Uint8Array(0)
    const calls: Promise<{ readonly register: boolean }>[] = []
    const aSlice = Math.max(1, Math.ceil(this.#sessions.length / slices))
    for (const [w, session] of this.#sessions.entries()) {
      if (this.#silent.has(w)) continue
      const added = changes === 0 ? empty : this.#someBlocks(changes, true)
      const removed = changes === 0 ? empty : this.#someBlocks(changes, false)
      calls.push(master.heartbeat({ session, removed, added, tiers, load: 0 }))
      if (slices > 1 && w % aSlice === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    for (const { register } of await Promise.all(calls))
      if (register) throw new Error('a worker was lost meanwhile')
    return calls.length
  }

  #someBlocks(count: number, withTier: boolean): Buffer {
    const bytes = Buffer.allocUnsafe(count * (withTier ? ENTRY : 8))
    for (let i = 0, at = 0; i < count; i++) {
      const id = blockIdOf(this.#ids[random(this.#ids.length)] as FileId, random(this.#setup.perFile))
      at = bytes.writeDoubleLE(id, at)
      if (withTier) at = bytes.writeUInt8(0, at)
    }
    return bytes
  }

  async beat({ seconds, changes }: Order) {
    const latencies: number[] = []
    const end = performance.now() + seconds * 1000
    let rounds = 0
    while (performance.now() < end) {
      const began = performance.now()
      await this.#round(changes, 1)
      latencies.push(performance.now() - began)
      rounds++
    }
    return { done: rounds, changesEach: 2 * changes, ...percentiles(latencies) }
  }

  #path(): string {
    const file = random(this.#ids.length)
    return `/d${Math.floor(file / FILES_A_DIRECTORY)}/f${file}`
  }

  async http({ seconds, blocks, bare, batch = 1 }: Order) {
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
    const latencies: number[] = []
    const end = performance.now() + seconds * 1000
    const lane = async () => {
      while (performance.now() < end) {
        const began = performance.now()
        const paths = Array.from({ length: batch }, () => this.#path())
        const body = JSON.stringify({ paths, top: 3, blocks })
        await post(this.#setup.web, agent, bare ? '/healthz' : HINTS, body)
        latencies.push(performance.now() - began)
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, lane))
    agent.destroy()
    return { done: latencies.length * batch, ...(bare ? {} : { blocks, batch }), ...percentiles(latencies) }
  }

  async rpc({ seconds, blocks }: Order) {
    const hints = this.#connection.client(HintsContract)
    const latencies: number[] = []
    const end = performance.now() + seconds * 1000
    const lane = async () => {
      while (performance.now() < end) {
        const paths = Array.from({ length: BATCH }, () => this.#path())
        const began = performance.now()
        await hints.rank({ paths, top: 3, blocks })
        latencies.push(performance.now() - began)
      }
    }
    await Promise.all(Array.from({ length: BATCHES }, lane))
    return { done: latencies.length * BATCH, blocks, batch: BATCH, ...percentiles(latencies) }
  }

  /** From the moment that a heartbeat with a new block is sent until a stream names it, and until an answer does. */
  async fresh() {
    const hints = this.#connection.client(HintsContract)
    const stream = hints.subscribe({ paths: ['/d0'] })
    await stream.next()
    const master = this.#connection.client(MasterBlock)
    const pushed: number[] = []
    const answered: number[] = []
    for (let n = 0; n < 100; n++) {
      const added = Buffer.allocUnsafe(ENTRY)
      added.writeUInt8(0, added.writeDoubleLE(blockIdOf(this.#ids[n] as FileId, 0), 0))
      const namedNow = async () => {
        const { answers } = await hints.locate({ paths: [`/d0/f${n}`], top: 0 })
        return answers[0]!.blocks[0]!.hosts.map(({ host }) => host)
      }
      const holders = await namedNow()
      const w = this.#sessions.findIndex((_, i) => !holders.includes(`host-${i}`))
      const began = performance.now()
      const elapsed = () => performance.now() - began
      const named = (async () => {
        while (!(await namedNow()).includes(`host-${w}`));
        answered.push(elapsed())
      })()
      const session = this.#sessions[w]!
      await Promise.all([
        master.heartbeat({ session, removed: new Uint8Array(0), added, tiers, load: 0 }),
        stream.next().then(() => pushed.push(elapsed())),
        named,
      ])
    }
    await stream.return?.(undefined)
    const [told, asked] = [percentiles(pushed), percentiles(answered)]
    return {
      pushedP50Ms: told.p50Ms,
      pushedP99Ms: told.p99Ms,
      answeredP50Ms: asked.p50Ms,
      answeredP99Ms: asked.p99Ms,
    }
  }

  /** A worker falls silent; how long until files that it held are not said to be there. */
  async lost() {
    const hints = this.#connection.client(HintsContract)
    const paths = Array.from({ length: Math.min(this.#ids.length, 100) }, (_, i) => `/d0/f${i}`)
    const { answers } = await hints.locate({ paths, blocks: false, top: 100 })
    const named = answers.flatMap(({ hosts }) => hosts.map(({ host }) => host))
    const host = named[0]!
    const began = performance.now()
    this.#silent.add(Number(host.slice('host-'.length)))
    for (;;) {
      const now = await hints.locate({ paths, blocks: false, top: 100 })
      if (now.answers.every(({ hosts }) => hosts.every((hint) => hint.host !== host))) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return { forgottenMs: Math.round(performance.now() - began), timeoutMs: 10_000 }
  }

  async end() {
    this.#beating = false
    await this.#rounds
    await this.#connection.close()
    return {}
  }
}

function post(port: number, agent: Agent, path: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request({ host: '127.0.0.1', port, path, method: 'POST', agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`HTTP ${response.statusCode}`))
      response.resume().on('end', resolve)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

let load: Load | undefined
process.on('message', (order: Order) => {
  if (order.do === 'register') load = new Load(order)
  load![order.do](order).then(
    (answer) => process.send!(answer),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
})
