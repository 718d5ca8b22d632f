/** What a worker tells its master at once, and what it does for it without a client's bytes. */
import { mkdir, open, writeFile as put, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { AlluxioError, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { connectRpc, WorkerBlock, ZeroMqTransport } from '../../../src/rpc/index.ts'
import { DataCluster, eventually, patternBytes, readFile, writeFile } from './cluster.ts'

const MIB = 2 ** 20
/** No heartbeat comes by itself within a test. */
const SELDOM = { 'alluxio.worker.block.heartbeat.interval': '10min' }

const placesOf = async (fs: FileSystem, path: string) =>
  (await fs.blockPlaces(path)).flatMap(({ locations }) => locations)

describe('reports of blocks', () => {
  let cluster: DataCluster
  afterEach(() => cluster.stop())

  it('the master knows a block within 200 ms of its arrival, long before the next heartbeat', async () => {
    cluster = await DataCluster.start({ properties: SELDOM })
    const fs = await cluster.connect()
    await mkdir(cluster.ufs, { recursive: true })
    const times: number[] = []
    for (let i = 0; i < 9; i++) {
      await put(join(cluster.ufs, `f${i}`), patternBytes(i, MIB))
      await readFile(fs, `/f${i}`, { readType: 'CACHE' })
      const begun = performance.now()
      await eventually(async () => (await placesOf(fs, `/f${i}`)).length === 1, 'block known')
      times.push(performance.now() - begun)
    }
    // The median: a machine busy with other things may be late at times.
    expect(times.sort((a, b) => a - b)[4]).toBeLessThan(200)
  })

  it('tells of a thousand blocks in a few heartbeats', async () => {
    cluster = await DataCluster.start({ properties: SELDOM })
    const fs = await cluster.connect()
    const bytes = patternBytes(9, 1000 * 4096)
    const begun = performance.now()
    await writeFile(fs, '/many', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: 4096 })
    const counted = async (name: string) => {
      const text = await (await fetch(`http://127.0.0.1:${cluster.workers[0]!.webPort}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1])
    }
    await eventually(
      async () => (await fs.admin.workers())[0]!.blocks === 1000,
      'all blocks counted by the master',
    )
    const beats = await counted('alluxio_worker_heartbeats_total')
    expect(beats).toBeGreaterThan(0)
    expect(beats).toBeLessThanOrEqual(3 + (performance.now() - begun) / 25)
  })
})

it('rot that a running worker finds in an only copy is known to the cluster before anyone reads it', async () => {
  const cluster = await DataCluster.start({
    ssd: '64MB',
    properties: { ...SELDOM, 'alluxio.worker.scrub.interval': '10ms' },
  })
  try {
    const fs = await cluster.connect()
    await writeFile(fs, '/rotten', patternBytes(1, 300_000), { writeType: 'MUST_CACHE' })
    await writeFile(fs, '/sound', patternBytes(2, 300_000), { writeType: 'MUST_CACHE' })
    const blockId = (await fs.blockPlaces('/rotten'))[0]!.blockId
    const folder = cluster.memoryFolder(0)
    const path = join(folder, (await readdir(folder)).find((name) => name.startsWith(`b${blockId}_`))!)
    const { atime, mtimeMs } = await stat(path)
    const file = await open(path, 'r+')
    await file.write(Buffer.from('rot'), 0, 3, 4096 + 123_456)
    await file.utimes(atime, mtimeMs / 1000)
    await file.close()
    await eventually(async () => (await placesOf(fs, '/rotten')).length === 0, 'reported')
    expect(await placesOf(fs, '/sound')).toHaveLength(1)
    const text = await (await fetch(`http://127.0.0.1:${cluster.workers[0]!.webPort}/metrics`)).text()
    expect(text).toContain('alluxio_worker_data_loss_blocks_total 1')
    expect(cluster.logged).toContainEqual(
      expect.objectContaining({
        message: 'DATA_LOSS: a block without another known copy is damaged',
        path: '/rotten',
        blockId,
      }),
    )
  } finally {
    await cluster.stop()
  }
})

describe('load', () => {
  let cluster: DataCluster
  afterEach(() => cluster.stop())
  const length = 5 * MIB + 3

  async function start(options: Parameters<typeof DataCluster.start>[0] = {}, client = {}) {
    cluster = await DataCluster.start(options)
    await mkdir(cluster.ufs, { recursive: true })
    await put(join(cluster.ufs, 'cold'), patternBytes(1, length))
    return cluster.connect({ 'alluxio.user.block.size.bytes.default': '1MB', ...client })
  }

  it('caches a file on workers, tells how far it is, and the master knows when it is done', async () => {
    const fs = await start({
      workers: 2,
      properties: { ...SELDOM, 'alluxio.user.block.size.bytes.default': '1MB' },
    })
    let progress = 0
    const loaded = await fs.load('/cold', {
      policy: 'RoundRobin',
      onProgress: (bytes) => {
        progress += bytes
      },
    })
    expect([loaded, progress]).toEqual([{ loadedBytes: length }, length])
    const places = await fs.blockPlaces('/cold')
    expect(places.map(({ locations }) => locations.length)).toEqual(Array(6).fill(1))
    expect(new Set(places.map(({ locations }) => locations[0]!.workerId)).size).toBe(2)
    const read = await readFile(fs, '/cold')
    expect(read.bytes.equals(patternBytes(1, length))).toBe(true)
    expect(read.sources).toEqual({ 'local:MEM': length })
    expect(await fs.load('/cold')).toEqual({ loadedBytes: 0 })
  })

  it('brings blocks from another worker when they are in no under-store', async () => {
    const fs = await start({ workers: 1 })
    const bytes = patternBytes(2, MIB)
    await writeFile(fs, '/away', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    const [place] = await fs.blockPlaces('/away')
    const [holder] = await fs.admin.workers()
    const second = await cluster.startWorker(1)
    const connection = connectRpc(
      { address: `tcp://${second.address}`, user: 'tester', host: 'here', clientId: 'test', peer: 'worker' },
      {
        runtime: systemRuntime,
        transport: new ZeroMqTransport({}, { runtime: systemRuntime }),
        log: silentLog,
      },
    )
    try {
      const request = { blockId: place!.blockId, blockLength: MIB, fileOffset: 0 }
      const load = connection.client(WorkerBlock).load({ ...request, holder: holder!.address })
      let told = 0
      for await (const { item, payload } of load) {
        told = item.bytes
        expect(payload).toBeUndefined()
      }
      expect(told).toBe(MIB)
    } finally {
      await connection.close()
    }
    expect(await placesOf(fs, '/away')).toHaveLength(2)
    await cluster.stopWorker(0)
    expect((await readFile(fs, '/away')).bytes.equals(bytes)).toBe(true)
  })

  it('fails as a whole when the source does, and leaves nothing behind that is wrong', async () => {
    const fs = await start()
    await fs.getStatus('/cold')
    await put(join(cluster.ufs, 'cold'), patternBytes(3, length - MIB))
    await expect(fs.load('/cold')).rejects.toMatchObject({
      code: expect.stringMatching(/CONFLICT|DATA_LOSS/),
    })
    expect(await fs.load('/cold')).toEqual({ loadedBytes: length - MIB })
    const read = await readFile(fs, '/cold')
    expect(read.bytes.equals(patternBytes(3, length - MIB))).toBe(true)
  })

  it('says that there is no worker', async () => {
    const fs = await start({ workers: 0 })
    await expect(fs.load('/cold')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'NO_WORKER' })
    await expect(fs.load('/cold', { local: true })).rejects.toMatchObject({ reason: 'NO_WORKER' })
  })

  it('tells that the cache is too small instead of pretending', async () => {
    const fs = await start({ memory: '3MB' })
    await expect(fs.load('/cold')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
    const read = await readFile(fs, '/cold')
    expect(read.bytes.equals(patternBytes(1, length))).toBe(true)
  })

  it('stops when the caller does', async () => {
    const fs = await start()
    const stop = new AbortController()
    const reason = new AlluxioError('CANCELLED', 'enough')
    stop.abort(reason)
    await expect(fs.load('/cold', { signal: stop.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await fs.load('/cold')).toEqual({ loadedBytes: length })
  })
})
