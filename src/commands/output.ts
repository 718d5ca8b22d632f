/** Writes a command's result to standard output: text, one JSON document, or JSON lines. Never talk, never errors. */
import { writeSync } from 'node:fs'
import { AlluxioError } from '../core/index.ts'
import { widenPipe } from './pipe.ts'

export type JsonMode = 'off' | 'document' | 'lines'
/** Whether the command's document is a list of items or one object. */
export type Shape = 'list' | 'object'

const BUFFER_CHARS = 64 * 1024
/** Bytes of one write: large enough that the system call costs nothing, small enough to end soon after a broken pipe. */
const WRITE_BYTES = 4 * 2 ** 20

/** A chunk of so many bytes says that more are to come. */
const LARGE_BYTES = 2 ** 20

const WAITING = new Int32Array(new SharedArrayBuffer(4))

export class Output {
  readonly json: JsonMode
  readonly #fd: number
  readonly #shape: Shape
  #pending = ''
  #items = 0
  #widened = false

  constructor(options: { readonly fd: number; readonly json: JsonMode; readonly shape: Shape }) {
    this.#fd = options.fd
    this.json = options.json
    this.#shape = options.shape
  }

  /** One result: its text form, or its JSON form when that was asked for. Only the form that is printed is made. */
  emit(json: () => unknown, text: () => string | undefined): void {
    if (this.json === 'off') {
      const line = text()
      if (line !== undefined) this.#write(`${line}\n`)
      return
    }
    if (this.json === 'lines') this.#write(`${JSON.stringify(json())}\n`)
    else if (this.#shape === 'object') this.#write(`${JSON.stringify(json(), undefined, 2)}\n`)
    else this.#write(`${this.#items === 0 ? '[' : ','}\n${JSON.stringify(json())}`)
    this.#items++
  }

  /** A line that belongs to the text form only: headings, blank lines. */
  line(text = ''): void {
    if (this.json === 'off') this.#write(`${text}\n`)
  }

  /** Bytes as they are, after what was printed before. */
  bytes(chunk: Uint8Array): void {
    this.flush()
    if (!this.#widened && chunk.length >= LARGE_BYTES) {
      this.#widened = true
      widenPipe(this.#fd)
    }
    for (let at = 0; at < chunk.length; ) at += this.#writeSome(chunk, at)
  }

  /** Makes everything so far visible, for example the first page of a long listing. */
  flush(): void {
    if (this.#pending === '') return
    const text = this.#pending
    this.#pending = ''
    const chunk = Buffer.from(text)
    for (let at = 0; at < chunk.length; ) at += this.#writeSome(chunk, at)
  }

  /** Closes the JSON document. */
  end(): void {
    if (this.json === 'document' && this.#shape === 'list')
      this.#pending += this.#items === 0 ? '[]\n' : '\n]\n'
    this.flush()
  }

  #write(text: string): void {
    this.#pending += text
    if (this.#pending.length > BUFFER_CHARS) this.flush()
  }

  #writeSome(chunk: Uint8Array, at: number): number {
    try {
      return writeSync(this.#fd, chunk, at, Math.min(WRITE_BYTES, chunk.length - at))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') {
        // Another process made the pipe non-blocking: wait a moment for the reader.
        Atomics.wait(WAITING, 0, 0, 0.1)
        return 0
      }
      if (code === 'EPIPE') throw new BrokenPipe()
      throw new AlluxioError('UNAVAILABLE', `writing the result failed: ${message}`, { cause: error })
    }
  }
}

/** The reader of our output went away: it has what it wanted, so this ends the command without a word. */
export class BrokenPipe extends AlluxioError {
  constructor() {
    super('CANCELLED', 'the reader of the output went away', { reason: 'BROKEN_PIPE' })
  }
}
