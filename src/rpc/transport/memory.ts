/**
 * The transport in memory, for tests and simulation: hosts on a network whose delays, cuts and deaths are decided by the
 * test or by a seed. It behaves as TCP below ZeroMQ does: messages of a session arrive in order; one that is lost ends
 * the session, so the messages after it are lost too and the client connects anew.
 *
 * Frames are copied when they are delivered, not when they are sent: a sender that writes again to bytes it has sent is
 * seen by the receiver, as on a real socket.
 */
import { AlluxioError, assert, type Cancel, type Runtime } from '../../core/index.ts'
import type { Connection, ConnectionEvents, Frames, Listener, Transport } from './transport.ts'

export interface NetworkModel {
  /** Milliseconds until a message of `bytes` arrives, or `drop`: it is lost, and its session with it. */
  deliver(from: string, to: string, bytes: number): number | 'drop'
}

export interface MemoryNetworkOptions {
  readonly model?: NetworkModel
  /** Milliseconds between attempts to connect. @default 50 */
  readonly reconnectMs?: number
}

/** One network; `host(name)` gives each process its transport. Addresses are `HOST:PORT`, with or without `tcp://`. */
export class MemoryNetwork {
  readonly model: NetworkModel | undefined
  readonly reconnectMs: number
  readonly runtime: Runtime
  readonly #listeners = new Map<string, MemoryListener>()
  readonly #connections = new Set<MemoryConnection>()
  readonly #cuts = new Set<string>()
  readonly #dead = new Set<string>()
  #nextPort = 20_000
  #nextPeer = 1

  constructor(options: MemoryNetworkOptions, modules: { readonly runtime: Runtime }) {
    this.model = options.model
    this.reconnectMs = options.reconnectMs ?? 50
    this.runtime = modules.runtime
  }

  /** The transport of a host; the host is alive again if it was killed. */
  host(name: string): Transport {
    this.#dead.delete(name)
    return {
      listen: async (address, onMessage) => this.#listen(name, address, onMessage),
      connect: (address, onMessage, events = {}) => {
        const connection = new MemoryConnection(this, name, plainAddress(address), onMessage, events)
        this.#connections.add(connection)
        return connection
      },
    }
  }

  /** Cuts the link between two hosts in both directions: what is on its way or sent meanwhile is lost, silently. */
  cut(a: string, b: string): void {
    this.#cuts.add(linkName(a, b))
  }

  /** Mends a link. Sessions that lost something meanwhile break now; others go on. */
  heal(a: string, b: string): void {
    this.#cuts.delete(linkName(a, b))
    for (const connection of [...this.#connections]) {
      if (connection.joins(a, b)) connection.breakIfLossy()
    }
  }

  /** Ends a host without goodbye: its listeners and connections are gone and its peers' sessions break. */
  kill(host: string): void {
    this.#dead.add(host)
    for (const listener of [...this.#listeners.values()])
      if (listener.host === host) this.closeListener(listener)
    for (const connection of [...this.#connections]) if (connection.host === host) connection.die()
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.has(linkName(a, b))
  }

  /** The listener that answers `address` for a host now. */
  reach(from: string, address: string): MemoryListener | undefined {
    const listener = this.#listeners.get(address)
    if (listener === undefined || this.isCut(from, listener.host) || this.#dead.has(from)) return undefined
    return listener
  }

  /** Nobody reaches the listener any more. */
  unlisten(listener: MemoryListener): void {
    if (this.#listeners.get(listener.key) === listener) this.#listeners.delete(listener.key)
  }

  closeListener(listener: MemoryListener): void {
    this.unlisten(listener)
    listener.drop()
  }

  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection)
  }

  nextPeer(): string {
    return `peer-${this.#nextPeer++}`
  }

  #listen(
    host: string,
    address: string,
    onMessage: (peer: string, frames: Uint8Array[]) => void,
  ): MemoryListener {
    let key = plainAddress(address)
    if (key.endsWith(':0') || key.endsWith(':*')) key = `${hostOf(key)}:${this.#nextPort++}`
    if (this.#listeners.has(key)) {
      throw new AlluxioError('UNAVAILABLE', `${address} is in use: close its listener first`, {
        reason: 'ADDRESS_IN_USE',
      })
    }
    const listener = new MemoryListener(this, host, key, onMessage)
    this.#listeners.set(key, listener)
    return listener
  }
}

class MemoryListener implements Listener {
  readonly address: string
  readonly host: string
  readonly key: string
  readonly #network: MemoryNetwork
  readonly #onMessage: (peer: string, frames: Uint8Array[]) => void
  readonly #sessions = new Map<string, Session>()
  #closed = false

  constructor(
    network: MemoryNetwork,
    host: string,
    key: string,
    onMessage: (peer: string, frames: Uint8Array[]) => void,
  ) {
    this.#network = network
    this.host = host
    this.key = key
    this.address = `tcp://${key}`
    this.#onMessage = onMessage
  }

  accept(session: Session): void {
    this.#sessions.set(session.peer, session)
  }

  forget(session: Session): void {
    this.#sessions.delete(session.peer)
  }

  receive(peer: string, frames: Uint8Array[]): void {
    if (!this.#closed) this.#onMessage(peer, frames)
  }

  send(peer: string, frames: Frames, sent?: () => void): void {
    const session = this.#sessions.get(peer)
    if (session === undefined || this.#closed) sent?.()
    else session.toClient.push(frames, sent)
  }

  queuedBytes(peer: string): number {
    return this.#sessions.get(peer)?.toClient.bytes ?? 0
  }

  /** Breaks all sessions at once. */
  drop(): void {
    this.#closed = true
    for (const session of [...this.#sessions.values()]) session.break('the peer is gone')
  }

  /** What is queued still arrives, then the sessions break. */
  async close(): Promise<void> {
    this.#closed = true
    for (const session of [...this.#sessions.values()])
      session.toClient.end(() => session.break('the peer closed'))
    this.#network.unlisten(this)
  }
}

class MemoryConnection implements Connection {
  readonly host: string
  readonly address: string
  readonly #network: MemoryNetwork
  readonly #onMessage: (frames: Uint8Array[]) => void
  readonly #events: ConnectionEvents
  #session: Session | undefined
  #closed = false
  #attempt: Cancel

  constructor(
    network: MemoryNetwork,
    host: string,
    address: string,
    onMessage: (frames: Uint8Array[]) => void,
    events: ConnectionEvents,
  ) {
    this.#network = network
    this.host = host
    this.address = address
    this.#onMessage = onMessage
    this.#events = events
    this.#attempt = network.runtime.after(0, () => this.#connect())
  }

  send(frames: Frames, sent?: () => void): void {
    if (this.#session === undefined) sent?.()
    else this.#session.toServer.push(frames, sent)
  }

  receive(session: Session, frames: Uint8Array[]): void {
    if (session === this.#session) this.#onMessage(frames)
  }

  reset(waitMs: number): void {
    if (this.#closed) return
    const session = this.#session
    this.#session = undefined
    session?.break('reset')
    this.#again(waitMs)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#attempt()
    const session = this.#session
    this.#session = undefined
    this.#network.forget(this)
    session?.toServer.end(() => session.break('closed'))
  }

  /** The host is gone: nothing is told to anybody on it. */
  die(): void {
    this.#closed = true
    this.#attempt()
    const session = this.#session
    this.#session = undefined
    this.#network.forget(this)
    session?.break('the host died')
  }

  broken(session: Session, reason: string): void {
    if (session !== this.#session || this.#closed) return
    this.#session = undefined
    this.#again(this.#network.reconnectMs)
    this.#events.down?.(reason)
  }

  /** Whether the present session runs over the link between two hosts. */
  joins(a: string, b: string): boolean {
    const peer = this.#session?.listener.host
    return peer !== undefined && linkName(this.host, peer) === linkName(a, b)
  }

  breakIfLossy(): void {
    if (this.#session?.lossy === true) this.#session.break('messages were lost')
  }

  #again(ms: number): void {
    this.#attempt()
    this.#attempt = this.#network.runtime.after(ms, () => this.#connect(), true)
  }

  #connect(): void {
    if (this.#closed || this.#session !== undefined) return
    const listener = this.#network.reach(this.host, this.address)
    if (listener === undefined) {
      this.#events.trouble?.('nobody listens there')
      this.#again(this.#network.reconnectMs)
      return
    }
    const session = new Session(this.#network, this, listener)
    this.#session = session
    listener.accept(session)
    this.#events.up?.()
  }
}

/** One connection between a client and a listener, from connect to the first loss. */
class Session {
  readonly peer: string
  readonly toServer: Pipe
  readonly toClient: Pipe
  /** Whether a cut link has swallowed something. */
  lossy = false
  readonly #connection: MemoryConnection
  readonly listener: MemoryListener
  #broken = false

  constructor(network: MemoryNetwork, connection: MemoryConnection, listener: MemoryListener) {
    this.peer = network.nextPeer()
    this.#connection = connection
    this.listener = listener
    this.toServer = new Pipe(network, this, connection.host, listener.host, (frames) =>
      listener.receive(this.peer, frames),
    )
    this.toClient = new Pipe(network, this, listener.host, connection.host, (frames) =>
      connection.receive(this, frames),
    )
  }

  break(reason: string): void {
    if (this.#broken) return
    this.#broken = true
    this.toServer.clear()
    this.toClient.clear()
    this.listener.forget(this)
    this.#connection.broken(this, reason)
  }
}

interface Parcel {
  readonly frames: Frames
  readonly bytes: number
  readonly atMs: number
  readonly sent: (() => void) | undefined
}

/** One direction of a session: in order, each message at its time. */
class Pipe {
  bytes = 0
  readonly #network: MemoryNetwork
  readonly #session: Session
  readonly #from: string
  readonly #to: string
  readonly #deliver: (frames: Uint8Array[]) => void
  #queue: Parcel[] = []
  #lastAtMs = 0
  #armed = false
  #ended = false
  #onEmpty: (() => void) | undefined

  constructor(
    network: MemoryNetwork,
    session: Session,
    from: string,
    to: string,
    deliver: (frames: Uint8Array[]) => void,
  ) {
    this.#network = network
    this.#session = session
    this.#from = from
    this.#to = to
    this.#deliver = deliver
  }

  push(frames: Frames, sent: (() => void) | undefined): void {
    if (this.#ended) {
      sent?.()
      return
    }
    let bytes = 0
    for (const frame of frames) bytes += frame.length
    const delay = this.#network.model?.deliver(this.#from, this.#to, bytes) ?? 0
    if (delay === 'drop') {
      sent?.()
      this.#ended = true
      this.#network.runtime.defer(() => this.#session.break('a message was lost'))
      return
    }
    assert(delay >= 0, `a message cannot arrive before it was sent (${delay} ms)`)
    // A later message never overtakes an earlier one.
    this.#lastAtMs = Math.max(this.#lastAtMs, delay === 0 ? 0 : this.#network.runtime.monotonic() + delay)
    this.#queue.push({ frames, bytes, atMs: this.#lastAtMs, sent })
    this.bytes += bytes
    this.#arm()
  }

  /** Takes nothing more; `then` runs when the last message was delivered. */
  end(then: () => void): void {
    this.#ended = true
    this.#onEmpty = then
    if (this.#queue.length === 0) then()
  }

  clear(): void {
    this.#ended = true
    const queue = this.#queue
    this.#queue = []
    this.bytes = 0
    for (const parcel of queue) parcel.sent?.()
  }

  #arm(): void {
    const first = this.#queue[0]
    if (this.#armed || first === undefined) return
    this.#armed = true
    const wait = first.atMs - this.#network.runtime.monotonic()
    if (wait <= 0) this.#network.runtime.defer(() => this.#drain())
    else this.#network.runtime.after(wait, () => this.#drain())
  }

  #drain(): void {
    this.#armed = false
    const now = this.#network.runtime.monotonic()
    for (let first = this.#queue[0]; first !== undefined && first.atMs <= now; first = this.#queue[0]) {
      this.#queue.shift()
      this.bytes -= first.bytes
      if (this.#network.isCut(this.#from, this.#to)) this.#session.lossy = true
      else this.#deliver(first.frames.map((frame) => Buffer.from(frame)))
      first.sent?.()
    }
    this.#arm()
    if (this.#queue.length === 0) this.#onEmpty?.()
  }
}

function plainAddress(address: string): string {
  const plain = address.replace(/^tcp:\/\//, '')
  if (!/^[^/:\s]+:(\d{1,5}|\*)$/.test(plain)) {
    throw new AlluxioError('INVALID_ARGUMENT', `${address} is no address: write HOST:PORT`, {
      reason: 'BAD_ADDRESS',
    })
  }
  return plain
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}

function linkName(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}
