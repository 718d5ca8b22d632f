/**
 * Blocks on memory file systems: `node bench/micro/block.bench.ts [folder …]`. Default: /dev/shm, and a huge-page tmpfs of its own if
 * it may mount one. Prints one line of JSON a figure: GB/s and CPU seconds a GB, or operations a second and CPU microseconds each.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BlockFileWriter, FileDisk, openBlock } from '../../src/arrow/index.ts'
import {
  type BlockId,
  blockIdOf,
  type FileId,
  Metrics,
  silentLog,
  systemRuntime,
} from '../../src/core/index.ts'
import { mountRamdisk, openBlockStore, type ReadRequest, unmountRamdisk } from '../../src/store/index.ts'

const MIB = 2 ** 20
const BLOCK = 64 * MIB
const BLOCKS = 8
const GB = (BLOCK * BLOCKS) / 1e9
const disk = new FileDisk()
const source = Buffer.allocUnsafeSlow(BLOCK)
for (let i = 0; i < BLOCK; i += 4) source.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i)
const id = (n: number, index = 0): BlockId => blockIdOf((n + 1) as FileId, index)

async function measure(
  folder: string,
  work: string,
  units: number,
  unit: 'GB' | 'op',
  run: () => unknown,
): Promise<void> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run()
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  const cpuSeconds = (used.user + used.system) / 1e6
  const round = (n: number) => Number(n.toPrecision(3))
  const figures =
    unit === 'GB'
      ? { gbPerSecond: round(units / seconds), cpuSecondsPerGb: round(cpuSeconds / units) }
      : { perSecond: Math.round(units / seconds), cpuMicroseconds: round((cpuSeconds / units) * 1e6) }
  process.stdout.write(`${JSON.stringify({ folder, work, ...figures })}\n`)
}

async function files(name: string, folder: string): Promise<void> {
  const path = (n: number) => join(folder, `block-${n}`)
  for (let round = 0; round < 2; round++) {
    await measure(
      name,
      `write 64 MiB blocks, 1 MiB pieces, crc32c${round === 0 ? ' (cold)' : ''}`,
      GB,
      'GB',
      async () => {
        for (let n = 0; n < BLOCKS; n++) {
          const writer = new BlockFileWriter(
            { blockId: n, fileId: 1, sizeHint: BLOCK, synchronous: true },
            { file: disk.open(path(n), 'create'), bootTag: disk.bootTag, now: Date.now },
          )
          for (let at = 0; at < BLOCK; at += MIB) await writer.append(source.subarray(at, at + MIB))
          await writer.seal(false)
        }
      },
    )
  }
  const buffer = Buffer.alloc(MIB)
  for (const trustSeal of [true, false]) {
    await measure(name, `read 1 MiB copies, ${trustSeal ? 'sealed' : 'verified'}`, GB, 'GB', () => {
      for (let n = 0; n < BLOCKS; n++) {
        const handle = openBlock(disk, path(n), { trustSeal })
        for (let at = 0; at < BLOCK; at += MIB) handle.readInto(at, buffer)
        handle.close()
      }
    })
  }
  await measure(name, 'map and touch every page', GB, 'GB', () => {
    let sum = 0
    for (let n = 0; n < BLOCKS; n++) {
      const handle = openBlock(disk, path(n), { trustSeal: true })
      const view = handle.view(0, BLOCK)
      for (let at = 0; at < BLOCK; at += 4096) sum += view[at]!
      handle.close()
    }
    return sum
  })
  await measure(name, 'open and close', 20_000, 'op', () => {
    for (let n = 0; n < 20_000; n++) openBlock(disk, path(n % BLOCKS), { trustSeal: true }).close()
  })
  const handle = openBlock(disk, path(0), { trustSeal: true })
  const page = Buffer.alloc(4096)
  await measure(name, '4 KiB random readInto', 200_000, 'op', () => {
    for (let n = 0; n < 200_000; n++) handle.readInto(((n * 7919) % 16384) * 4096, page)
  })
  handle.close()
  for (let n = 0; n < BLOCKS; n++) await disk.remove(path(n))
}

async function store(name: string, folder: string): Promise<void> {
  const tiers = [{ alias: 'MEM', folders: [{ path: join(folder, 'tier'), quotaBytes: 2 * BLOCK * BLOCKS }] }]
  const modules = { disk, runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
  const made = await openBlockStore({ tiers }, modules)
  await made.start()
  const request = (blockId: BlockId, blockLength: number, offset: number, length: number): ReadRequest => ({
    ...{ blockId, blockLength, offset, length },
    ...{ cache: true, promote: false, sequential: true },
  })
  await measure(name, 'store: write 64 MiB blocks', GB, 'GB', async () => {
    for (let n = 0; n < BLOCKS; n++) {
      const writer = await made.write(id(0, n), { sizeHint: BLOCK, soleCopy: false })
      for (let at = 0; at < BLOCK; at += MIB) {
        const written = writer.append(source.subarray(at, at + MIB))
        if (written !== undefined) await written
      }
      await writer.commit()
    }
  })
  await measure(name, 'store: read as stream of views', GB, 'GB', async () => {
    for (let n = 0; n < BLOCKS; n++)
      for await (const _ of made.read(request(id(0, n), BLOCK, 0, BLOCK))) void _
  })
  await measure(name, 'store: readAt 4 KiB', 200_000, 'op', () => {
    for (let n = 0; n < 200_000; n++)
      made.readAt(request(id(0, n % BLOCKS), BLOCK, ((n * 7919) % 16384) * 4096, 4096))
  })
  const small = source.subarray(0, 4096)
  await measure(name, 'store: write 4 KiB blocks, 16 in flight', 10_000, 'op', async () => {
    for (let n = 0; n < 10_000; n += 16) {
      const writes = Array.from({ length: 16 }, (_, i) =>
        made.writeSmall(id(1 + n + i), small, { soleCopy: true }),
      )
      await Promise.all(writes)
    }
  })
  await measure(name, 'store: read 4 KiB blocks, each opened', 10_000, 'op', async () => {
    for (let n = 0; n < 10_000; n++) await made.readAt(request(id(1 + n), 4096, 0, 4096))
  })
  await measure(name, 'store: remove 4 KiB blocks', 10_000, 'op', () =>
    made.remove(Array.from({ length: 10_000 }, (_, n) => id(1 + n))),
  )
  const object = 256 * MIB
  async function* fetch(offset: number, length: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < length; at += 65536)
      yield source.subarray((offset + at) % BLOCK, ((offset + at) % BLOCK) + Math.min(65536, length - at))
  }
  await measure(name, 'store: cold read of 256 MiB', object / 1e9, 'GB', async () => {
    for (let n = 0; n < object / BLOCK; n++) {
      for await (const _ of made.read({ ...request(id(50_000, n), BLOCK, 0, BLOCK), fetch })) void _
    }
  })
  await made.stop()
}

/** A million empty files with the names of blocks: recovery lists and never opens. */
async function recovery(name: string, folder: string): Promise<void> {
  const path = join(folder, 'million')
  disk.makeFolder(path)
  const count = Number(process.env.BLOCKS ?? 1_000_000)
  for (let n = 0; n < count; n++) writeFileSync(join(path, `b${id(n)}_4096.arrow`), '')
  const tiers = [{ alias: 'MEM', folders: [{ path, quotaBytes: 2 ** 40 }] }]
  const modules = { disk, runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
  const made = await openBlockStore({ tiers }, modules)
  const heap = process.memoryUsage().heapUsed
  await measure(name, `recovery of ${count} blocks`, count, 'op', () => made.start())
  const bytes = (process.memoryUsage().heapUsed - heap) / count
  process.stdout.write(
    `${JSON.stringify({ folder: name, work: 'heap of a block', bytes: Math.round(bytes) })}\n`,
  )
  await made.stop()
}

const folders = process.argv.slice(2)
for (const parent of folders.length > 0 ? folders : ['/dev/shm', 'huge']) {
  const folder = mkdtempSync(join(parent === 'huge' ? '/tmp' : parent, 'alluxio-bench-'))
  try {
    if (parent === 'huge') {
      const ramdisk = await mountRamdisk({ path: folder, sizeBytes: 3 * 2 ** 30, mode: 'Mount' })
      process.stdout.write(`${JSON.stringify(ramdisk)}\n`)
      if (ramdisk.kind === 'plain') continue
    }
    await files(parent, folder)
    await store(parent, folder)
    if (parent !== 'huge') await recovery(parent, folder)
  } finally {
    if (parent === 'huge') await unmountRamdisk(folder, 'Mount')
    rmSync(folder, { recursive: true, force: true })
  }
}
