/**
 * Hadoop's clients send the names of files as raw UTF-8 in the first line of a request, where HTTP wants percent signs; Node's parser
 * ends such a connection. Here the bytes are respelt and the same connection is parsed anew, so only those who do it pay for it.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

const NEWLINE = 0x0a
const ASCII_END = 0x80
const REFUSAL = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'

interface ParseFailure extends Error {
  readonly code?: string
  /** The packet in which the parser gave up. */
  readonly rawPacket?: Buffer
  readonly bytesParsed?: number
}

export function acceptRawTargets(server: Server): void {
  const taken = new WeakSet<Duplex>()
  server.on('clientError', (failure: ParseFailure, socket) => {
    // What the first parser of a connection has to say once it is parsed anew, such as that no head came in time.
    if (taken.has(socket)) return
    const head = failure.code === 'HPE_INVALID_URL' ? failure.rawPacket : undefined
    if (head === undefined || !startsRequest(head, failure.bytesParsed ?? 0)) {
      // Only ended it would stay open for as long as the client likes.
      if (socket.writable && failure.code !== 'ECONNRESET') socket.end(REFUSAL, () => socket.destroy())
      else socket.destroy()
      return
    }
    taken.add(socket)
    const connection = socket instanceof Respelt ? socket.release() : (socket as Socket)
    for (const event of ['data', 'end', 'drain', 'timeout', 'error']) connection.removeAllListeners(event)
    server.emit('connection', new Respelt(connection, head))
  })
}

/**
 * Whether the line that was not understood has bytes to respell, and is the first of the packet: no other request is under way on the
 * connection.
 */
function startsRequest(packet: Buffer, at: number): boolean {
  const newline = packet.indexOf(NEWLINE)
  const line = packet.subarray(0, newline === -1 ? packet.length : newline)
  return (
    at <= line.length &&
    line.some((byte) => byte >= ASCII_END) &&
    /^[A-Z]{3,7} \//.test(line.toString('latin1'))
  )
}

/** A connection whose next line has its bytes beyond ASCII as percent signs. */
class Respelt extends Duplex {
  readonly #socket: Socket
  #inLine = true

  constructor(socket: Socket, first: Buffer) {
    super({ autoDestroy: true })
    this.#socket = socket
    this.#receive(first)
    socket.on('data', (bytes: Buffer) => {
      if (!this.#receive(bytes)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    socket.on('timeout', () => this.emit('timeout'))
  }

  // What handlers ask a connection; who a caller is depends on the first.
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  get localPort(): number | undefined {
    return this.#socket.localPort
  }

  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms)
    return this
  }

  /** Hands the connection on, to be parsed anew once more. */
  release(): Socket {
    for (const event of ['data', 'end', 'error', 'close', 'timeout']) this.#socket.removeAllListeners(event)
    return this.#socket
  }

  #receive(bytes: Buffer): boolean {
    if (!this.#inLine) return this.push(bytes)
    const end = bytes.indexOf(NEWLINE)
    this.#inLine = end === -1
    const line = end === -1 ? bytes : bytes.subarray(0, end)
    return this.push(Buffer.concat([respell(line), bytes.subarray(line.length)]))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}

function respell(line: Buffer): Buffer {
  let spelt = ''
  for (const byte of line)
    spelt += byte < ASCII_END ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase()}`
  return Buffer.from(spelt, 'latin1')
}
