/** A cluster over HDFS, with what is asked of the NameNode counted on the way there. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { type HdfsServer, startHdfs } from '../support/servers/hdfs.ts'
import { type HdfsFront, startHdfsFront } from '../support/servers/hdfs-front.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const { server: started, reason } = await ifAvailable(() => startHdfs())
const server = started as HdfsServer
let front: HdfsFront
let cluster: Cluster
let fs: FileSystem

beforeAll(async () => {
  if (started === undefined) return
  front = await startHdfsFront(server.addresses[0]!)
  cluster = await Cluster.start()
  fs = await cluster.connect()
  await hdfs('PUT', '/mounted/before', 'MKDIRS')
  await fs.mount('/hdfs', `${server.uri}/mounted`, {
    options: server.options({ 'alluxio.underfs.hdfs.namenodes': front.address }),
  })
}, 120_000)
afterAll(async () => {
  await cluster?.dispose()
  await front?.stop()
  await started?.stop()
})

/** A call by a plain client. */
async function hdfs(method: string, path: string, op: string): Promise<Record<string, never>> {
  const answer = await fetch(`${server.addresses[0]}/webhdfs/v1${path}?op=${op}&user.name=root`, { method })
  return answer.json() as Promise<Record<string, never>>
}

const suite = reason === undefined ? describe : describe.skip
suite(`HDFS mounted${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('written through, seen there, read cold and warm, renamed and deleted', async () => {
    const bytes = patternBytes(5, 20_000_000)
    await writeWhole(fs, '/hdfs/dir/with space %', bytes, 'CACHE_THROUGH')
    const seen = await hdfs('GET', '/mounted/dir/with%20space%20%25', 'GETFILESTATUS')
    expect(seen).toMatchObject({ FileStatus: { type: 'FILE', length: bytes.length } })
    await writeWhole(fs, '/hdfs/dir/cold', bytes, 'THROUGH')
    front.seen.length = 0
    expect(((await readWhole(fs, '/hdfs/dir/cold')) as Buffer).equals(bytes)).toBe(true)
    expect(new Set(front.seen)).toEqual(new Set(['OPEN', 'GETFILESTATUS']))
    front.seen.length = 0
    for (const name of ['cold', 'cold', 'with space %']) {
      expect(((await readWhole(fs, `/hdfs/dir/${name}`)) as Buffer).equals(bytes)).toBe(true)
    }
    expect(front.seen).toEqual([])
    await fs.rename('/hdfs/dir', '/hdfs/moved')
    expect(await hdfs('GET', '/mounted/moved/with%20space%20%25', 'GETFILESTATUS')).toHaveProperty(
      'FileStatus',
    )
    expect(await hdfs('GET', '/mounted/dir', 'GETFILESTATUS')).toHaveProperty('RemoteException')
    await fs.delete('/hdfs/moved', { recursive: true })
    expect(await hdfs('GET', '/mounted/moved', 'GETFILESTATUS')).toHaveProperty('RemoteException')
  }, 120_000)

  test('1,000 files that HDFS has are listed in one page, and what comes is seen', async () => {
    const lanes = Array.from({ length: 16 }, async (_, lane) => {
      for (let i = lane; i < 1000; i += 16) await hdfs('PUT', `/mounted/many/d${i}`, 'MKDIRS')
    })
    await Promise.all(lanes)
    front.seen.length = 0
    const names: string[] = []
    for await (const { path } of fs.list('/hdfs/many', { syncIntervalMs: 0 })) names.push(path)
    expect(names).toHaveLength(1000)
    expect(front.seen.filter((op) => op === 'LISTSTATUS_BATCH')).toHaveLength(1)
    expect(front.seen.length).toBeLessThanOrEqual(3)
    await hdfs('PUT', '/mounted/many/new', 'MKDIRS')
    expect((await fs.getStatus('/hdfs/many/new', { syncIntervalMs: 0 })).path).toBe('/hdfs/many/new')
  }, 120_000)

  test('the NameNode away and back: warm files are read all the while, cold ones once it is back', async () => {
    const bytes = patternBytes(6, 3_000_000)
    await writeWhole(fs, '/hdfs/warm', bytes, 'CACHE_THROUGH')
    await writeWhole(fs, '/hdfs/cold', bytes, 'THROUGH')
    await server.nameNodes[0]!.kill()
    expect(((await readWhole(fs, '/hdfs/warm')) as Buffer).equals(bytes)).toBe(true)
    const reading = readWhole(fs, '/hdfs/cold')
    await server.nameNodes[0]!.restart()
    expect(((await reading) as Buffer).equals(bytes)).toBe(true)
  }, 180_000)
})
