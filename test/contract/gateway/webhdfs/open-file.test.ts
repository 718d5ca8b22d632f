/** What the JVM client asks beyond WebHDFS. */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../../src/client/index.ts'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { counted, growth } from '../../../support/counters.ts'
import { writeWhole } from '../../../support/whole-file.ts'
import { type Answer, ask, exceptionOf, Hdfs } from './http.ts'

interface OpenFile {
  readonly FileStatus: { readonly length: number; readonly fileId: number }
  readonly from: number
  readonly access: string
  readonly workers: readonly { readonly host: string; readonly webPort: number }[]
  readonly blocks: readonly {
    readonly id: number
    readonly length: number
    readonly at: readonly number[]
    readonly near: boolean
    readonly paths?: readonly string[]
    readonly trustSeal?: boolean
  }[]
}

const KIB = 1024
const user = process.env.USER ?? 'root'
let cluster: Cluster
let fs: FileSystem
let hdfs: Hdfs

beforeAll(async () => {
  cluster = await Cluster.start({ workers: 2, proxy: true })
  fs = await cluster.connect({ 'alluxio.user.block.size.bytes.default': '256KB' })
  hdfs = new Hdfs(cluster.webHdfs, user)
}, 120_000)
afterAll(() => cluster?.dispose())

function openFile(answer: Answer): OpenFile {
  return (answer.json as unknown as { OpenFile: OpenFile }).OpenFile
}

async function open(path: string, parameters: Record<string, string> = {}): Promise<OpenFile> {
  return openFile(await hdfs.call('GET', path, 'OPENFILE', { host: '127.0.0.1', ...parameters }))
}

describe('OPENFILE', () => {
  const bytes = patternBytes(3, 1000 * KIB)

  test('concludes tier files, and asks for no more than that', async () => {
    await writeWhole(fs, '/file', bytes, 'MUST_CACHE')
    const file = await open('/file')
    expect(file.access).toBe('')
    for (const { near, paths, trustSeal, at } of file.blocks) {
      expect([near, trustSeal, existsSync(paths![0]!), at.length]).toEqual([true, true, true, 1])
    }
    // One that is persisted loses its mark, which the namespace knows a little before the file does.
    await fs.persist('/file')
    await until(async () => (await fs.getStatus('/file')).persisted)
    for (const { paths } of (await open('/file')).blocks) {
      expect([paths!.length, paths!.some((path) => existsSync(path))]).toEqual([2, true])
    }
  })

  test('tells blocks, workers and tier files, and what lets requests in', async () => {
    const file = await open('/file', { certain: 'true' })
    expect(file.FileStatus.length).toBe(bytes.length)
    expect(file.blocks.map(({ length }) => length)).toEqual([256 * KIB, 256 * KIB, 256 * KIB, 232 * KIB])
    for (const { near, paths, trustSeal, at } of file.blocks) {
      expect([near, trustSeal, paths!.map((path) => existsSync(path)), at.length]).toEqual([
        true,
        true,
        [true],
        2,
      ])
    }
    const { host, webPort } = file.workers[file.blocks[1]!.at[0]!]!
    const target = `/webhdfs/v1/file?op=OPEN&offset=262144&length=1000&fileid=${file.FileStatus.fileId}&${file.access}`
    const part = await ask(`${host}:${webPort}`, { target })
    expect(part.body.equals(bytes.subarray(262144, 263144))).toBe(true)
    const other = await ask(`${host}:${webPort}`, { target: target.replace('fileid=', 'fileid=9') })
    expect(other.status).toBe(412)
    await writeWhole(fs, '/secret', bytes, 'MUST_CACHE')
    const stolen = await ask(`${host}:${webPort}`, { target: target.replace('/file?', '/secret?') })
    expect(exceptionOf(stolen)).toBe('AccessControlException')
  })

  test('tells a run of blocks, and no tier file to callers of other hosts', async () => {
    const { from, blocks } = await open('/file', { offset: String(600 * KIB), blocks: '1' })
    expect([from, blocks.length]).toEqual([2, 1])
    for (const host of ['10.1.2.3', '']) {
      const [first] = (await open('/file', { host })).blocks
      expect([first!.near, first!.paths]).toEqual([false, undefined])
      expect(first!.at.length).toBeGreaterThan(0)
    }
    expect((await open('/file', { offset: '99999999' })).from).toBe(3)
  })

  test('a cold file has workers to ask, an empty one and one being written have no blocks', async () => {
    await writeWhole(fs, '/cold', bytes, 'THROUGH')
    const cold = await open('/cold')
    expect(cold.blocks.map(({ near, paths, at }) => [near, paths, at.length])).toEqual(
      Array(4).fill([true, undefined, 2]),
    )
    expect(cold.access).not.toBe('')
    await fs.createEmpty('/empty')
    expect((await open('/empty')).blocks).toEqual([])
    const writer = await fs.create('/written')
    expect(await open('/written')).toMatchObject({ FileStatus: { length: 0 }, blocks: [] })
    await writer.abort()
  })

  test('refuses what may not be read, what is no file and what is no host', async () => {
    await fs.setAttribute('/secret', { mode: 0o600 })
    const stranger = new Hdfs(cluster.webHdfs, 'stranger')
    const refused = async (path: string, parameters: Record<string, string> = {}, by = hdfs) =>
      exceptionOf(await by.call('GET', path, 'OPENFILE', parameters))
    expect(await refused('/secret', {}, stranger)).toBe('AccessControlException')
    expect(await refused('/')).toBe('FileNotFoundException')
    expect(await refused('/absent')).toBe('FileNotFoundException')
    for (const host of ['a b', '"', Array(17).fill('a').join(), 'x'.repeat(256)]) {
      expect(await refused('/file', { host })).toBe('IllegalArgumentException')
    }
    expect(await refused('/file', { certain: 'maybe' })).toBe('IllegalArgumentException')
    expect(await refused('/file', { blocks: '0' })).toBe('IllegalArgumentException')
    expect(await refused('/file', { offset: '-1' })).toBe('IllegalArgumentException')
  })
})

test('an open of a cached file is one call to the master and none to a worker, which hears of it later', async () => {
  for (let i = 0; i < 100; i++) await writeWhole(fs, `/small/${i}`, patternBytes(i, 4 * KIB), 'MUST_CACHE')
  await open('/small/0')
  const { master, workers } = cluster
  const heard = () => counted(workers, 'alluxio_worker_local_opens_total')
  const before = await heard()
  const calls = [
    [[master], 'rpc_calls_total', 'master.fs.open'],
    [workers, 'rpc_calls_total', 'worker.block.localPath'],
  ] as const
  const grown = await growth(calls, async () => {
    for (let i = 0; i < 100; i++) await open(`/small/${i}`)
  })
  expect(grown).toEqual([100, 0])
  await until(async () => (await heard()) >= before + 100)
})

test('LISTLOCATED lists in pages, with the places of what is cached', async () => {
  for (let i = 0; i < 1002; i++) await fs.createEmpty(`/many/${String(i).padStart(4, '0')}`)
  await writeWhole(fs, '/many/0500.warm', patternBytes(4, 300 * KIB), 'MUST_CACHE')
  await writeWhole(fs, '/many/0501.cold', patternBytes(5, 300 * KIB), 'THROUGH')
  await fs.mkdir('/many/0502.folder')
  type Entry = {
    readonly FileStatus: { readonly pathSuffix: string }
    readonly blocks?: readonly { readonly length: number; readonly hosts: readonly string[] }[]
  }
  const entries: Entry[] = []
  let pages = 0
  for (let more = true; more; pages++) {
    const startAfter = entries.at(-1)?.FileStatus.pathSuffix ?? ''
    const { json } = await hdfs.call('GET', '/many', 'LISTLOCATED', { startAfter })
    const page = (json as unknown as { LocatedListing: { entries: Entry[]; more: boolean } }).LocatedListing
    entries.push(...page.entries)
    more = page.more
  }
  expect([pages, entries.length]).toEqual([2, 1005])
  const counters = ['list', 'blocksOfFiles', 'blocks'].map(
    (method) => [[cluster.master], 'rpc_calls_total', `master.fs.${method}`] as const,
  )
  expect(await growth(counters, () => hdfs.call('GET', '/many', 'LISTLOCATED'))).toEqual([1, 1, 0])
  const blocksOf = (name: string) => entries.find(({ FileStatus }) => FileStatus.pathSuffix === name)!.blocks
  expect(blocksOf('0500.warm')!.map(({ hosts }) => hosts)).toEqual([['127.0.0.1'], ['127.0.0.1']])
  expect(blocksOf('0501.cold')!.map(({ length, hosts }) => [length, hosts])).toEqual([
    [256 * KIB, []],
    [44 * KIB, []],
  ])
  expect(blocksOf('0502.folder')).toBeUndefined()
  expect(blocksOf('0000')).toEqual([])
}, 60_000)

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let i = 0; !(await done()); i++) {
    if (i === 200) throw new Error('it does not come to that')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
