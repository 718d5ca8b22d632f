/** A cluster over GlusterFS: what it writes is seen on the brick, what is warm asks the volume nothing. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { type GlusterServer, startGluster } from '../support/servers/gluster.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const { server: started, reason } = await ifAvailable(startGluster)
const server = started as GlusterServer
const suite = reason === undefined ? describe : describe.skip
afterAll(() => started?.stop())

suite('GlusterFS', () => {
  let cluster: Cluster
  let fs: FileSystem
  beforeAll(async () => {
    const folder = await server.mount()
    mkdirSync(join(folder, 'tree/many'), { recursive: true })
    for (let i = 0; i < 1000; i++) writeFileSync(join(folder, `tree/many/file-${i}`), `content ${i}`)
    await server.unmount(folder)
    cluster = await Cluster.start()
    fs = await cluster.connect()
    await fs.mount('/gluster', `glusterfs://${server.host}/${server.volume}/tree`)
  }, 120_000)
  afterAll(() => cluster?.dispose())

  /** Reads of the volume by all daemons so far. */
  async function reads(): Promise<number> {
    const ports = [cluster.master, ...cluster.workers].map(({ webPort }) => webPort)
    const texts = await Promise.all(
      ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
    )
    const lines = texts
      .join('\n')
      .split('\n')
      .filter((line) => /^alluxio_ufs_api_calls_total.*glfs_/.test(line))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  test('a directory of 1,000 files is listed, read cold, and read warm without asking the volume', async () => {
    const names: string[] = []
    for await (const { path } of fs.list('/gluster/many')) names.push(path)
    expect(names).toHaveLength(1000)
    const some = names.slice(0, 50)
    const read = async () => {
      for (const path of some) {
        const text = (await readWhole(fs, path)).toString()
        expect(text).toBe(`content ${path.slice(path.lastIndexOf('-') + 1)}`)
      }
    }
    await read()
    const cold = await reads()
    expect(cold).toBeGreaterThan(50)
    await read()
    expect(await reads()).toBe(cold)
  }, 120_000)

  test('a file written through is on the brick, follows a rename, and goes with a delete', async () => {
    const bytes = patternBytes(7, 5_000_000)
    const brick = (path: string) => join(server.brick, 'tree', path)
    await writeWhole(fs, '/gluster/dir with ünïcode/file', bytes, 'CACHE_THROUGH')
    expect(readFileSync(brick('dir with ünïcode/file')).equals(bytes)).toBe(true)
    expect(readdirSync(brick('dir with ünïcode'))).toEqual(['file'])
    await fs.rename('/gluster/dir with ünïcode/file', '/gluster/moved')
    expect(readFileSync(brick('moved')).equals(bytes)).toBe(true)
    await fs.free('/gluster/moved')
    expect((await readWhole(fs, '/gluster/moved')).equals(bytes)).toBe(true)
    await fs.delete('/gluster/moved')
    expect(existsSync(brick('moved'))).toBe(false)
    await fs.delete('/gluster/many', { recursive: true })
    expect(existsSync(brick('many'))).toBe(false)
  }, 120_000)
})
