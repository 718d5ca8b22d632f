/** A pair of NameNodes with a shared journal: the active one is found by Hadoop's configuration, and found again after a failover. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { type HdfsServer, startHdfs } from '../../support/servers/hdfs.ts'
import { ifAvailable } from '../../support/servers/index.ts'

const MIB = 2 ** 20
const { server: started, reason } = await ifAvailable(() => startHdfs({ pair: true }))
const server = started as HdfsServer
afterAll(() => started?.stop())

const metrics = new Metrics()
const calls = () =>
  Number(metrics.values()['alluxio_ufs_api_calls_total{ufs="hdfs://pair/ha",api="GETFILESTATUS"}'] ?? 0)

const suite = reason === undefined ? describe : describe.skip
suite(`a pair of NameNodes${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let store: UnderStore
  const open = (options: Record<string, string>) =>
    openStore(
      'hdfs://pair/ha',
      { 'alluxio.underfs.retry.base.sleep': '5', ...options },
      {
        runtime: systemRuntime,
        log: silentLog,
        metrics,
      },
    )
  beforeAll(async () => {
    store = await open({ 'alluxio.underfs.hdfs.configuration': server.configuration })
    await store.mkdir('')
  })
  afterAll(() => store.close())

  async function put(path: string, mib: number, between?: (i: number) => unknown) {
    const writer = await store.create(path)
    for (let i = 0; i < mib; i++) {
      await writer.write(Buffer.alloc(MIB, i))
      await between?.(i)
    }
    return writer.close()
  }

  async function verify(path: string, mib: number, between?: (at: number) => unknown) {
    let at = 0
    for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40 })) {
      if (at === 0) await between?.(at)
      for (let i = 0; i < chunk.length; i += 4096) expect(chunk[i]).toBe(Math.floor((at + i) / MIB) & 255)
      at += chunk.length
    }
    expect(at).toBe(mib * MIB)
  }

  test('calls go to the active one, wherever it is', async () => {
    await put('file', 2)
    await server.failOver(1)
    expect((await store.status('file')).length).toBe(2 * MIB)
    await store.setAttributes('file', { mode: 0o640 })
    expect((await store.status('file')).mode).toBe(0o640)
    await store.rename('file', 'renamed')
    await verify('renamed', 2)
    const listed = await open(server.options())
    expect((await listed.list('')).entries.map(({ path }) => path)).toEqual(['renamed'])
    // Remembered: no call asks the other one first.
    const before = calls()
    for (let i = 0; i < 10; i++) await store.status('renamed')
    expect(calls() - before).toBe(10)
    await listed.close()
  }, 120_000)

  test('a failover while files are written and read', async () => {
    let failing: Promise<void> | undefined
    const outcome = await put('long', 40, (i) => {
      if (i === 10) failing = server.failOver(0)
    }).then(
      () => 'written',
      (error: { code: string }) => error.code,
    )
    await failing
    if (outcome !== 'written') {
      expect(outcome).toMatch(/UNAVAILABLE|TIMEOUT/)
      await expect(store.status('long')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await put('long', 40)
    }
    await verify('long', 40, () => {
      failing = server.failOver(1)
    })
    await failing
  }, 180_000)

  test('the active one is killed, and the other takes over in the middle of calls', async () => {
    await server.nameNodes[1]!.kill()
    const status = store.status('long')
    const moving = store.rename('renamed', 'moved')
    const written = put('after', 2)
    await server.failOver(0)
    expect((await status).length).toBe(40 * MIB)
    await moving
    expect((await written).length).toBe(2 * MIB)
    await verify('moved', 2)
    await verify('long', 40)
    await server.nameNodes[1]!.restart()
    expect((await store.list('')).entries.map(({ path }) => path)).toEqual(['after', 'long', 'moved'])
  }, 180_000)

  test('when none is active the error says so', async () => {
    await server.nameNodes[0]!.kill()
    const once = await open({ ...server.options(), 'alluxio.underfs.retry.max.duration': '0' })
    await expect(once.status('moved')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/none of the NameNodes .* is active/),
    })
    await once.close()
  }, 60_000)
})
