/** POSIX permissions: owner, group, mode and access lists; the superuser and the supergroup may do everything. */
import { AlluxioError, type FileRecord, FLAG_ACL } from '../core/index.ts'
import type { Directory } from './directory.ts'
import type { Caller } from './types.ts'

export const READ = 4
export const WRITE = 2
export const EXECUTE = 1
const STICKY = 0o1000
const WORDS: Readonly<Record<number, string>> = { [READ]: 'read', [WRITE]: 'write', [EXECUTE]: 'search' }

export interface AccessOptions {
  readonly superuser: string
  readonly supergroup: string
  readonly permissionsEnabled: boolean
}

/** Fields of a record or a directory in memory that permissions look at. */
type Owned = Pick<FileRecord, 'mode' | 'owner' | 'group' | 'flags' | 'tail'>

export class Access {
  readonly #options: AccessOptions

  constructor(options: AccessOptions) {
    this.#options = options
  }

  isSuperuser(caller: Caller): boolean {
    return (
      !this.#options.permissionsEnabled ||
      caller.user === this.#options.superuser ||
      caller.groups.includes(this.#options.supergroup)
    )
  }

  /** Whether the caller may search the directory and all its ancestors. @throws PERMISSION_DENIED */
  search(directory: Directory, caller: Caller, path: string): void {
    if (directory.open || this.isSuperuser(caller)) return
    for (let d: Directory | undefined = directory; d !== undefined; d = d.parent) {
      if (!allowed(d, caller, EXECUTE)) throw denied(caller, EXECUTE, path)
    }
  }

  /** @throws PERMISSION_DENIED */
  check(inode: Owned, caller: Caller, bits: number, path: string): void {
    if (!this.isSuperuser(caller) && !allowed(inode, caller, bits)) throw denied(caller, bits, path)
  }

  /** Whether the caller may add, remove or rename names in a directory. @throws PERMISSION_DENIED */
  changeNames(directory: Directory, caller: Caller, path: string): void {
    this.search(directory, caller, path)
    this.check(directory, caller, WRITE, path)
  }

  /** In a sticky directory only the owner of the name or of the directory takes a name away. @throws PERMISSION_DENIED */
  takeName(directory: Directory, inode: Owned, caller: Caller, path: string): void {
    this.changeNames(directory, caller, path)
    if ((directory.mode & STICKY) === 0 || this.isSuperuser(caller)) return
    if (caller.user === inode.owner || caller.user === directory.owner) return
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `user ${caller.user} may not remove ${path}: its directory is sticky and it belongs to ${inode.owner}`,
      { details: { path } },
    )
  }

  /** chmod, chgrp: the owner. @throws PERMISSION_DENIED */
  own(inode: Owned, caller: Caller, path: string): void {
    if (this.isSuperuser(caller) || caller.user === inode.owner) return
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `user ${caller.user} may not change the attributes of ${path}: it belongs to ${inode.owner}`,
      { details: { path } },
    )
  }

  /** chown, mount: the superuser. @throws PERMISSION_DENIED */
  administer(caller: Caller, what: string): void {
    if (this.isSuperuser(caller)) return
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `user ${caller.user} may not ${what}: only ${this.#options.superuser} and members of ${this.#options.supergroup} may`,
    )
  }
}

function allowed(inode: Owned, caller: Caller, bits: number): boolean {
  const { mode } = inode
  if ((inode.flags & FLAG_ACL) !== 0) return allowedByList(inode, caller, bits)
  // Asked first because it needs no names: what all three classes may, everybody may.
  if (((mode >> 6) & (mode >> 3) & mode & bits) === bits) return true
  const granted =
    caller.user === inode.owner ? mode >> 6 : caller.groups.includes(inode.group) ? mode >> 3 : mode
  return (granted & bits) === bits
}

/**
 * POSIX.1e, 23.1.5: the first of owner, named user, groups, others that the caller is decides; of several groups any one may
 * grant. The mask, which stands in the mode's group bits, limits all but owner and others.
 */
function allowedByList(inode: Owned, caller: Caller, bits: number): boolean {
  const { mode, group } = inode
  const list = inode.tail.acl
  if (caller.user === inode.owner) return ((mode >> 6) & bits) === bits
  const mask = mode >> 3
  const { u = {}, n = {}, g = mask } = list ?? {}
  if (Object.hasOwn(u, caller.user)) return (u[caller.user]! & mask & bits) === bits
  let isMember = false
  for (const name of caller.groups) {
    if (name === group) {
      isMember = true
      if ((g & mask & bits) === bits) return true
    }
    if (!Object.hasOwn(n, name)) continue
    isMember = true
    if ((n[name]! & mask & bits) === bits) return true
  }
  return !isMember && (mode & bits) === bits
}

function denied(caller: Caller, bits: number, path: string): AlluxioError {
  const words = [READ, WRITE, EXECUTE].filter((bit) => (bits & bit) !== 0).map((bit) => WORDS[bit])
  return new AlluxioError(
    'PERMISSION_DENIED',
    `user ${caller.user} may not ${words.join(' and ')}: ${path}`,
    {
      details: { path },
    },
  )
}
