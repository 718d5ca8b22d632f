import { renameSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { pattern, temporaryFolder } from '../../test/support/block-store.ts'
import * as arrow from '../arrow/index.ts'
import { silentLog } from '../core/index.ts'
import { LocalBlocks } from './local-block.ts'
import { TierFiles } from './tier-files.ts'
import type { KnownWorker } from './workers.ts'

const LENGTH = 200_000
const bytes = pattern(7, LENGTH)
let folder: ReturnType<typeof temporaryFolder>
let opened: number
let blocks: LocalBlocks

class CountingDisk extends arrow.FileDisk {
  override open(...args: Parameters<arrow.FileDisk['open']>): ReturnType<arrow.FileDisk['open']> {
    opened++
    return super.open(...args)
  }
}

beforeEach(async () => {
  folder = temporaryFolder('/dev/shm')
  await seal('block')
  opened = 0
  blocks = new LocalBlocks({ tierFiles: new TierFiles(() => new CountingDisk()), log: silentLog })
})
afterEach(() => folder[Symbol.dispose]())

const at = (name: string) => join(folder.path, name)

async function seal(name: string): Promise<void> {
  const disk = new arrow.FileDisk()
  const file = disk.open(at(name), 'create')
  const writer = new arrow.BlockFileWriter(
    { blockId: 7, fileId: 3, sizeHint: LENGTH, synchronous: true },
    { file, bootTag: disk.bootTag, now: Date.now },
  )
  await writer.append(bytes)
  await writer.seal(false)
}

function open() {
  const worker = {
    block: { localPath: async () => ({ path: at('block'), tier: 'MEM' }) },
  } as unknown as KnownWorker
  return blocks.open(worker, 7, LENGTH, false, () => ({ bytes: 0 }) as never)
}

test('readers of one block share its file until the last one leaves', async () => {
  const [first, second] = [await open(), await open()]
  expect(opened).toBe(1)
  first!.close()
  first!.close()
  const buffer = new Uint8Array(1000)
  second!.readInto(5000, buffer)
  expect(buffer).toEqual(new Uint8Array(bytes.subarray(5000, 6000)))
  expect(second!.view(0, 10)).toEqual(Buffer.from(bytes.subarray(0, 10)))
  second!.close()
  const third = await open()
  expect(opened).toBe(2)
  third!.close()
})

test('a file that failed one reader, or was cut, is not handed to the next', async () => {
  const failed = await open()
  failed!.close(true)
  const held = await open()
  expect(opened).toBe(2)
  truncateSync(at('block'), 8192)
  await seal('again')
  renameSync(at('again'), at('block'))
  const next = await open()
  expect(opened).toBe(3)
  const buffer = new Uint8Array(1000)
  next!.readInto(150_000, buffer)
  expect(buffer).toEqual(new Uint8Array(bytes.subarray(150_000, 151_000)))
  next!.close()
  held!.close()
})
