/**
 * A namespace of any size: filled in this process, then served by a real master.
 *
 *   node --expose-gc bench/scenario/inodes.bench.ts [--sizes=10000,100000000] [--folder=FOLDER] [--seconds=5] [--keep]
 *
 * Prints JSON lines. `fill`: rate, bytes of disk, heap and memory of the filling process, ten times on the way to each size. `serve`: what a
 * master on that folder takes to start, its memory, and what one client with 64 calls in flight gets of it (status of random files,
 * creates in 16 directories at a time and in random ones, listings of a directory, all of 100 files). Files are records as a store's listing
 * leaves them: length, time, etag, owner. 100 million take about 22 GB and, at 200,000 a second, nine minutes.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connectFileSystem, type FileSystem } from '../../src/client/index.ts'
import { Config } from '../../src/core/config/index.ts'
import { systemRuntime } from '../../src/core/index.ts'
import '../../src/core/options/index.ts'
import { openLmdbStore } from '../../src/metastore/index.ts'
import { BlockMap, type Caller, type LoadedEntry, Namespace } from '../../src/namespace/index.ts'
import { Daemon, memoryOf } from './process.ts'

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,2000000' },
    folder: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    keep: { type: 'boolean', default: false },
  },
})
const sizes = flags.sizes.split(',').map(Number)
const seconds = Number(flags.seconds)
const made = flags.folder === undefined
const folder = flags.folder ?? mkdtempSync(join(tmpdir(), 'alluxio-inodes-'))
const metastore = join(folder, 'metastore')
const ufs = join(folder, 'ufs')
mkdirSync(ufs, { recursive: true })

const PER_DIRECTORY = 100
const IN_FLIGHT = 64
/** Directories that are on their way to the disk at a time. */
const AHEAD = 64
const root: Caller = { user: 'bench', groups: ['bench'] }

const parentOf = (d: number) => `/fill/p${Math.floor(d / 1000)}`
const directoryOf = (d: number) => `${parentOf(d)}/d${d}`
const nameOf = (i: number) => `part-${String(i).padStart(5, '0')}.parquet`

function entriesOf(d: number): LoadedEntry[] {
  const fingerprint = (d * 2654435761).toString(16).padStart(32, '0').slice(0, 32)
  return Array.from({ length: PER_DIRECTORY }, (_, i) => ({
    name: nameOf(i),
    directory: false,
    length: 1_000_000 + i,
    modifiedMs: 1_700_000_000_000 + d,
    fingerprint,
    owner: 'spark',
    group: 'hadoop',
  }))
}

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const diskBytes = () =>
  Number(execFileSync('du', ['-s', '-B1', metastore], { encoding: 'utf8' }).split('\t')[0])

async function fill(from: number, to: number): Promise<void> {
  const store = await openLmdbStore(
    {
      folder: metastore,
      onFatal: (error) => {
        throw error
      },
    },
    { runtime: systemRuntime },
  )
  const namespace = new Namespace(
    {
      superuser: root.user,
      superuserGroup: root.user,
      supergroup: 'supergroup',
      umask: 0o022,
      permissionsEnabled: false,
      listingCacheBytes: 0,
      rootMount: { uri: ufs },
    },
    { store, runtime: systemRuntime, blocks: new BlockMap() },
  )
  const end = Math.ceil(to / PER_DIRECTORY)
  const first = Math.ceil(from / PER_DIRECTORY)
  const step = Math.max(1, Math.ceil((end - first) / 10))
  let marked = performance.now()
  let markedAt = first
  for (let d = first; d < end; d++) {
    const path = directoryOf(d)
    void namespace.mkdir({ path, recursive: true, allowExists: true, mode: 0o777 }, root)
    const loading = namespace.load({
      path,
      entries: entriesOf(d),
      blockSizeBytes: 2 ** 26,
      coverage: 'all',
      listedMs: 1,
    })
    if (d % AHEAD === AHEAD - 1) await loading
    if ((d + 1 - first) % step !== 0 && d + 1 !== end) continue
    await namespace.durable()
    const secondsTaken = (performance.now() - marked) / 1000
    globalThis.gc?.()
    const { heapUsed, external, rss } = process.memoryUsage()
    const inodes = (d + 1) * PER_DIRECTORY
    print({
      row: 'fill',
      inodes,
      perSecond: Math.round(((d + 1 - markedAt) * PER_DIRECTORY) / secondsTaken),
      diskBytes: diskBytes(),
      diskBytesEach: Math.round(diskBytes() / inodes),
      heapUsed,
      external,
      heapBytesEach: Math.round((heapUsed / inodes) * 10) / 10,
      rss,
      rssAnon: memoryOf('self', 'RssAnon'),
    })
    marked = performance.now()
    markedAt = d + 1
  }
  await namespace.durable()
  await store.close()
}

const PROPERTIES = {
  'alluxio.master.metastore.dir': metastore,
  'alluxio.master.mount.table.root.ufs': ufs,
  'alluxio.security.authorization.permission.enabled': 'false',
  'alluxio.master.rpc.port': '0',
  'alluxio.master.web.port': '0',
}

async function serve(inodes: number): Promise<void> {
  const began = performance.now()
  const { daemon: master, port } = await Daemon.start('master', join(folder, 'data'), PROPERTIES)
  try {
    const fs = await connectFileSystem({ master: `127.0.0.1:${port}` }, { config: Config.load({}) })
    const directories = Math.ceil(inodes / PER_DIRECTORY)
    const directory = () => directoryOf(Math.floor(Math.random() * directories))
    const file = () => `${directory()}/${nameOf(Math.floor(Math.random() * PER_DIRECTORY))}`
    await fs.getStatus(file())
    const startSeconds = (performance.now() - began) / 1000
    const run = inodes.toString(36) + Math.floor(Math.random() * 1e9).toString(36)
    const jobs = Array.from({ length: 16 }, directory)
    const create = (path: string, i: number) =>
      fs.createEmpty(`${path}/new-${run}-${i}`, { writeType: 'MUST_CACHE' })
    const rates = {
      status: await rate(() => fs.getStatus(file())),
      // Before the creates: those make the directories of a small namespace long.
      list: await rate(() => list(fs, directory())),
      create: await rate((i) => create(jobs[i % jobs.length]!, i)),
      createScattered: await rate((i) => create(directory(), -1 - i)),
    }
    await fs.close()
    print({
      row: 'serve',
      inodes,
      startSeconds,
      ...rates,
      ...(await master.memory()),
      diskBytes: diskBytes(),
    })
  } finally {
    await master.stop()
  }
}

async function list(fs: FileSystem, path: string): Promise<void> {
  let seen = 0
  for await (const { name } of fs.list(path)) seen += name.length > 0 ? 1 : 0
  if (seen < PER_DIRECTORY) throw new Error(`${path} has ${seen} children`)
}

/** Calls a second, 64 in flight, after a fifth of the time to warm up. */
async function rate(call: (i: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  const warm = began + seconds * 200
  const end = warm + seconds * 1000
  let next = 0
  let counted = 0
  const lane = async () => {
    while (performance.now() < end) {
      await call(next++)
      if (performance.now() >= warm) counted++
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return Math.round(counted / ((performance.now() - warm) / 1000))
}

try {
  let filled = 0
  for (const size of sizes) {
    await fill(filled, size)
    filled = size
    await serve(size)
  }
} finally {
  if (!flags.keep)
    for (const path of made ? [folder] : [metastore, ufs, join(folder, 'data')])
      rmSync(path, { recursive: true, force: true })
}
