import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { Config } from '../core/config/index.ts'
import { type Runtime, silentLog, systemRuntime } from '../core/index.ts'
import { StorePlugIns } from './plug-ins.ts'
import { openStore, type UfsOptions } from './registry.ts'
import { mountOptions } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'alluxio-plug-ins-'))
afterAll(() => rmSync(folder, { recursive: true }))

function module(path: string, source: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), source)
}

const configured = (modules: string) =>
  Config.load({ env: { ALLUXIO_DATA: folder }, overrides: { 'alluxio.underfs.modules': modules } })

function open(modules: string, uri: string, runtime: Runtime = systemRuntime, options: UfsOptions = {}) {
  return openStore(uri, options, { runtime, log: silentLog, plugIns: StorePlugIns.of(configured(modules)) })
}

/** A store whose every method answers `answer`, under any of the given schemes. */
const source = (schemes: string, answer = 'null', more = '') => `
const answer = async () => (${answer})
const names = ['open', 'create', 'status', 'list', 'mkdir', 'delete', 'rename', 'space', 'setAttributes', 'close']
const flags = ['atomicRename', 'directoryRename', 'directories', 'etag', 'conditionalCreate', 'objectMetadata', 'posix', 'space', 'orderedList']
const capabilities = { ...Object.fromEntries(flags.map((flag) => [flag, true])), bestRangeBytes: 1, bestRangeParallelism: 1 }
const store = { scheme: 'any', capabilities, ...Object.fromEntries(names.map((name) => [name, answer])) }
${more}
export default { schemes: ${schemes}, open: async (uri, options) => ({ ...store, status: async () => ({ uri, options }) }) }
`

describe('a module is found', () => {
  test('by a path below the data folder, and by an absolute one', async () => {
    module('stores/one.mjs', source(`['one', 'uno']`))
    const relative = await open('one=./stores/one.mjs', 'one://host/a', systemRuntime, { 'one.key': 'v' })
    expect(await relative.status('')).toMatchObject({
      uri: { scheme: 'one', authority: 'host', path: 'a' },
      options: { 'one.key': 'v' },
    })
    const absolute = await open(`one=x,uno=${join(folder, 'stores/one.mjs')}`, 'uno://host')
    expect(await absolute.status('')).toMatchObject({ uri: { scheme: 'uno' } })
  })

  test.each(['extensions/node_modules', 'node_modules'])('by the name of a package in %s', async (place) => {
    const name = `@third/${place.length}`
    module(`${place}/${name}/package.json`, '{"type":"module","exports":{"import":"./main.js"}}')
    module(`${place}/${name}/main.js`, source(`['pack']`))
    expect(await (await open(`pack=${name}`, 'pack://host')).status('')).toMatchObject({
      uri: { scheme: 'pack' },
    })
  })

  test('or not at all', async () => {
    await expect(open('pack=@third/none', 'pack://host')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(join(folder, 'extensions/node_modules')),
    })
  })

  test('and wins over a store of ours', async () => {
    module('file.mjs', source(`['file']`))
    expect(await (await open('file=./file.mjs', '/data')).status('')).toMatchObject({
      uri: { path: 'data' },
    })
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
    await expect(opening).rejects.toThrow(`module "./bad/${scheme}.mjs", named by alluxio.underfs.modules`)
  })

  test.each([
    ['load', 'await new Promise(() => {})'],
    ['open hangs://h', `export default { schemes: ['hangs'], open: () => new Promise(() => {}) }`],
  ])('when it does not %s in time', async (step, text) => {
    module(`bad/${step.length}.mjs`, text)
    const hasty: Runtime = { ...systemRuntime, after: (ms, fn) => systemRuntime.after(ms / 300, fn) }
    await expect(open(`hangs=./bad/${step.length}.mjs`, 'hangs://h', hasty)).rejects.toMatchObject({
      code: 'TIMEOUT',
      reason: 'UFS_MODULE',
      message: expect.stringContaining(`did not ${step} within 30 s`),
    })
  })

  test('a store that opens too late is closed', async () => {
    module(
      'bad/late.mjs',
      `export const closed = Promise.withResolvers()
       export default { schemes: ['late'], open: () => new Promise((resolve) => setTimeout(resolve, 300, { close: async () => closed.resolve(true) })) }`,
    )
    const hasty: Runtime = { ...systemRuntime, after: (ms, fn) => systemRuntime.after(ms / 1000, fn) }
    await expect(open('late=./bad/late.mjs', 'late://h', hasty)).rejects.toMatchObject({ code: 'TIMEOUT' })
    const { closed } = (await import(join(folder, 'bad/late.mjs'))) as { closed: PromiseWithResolvers<true> }
    expect(await closed.promise).toBe(true)
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
