/** Names of users and groups from the system's tables; a number stands for itself. */
import { readFileSync } from 'node:fs'
import { AlluxioError } from '../../core/index.ts'

interface Table {
  readonly names: ReadonlyMap<number, string>
  readonly ids: ReadonlyMap<string, number>
}

export class Owners {
  #users: Table | undefined
  #groups: Table | undefined

  user(uid: number): string {
    this.#users ??= load('/etc/passwd')
    return this.#users.names.get(uid) ?? String(uid)
  }

  group(gid: number): string {
    this.#groups ??= load('/etc/group')
    return this.#groups.names.get(gid) ?? String(gid)
  }

  /** Numeric ids for names; -1, which changes nothing, for what is not given. @throws INVALID_ARGUMENT for an unknown name */
  ids(owner: string | undefined, group: string | undefined): readonly [uid: number, gid: number] {
    this.#users ??= load('/etc/passwd')
    this.#groups ??= load('/etc/group')
    return [idOf('user', owner, this.#users), idOf('group', group, this.#groups)]
  }
}

function idOf(what: string, name: string | undefined, table: Table): number {
  if (name === undefined || name === '') return -1
  const id = table.ids.get(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined)
  if (id !== undefined) return id
  throw new AlluxioError('INVALID_ARGUMENT', `this host knows no ${what} "${name}"`, {
    reason: 'UNKNOWN_OWNER',
  })
}

/** Read once, when the first owner is asked for: the tables are small files of this host. */
function load(file: string): Table {
  const names = new Map<number, string>()
  const ids = new Map<string, number>()
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // A system without the table has numbers only.
  }
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':')
    if (name === undefined || id === undefined || id === '' || ids.has(name)) continue
    ids.set(name, Number(id))
    if (!names.has(Number(id))) names.set(Number(id), name)
  }
  return { names, ids }
}
