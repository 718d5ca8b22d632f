/**
 * The jar and the plug-in of Spark beside the hint service, on a standalone cluster: tasks run where their blocks are, by the names of hosts
 * and, where executors know no host of ours, by those of executors; inputs are warm and pinned; metrics tell the sources.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { freePorts } from '../../support/cluster.ts'
import { growth } from '../../support/counters.ts'
import { guideBlock } from '../../support/guide.ts'
import { type Availability, ifAvailable } from '../../support/servers/index.ts'
import type { Place } from '../../support/servers/process.ts'
import { Spark, type SparkRelease } from '../../support/servers/spark.ts'
import { writeWhole } from '../../support/whole-file.ts'
import { type Gateways, hadoopJar, startGateways } from '../gateways.ts'
import { type InputTask, inputTasks } from './event-log.ts'

const BLOCK_BYTES = 2 ** 20
const FILES = 4
const BLOCKS = 2 * FILES
/** Of the workers, and of the executors that are to run beside them. */
const HOSTS = ['127.0.0.1', '127.0.0.2'] as const
/** As pods have addresses of their own: no worker is called so. */
const POD = '127.0.0.5'
const LINE = `${'x'.repeat(63)}\n`

const releases: Partial<Record<SparkRelease, Availability<Spark>>> = {}
for (const release of ['4.0', '3.5'] as const)
  releases[release] = await ifAvailable(() => Spark.install(release))
const usable = Object.values(releases).some(({ reason }) => reason === undefined)

let gateways: Gateways
let fs: FileSystem
let jars: string
let runs = 0

beforeAll(async () => {
  if (!usable) return
  gateways = await startGateways({
    workers: HOSTS.length,
    properties: {
      'alluxio.user.block.size.bytes.default': String(BLOCK_BYTES),
      // So that each worker stands under an address of its own.
      'alluxio.security.transport': 'none',
      'alluxio.worker.bind.host': '0.0.0.0',
      'alluxio.worker.web.bind.host': '0.0.0.0',
    },
    workerProperties: (i) => ({ 'alluxio.worker.hostname': HOSTS[i]! }),
  })
  jars = [await hadoopJar(), resolve('plugins/dist/alluxio-spark.jar')].join()
  fs = await gateways.cluster.connect({
    'alluxio.user.block.write.location.policy.class': 'RoundRobin',
    'alluxio.user.block.size.bytes.default': String(BLOCK_BYTES),
  })
  const bytes = Buffer.from(LINE.repeat((2 * BLOCK_BYTES) / LINE.length))
  await fs.mkdir('/in')
  for (let i = 0; i < FILES; i++) await writeWhole(fs, `/in/part-${i}`, bytes, 'MUST_CACHE')
  await fs.mkdir('/kept')
  await fs.setAttribute('/kept', { pinned: true, recursive: true })
  for (const folder of ['cold-4.0', 'warm-4.0', 'warm-3.5']) {
    mkdirSync(join(gateways.cluster.folder, 'ufs', folder), { recursive: true })
    writeFileSync(join(gateways.cluster.folder, 'ufs', folder, 'part'), bytes)
  }
}, 600_000)
afterAll(async () => {
  for (const each of Object.values(releases)) each.server?.remove()
  await gateways?.cluster.dispose()
})

/** A place of a Spark worker: by an address of its own, on a node. */
function placeOn(address: string, node: string): Place {
  return {
    name: address,
    address,
    command: (binary, args) => ({ binary: 'env', args: [`ALLUXIO_NODE_NAME=${node}`, binary, ...args] }),
  }
}

interface Run {
  readonly told: Readonly<Record<string, [number, number]>> & { readonly executors: string }
  readonly tasks: readonly InputTask[]
  readonly warnings: string
  /** Of all executors. */
  metric(name: string): number
}

/** Runs the program on a cluster with a Spark worker at each place. */
async function run(
  release: SparkRelease,
  places: readonly Place[],
  scans: readonly string[],
  confs: Readonly<Record<string, string>>,
): Promise<Run> {
  const spark = releases[release]!.server!
  const folder = join(gateways.cluster.folder, `spark-hints-${runs++}`)
  const at = (name: string) => join(folder, name)
  for (const name of ['events', 'metrics']) mkdirSync(at(name), { recursive: true })
  writeFileSync(
    at('log4j2.properties'),
    `rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${at('driver.log')}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %p %c %m%n
`,
  )
  const settings = {
    'spark.driver.memory': '600m',
    'spark.executor.memory': '512m',
    'spark.driver.host': '127.0.0.1',
    'spark.ui.enabled': 'false',
    'spark.driver.extraJavaOptions': `-Dlog4j2.configurationFile=file:${at('log4j2.properties')}`,
    'spark.eventLog.enabled': 'true',
    'spark.eventLog.dir': `file:${at('events')}`,
    'spark.eventLog.compress': 'false',
    'spark.metrics.conf.executor.sink.csv.class': 'org.apache.spark.metrics.sink.CsvSink',
    'spark.metrics.conf.executor.sink.csv.period': '1',
    'spark.metrics.conf.executor.sink.csv.directory': at('metrics'),
    'spark.scheduler.minRegisteredResourcesRatio': '1.0',
    'spark.scheduler.maxRegisteredResourcesWaitingTime': '180s',
    'spark.executor.instances': '2',
    'spark.alluxio.executors.wait': '60s',
    // Longer than any task here: what runs elsewhere does so because it has no place.
    'spark.locality.wait': '60s',
    // A block a task.
    'spark.sql.files.maxPartitionBytes': String(BLOCK_BYTES),
    'spark.sql.files.openCostInBytes': String(BLOCK_BYTES),
    'spark.hadoop.fs.alluxio.hints.timeout.ms': '10000',
    'spark.hadoop.fs.alluxio.proxy': gateways.cluster.webHdfs,
    ...confs,
  }
  const lines = Object.entries(settings).map(([key, value]) => `${key} ${value}`)
  const defaults = guideBlock('spark', 'spark-defaults.conf')
  const plugIn = guideBlock('spark', 'spark-plugin.conf', {
    'plugins/dist/alluxio-hadoop.jar,plugins/dist/alluxio-spark.jar': jars,
  })
  await using standalone = await spark.standalone({ workers: places, cores: 1 })
  await spark.submit({
    program: resolve('test/frameworks/spark-hints/scans.py'),
    args: [...scans.flatMap((scan) => ['--scan', scan]), '--out', at('told.json')],
    settings: [defaults, plugIn, ...lines].join('\n'),
    master: standalone.url,
    timeoutMs: 400_000,
  })
  return {
    told: JSON.parse(readFileSync(at('told.json'), 'utf8')) as Run['told'],
    tasks: inputTasks(at('events')),
    warnings: readFileSync(at('driver.log'), 'utf8'),
    metric: (name) => metricOf(at('metrics'), name),
  }
}

/** The last value that each executor wrote, summed up. */
function metricOf(folder: string, name: string): number {
  const files = readdirSync(folder).filter((file) => file.endsWith(`AlluxioPlugin.${name}.csv`))
  expect(files).toHaveLength(2)
  const last = (file: string) =>
    readFileSync(join(folder, file), 'utf8').trim().split('\n').at(-1)!.split(',')[1]
  return files.reduce((sum, file) => sum + Number(last(file)), 0)
}

/** Questions that came to the proxy and from there to the master. */
function questions(work: () => Promise<unknown>): Promise<number[]> {
  const { proxy, master } = gateways.cluster
  const counters = [
    [[proxy!], 'webhdfs_requests_total', 'HINTS'],
    [[master], 'rpc_calls_total', 'hints.locate'],
  ] as const
  return growth(counters, work)
}

/** How many blocks each worker's host holds. */
async function held(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < FILES; i++)
    for (const { locations } of await fs.blockPlaces(`/in/part-${i}`))
      for (const { host } of locations) counts[host] = (counts[host] ?? 0) + 1
  return counts
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1
  return counts
}

/** Whether a path was pinned at some time until a job ended. */
async function pinnedDuring(path: string, job: Promise<unknown>): Promise<boolean> {
  let over = false
  const end = () => {
    over = true
  }
  job.then(end, end)
  let seen = false
  while (!over) {
    seen ||= (await fs.getStatus(path)).pinned
    await pause(200)
  }
  return seen
}

const whole = (lines: number) => [63 * lines, lines]
const LINES = (FILES * 2 * BLOCK_BYTES) / LINE.length

function suiteOf(release: SparkRelease) {
  const reason = releases[release]!.reason
  return {
    title: `Spark ${release}${reason === undefined ? '' : ` (skipped: ${reason})`}`,
    suite: reason === undefined ? describe : describe.skip,
  }
}

const newer = suiteOf('4.0')
newer.suite(newer.title, () => {
  let result: Run
  let asked: number[]
  let seenPinned: boolean

  beforeAll(async () => {
    const { webHdfs } = gateways.cluster
    const [, port] = webHdfs.split(':')
    const [dead] = await freePorts(1)
    asked = await questions(async () => {
      const job = run(
        '4.0',
        HOSTS.map((node) => placeOn(POD, node)),
        [
          `hints=alluxio://${webHdfs}/in`,
          `cold=alluxio://${webHdfs}/cold-4.0`,
          `off=alluxio://localhost:${port}/in,fs.alluxio.hints=off`,
          `down=alluxio:///in,fs.alluxio.hints=127.0.0.1:${dead},fs.alluxio.short.circuit=false`,
          `listed=alluxio://${webHdfs}/in,spark.sql.sources.parallelPartitionDiscovery.threshold=0`,
        ],
        {
          'spark.alluxio.locations': 'executor',
          'spark.alluxio.warm': `alluxio://${webHdfs}/warm-4.0`,
          'spark.alluxio.warm.wait': '60s',
          'spark.alluxio.pin': `alluxio://${webHdfs}/in, alluxio://${webHdfs}/kept`,
        },
      )
      seenPinned = await pinnedDuring('/in', job)
      result = await job
    })
  }, 460_000)

  const of = (group: string) => result.tasks.filter((task) => task.group === group)

  test('executors that know no host of a worker get the tasks of the blocks on their nodes', async () => {
    expect(result.told.hints).toEqual(whole(LINES))
    expect(countBy(of('hints'), ({ locality }) => locality)).toEqual({ PROCESS_LOCAL: BLOCKS })
    const { engine } = JSON.parse(`{${result.told.executors}}`) as {
      engine: { executors: { node: string; host: string; id: string }[] }
    }
    expect(engine.executors.map(({ host }) => host)).toEqual([POD, POD])
    const nodeOf = new Map(engine.executors.map(({ id, node }) => [id, node]))
    expect(countBy(of('hints'), ({ executor }) => nodeOf.get(executor)!)).toEqual(await held())
  })

  test('listings of many paths, which executors make, name places as the driver does', () => {
    expect(result.told.listed).toEqual(whole(LINES))
    expect(countBy(of('listed'), ({ locality }) => locality)).toEqual({ PROCESS_LOCAL: BLOCKS })
    expect(result.metric('hints.answered')).toBe(1)
  })

  test('what nobody caches is read where it should go', () => {
    expect(result.told.cold).toEqual(whole(LINES / FILES))
    expect(countBy(of('cold'), ({ locality }) => locality)).toEqual({ PROCESS_LOCAL: 2 })
  })

  test('without hints tasks run anywhere', () => {
    expect(result.told.off).toEqual(whole(LINES))
    expect(countBy(of('off'), ({ locality }) => locality)).toEqual({ ANY: BLOCKS })
  })

  test('without a hint service the job goes on, and the driver says why, once', () => {
    expect(result.told.down).toEqual(whole(LINES))
    expect(of('down')).toHaveLength(BLOCKS)
    expect(result.warnings.split('\n').filter((line) => /hint service/.test(line))).toEqual([
      expect.stringMatching(/WARN .*AlluxioFileSystem .*does not answer.*connect.*block map/),
    ])
  })

  test('a listing is one question', () => {
    // Of the three scans with hints.
    expect(asked).toEqual([3, 3])
  })

  test('metrics of executors tell the sources', () => {
    const scanned = BLOCKS * BLOCK_BYTES
    // Lines are read beyond the end of a block.
    expect(result.metric('read.local.bytes')).toBeGreaterThanOrEqual(2 * scanned)
    expect(result.metric('read.remote.bytes')).toBeGreaterThanOrEqual(scanned)
    expect(result.metric('read.store.bytes')).toBeGreaterThanOrEqual(BLOCK_BYTES)
    expect(result.metric('read.store.bytes')).toBeLessThan(scanned)
    expect(result.metric('read.failed.sources')).toBe(0)
  })

  test('inputs were warm and pinned, and are pinned no more', async () => {
    expect((await fs.getStatus('/warm-4.0/part')).inAlluxioPercentage).toBe(100)
    expect(seenPinned).toBe(true)
    expect((await fs.getStatus('/in')).pinned).toBe(false)
    // Somebody else pinned it.
    expect((await fs.getStatus('/kept')).pinned).toBe(true)
  })
})

const older = suiteOf('3.5')
older.suite(older.title, () => {
  test('executors by the hosts of the workers get the tasks of their blocks', async () => {
    const { webHdfs, master } = gateways.cluster
    const { tasks, told, warnings } = await run(
      '3.5',
      HOSTS.map((host) => placeOn(host, host)),
      [`hints=alluxio://${webHdfs}/in`],
      {
        'spark.hadoop.fs.alluxio.hints': `127.0.0.1:${master.webPort}`,
        'spark.alluxio.warm': '/warm-3.5',
        'spark.alluxio.warm.wait': '60s',
      },
    )
    expect((await fs.getStatus('/warm-3.5/part')).inAlluxioPercentage).toBe(100)
    expect(told.hints).toEqual(whole(LINES))
    expect(countBy(tasks, ({ locality }) => locality)).toEqual({ NODE_LOCAL: BLOCKS })
    expect(countBy(tasks, ({ host }) => host)).toEqual(await held())
    expect(warnings).not.toMatch(/hint service/)
  }, 460_000)
})
