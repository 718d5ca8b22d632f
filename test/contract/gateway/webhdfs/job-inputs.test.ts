/** What plug-ins of schedulers ask beyond WebHDFS: hints, loads and pins. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../../src/client/index.ts'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { writeWhole } from '../../../support/whole-file.ts'
import { ask, exceptionOf, Hdfs } from './http.ts'

const KIB = 1024
const user = process.env.USER ?? 'root'
let cluster: Cluster
let fs: FileSystem
let hdfs: Hdfs

beforeAll(async () => {
  cluster = await Cluster.start({
    proxy: true,
    properties: { 'alluxio.user.block.size.bytes.default': '64KB' },
  })
  fs = await cluster.connect()
  hdfs = new Hdfs(cluster.webHdfs, user)
  const folder = join(cluster.folder, 'ufs', 'cold')
  mkdirSync(join(folder, 'deeper'), { recursive: true })
  writeFileSync(join(folder, 'a'), patternBytes(1, 100 * KIB))
  writeFileSync(join(folder, 'deeper', 'b'), patternBytes(2, 10 * KIB))
}, 120_000)
afterAll(() => cluster?.dispose())

function hints(question: unknown, name = user) {
  const body = typeof question === 'string' ? question : JSON.stringify(question)
  const headers = { 'content-type': 'application/json' }
  return ask(cluster.webHdfs, {
    ...{
      method: 'POST',
      target: `/webhdfs/v1/?op=HINTS&user.name=${name}`,
      headers,
      body: Buffer.from(body),
    },
  })
}

test('hints are those of the master, in the form of an engine', async () => {
  await writeWhole(fs, '/file', patternBytes(3, 100 * KIB), 'MUST_CACHE')
  const ranges = [
    { path: '/file', offset: 65_536, length: 36_864 },
    { path: '/cold/a', length: 65_536 },
  ]
  const question = { paths: [], ranges, blocks: false, top: 3 }
  const located = { length: 102_400, locations: ['127.0.0.1'], blocks: [] }
  expect((await hints({ ...question, for: 'hadoop' })).json).toEqual([
    { ...located, path: '/file' },
    { ...located, path: '/cold/a' },
  ])
  const executors = [{ node: '127.0.0.1', host: '10.1.1.1', id: '3' }]
  const asExecutors = await hints({
    ...question,
    for: 'spark',
    candidates: ['127.0.0.1'],
    engine: { executors },
  })
  expect(asExecutors.json).toMatchObject([
    { locations: ['executor_10.1.1.1_3'] },
    { locations: ['executor_10.1.1.1_3'] },
  ])
  expect((await hints({ paths: ['/file'] })).json).toMatchObject([{ path: '/file', cold: false }])
})

test('questions that are none, and paths of others, are refused', async () => {
  for (const body of ['', '[', '1', '{"paths": 1}', '{"paths": [1]}'])
    expect(exceptionOf(await hints(body))).toBe('IllegalArgumentException')
  expect(exceptionOf(await hints({ paths: ['/file'], for: 'nobody' }))).toBe('IllegalArgumentException')
  expect(exceptionOf(await hints({ paths: ['/none'] }))).toBe('FileNotFoundException')
  await fs.setAttribute('/file', { mode: 0o600 })
  expect(exceptionOf(await hints({ paths: ['/file'] }, 'somebody'))).toBe('AccessControlException')
})

test('a directory is loaded with all below it', async () => {
  expect((await hdfs.call('PUT', '/cold', 'LOAD')).json).toEqual({ boolean: true })
  for (const path of ['/cold/a', '/cold/deeper/b'])
    expect((await fs.getStatus(path)).inAlluxioPercentage).toBe(100)
  expect((await hdfs.call('PUT', '/cold/a', 'LOAD')).json).toEqual({ boolean: true })
  expect(exceptionOf(await hdfs.call('PUT', '/nothing', 'LOAD'))).toBe('FileNotFoundException')
})

test('a pin says whether it is new', async () => {
  expect((await hdfs.call('PUT', '/cold', 'PIN')).json).toEqual({ boolean: true })
  expect((await fs.getStatus('/cold/deeper/b')).pinned).toBe(true)
  expect((await hdfs.call('PUT', '/cold', 'PIN')).json).toEqual({ boolean: false })
  expect((await hdfs.call('PUT', '/cold', 'UNPIN')).json).toEqual({ boolean: true })
  expect((await fs.getStatus('/cold/deeper/b')).pinned).toBe(false)
})
