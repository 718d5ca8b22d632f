import { copyFileSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { pattern, temporaryFolder } from '../../test/support/block-store.ts'
import { isAlluxioError } from '../core/index.ts'
import {
  assembleBlock,
  BlockFileWriter,
  blockLayout,
  FileDisk,
  inspectBlock,
  openBlock,
  PartialBlock,
  sealTime,
} from './index.ts'

const disk = new FileDisk()
let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder('/dev/shm')
})
afterEach(() => folder[Symbol.dispose]())
const at = (name: string) => join(folder.path, name)

async function write(path: string, bytes: Uint8Array, pieces: readonly number[], synchronous = true) {
  const writer = new BlockFileWriter(
    { blockId: 11, fileId: 3, sizeHint: bytes.length, synchronous },
    { file: disk.open(path, 'create'), bootTag: disk.bootTag, now: Date.now },
  )
  let done = 0
  for (const piece of pieces) {
    await writer.append(bytes.subarray(done, done + piece))
    done += piece
  }
  await writer.append(bytes.subarray(done))
  return writer.seal(false)
}

function assemble(path: string, bytes: Uint8Array): void {
  const sealedMs = sealTime(Date.now())
  const metadata = { blockId: 11, fileId: 3, length: bytes.length, sealedMs, bootTag: disk.bootTag }
  const file = disk.open(path, 'create')
  file.writeSync(assembleBlock(metadata, bytes), 0)
  file.setModified(sealedMs)
  file.close()
}

test('streamed in any pieces, by either way of writing, a block is the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 60_000, max: 700_000 })),
      fc.array(fc.oneof(fc.nat(5000), fc.nat(300_000)), { maxLength: 8 }),
      fc.boolean(),
      async (length, pieces, synchronous) => {
        const bytes = pattern(1, length)
        await write(at('streamed'), bytes, pieces, synchronous)
        assemble(at('whole'), bytes)
        const streamed = readFileSync(at('streamed'))
        const { tailOffset, fileBytes } = blockLayout(length)
        expect(streamed.length).toBe(fileBytes)
        expect(
          streamed.subarray(0, tailOffset).equals(readFileSync(at('whole')).subarray(0, tailOffset)),
        ).toBe(true)
      },
    ),
    { numRuns: 60 },
  )
})

test('any range is read by copy and by view, trusted or verified', async () => {
  const bytes = pattern(2, 300_001)
  await write(at('b'), bytes, [70_000])
  for (const trustSeal of [true, false]) {
    const handle = openBlock(disk, at('b'), { trustSeal })
    expect(handle.trusted).toBe(trustSeal)
    await fc.assert(
      fc.asyncProperty(fc.nat(300_000), fc.nat(20_000), async (offset, length) => {
        const expected = bytes.subarray(offset, offset + length)
        const buffer = Buffer.alloc(length)
        expect(handle.readInto(offset, buffer)).toBe(expected.length)
        expect(buffer.subarray(0, expected.length).equals(expected)).toBe(true)
        expect(Buffer.compare(handle.view(offset, expected.length), expected)).toBe(0)
        expect(Buffer.compare(await handle.read(offset, expected.length), expected)).toBe(0)
      }),
      { numRuns: 40 },
    )
    expect(() => handle.view(300_000, 2)).toThrow('which has 300001')
    handle.close()
  }
})

test('a view outlives its handle and its file', async () => {
  const bytes = pattern(2, 100_000)
  await write(at('b'), bytes, [])
  const handle = openBlock(disk, at('b'), { trustSeal: true })
  const view = handle.view(0, 100_000)
  handle.close()
  await disk.remove(at('b'))
  expect(Buffer.compare(view, bytes)).toBe(0)
})

/** Reads everything; the bytes, or that the file was refused. */
function attempt(path: string, length: number, trustSeal: boolean): Buffer | 'refused' {
  try {
    const handle = openBlock(disk, path, { trustSeal })
    try {
      const buffer = Buffer.alloc(length + 1)
      const n = handle.readInto(0, buffer)
      return buffer.subarray(0, n)
    } finally {
      handle.close()
    }
  } catch (error) {
    if (isAlluxioError(error, 'DATA_LOSS')) return 'refused'
    throw error
  }
}

test.each([100, 4096, 20_000, 65_536, 200_000])(
  'a block of %i: flipped bits in every region and cuts at any place never give other bytes',
  async (length) => {
    const bytes = pattern(3, length)
    await write(at('good'), bytes, [])
    const { bodyOffset, crcOffset, tailOffset, fileBytes } = blockLayout(length)
    const place = fc.oneof(
      fc.integer({ min: 0, max: bodyOffset - 1 }),
      fc.integer({ min: bodyOffset, max: bodyOffset + length - 1 }),
      fc.integer({ min: crcOffset, max: tailOffset - 1 }),
      fc.integer({ min: tailOffset, max: fileBytes - 1 }),
    )
    let refused = 0
    fc.assert(
      fc.property(place, fc.nat(7), fc.boolean(), (position, bit, cut) => {
        copyFileSync(at('good'), at('bad'))
        if (cut) truncateSync(at('bad'), position)
        else {
          const file = readFileSync(at('bad'))
          file[position]! ^= 1 << bit
          writeFileSync(at('bad'), file)
        }
        for (const trustSeal of [true, false]) {
          const read = attempt(at('bad'), length, trustSeal)
          if (read === 'refused') refused++
          else expect(read.equals(bytes)).toBe(true)
        }
      }),
      { numRuns: 120 },
    )
    expect(refused).toBeGreaterThan(100)
  },
)

test('a foreign write under an open handle is found at the next look', async () => {
  const bytes = pattern(3, 200_000)
  await write(at('b'), bytes, [])
  const handle = openBlock(disk, at('b'), { trustSeal: true })
  expect(handle.view(0, 10).length).toBe(10)
  const file = disk.open(at('b'), 'update')
  file.writeSync(Buffer.from([bytes[70_000]! ^ 1]), 4096 + 70_000)
  file.close()
  handle.recheck()
  expect(handle.trusted).toBe(false)
  expect(Buffer.compare(handle.view(0, 60_000), bytes.subarray(0, 60_000))).toBe(0)
  expect(() => handle.view(60_000, 20_000)).toThrow('page 17')
  expect(() => handle.readInto(70_000, Buffer.alloc(1))).toThrow('page 17')
  await expect(handle.read(65_000, 10_000)).rejects.toMatchObject({ code: 'DATA_LOSS' })
  handle.close()
})

test('the seal of another boot, or none of ours, is not believed', async () => {
  await write(at('b'), pattern(3, 5000), [])
  const rebooted = Object.create(disk, { bootTag: { value: 'ffffffffffffffff' } }) as FileDisk
  const handle = openBlock(rebooted, at('b'), { trustSeal: true })
  expect(handle.trusted).toBe(false)
  handle.close()
})

test('inspection names what is wrong', async () => {
  await write(at('b'), pattern(3, 200_000), [])
  const good = await inspectBlock(disk, at('b'))
  expect(good).toMatchObject({
    ...{
      problem: undefined,
      blockId: 11,
      fileId: 3,
      length: 200_000,
      rows: 49,
      width: 4096,
      bodyOffset: 4096,
    },
    ...{ sealIntact: true, headIntact: true, badPages: [] },
    columns: [
      { name: 'page', type: 'FixedSizeBinary[4096]' },
      { name: 'crc32c', type: 'Uint32' },
    ],
  })
  const file = readFileSync(at('b'))
  file[4096 + 5 * 4096]! ^= 1
  file[4096 + 9 * 4096]! ^= 1
  writeFileSync(at('b'), file)
  const bad = await inspectBlock(disk, at('b'))
  expect(bad).toMatchObject({
    sealIntact: false,
    badPages: [5, 9],
    problem: '2 of 49 pages have another checksum',
  })
  writeFileSync(at('c'), 'no block at all')
  expect((await inspectBlock(disk, at('c'))).problem).toContain('no valid footer')
  await expect(inspectBlock(disk, at('missing'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

const EXTENT = 65_536
const partialOptions = (length: number) => ({
  blockId: 11,
  fileId: 3,
  length,
  extentBytes: EXTENT,
  synchronous: true,
})
const modules = { disk, now: Date.now }
const paths = () => ({ data: at('p.part'), side: at('p.side') })

async function fill(partial: PartialBlock, bytes: Buffer, extents: readonly number[]): Promise<void> {
  for (const extent of extents) {
    const pages = Buffer.alloc(Math.ceil(partial.extentLength(extent) / 4096) * 4096)
    bytes.copy(pages, 0, extent * EXTENT, extent * EXTENT + partial.extentLength(extent))
    await partial.writeExtent(extent, pages)
  }
}

test('extents in any order make the block that one stream makes', async () => {
  const length = 5 * EXTENT + 77
  const bytes = pattern(4, length)
  const partial = PartialBlock.create({ ...partialOptions(length), salt: 9 }, modules, paths())
  await fill(partial, bytes, [3, 0, 5])
  expect(partial.covers(3 * EXTENT, EXTENT)).toBe(true)
  expect(partial.covers(3 * EXTENT, EXTENT + 1)).toBe(false)
  expect(Buffer.compare(await partial.read(5 * EXTENT + 7, 70), bytes.subarray(5 * EXTENT + 7))).toBe(0)
  expect(statSync(at('p.part')).blocks * 512).toBeLessThan(4 * EXTENT)
  await fill(partial, bytes, [1, 4, 2])
  await partial.seal()
  partial.close()
  const handle = openBlock(disk, at('p.part'), { trustSeal: true })
  expect(handle.trusted).toBe(true)
  expect(handle.verify()).toEqual([])
  expect(Buffer.compare(handle.view(0, length), bytes)).toBe(0)
  handle.close()
})

test('after a crash extents are there or missing, never wrong', async () => {
  const length = 6 * EXTENT
  const bytes = pattern(4, length)
  const partial = PartialBlock.create({ ...partialOptions(length), salt: 9 }, modules, paths())
  await fill(partial, bytes, [0, 2, 3])
  partial.close()
  const sideBytes = statSync(at('p.side')).size
  copyFileSync(at('p.part'), at('keep.part'))
  copyFileSync(at('p.side'), at('keep.side'))
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('p.part', 'p.side'),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.boolean(),
      async (name, where, cut) => {
        copyFileSync(at('keep.part'), at('p.part'))
        copyFileSync(at('keep.side'), at('p.side'))
        const position = Math.floor(where * (name === 'p.side' ? sideBytes : 4096 + 4 * EXTENT))
        if (cut) truncateSync(at(name), position)
        else {
          const file = disk.open(at(name), 'update')
          const byte = Buffer.alloc(1)
          file.readSync(byte, position)
          file.writeSync(Buffer.from([byte[0]! ^ 16]), position)
          file.close()
        }
        const again = PartialBlock.recover({ synchronous: true }, modules, paths())
        if (again === undefined) return
        for (let extent = 0; extent < again.extents; extent++) {
          if (!again.has(extent)) continue
          expect([0, 2, 3]).toContain(extent)
          try {
            const read = await again.read(extent * EXTENT, EXTENT)
            expect(Buffer.compare(read, bytes.subarray(extent * EXTENT, (extent + 1) * EXTENT))).toBe(0)
          } catch (error) {
            if (!isAlluxioError(error, 'DATA_LOSS')) throw error
          }
        }
        again.close()
      },
    ),
    { numRuns: 80 },
  )
})

test('a damaged extent is found before the block is sealed', async () => {
  const length = 2 * EXTENT
  const bytes = pattern(4, length)
  const partial = PartialBlock.create({ ...partialOptions(length), salt: 9 }, modules, paths())
  await fill(partial, bytes, [0, 1])
  const file = disk.open(at('p.part'), 'update')
  file.writeSync(Buffer.from([bytes[70_000]! ^ 1]), 4096 + 70_000)
  file.close()
  await expect(partial.seal()).rejects.toMatchObject({ code: 'DATA_LOSS', details: { page: 17 } })
  partial.dropExtent(1)
  expect(partial.whole).toBe(false)
  await fill(partial, bytes, [1])
  utimesSync(at('p.part'), 1, 1)
  await partial.seal()
  partial.close()
  const handle = openBlock(disk, at('p.part'), { trustSeal: true })
  expect(Buffer.compare(handle.view(0, length), bytes)).toBe(0)
  handle.close()
})
