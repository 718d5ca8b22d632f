/** All read types by all write types, from the tier file and over the wire, in sizes round every boundary. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { READ_TYPES, WRITE_TYPES } from '../../../src/core/options/index.ts'
import { lanes } from '../../support/lanes.ts'
import { DataCluster, eventually, patternBytes, readFile, writeFile } from './cluster.ts'

const MIB = 2 ** 20
const SIZES = [0, 1, 4096, 65_537, MIB, MIB + 1, 3 * MIB + 4097]

describe('read types by write types', () => {
  let cluster: DataCluster
  const clients = new Map<string, FileSystem>()
  beforeAll(async () => {
    cluster = await DataCluster.start({ memory: '256MB' })
    clients.set('local', await cluster.connect())
    clients.set('wire', await cluster.connect({ 'alluxio.user.short.circuit.enabled': 'false' }))
  })
  afterAll(() => cluster.stop())

  const cases = WRITE_TYPES.flatMap((writeType) =>
    READ_TYPES.flatMap((readType) => ['local', 'wire'].map((way) => ({ writeType, readType, way }))),
  )
  it.each(cases)('$writeType, $readType, $way', async ({ writeType, readType, way }) => {
    const fs = clients.get(way)!
    for (const size of SIZES) {
      const path = `/${way}/${writeType}/${readType}/${size}`
      const bytes = patternBytes(size, size)
      await writeFile(fs, path, bytes, { writeType, blockSizeBytes: MIB })
      const status = await fs.getStatus(path)
      expect(status).toMatchObject({ length: size, completed: true })
      const through = writeType === 'CACHE_THROUGH' || writeType === 'THROUGH'
      if (through) expect(readFileSync(join(cluster.ufs, path)).equals(bytes)).toBe(true)
      expect(status.persisted).toBe(through)
      if (writeType === 'MUST_CACHE') expect(existsSync(join(cluster.ufs, path))).toBe(false)
      for (let again = 0; again < 2; again++) {
        const read = await readFile(fs, path, { readType })
        expect(read.bytes.equals(bytes)).toBe(true)
        const total = Object.values(read.sources).reduce((sum, n) => sum + n, 0)
        expect(total).toBe(size)
        if (writeType !== 'THROUGH') expect(read.sources.UFS).toBeUndefined()
      }
      const last = await readFile(fs, path, { readType })
      const cold = writeType === 'THROUGH' && readType === 'NO_CACHE'
      expect(last.sources).toEqual(size === 0 ? {} : { [cold ? 'UFS' : 'local:MEM']: size })
    }
  })

  it('persists an ASYNC_THROUGH file soon, once, and reads it back after its blocks are freed', async () => {
    const fs = clients.get('local')!
    const bytes = patternBytes(9, 5 * MIB + 3)
    await writeFile(fs, '/later/file', bytes, { writeType: 'ASYNC_THROUGH', blockSizeBytes: MIB })
    await eventually(async () => (await fs.getStatus('/later/file')).persisted, 'persisted')
    expect(readFileSync(join(cluster.ufs, 'later/file')).equals(bytes)).toBe(true)
    await fs.free('/later/file')
    await eventually(async () => (await fs.getStatus('/later/file')).inAlluxioPercentage === 0, 'freed')
    await eventually(
      async () => 'UFS' in (await readFile(fs, '/later/file', { readType: 'NO_CACHE' })).sources,
      'cold',
    )
    expect((await readFile(fs, '/later/file')).bytes.equals(bytes)).toBe(true)
  })

  it('directories that are deleted while files in them are persisted do not come back', async () => {
    const fs = clients.get('local')!
    const COUNT = 240
    const bytes = patternBytes(3, 100)
    const names = Array.from({ length: COUNT }, (_, i) => `/brief/d${i}`)
    await lanes(COUNT, 6, async (i) => {
      for (const path of [`${names[i]}/f`, `${names[i]}/sub/f`])
        await writeFile(fs, path, bytes, { writeType: 'ASYNC_THROUGH' })
      if (i % 3 > 0) await pause((i % 10) * 4)
      await fs.delete(names[i]!, { recursive: true })
      expect(await fs.exists(names[i]!)).toBe(false)
    })
    const left = () => names.filter((name) => existsSync(join(cluster.ufs, name)))
    await eventually(async () => left().length === 0, 'gone')
    for (const name of names) expect(await fs.exists(name)).toBe(false)
  })

  it('reads positions, short ends and nothing', async () => {
    for (const [way, fs] of clients) {
      const bytes = patternBytes(4, 3 * MIB + 100)
      const path = `/positions-${way}`
      await writeFile(fs, path, bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
      const reader = await fs.open(path)
      const buffer = Buffer.alloc(2 * MIB)
      for (const [position, length] of [
        [0, 1],
        [MIB - 1, 2],
        [MIB - 5, 2 * MIB],
        [3 * MIB, 4096],
        [3 * MIB + 99, 10],
        [3 * MIB + 100, 10],
        [9 * MIB, 1],
        [17, 0],
      ] as const) {
        const n = await reader.readInto(position, buffer.subarray(0, length))
        expect(n).toBe(Math.max(0, Math.min(length, bytes.length - position)))
        expect(buffer.subarray(0, n).equals(bytes.subarray(position, position + n))).toBe(true)
      }
      const part: Uint8Array[] = []
      for await (const chunk of reader.stream({ start: MIB - 3, end: 2 * MIB + 7, chunkBytes: 100_000 }))
        part.push(Buffer.from(chunk))
      expect(Buffer.concat(part).equals(bytes.subarray(MIB - 3, 2 * MIB + 7))).toBe(true)
      await expect(Promise.resolve(reader.readInto(-1, buffer))).rejects.toMatchObject({
        code: 'OUT_OF_RANGE',
      })
      await reader.close()
      await expect(Promise.resolve(reader.readInto(0, buffer))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
  })

  it('maps the blocks of this host without copies, which outlive the file', async () => {
    const fs = clients.get('local')!
    const bytes = patternBytes(5, 3 * MIB + 100)
    await writeFile(fs, '/mapped', bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    const reader = await fs.open('/mapped')
    const views = await reader.mapBlocks()
    await reader.close()
    await fs.delete('/mapped')
    expect(views.map(({ offset }) => offset)).toEqual([0, MIB, 2 * MIB, 3 * MIB].slice(0, views.length))
    expect(views.length).toBeGreaterThanOrEqual(3)
    for (const view of views) {
      expect(
        Buffer.from(view.bytes).equals(bytes.subarray(view.offset, view.offset + view.bytes.length)),
      ).toBe(true)
    }
  })

  it('streams by node streams both ways', async () => {
    const { pipeline } = await import('node:stream/promises')
    const fs = clients.get('wire')!
    const bytes = patternBytes(6, 4 * MIB + 5)
    const { Readable } = await import('node:stream')
    const writer = await fs.create('/piped', { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
    await pipeline(Readable.from([bytes.subarray(0, MIB), bytes.subarray(MIB)]), writer.writable())
    const reader = await fs.open('/piped')
    const chunks: Buffer[] = []
    for await (const chunk of reader.readable()) chunks.push(Buffer.from(chunk as Buffer))
    await reader.close()
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  it('serves many concurrent readers of one open file', async () => {
    for (const fs of clients.values()) {
      const bytes = patternBytes(7, 4 * MIB)
      const path = `/concurrent-${fs === clients.get('wire')}`
      await writeFile(fs, path, bytes, { writeType: 'MUST_CACHE', blockSizeBytes: MIB })
      const reader = await fs.open(path)
      await Promise.all(
        Array.from({ length: 16 }, async (_, caller) => {
          const buffer = Buffer.alloc(70_000)
          for (let i = 0; i < 20; i++) {
            const position = (caller * 7_919_777 + i * 104_729) % (bytes.length - buffer.length)
            await reader.readInto(position, buffer)
            expect(buffer.equals(bytes.subarray(position, position + buffer.length))).toBe(true)
          }
        }),
      )
      await reader.close()
    }
  })
})
