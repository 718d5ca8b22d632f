/** The body of an answer on its way to a reader: what has come and nobody has taken yet, and how it ended. */
import type { IncomingMessage } from 'node:http'

/** Bytes that may wait for a slow reader before the connection is held back. */
const HIGH_WATER = 2 ** 20

/** Where a body comes from. */
export interface BodySource {
  pause(): void
  resume(): void
  destroy(): void
}

/** What the reader of a body is told; one of the three for each call of `next`. */
export interface BodySink {
  readonly chunk: (chunk: Uint8Array) => void
  readonly ended: () => void
  readonly broken: (what: string) => void
}

export class Body {
  readonly #source: BodySource
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #paused = false
  #end: 'open' | 'ended' | { readonly what: string } = 'open'
  #sink: BodySink | undefined

  constructor(source: BodySource) {
    this.#source = source
  }

  /** A body of node:http, which hands out its chunks as they come. */
  static of(incoming: IncomingMessage): Body {
    const body = new Body({
      pause: () => incoming.pause(),
      resume: () => incoming.resume(),
      destroy: () => incoming.destroy(),
    })
    incoming.on('data', (chunk: Uint8Array) => body.arrived(chunk))
    incoming.once('end', () => body.ended())
    incoming.on('error', (error: NodeJS.ErrnoException) => body.broken(error.code ?? error.message))
    incoming.once('close', () => body.broken('the connection was closed'))
    return body
  }

  /** Asks for the next chunk; at most one may be asked for at a time. What came before a break is given first. */
  next(sink: BodySink): void {
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length
      if (this.#paused && this.#queuedBytes < HIGH_WATER / 2) {
        this.#paused = false
        this.#source.resume()
      }
      sink.chunk(chunk)
    } else if (this.#end === 'ended') sink.ended()
    else if (this.#end !== 'open') sink.broken(this.#end.what)
    else this.#sink = sink
  }

  destroy(): void {
    this.#queue = []
    if (this.#end === 'open') {
      this.#end = { what: 'the reader has left' }
      this.#source.destroy()
    }
  }

  arrived(chunk: Uint8Array): void {
    if (this.#end !== 'open') return
    const sink = this.#sink
    if (sink !== undefined) {
      this.#sink = undefined
      sink.chunk(chunk)
      return
    }
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes > HIGH_WATER && !this.#paused) {
      this.#paused = true
      this.#source.pause()
    }
  }

  ended(): void {
    if (this.#end !== 'open') return
    this.#end = 'ended'
    this.#sink?.ended()
    this.#sink = undefined
  }

  broken(what: string): void {
    if (this.#end !== 'open') return
    this.#end = { what }
    this.#sink?.broken(what)
    this.#sink = undefined
  }
}
