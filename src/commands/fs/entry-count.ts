/** Progress of work whose end nobody knows: how many entries have been seen, on standard error; nothing beside JSON. */
import { isatty } from 'node:tty'
import type { SyncProgress } from '../../client/index.ts'
import { environment } from '../../core/config/index.ts'
import type { Invocation } from '../command.ts'

/** Off a terminal a line is enough every so many milliseconds. */
const LINE_MS = 30_000

export class EntryCount {
  readonly #what: string
  readonly #talk: (text: string) => void
  readonly #form: 'bar' | 'lines' | 'none'
  #nextMs = LINE_MS
  #drawn = false

  constructor(options: { what: string; form: 'bar' | 'lines' | 'none' }, talk: (text: string) => void) {
    this.#what = options.what
    this.#form = options.form
    this.#talk = talk
  }

  static of({ output, talk }: Pick<Invocation, 'talk' | 'output'>, what: string): EntryCount {
    const terminal = isatty(2) && environment().TERM !== 'dumb'
    const form = output.json !== 'off' ? 'none' : terminal ? 'bar' : 'lines'
    return new EntryCount({ what, form }, talk)
  }

  readonly show = ({ state, entries, added, updated, removed, startedMs, endedMs }: SyncProgress): void => {
    if (this.#form === 'none' || endedMs !== 0) return
    const waits = state === 'WAITING' ? ' (waits for other syncs)' : ''
    const line = `${this.#what}: ${entries} entries, ${added + updated + removed} changes${waits}`
    if (this.#form === 'bar') {
      this.#drawn = true
      this.#talk(`\r${line}\x1b[K`)
      return
    }
    // The client asks twice a second.
    this.#nextMs -= 500
    if (this.#nextMs > 0 || startedMs === 0) return
    this.#nextMs = LINE_MS
    this.#talk(`${line}\n`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#drawn) this.#talk('\r\x1b[K')
    this.#drawn = false
  }
}
