import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { Config } from '../../core/config/index.ts'
import { Metrics, type Runtime, silentLog, systemRuntime } from '../../core/index.ts'
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

const configured = (modules: string) =>
  Config.load({ env: { ALLUXIO_DATA: folder }, overrides: { 'alluxio.underfs.modules': modules } })

/** Plug-ins have threads of their own, which end with their stores. */
const opened: UnderStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

async function open(
  modules: string,
  uri: string,
  options: UfsOptions = {},
  runtime: Runtime = systemRuntime,
): Promise<UnderStore> {
  const plugIns = StorePlugIns.of(configured(modules))
  const store = await openStore(uri, options, { runtime, log: silentLog, plugIns })
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

describe('an installed package', () => {
  const install = (version: string, says = version) => {
    const home = 'extensions/@third+kept/node_modules/@third/kept'
    const manifest = {
      name: '@third/kept',
      version,
      exports: './main.mjs',
      alluxio: { ufs: { schemes: ['kept'] } },
    }
    module(`${home}/package.json`, JSON.stringify(manifest))
    module(`${home}/main.mjs`, source(`['kept']`).replace('...options }', `...options, says: '${says}' }`))
  }
  const says = async (store: UnderStore) => (await store.status('')).metadata?.says

  test('serves its schemes without being named; a newer one serves what is opened from then on', async () => {
    const plugIns = StorePlugIns.of(configured(''))
    const opening = async () => {
      const store = await openStore('kept://host', {}, { runtime: systemRuntime, log: silentLog, plugIns })
      opened.push(store)
      return store
    }
    await expect(opening()).rejects.toMatchObject({ reason: 'UNKNOWN_SCHEME' })
    install('1.0.0')
    expect(plugIns.schemes).toEqual(['kept'])
    const first = await opening()
    expect(await says(first)).toBe('1.0.0')
    install('1.0.1', 'newer, and longer')
    expect(await says(await opening())).toBe('newer, and longer')
    expect(await says(first)).toBe('1.0.0')
  })
})

test('a secret that a store asks for is in no error of it, and its log and its requests are the daemon’s', async () => {
  module(
    'secretive.mjs',
    source(`['secretive']`).replace(
      /export default .*/,
      `export default { schemes: ['secretive'], open: async (uri, options, { secret, log, onApiCall }) => {
        const password = secret('secretive.password', options['secretive.password']).reveal()
        return { ...store, status: async () => {
          onApiCall('Look')
          log.warn('looked', { at: 1n, why: new Error('curious') })
          throw new Error('the server says: wrong password ' + password)
        } }
      } }`,
    ),
  )
  module('password', 'hunter2hunter2\n')
  const lines: [string, unknown][] = []
  const log = {
    ...silentLog,
    warn: (message: string, fields: unknown) => lines.push([message, fields]),
    child: () => log,
  }
  const metrics = new Metrics()
  const store = await openStore(
    'secretive://host',
    { 'secretive.password': `file:${join(folder, 'password')}` },
    {
      runtime: systemRuntime,
      log,
      metrics,
      plugIns: StorePlugIns.of(configured('secretive=./secretive.mjs')),
    },
  )
  opened.push(store)
  await expect(store.status('')).rejects.toThrow('wrong password ***')
  expect(lines).toEqual([['looked', { at: '1', why: expect.objectContaining({ message: 'curious' }) }]])
  expect(metrics.text()).toMatch(/alluxio_ufs_api_calls_total\{.*api="Look".*\} 1/)
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
    ['load', 'await new Promise(() => {})', 1],
    ['open hangs://h', `export default { schemes: ['hangs'], open: () => new Promise(() => {}) }`, 2],
  ])('when it does not %s in time', async (step, text, timer) => {
    module(`bad/${step.length}.mjs`, text)
    let timers = 0
    // The limit of loading comes first, then that of opening; neither is waited for.
    const hasty: Runtime = {
      ...systemRuntime,
      after(ms, fn, unref) {
        if (ms !== 30_000) return systemRuntime.after(ms, fn, unref)
        return ++timers === timer ? systemRuntime.after(0, fn) : () => {}
      },
    }
    await expect(open(`hangs=./bad/${step.length}.mjs`, 'hangs://h', {}, hasty)).rejects.toMatchObject({
      code: 'TIMEOUT',
      reason: 'UFS_MODULE',
      message: expect.stringContaining(`did not ${step} within 30 s`),
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
