/** Separate hosts: tasks of Spark and readers of Flink get what is beside them, links stay idle, and the answers follow what happens to the hosts. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { flinkJars } from '../support/servers/flink.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { allLocal, FlinkSession, remoteFiles, type Scanned } from './flink.ts'
import { type Answer, bytesSent, counted, type Session } from './session.ts'
import { Site, WORKERS, type WorkerName } from './site.ts'

const FILES_EACH = 4
const FILE_BYTES = 6 * 2 ** 20
const ALL_BYTES = WORKERS.length * FILES_EACH * FILE_BYTES
/** Of Flink, on each host. */
const FLINK_INPUT = { filesEach: 3, fileBytes: 8 * 2 ** 20 }
const TIMEOUT_MS = 10_000
/** Reads that keep a host busy. */
const READS = 24
/** On a loaded machine a first task may take longer than Spark's default of 3 s, after which idle hosts take what is not theirs. */
const PATIENT = { 'spark.locality.wait': '30s' }
const EQUAL = Object.fromEntries(WORKERS.map((name) => [name, FILES_EACH]))

const folder = mkdtempSync(join(tmpdir(), 'alluxio-hosts-'))
const aliases = join(folder, 'aliases')
writeFileSync(aliases, 'h1.test = node-1, rack-7-slot-1.example\n')

const { server, reason } = await ifAvailable(async () => {
  await flinkJars()
  return Site.start({
    rate: '100mbit',
    filesEach: FILES_EACH,
    fileBytes: FILE_BYTES,
    properties: {
      'alluxio.master.worker.timeout': `${TIMEOUT_MS}ms`,
      'alluxio.hints.host.aliases': aliases,
    },
  })
})
const site = server as Site
afterAll(async () => {
  await site?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** Asks until the answer is right; the test's own timeout ends it. */
async function eventually<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (;;) {
    const found = await look()
    if (isRight(found)) return found
    await pause(50)
  }
}

function localitiesOf({ tasks }: Answer): Record<string, number> {
  return counted(tasks.map(({ locality }) => locality))
}

function hostsOfTasks({ tasks }: Answer): Record<string, number> {
  return counted(tasks.map(({ host }) => host))
}

/** Who holds a file of one block, by hints over HTTP, the best first. */
async function holdersOf(path: string): Promise<string[]> {
  const [hint] = await site.hints('rank', { paths: [path] })
  return hint!.cold ? [] : hint!.hosts.map(({ host }) => host)
}

/** Opens reads of a file at a worker and takes no bytes, until the reads are let go. */
async function busyReads(path: string, name: string): Promise<() => void> {
  const { cluster, network } = site
  const gateway = `http://${cluster.webHdfs}/webhdfs/v1${path}?op=OPEN&user.name=root`
  const redirect = await fetch(gateway, { redirect: 'manual' })
  const target = new URL(redirect.headers.get('location')!)
  target.hostname = network.host(name).address
  target.port = String(cluster.workers[WORKERS.indexOf(name as WorkerName)]!.webPort)
  const opened = await Promise.all(
    Array.from({ length: READS }, async () => {
      const request = get(target, { agent: false })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      expect(response.statusCode).toBe(200)
      return response
    }),
  )
  return () => {
    for (const response of opened) response.destroy()
  }
}

const suite = reason === undefined ? describe : describe.skip
suite(`separate hosts${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let session: Session
  let near: Answer

  beforeAll(async () => {
    session = await site.session(PATIENT)
    near = await session.ask(site.query('hints'))
  }, 300_000)

  test('what a program wrote on a host is hinted there, all of it', async () => {
    const hints = await site.hints('locate', { paths: WORKERS.map((name) => `/data/${name}`) })
    for (const [i, name] of WORKERS.entries()) {
      const [first, ...others] = hints[i]!.hosts
      expect(first).toMatchObject({ host: name, bytes: { MEM: FILES_EACH * FILE_BYTES } })
      expect(others.map(({ bytes }) => bytes.MEM)).toEqual(others.map(() => 0))
      expect(hints[i]!.blocks.map(({ hosts }) => hosts.map(({ host }) => host))).toEqual(
        Array(FILES_EACH).fill([name]),
      )
    }
  })

  test('the tasks of a query run where their input is; the links carry next to nothing', () => {
    expect(near.tasks).toHaveLength(WORKERS.length * FILES_EACH)
    expect(localitiesOf(near)).toEqual({ NODE_LOCAL: near.tasks.length })
    expect(hostsOfTasks(near)).toEqual(EQUAL)
    expect(bytesSent(near.bytes)).toBeLessThan(ALL_BYTES / 20)
  })

  test('with places that name no host of Spark the same query reads over the links', async () => {
    const blind = await session.ask(site.query('wrong names'))
    expect(blind.sums).toEqual(near.sums)
    expect(localitiesOf(blind)).toEqual({ ANY: near.tasks.length })
    expect(bytesSent(near.bytes)).toBeLessThan(bytesSent(blind.bytes) / 10)
  }, 300_000)

  test('straight from the store the same query moves every byte', async () => {
    const direct = await session.ask(site.query('s3a'))
    expect(direct.sums).toEqual(near.sums)
    expect(direct.bytes['store.test']!.sent).toBeGreaterThan(ALL_BYTES)
    expect(bytesSent(near.bytes)).toBeLessThan(bytesSent(direct.bytes) / 10)
  }, 300_000)

  test('a host is known by three names and more; answers use the one that was asked with', async () => {
    const { address } = site.network.host('h1.test')
    for (const name of ['h1.test', 'node-1', 'RACK-7-slot-1.example', address]) {
      const candidates = ['h3.test', name, 'elsewhere.test']
      const [hint] = await site.hints('rank', { paths: ['/data/h1.test'], candidates })
      expect(hint!.hosts.map(({ host }) => host)).toEqual([name, 'h3.test', 'elsewhere.test'])
      expect(hint!.hosts.map(({ bytes }) => bytes.MEM)).toEqual([FILES_EACH * FILE_BYTES, 0, 0])
    }
  })

  test('a block that moves in mid-job is hinted where it went, and read there by the next listing', async () => {
    const path = '/data/h1.test/part-0'
    await session.ask(site.query('hints'))
    await site.fs.free(path)
    await eventually(
      () => holdersOf(path),
      (hosts) => hosts.length === 0,
    )
    await site.alluxio('h2.test', ['fs', 'load', '--local', path])
    await eventually(
      () => holdersOf(path),
      (hosts) => hosts.length > 0,
    )
    expect(await holdersOf(path)).toEqual(['h2.test'])
    expect(await site.fs.hints.rank([path])).toMatchObject([{ hosts: [{ host: 'h2.test' }] }])
    const stale = await session.ask({ again: true })
    expect(stale.sums).toEqual(near.sums)
    expect(hostsOfTasks(stale)).toEqual(EQUAL)
    const fresh = await session.ask(site.query('hints'))
    expect(fresh.sums).toEqual(near.sums)
    expect(localitiesOf(fresh)).toEqual({ NODE_LOCAL: near.tasks.length })
    expect(hostsOfTasks(fresh)).toEqual({ ...EQUAL, 'h1.test': FILES_EACH - 1, 'h2.test': FILES_EACH + 1 })
  }, 300_000)

  test('a host that is busy with reads gives way to another holder, and comes back', async () => {
    const path = '/data/h2.test/part-1'
    await site.alluxio('h3.test', ['fs', 'load', '--local', path])
    const [busy, idle] = await eventually(
      () => holdersOf(path),
      (hosts) => hosts.length === 2,
    )
    const letGo = await busyReads(path, busy!)
    await eventually(
      () => holdersOf(path),
      (hosts) => hosts[0] === idle,
    )
    const [hint] = await site.hints('rank', { paths: [path] })
    expect(hint!.hosts.find(({ host }) => host === busy)!.load).toBeGreaterThanOrEqual(READS)
    letGo()
    await eventually(
      () => site.hints('rank', { paths: [path] }),
      ([calm]) => calm!.hosts.every(({ load }) => load === 0),
    )
  }, 120_000)

  test('a worker that was killed is named no more after its timeout and a second', async () => {
    const dead = WORKERS.indexOf('h3.test')
    await site.cluster.workers[dead]!.kill('SIGKILL')
    await pause(TIMEOUT_MS + 1000)
    const paths = WORKERS.map((name) => `/data/${name}`)
    const answers = [
      ...(await site.hints('locate', { paths })),
      ...(await site.hints('rank', { paths })),
      ...(await site.fs.hints.rank(paths)),
    ]
    const named = answers.flatMap(({ hosts, blocks }) => [
      ...hosts.map(({ host }) => host),
      ...blocks.flatMap((block) => block.hosts.map(({ host }) => host)),
    ])
    expect(new Set(named)).toEqual(new Set(['h1.test', 'h2.test']))
    // Its input is read from the store again, by whom it may.
    const left = await session.ask(site.query('hints'))
    expect(left.sums).toEqual(near.sums)
    await session.end()
  }, 300_000)
})

suite(`Flink on separate hosts${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = '/flink'
  const { filesEach, fileBytes } = FLINK_INPUT
  let flink: FlinkSession
  let blind: Scanned

  beforeAll(async () => {
    await site.stopSpark()
    // The test above has killed it, unless it was left out.
    const worker = site.cluster.workers[WORKERS.indexOf('h3.test')]!
    await worker.kill()
    await worker.start()
    await site.cluster.workersLive(WORKERS.length)
    await site.fs.mkdir(folder)
    await site.fill(folder, 'MUST_CACHE', FLINK_INPUT)
    flink = await FlinkSession.start(site)
    // First, so that the TaskManagers are warm when it matters which of them begins when.
    blind = await flink.scan({ folder, by: 'wrong names', assigner: 'default' })
  }, 300_000)

  afterAll(() => flink?.[Symbol.asyncDispose]())

  test('with places that name no host of Flink files are read over the links', () => {
    expect(remoteFiles(blind)).toBeGreaterThanOrEqual(filesEach)
    expect(bytesSent(blind.bytes)).toBeGreaterThan(remoteFiles(blind) * fileBytes)
  })

  test.each(['default', 'ours'] as const)(
    'with hints the same job reads each file on its host, by the assigner %s; the links carry next to nothing',
    async (assigner) => {
      const near = await flink.scan({ folder, by: 'hints', assigner })
      expect(near.sums).toEqual(blind.sums)
      expect(near.files).toEqual(allLocal(filesEach))
      expect(bytesSent(near.bytes)).toBeLessThan(bytesSent(blind.bytes) / 10)
    },
    300_000,
  )
})
