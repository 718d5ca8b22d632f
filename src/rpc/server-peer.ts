/** One client's session as the server keeps it: who it is, its calls, and what was sent to it and not yet acknowledged. */
import type { AlluxioError } from '../core/index.ts'
import { Outbox } from './codec.ts'
import type { Peer } from './contract.ts'
import type { ServerCall } from './server-call.ts'

const SLAB_BYTES = 4096

interface SentMessage {
  readonly bytes: number
  readonly release: (() => void) | undefined
}

export class ServerPeer {
  readonly peer: Peer
  readonly outbox = new Outbox(SLAB_BYTES)
  readonly calls = new Map<number, ServerCall>()
  /** Messages that came in this session. */
  received = 0
  lastHeardMs: number
  /** Forgotten: nothing is sent to it any more. */
  gone = false
  /** Whether it stands in the server's list of peers to flush. */
  queued = false
  /** Bytes sent and not yet acknowledged: what may still wait in a socket. */
  unacknowledgedBytes = 0
  #releases: (() => void)[] = []
  #sent: SentMessage[] = []
  #firstUnacknowledged = 0

  constructor(peer: Peer, nowMs: number) {
    this.peer = peer
    this.lastHeardMs = nowMs
  }

  /** `release` is to be called when the message now being collected has left this process. */
  onReleased(release: () => void): void {
    this.#releases.push(release)
  }

  /** Takes the message to send, and a callback for the transport if anybody waits for its memory. */
  take(): { frames: Uint8Array[]; sent: (() => void) | undefined } {
    const bytes = this.outbox.bytes
    const frames = this.outbox.take(this.received)
    const release = this.#releases.length === 0 ? undefined : once(this.#releases)
    if (release !== undefined) this.#releases = []
    this.unacknowledgedBytes += bytes
    this.#sent.push({ bytes, release })
    return { frames, sent: release }
  }

  /**
   * The client has received `count` messages of this session, so their bytes have left this process: they are no longer
   * counted, and their memory is released earlier than any transport could tell.
   */
  acknowledge(count: number): void {
    const newly = (count - this.#firstUnacknowledged) >>> 0
    if (newly === 0 || newly > this.#sent.length) return
    for (const message of this.#sent.splice(0, newly)) {
      this.unacknowledgedBytes -= message.bytes
      message.release?.()
    }
    this.#firstUnacknowledged = (this.#firstUnacknowledged + newly) >>> 0
  }

  abortAll(reason: AlluxioError): void {
    for (const call of this.calls.values()) call.abort(reason)
    this.outbox.clear()
    this.outbox.writer.release()
    for (const release of this.#releases.splice(0)) release()
  }
}

/** The memory may be released by acknowledgement or by the transport, whichever comes first. */
function once(releases: readonly (() => void)[]): () => void {
  let left: readonly (() => void)[] | undefined = releases
  return () => {
    const now = left
    left = undefined
    if (now !== undefined) for (const release of now) release()
  }
}
