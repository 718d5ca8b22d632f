/**
 * Access control lists after POSIX.1e (draft 17), with upstream's text form: `user::rwx`, `user:alice:r-x`, `group::r-x`,
 * `group:dev:rwx`, `mask::rwx`, `other::r--`, and the same behind `default:`.
 *
 * A record keeps the mode, whose group bits are the mask while FLAG_ACL is set, and in its tail what the mode cannot say.
 */
import { AlluxioError } from './errors.ts'
import { type FileRecord, FLAG_ACL, FLAG_DEFAULT_ACL, type RecordTail, type TailAcl } from './file-record.ts'

export const ACL_ACTIONS = ['SET', 'MODIFY', 'REMOVE', 'REMOVE_ALL', 'REMOVE_DEFAULT'] as const
export type AclAction = (typeof ACL_ACTIONS)[number]

export interface AclChange {
  readonly action: AclAction
  /** Text entries; with REMOVE without permissions; none for REMOVE_ALL and REMOVE_DEFAULT. */
  readonly entries: readonly string[]
}

/** Bits 4 read, 2 write, 1 execute. */
export interface Acl {
  readonly owner: number
  readonly group: number
  readonly other: number
  /** What named users and all groups have at most; absent: only owner, group and other are known. */
  readonly mask?: number
  readonly users: ReadonlyMap<string, number>
  readonly groups: ReadonlyMap<string, number>
}

interface Entry {
  readonly isDefault: boolean
  readonly kind: 'user' | 'group' | 'mask' | 'other'
  readonly name: string
  readonly bits: number
}

/** Named entries of one list. */
const MAX_ENTRIES = 64
const MAX_NAME_LENGTH = 256
const EXAMPLE = 'write for example user:alice:r-x, group::rwx, mask::r-x or default:group:dev:rwx'

export function accessAclOf({ mode, flags, tail }: Pick<FileRecord, 'mode' | 'flags' | 'tail'>): Acl {
  const [owner, group, other] = [(mode >> 6) & 7, (mode >> 3) & 7, mode & 7]
  const { acl } = tail
  if ((flags & FLAG_ACL) === 0 || acl === undefined)
    return { owner, group, other, users: new Map(), groups: new Map() }
  return { owner, group: acl.g, other, mask: group, ...namedOf(acl) }
}

/** What new children of a directory get, if it says so. */
export function defaultAclOf({ flags, tail }: Pick<FileRecord, 'flags' | 'tail'>): Acl | undefined {
  const { dacl } = tail
  if ((flags & FLAG_DEFAULT_ACL) === 0 || dacl === undefined) return undefined
  const { o = 0, g, t = 0, m } = dacl
  return { owner: o, group: g, other: t, ...(m === undefined ? {} : { mask: m }), ...namedOf(dacl) }
}

function namedOf({ u = {}, n = {} }: TailAcl): Pick<Acl, 'users' | 'groups'> {
  return { users: new Map(Object.entries(u)), groups: new Map(Object.entries(n)) }
}

/** The entries in upstream's order. @param prefix `default:` for a default list */
export function aclEntries(acl: Acl, prefix = ''): string[] {
  const line = (what: string, name: string, bits: number) => `${prefix}${what}:${name}:${bitsText(bits)}`
  return [
    line('user', '', acl.owner),
    ...[...acl.users].map(([name, bits]) => line('user', name, bits)),
    line('group', '', acl.group),
    ...[...acl.groups].map(([name, bits]) => line('group', name, bits)),
    ...(acl.mask === undefined ? [] : [line('mask', '', acl.mask)]),
    line('other', '', acl.other),
  ]
}

function bitsText(bits: number): string {
  return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`
}

/**
 * The fields of a record that a change of its lists alters; undefined when nothing is different.
 * @throws INVALID_ARGUMENT for entries that cannot be read, or that no such inode can have
 */
export function withAclChange(record: FileRecord, change: AclChange): Partial<FileRecord> | undefined {
  const entries = change.entries.map((text) => parseEntry(text, change.action === 'REMOVE'))
  const forAccess = entries.filter(({ isDefault }) => !isDefault)
  const forDefault = entries.filter(({ isDefault }) => isDefault)
  if (forDefault.length > 0 && !record.directory) throw invalid('only a directory has a default ACL')
  const access = accessAclOf(record)
  const inherited = defaultAclOf(record)
  let nextAccess = access
  let nextDefault = inherited
  if (change.action === 'REMOVE_ALL') nextAccess = bare(access)
  else if (forAccess.length > 0) nextAccess = changed(access, change.action, forAccess)
  if (change.action === 'REMOVE_ALL' || change.action === 'REMOVE_DEFAULT') nextDefault = undefined
  else if (forDefault.length > 0 && (inherited !== undefined || change.action !== 'REMOVE'))
    nextDefault = changed(inherited ?? bare(access), change.action, forDefault)
  const same = isSame(access, nextAccess) && isSame(inherited, nextDefault)
  return same ? undefined : fieldsOf(record, nextAccess, nextDefault)
}

/** What of a change applies to a file when it is made for a whole tree; undefined: nothing. */
export function forFiles(change: AclChange): AclChange | undefined {
  if (change.action === 'REMOVE_DEFAULT') return undefined
  const entries = change.entries.filter((entry) => !/^\s*d(efault)?:/i.test(entry))
  if (entries.length === 0 && change.action !== 'REMOVE_ALL') return undefined
  return { action: change.action, entries }
}

/** Mode, flags and tail of a new child: its parent's default list, kept within the mode that it is made with. */
export function inheritedAcl(
  parent: Pick<FileRecord, 'flags' | 'tail'>,
  child: Pick<FileRecord, 'mode' | 'flags' | 'tail' | 'directory'>,
): Pick<FileRecord, 'mode' | 'flags' | 'tail'> {
  const list = defaultAclOf(parent)
  if (list === undefined) return child
  const { mode } = child
  const limited: Acl = {
    ...list,
    owner: list.owner & (mode >> 6),
    other: list.other & mode,
    ...(list.mask === undefined
      ? { group: list.group & (mode >> 3) }
      : { mask: list.mask & (mode >> 3) & 7 }),
  }
  return fieldsOf(child, limited, child.directory ? list : undefined)
}

function fieldsOf(
  record: Pick<FileRecord, 'mode' | 'flags' | 'tail'>,
  access: Acl,
  inherited: Acl | undefined,
): Pick<FileRecord, 'mode' | 'flags' | 'tail'> {
  const { acl: _, dacl: __, ...rest } = record.tail
  const tail: { -readonly [K in keyof RecordTail]: RecordTail[K] } = rest
  let flags = record.flags & ~(FLAG_ACL | FLAG_DEFAULT_ACL)
  if (access.mask !== undefined) {
    flags |= FLAG_ACL
    tail.acl = { g: access.group, ...tailNames(access) }
  }
  if (inherited !== undefined) {
    flags |= FLAG_DEFAULT_ACL
    const { owner, group, other, mask } = inherited
    tail.dacl = {
      g: group,
      o: owner,
      t: other,
      ...(mask === undefined ? {} : { m: mask }),
      ...tailNames(inherited),
    }
  }
  const bits = (access.owner << 6) | ((access.mask ?? access.group) << 3) | access.other
  return { mode: (record.mode & ~0o777) | bits, flags, tail }
}

function tailNames({ users, groups }: Acl): Pick<TailAcl, 'u' | 'n'> {
  return {
    ...(users.size === 0 ? {} : { u: Object.fromEntries(users) }),
    ...(groups.size === 0 ? {} : { n: Object.fromEntries(groups) }),
  }
}

function bare({ owner, group, other }: Acl): Acl {
  return { owner, group, other, users: new Map(), groups: new Map() }
}

function changed(before: Acl, action: AclAction, entries: readonly Entry[]): Acl {
  if (action === 'REMOVE') return without(before, entries)
  if (action === 'SET') checkWhole(entries)
  const from = action === 'SET' ? bare(before) : before
  let { owner, group, other } = from
  const users = new Map(from.users)
  const groups = new Map(from.groups)
  let mask: number | undefined
  for (const { kind, name, bits } of entries) {
    if (kind === 'mask') mask = bits
    else if (kind === 'other') other = bits
    else if (name !== '') (kind === 'user' ? users : groups).set(name, bits)
    else if (kind === 'user') owner = bits
    else group = bits
  }
  if (users.size + groups.size > MAX_ENTRIES)
    throw invalid(`an ACL names at most ${MAX_ENTRIES} users and groups`)
  return masked({ owner, group, other, users, groups }, mask)
}

function without(before: Acl, entries: readonly Entry[]): Acl {
  const users = new Map(before.users)
  const groups = new Map(before.groups)
  for (const { kind, name } of entries) {
    if (name !== '') (kind === 'user' ? users : groups).delete(name)
    else if (kind !== 'mask') throw invalid(`the entry ${kind}:: cannot be removed: every inode has one`)
    else if (users.size + groups.size > 0)
      throw invalid('the mask cannot be removed while users or groups are named')
  }
  return masked({ ...bare(before), users, groups }, undefined)
}

/** Without a mask of its own, a list that names somebody gets one that grants what its entries say. */
function masked(acl: Acl, mask: number | undefined): Acl {
  if (mask !== undefined) return { ...acl, mask }
  if (acl.users.size + acl.groups.size === 0) return acl
  let all = acl.group
  for (const bits of [...acl.users.values(), ...acl.groups.values()]) all |= bits
  return { ...acl, mask: all }
}

function checkWhole(entries: readonly Entry[]): void {
  for (const kind of ['user', 'group', 'other'] as const) {
    if (!entries.some((entry) => entry.kind === kind && entry.name === ''))
      throw invalid(`a whole ACL needs an entry ${kind}::`)
  }
}

function isSame(a: Acl | undefined, b: Acl | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return aclEntries(a).join() === aclEntries(b).join()
}

function parseEntry(text: string, removes: boolean): Entry {
  const parts = text.trim().split(':')
  const isDefault = /^d(efault)?$/i.test(parts[0]!)
  const [what, name = '', permissions, ...rest] = isDefault ? parts.slice(1) : parts
  const kind = KINDS[what?.toLowerCase() ?? '']
  if (kind === undefined || rest.length > 0 || name.length > MAX_NAME_LENGTH || !name.isWellFormed())
    throw invalid(`"${text}" is no ACL entry: ${EXAMPLE}`)
  if (name !== '' && kind !== 'user' && kind !== 'group')
    throw invalid(`"${text}" is no ACL entry: ${kind} takes no name`)
  if (removes) {
    if (permissions !== undefined) throw invalid(`"${text}": an entry to remove has no permissions`)
    return { isDefault, kind, name, bits: 0 }
  }
  const bits = parseBits(permissions ?? '')
  if (bits === undefined) throw invalid(`"${text}" is no ACL entry: ${EXAMPLE}`)
  return { isDefault, kind, name, bits }
}

const KINDS: Readonly<Record<string, Entry['kind'] | undefined>> = Object.assign(Object.create(null), {
  user: 'user',
  u: 'user',
  group: 'group',
  g: 'group',
  mask: 'mask',
  m: 'mask',
  other: 'other',
  o: 'other',
})

/** `r-x`, or one octal digit. */
function parseBits(text: string): number | undefined {
  if (/^[0-7]$/.test(text)) return Number(text)
  if (!/^[r-][w-][x-]$/.test(text)) return undefined
  return (text[0] === 'r' ? 4 : 0) | (text[1] === 'w' ? 2 : 0) | (text[2] === 'x' ? 1 : 0)
}

function invalid(message: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason: 'INVALID_ACL' })
}
