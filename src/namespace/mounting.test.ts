/** Maintenance of stores and the configuration of paths: what holds where, also after a restart. */
import { describe, expect, test } from '@jest/globals'
import { ALICE, fastRuntime, makeWorld, ROOT } from '../../test/support/namespace.ts'
import { CONSISTENCY_KEY, SYNC_INTERVAL_KEY } from '../core/index.ts'

const mountOf = (path: string, uri: string, options = {}) => ({
  path,
  uri,
  readOnly: false,
  shared: false,
  options,
})

describe('maintenance', () => {
  test('holds for all mounts of a store and below it, for later ones, and over a crash', async () => {
    const world = await makeWorld({}, fastRuntime())
    const modes = () => Object.fromEntries(world.namespace.mounts.all().map(({ path, mode }) => [path, mode]))
    await world.namespace.mounts.add(mountOf('/a', 's3://bucket/a'), ROOT)
    await world.namespace.mounts.add(mountOf('/b', 's3://bucket-b'), ROOT)
    const version = world.namespace.mounts.version
    expect(await world.namespace.mounts.setMode('S3://Bucket/', 'readOnly', ROOT)).toEqual(['/a'])
    expect(world.namespace.mounts.version).toBeGreaterThan(version)
    await world.namespace.mounts.add(mountOf('/c', 's3://bucket/c/d'), ROOT)
    await world.namespace.mounts.setMode('s3://bucket/c', 'noAccess', ROOT)
    const wanted = { '/': undefined, '/a': 'readOnly', '/b': undefined, '/c': 'noAccess' }
    expect(modes()).toEqual(wanted)
    await world.crash()
    expect(modes()).toEqual(wanted)
    await world.namespace.mounts.update({ path: '/a', readOnly: true, shared: false, options: {} }, ROOT)
    expect(modes()['/a']).toBe('readOnly')
    await world.namespace.mounts.setMode('s3://bucket', 'readWrite', ROOT)
    expect(modes()).toEqual({ '/': undefined, '/a': undefined, '/b': undefined, '/c': undefined })
  })

  test('is for administrators, and for stores that are mounted', async () => {
    const { namespace } = await makeWorld({}, fastRuntime())
    await expect(namespace.mounts.setMode('file:///under', 'readOnly', ALICE)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(namespace.mounts.setMode('s3://none', 'readOnly', ROOT)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'NOT_MOUNTED',
    })
  })
})

describe('contracts of paths', () => {
  test('the longest path that says something wins, a path before its mount; kept over a crash', async () => {
    const world = await makeWorld({}, fastRuntime())
    const contract = (path: string) => world.namespace.mounts.contractOf(path)?.name
    const set = (path: string, key: string, value: string) =>
      world.namespace.mounts.setPathConf({ path, set: { [key]: value }, remove: [] }, ROOT)
    expect(contract('/any')).toBeUndefined()
    await world.namespace.mounts.add(mountOf('/m', 's3://b', { [CONSISTENCY_KEY]: 'strict' }), ROOT)
    expect([contract('/m'), contract('/m/x/y'), contract('/n'), contract('/mm')]).toEqual([
      ...['strict', 'strict', undefined, undefined],
    ])
    await set('/', SYNC_INTERVAL_KEY, '10s')
    await set('/m/x', CONSISTENCY_KEY, 'ttl(1min)')
    await set('/m/x/never', SYNC_INTERVAL_KEY, '-1')
    const all = () => ['/n', '/m', '/m/x/y', '/m/x/never/z'].map(contract)
    const wanted = ['ttl(10s)', 'strict', 'ttl(1min)', undefined]
    expect(all()).toEqual(wanted)
    await world.crash()
    expect(all()).toEqual(wanted)
    await set('/m', CONSISTENCY_KEY, 'immutable')
    expect(contract('/m')).toBe('immutable')
    await world.namespace.mounts.setPathConf({ path: '/m', set: {}, remove: [CONSISTENCY_KEY] }, ROOT)
    expect(contract('/m')).toBe('strict')
    await world.namespace.mounts.update({ path: '/m', readOnly: false, shared: false, options: {} }, ROOT)
    expect(contract('/m')).toBe('ttl(10s)')
    expect(world.namespace.mounts.pathConf().entries.map(({ path }) => path)).toEqual([
      '/',
      '/m/x',
      '/m/x/never',
    ])
  })

  test.each([
    [CONSISTENCY_KEY, 'sometimes'],
    [CONSISTENCY_KEY, 'ttl(-1)'],
    [CONSISTENCY_KEY, 'ttl(soon)'],
    [SYNC_INTERVAL_KEY, 'soon'],
    ['alluxio.master.rpc.port', '1'],
    ['no.such.key', '1'],
    ['alluxio.user.file.readtype.default', 'SLOWLY'],
  ])('%s=%s is refused, and nothing is kept of it', async (key, value) => {
    const { namespace } = await makeWorld({}, fastRuntime())
    const request = {
      path: '/p',
      set: { 'alluxio.user.file.readtype.default': 'CACHE', [key]: value },
      remove: [],
    }
    await expect(namespace.mounts.setPathConf(request, ROOT)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(namespace.mounts.pathConf().entries).toEqual([])
    await expect(namespace.mounts.setPathConf({ ...request, set: {} }, ALICE)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
  })

  test('a file that moves into a listed directory does not take on the age of that listing', async () => {
    let clock = 1_700_000_000_000
    const { namespace } = await makeWorld({}, { ...fastRuntime(), now: () => clock })
    const load = (path: string, names: string[], directory = false) =>
      namespace.load({
        path,
        entries: names.map((name) => ({
          name,
          directory,
          length: directory ? 0 : 1,
          modifiedMs: 1,
          fingerprint: 'v1',
        })),
        blockSizeBytes: 1024,
        coverage: 'all',
        listedMs: clock,
      })
    await load('/', ['from', 'to'], true)
    await load('/from', ['f'])
    const seenMs = clock
    clock += 60_000
    await load('/to', ['other'])
    await namespace.rename({ src: '/from/f', dst: '/to/f', persisted: true }, ROOT)
    expect(namespace.syncedMs(namespace.inode('/to/f')!)).toBe(seenMs)
  })
})
