/**
 * Groups of a user as this host knows them (upstream's ShellBasedUnixGroupsMapping), cached for a minute. A name that the
 * host does not know has one group, its own name.
 */
import { readFileSync } from 'node:fs'
import type { Runtime } from '../../../core/index.ts'

const CACHE_MS = 60_000

export interface UserGroupsModules {
  readonly runtime: Runtime
  /** Lines of passwd(5) and group(5). @default /etc/passwd and /etc/group */
  readonly databases?: () => { passwd: string; group: string }
}

export class UserGroups {
  readonly #runtime: Runtime
  readonly #databases: () => { passwd: string; group: string }
  readonly #cache = new Map<string, { readonly groups: readonly string[]; readonly untilMs: number }>()

  constructor(modules: UserGroupsModules) {
    this.#runtime = modules.runtime
    this.#databases = modules.databases ?? systemDatabases
  }

  /** The primary group first. */
  of(user: string): readonly string[] {
    const now = this.#runtime.monotonic()
    const cached = this.#cache.get(user)
    if (cached !== undefined && cached.untilMs > now) return cached.groups
    if (this.#cache.size > 10_000) this.#cache.clear()
    const groups = lookUp(user, this.#databases())
    this.#cache.set(user, { groups, untilMs: now + CACHE_MS })
    return groups
  }
}

function systemDatabases(): { passwd: string; group: string } {
  const read = (file: string) => {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  }
  return { passwd: read('/etc/passwd'), group: read('/etc/group') }
}

function lookUp(user: string, { passwd, group }: { passwd: string; group: string }): readonly string[] {
  const account = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user)
  const groups: string[] = []
  for (const [name, , gid, members] of group.split('\n').map((line) => line.split(':'))) {
    if (name === undefined || name === '') continue
    if (gid === account?.[3]) groups.unshift(name)
    else if (members?.split(',').includes(user)) groups.push(name)
  }
  return groups.length === 0 ? [user] : groups
}
