import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type AclChange,
  accessAclOf,
  aclEntries,
  defaultAclOf,
  forFiles,
  inheritedAcl,
  withAclChange,
} from './acl.ts'
import { encodeRecord, type FileRecord, FLAG_ACL, viewRecord } from './file-record.ts'
import type { FileId, MountId } from './ids.ts'

function record(mode: number, directory = true): FileRecord {
  const times = { modifiedMs: 1, createdMs: 1, accessedMs: 1 }
  const ids = { id: 5 as FileId, mountId: 1 as MountId }
  return {
    ...{ directory, flags: 1, mode, persistence: 'NOT_PERSISTED', ttlAction: 'DELETE', length: 0, ttlMs: -1 },
    ...{ blockSizeBytes: 0, replicationMin: 0, replicationMax: -1, owner: 'o', group: 'g', syncedSeconds: 0 },
    ...{ ...times, ...ids, tail: {} },
  } as FileRecord
}

/** The record after changes, through its bytes. */
function changedBy(start: FileRecord, ...changes: AclChange[]): FileRecord {
  let now = start
  for (const change of changes)
    now = viewRecord(encodeRecord({ ...plain(now), ...withAclChange(now, change) }))
  return now
}
const plain = (now: FileRecord): FileRecord => ({ ...record(0), ...fields(now) })
const fields = ({ mode, flags, tail, directory }: FileRecord) => ({ mode, flags, tail, directory })
const modify = (...entries: string[]): AclChange => ({ action: 'MODIFY', entries })
const listOf = (now: FileRecord) => aclEntries(accessAclOf(now))

describe('access lists', () => {
  test('a mode alone is the list of three', () => {
    expect(listOf(record(0o754))).toEqual(['user::rwx', 'group::r-x', 'other::r--'])
  })

  test('naming somebody makes a mask of all that is granted; the mode shows it as its group bits', () => {
    const now = changedBy(record(0o750), modify('user:alice:-w-', 'g:dev:r--'))
    expect(listOf(now)).toEqual([
      ...['user::rwx', 'user:alice:-w-', 'group::r-x', 'group:dev:r--', 'mask::rwx', 'other::---'],
    ])
    expect(now.mode.toString(8)).toBe('770')
    expect(now.flags & FLAG_ACL).toBe(FLAG_ACL)
  })

  test('a mask that is given stays; removing the names gives the group its own bits back', () => {
    const now = changedBy(record(0o750), modify('user:alice:rwx', 'mask::r--'))
    expect(now.mode.toString(8)).toBe('740')
    expect(changedBy(now, { action: 'REMOVE', entries: ['user:alice'] }).mode.toString(8)).toBe('750')
    expect(listOf(changedBy(now, { action: 'REMOVE_ALL', entries: [] }))).toEqual(listOf(record(0o750)))
  })

  test('SET replaces everything and has to be whole', () => {
    const now = changedBy(record(0o777), modify('user:alice:rwx'))
    const set = (...entries: string[]): AclChange => ({ action: 'SET', entries })
    expect(listOf(changedBy(now, set('user::r--', 'group::---', 'other::7')))).toEqual([
      ...['user::r--', 'group::---', 'other::rwx'],
    ])
    expect(() => withAclChange(now, set('user::r--', 'group::r--'))).toThrow('other::')
  })

  test('what changes nothing is told', () => {
    const now = changedBy(record(0o750), modify('user:alice:r--'))
    expect(withAclChange(now, modify('user:alice:4'))).toBeUndefined()
    expect(withAclChange(now, { action: 'REMOVE', entries: ['user:bob'] })).toBeUndefined()
    expect(withAclChange(now, { action: 'REMOVE_DEFAULT', entries: [] })).toBeUndefined()
  })

  test.each([
    ['user:alice', 'no ACL entry'],
    ['alice:rwx', 'no ACL entry'],
    ['user:alice:rwxx', 'no ACL entry'],
    ['user:alice:8', 'no ACL entry'],
    ['user:a:b:rwx', 'no ACL entry'],
    ['mask:alice:rwx', 'takes no name'],
    ['constructor::rwx', 'no ACL entry'],
  ])('%s is refused', (entry, message) => {
    expect(() => withAclChange(record(0o750), modify(entry))).toThrow(message)
  })

  test('base entries and a mask that is needed are not removed; names of prototypes are names', () => {
    const now = changedBy(record(0o750), modify('user:__proto__:rwx', 'user:constructor:r--'))
    expect(listOf(now)).toContain('user:constructor:r--')
    const remove = (entry: string) => () => withAclChange(now, { action: 'REMOVE', entries: [entry] })
    expect(remove('user:')).toThrow('cannot be removed')
    expect(remove('mask:')).toThrow('while users or groups are named')
    expect(remove('user:constructor:r--')).toThrow('has no permissions')
  })

  test('at most 64 names', () => {
    const many = Array.from({ length: 65 }, (_, i) => `user:u${i}:r--`)
    expect(() => withAclChange(record(0o750), modify(...many))).toThrow('at most 64')
  })
})

describe('default lists', () => {
  const parent = changedBy(record(0o755), modify('default:user:bob:rwx', 'default:other::---'))

  test('begin as the access list without its names', () => {
    expect(aclEntries(defaultAclOf(parent)!, 'default:')).toEqual([
      ...[
        'default:user::rwx',
        'default:user:bob:rwx',
        'default:group::r-x',
        'default:mask::rwx',
        'default:other::---',
      ],
    ])
    expect(listOf(parent)).toEqual(listOf(record(0o755)))
  })

  test('a child gets them within the mode that it is made with; a directory hands them on', () => {
    const file = { ...record(0o666, false), ...inheritedAcl(parent, record(0o666, false)) }
    expect(listOf(file)).toEqual(['user::rw-', 'user:bob:rwx', 'group::r-x', 'mask::rw-', 'other::---'])
    expect(defaultAclOf(file)).toBeUndefined()
    const folder = { ...record(0o777), ...inheritedAcl(parent, record(0o777)) }
    expect(defaultAclOf(folder)).toEqual(defaultAclOf(parent))
  })

  test('are of directories only; of a change for a tree, files take the rest', () => {
    expect(() => withAclChange(record(0o644, false), modify('default:user:bob:r--'))).toThrow(
      'only a directory',
    )
    expect(forFiles(modify('d:user:bob:r--', 'user:eve:r--'))).toEqual(modify('user:eve:r--'))
    expect(forFiles(modify('default:user:bob:r--'))).toBeUndefined()
    expect(forFiles({ action: 'REMOVE_DEFAULT', entries: [] })).toBeUndefined()
  })
})

test('any list survives its record and its text', () => {
  const bits = fc.nat(7)
  const names = fc.dictionary(fc.stringMatching(/^[a-z_.@-]{1,12}$/), bits, { maxKeys: 8 })
  fc.assert(
    fc.property(
      fc.nat(0o777),
      names,
      names,
      fc.option(bits, { nil: undefined }),
      (mode, users, groups, mask) => {
        const entries = [
          ...Object.entries(users).map(([name, n]) => `user:${name}:${n}`),
          ...Object.entries(groups).map(([name, n]) => `group:${name}:${n}`),
          ...(mask === undefined ? [] : [`mask::${mask}`]),
        ]
        const one = changedBy(record(mode), modify(...entries))
        const again = changedBy(record(0), { action: 'SET', entries: listOf(one) })
        expect(listOf(again).sort()).toEqual(listOf(one).sort())
        expect(again.mode).toBe(one.mode)
      },
    ),
    { numRuns: 200 },
  )
})
