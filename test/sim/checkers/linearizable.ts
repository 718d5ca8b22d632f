/**
 * Is there an order of these operations, each at one instant between its call and its return, that a sequential model
 * could have answered so? Search of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of
 * (operations done, state) ("Testing for linearizability", 2017). An operation that never returned may take effect at any
 * time after its call, or not at all.
 */
export interface Step<S> {
  readonly calledAt: number
  /** Infinity: outcome unknown. */
  readonly returnedAt: number
  /** Whether it never changes the state: then it may go first wherever it fits. */
  readonly pure: boolean
  /** The state after it, or undefined if the model could not have answered so here. */
  apply(state: S): S | undefined
}

export type Verdict<T> =
  | { readonly kind: 'ok' }
  /** `stuck`: the operations that no order could explain after the longest explained prefix. */
  | { readonly kind: 'illegal'; readonly stuck: readonly T[] }
  | { readonly kind: 'unknown' }

export interface SearchOptions<S> {
  readonly initial: S
  /** Equal for equal states only. */
  key(state: S): string
  /** Positions after which the search is given up. */
  readonly limit: number
}

export function linearizable<S, T extends Step<S>>(
  input: readonly T[],
  options: SearchOptions<S>,
): Verdict<T> {
  const steps = [...input].sort((a, b) => a.calledAt - b.calledAt)
  const search = new Search<S, T>(steps, options)
  const found = search.from(options.initial, 0)
  if (found) return { kind: 'ok' }
  return search.exhausted ? { kind: 'unknown' } : { kind: 'illegal', stuck: search.stuck }
}

class Search<S, T extends Step<S>> {
  readonly #steps: readonly T[]
  readonly #options: SearchOptions<S>
  readonly #done: Uint8Array
  readonly #seen = new Set<string>()
  #left: number
  #fewestLeft = Number.POSITIVE_INFINITY
  stuck: readonly T[] = []
  exhausted = false

  constructor(steps: readonly T[], options: SearchOptions<S>) {
    this.#steps = steps
    this.#options = options
    this.#done = new Uint8Array(steps.length)
    this.#left = steps.filter((step) => step.returnedAt !== Number.POSITIVE_INFINITY).length
  }

  /** All operations before index `first` are done. */
  from(state: S, first: number): boolean {
    if (this.#left === 0) return true
    while (first < this.#steps.length && this.#done[first] === 1) first++
    const candidates = this.#candidates(first)
    for (const index of candidates) {
      const step = this.#steps[index]!
      if (!step.pure || step.apply(state) === undefined) continue
      return this.#take(index, state, first)
    }
    if (!this.#fresh(state, first)) return false
    for (const index of candidates) {
      const step = this.#steps[index]!
      if (step.pure) continue
      const next = step.apply(state)
      if (next !== undefined && this.#take(index, next, first)) return true
      if (this.exhausted) return false
    }
    if (this.#left < this.#fewestLeft) {
      this.#fewestLeft = this.#left
      this.stuck = candidates.map((index) => this.#steps[index]!)
    }
    return false
  }

  /** Operations that may come next: those called before any undone one has returned. */
  #candidates(first: number): number[] {
    let bound = Number.POSITIVE_INFINITY
    const found: number[] = []
    for (let i = first; i < this.#steps.length; i++) {
      const step = this.#steps[i]!
      if (step.calledAt > bound) break
      if (this.#done[i] === 1) continue
      found.push(i)
      bound = Math.min(bound, step.returnedAt)
    }
    const steps = this.#steps
    return found
      .filter((i) => steps[i]!.calledAt < bound)
      .sort((a, b) => steps[a]!.returnedAt - steps[b]!.returnedAt)
  }

  #take(index: number, state: S, first: number): boolean {
    const certain = this.#steps[index]!.returnedAt !== Number.POSITIVE_INFINITY
    this.#done[index] = 1
    if (certain) this.#left--
    const found = this.from(state, first)
    if (!found) {
      this.#done[index] = 0
      if (certain) this.#left++
    }
    return found
  }

  /** Whether this position is met for the first time. */
  #fresh(state: S, first: number): boolean {
    const done: number[] = []
    for (let i = first; i < this.#done.length; i++) if (this.#done[i] === 1) done.push(i)
    const key = `${first}:${done.join(',')}|${this.#options.key(state)}`
    if (this.#seen.has(key)) return false
    if (this.#seen.size >= this.#options.limit) {
      this.exhausted = true
      return false
    }
    this.#seen.add(key)
    return true
  }
}
