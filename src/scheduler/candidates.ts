/** The hosts that an asker can choose from, looked up once for all paths of a request, and for requests in a row that name the same. */
import type { Candidate, Hosts } from './hosts.ts'

export class Candidates {
  readonly all: readonly Candidate[]
  /** By index of the host: which candidate it is, or -1. */
  readonly ofHost: Int32Array
  /** Candidates in the order in which they come when none holds anything: those with workers first, then by name. */
  readonly inOrder: readonly number[]
  readonly #names: readonly string[]
  readonly #generation: number

  /** @throws INVALID_ARGUMENT, reason ALIAS_COLLISION, for a name that several hosts claim */
  constructor(names: readonly string[], hosts: Hosts) {
    this.#names = names
    this.#generation = hosts.generation
    this.all = hosts.candidates(names)
    this.ofHost = new Int32Array(hosts.all.length).fill(-1)
    for (const [c, { host }] of this.all.entries()) if (host !== undefined) this.ofHost[host.index] = c
    const rank = ({ host }: Candidate) => (host === undefined ? 1 : 0)
    this.inOrder = Array.from(this.all.keys()).sort((a, b) => {
      const [one, other] = [this.all[a]!, this.all[b]!]
      return rank(one) - rank(other) || (one.name < other.name ? -1 : 1)
    })
  }

  /** Whether these names still mean the same. */
  areOf(names: readonly string[], hosts: Hosts): boolean {
    if (hosts.generation !== this.#generation || names.length !== this.#names.length) return false
    for (let i = 0; i < names.length; i++) if (names[i] !== this.#names[i]) return false
    return true
  }
}
