/**
 * Hints at scale: `node --expose-gc bench/scenario/hints.bench.ts [--workers=3000] [--blocks=10000000] [--per-file=20] [--seconds=5]
 * [--splits=100000] [--folder=DIR]`. Two replicas a block.
 *
 * A real master in this process, over a namespace of real inodes; its workers and its askers, simulated, in another one
 * (`hints-load.ts`), which speaks the protocols of both. Prints JSON lines; CPU is the master's, so `perCpuSecond` is what one core does.
 * `index`: registration of all workers, and what the block map takes. `engine`: ranks alone, not written out. `http`: one path, or
 * ten, a request over 32 connections; `http-bare`: the same for /healthz. `rpc`: batches of 100, four under way. `beat`: rounds of heartbeats with changes of every worker. `assign`: a stage planned.
 * `lost`: a worker falls silent, until no answer names it. `fresh`: a block reported, until a stream and an answer name it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Config } from '../../src/core/config/index.ts'
import { type FileId, silentLog, systemRuntime, type WorkerId } from '../../src/core/index.ts'
import '../../src/core/options/index.ts'
import { startMaster } from '../../src/daemon/master/index.ts'
import { openLmdbStore } from '../../src/metastore/index.ts'
import { BlockMap, Namespace } from '../../src/namespace/index.ts'
import { ZeroMqTransport } from '../../src/rpc/index.ts'
import { HintWorld, splitsOf, wholeFile } from '../../test/support/hints.ts'
import { memoryOf } from './process.ts'

const { values: flags } = parseArgs({
  options: {
    workers: { type: 'string', default: '3000' },
    blocks: { type: 'string', default: '10000000' },
    'per-file': { type: 'string', default: '20' },
    seconds: { type: 'string', default: '5' },
    splits: { type: 'string', default: '100000' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const workers = Number(flags.workers)
const perFile = Number(flags['per-file'])
const files = Math.ceil(Number(flags.blocks) / perFile)
const seconds = Number(flags.seconds)
const folder = mkdtempSync(join(flags.folder, 'alluxio-hints-bench-'))
const BLOCK = 64 * 2 ** 20
const FILES_A_DIRECTORY = 1000
const USER = { user: 'bench', group: 'bench' } as const
const CALLER = { user: USER.user, groups: [USER.group] }
const onFatal = (error: unknown) => {
  throw error
}

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const round = (value: number) => Math.round(value * 100) / 100
const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20)
const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
const directoryOf = (file: number) => `/d${Math.floor(file / FILES_A_DIRECTORY)}`

/** Makes the files, and writes their ids where the other process reads them. */
async function makeFiles(): Promise<Float64Array> {
  const store = await openLmdbStore(
    { folder: join(folder, 'metastore'), onFatal },
    { runtime: systemRuntime },
  )
  const namespace = new Namespace(
    {
      superuser: USER.user,
      superuserGroup: USER.group,
      supergroup: 'supergroup',
      umask: 0o022,
      permissionsEnabled: true,
      listingCacheBytes: 2 ** 20,
      rootMount: { uri: join(folder, 'ufs') },
    },
    { store, runtime: systemRuntime, blocks: new BlockMap() },
  )
  for (let first = 0; first < files; first += FILES_A_DIRECTORY) {
    const path = directoryOf(first)
    await namespace.mkdir({ path, recursive: true, allowExists: true, persisted: true }, CALLER)
    const count = Math.min(FILES_A_DIRECTORY, files - first)
    const entries = Array.from({ length: count }, (_, i) => ({
      ...{ name: `f${first + i}`, directory: false, length: perFile * BLOCK },
      ...{ modifiedMs: 1, fingerprint: 'bench', owner: USER.user, group: USER.group, mode: 0o644 },
    }))
    await namespace.load({
      path,
      entries,
      blockSizeBytes: BLOCK,
      coverage: 'all',
      listedMs: systemRuntime.now(),
    })
  }
  const ids = Float64Array.from(
    { length: files },
    (_, i) => namespace.inode(`${directoryOf(i)}/f${i}`)!.record.id,
  )
  writeFileSync(join(folder, 'ids'), new Uint8Array(ids.buffer))
  await store.close()
  return ids
}

/** The other process: one order at a time. */
async function order(load: ChildProcess, what: object): Promise<Record<string, number>> {
  const answered = once(load, 'message')
  load.send(what)
  const [answer] = (await answered) as [Record<string, number>]
  return answer
}

/** The engine over a block map of its own, without doors or namespace. */
function engineAlone(ids: Float64Array): void {
  const world = new HintWorld()
  for (let w = 1; w <= workers; w++) world.worker(w)
  const hinted = Array.from(ids, (id, i) => ({
    ...{ path: `${directoryOf(i)}/f${i}`, fileId: id as FileId },
    ...{ length: perFile * BLOCK, blockSizeBytes: BLOCK },
  }))
  const before = memoryOf('self', 'RssAnon')
  let state = 1
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 7) % n
  }
  for (const file of hinted)
    for (let i = 0; i < perFile; i++) for (let k = 0; k < 2; k++) world.hold(1 + random(workers), file, i, k)
  while (world.blocks.dirtyFiles > 0) world.blocks.takeDirty(2 ** 20)
  globalThis.gc?.()
  print({
    ...{ row: 'map', blocks: world.blocks.blocks, replicas: world.blocks.replicas },
    ...{
      megabytes: megabytes(world.blocks.bytes),
      rssMegabytes: megabytes(memoryOf('self', 'RssAnon') - before),
    },
  })
  for (const blocks of [false, true]) {
    const latencies: number[] = []
    const end = performance.now() + seconds * 1000
    const cpu = cpuMs()
    while (performance.now() < end) {
      const began = performance.now()
      const asked = world.hints.begin({ blocks, top: 3 }, world.nowMs)
      world.hints.answerTo(wholeFile(hinted[random(files)]!), asked)
      latencies.push(performance.now() - began)
    }
    const perCpuSecond = Math.round((latencies.length / (cpuMs() - cpu)) * 1000)
    latencies.sort((a, b) => a - b)
    const at = (q: number) => round(latencies[Math.floor(latencies.length * q)]! * 1000)
    print({ row: 'engine', blocks, perCpuSecond, p50Us: at(0.5), p99Us: at(0.99) })
  }
  const splits = hinted.slice(0, Math.ceil(Number(flags.splits) / perFile)).flatMap(splitsOf)
  for (let run = 0; run < 3; run++) {
    const cpu = cpuMs()
    const began = performance.now()
    const { local } = world.hints.assign(splits, { slack: 0.1 }, world.nowMs)
    print({
      ...{
        row: 'assign',
        splits: splits.length,
        local,
        ms: round(performance.now() - began),
        cpuMs: round(cpuMs() - cpu),
      },
    })
  }
  const began = performance.now()
  world.blocks.workerLost(1 as WorkerId)
  const lostMs = performance.now() - began
  let slices = 1
  while (!world.blocks.sweep(250_000)) slices++
  print({ row: 'sweep', lostMs: round(lostMs), ms: round(performance.now() - began), slices })
}

async function measured(load: ChildProcess, row: string, what: object): Promise<void> {
  const cpu = cpuMs()
  const { done = 0, ...rest } = await order(load, { ...what, seconds })
  const used = cpuMs() - cpu
  print({
    row,
    perCpuSecond: Math.round((done / used) * 1000),
    perSecond: Math.round(done / seconds),
    // A round of heartbeats comes every second.
    ...(row === 'beat' ? { coreShare: round(used / done / 1000) } : {}),
    ...rest,
  })
}

let load: ChildProcess | undefined
try {
  const ids = await makeFiles()
  engineAlone(ids)
  globalThis.gc?.()
  const config = Config.load({
    env: { ALLUXIO_DATA: folder },
    overrides: {
      'alluxio.master.metastore.dir': join(folder, 'metastore'),
      'alluxio.master.rpc.port': '0',
      'alluxio.master.web.port': '0',
      'alluxio.master.worker.timeout': '10s',
      'alluxio.security.login.username': USER.user,
    },
  })
  const modules = { runtime: systemRuntime, transport: new ZeroMqTransport({}, { runtime: systemRuntime }) }
  const master = await startMaster(config, { ...modules, log: silentLog, onFatal, superuser: USER })
  load = fork(join(import.meta.dirname, 'hints-load.ts'), { serialization: 'advanced' })
  const cpu = cpuMs()
  const rss = memoryOf('self', 'RssAnon')
  const registered = await order(load, {
    ...{ do: 'register', workers, perFile, blockBytes: BLOCK, ids: join(folder, 'ids') },
    ...{ rpc: master.rpcPort, web: master.webPort, clusterId: master.clusterId },
  })
  globalThis.gc?.()
  print({
    ...{ row: 'index', ...registered, cpuSeconds: round((cpuMs() - cpu) / 1000) },
    rssMegabytes: megabytes(memoryOf('self', 'RssAnon') - rss),
  })
  await measured(load, 'http-bare', { do: 'http', bare: true })
  for (const blocks of [false, true]) {
    await measured(load, 'http', { do: 'http', blocks })
    await measured(load, 'http', { do: 'http', blocks, batch: 10 })
    await measured(load, 'rpc', { do: 'rpc', blocks })
  }
  for (const changes of [1, 20]) await measured(load, 'beat', { do: 'beat', changes })
  print({ row: 'fresh', ...(await order(load, { do: 'fresh' })) })
  print({ row: 'lost', ...(await order(load, { do: 'lost' })) })
  print({ row: 'memory', rssMegabytes: megabytes(memoryOf('self', 'VmRSS')) })
  await order(load, { do: 'end' })
  await master.stop()
} finally {
  load?.kill()
  rmSync(folder, { recursive: true, force: true })
}
