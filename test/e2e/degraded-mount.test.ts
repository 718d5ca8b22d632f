/** A mount whose store goes away while the cluster runs: what is cached is served, the rest says why not, and all is well again after. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { type Availability, ifAvailable, type S3Server, startMinio } from '../support/servers/index.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const minio: Availability<S3Server> = await ifAvailable(startMinio)
const describeMinio = minio.server === undefined ? describe.skip : describe
let cluster: Cluster
let fs: FileSystem

describeMinio('a store that goes down and comes back', () => {
  const server = minio.server!
  const bytes = patternBytes(11, 300_000)
  const key = 'alluxio.user.file.consistency'

  beforeAll(async () => {
    const properties = {
      'alluxio.master.ufs.answer.timeout': '2s',
      'alluxio.underfs.retry.max.duration': '4s',
    }
    cluster = await Cluster.start({ properties })
    fs = await cluster.connect({ 'alluxio.underfs.retry.max.duration': '4s' })
    await fs.mount('/s', `s3://${server.bucket}/degraded`, { options: server.options() })
    for (const name of ['warm', 'cold', 'checked/f', 'strict/f'])
      await writeWhole(fs, `/s/${name}`, bytes, 'CACHE_THROUGH')
    await fs.free('/s/cold')
    await fs.admin.setPathConf('/s/checked', { set: { [key]: 'ttl(100ms)' } })
    await fs.admin.setPathConf('/s/strict', { set: { [key]: 'strict' } })
  }, 120_000)
  afterAll(async () => {
    await cluster?.dispose()
    await server?.stop()
  })

  const names = async (path: string) => {
    const found: string[] = []
    for await (const { name, stale } of fs.list(path)) found.push(stale ? `${name} (stale)` : name)
    return found
  }

  test('cached data and known metadata are served, the rest fails in time with the name of the store', async () => {
    await server.kill()
    expect((await readWhole(fs, '/s/warm')).equals(bytes)).toBe(true)
    expect(await names('/s')).toEqual(['checked', 'cold', 'strict', 'warm'])
    const down = { code: expect.stringMatching(/UNAVAILABLE|TIMEOUT/) }
    await expect(fs.getStatus('/s/unknown')).rejects.toMatchObject({
      ...down,
      message: expect.stringContaining(`s3://${server.bucket}/degraded`),
    })
    await expect(readWhole(fs, '/s/cold')).rejects.toMatchObject(down)
    await expect(fs.open('/s/checked/f')).rejects.toMatchObject({
      ...down,
      message: expect.stringContaining('ttl(100ms)'),
    })
    expect((await fs.getStatus('/s/checked/f')).stale).toBe(true)
    expect(await names('/s/checked')).toEqual(['f (stale)'])
    await expect(fs.getStatus('/s/strict/f')).rejects.toMatchObject(down)
    await expect(names('/s/strict')).rejects.toMatchObject(down)
    // The cluster goes on: other mounts, and bytes that reach this store later.
    await writeWhole(fs, '/elsewhere', bytes, 'CACHE_THROUGH')
    await writeWhole(fs, '/s/later', bytes, 'ASYNC_THROUGH')
    expect((await readWhole(fs, '/s/later')).equals(bytes)).toBe(true)
  }, 120_000)

  test('when it is back, everything is as before and nothing is stale', async () => {
    await server.restart()
    for (const name of ['warm', 'cold', 'checked/f', 'strict/f'])
      expect({ name, same: (await readWhole(fs, `/s/${name}`)).equals(bytes) }).toEqual({ name, same: true })
    expect(await names('/s/checked')).toEqual(['f'])
    expect((await fs.getStatus('/s/checked/f')).stale).toBe(false)
    const deadline = Date.now() + 60_000
    while (!(await fs.getStatus('/s/later')).persisted && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await fs.getStatus('/s/later')).persisted).toBe(true)
  }, 120_000)
})
