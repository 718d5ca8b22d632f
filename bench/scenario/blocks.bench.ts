/**
 * A worker with very many blocks: `node bench/scenario/blocks.bench.ts [--blocks=1000000] [--tier=FOLDER] [--seconds=10]`.
 *
 * Makes blocks of 100 bytes in a tier folder (a page of it each: 4 GB a million), then prints JSON lines. `start`: seconds and CPU from the
 * worker's start until it is registered, and the master's CPU for it. `idle`: CPU of both a second while nothing changes, and their
 * memory. `again`: the same from the start of a new master until it knows all blocks again. `stop`: seconds.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { assembleBlock, sealTime } from '../../src/arrow/index.ts'
import { connectFileSystem } from '../../src/client/index.ts'
import { Config } from '../../src/core/config/index.ts'
import { blockIdOf, type FileId } from '../../src/core/index.ts'
import '../../src/core/options/index.ts'
import { Daemon } from './process.ts'

const { values: flags } = parseArgs({
  options: {
    blocks: { type: 'string', default: '1000000' },
    tier: { type: 'string', default: '/dev/shm' },
    seconds: { type: 'string', default: '10' },
  },
})
const count = Number(flags.blocks)
const seconds = Number(flags.seconds)
const folder = mkdtempSync(join(tmpdir(), 'alluxio-blocks-'))
const tier = join(flags.tier, basename(folder))
const BLOCK_BYTES = 100

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const round = (value: number) => Math.round(value * 1000) / 1000

function makeBlocks(): void {
  mkdirSync(tier, { recursive: true })
  const bytes = Buffer.alloc(BLOCK_BYTES, 'block')
  const sealed = { length: BLOCK_BYTES, sealedMs: sealTime(Date.now()), bootTag: 'bench' }
  const scratch = Buffer.allocUnsafe(64 * 1024)
  for (let i = 0; i < count; i++) {
    const fileId = (1000 + i) as FileId
    const blockId = blockIdOf(fileId, 0)
    const file = openSync(join(tier, `b${blockId}_${BLOCK_BYTES}.arrow`), 'w')
    writeSync(file, assembleBlock({ ...sealed, blockId, fileId }, bytes, scratch))
    closeSync(file)
  }
}

const startMaster = (port = '0') =>
  Daemon.start('master', join(folder, 'master'), {
    'alluxio.master.mount.table.root.ufs': join(folder, 'ufs'),
    'alluxio.master.rpc.port': port,
    'alluxio.master.web.port': '0',
  })

const startWorker = (masterPort: string) =>
  Daemon.start('worker', join(folder, 'worker'), {
    'alluxio.master.rpc.port': masterPort,
    'alluxio.worker.rpc.port': '0',
    'alluxio.worker.web.port': '0',
    'alluxio.worker.ramdisk.mount': 'NoMount',
    'alluxio.worker.tieredstore.levels': '1',
    'alluxio.worker.tieredstore.level0.alias': 'MEM',
    'alluxio.worker.tieredstore.level0.dirs.path': tier,
    'alluxio.worker.tieredstore.level0.dirs.quota': '100GB',
  })

/** Waits until the master knows so many blocks of live, registered workers. */
async function known(port: string, wanted: number, limitSeconds = 120): Promise<void> {
  const fs = await connectFileSystem({ master: `127.0.0.1:${port}` }, { config: Config.load({}) })
  const end = performance.now() + limitSeconds * 1000
  try {
    for (;;) {
      const workers = await fs.admin.workers()
      const blocks = workers.reduce((sum, worker) => sum + (worker.state === 'LIVE' ? worker.blocks : 0), 0)
      if (blocks === wanted && !(await fs.admin.info()).safeMode) return
      if (performance.now() > end) throw new Error(`the master knows ${blocks} of ${wanted} blocks`)
      await sleep(20)
    }
  } finally {
    await fs.close()
  }
}

const daemons: Daemon[] = []
try {
  const making = performance.now()
  makeBlocks()
  print({ row: 'made', blocks: count, seconds: round((performance.now() - making) / 1000) })

  const first = await startMaster()
  daemons.push(first.daemon)
  const before = { cpu: first.daemon.cpu, ...(await first.daemon.memory()) }
  const starting = performance.now()
  const { daemon: worker } = await startWorker(first.port)
  daemons.push(worker)
  const startSeconds = (performance.now() - starting) / 1000
  await known(first.port, count)
  const masterCpu = first.daemon.cpu - before.cpu
  print({
    row: 'start',
    seconds: round(startSeconds),
    workerCpu: round(worker.cpu),
    masterCpu: round(masterCpu),
  })

  const idle = { master: first.daemon.cpu, worker: worker.cpu }
  await sleep(seconds * 1000)
  const masterMemory = await first.daemon.memory()
  print({
    row: 'idle',
    masterCpuPerSecond: round((first.daemon.cpu - idle.master) / seconds),
    workerCpuPerSecond: round((worker.cpu - idle.worker) / seconds),
    masterHeapBytesEach: round(
      (masterMemory.heapUsed + masterMemory.external - before.heapUsed - before.external) / count,
    ),
    master: masterMemory,
    worker: await worker.memory(),
  })

  await first.daemon.stop()
  const workerCpu = worker.cpu
  const again = performance.now()
  const second = await startMaster(first.port)
  daemons.push(second.daemon)
  await known(second.port, count)
  print({
    row: 'again',
    seconds: round((performance.now() - again) / 1000),
    workerCpu: round(worker.cpu - workerCpu),
    masterCpu: round(second.daemon.cpu),
    master: await second.daemon.memory(),
  })

  const stopping = performance.now()
  await worker.stop()
  print({ row: 'stop', seconds: round((performance.now() - stopping) / 1000) })
} finally {
  for (const daemon of daemons.reverse()) await daemon.stop()
  for (const path of [folder, tier]) rmSync(path, { recursive: true, force: true })
}
