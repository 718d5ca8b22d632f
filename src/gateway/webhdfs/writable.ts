/** The few of Hadoop's Writables that a delegation token is made of: variable-length integers, texts and byte strings. */
import { AlluxioError } from '../../core/index.ts'

export class WritableWriter {
  readonly #parts: Buffer[] = []

  byte(value: number): this {
    this.#parts.push(Buffer.from([value & 0xff]))
    return this
  }

  /** A whole number that is not negative: as itself up to 127, else a byte that tells how many follow. */
  integer(value: number): this {
    if (value <= 127) return this.byte(value)
    const bytes: number[] = []
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
    this.#parts.push(Buffer.from([(-112 - bytes.length) & 0xff, ...bytes]))
    return this
  }

  bytes(value: Buffer): this {
    this.integer(value.length)
    this.#parts.push(value)
    return this
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value))
  }

  end(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** All methods throw INVALID_ARGUMENT when the bytes end too early or are no such thing. */
export class WritableReader {
  readonly #from: Buffer
  #at = 0

  constructor(from: Buffer) {
    this.#from = from
  }

  byte(): number {
    const value = this.#from[this.#at++]
    if (value === undefined) throw malformed()
    return value
  }

  integer(): number {
    const first = this.byte()
    if (first <= 127) return first
    const count = 256 - 112 - first
    if (count < 1 || count > 7) throw malformed()
    let value = 0
    for (let i = 0; i < count; i++) value = value * 256 + this.byte()
    return value
  }

  bytes(): Buffer {
    const length = this.integer()
    const end = this.#at + length
    if (end > this.#from.length) throw malformed()
    const value = this.#from.subarray(this.#at, end)
    this.#at = end
    return value
  }

  text(): string {
    return this.bytes().toString()
  }
}

function malformed(): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', 'the token is malformed')
}
