import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { AlluxioError, Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import {
  connectRpc,
  HintsContract,
  MasterBlock,
  RpcServer,
  WorkerBlock,
  ZeroMqTransport,
} from '../../../src/rpc/index.ts'
import { Cluster, patternBytes } from '../../support/cluster.ts'
import { readWhole } from '../../support/whole-file.ts'

const BLOCK = 256 * 1024
const TIMEOUT_MS = 1500
/** Of what takes a heartbeat or a timeout on an idle machine. */
const SOON_MS = 10_000
const HOSTS = ['127.0.0.1', '127.0.0.2']
const LIAR = '127.0.0.9'
const transport = new ZeroMqTransport({}, { runtime: systemRuntime })

/** Readers that find a report false. */
describe('what readers find is not there', () => {
  let cluster: Cluster
  let fs: FileSystem

  beforeAll(async () => {
    cluster = await Cluster.start({
      workers: 2,
      properties: { 'alluxio.master.worker.timeout': `${TIMEOUT_MS}ms` },
      workerProperties: (i) => ({
        'alluxio.worker.hostname': HOSTS[i]!,
        'alluxio.worker.bind.host': HOSTS[i]!,
      }),
    })
    fs = await cluster.connect({
      'alluxio.user.block.size.bytes.default': String(BLOCK),
      'alluxio.user.file.writetype.default': 'CACHE_THROUGH',
      'alluxio.user.short.circuit.enabled': 'false',
      'alluxio.user.block.write.location.policy.class': 'SpecificHost',
      'alluxio.user.block.location.policy.specific.host': HOSTS[1]!,
    })
  })
  afterAll(() => cluster?.dispose())

  const connect = (clientId: string) =>
    connectRpc(
      { address: `tcp://${cluster.masterAddress}`, user: 'ann', host: 'here', clientId, peer: 'master' },
      { runtime: systemRuntime, transport, log: silentLog },
    )

  const hostsOf = async (path: string) => {
    const [hint] = await fs.hints.locate([path])
    return hint!.cold ? [] : hint!.hosts.map(({ host }) => host)
  }

  async function within(ms: number, isSo: () => Promise<boolean>): Promise<void> {
    for (const end = performance.now() + ms; !(await isSo()); await pause(20))
      if (performance.now() > end) throw new Error(`not within ${ms} ms`)
  }

  /** Takes the tier file of a block from under its worker. */
  async function takeFile(blockId: number): Promise<void> {
    const folder = cluster.memoryFolders[1]!
    const name = (await readdir(folder)).find((file) => file.startsWith(`b${blockId}_`))
    await rm(join(folder, name!))
  }

  const write = async (path: string) => {
    const writer = await fs.create(path)
    await writer.write(patternBytes(7, BLOCK))
    await writer.close()
    const [place] = await fs.blockPlaces(path)
    return { blockId: place!.blockId, workerId: place!.locations[0]!.workerId }
  }

  test('a tier file that has gone: the read falls back, and the answer is corrected', async () => {
    const { blockId } = await write('/gone')
    expect(await hostsOf('/gone')).toEqual([HOSTS[1]])
    await takeFile(blockId)
    const reader = await fs.open('/gone', { readType: 'NO_CACHE' })
    const bytes = Buffer.alloc(BLOCK)
    await reader.readInto(0, bytes)
    await reader.close()
    expect(bytes.equals(patternBytes(7, BLOCK))).toBe(true)
    await within(SOON_MS, async () => (await hostsOf('/gone')).length === 0)
  })

  test('a doubt has the worker look: what is there stays, whoever says what', async () => {
    const there = await write('/there')
    const gone = await write('/not-there')
    // The worker has the file open, so that reads by way of it would not tell.
    await readWhole(fs, '/not-there')
    await takeFile(gone.blockId)
    const rpc = connect('doubter')
    try {
      const hints = rpc.client(HintsContract)
      for (let again = 0; again < 3; again++) await hints.doubt({ doubts: [there, gone] })
      await within(SOON_MS, async () => (await hostsOf('/not-there')).length === 0)
      expect(Buffer.compare(await readWhole(fs, '/not-there'), patternBytes(7, BLOCK))).toBe(0)
      await pause(TIMEOUT_MS + 300)
      expect(await hostsOf('/there')).toEqual([HOSTS[1]])
    } finally {
      await rpc.close()
    }
  })

  test('a worker that goes on to say what is not so: one read asks it, and it is believed no longer', async () => {
    const { blockId } = await write('/lied')
    await fs.free('/lied')
    await within(SOON_MS, async () => (await hostsOf('/lied')).length === 0)
    let asked = 0
    const notHere = () => {
      asked++
      throw new AlluxioError('NOT_FOUND', 'not here', { reason: 'BLOCK_NOT_HERE' })
    }
    const onFatal = (error: unknown) => {
      throw error
    }
    const door = new RpcServer(
      { onFatal },
      { runtime: systemRuntime, log: silentLog, metrics: new Metrics() },
    )
    door.serve(
      WorkerBlock,
      Object.fromEntries(Object.keys(WorkerBlock.methods).map((name) => [name, notHere])) as never,
    )
    const { address } = await door.listen(transport, `tcp://${LIAR}:0`)
    const rpc = connect('liar')
    const master = rpc.client(MasterBlock)
    const tiers = [{ alias: 'MEM', capacityBytes: 1e9, usedBytes: 0 }]
    const rpcPort = Number(address.slice(address.lastIndexOf(':') + 1))
    const { session } = await master.register({
      ...{ uuid: 'liar', host: LIAR, rpcPort, webPort: 1, tiers, clusterId: '' },
    })
    const claim = Buffer.alloc(9)
    claim.writeDoubleLE(blockId)
    await master.registerBlocks({ session, blocks: claim })
    await master.registerEnd({ session })
    const nothing = new Uint8Array(0)
    const beating = setInterval(() => {
      void master.heartbeat({ session, removed: nothing, added: nothing, tiers, load: 0 }).catch(() => {})
    }, 200)
    try {
      expect(await hostsOf('/lied')).toEqual([LIAR])
      const reader = await fs.open('/lied', { readType: 'NO_CACHE' })
      for (let i = 0; i < 3; i++) {
        const bytes = Buffer.alloc(BLOCK)
        await reader.readInto(0, bytes)
        expect(bytes.equals(patternBytes(7, BLOCK))).toBe(true)
      }
      await reader.close()
      expect(asked).toBe(1)
      await within(SOON_MS, async () => !(await hostsOf('/lied')).includes(LIAR))
      // It lives, and is not believed about this block only.
      const [hint] = await fs.hints.rank(['/lied'], { candidates: [LIAR] })
      expect(hint!.hosts[0]!.confidence).toBeGreaterThan(0)
    } finally {
      clearInterval(beating)
      await Promise.all([rpc.close(), door.close()])
    }
  })

  test('while the master is away a reader goes on, and who asks for hints is told why not', async () => {
    await write('/read-on')
    const hurried = await cluster.connect({ 'alluxio.user.rpc.retry.max.duration': '500ms' })
    const reader = await hurried.open('/read-on')
    const bytes = Buffer.alloc(BLOCK)
    await cluster.master.kill()
    try {
      await reader.readInto(0, bytes)
      expect(bytes.equals(patternBytes(7, BLOCK))).toBe(true)
      const began = performance.now()
      await expect(hurried.hints.locate(['/read-on'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(performance.now() - began).toBeLessThan(11_000)
      await reader.close()
    } finally {
      await cluster.master.start()
      await cluster.workersLive(2)
    }
    await within(SOON_MS, async () => (await hostsOf('/read-on')).includes(HOSTS[1]!))
  })
})
