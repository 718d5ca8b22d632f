/**
 * Spark scans Parquet and many small files: on a local folder, warm through `alluxio://`, and by s3a on MinIO with a delay before it.
 *
 *   node bench/scenario/spark.bench.ts [--mib=2048] [--small=10000] [--rounds=4] [--delay=20] [--bases=local,alluxio,s3a]
 *
 * One Spark process with two cores does all; the bases take turns, and the first round warms up and is left out. Prints JSON lines.
 * Needs a JDK, Maven, Python and Go for MinIO; disk for twice the data, memory for once.
 */
import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { eachLimited } from '../../src/core/index.ts'
import { sparkSettings } from '../../test/frameworks/spark/settings.ts'
import { Cluster } from '../../test/support/cluster.ts'
import { startMinio, startToxiproxy } from '../../test/support/servers/index.ts'
import { Spark } from '../../test/support/servers/spark.ts'

const { values: flags } = parseArgs({
  options: {
    mib: { type: 'string', default: '2048' },
    small: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '4' },
    delay: { type: 'string', default: '20' },
    bases: { type: 'string', default: 'local,alluxio,s3a' },
  },
})
const BYTES_A_ROW = 75
const SMALL_BYTES = 4096
const LANES = 16
const program = resolve('test/frameworks/spark/workload.py')
const release = '4.0'

const spark = await Spark.install(release)
const minio = await startMinio()
const toxiproxy = await startToxiproxy()
const cluster = await Cluster.start({ proxy: true, memory: `${Number(flags.mib) * 2 + 512}MB` })
const data = join(cluster.folder, 'ufs', 'data')
const slow = await toxiproxy.proxy('minio', minio.endpoint)
await toxiproxy.toxic('minio', 'latency', { latency: Number(flags.delay) })
const s3 = { endpoint: slow, accessKeyId: minio.accessKey, secretAccessKey: minio.secretKey }
const settings = await sparkSettings(
  release,
  { cluster, s3 },
  { 'spark.driver.memory': '1500m', 'spark.hadoop.fs.s3a.endpoint': slow },
)
const out = join(cluster.folder, 'told.json')

interface Told {
  readonly round: number
  readonly base: string
  readonly section: string
  /** Seconds by kind, and in `parquetCpu` and `smallCpu` those of CPU by process. */
  readonly result: Readonly<Record<string, unknown>>
}

function outcomes(): Told[] {
  return (JSON.parse(readFileSync(out, 'utf8')) as { told: Told[] }).told
}

async function submit(args: readonly string[]): Promise<void> {
  await spark.submit({ program, args: [...args, '--out', out], settings, timeoutMs: 3_600_000 })
  const failed = outcomes().find(({ result }) => 'error' in result)
  if (failed !== undefined) throw new Error(`${failed.base} ${failed.section}: ${failed.result.error}`)
}

/** Puts what lies in a folder into the bucket, past the delay. */
async function upload(folder: string): Promise<void> {
  const client = new S3Client({
    endpoint: minio.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: minio.accessKey, secretAccessKey: minio.secretKey },
  })
  const names = readdirSync(join(data, folder)).filter((name) => !name.startsWith('.'))
  await eachLimited(names, LANES, (name) => {
    const path = join(data, folder, name)
    const [Key, ContentLength] = [`${folder}/${name}`, statSync(path).size]
    const Body = ContentLength === 0 ? '' : createReadStream(path)
    return client.send(new PutObjectCommand({ Bucket: minio.bucket, Key, Body, ContentLength }))
  })
  client.destroy()
}

try {
  mkdirSync(join(data, 'small'), { recursive: true })
  const line = `${'0123456789abcde '.repeat(4).trim()}\n`
  const text = line.repeat(SMALL_BYTES / line.length)
  for (let i = 0; i < Number(flags.small); i++) writeFileSync(join(data, 'small', `f${i}`), `${i}\n${text}`)
  const rows = Math.round((Number(flags.mib) * 2 ** 20) / BYTES_A_ROW)
  await submit(['--base', `local=file://${data}/x`, '--sections', 'fill', '--rows', String(rows)])
  if (flags.bases.includes('s3a')) for (const folder of ['scan', 'small']) await upload(folder)
  const fs = await cluster.connect()
  const paths: string[] = []
  for await (const { path, folder } of fs.list('/data', { recursive: true })) if (!folder) paths.push(path)
  await eachLimited(paths, LANES, (path) => fs.load(path))
  const all = {
    local: `file://${data}/x`,
    alluxio: `alluxio://${cluster.webHdfs}/data/x`,
    s3a: `s3a://${minio.bucket}/x`,
  }
  const bases = Object.entries(all).filter(([name]) => flags.bases.split(',').includes(name))
  const named = bases.flatMap(([name, uri]) => ['--base', `${name}=${uri}`])
  const daemons = { proxy: cluster.proxy!, master: cluster.master, worker: cluster.workers[0]! }
  const processes = Object.entries(daemons).flatMap(([name, { pid }]) => ['--process', `${name}=${pid}`])
  await submit([...named, ...processes, '--sections', 'scan', '--rounds', flags.rounds])
  const asked = (await (await fetch(`http://${cluster.webHdfs}/metrics`)).text())
    .split('\n')
    .filter((line) => line.startsWith('alluxio_proxy_webhdfs_requests_total') && !line.endsWith(' 0'))
    .map((line) => /op="(\w+)".* (\d+)$/.exec(line)!)
  const calls = Object.fromEntries(asked.map(([, op, count]) => [op, Number(count)]))
  console.log(JSON.stringify({ calls, rounds: Number(flags.rounds) }))
  report(bases.map(([name]) => name))
} finally {
  await cluster.dispose()
  await Promise.all([minio.stop(), toxiproxy.stop()])
  spark.remove()
}

/** Medians of the rounds, without the first one. */
function report(bases: readonly string[]): void {
  const told = outcomes().filter(({ round }) => round > 0)
  const values = (base: string, field: string) =>
    told.filter((each) => each.base === base).map(({ result }) => result[field])
  const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!
  const cpu = (base: string, kind: string) => {
    const rounds = values(base, `${kind}Cpu`) as Readonly<Record<string, number>>[]
    return Object.fromEntries(
      Object.keys(rounds[0]!).map((name) => [name, median(rounds.map((used) => used[name]!))]),
    )
  }
  const bytes = readdirSync(join(data, 'scan')).reduce(
    (sum, name) => sum + statSync(join(data, 'scan', name)).size,
    0,
  )
  console.log(
    JSON.stringify({ parquetBytes: bytes, smallFiles: Number(flags.small), delayMs: Number(flags.delay) }),
  )
  for (const kind of ['parquet', 'small']) {
    const seconds = Object.fromEntries(bases.map((base) => [base, median(values(base, kind) as number[])]))
    const cpuSeconds = Object.fromEntries(bases.map((base) => [base, cpu(base, kind)]))
    const ratio = (a = Number.NaN, b = Number.NaN) => Number((a / b).toFixed(2))
    const { alluxio, local, s3a } = seconds
    const ratios = { ofLocal: ratio(alluxio, local), fasterThanS3a: ratio(s3a, alluxio) }
    console.log(JSON.stringify({ kind, seconds, ...ratios, cpuSeconds }))
  }
}
