/**
 * Our client under the orders of run.ts: one line `verb key=value ...` in, one line of JSON out. The verbs and the work
 * behind each are those of java/.../Driver.java, so that both sides do the same.
 */
import { createInterface } from 'node:readline'
import { connectFileSystem, type FileReader, type FileSystem } from '../../src/client/index.ts'
import { Config } from '../../src/core/config/index.ts'
import { systemRuntime } from '../../src/core/index.ts'

const properties = process.argv.slice(2).map((flag) => flag.replace(/^-D/, ''))
const fs: FileSystem = await connectFileSystem(
  {},
  { config: Config.load({ properties }), runtime: systemRuntime },
)

type Result = Record<string, number | string>
const nothing: Result = { n: 1 }

class Order {
  readonly verb: string
  readonly #values = new Map<string, string>()

  constructor(line: string) {
    const [verb, ...words] = line.trim().split(' ')
    this.verb = verb!
    for (const word of words) {
      const equals = word.indexOf('=')
      this.#values.set(word.slice(0, equals), word.slice(equals + 1))
    }
  }

  text(key: string, otherwise?: string): string {
    const value = this.#values.get(key) ?? otherwise
    if (value === undefined) throw new Error(`${this.verb} needs ${key}`)
    return value
  }

  number(key: string, otherwise?: number): number {
    return Number(this.text(key, otherwise?.toString()))
  }

  /** Values whose key starts with `opt.`, without it. */
  options(): Record<string, string> {
    return Object.fromEntries(
      [...this.#values].filter(([k]) => k.startsWith('opt.')).map(([k, v]) => [k.slice(4), v]),
    )
  }
}

async function run(o: Order): Promise<Result> {
  switch (o.verb) {
    case 'load':
      return await load(o)
    case 'write':
      return await write(o)
    case 'read':
      return await read(o)
    case 'map':
      return await map(o)
    case 'layout':
      await fs.mkdir(o.text('dir'), { recursive: true, allowExists: true, writeType: 'MUST_CACHE' })
      for (let t = 0; t < o.number('threads'); t++)
        for (const kind of ['c', 'm', 'r'])
          await fs.mkdir(`${o.text('dir')}/${kind}${t}`, { writeType: 'MUST_CACHE' })
      return nothing
    case 'mkdir':
      await fs.mkdir(o.text('path'), { recursive: true, allowExists: true, writeType: 'MUST_CACHE' })
      return nothing
    case 'rm':
      if (await fs.exists(o.text('path'))) await fs.delete(o.text('path'), { recursive: true })
      return nothing
    case 'ls': {
      let n = 0
      for await (const _ of fs.list(o.text('path'))) n++
      return { n }
    }
    case 'mount':
      await fs.mount(o.text('path'), o.text('uri'), { options: o.options() })
      return nothing
    case 'unmount':
      await fs.unmount(o.text('path'))
      return nothing
    case 'free':
      await fs.free(o.text('path'), { recursive: true, forced: true })
      return nothing
    default:
      throw new Error(`verb ${o.verb}`)
  }
}

// ---- closed-loop load: `threads` callers, each `per` operations or `seconds` long

interface Loop {
  operation(thread: number, i: number): Promise<unknown> | number
  end?(): Promise<void>
}

async function load(o: Order): Promise<Result> {
  const threads = o.number('threads')
  const per = o.number('per', 0)
  const seconds = o.number('seconds', 0)
  const loop = await operation(o, threads)
  const latencies: number[][] = Array.from({ length: threads }, () => [])
  let errors = 0
  let error = ''
  const start = performance.now()
  const end = start + seconds * 1000
  const caller = async (thread: number) => {
    const own = latencies[thread]!
    for (let i = 0; per > 0 ? i < per : performance.now() < end; i++) {
      const began = performance.now()
      try {
        const pending = loop.operation(thread, i)
        if (typeof pending !== 'number') await pending
        // A caller that is answered at once must still let the others run now and then.
        else if ((i & 1023) === 1023) await new Promise(setImmediate)
      } catch (e) {
        errors++
        error = String(e)
      }
      own.push(performance.now() - began)
    }
  }
  await Promise.all(latencies.map((_, thread) => caller(thread)))
  const secs = (performance.now() - start) / 1000
  await loop.end?.()
  const all = Float64Array.from(latencies.flat()).sort()
  const quantile = (q: number) => (all[Math.min(all.length - 1, Math.floor(all.length * q))] ?? 0) * 1000
  return {
    n: all.length,
    secs,
    p50us: quantile(0.5),
    p99us: quantile(0.99),
    errors,
    ...(error ? { error } : {}),
  }
}

async function operation(o: Order, threads: number): Promise<Loop> {
  const d = o.text('dir', '')
  const files = o.number('files', Number.MAX_SAFE_INTEGER)
  const size = o.number('size', 4096)
  const per = o.number('per', 0)
  const content = noise(size)
  const writeType = 'MUST_CACHE'
  // One durable step, as upstream's pair of calls makes: a complete empty file.
  const create = (path: string) => fs.createEmpty(path, { writeType })
  switch (o.text('op')) {
    case 'create':
      return { operation: (t, i) => create(`${d}/c${t}/f${i}`) }
    case 'mkdir':
      return { operation: (t, i) => fs.mkdir(`${d}/m${t}/d${i}`, { writeType }) }
    case 'getStatus':
      return { operation: (t, i) => fs.getStatus(`${d}/c${t}/f${i % files}`) }
    case 'rename':
      return { operation: (t, i) => fs.rename(`${d}/c${t}/f${i}`, `${d}/r${t}/g${i}`) }
    case 'delete':
      return { operation: (t, i) => fs.delete(`${d}/r${t}/g${i}`, { recursive: false }) }
    case 'list':
      return { operation: () => list(d, o.number('expect')) }
    case 'writeSmall':
      return {
        operation: async (t, i) => {
          const writer = await fs.create(`${d}/${t}/${i}`, { writeType })
          await writer.write(content)
          await writer.close()
        },
      }
    case 'readSmall': {
      const buffers = Array.from({ length: threads }, () => new Uint8Array(size))
      return { operation: (t, i) => drain(`${d}/${t}/${i}`, buffers[t]!, size) }
    }
    case 'readAll': {
      const buffers = Array.from({ length: threads }, () => new Uint8Array(65536))
      return {
        operation: (t, i) =>
          drain(`${d}/${String((t * per + i) % files).padStart(6, '0')}`, buffers[t]!, size),
      }
    }
    case 'fill': {
      const from = o.number('from')
      return {
        operation: (t, i) => {
          const k = from + t * per + i
          return create(`${d}/d${Math.floor(k / 1000)}/f${k}`)
        },
      }
    }
    case 'statFill': {
      const random = sequences(threads)
      return {
        operation: (t) => {
          const k = random[t]!(files)
          return fs.getStatus(`${d}/d${Math.floor(k / 1000)}/f${k}`)
        },
      }
    }
    case 'pread':
      return await positioned(o, threads, size)
    default:
      throw new Error(`op ${o.text('op')}`)
  }
}

async function positioned(o: Order, threads: number, size: number): Promise<Loop> {
  const pages = Math.floor(o.number('bytes') / size)
  const random = sequences(threads)
  const buffers = Array.from({ length: threads }, () => new Uint8Array(size))
  const readers: FileReader[] = []
  for (let t = 0; t < threads; t++) readers.push(await fs.open(o.text('path')))
  const check = (n: number) => {
    if (n !== size) throw new Error(`short read ${n}`)
    return n
  }
  return {
    operation: (t) => {
      const n = readers[t]!.readInto(random[t]!(pages) * size, buffers[t]!)
      return typeof n === 'number' ? check(n) : n.then(check)
    },
    end: async () => {
      for (const reader of readers) await reader.close()
    },
  }
}

/** Uses the name and length of every entry: upstream's client has decoded all of them when its call returns. */
async function list(path: string, expected: number): Promise<void> {
  let n = 0
  let used = 0
  for await (const entry of fs.list(path)) {
    n++
    used += entry.name.length + entry.length
  }
  if (n !== expected || used === 0) throw new Error(`entries ${n}`)
}

async function drain(path: string, buffer: Uint8Array, expected: number): Promise<void> {
  const reader = await fs.open(path)
  let n = 0
  while (true) {
    const got = await reader.readInto(n, buffer)
    if (got === 0) break
    n += got
  }
  await reader.close()
  if (n !== expected) throw new Error(`short read ${n}`)
}

// ---- bulk

async function write(o: Order): Promise<Result> {
  const buffer = noise(o.number('buf'))
  const bytes = o.number('bytes')
  const start = performance.now()
  const writer = await fs.create(o.text('path'), { writeType: o.text('type') as 'MUST_CACHE' })
  for (let n = 0; n < bytes; n += buffer.length)
    await writer.write(buffer.subarray(0, Math.min(buffer.length, bytes - n)))
  await writer.close()
  return { n: bytes, secs: (performance.now() - start) / 1000 }
}

async function read(o: Order): Promise<Result> {
  const start = performance.now()
  const totals = await Promise.all(
    Array.from({ length: o.number('threads') }, async () => {
      const buffer = new Uint8Array(o.number('buf'))
      const reader = await fs.open(o.text('path'))
      let n = 0
      while (true) {
        const pending = reader.readInto(n, buffer)
        const got = typeof pending === 'number' ? pending : await pending
        if (got === 0) break
        n += got
      }
      await reader.close()
      return n
    }),
  )
  return { n: totals.reduce((a, b) => a + b, 0), secs: (performance.now() - start) / 1000 }
}

/** Zero-copy views: `touch` loads one word of every cache line, `copy` moves them into a 1 MiB buffer. */
async function map(o: Order): Promise<Result> {
  const start = performance.now()
  const reader = await fs.open(o.text('path'))
  const window = new Uint8Array(2 ** 20)
  let n = 0
  let sum = 0
  for (const { bytes } of await reader.mapBlocks()) {
    if (o.text('use') === 'copy')
      for (let at = 0; at < bytes.length; at += window.length)
        window.set(bytes.subarray(at, at + window.length))
    else {
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
      // Four lines a turn: with one, the loop itself is the limit (14 GB/s over any memory, against 30).
      const turns = words.length - (words.length % 64)
      for (let i = 0; i < turns; i += 64)
        sum = (sum + words[i]! + words[i + 16]! + words[i + 32]! + words[i + 48]!) | 0
      for (let i = turns; i < words.length; i += 16) sum = (sum + words[i]!) | 0
    }
    n += bytes.length
  }
  await reader.close()
  return { n, secs: (performance.now() - start) / 1000, sum }
}

/** Bytes that no layer could compress or recognise. */
function noise(bytes: number): Uint8Array {
  const random = sequences(1)[0]!
  return Uint8Array.from({ length: bytes }, () => random(256))
}

/** The 32-bit linear congruential sequence of Driver.java: both sides read the same positions. */
function sequences(threads: number): ((below: number) => number)[] {
  return Array.from({ length: threads }, (_, t) => {
    let x = t * 7919 + 1
    return (below: number) => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0
      return Math.floor((x * below) / 2 ** 32)
    }
  })
}

const say = (reply: Record<string, unknown>) => process.stdout.write(`@${JSON.stringify(reply)}\n`)
say({ ok: true })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ ok: true, ...(await run(new Order(line))) })
  } catch (error) {
    say({ ok: false, error: String(error instanceof Error ? error.stack : error) })
  }
}
await fs.close()
