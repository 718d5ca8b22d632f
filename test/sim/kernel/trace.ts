/**
 * What happened, as a rolling hash of every event and, where asked for, the newest lines of it. Two runs of a seed that
 * differ anywhere differ in their hash; the first differing checkpoint says where to look.
 */
import { hashText } from './rng.ts'

export interface TraceOptions {
  /** Lines kept; the oldest are forgotten. */
  readonly keep: number
  /** Also handed each line as it comes. */
  readonly print?: (line: string) => void
}

export class Trace {
  readonly #options: TraceOptions
  readonly #lines: string[] = []
  #low = 0x811c9dc5
  #high = 0x01234567
  #events = 0

  constructor(options: TraceOptions) {
    this.#options = options
  }

  note(atUs: number, node: string, kind: string, detail = ''): void {
    const line = `${(atUs / 1000).toFixed(3)} ${node} ${kind} ${detail}`
    this.#low = hashText(line, this.#low)
    this.#high = hashText(line, this.#high)
    this.#events++
    this.#options.print?.(line)
    if (this.#options.keep === 0) return
    this.#lines.push(line)
    if (this.#lines.length > 2 * this.#options.keep) this.#lines.splice(0, this.#options.keep)
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0')
  }

  get events(): number {
    return this.#events
  }

  /** The newest lines, oldest first. */
  tail(count: number = this.#options.keep): readonly string[] {
    return this.#lines.slice(-count)
  }
}
