/**
 * Progress of long work on standard error, by cargo's rule: a bar on a terminal only, first after 500 ms, then at most
 * every 100 ms; elsewhere a line every 30 s; nothing beside JSON.
 */
import { isatty } from 'node:tty'
import { environment } from '../core/config/index.ts'
import { formatBytes, type Runtime, systemRuntime } from '../core/index.ts'
import type { Invocation } from './command.ts'

const FIRST_MS = 500
const STEP_MS = 100
const LINE_MS = 30_000
const BAR_CELLS = 24

export type ProgressForm = 'bar' | 'lines' | 'none'

export class Progress {
  readonly #verb: string
  readonly #form: ProgressForm
  readonly #talk: (text: string) => void
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #startedMs: number
  #nextMs: number
  #total = 0
  #done = 0
  #drawn = false

  constructor(
    options: { readonly verb: string; readonly form: ProgressForm },
    modules: { readonly talk: (text: string) => void; readonly runtime: Pick<Runtime, 'monotonic'> },
  ) {
    this.#verb = options.verb
    this.#form = options.form
    this.#talk = modules.talk
    this.#runtime = modules.runtime
    this.#startedMs = modules.runtime.monotonic()
    this.#nextMs = this.#startedMs + (options.form === 'bar' ? FIRST_MS : LINE_MS)
  }

  static of(invocation: Pick<Invocation, 'talk' | 'output'>, verb: string): Progress {
    const quiet = invocation.output.json !== 'off'
    const terminal = !quiet && isatty(2) && environment().TERM !== 'dumb'
    const form = quiet ? 'none' : terminal ? 'bar' : 'lines'
    return new Progress({ verb, form }, { talk: invocation.talk, runtime: systemRuntime })
  }

  /** More bytes that have to be done. */
  expect(bytes: number): void {
    this.#total += bytes
  }

  add(bytes: number): void {
    this.#done += bytes
    if (this.#form === 'none') return
    const now = this.#runtime.monotonic()
    if (now < this.#nextMs) return
    this.#nextMs = now + (this.#form === 'bar' ? STEP_MS : LINE_MS)
    const line = this.#line((now - this.#startedMs) / 1000)
    this.#drawn = this.#form === 'bar'
    this.#talk(this.#drawn ? `\r${line}\x1b[K` : `${line}\n`)
  }

  /** Takes the bar away, before a line of text or the end. */
  clear(): void {
    if (this.#drawn) this.#talk('\r\x1b[K')
    this.#drawn = false
  }

  #line(seconds: number): string {
    const share = this.#total === 0 ? 0 : Math.min(1, this.#done / this.#total)
    const filled = Math.round(share * BAR_CELLS)
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`
    const rate = formatBytes(Math.round(this.#done / Math.max(seconds, 0.001)))
    return `${this.#verb} ${bar} ${String(Math.floor(share * 100)).padStart(3)}%  ${formatBytes(this.#done)} of ${formatBytes(this.#total)}, ${rate}/s`
  }
}
