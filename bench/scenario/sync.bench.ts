/**
 * A million objects come into the namespace, are compared again, and a directory of many moves: time, calls, memory.
 *
 *   node bench/scenario/sync.bench.ts [--objects=1000000] [--move=10000] [--delay=0]
 *
 * The store is our own S3 server in memory, which counts calls by name and adds `--delay` milliseconds to each. Prints JSON lines.
 * `load`: the first sync. `again`: the second, which has nothing to do. `changed`: one after 1 in 1,000 objects was replaced.
 * `mv`: a rename of `--move` persisted files, beside `loop`: a copy and a delete for each, 32 at a time, on the bare SDK. `mv-fresh`:
 * a rename of as many files that are not persisted. A million objects take the server some 600 MB.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CopyObjectCommand, DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { connectFileSystem } from '../../src/client/index.ts'
import { Config } from '../../src/core/config/index.ts'
import '../../src/core/options/index.ts'
import { lanes } from '../../test/support/lanes.ts'
import { startS3Latency } from '../../test/support/servers/index.ts'
import { Daemon } from './process.ts'

const { values: flags } = parseArgs({
  options: {
    objects: { type: 'string', default: '1000000' },
    move: { type: 'string', default: '10000' },
    delay: { type: 'string', default: '0' },
  },
})
const objects = Number(flags.objects)
const move = Number(flags.move)
const PER_DIRECTORY = 1000
const LANES = 32

const folder = mkdtempSync(join(tmpdir(), 'alluxio-sync-'))
mkdirSync(join(folder, 'ufs'))
const server = await startS3Latency({ delayMs: Number(flags.delay) })
const { daemon, port } = await Daemon.start('master', join(folder, 'master'), {
  'alluxio.master.mount.table.root.ufs': join(folder, 'ufs'),
  'alluxio.master.rpc.port': '0',
  'alluxio.master.web.port': '0',
})
const config = Config.load({ env: { ALLUXIO_DATA: join(folder, 'client') } })
const fs = await connectFileSystem({ master: `127.0.0.1:${port}`, user: 'bench' }, { config })

const changes = async () => (await fs.admin.metrics()).alluxio_master_metastore_changes_total ?? 0

/** Runs work and prints what it took of the store, the master and the clock. */
async function measured(name: string, work: () => Promise<object>): Promise<void> {
  await server.reset()
  daemon.resetPeak()
  const [cpu, before, started] = [daemon.cpu, await changes(), performance.now()]
  const outcome = await work()
  const seconds = (performance.now() - started) / 1000
  const { calls } = await server.stats()
  const line = {
    name,
    ...outcome,
    seconds: Number(seconds.toFixed(2)),
    masterCpuSeconds: Number((daemon.cpu - cpu).toFixed(2)),
    recordsWritten: (await changes()) - before,
    peakRssMiB: Math.round(daemon.peakBytes / 2 ** 20),
    calls,
  }
  console.log(JSON.stringify(line))
}

const synced = async () => {
  const { entries, pages, added, updated, removed } = await fs.syncs.run('/set')
  return { entries, pages, added, updated, removed }
}

try {
  const directories = Math.ceil(objects / PER_DIRECTORY)
  for (let d = 0; d < directories; d++) {
    const count = Math.min(PER_DIRECTORY, objects - d * PER_DIRECTORY)
    await server.fill(`set/data/d${String(d).padStart(5, '0')}/part-`, count, 16)
  }
  await server.fill('set/move/part-', move, 16)
  await server.fill('loop/a/part-', move, 16)
  await fs.mount('/set', `s3://${server.bucket}/set`, { options: server.options() })

  await measured('load', synced)
  await measured('again', synced)
  await server.fill('set/data/d00000/part-', Math.max(1, Math.floor(objects / 1000)), 17)
  await measured('changed', synced)

  await measured('mv', async () => {
    await fs.rename('/set/move', '/set/moved')
    return { files: move }
  })
  const client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: 64 } },
  })
  await measured('loop', async () => {
    await lanes(move, LANES, async (i) => {
      const name = `part-${String(i).padStart(6, '0')}`
      const [from, to] = [`loop/a/${name}`, `loop/b/${name}`]
      const Bucket = server.bucket
      await client.send(new CopyObjectCommand({ Bucket, Key: to, CopySource: `${Bucket}/${from}` }))
      await client.send(new DeleteObjectCommand({ Bucket, Key: from }))
    })
    return { files: move }
  })
  client.destroy()
  await lanes(move, LANES, (i) => fs.createEmpty(`/set/fresh/part-${i}`, { writeType: 'MUST_CACHE' }))
  await measured('mv-fresh', async () => {
    await fs.rename('/set/fresh', '/set/named')
    return { files: move }
  })
} finally {
  await fs.close()
  await daemon.stop()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
