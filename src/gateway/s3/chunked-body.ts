/**
 * The aws-chunked encoding: each chunk with its size and, where they are signed, a signature over it and the one before; at the
 * end perhaps trailers. Bytes are handed on as they come; whether they are good is known when `finish` says so.
 */
import { createHash, createHmac, type Hash, hash, timingSafeEqual } from 'node:crypto'
import { S3Error } from './errors.ts'
import type { ChunkChain } from './signature.ts'

const EMPTY_SHA256 = hash('sha256', '', 'hex')
const MAX_LINE_BYTES = 1024
const MAX_TRAILERS_BYTES = 8 * 1024
const CR = 13
const LF = 10

export interface ChunkedBodyOptions {
  readonly chain: ChunkChain | undefined
  /** Whether trailers follow the last chunk. */
  readonly trailer: boolean
  /** Bytes that all chunks hold together. */
  readonly decodedLength: number
  /** Names that may stand in the trailer. */
  readonly trailers: readonly string[]
}

type State = 'line' | 'data' | 'data-end' | 'trailer' | 'end'

export class ChunkedBody {
  readonly #options: ChunkedBodyOptions
  readonly #trailers = new Map<string, string>()
  #state: State = 'line'
  #line = ''
  /** Bytes of the chunk that are still to come, and of all chunks so far. */
  #left = 0
  #decoded = 0
  #trailersBytes = 0
  #isLast = false
  #signature = ''
  #previous: string
  #sha256: Hash | undefined

  constructor(options: ChunkedBodyOptions) {
    this.#options = options
    this.#previous = options.chain?.seed ?? ''
  }

  /** The data in the next bytes of the body, as views of them. @throws S3Error */
  push(bytes: Buffer): Buffer[] {
    const data: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === 'data') {
        const part = bytes.subarray(at, at + this.#left)
        this.#sha256?.update(part)
        this.#left -= part.length
        at += part.length
        data.push(part)
        if (this.#left === 0) this.#state = 'data-end'
        continue
      }
      const end = bytes.indexOf(LF, at)
      const stop = end === -1 ? bytes.length : end
      this.#line += bytes.toString('latin1', at, stop)
      if (this.#line.length > MAX_LINE_BYTES + (this.#state === 'trailer' ? MAX_TRAILERS_BYTES : 0))
        throw new S3Error('InvalidRequest', 'A line of the chunked body is too long.')
      at = stop + 1
      if (end === -1) break
      const line = this.#line
      this.#line = ''
      this.#onLine(line.charCodeAt(line.length - 1) === CR ? line.slice(0, -1) : line)
    }
    return data
  }

  /** The trailers. @throws IncompleteBody when the last chunk did not come, or the length was another */
  finish(): ReadonlyMap<string, string> {
    // A trailer may end with the body instead of with an empty line.
    if (this.#state === 'trailer') this.#endTrailers()
    if (this.#state !== 'end') throw new S3Error('IncompleteBody')
    return this.#trailers
  }

  #onLine(line: string): void {
    if (this.#state === 'line') this.#beginChunk(line)
    else if (this.#state === 'trailer') {
      if (line === '') this.#endTrailers()
      else this.#addTrailer(line)
    } else if (line !== '') {
      const why =
        this.#state === 'end' ? 'Something follows the last chunk.' : 'A chunk is longer than it says.'
      throw new S3Error('InvalidRequest', why)
    } else if (this.#state === 'data-end') this.#endChunk()
  }

  #beginChunk(line: string): void {
    const { chain, decodedLength, trailer } = this.#options
    const match = /^([0-9a-fA-F]{1,13})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line)
    if (match === null || (match[2] === undefined) !== (chain === undefined))
      throw new S3Error('InvalidRequest', 'The head of a chunk is malformed.')
    this.#left = Number.parseInt(match[1]!, 16)
    this.#signature = match[2] ?? ''
    if (this.#decoded + this.#left > decodedLength) throw new S3Error('IncompleteBody')
    this.#decoded += this.#left
    this.#isLast = this.#left === 0
    if (chain !== undefined) this.#sha256 = createHash('sha256')
    if (!this.#isLast) {
      this.#state = 'data'
      return
    }
    if (this.#decoded !== decodedLength) throw new S3Error('IncompleteBody')
    this.#checkChunk()
    this.#state = trailer ? 'trailer' : 'end'
  }

  #endChunk(): void {
    this.#checkChunk()
    this.#state = 'line'
  }

  #checkChunk(): void {
    const { chain } = this.#options
    if (chain === undefined) return
    const sha256 = this.#sha256!.digest('hex')
    this.#checkSignature(chain, `AWS4-HMAC-SHA256-PAYLOAD`, `${EMPTY_SHA256}\n${sha256}`, this.#signature)
    this.#previous = this.#signature
  }

  #checkSignature(chain: ChunkChain, algorithm: string, digests: string, signature: string): void {
    const toSign = `${algorithm}\n${chain.time}\n${chain.scope}\n${this.#previous}\n${digests}`
    const expected = createHmac('sha256', chain.key).update(toSign).digest()
    const given = Buffer.from(signature, 'hex')
    if (given.length !== expected.length || !timingSafeEqual(expected, given))
      throw new S3Error('SignatureDoesNotMatch', 'The signature of a chunk of the body does not match.')
  }

  #addTrailer(line: string): void {
    this.#trailersBytes += line.length
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    const known = name === 'x-amz-trailer-signature' || this.#options.trailers.includes(name)
    if (colon < 1 || !known || this.#trailers.has(name) || this.#trailersBytes > MAX_TRAILERS_BYTES)
      throw new S3Error('MalformedTrailerError')
    this.#trailers.set(name, line.slice(colon + 1).trim())
  }

  #endTrailers(): void {
    const { chain, trailers } = this.#options
    const signature = this.#trailers.get('x-amz-trailer-signature')
    this.#trailers.delete('x-amz-trailer-signature')
    if (trailers.some((name) => !this.#trailers.has(name))) throw new S3Error('MalformedTrailerError')
    if (chain !== undefined) {
      let text = ''
      for (const [name, value] of this.#trailers) text += `${name}:${value}\n`
      this.#checkSignature(chain, 'AWS4-HMAC-SHA256-TRAILER', hash('sha256', text, 'hex'), signature ?? '')
    }
    this.#state = 'end'
  }
}
