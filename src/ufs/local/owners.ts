/** Names of users and groups from the system's tables; a number stands for itself. */
import { readFile } from 'node:fs/promises'
import { AlluxioError } from '../../core/index.ts'

interface Table {
  readonly names: ReadonlyMap<number, string>
  readonly ids: ReadonlyMap<string, number>
}

export class Owners {
  #users: Promise<Table> | undefined
  #groups: Promise<Table> | undefined

  users(): Promise<Table> {
    this.#users ??= load('/etc/passwd')
    return this.#users
  }

  groups(): Promise<Table> {
    this.#groups ??= load('/etc/group')
    return this.#groups
  }

  /** Numeric ids for names; -1, which changes nothing, for what is not given. @throws INVALID_ARGUMENT for an unknown name */
  async ids(
    owner: string | undefined,
    group: string | undefined,
  ): Promise<readonly [uid: number, gid: number]> {
    return [await this.#id('user', owner, this.users()), await this.#id('group', group, this.groups())]
  }

  async #id(what: string, name: string | undefined, table: Promise<Table>): Promise<number> {
    if (name === undefined || name === '') return -1
    const id = (await table).ids.get(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined)
    if (id !== undefined) return id
    throw new AlluxioError('INVALID_ARGUMENT', `this host knows no ${what} "${name}"`, {
      reason: 'UNKNOWN_OWNER',
    })
  }
}

async function load(file: string): Promise<Table> {
  const names = new Map<number, string>()
  const ids = new Map<string, number>()
  const text = await readFile(file, 'utf8').catch(() => '')
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':')
    if (name === undefined || id === undefined || id === '' || ids.has(name)) continue
    ids.set(name, Number(id))
    if (!names.has(Number(id))) names.set(Number(id), name)
  }
  return { names, ids }
}
