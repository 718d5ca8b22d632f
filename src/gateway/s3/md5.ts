/**
 * MD5 of large bodies in a thread of its own: it takes longer than all else that is done with the bytes, and would halve the rate
 * of an upload in the thread that receives them.
 */
import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'

const BLOCK_BYTES = 2 ** 20
/** Blocks of one body that the thread has not digested yet. */
const MAX_AHEAD = 8
/** Blocks kept for the next body. */
const MAX_SPARE = 16

export interface Md5 {
  /** Resolves, if it returns a promise, when more may come. */
  update(bytes: Uint8Array): Promise<void> | undefined
  digest(): Promise<Buffer> | Buffer
  /** No digest is wanted any more. */
  abandon(): void
}

export class Md5Here implements Md5 {
  readonly #hash = createHash('md5')

  update(bytes: Uint8Array): undefined {
    this.#hash.update(bytes)
  }

  digest(): Buffer {
    return this.#hash.digest()
  }

  abandon(): void {}
}

/** What the thread runs: the blocks of several bodies, told apart by number; an empty length ends one. */
const PROGRAM = `
const { parentPort } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const hashes = new Map()
parentPort.on('message', ({ id, block, length, end }) => {
  if (end !== undefined) {
    const md5 = end === 'digest' ? (hashes.get(id) ?? createHash('md5')).digest() : undefined
    hashes.delete(id)
    parentPort.postMessage({ id, md5 })
    return
  }
  let hash = hashes.get(id)
  if (hash === undefined) hashes.set(id, (hash = createHash('md5')))
  hash.update(new Uint8Array(block, 0, length))
  parentPort.postMessage({ id, block }, [block])
})
`

interface Reply {
  readonly id: number
  readonly block?: ArrayBuffer
  readonly md5?: Uint8Array
}

/** The thread, started when the first large body comes. */
export class Md5Thread {
  readonly #bodies = new Map<number, Md5There>()
  readonly #spare: ArrayBuffer[] = []
  #worker: Worker | undefined
  #nextId = 1

  begin(): Md5 {
    this.#worker ??= this.#start()
    const id = this.#nextId++
    const body = new Md5There(id, this)
    this.#bodies.set(id, body)
    return body
  }

  async stop(): Promise<void> {
    await this.#worker?.terminate()
  }

  block(): ArrayBuffer {
    return this.#spare.pop() ?? new ArrayBuffer(BLOCK_BYTES)
  }

  send(id: number, block: ArrayBuffer, length: number): void {
    this.#worker!.postMessage({ id, block, length }, [block])
  }

  end(id: number, end: 'digest' | 'abandon'): void {
    this.#worker!.postMessage({ id, end })
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { eval: true })
    worker.unref()
    worker.on('message', ({ id, block, md5 }: Reply) => {
      if (block !== undefined && this.#spare.length < MAX_SPARE) this.#spare.push(block)
      const body = this.#bodies.get(id)
      if (block !== undefined) body?.taken()
      else {
        this.#bodies.delete(id)
        if (md5 !== undefined) body?.ended(Buffer.from(md5))
      }
    })
    worker.on('error', (error) => {
      this.#worker = undefined
      for (const body of this.#bodies.values()) body.failed(error)
      this.#bodies.clear()
    })
    return worker
  }
}

class Md5There implements Md5 {
  readonly #id: number
  readonly #thread: Md5Thread
  #block: ArrayBuffer | undefined
  #filled = 0
  #ahead = 0
  #failure: Error | undefined
  #room: PromiseWithResolvers<void> | undefined
  #digest: PromiseWithResolvers<Buffer> | undefined

  constructor(id: number, thread: Md5Thread) {
    this.#id = id
    this.#thread = thread
  }

  update(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    for (let at = 0; at < bytes.length; ) {
      this.#block ??= this.#thread.block()
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.#filled)
      new Uint8Array(this.#block, this.#filled, part.length).set(part)
      this.#filled += part.length
      at += part.length
      if (this.#filled === BLOCK_BYTES) this.#send()
    }
    if (this.#ahead <= MAX_AHEAD) return undefined
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers<void>()
      // Who does not wait learns of a failure with the next bytes.
      this.#room.promise.catch(() => {})
    }
    return this.#room.promise
  }

  digest(): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#filled > 0) this.#send()
    this.#digest = Promise.withResolvers<Buffer>()
    this.#thread.end(this.#id, 'digest')
    return this.#digest.promise
  }

  abandon(): void {
    if (this.#failure === undefined && this.#digest === undefined) this.#thread.end(this.#id, 'abandon')
  }

  taken(): void {
    this.#ahead--
    if (this.#ahead > MAX_AHEAD) return
    this.#room?.resolve()
    this.#room = undefined
  }

  ended(md5: Buffer): void {
    this.#digest?.resolve(md5)
  }

  failed(error: Error): void {
    this.#failure = error
    this.#room?.reject(error)
    this.#digest?.reject(error)
  }

  #send(): void {
    this.#thread.send(this.#id, this.#block!, this.#filled)
    this.#block = undefined
    this.#filled = 0
    this.#ahead++
  }
}
