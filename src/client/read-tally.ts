/** Counts the bytes of a reader by where they came from. */
import type { ReadSources } from './types.ts'

export interface ReadTally {
  readonly source: string
  bytes: number
}

export class ReadTallies {
  readonly #tallies: ReadTally[] = []

  /** The counter of a source; holders add to it without looking it up again. */
  of(source: string): ReadTally {
    // A reader meets a handful of sources.
    for (const tally of this.#tallies) if (tally.source === source) return tally
    const tally = { source, bytes: 0 }
    this.#tallies.push(tally)
    return tally
  }

  get sources(): ReadSources {
    return Object.fromEntries(
      this.#tallies.filter(({ bytes }) => bytes > 0).map(({ source, bytes }) => [source, bytes]),
    )
  }
}

/** `UFS`, or the tier with `local:` or `remote:` before it. */
export function sourceName(from: string, local: boolean): string {
  if (from === 'UFS') return from
  return local ? `local:${from}` : `remote:${from}`
}
