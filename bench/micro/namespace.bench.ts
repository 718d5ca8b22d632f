/**
 * The namespace engine over LMDB, in one process without sockets: `node bench/micro/namespace.bench.ts [inodes] [folder]`.
 *
 * Prints one JSON object: rates per second, bytes of disk and heap an inode, seconds to open again. Directories hold 1,000 files;
 * records look like what a through write leaves (etag, length, one block).
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRuntime, type WorkerId } from '../../src/core/index.ts'
import { openLmdbStore, type RecordStore } from '../../src/metastore/index.ts'
import { BlockMap, type Caller, type LoadedEntry, Namespace } from '../../src/namespace/index.ts'

const inodes = Number(process.argv[2] ?? 10_000)
const folder = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'namespace-bench-'))
const PER_DIRECTORY = 1000
const IN_FLIGHT = 256
const caller: Caller = { user: 'spark', groups: ['hadoop'] }
const root: Caller = { user: 'root', groups: ['root'] }
const directories = Math.max(1, Math.round(inodes / PER_DIRECTORY))

const fatal = (error: Error): void => {
  throw error
}
async function openNamespace(): Promise<{ store: RecordStore; namespace: Namespace }> {
  const store = await openLmdbStore({ folder, onFatal: fatal }, { runtime: systemRuntime })
  const namespace = new Namespace(
    {
      superuser: 'root',
      superuserGroup: 'root',
      supergroup: 'supergroup',
      umask: 0o022,
      permissionsEnabled: true,
      listingCacheBytes: 64 * 2 ** 20,
      rootMount: { uri: 'file:///under' },
    },
    { store, runtime: systemRuntime, blocks: new BlockMap() },
  )
  await namespace.durable()
  return { store, namespace }
}

const directoryOf = (d: number): string => `/warehouse/table=${String(d).padStart(6, '0')}`
const nameOf = (i: number): string => `part-${String(i).padStart(5, '0')}.parquet`
const randomPath = (): string =>
  `${directoryOf(Math.floor(Math.random() * directories))}/${nameOf(Math.floor(Math.random() * PER_DIRECTORY))}`

function entries(d: number): LoadedEntry[] {
  return Array.from({ length: PER_DIRECTORY }, (_, i) => ({
    name: nameOf(i),
    directory: false,
    length: 1_000_000 + i,
    modifiedMs: 1_700_000_000_000 + d,
    fingerprint: 'd41d8cd98f00b204e9800998ecf8427e',
    owner: 'spark',
    group: 'hadoop',
  }))
}

async function fill(namespace: Namespace): Promise<number> {
  const startedMs = performance.now()
  await namespace.mkdir({ path: '/warehouse', recursive: true, allowExists: true, mode: 0o777 }, root)
  for (let d = 0; d < directories; d++) {
    const path = directoryOf(d)
    void namespace.mkdir({ path, recursive: false, allowExists: true, mode: 0o777 }, root)
    const loaded = namespace.load({
      path,
      entries: entries(d),
      blockSizeBytes: 2 ** 26,
      coverage: 'all',
      listedMs: 1,
    })
    if (d % 8 === 7) await loaded
  }
  await namespace.durable()
  return (directories * PER_DIRECTORY) / ((performance.now() - startedMs) / 1000)
}

/** Rate a second of `count` calls with `inFlight` at a time. */
async function rate(count: number, inFlight: number, call: (i: number) => unknown): Promise<number> {
  const startedMs = performance.now()
  let next = 0
  const lane = async () => {
    while (next < count) await call(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return count / ((performance.now() - startedMs) / 1000)
}

const results: Record<string, number> = { inodes: directories * PER_DIRECTORY }
const round = (n: number, digits = 0): number => Number(n.toFixed(digits))

globalThis.gc?.()
const heapBefore = process.memoryUsage().heapUsed
let { store, namespace } = await openNamespace()
results.fillPerSecond = round(await fill(namespace))
globalThis.gc?.()
results.heapBytesPerInode = round((process.memoryUsage().heapUsed - heapBefore) / results.inodes!, 1)
results.diskBytesPerInode = round(statSync(join(folder, 'namespace.mdb')).size / results.inodes!)
await store.close()

const openedMs = performance.now()
;({ store, namespace } = await openNamespace())
await namespace.entry(randomPath(), caller)
results.restartMs = round(performance.now() - openedMs)

/** CPU of this process in microseconds, all threads: what a loaded machine does not distort. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** A worker with a million blocks registers again. */
function registerMillion(): number {
  const blocks = new BlockMap()
  const pages = Array.from({ length: 100 }, (_, p) => {
    const page = Buffer.alloc(9 * 10_000)
    for (let i = 0; i < 10_000; i++) page.writeDoubleLE((p * 10_000 + i + 2) * 2 ** 20, i * 9)
    return page
  })
  const register = () => {
    blocks.beginRegistration(1 as WorkerId)
    for (const page of pages) blocks.registerPage(1 as WorkerId, page)
    blocks.endRegistration(1 as WorkerId)
  }
  register()
  const startedMs = performance.now()
  register()
  return round(performance.now() - startedMs)
}

function statusRate(): number {
  const calls = 200_000
  const paths = Array.from({ length: 20_000 }, randomPath)
  const startedMs = performance.now()
  for (let i = 0; i < calls; i++) void namespace.entry(paths[i % paths.length]!, caller)
  return calls / ((performance.now() - startedMs) / 1000)
}
statusRate()
const statusCpu = cpuUs()
results.statusPerSecond = round(statusRate())
results.statusCpuUs = round((cpuUs() - statusCpu) / 200_000, 2)

const LISTINGS = 300
const listed = Array.from({ length: LISTINGS }, (_, i) =>
  directoryOf(Math.floor((i * directories) / LISTINGS)),
)
const listAll = async (limit: number) => {
  for (const path of listed) await namespace.list(path, caller, { limit })
}
await listAll(999)
// A changed limit misses the cache of pages.
const coldMs = performance.now()
const coldCpu = cpuUs()
let limit = 1000
for (const path of listed) await namespace.list(path, caller, { limit: limit++ })
results.listColdMs = round((performance.now() - coldMs) / LISTINGS, 3)
results.listColdCpuMs = round((cpuUs() - coldCpu) / 1000 / LISTINGS, 3)
await namespace.list(directoryOf(0), caller, { limit: 1000 })
const warmMs = performance.now()
for (let i = 0; i < 20_000; i++) void namespace.list(directoryOf(0), caller, { limit: 1000 })
results.listCachedUs = round(((performance.now() - warmMs) / 20_000) * 1000, 2)

let id = 0
const commandId = (): Uint8Array => {
  const bytes = new Uint8Array(16)
  new Float64Array(bytes.buffer)[0] = Math.random()
  new Float64Array(bytes.buffer)[1] = id++
  return bytes
}
const CREATES = 60_000
const createIn = (path: string, i: number) =>
  namespace.create(
    {
      path: `${path}/new-${i}`,
      commandId: commandId(),
      blockSizeBytes: 2 ** 26,
      recursive: false,
      overwrite: false,
      writeType: 'MUST_CACHE',
      complete: true,
    },
    caller,
  )
/** As jobs do: 16 directories anywhere in the tree are being written at a time, 1,000 files each. */
const JOBS = 16
const jobPaths = Array.from({ length: 200 }, () => directoryOf(Math.floor(Math.random() * directories)))
const create = (i: number) => createIn(jobPaths[(i % JOBS) + JOBS * Math.floor(i / (JOBS * 1000))]!, i)
/** The worst case: every file in another directory. */
const scattered = (i: number) =>
  createIn(directoryOf(Math.floor(Math.random() * directories)), i + 10 * CREATES)
await rate(20_000, IN_FLIGHT, (i) => create(i + CREATES))
let before = cpuUs()
results.createPerSecond = round(await rate(CREATES, IN_FLIGHT, create))
results.createCpuUs = round((cpuUs() - before) / CREATES, 1)
before = cpuUs()
results.createScatteredPerSecond = round(await rate(CREATES, IN_FLIGHT, scattered))
results.createScatteredCpuUs = round((cpuUs() - before) / CREATES, 1)
results.mkdirPerSecond = round(
  await rate(20_000, IN_FLIGHT, (i) =>
    namespace.mkdir(
      { path: `/warehouse/d-${i}`, commandId: commandId(), recursive: false, allowExists: false },
      root,
    ),
  ),
)
results.renamePerSecond = round(
  await rate(20_000, IN_FLIGHT, (i) =>
    namespace.rename({ src: `/warehouse/d-${i}`, dst: `/warehouse/r-${i}`, commandId: commandId() }, root),
  ),
)
results.deletePerSecond = round(
  await rate(20_000, IN_FLIGHT, (i) =>
    namespace.delete({ path: `/warehouse/r-${i}`, commandId: commandId(), recursive: false }, root),
  ),
)
await store.close()
results.registerMillionBlocksMs = registerMillion()
if (process.argv[3] === undefined) rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify(results, undefined, 2))
