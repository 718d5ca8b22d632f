/**
 * The transport over ZeroMQ: a listener is a ROUTER, a connection a DEALER.
 *
 * Sends never wait: high-water marks are off towards the peer (a ROUTER drops silently at its mark), the timeout is 0, and
 * what may be queued is bounded by the credits and limits of the layer above. So one send is never in progress when the
 * next comes (which zeromq.js answers with EBUSY), and `send` needs no pump of its own. Each socket has one receive pump.
 *
 * When memory is free: zeromq.js copies frames of up to 128 bytes and references longer ones until libzmq has written
 * them to the kernel, on a thread of its own; the reference is then dropped on the JS thread. So a frame's memory stays
 * valid without our doing, and the only sign that it is free is the collection of the view that was sent.
 */

import { setFlagsFromString } from 'node:v8'
import * as zmq from 'zeromq'
import { AlluxioError, type Cancel, type Runtime } from '../../core/index.ts'
import type { Connection, ConnectionEvents, Frames, Listener, Publisher, Transport } from './transport.ts'
import { ZeroMqPublisher } from './zeromq-publisher.ts'

export interface ZeroMqOptions {
  /** `auto` refuses to bind anything but loopback; `none` lets a daemon listen in the clear. @default auto */
  readonly security?: 'auto' | 'none'
  /** Bytes of one frame; a peer that sends a longer one is disconnected. @default 64 MiB and one head */
  readonly frameBytes?: number
  /** Milliseconds that close waits for queued messages to leave. @default 1000 */
  readonly lingerMs?: number
  /** Milliseconds between ZMTP heartbeats; three without answer end a session. 0 switches them off. @default 3000 */
  readonly heartbeatMs?: number
  /** Milliseconds in which a peer must have said who it is. @default 5000 */
  readonly handshakeMs?: number
  /** Longest pause between attempts to connect, milliseconds. @default 1000 */
  readonly reconnectMaxMs?: number
  /** Threads that move bytes; more than one pays only with many busy peers. @default 1 */
  readonly ioThreads?: number
}

/** Messages of one peer that may wait unread; then its TCP stream is no longer read (nothing is lost). */
const RECEIVE_HIGH_WATER_MARK = 10_000
/** Messages that wait for one listener; what is published beyond that it misses. */
const PUBLISHED_HIGH_WATER_MARK = 1000
const OLDEST_LIBZMQ = [4, 3, 5] as const
/** First pause between attempts to connect, milliseconds. */
const RECONNECT_MS = 50

/**
 * Received frames are memory outside the heap of V8, which by default marks the whole heap anew for each 64 MB of them that
 * came and went: half the CPU of a bulk read. Counted in the limit of all memory they are freed by scavenges as they should
 * be (1 GiB in frames of 1 MiB: 2.7 instead of 1.3 GB/s at 0.6 instead of 1.2 CPU s/GB, and the process grew by 5 MB).
 */
function countFramesAsMemory(): void {
  if (Number(process.versions.v8.split('.', 1)[0]) >= 13) {
    setFlagsFromString('--external-memory-accounted-in-global-limit')
  }
}

export class ZeroMqTransport implements Transport {
  readonly #options: Required<ZeroMqOptions>
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #context: zmq.Context
  readonly #freed = new FinalizationRegistry<Freed>((freed) => freed.drop())

  constructor(options: ZeroMqOptions, modules: { readonly runtime: Pick<Runtime, 'after'> }) {
    checkVersion(zmq.version)
    countFramesAsMemory()
    this.#options = {
      security: options.security ?? 'auto',
      frameBytes: options.frameBytes ?? 64 * 2 ** 20 + 4096,
      lingerMs: options.lingerMs ?? 1000,
      heartbeatMs: options.heartbeatMs ?? 3000,
      handshakeMs: options.handshakeMs ?? 5000,
      reconnectMaxMs: options.reconnectMaxMs ?? 1000,
      ioThreads: options.ioThreads ?? 1,
    }
    this.#runtime = modules.runtime
    this.#context = new zmq.Context({ ioThreads: this.#options.ioThreads, blocky: false })
  }

  async listen(address: string, onMessage: (peer: string, frames: Uint8Array[]) => void): Promise<Listener> {
    const endpoint = parseAddress(address)
    if (!endpoint.loopback && this.#options.security !== 'none') refuseToBind(address)
    const socket = new zmq.Router({
      ...this.#socketOptions(endpoint),
      handshakeInterval: this.#options.handshakeMs,
      receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
    })
    try {
      await socket.bind(endpoint.text)
    } catch (error) {
      socket.close()
      throw bindError(error, address)
    }
    return new ZeroMqListener(socket, onMessage, this.#freed)
  }

  async publish(address: string): Promise<Publisher> {
    const endpoint = parseAddress(address)
    if (!endpoint.loopback && this.#options.security !== 'none') refuseToBind(address)
    const socket = new zmq.XPublisher({
      context: this.#context,
      linger: 0,
      // Subscriptions only come in: a longer message is none.
      maxMessageSize: 4096,
      sendHighWaterMark: PUBLISHED_HIGH_WATER_MARK,
      ipv6: endpoint.text.includes('['),
    })
    try {
      await socket.bind(endpoint.text)
    } catch (error) {
      socket.close()
      throw bindError(error, address)
    }
    return new ZeroMqPublisher(socket)
  }

  connect(
    address: string,
    onMessage: (frames: Uint8Array[]) => void,
    events: ConnectionEvents = {},
  ): Connection {
    const endpoint = parseAddress(address)
    const open = () =>
      new zmq.Dealer({
        ...this.#socketOptions(endpoint),
        reconnectInterval: RECONNECT_MS,
        reconnectMaxInterval: this.#options.reconnectMaxMs,
        receiveHighWaterMark: 0,
      })
    return new ZeroMqConnection(endpoint.text, open, onMessage, events, this.#freed, this.#runtime)
  }

  #socketOptions(endpoint: Endpoint) {
    const { frameBytes, lingerMs, heartbeatMs } = this.#options
    return {
      context: this.#context,
      linger: lingerMs,
      maxMessageSize: frameBytes,
      sendHighWaterMark: 0,
      sendTimeout: 0,
      // Names are resolved to IPv4: a name with both would be tried on IPv6 alone.
      ipv6: endpoint.text.includes('['),
      ...(heartbeatMs === 0
        ? {}
        : {
            heartbeatInterval: heartbeatMs,
            heartbeatTimeout: 3 * heartbeatMs,
            heartbeatTimeToLive: 3 * heartbeatMs,
          }),
    }
  }
}

class ZeroMqListener implements Listener {
  readonly address: string
  readonly #socket: zmq.Router
  readonly #freed: FinalizationRegistry<Freed>
  readonly #pump: Promise<void>

  constructor(
    socket: zmq.Router,
    onMessage: (peer: string, frames: Uint8Array[]) => void,
    freed: FinalizationRegistry<Freed>,
  ) {
    this.#socket = socket
    this.#freed = freed
    this.address = socket.lastEndpoint ?? ''
    this.#pump = receive(socket, (frames) => {
      const id = frames.shift()!
      onMessage((id as Buffer).toString('latin1'), frames)
    })
  }

  send(peer: string, frames: Frames, sent?: () => void): void {
    if (this.#socket.closed) {
      sent?.()
      return
    }
    const id = Buffer.from(peer, 'latin1')
    const message = sent === undefined ? frames : tracked(frames, sent, this.#freed)
    this.#socket.send([id, ...message] as Buffer[]).catch(ignore)
  }

  /** Nothing: libzmq takes every message at once. */
  queuedBytes(): number {
    return 0
  }

  async close(): Promise<void> {
    this.#socket.close()
    await this.#pump
  }
}

class ZeroMqConnection implements Connection {
  readonly #endpoint: string
  readonly #open: () => zmq.Dealer
  readonly #onMessage: (frames: Uint8Array[]) => void
  readonly #events: ConnectionEvents
  readonly #freed: FinalizationRegistry<Freed>
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #pumps = new Set<Promise<void>>()
  #socket: zmq.Dealer
  #up = false
  #closed = false
  #reconnect: Cancel | undefined

  constructor(
    endpoint: string,
    open: () => zmq.Dealer,
    onMessage: (frames: Uint8Array[]) => void,
    events: ConnectionEvents,
    freed: FinalizationRegistry<Freed>,
    runtime: Pick<Runtime, 'after'>,
  ) {
    this.#endpoint = endpoint
    this.#open = open
    this.#onMessage = onMessage
    this.#events = events
    this.#freed = freed
    this.#runtime = runtime
    this.#socket = this.#start()
  }

  send(frames: Frames, sent?: () => void): void {
    if (!this.#up) {
      sent?.()
      return
    }
    const message = sent === undefined ? frames : tracked(frames, sent, this.#freed)
    this.#socket.send(message as Buffer[]).catch(ignore)
  }

  reset(waitMs: number): void {
    if (this.#closed) return
    this.#up = false
    this.#drop(this.#socket)
    this.#startAfter(waitMs)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#up = false
    this.#reconnect?.()
    this.#socket.close()
    await Promise.all(this.#pumps)
  }

  /** What is still queued in a session that is given up must not arrive in the next one. */
  #drop(socket: zmq.Dealer): void {
    if (socket.closed) return
    socket.linger = 0
    socket.close()
  }

  #start(): zmq.Dealer {
    const socket = this.#open()
    void this.#watch(socket)
    socket.connect(this.#endpoint)
    const pump: Promise<void> = receive(socket, (frames) => {
      if (socket === this.#socket && !this.#closed) this.#onMessage(frames)
    }).finally(() => this.#pumps.delete(pump))
    this.#pumps.add(pump)
    return socket
  }

  /** Follows what libzmq tells of a socket's sessions, until it is closed. */
  async #watch(socket: zmq.Dealer): Promise<void> {
    const { events } = socket
    // A retry follows a refused connection, and one that was accepted and then hung up on: only the first says so.
    let accepted = false
    while (!events.closed) {
      let event: zmq.Event
      try {
        event = await events.receive()
      } catch {
        return
      }
      if (event.type === 'handshake') this.#established(socket)
      else if (event.type === 'disconnect')
        this.#lost(socket, 'the connection was closed by the peer or timed out')
      else if (event.type === 'connect') accepted = true
      else if (event.type === 'connect:retry') {
        if (!accepted) this.#trouble(socket, 'nobody listens there')
        accepted = false
      } else if (event.type.startsWith('handshake:error')) {
        this.#trouble(socket, 'the peer does not speak this protocol')
      } else if (event.type === 'end') return
    }
  }

  #established(socket: zmq.Dealer): void {
    if (socket !== this.#socket || this.#closed || this.#up) return
    this.#up = true
    this.#events.up?.()
  }

  #lost(socket: zmq.Dealer, reason: string): void {
    if (socket !== this.#socket || this.#closed) return
    if (!this.#up) {
      this.#trouble(socket, 'the peer hung up at once; does it speak another protocol?')
      return
    }
    this.#up = false
    this.#drop(socket)
    // A peer that accepts and hangs up at once must not turn this into a busy loop.
    this.#startAfter(RECONNECT_MS)
    this.#events.down?.(reason)
  }

  #startAfter(ms: number): void {
    this.#reconnect?.()
    this.#reconnect = this.#runtime.after(
      ms,
      () => {
        if (!this.#closed) this.#socket = this.#start()
      },
      true,
    )
  }

  #trouble(socket: zmq.Dealer, reason: string): void {
    if (socket === this.#socket && !this.#closed) this.#events.trouble?.(reason)
  }
}

/** The receive pump of a socket: ends when the socket is closed. */
async function receive(socket: zmq.Router | zmq.Dealer, onFrames: (frames: Buffer[]) => void): Promise<void> {
  while (!socket.closed) {
    let frames: Buffer[]
    try {
      frames = await socket.receive()
    } catch (error) {
      if (socket.closed) return
      // A closing context ends a receive in progress; anything else would be a fault of the binding.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') continue
      throw error
    }
    onFrames(frames)
  }
}

/** Calls `sent` when the last of a message's frames was dropped. */
class Freed {
  #left: number
  readonly #sent: () => void
  constructor(frames: number, sent: () => void) {
    this.#left = frames
    this.#sent = sent
  }
  drop(): void {
    this.#left--
    if (this.#left === 0) this.#sent()
  }
}

/**
 * The frames as views of their own, which nobody holds but the socket, registered for their collection. The caller may
 * go on holding its own views.
 */
function tracked(frames: Frames, sent: () => void, registry: FinalizationRegistry<Freed>): Buffer[] {
  const freed = new Freed(frames.length, sent)
  return frames.map((frame) => {
    const view = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    registry.register(view, freed)
    return view
  })
}

function ignore(): void {
  // A message to a closing socket is lost, as one to a peer that is gone.
}

interface Endpoint {
  readonly text: string
  readonly loopback: boolean
}

/** `tcp://host:port`, `host:port` or `ipc://path`. */
function parseAddress(address: string): Endpoint {
  if (address.startsWith('ipc://') && address.length > 6) return { text: address, loopback: true }
  const match = /^(?:tcp:\/\/)?(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9._*-]+):(\d{1,5}|\*)$/.exec(address)
  if (match === null || (match[2] !== '*' && Number(match[2]) > 65_535)) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${address} is no address: write tcp://HOST:PORT or ipc://PATH`,
      {
        reason: 'BAD_ADDRESS',
      },
    )
  }
  const host = match[1]!
  const port = match[2] === '0' ? '*' : match[2]!
  const loopback = host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
  // libzmq resolves a name to IPv6 first; localhost means what the daemons bind.
  return { text: `tcp://${host === 'localhost' ? '127.0.0.1' : host}:${port}`, loopback }
}

function refuseToBind(address: string): never {
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `${address} can be reached from other hosts and no keys protect it: bind 127.0.0.1, or set alluxio.security.transport=none to listen in the clear`,
    { reason: 'INSECURE_ADDRESS' },
  )
}

function bindError(error: unknown, address: string): AlluxioError {
  const errno = (error as NodeJS.ErrnoException).code
  if (errno === 'EADDRINUSE') {
    return new AlluxioError(
      'UNAVAILABLE',
      `${address} is in use by another process: stop that one (\`alluxio stop\`, or find it with \`ss -ltnp\`), or configure another port`,
      { reason: 'ADDRESS_IN_USE', cause: error },
    )
  }
  return new AlluxioError('INVALID_ARGUMENT', `cannot listen on ${address}: ${(error as Error).message}`, {
    reason: errno ?? 'BAD_ADDRESS',
    cause: error,
  })
}

function checkVersion(version: string): void {
  const parts = version.split('.').map(Number)
  for (const [i, least] of OLDEST_LIBZMQ.entries()) {
    const part = parts[i] ?? 0
    if (part > least) return
    if (part < least) {
      throw new AlluxioError(
        'UNSUPPORTED',
        `libzmq ${version} is older than ${OLDEST_LIBZMQ.join('.')}, which closes holes that peers can reach: install zeromq 6.8 or newer`,
      )
    }
  }
}
