/** The second step of a write: one request to a DataNode, whose body goes out chunk by chunk, with back-pressure and without copies. */
import type { ClientRequest } from 'node:http'
import type { AlluxioError } from '../../core/index.ts'
import { fromAnswer, fromConnection } from './errors.ts'
import { type Location, placeOf } from './name-nodes.ts'
import { type Transport, textOf } from './transport.ts'

/** The DataNode answers when all replicas have the file and the NameNode has closed it. */
const CLOSE_SILENCE_MS = 120_000

export interface UploadOptions {
  readonly method: 'PUT' | 'POST'
  /** Such as `CREATE /folder/file`. */
  readonly what: string
  readonly location: Location
  /** Bytes of the whole body, if known. */
  readonly length?: number
}

export class Upload {
  readonly #outgoing: ClientRequest
  readonly #stallMs: number
  readonly #answered: Promise<void>
  #error: AlluxioError | undefined
  #wake: (() => void) | undefined

  constructor(options: UploadOptions, transport: Transport) {
    const { method, what, location, length } = options
    const at = placeOf(location)
    this.#stallMs = transport.stallMs
    const outgoing = transport.begin(
      { method, ...location },
      {
        'content-type': 'application/octet-stream',
        ...(length === undefined ? {} : { 'content-length': length }),
      },
    )
    this.#outgoing = outgoing
    this.#answered = new Promise((resolve, reject) => {
      const fail = (error: AlluxioError) => {
        this.#error ??= error
        this.#wake?.()
        reject(this.#error)
      }
      outgoing.on('error', (error) => fail(fromConnection(error, what, at, undefined)))
      outgoing.once('response', (incoming) => {
        textOf(incoming).then(
          (text) => {
            const status = incoming.statusCode ?? 0
            if (status >= 200 && status < 300) return resolve()
            fail(fromAnswer(status, text, what, at))
            outgoing.destroy()
          },
          (error: unknown) => fail(fromConnection(error, what, at, undefined)),
        )
      })
    })
    this.#answered.catch(() => {})
  }

  /** Resolves when more may be sent. @throws AlluxioError */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    const outgoing = this.#outgoing
    let room = true
    // Not corked: writes that a cork held back are never followed by a drain. Node.js itself joins those of one turn.
    for (const chunk of chunks) room = outgoing.write(chunk)
    if (room) return
    // Silence counts only while the server is the one to act: the caller may take its time.
    outgoing.setTimeout(this.#stallMs)
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      outgoing.once('drain', resolve)
    })
    this.#wake = undefined
    outgoing.setTimeout(0)
    if (this.#error !== undefined) throw this.#error
  }

  /** Resolves when the DataNode has the whole file. @throws AlluxioError */
  async end(): Promise<void> {
    this.#outgoing.setTimeout(CLOSE_SILENCE_MS)
    this.#outgoing.end()
    await this.#answered
  }

  /** Breaks it off. */
  destroy(): void {
    this.#outgoing.destroy()
  }
}
