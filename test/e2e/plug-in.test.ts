/** A third party's store on a cluster of real processes: mounted, read and written, judged, and cut off when it is no good. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'alluxio-plug-in-'))
const file = (name: string) => join(folder, name)
const MODULES = {
  shelf: resolve('test/support/shelf-store/shelf.mjs'),
  gone: file('gone.mjs'),
  throws: file('throws.mjs'),
  lacks: file('lacks.mjs'),
  hangs: file('hangs.mjs'),
}
let cluster: Cluster
let fs: FileSystem

beforeAll(async () => {
  writeFileSync(MODULES.throws, 'throw new Error("no licence")')
  writeFileSync(MODULES.lacks, `export default { schemes: ['lacks'], open: async () => ({ open() {} }) }`)
  writeFileSync(MODULES.hangs, `export default { schemes: ['hangs'], open: () => new Promise(() => {}) }`)
  const modules = Object.entries(MODULES).map(([scheme, module]) => `${scheme}=${module}`)
  cluster = await Cluster.start({
    properties: { 'alluxio.underfs.modules': modules.join(','), 'alluxio.underfs.timeout': '2s' },
  })
  fs = await cluster.connect()
}, 120_000)
afterAll(async () => {
  await cluster?.dispose()
  rmSync(folder, { recursive: true })
})

test('is mounted; its files are found and read, and ours are written to it', async () => {
  const bytes = patternBytes(1, 3 * 2 ** 20 + 17)
  mkdirSync(file('books/files/deep'), { recursive: true })
  writeFileSync(file('books/files/deep/theirs'), bytes)
  await fs.mount('/shelf', 'shelf://books', { options: { 'shelf.root': folder } })
  expect((await readWhole(fs, '/shelf/deep/theirs')).equals(bytes)).toBe(true)
  await writeWhole(fs, '/shelf/deep/ours', bytes, 'CACHE_THROUGH')
  expect(readFileSync(file('books/files/deep/ours')).equals(bytes)).toBe(true)
  await fs.rename('/shelf/deep/ours', '/shelf/renamed')
  expect(readFileSync(file('books/files/renamed')).equals(bytes)).toBe(true)
})

test.each([
  ['gone', 'INVALID_ARGUMENT', 'failed to load'],
  ['throws', 'INVALID_ARGUMENT', 'failed to load: no licence'],
  ['lacks', 'INVALID_ARGUMENT', 'lacks create(), status()'],
  ['hangs', 'TIMEOUT', 'did not open hangs://host within 2 s'],
] as const)(
  '%s: the mount is refused, the module named, and the daemons go on',
  async (scheme, code, message) => {
    const mounting = fs.mount(`/${scheme}`, `${scheme}://host`)
    await expect(mounting).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
    await expect(mounting).rejects.toThrow(`plug-in "${MODULES[scheme]}"`)
    await writeWhole(fs, `/after-${scheme}`, patternBytes(2, 1000), 'CACHE_THROUGH')
  },
)

test('runUfsTests judges it by its name', async () => {
  const { stdout } = await promisify(execFile)(resolve('bin/alluxio'), [
    ...['runUfsTests', '--path', 'shelf://judged', '--option', `shelf.root=${folder}`],
    ...['--test', 'createOpen', `-Dalluxio.underfs.modules=shelf=${MODULES.shelf}`],
  ])
  expect(stdout).toContain('passed   createOpen')
  expect(stdout).toContain('1 passed, 0 failed')
})

test('the built package has the entry that its authors import', async () => {
  const entry = (await import(pathToFileURL(resolve('dist/ufs.js')).href)) as Record<string, unknown>
  expect(Object.keys(entry).sort()).toEqual(['AlluxioError', 'isAlluxioError', 'openStore', 'runUfsTests'])
})
