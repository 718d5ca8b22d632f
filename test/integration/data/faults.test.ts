/** What readers and writers do when workers die, blocks rot and sources change. */
import { readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import {
  type ClusterOptions,
  DataCluster,
  eventually,
  kill,
  patternBytes,
  readFile,
  writeFile,
} from './cluster.ts'

const MIB = 2 ** 20

describe('faults of the data path', () => {
  let cluster: DataCluster
  afterEach(() => cluster.stop())
  const start = async (options: ClusterOptions = {}, properties: Record<string, string> = {}) => {
    cluster = await DataCluster.start(options)
    return cluster.connect(properties)
  }
  const WIRE = { 'alluxio.user.short.circuit.enabled': 'false' }

  /** Reads by position in small steps; `midway` happens after the first MiB. */
  async function readSlowly(
    fs: FileSystem,
    path: string,
    length: number,
    midway: () => Promise<void>,
  ): Promise<Buffer> {
    const reader = await fs.open(path)
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; ) {
      at += await reader.readInto(at, bytes.subarray(at, at + 256 * 1024))
      if (at === MIB) await midway()
    }
    await reader.close()
    return bytes
  }

  it.each(['positions', 'stream'])(
    'goes on from the under-store when the only worker is killed in mid-read: %s',
    async (way) => {
      const fs = await start({ workers: 0 }, WIRE)
      const worker = await cluster.spawnWorker(0)
      const bytes = patternBytes(1, 12 * MIB + 5)
      await writeFile(fs, '/killed', bytes, { writeType: 'CACHE_THROUGH', blockSizeBytes: 4 * MIB })
      if (way === 'positions') {
        const read = await readSlowly(fs, '/killed', bytes.length, () => kill(worker))
        expect(read.equals(bytes)).toBe(true)
        return
      }
      const reader = await fs.open('/killed')
      const chunks: Buffer[] = []
      for await (const chunk of reader.stream()) {
        chunks.push(Buffer.from(chunk))
        if (chunks.length === 1) await kill(worker)
      }
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
      expect(Object.keys(reader.sources).sort()).toEqual(['UFS', 'local:MEM'])
      await reader.close()
    },
  )

  it('reads on from the tier file when the worker is killed: no daemon is on that path', async () => {
    const fs = await start({ workers: 0 })
    const worker = await cluster.spawnWorker(0)
    const bytes = patternBytes(2, 6 * MIB)
    await writeFile(fs, '/short', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: 8 * MIB })
    const read = await readSlowly(fs, '/short', bytes.length, () => kill(worker))
    expect(read.equals(bytes)).toBe(true)
  })

  it('waits for the blocks of a worker that comes back', async () => {
    const fs = await start({ workers: 0 }, WIRE)
    const worker = await cluster.spawnWorker(0)
    const bytes = patternBytes(3, 5 * MIB)
    await writeFile(fs, '/comes-back', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    await kill(worker)
    const reading = readFile(fs, '/comes-back')
    await cluster.spawnWorker(0)
    expect((await reading).bytes.equals(bytes)).toBe(true)
  })

  it('turns to another worker that holds the block, or fetches it there', async () => {
    const fs = await start({ workers: 2 }, WIRE)
    const bytes = patternBytes(4, 5 * MIB)
    await writeFile(fs, '/two', bytes, { writeType: 'CACHE_THROUGH', blockSizeBytes: MIB })
    const holders = new Set(
      (await fs.blockPlaces('/two')).flatMap(({ locations }) => locations.map(({ workerId }) => workerId)),
    )
    expect(holders.size).toBe(1)
    const held = (await fs.admin.workers()).find(({ address }) => holders.has(address.id))!
    const index = cluster.workers.findIndex((worker) => worker?.rpcPort === held.address.rpcPort)
    const read = await readSlowly(fs, '/two', bytes.length, () => cluster.stopWorker(index))
    expect(read.equals(bytes)).toBe(true)
    expect((await readFile(fs, '/two')).bytes.equals(bytes)).toBe(true)
  })

  const blockFiles = (folder: string, least: number) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && statSync(join(entry.parentPath, entry.name)).size >= least)
      .map((entry) => join(entry.parentPath, entry.name))

  async function flip(path: string): Promise<void> {
    const file = await open(path, 'r+')
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, 5000)
    byte[0]! ^= 0x40
    await file.write(byte, 0, 1, 5000)
    await file.close()
  }

  const damages = [
    ['a flipped byte', flip],
    ['a file cut short', async (path: string) => truncateSync(path, 8192)],
  ] as const
  it.each(damages.flatMap(([name, damage]) => ['local', 'wire'].map((way) => ({ name, damage, way }))))(
    'never serves $name, and reads the under-store instead: $way',
    async ({ damage, way }) => {
      const fs = await start({}, way === 'local' ? {} : WIRE)
      const bytes = patternBytes(5, 2 * MIB)
      await writeFile(fs, '/rotten', bytes, { writeType: 'CACHE_THROUGH', blockSizeBytes: MIB })
      for (const path of blockFiles(cluster.memoryFolder(0), MIB)) await damage(path)
      const read = await readFile(fs, '/rotten')
      expect(read.bytes.equals(bytes)).toBe(true)
      expect(read.sources.UFS).toBeGreaterThan(0)
      expect((await readFile(fs, '/rotten')).bytes.equals(bytes)).toBe(true)
    },
  )

  it.each(['local', 'wire'])('fails with DATA_LOSS when the only copy is damaged: %s', async (way) => {
    const fs = await start({}, way === 'local' ? {} : WIRE)
    await writeFile(fs, '/sole', patternBytes(6, MIB), { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    for (const path of blockFiles(cluster.memoryFolder(0), MIB)) await flip(path)
    await expect(readFile(fs, '/sole')).rejects.toMatchObject({ code: 'DATA_LOSS' })
  })

  it('says so when the source changed under an open file, and reads the new version after', async () => {
    const fs = await start({}, WIRE)
    const before = patternBytes(7, 3 * MIB)
    writeFileSync(join(cluster.ufs, 'changing'), before)
    const reader = await fs.open('/changing', { readType: 'NO_CACHE' })
    const buffer = Buffer.alloc(4096)
    await reader.readInto(0, buffer)
    expect(buffer.equals(before.subarray(0, 4096))).toBe(true)
    const after = patternBytes(8, 3 * MIB)
    writeFileSync(join(cluster.ufs, 'changing'), after)
    utimesSync(join(cluster.ufs, 'changing'), new Date(), new Date(Date.now() + 5000))
    await expect(Promise.resolve(reader.readInto(2 * MIB, buffer))).rejects.toMatchObject({
      code: 'CONFLICT',
      reason: 'SOURCE_CHANGED',
    })
    await reader.close()
    expect((await readFile(fs, '/changing')).bytes.equals(after)).toBe(true)
  })

  it('serves the new version of a changed source that was cached, once the metadata is checked', async () => {
    const fs = await start()
    writeFileSync(join(cluster.ufs, 'cached'), patternBytes(1, 2 * MIB))
    await readFile(fs, '/cached')
    const after = patternBytes(2, 2 * MIB + 1)
    writeFileSync(join(cluster.ufs, 'cached'), after)
    expect((await readFile(fs, '/cached', { syncIntervalMs: 0 })).bytes.equals(after)).toBe(true)
  })

  it.each(['local', 'wire'])(
    'leaves no half file when the worker is killed in mid-write: %s',
    async (way) => {
      const fs = await start({ workers: 0 }, way === 'local' ? {} : WIRE)
      const worker = await cluster.spawnWorker(0)
      const writer = await fs.create('/half', { writeType: 'MUST_CACHE', blockSizeBytes: 4 * MIB })
      const chunk = patternBytes(1, MIB)
      for (let i = 0; i < 6; i++) await writer.write(chunk)
      await kill(worker)
      const writing = async () => {
        for (let i = 0; i < 6; i++) await writer.write(chunk)
        await writer.close()
      }
      await expect(writing()).rejects.toMatchObject({
        code: expect.stringMatching(/UNAVAILABLE|TIMEOUT|NOT_FOUND/),
      })
      await writer.abort()
      await expect(fs.getStatus('/half')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await cluster.spawnWorker(0)
      await writeFile(fs, '/half', chunk, { writeType: 'MUST_CACHE' })
      expect((await readFile(fs, '/half')).bytes.equals(chunk)).toBe(true)
    },
  )

  it('writes to another worker when the first choice is gone', async () => {
    const fs = await start({ workers: 2 })
    const chunk = patternBytes(3, 3 * MIB)
    await writeFile(fs, '/first', chunk, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    await cluster.stopWorker(0)
    for (const size of [100, 3 * MIB]) {
      await writeFile(fs, `/second-${size}`, chunk.subarray(0, size), {
        writeType: 'MUST_CACHE',
        blockSizeBytes: MIB,
      })
      expect((await readFile(fs, `/second-${size}`)).bytes.equals(chunk.subarray(0, size))).toBe(true)
    }
  })

  it('persists an ASYNC_THROUGH file once though its worker and master restart', async () => {
    const fs = await start({ workers: 0 })
    let worker = await cluster.spawnWorker(0)
    const files = Array.from({ length: 20 }, (_, i) => patternBytes(i, 300_000 + i))
    for (const [i, bytes] of files.entries()) {
      await writeFile(fs, `/async/${i}`, bytes, { writeType: 'ASYNC_THROUGH' })
      if (i === 10) {
        await kill(worker)
        worker = await cluster.spawnWorker(0)
      }
    }
    await cluster.master.stop()
    await cluster.startMaster()
    for (const [i, bytes] of files.entries()) {
      await eventually(async () => (await fs.getStatus(`/async/${i}`)).persisted, `/async/${i} persisted`)
      expect(readFileSync(join(cluster.ufs, `async/${i}`)).equals(bytes)).toBe(true)
    }
    // What the killed worker was writing may have stayed, under a name that no listing shows.
    const shown = readdirSync(join(cluster.ufs, 'async')).filter((name) => !name.startsWith('.alluxio-'))
    expect(shown).toHaveLength(files.length)
  })
})
