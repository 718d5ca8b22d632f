/** An S3 under-store 20 ms away: calls and bytes counted by the server, small cold reads, random reads, one large object. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Bench, type Contender, SHM } from '../bench.ts'
import { freePorts, warmMemory } from '../machine.ts'
import { type LatencyStore, latencyStore, minioProgram } from '../stores.ts'

const DELAY_MS = 20
const MIB = 2 ** 20
const OBJECTS = 1000
const CALLERS = 16
/** What 16 callers can share evenly of 1,000. */
const READ = Math.floor(OBJECTS / CALLERS) * CALLERS
const BUCKET = 'peer'
const LARGE_BUCKET = 'large'
const KEYS = { access: 'benchmark', secret: 'benchmark-secret' }
const VALIDATED = { 'alluxio.user.file.metadata.sync.interval': '0' }

export async function s3(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters()
  const contenders = await bench.contenders(sides)
  const validating = await bench.contenders(sides, { properties: VALIDATED })
  const store = await latencyStore(BUCKET, DELAY_MS)
  bench.onEnd(() => store.close())
  await bench.each(contenders, 'mount', mountValues('/s3', BUCKET, store.endpoint))
  await bench.rounds((round, keep) => smallObjects(bench, store, contenders, validating, round, keep))
  await randomReads(bench, store, contenders)
  await largeObject(bench, contenders)
}

/** The keys are upstream's; ours takes the same. */
function mountValues(path: string, bucket: string, endpoint: string): Record<string, string> {
  return {
    path,
    uri: `s3://${bucket}/`,
    'opt.s3a.accessKeyId': KEYS.access,
    'opt.s3a.secretKey': KEYS.secret,
    'opt.alluxio.underfs.s3.endpoint': endpoint,
    'opt.alluxio.underfs.s3.endpoint.region': 'us-east-1',
    'opt.alluxio.underfs.s3.disable.dns.buckets': 'true',
    'opt.alluxio.underfs.s3.inherit.acl': 'false',
  }
}

async function smallObjects(
  bench: Bench,
  store: LatencyStore,
  contenders: readonly Contender[],
  validating: readonly Contender[],
  round: number,
  keep: boolean,
): Promise<void> {
  await store.fill(`round${round}/`, OBJECTS, 4096)
  const dir = `/s3/round${round}`
  const read = { op: 'readAll', threads: CALLERS, per: READ / CALLERS, files: READ, dir, size: 4096 }
  for (const [i, contender] of contenders.entries()) {
    const counted = async (phase: string, work: () => Promise<void>) => {
      await store.reset()
      await work()
      await bench.settle()
      const { calls } = await store.stats()
      if (keep) bench.report.add(`calls ${phase}`, contender.side.name, 'calls', { value: calls })
    }
    const measured = (cell: string, by: Contender, values = read) =>
      bench.measure(cell, [by], '/s', 'load', values, keep)
    await counted('ls', () => bench.each([contender], 'ls', { path: dir }))
    await counted('cold', () => measured(`cold 4k@${CALLERS}`, contender))
    const passes = { ...read, per: read.per * 3 }
    await counted('warm', () => measured(`warm 4k@${CALLERS}`, contender, passes))
    await counted('warm validated', () => measured(`warm validated 4k@${CALLERS}`, validating[i]!))
    await counted('ls validated', () => bench.each([validating[i]!], 'ls', { path: dir }))
  }
}

/** 1,000 reads of 64 KiB at random over a cold object of 1 GiB: what is fetched, of the 1 MiB extents that are touched. */
async function randomReads(
  bench: Bench,
  store: LatencyStore,
  contenders: readonly Contender[],
): Promise<void> {
  const bytes = bench.scaled(1024) * MIB
  const threads = 4
  const per = bench.scaled(1000) / threads
  const size = 65_536
  await store.fill('big', 1, bytes)
  const touched = new Set<number>()
  for (let t = 0; t < threads; t++) {
    let x = t * 7919 + 1
    for (let i = 0; i < per; i++) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0
      touched.add(Math.floor((Math.floor((x * (bytes / size)) / 2 ** 32) * size) / MIB))
    }
  }
  for (const contender of contenders) {
    await store.reset()
    const values = { op: 'pread', path: '/s3/big000000', bytes, size, threads, per }
    await bench.measure('random 64k cold', [contender], '/s', 'load', values)
    // Caching in the background goes on after the readers have what they want.
    let { bytesOut } = await store.stats()
    for (let before = -1; before !== bytesOut; ) {
      before = bytesOut
      await sleep(3000)
      bytesOut = (await store.stats()).bytesOut
    }
    bench.report.add('random 64k fetched', contender.side.name, 'x', {
      value: bytesOut / (touched.size * MIB),
    })
  }
}

/** MinIO behind a proxy that adds the delay; each side cold and then warm, and the SDK with nothing round it. */
async function largeObject(bench: Bench, contenders: readonly Contender[]): Promise<void> {
  const bytes = bench.scaled(1024) * MIB
  const [port, behind] = await freePorts(2)
  const children: ChildProcess[] = []
  bench.onEnd(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const data = join(bench.directory, 'minio')
  mkdirSync(data)
  const environment = { ...process.env, MINIO_ROOT_USER: KEYS.access, MINIO_ROOT_PASSWORD: KEYS.secret }
  const minio = await minioProgram()
  children.push(
    spawn(minio, ['server', '--quiet', '--address', `127.0.0.1:${behind}`, data], {
      env: environment,
      stdio: 'ignore',
    }),
    spawn(bench.native('latency'), [String(port), String(behind), String(DELAY_MS)], { stdio: 'ignore' }),
  )
  const sdk = async (endpoint: string, ...order: string[]) => {
    const env = { ...process.env, AWS_ACCESS_KEY_ID: KEYS.access, AWS_SECRET_ACCESS_KEY: KEYS.secret }
    const script = join(import.meta.dirname, '../raw-s3.ts')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [script, endpoint, LARGE_BUCKET, 'big', ...order],
      { env },
    )
    return JSON.parse(stdout) as { secs: number; cpu: number; parallel: number; partBytes: number }
  }
  await sdk(`http://127.0.0.1:${behind}`, 'put', String(bytes))
  const endpoint = `http://127.0.0.1:${port}`
  const best = await sdk(endpoint, 'search', String(bytes))
  bench.report.note(
    `raw SDK at its best with ${best.parallel} ranges of ${best.partBytes / MIB} MiB in flight`,
  )
  await bench.each(contenders, 'mount', mountValues('/minio', LARGE_BUCKET, endpoint))
  await bench.each(contenders, 'ls', { path: '/minio' })
  const values = { path: '/minio/big', threads: 1, buf: MIB }
  await bench.rounds(async (_round, keep) => {
    await bench.each(contenders, 'free', { path: '/minio/big' })
    await bench.settle()
    for (const contender of contenders) {
      warmMemory(SHM, bytes)
      await bench.measure('cold 1GiB', [contender], 'GB/s', 'read', values, keep)
    }
    await bench.measure('warm 1GiB', contenders, 'GB/s', 'read', values, keep)
    const raw = await sdk(endpoint, 'get', String(bytes), String(best.parallel), String(best.partBytes))
    const sample = { value: bytes / 1e9 / raw.secs, cpu: raw.cpu / (bytes / 1e9) }
    if (keep) bench.report.add('raw SDK 1GiB', 'machine', 'GB/s', sample)
  })
}
