/** The commands that compare a path with its under-store, in their exact forms. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Place } from './command.ts'

let place: Place
const ufs = (path: string) => join(place.folder, 'data', 'underFSStorage', path)

beforeAll(async () => {
  place = await Place.make()
  await place.ok('start', 'local', ...place.tier)
  mkdirSync(ufs('set/sub'), { recursive: true })
  for (const name of ['a', 'b', 'sub/c']) writeFileSync(ufs(`set/${name}`), name)
}, 120_000)
afterAll(() => place?.dispose())

test('loadMetadata: once, and by force', async () => {
  expect(await place.ok('fs', 'loadMetadata', '/set')).toBe(
    'Loaded metadata of /set: 3 entries, 3 added, 0 updated, 0 removed\n',
  )
  expect(await place.ok('fs', 'loadMetadata', '-R', '/set')).toBe(
    'Loaded metadata of /set: 1 entries, 1 added, 0 updated, 0 removed\n',
  )
  writeFileSync(ufs('set/sub/c'), 'changed')
  writeFileSync(ufs('set/d'), 'new')
  expect(await place.ok('fs', 'loadMetadata', '-R', '/set')).toBe(
    'Loaded metadata of /set: 0 entries, 0 added, 0 updated, 0 removed\n',
  )
  const [loaded] = JSON.parse(await place.ok('fs', 'loadMetadata', '-R', '-F', '--json', '/set'))
  expect(loaded).toMatchObject({ path: '/set', entries: 5, added: 1, updated: 1, removed: 0 })
})

test('checkConsistency names what differs, and repairs it', async () => {
  expect(await place.ok('fs', 'checkConsistency', '/set')).toBe(
    '/set is consistent with the under storage system.\n',
  )
  rmSync(ufs('set/a'))
  writeFileSync(ufs('set/sub/c'), 'changed again')
  expect(await place.ok('fs', 'checkConsistency', '/set')).toBe(
    'The following files are inconsistent:\n/set/a\n/set/sub/c\n',
  )
  expect(await place.ok('fs', 'checkConsistency', '-r', '/set')).toBe(
    '/set has: 2 inconsistent files.\nrepaired path: /set/a\nrepaired path: /set/sub/c\n',
  )
  expect(await place.ok('fs', 'checkConsistency', '/set')).toBe(
    '/set is consistent with the under storage system.\n',
  )
  const { status, stderr } = await place.run(['fs', 'checkConsistency', '/nowhere'])
  expect(status).toBe(66)
  expect(stderr).toContain('/nowhere')
})

test('startSync, getSyncPathList, stopSync, needsSync', async () => {
  expect(await place.ok('fs', 'startSync', '/set')).toBe("Started automatic syncing of '/set'.\n")
  const list = await place.ok('fs', 'getSyncPathList')
  expect(list).toMatch(
    /^The following paths are under active sync\n\/set \(every \d+ s, \d+ syncs, \d+ changes\)\n$/,
  )
  expect(await place.ok('fs', 'stopSync', '/set')).toBe("Stopped automatic syncing of '/set'.\n")
  expect(await place.ok('fs', 'getSyncPathList', '--json')).toBe('[]\n')
  writeFileSync(ufs('set/b'), 'longer than it was')
  expect(await place.ok('fs', 'needsSync', '/set')).toBe('')
  expect(await place.ok('fs', 'cat', '/set/b')).toBe('longer than it was')
})
