import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { Config } from '../../core/config/index.ts'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { openStore, type UfsOptions } from '../registry.ts'
import { mountOptions } from '../settings.ts'
import type { UnderStore } from '../store.ts'
import { StorePlugIns } from './catalogue.ts'

const folder = mkdtempSync(join(tmpdir(), 'alluxio-plug-ins-'))
afterAll(() => rmSync(folder, { recursive: true }))

function module(path: string, source: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), source)
}

const configured = (modules: string, more: Readonly<Record<string, string>> = {}) =>
  Config.load({ env: { ALLUXIO_DATA: folder }, overrides: { 'alluxio.underfs.modules': modules, ...more } })

/** Plug-ins have threads of their own, which end with their stores. */
const opened: UnderStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

async function open(
  modules: string,
  uri: string,
  options: UfsOptions = {},
  more: Readonly<Record<string, string>> = {},
): Promise<UnderStore> {
  const plugIns = StorePlugIns.of(configured(modules, more))
  const store = await openStore(uri, options, { runtime: systemRuntime, log: silentLog, plugIns })
  opened.push(store)
  return store
}

/** A store whose every method answers `answer`, under any of the given schemes; its status shows what it was opened with. */
const source = (schemes: string, answer = 'null', more = '') => `
const answer = async () => (${answer})
const names = ['open', 'create', 'status', 'list', 'mkdir', 'delete', 'rename', 'space', 'setAttributes', 'close']
const flags = ['atomicRename', 'directoryRename', 'directories', 'etag', 'conditionalCreate', 'objectMetadata', 'posix', 'space', 'orderedList']
const capabilities = { ...Object.fromEntries(flags.map((flag) => [flag, true])), bestRangeBytes: 1, bestRangeParallelism: 1 }
const store = { scheme: 'any', capabilities, ...Object.fromEntries(names.map((name) => [name, answer])) }
${more}
const shown = (metadata) => ({ path: '', directory: false, length: 0, modifiedMs: 0, fingerprint: '', metadata })
export default { schemes: ${schemes}, open: async (uri, options) => ({ ...store, status: async () => shown({ ...uri, ...options }) }) }
`

describe('a module is found', () => {
  test('by a path below the data folder, and by an absolute one', async () => {
    module('stores/one.mjs', source(`['one', 'uno']`))
    const relative = await open('one=./stores/one.mjs', 'one://host/a', { 'one.key': 'v' })
    expect((await relative.status('')).metadata).toMatchObject({
      scheme: 'one',
      authority: 'host',
      path: 'a',
      'one.key': 'v',
    })
    const absolute = await open(`one=x,uno=${join(folder, 'stores/one.mjs')}`, 'uno://host')
    expect((await absolute.status('')).metadata).toMatchObject({ scheme: 'uno' })
  })

  test.each(['extensions/node_modules', 'node_modules'])('by the name of a package in %s', async (place) => {
    const name = `@third/${place.length}`
    module(`${place}/${name}/package.json`, '{"type":"module","exports":{"import":"./main.js"}}')
    module(`${place}/${name}/main.js`, source(`['pack']`))
    const store = await open(`pack=${name}`, 'pack://host')
    expect((await store.status('')).metadata).toMatchObject({ scheme: 'pack' })
  })

  test('or not at all', async () => {
    await expect(open('pack=@third/none', 'pack://host')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(join(folder, 'extensions/node_modules')),
    })
  })

  test('and wins over a store of ours', async () => {
    module('file.mjs', source(`['file']`))
    const store = await open('file=./file.mjs', '/data')
    expect((await store.status('')).metadata).toMatchObject({ path: 'data' })
  })
})

describe('a module that is no good is named by the error', () => {
  test.each([
    ['absent', undefined, 'failed to load'],
    ['throws', 'throw new Error("no licence")', 'failed to load: no licence'],
    ['syntax', 'export default {', 'failed to load'],
    ['nothing', 'export const x = 1', 'no default export of the form'],
    ['other', source(`['another']`), 'serves another, not other'],
    [
      'poor',
      source(`['poor']`, 'null', 'delete store.rename; delete capabilities.etag'),
      'lacks rename(), capabilities.etag',
    ],
    ['empty', `export default { schemes: ['empty'], open: async () => undefined }`, 'lacks open()'],
    [
      'fails',
      `export default { schemes: ['fails'], open() { throw new Error('no host') } }`,
      'failed to open fails://h/p: no host',
    ],
  ])('%s', async (scheme, text, message) => {
    if (text !== undefined) module(`bad/${scheme}.mjs`, text)
    const opening = open(`${scheme}=./bad/${scheme}.mjs`, `${scheme}://h/p`)
    await expect(opening).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'UFS_MODULE',
      message: expect.stringContaining(message),
    })
    await expect(opening).rejects.toThrow(`plug-in "./bad/${scheme}.mjs", named by alluxio.underfs.modules`)
  })

  test.each([
    ['load', 'await new Promise(() => {})'],
    ['open hangs://h', `export default { schemes: ['hangs'], open: () => new Promise(() => {}) }`],
  ])('when it does not %s in time', async (step, text) => {
    module(`bad/${step.length}.mjs`, text)
    const opening = open(
      `hangs=./bad/${step.length}.mjs`,
      'hangs://h',
      {},
      { 'alluxio.underfs.timeout': '1s' },
    )
    await expect(opening).rejects.toMatchObject({
      code: 'TIMEOUT',
      reason: 'UFS_MODULE',
      message: expect.stringContaining(`did not ${step} within 1 s`),
    })
  })
})

test('what a store throws comes out as an error of ours, by its errno where it has one', async () => {
  module(
    'throws.mjs',
    source(`['throws']`, `(() => { throw Object.assign(new Error('gone'), { code: 'ENOENT' }) })()`),
  )
  const store = await open('throws=./throws.mjs', 'throws://h')
  await expect(store.rename('a', 'b')).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'ENOENT' })
})

test('a mount cannot name modules, and does not inherit the list', async () => {
  const options = { 'alluxio.underfs.modules': 'evil=./evil.mjs' }
  await expect(
    openStore('evil://h', options, { runtime: systemRuntime, log: silentLog }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('for the site') })
  expect(mountOptions(configured('one=./one.mjs'))).toEqual({})
})

test.each(['justaname', 'One=./x.mjs', '=x', 'a=x,a=y'])('the list %j is refused', (modules) => {
  expect(() => StorePlugIns.of(configured(modules))).toThrow('alluxio.underfs.modules')
})
