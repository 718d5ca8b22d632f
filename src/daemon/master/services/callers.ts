/** Callers by user name, so that a request costs one lookup and no allocation. */
import type { Caller } from '../../../namespace/index.ts'
import type { UserGroups } from './user-groups.ts'

export class Callers {
  readonly #groups: UserGroups
  readonly #known = new Map<string, Caller>()

  constructor(groups: UserGroups) {
    this.#groups = groups
  }

  of(user: string): Caller {
    const groups = this.#groups.of(user)
    const known = this.#known.get(user)
    if (known?.groups === groups) return known
    if (this.#known.size > 10_000) this.#known.clear()
    const caller: Caller = { user, groups }
    this.#known.set(user, caller)
    return caller
  }
}
