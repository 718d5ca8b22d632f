/** Who may do what where an access list stands: the order of POSIX.1e against a plain reading of it. */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ALICE, BOB, fastRuntime, makeWorld, ROOT } from '../../test/support/namespace.ts'
import { type FileRecord, FLAG_ACL } from '../core/index.ts'
import { Access } from './access.ts'
import type { Caller } from './types.ts'

const access = new Access({ superuser: 'root', supergroup: 'supergroup', permissionsEnabled: true })

type Owned = Pick<FileRecord, 'mode' | 'owner' | 'group' | 'flags' | 'tail'>

function may(inode: Owned, caller: Caller, bits: number): boolean {
  try {
    access.check(inode, caller, bits, '/x')
    return true
  } catch {
    return false
  }
}

/** POSIX.1e, 23.1.5, step by step. */
function read(inode: Owned, { user, groups }: Caller, bits: number): boolean {
  const { acl } = inode.tail
  const mask = (inode.mode >> 3) & 7
  const grants = (entry: number) => (entry & bits) === bits
  if (user === inode.owner) return grants(inode.mode >> 6)
  const named = new Map(Object.entries(acl?.u ?? {}))
  if (named.has(user)) return grants(named.get(user)! & mask)
  const entries = [
    ...(groups.includes(inode.group) ? [acl!.g] : []),
    ...Object.entries(acl?.n ?? {})
      .filter(([name]) => groups.includes(name))
      .map(([, entry]) => entry),
  ]
  if (entries.length > 0) return entries.some((entry) => grants(entry & mask))
  return grants(inode.mode & 7)
}

test('decides as POSIX.1e says, for any list and any caller', () => {
  const who = fc.constantFrom('alice', 'bob', 'carol')
  const group = fc.constantFrom('staff', 'dev', 'ops')
  const bits = fc.nat(7)
  fc.assert(
    fc.property(
      fc.record({ owner: who, group, mode: fc.nat(0o777), g: bits }),
      fc.dictionary(who, bits),
      fc.dictionary(group, bits),
      fc.record({ user: who, groups: fc.subarray(['staff', 'dev', 'ops']) }),
      fc.integer({ min: 1, max: 7 }),
      ({ owner, group, mode, g }, u, n, caller, asked) => {
        const inode: Owned = { owner, group, mode, flags: FLAG_ACL, tail: { acl: { g, u, n } } }
        expect(may(inode, caller, asked)).toBe(read(inode, caller, asked))
      },
    ),
    { numRuns: 1000 },
  )
})

describe('in a tree', () => {
  const DIRECTORY = { recursive: false, allowExists: false }
  const set = (path: string, ...entries: string[]) => ({
    path,
    recursive: false,
    acl: { action: 'MODIFY' as const, entries },
  })

  async function tree() {
    const world = await makeWorld({}, fastRuntime())
    const { namespace } = world
    await namespace.mkdir({ path: '/d', mode: 0o700, ...DIRECTORY }, ROOT)
    await namespace.mkdir({ path: '/d/e', mode: 0o755, ...DIRECTORY }, ROOT)
    return world
  }

  test('a named user may pass where others may not, also after a restart, until the entry goes', async () => {
    const world = await tree()
    expect(() => world.namespace.status('/d/e', ALICE)).toThrow('may not search')
    await world.namespace.setAttribute(set('/d', 'user:alice:--x'), ROOT)
    expect(await world.namespace.status('/d/e', ALICE)).toMatchObject({ name: 'e' })
    await world.crash()
    expect(await world.namespace.status('/d/e', ALICE)).toMatchObject({ name: 'e' })
    expect(() => world.namespace.status('/d/e', BOB)).toThrow('may not search')
    const remove = { path: '/d', recursive: false, acl: { action: 'REMOVE_ALL' as const, entries: [] } }
    await world.namespace.setAttribute(remove, ROOT)
    expect(() => world.namespace.status('/d/e', ALICE)).toThrow('may not search')
  })

  test('a named user is kept out where everybody else may pass', async () => {
    const { namespace } = await tree()
    await namespace.setAttribute({ path: '/d', recursive: false, mode: 0o777 }, ROOT)
    expect(await namespace.status('/d/e', ALICE)).toMatchObject({ name: 'e' })
    await namespace.setAttribute(set('/d', 'user:alice:---'), ROOT)
    expect(() => namespace.status('/d/e', ALICE)).toThrow('may not search')
    expect(() => namespace.list('/d', ALICE, { limit: 10 })).toThrow('may not read')
    expect(await namespace.status('/d/e', BOB)).toMatchObject({ name: 'e' })
    await expect(namespace.mkdir({ path: '/d/e/f', ...DIRECTORY }, ALICE)).rejects.toThrow('may not search')
  })

  test('chmod changes the mask; only the owner changes a list', async () => {
    const { namespace } = await tree()
    await namespace.setAttribute(set('/d', 'user:alice:r-x'), ROOT)
    expect(await namespace.list('/d', ALICE, { limit: 10 })).toBeDefined()
    await expect(namespace.setAttribute(set('/d', 'user:alice:rwx'), ALICE)).rejects.toThrow('may not change')
    await namespace.setAttribute({ path: '/d', recursive: false, mode: 0o700 }, ROOT)
    expect(() => namespace.list('/d', ALICE, { limit: 10 })).toThrow('may not')
  })

  test('new children get the default list in place of the umask; what the store brings too', async () => {
    const { namespace } = await tree()
    await namespace.setAttribute(set('/d', 'default:user:alice:rwx', 'user:alice:rwx'), ROOT)
    const file = {
      path: '/d/f',
      blockSizeBytes: 1024,
      recursive: false,
      overwrite: false,
      writeType: 'MUST_CACHE',
    }
    await namespace.create({ ...file, complete: true }, ROOT)
    await namespace.mkdir({ path: '/d/sub', ...DIRECTORY }, ROOT)
    await namespace.create({ ...file, path: '/d/sub/g', complete: true }, ROOT)
    for (const path of ['/d/f', '/d/sub/g']) {
      expect(namespace.inode(path)?.record.tail.acl).toEqual({ g: 0, u: { alice: 7 } })
      expect(namespace.inode(path)?.record.mode.toString(8)).toBe('660')
    }
    const entry = { name: 'found', directory: false, length: 1, modifiedMs: 1, fingerprint: 'x', mode: 0o644 }
    await namespace.load({
      path: '/d',
      entries: [entry],
      blockSizeBytes: 1024,
      coverage: 'some',
      listedMs: 1,
    })
    expect(namespace.inode('/d/found')?.record.mode.toString(8)).toBe('640')
  })
})
