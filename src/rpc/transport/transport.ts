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
  /** Queues a message for a peer; unknown or gone peers drop it silently (ROUTER semantics). `sent` is called when the transport no longer needs the memory of the frames. */
  send(peer: string, frames: Frames, sent?: () => void): void
  /** Frames queued for a peer and not yet taken by the transport, in bytes. */
  queuedBytes(peer: string): number
  close(): Promise<void>
}

export interface Connection {
  send(frames: Frames, sent?: () => void): void
  close(): Promise<void>
}

export interface Transport {
  /** @throws UNAVAILABLE with reason ADDRESS_IN_USE, INVALID_ARGUMENT for a bad address. */
  listen(address: string, onMessage: (peer: string, frames: Uint8Array[]) => void): Promise<Listener>
  /** Connects in the background and reconnects for ever; messages may be lost when the peer goes away. */
  connect(address: string, onMessage: (frames: Uint8Array[]) => void): Connection
}
