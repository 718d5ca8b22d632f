/** Syncs with real S3 servers: the store killed in the middle, keys that no path can name, paths that are synced by themselves. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { patternBytes } from '../support/cluster.ts'
import { lanes } from '../support/lanes.ts'
import { openBucket, putObject, S3Cluster } from '../support/s3-cluster.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const s3 = await S3Cluster.around({
  properties: {
    'alluxio.master.ufs.active.sync.interval': '200ms',
    'alluxio.master.ufs.active.sync.max.interval': '1s',
  },
})
const { counting, minio } = s3
let fs: FileSystem
beforeAll(() => {
  fs = s3.fs
})

const namesBelow = async (path: string): Promise<string[]> => {
  const names: string[] = []
  for await (const entry of fs.list(path, { recursive: true, loadMetadata: 'NEVER' }))
    if (!entry.folder) names.push(entry.path)
  return names.sort()
}

const eventually = async (holds: () => Promise<boolean>) => {
  for (let i = 0; i < 200 && !(await holds()); i++) await pause(50)
  expect(await holds()).toBe(true)
}

const describeCounting = counting.server === undefined ? describe.skip : describe
const describeMinio = minio.server === undefined ? describe.skip : describe

describeMinio('a store that is killed in the middle of a sync', () => {
  const COUNT = 4000

  test('and comes back: the sync goes on; and does not: it fails, and the next one heals', async () => {
    const server = minio.server!
    const store = await openBucket(server, 'set')
    await lanes(COUNT, 32, (i) => putObject(store, `d${i % 40}/f${i}`, patternBytes(i, 10)))
    await s3.mount('/set', server, 'set', { 'alluxio.underfs.retry.max.duration': '10s' })
    let killed: Promise<void> | undefined
    const killAndRestart = async () => {
      await server.kill()
      await pause(500)
      await server.restart()
    }
    const { added } = await fs.syncs.run('/set', {
      onProgress: () => {
        killed ??= killAndRestart()
      },
    })
    await killed
    expect(added).toBe(COUNT + 40)
    expect(await namesBelow('/set')).toHaveLength(COUNT)

    await writeWhole(fs, '/set/mine', patternBytes(1, 100), 'MUST_CACHE')
    await putObject(store, 'd0/later', patternBytes(7, 10))
    await server.kill()
    await expect(fs.syncs.run('/set')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await fs.getStatus('/set')).stale).toBe(true)
    expect(await namesBelow('/set')).toHaveLength(COUNT + 1)
    await server.restart()
    expect(await fs.syncs.run('/set')).toMatchObject({ added: 1, updated: 0, removed: 0 })
    expect((await fs.getStatus('/set')).stale).toBe(false)
    expect(await readWhole(fs, '/set/mine')).toEqual(patternBytes(1, 100))
  }, 120_000)
})

describeCounting('keys', () => {
  const server = counting.server!
  const url = (key: string) =>
    `${server.endpoint}/${server.bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  /** All keys as the server has them. */
  const keys = async (prefix: string): Promise<string[]> => {
    const answer = await fetch(`${server.endpoint}/${server.bucket}?list-type=2&prefix=${prefix}`)
    return [...(await answer.text()).matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!).sort()
  }

  test('that no path can name are not shown, move with their directory and are never lost', async () => {
    const odd = ['a//b', '/lead', 'dots/./x', 'dots/../y', 'x/y', 'x/z/']
    const plain = ['a/c', 'dots/ok', 'x']
    for (const key of [...odd, ...plain]) {
      const request = `PUT ${new URL(url('odd/d/')).pathname}${key} HTTP/1.1`
      expect(await rawPut(server.endpoint, request, key)).toBe(200)
    }
    const all = [...odd, ...plain].map((key) => `odd/d/${key}`).sort()
    expect(await keys('odd/')).toEqual(all)
    await s3.mount('/odd', server, 'odd')
    await fs.syncs.run('/odd')
    expect(await namesBelow('/odd')).toEqual(['/odd/d/a/c', '/odd/d/dots/ok', '/odd/d/x'])
    expect(await fs.syncs.run('/odd')).toMatchObject({ added: 0, updated: 0, removed: 0 })

    await fs.rename('/odd/d', '/odd/e')
    expect(await keys('odd/')).toEqual(all.map((key) => key.replace('odd/d/', 'odd/e/')).sort())

    // What a file hid is shown when the file has gone.
    await fs.delete('/odd/e/x')
    expect(await keys('odd/e/x')).toEqual(['odd/e/x/y', 'odd/e/x/z/'])
    await fs.syncs.run('/odd')
    expect(await namesBelow('/odd')).toEqual(['/odd/e/a/c', '/odd/e/dots/ok', '/odd/e/x/y'])
  })
})

describeCounting('a path that is synced by itself', () => {
  const server = counting.server!

  test('shows what comes and goes, also after a restart of the master, until that is stopped', async () => {
    const store = await openBucket(server, 'active')
    await putObject(store, 'one', patternBytes(1, 10))
    await s3.mount('/active', server, 'active')
    expect(await fs.syncs.start('/active')).toBe(true)
    expect(await fs.syncs.start('/active')).toBe(false)
    await expect(fs.syncs.start('/active/sub')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await eventually(async () => (await namesBelow('/active')).length === 1)
    await putObject(store, 'sub/two', patternBytes(2, 10))
    await eventually(async () => (await namesBelow('/active')).length === 2)
    await s3.cluster.master.kill()
    await s3.cluster.master.start()
    expect((await fs.syncs.paths()).map(({ path }) => path)).toEqual(['/active'])
    await store.delete('one')
    await eventually(async () => (await namesBelow('/active')).length === 1)
    expect((await fs.syncs.paths())[0]!.changes).toBeGreaterThan(0)
    expect(await fs.syncs.stop('/active')).toBe(true)
    expect(await fs.syncs.stop('/active')).toBe(false)
    expect(await fs.syncs.paths()).toEqual([])
  }, 60_000)

  test('one that is wanted anew is checked when somebody asks for it', async () => {
    const store = await openBucket(server, 'wanted')
    await putObject(store, 'd/f', patternBytes(1, 10))
    await s3.mount('/wanted', server, 'wanted')
    await fs.syncs.run('/wanted')
    await putObject(store, 'd/f', patternBytes(1, 20))
    expect((await fs.getStatus('/wanted/d/f')).length).toBe(10)
    await fs.syncs.want('/wanted')
    expect((await fs.getStatus('/wanted/d/f')).length).toBe(20)
  })
})

/** A request line as it is: no client sends `//`, `.` and `..` in a path. */
async function rawPut(endpoint: string, request: string, body: string): Promise<number> {
  const { connect } = await import('node:net')
  const { hostname, port } = new URL(endpoint)
  const socket = connect(Number(port), hostname)
  socket.write(
    `${request}\r\nhost: ${hostname}:${port}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  )
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return Number(answer.split(' ')[1])
}
