/**
 * The transport port: messages of frames between a listener and its connections. Two implementations pass the same
 * contract suite: `zeromq.ts` (DEALER and ROUTER) and `memory.ts` (simulation and tests).
 *
 * Bytes handed to `send` are never written again by the caller: "sent" means queued.
 */
export type Frames = readonly Uint8Array[]

export interface Listener {
  /** Address that peers connect to, with the real port. */
  readonly address: string
  /**
   * Queues a message for a peer; unknown or gone peers drop it silently (ROUTER semantics). `sent` is called once, when
   * the transport no longer needs the memory of the frames: over ZeroMQ that is known only after the garbage collector
   * has seen the frames freed, so it is late and never to be waited for.
   */
  send(peer: string, frames: Frames, sent?: () => void): void
  /** Frames queued for a peer and not yet taken by the transport, in bytes. */
  queuedBytes(peer: string): number
  close(): Promise<void>
}

export interface Connection {
  /** Queues a message; dropped while the connection is down. `sent` as for a listener. */
  send(frames: Frames, sent?: () => void): void
  /** Gives the present session up, if one stands, and connects anew after a while: nothing sent before is delivered after. Tells no `down`. */
  reset(waitMs: number): void
  close(): Promise<void>
}

/** What becomes of a connection's sessions. Messages of one session arrive in order, or not at all. */
export interface ConnectionEvents {
  /** A session stands: what is sent from now on goes to one and the same peer. */
  up?(): void
  /** The session broke: whatever was sent in it may be lost, and the transport is connecting anew. */
  down?(reason: string): void
  /** Why no session stands yet, such as a refused connection or a peer of another protocol; for messages to people. */
  trouble?(reason: string): void
}

/** One to many, without answers: whoever listens too slowly misses messages. */
export interface Publisher {
  /** With the real port. */
  readonly address: string
  /** Whether anybody listens. */
  readonly wanted: boolean
  publish(topic: string, text: string): void
  close(): Promise<void>
}

export interface Transport {
  /** @throws UNAVAILABLE with reason ADDRESS_IN_USE, INVALID_ARGUMENT for a bad address. */
  listen(address: string, onMessage: (peer: string, frames: Uint8Array[]) => void): Promise<Listener>
  /** Connects in the background and reconnects for ever; messages may be lost when the peer goes away. */
  connect(address: string, onMessage: (frames: Uint8Array[]) => void, events?: ConnectionEvents): Connection
  /** Absent where nobody outside of the process could listen. @throws as `listen` */
  publish?(address: string): Promise<Publisher>
}
