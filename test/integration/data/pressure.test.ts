/** Caches that are smaller than what goes through them, and writers that get in each other's way. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { type ClusterOptions, DataCluster, eventually, patternBytes, readFile, writeFile } from './cluster.ts'

const MIB = 2 ** 20

describe('pressure on the cache', () => {
  let cluster: DataCluster
  afterEach(() => cluster.stop())
  const start = async (options: ClusterOptions = {}, properties: Record<string, string> = {}) => {
    cluster = await DataCluster.start(options)
    return cluster.connect(properties)
  }
  const used = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length

  it.each(['true', 'false'])(
    'takes a file of ten times the cache through it, short circuit %s',
    async (short) => {
      const fs = await start({ memory: '8MB' }, { 'alluxio.user.short.circuit.enabled': short })
      const bytes = patternBytes(1, 80 * MIB)
      await writeFile(fs, '/large', bytes, { writeType: 'CACHE_THROUGH', blockSizeBytes: MIB })
      expect(readFileSync(join(cluster.ufs, 'large')).equals(bytes)).toBe(true)
      for (let pass = 0; pass < 2; pass++) {
        const read = await readFile(fs, '/large')
        expect(read.bytes.equals(bytes)).toBe(true)
      }
      const [worker] = await fs.admin.workers()
      expect(worker!.tiers[0]!.usedBytes).toBeLessThanOrEqual(8 * MIB)
    },
  )

  it('reads a file of ten times the cache from the under-store, in order and at random', async () => {
    const fs = await start({ memory: '8MB' })
    const bytes = patternBytes(2, 80 * MIB)
    writeFileSync(join(cluster.ufs, 'cold'), bytes)
    const reader = await fs.open('/cold')
    const buffer = Buffer.alloc(10_000)
    for (let i = 0; i < 200; i++) {
      const position = (i * 7_919_777) % (bytes.length - buffer.length)
      await reader.readInto(position, buffer)
      expect(buffer.equals(bytes.subarray(position, position + buffer.length))).toBe(true)
    }
    await reader.close()
    expect((await readFile(fs, '/cold')).bytes.equals(bytes)).toBe(true)
  })

  it('refuses what has no other copy when memory is full, and leaves the rest readable', async () => {
    const fs = await start({ memory: '8MB' })
    const bytes = patternBytes(3, 6 * MIB)
    await writeFile(fs, '/kept', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    await expect(
      writeFile(fs, '/too-much', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB }),
    ).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
    expect((await readFile(fs, '/kept')).bytes.equals(bytes)).toBe(true)
    await eventually(async () => !(await fs.exists('/too-much')), 'the half file is gone')
    // What the failed writer had written is given back.
    await writeFile(fs, '/fits', bytes.subarray(0, MIB), { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
  })

  it('still writes through when the cache has no room at all', async () => {
    const fs = await start({ memory: '8MB' })
    await writeFile(fs, '/kept', patternBytes(3, 7 * MIB), { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    const bytes = patternBytes(4, 6 * MIB + 5)
    for (const size of [1000, bytes.length]) {
      await writeFile(fs, `/through-${size}`, bytes.subarray(0, size), {
        writeType: 'CACHE_THROUGH',
        blockSizeBytes: 2 * MIB,
      })
      expect(readFileSync(join(cluster.ufs, `through-${size}`)).equals(bytes.subarray(0, size))).toBe(true)
      expect((await readFile(fs, `/through-${size}`)).bytes.equals(bytes.subarray(0, size))).toBe(true)
    }
  })

  it('demotes what is the only copy to the next tier, where it is read', async () => {
    const fs = await start({ memory: '8MB', ssd: '64MB' })
    const files = Array.from({ length: 4 }, (_, i) => patternBytes(i, 5 * MIB))
    for (const [i, bytes] of files.entries()) {
      await writeFile(fs, `/demoted-${i}`, bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    }
    let fromDisk = 0
    for (const [i, bytes] of files.entries()) {
      const read = await readFile(fs, `/demoted-${i}`)
      expect(read.bytes.equals(bytes)).toBe(true)
      fromDisk += read.sources['local:SSD'] ?? 0
    }
    expect(fromDisk).toBeGreaterThan(8 * MIB)
    expect(used(join(cluster.folder, 'ssd-0'))).toBeGreaterThan(8)
    const promoted = await readFile(fs, '/demoted-0', { readType: 'CACHE_PROMOTE' })
    expect(promoted.bytes.equals(files[0]!)).toBe(true)
  })

  it.each(['true', 'false'])(
    'never takes a block from under its readers while it evicts, short circuit %s',
    async (short) => {
      const fs = await start({ memory: '8MB' }, { 'alluxio.user.short.circuit.enabled': short })
      const files = Array.from({ length: 6 }, (_, i) => patternBytes(i, 4 * MIB))
      for (const [i, bytes] of files.entries()) writeFileSync(join(cluster.ufs, `f${i}`), bytes)
      await Promise.all(
        Array.from({ length: 12 }, async (_, caller) => {
          for (let round = 0; round < 4; round++) {
            const i = (caller + round * 5) % files.length
            expect((await readFile(fs, `/f${i}`)).bytes.equals(files[i]!)).toBe(true)
          }
        }),
      )
    },
  )
})

describe('writers of one path', () => {
  let cluster: DataCluster
  afterEach(() => cluster.stop())

  it('lets the first one have it', async () => {
    cluster = await DataCluster.start()
    const fs = await cluster.connect()
    const other = await cluster.connect()
    const first = await fs.create('/one', { writeType: 'MUST_CACHE' })
    await expect(other.create('/one', { writeType: 'MUST_CACHE' })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
    await first.write(patternBytes(1, 3 * MIB))
    await expect(other.open('/one')).rejects.toMatchObject({ code: 'CONFLICT' })
    await first.close()
    expect((await readFile(other, '/one')).bytes.equals(patternBytes(1, 3 * MIB))).toBe(true)
    const races = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        writeFile(i % 2 === 0 ? fs : other, '/race', patternBytes(i, 100_000 * i + 1)),
      ),
    )
    const winners = races.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
    expect(winners).toHaveLength(1)
    const [winner] = winners
    expect((await readFile(fs, '/race')).bytes.equals(patternBytes(winner!, 100_000 * winner! + 1))).toBe(
      true,
    )
  })

  it('replaces with overwrite, whole', async () => {
    cluster = await DataCluster.start()
    const fs = await cluster.connect()
    await writeFile(fs, '/over', patternBytes(1, 2 * MIB), { writeType: 'CACHE_THROUGH' })
    const options = { writeType: 'CACHE_THROUGH', overwrite: true } as const
    await writeFile(fs, '/over', patternBytes(2, MIB + 1), options)
    expect((await readFile(fs, '/over')).bytes.equals(patternBytes(2, MIB + 1))).toBe(true)
    expect(readFileSync(join(cluster.ufs, 'over')).equals(patternBytes(2, MIB + 1))).toBe(true)
  })

  it.each(['MUST_CACHE', 'CACHE_THROUGH', 'THROUGH', 'ASYNC_THROUGH'] as const)(
    'leaves nothing of an aborted %s file',
    async (writeType) => {
      cluster = await DataCluster.start()
      const fs = await cluster.connect()
      for (const size of [10, 5 * MIB + 3]) {
        const writer = await fs.create(`/aborted/${size}`, { writeType, blockSizeBytes: MIB })
        await writer.write(patternBytes(1, size))
        await writer.abort()
        expect(await fs.exists(`/aborted/${size}`)).toBe(false)
        await expect(writer.close()).rejects.toMatchObject({ code: 'CANCELLED' })
      }
      await eventually(
        async () => (await fs.admin.workers())[0]!.tiers[0]!.usedBytes === 0,
        'space given back',
      )
      const left = () =>
        existsSync(join(cluster.ufs, 'aborted')) ? readdirSync(join(cluster.ufs, 'aborted')) : []
      await eventually(() => left().length === 0, 'the upload left nothing')
    },
  )

  it('says why a file cannot be written', async () => {
    cluster = await DataCluster.start({ workers: 0 })
    const fs = await cluster.connect()
    const empty = await fs.createEmpty('/empty')
    expect(empty).toMatchObject({ length: 0, completed: true })
    expect((await readFile(fs, '/empty')).bytes).toHaveLength(0)
    await expect(
      writeFile(fs, '/nobody', patternBytes(1, 10), { writeType: 'MUST_CACHE' }),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'NO_WORKER',
    })
    await expect(fs.getStatus('/nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(fs.create('/empty')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await expect(fs.create('/no/parent', { recursive: false })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(fs.open('/none')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(fs.open('/')).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' })
  })
})
