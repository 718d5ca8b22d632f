/**
 * The data rows of the table with our own daemons: `node bench/scenario/data.bench.ts [row …] [--bytes=N] [--tier=FOLDER]`.
 * Prints one JSON line a row: rate by wall clock, and CPU seconds of client and daemons together by work done. The tier's
 * folder decides what is measured: /dev/shm (default), or a mount with huge pages.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectFileSystem, type FileSystem } from '../../src/client/index.ts'
import { Config } from '../../src/core/config/index.ts'
import '../../src/core/options/index.ts'

const MIB = 2 ** 20
const args = process.argv.slice(2)
const flag = (name: string, otherwise: string) =>
  args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise
const bytes = Number(flag('bytes', String(1024 * MIB)))
const files = Number(flag('files', '20000'))
const rounds = Number(flag('rounds', '3'))
const wanted = args.filter((arg) => !arg.startsWith('--'))

const folder = mkdtempSync(join(flag('data', tmpdir()), 'alluxio-bench-'))
const tier = join(flag('tier', '/dev/shm'), folder.slice(folder.lastIndexOf('/') + 1))
const children: ChildProcess[] = []

async function start(role: string, properties: Record<string, string>): Promise<string> {
  const script = flag(role, join(import.meta.dirname, 'daemon.ts'))
  const flags = Object.entries(properties).map(([key, value]) => `${key}=${value}`)
  const child = spawn(process.execPath, [script, role, ...flags], {
    env: { ...process.env, ALLUXIO_DATA: join(folder, role) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return line.toString().trim()
}

/** CPU seconds of this process and the daemons so far. */
function cpuSeconds(): number {
  const own = process.cpuUsage()
  let total = (own.user + own.system) / 1e6
  for (const { pid } of children) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    total += (Number(fields[11]) + Number(fields[12])) / 100
  }
  return total
}

/** `before` readies each round and is not counted. */
async function measure(
  row: string,
  unit: 'GB' | 'op',
  work: () => Promise<number>,
  before: () => Promise<void> = async () => {},
): Promise<void> {
  if (wanted.length > 0 && !wanted.some((name) => row.startsWith(name))) return
  for (let round = 0; round < rounds; round++) {
    await before()
    const cpu = cpuSeconds()
    const began = performance.now()
    const done = await work()
    const seconds = (performance.now() - began) / 1000
    const used = cpuSeconds() - cpu
    const result =
      unit === 'GB'
        ? { GBps: round3(done / 1e9 / seconds), cpuSecondsPerGB: round3(used / (done / 1e9)) }
        : { perSecond: Math.round(done / seconds), cpuMicrosPerOp: round3((used / done) * 1e6) }
    process.stdout.write(`${JSON.stringify({ row, round, ...result, tier })}\n`)
  }
}

const round3 = (value: number) => Math.round(value * 1000) / 1000

async function writeLarge(fs: FileSystem, path: string, writeType: 'MUST_CACHE' | 'CACHE_THROUGH') {
  const writer = await fs.create(path, { writeType })
  for (let n = 0; n < bytes; n += MIB) await writer.write(buffer)
  await writer.close()
  return bytes
}

const without = (fs: FileSystem, path: string) => async () => {
  if (await fs.exists(path)) await fs.delete(path)
}

async function readLarge(fs: FileSystem, path: string): Promise<number> {
  const reader = await fs.open(path)
  let n = 0
  for (;;) {
    const pending = reader.readInto(n, buffer)
    const got = typeof pending === 'number' ? pending : await pending
    if (got === 0) break
    n += got
  }
  await reader.close()
  return n
}

async function readViews(fs: FileSystem, path: string): Promise<number> {
  const reader = await fs.open(path)
  let n = 0
  for (const { bytes: view } of await reader.mapBlocks()) {
    for (let at = 0; at < view.length; at += MIB) buffer.set(view.subarray(at, at + MIB))
    n += view.length
  }
  await reader.close()
  return n
}

async function readStream(fs: FileSystem, path: string): Promise<number> {
  const reader = await fs.open(path)
  let n = 0
  for await (const chunk of reader.stream()) n += chunk.length
  await reader.close()
  return n
}

async function readRandom(fs: FileSystem, path: string, callers: number, count: number): Promise<number> {
  const reader = await fs.open(path)
  const pages = bytes / 4096
  let x = 1
  const next = () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    return Math.floor((x / 2 ** 32) * pages) * 4096
  }
  const caller = async () => {
    const page = new Uint8Array(4096)
    for (let i = 0; i < count / callers; i++) {
      const pending = reader.readInto(next(), page)
      if (typeof pending !== 'number') await pending
      else if ((i & 1023) === 1023) await new Promise(setImmediate)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  await reader.close()
  return count
}

async function small(count: number, work: (i: number) => Promise<void>): Promise<number> {
  let next = 0
  const caller = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: 16 }, caller))
  return count
}

const buffer = Uint8Array.from({ length: MIB }, (_, i) => (i * 2654435761) >>> 13)
const page = buffer.subarray(0, 4096)
try {
  const rpc = await start('master', {
    'alluxio.master.rpc.port': '0',
    'alluxio.master.web.port': '0',
    'alluxio.master.mount.table.root.ufs': join(folder, 'ufs'),
  })
  await start('worker', {
    'alluxio.master.rpc.port': rpc,
    'alluxio.worker.rpc.port': '0',
    'alluxio.worker.web.port': '0',
    'alluxio.worker.ramdisk.mount': 'NoMount',
    'alluxio.worker.tieredstore.level0.dirs.path': tier,
    'alluxio.worker.tieredstore.level0.dirs.quota': `${Math.ceil((bytes * 2.5 + files * 8192 * 4) / MIB)}MB`,
  })
  const connect = (overrides: Record<string, string> = {}) =>
    connectFileSystem({ master: `127.0.0.1:${rpc}`, user: 'bench' }, { config: Config.load({ overrides }) })
  const fs = await connect()
  const remote = await connect({ 'alluxio.user.short.circuit.enabled': 'false' })

  await measure('write.must-cache', 'GB', () => writeLarge(fs, '/large', 'MUST_CACHE'), without(fs, '/large'))
  if (!(await fs.exists('/large'))) await writeLarge(fs, '/large', 'MUST_CACHE')
  await measure('read.sequential', 'GB', () => readLarge(fs, '/large'))
  await measure('read.views-copied', 'GB', () => readViews(fs, '/large'))
  await measure('read.random-1', 'op', () => readRandom(fs, '/large', 1, 400_000))
  await measure('read.random-16', 'op', () => readRandom(fs, '/large', 16, 400_000))
  await measure('remote.sequential', 'GB', () => readLarge(remote, '/large'))
  await measure('remote.stream', 'GB', () => readStream(remote, '/large'))
  await measure('remote.random-16', 'op', () => readRandom(remote, '/large', 16, 40_000))
  await measure(
    'remote.write',
    'GB',
    () => writeLarge(remote, '/large-remote', 'MUST_CACHE'),
    without(fs, '/large-remote'),
  )
  if (await fs.exists('/large-remote')) await fs.delete('/large-remote')
  await measure(
    'write.cache-through',
    'GB',
    () => writeLarge(fs, '/through', 'CACHE_THROUGH'),
    without(fs, '/through'),
  )
  let round = 0
  await measure('small.write', 'op', () => {
    const name = `/small-${round++}`
    return small(files, async (i) => {
      const writer = await fs.create(`${name}/${i}`, { writeType: 'MUST_CACHE' })
      await writer.write(page)
      await writer.close()
    })
  })
  await measure('small.read', 'op', async () => {
    const into = new Uint8Array(4096)
    return small(files, async (i) => {
      const reader = await fs.open(`/small-0/${i}`)
      await reader.readInto(0, into)
      await reader.close()
    })
  })
  await Promise.all([fs.close(), remote.close()])
} finally {
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')))
  for (const path of [folder, tier]) rmSync(path, { recursive: true, force: true })
}
