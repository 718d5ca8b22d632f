/** The bond of workers with their master: registration, restarts of either side, commands, doors. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { DataCluster, eventually, patternBytes, readFile, writeFile } from './cluster.ts'

const MIB = 2 ** 20

describe('a worker and its master', () => {
  let cluster: DataCluster
  afterEach(() => cluster.stop())

  it('brings its blocks back to a master that restarts', async () => {
    cluster = await DataCluster.start()
    const fs = await cluster.connect()
    const bytes = patternBytes(1, 3 * MIB)
    await writeFile(fs, '/kept', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    await cluster.master.stop()
    await cluster.startMaster()
    const held = async () =>
      (await fs.blockPlaces('/kept')).every(
        ({ locations }) => locations.length === 1 && locations[0]!.tier === 'MEM',
      )
    await eventually(held, 'blocks known again')
    expect((await readFile(fs, '/kept')).sources).toEqual({ 'local:MEM': bytes.length })
  })

  it('keeps its blocks and its name over a restart of its own', async () => {
    cluster = await DataCluster.start()
    const fs = await cluster.connect()
    const bytes = patternBytes(2, 3 * MIB)
    await writeFile(fs, '/kept', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    const [before] = await fs.admin.workers()
    await cluster.stopWorker(0)
    const worker = await cluster.startWorker(0)
    const live = (await fs.admin.workers()).filter(({ state }) => state === 'LIVE')
    expect(live.map(({ address }) => [address.id, address.uuid])).toEqual([[before!.address.id, worker.uuid]])
    expect((await readFile(fs, '/kept')).bytes.equals(bytes)).toBe(true)
  })

  it('does not give its blocks to another cluster, and says what to do', async () => {
    cluster = await DataCluster.start()
    await cluster.stopWorker(0)
    await cluster.master.stop()
    await rm(join(cluster.folder, 'master'), { recursive: true })
    await cluster.startMaster()
    await expect(cluster.startWorker(0)).rejects.toMatchObject({
      code: 'CONFLICT',
      reason: 'FOREIGN_CLUSTER',
      message: expect.stringContaining('alluxio format worker'),
    })
  })

  it('drops what is freed and what was deleted', async () => {
    cluster = await DataCluster.start()
    const fs = await cluster.connect()
    const bytes = patternBytes(3, 2 * MIB)
    const options = { writeType: 'CACHE_THROUGH', blockSizeBytes: MIB } as const
    await writeFile(fs, '/freed', bytes, options)
    await writeFile(fs, '/deleted', bytes, options)
    await fs.free('/freed')
    await fs.delete('/deleted')
    const used = async () => (await fs.admin.workers())[0]!.tiers[0]!.usedBytes
    await eventually(async () => (await used()) === 0, 'space given back')
    expect((await readFile(fs, '/freed')).bytes.equals(bytes)).toBe(true)
  })

  it('shows its state and counts at its HTTP door', async () => {
    cluster = await DataCluster.start()
    const fs = await cluster.connect({ 'alluxio.user.short.circuit.enabled': 'false' })
    await writeFile(fs, '/seen', patternBytes(4, 2 * MIB), { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    await readFile(fs, '/seen')
    const { webPort } = cluster.workers[0]!
    expect(await (await fetch(`http://127.0.0.1:${webPort}/healthz`)).json()).toEqual({ state: 'serving' })
    const text = await (await fetch(`http://127.0.0.1:${webPort}/metrics`)).text()
    expect(text).toContain(`alluxio_worker_read_bytes_total{from="MEM"} ${2 * MIB}`)
    expect(text).toContain('alluxio_worker_blocks 2')
    expect(text).toContain('alluxio_worker_registrations_total 1')
  })

  it('reads a mount made after it had registered', async () => {
    cluster = await DataCluster.start({ workers: 1 })
    const fs = await cluster.connect()
    const uri = `file://${join(cluster.folder, 'other')}`
    const { mkdir, writeFile: put } = await import('node:fs/promises')
    await mkdir(join(cluster.folder, 'other'))
    await put(join(cluster.folder, 'other', 'x'), patternBytes(5, MIB + 1))
    await fs.mount('/mounted', uri)
    expect((await readFile(fs, '/mounted/x')).bytes.equals(patternBytes(5, MIB + 1))).toBe(true)
    await fs.unmount('/mounted')
    await expect(fs.open('/mounted/x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
