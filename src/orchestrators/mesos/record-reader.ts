/** RecordIO, as Mesos streams events: the length in decimal, a newline, so many bytes. */
import { AlluxioError } from '../../core/index.ts'

/** Offers of ten thousand agents in one event are some 20 MB. */
const MAX_RECORD_BYTES = 64 * 2 ** 20
const MAX_DIGITS = 10
const NEWLINE = 0x0a

export class RecordReader {
  #chunks: Buffer[] = []
  #bytes = 0
  /** Nothing can be read before so many bytes are there. */
  #needed = 0

  /** Records that are whole with this chunk. @throws DATA_LOSS for what is no RecordIO, or too long */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < this.#needed) return []
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    const records: Buffer[] = []
    let at = 0
    this.#needed = 0
    while (at < all.length) {
      const newline = all.indexOf(NEWLINE, at)
      const digits = all.toString('latin1', at, newline < 0 ? all.length : newline)
      if (digits.length > MAX_DIGITS || (newline >= 0 && !/^\d+$/.test(digits)))
        throw broken(`${JSON.stringify(digits.slice(0, 40))} is no length`)
      if (newline < 0) break
      const length = Number(digits)
      if (length > MAX_RECORD_BYTES) throw broken(`a record has ${length} bytes`)
      const end = newline + 1 + length
      if (end > all.length) {
        this.#needed = end - at
        break
      }
      records.push(all.subarray(newline + 1, end))
      at = end
    }
    this.#chunks = at < all.length ? [all.subarray(at)] : []
    this.#bytes = all.length - at
    return records
  }
}

function broken(why: string): AlluxioError {
  return new AlluxioError('DATA_LOSS', `the stream of events is no RecordIO: ${why}`, { reason: 'RECORD_IO' })
}
