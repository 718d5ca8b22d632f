/** How the outcomes of calls go back: encoded, counted, collected for each client, and sent at the end of the turn. */
import { AlluxioError, AssertionFailure, errorCode, type Log, type Runtime } from '../core/index.ts'
import * as wire from './codec.ts'
import { type DownloadItem, WithPayload } from './contract.ts'
import { encodeError } from './error-body.ts'
import type { CallOwner, DownloadCall, ServerCall, UploadCall } from './server-call.ts'
import type { ServerMetrics } from './server-metrics.ts'
import type { ServerPeer } from './server-peer.ts'
import type { Frames } from './transport/transport.ts'
import type { Wheel } from './wheel.ts'

export interface RepliesModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: ServerMetrics
  readonly wheel: Wheel
  readonly send: (peer: string, frames: Frames, sent?: () => void) => void
  readonly onFatal: (error: unknown) => void
}

export class Replies implements CallOwner {
  readonly #limits: wire.MessageLimits
  readonly #runtime: Runtime
  readonly #log: Log
  readonly #metrics: ServerMetrics
  readonly #wheel: Wheel
  readonly #send: RepliesModules['send']
  readonly #onFatal: RepliesModules['onFatal']
  #dirty: ServerPeer[] = []
  #scheduled = false

  constructor(limits: wire.MessageLimits, modules: RepliesModules) {
    this.#limits = limits
    this.#runtime = modules.runtime
    this.#log = modules.log
    this.#metrics = modules.metrics
    this.#wheel = modules.wheel
    this.#send = modules.send
    this.#onFatal = modules.onFatal
  }

  reply(call: ServerCall, result: unknown): void {
    const peer = call.connection
    const withPayload = result instanceof WithPayload
    if (!this.#settle(call)) {
      if (withPayload) result.release?.()
      return
    }
    const { method } = call
    const payload = withPayload ? result.payload : undefined
    const response = withPayload ? result.response : result
    try {
      peer.outbox.add(
        wire.REPLY,
        0,
        method.contractId,
        method.method.id,
        call.id,
        0,
        0,
        method.response?.encode,
        response,
        payload,
        this.#limits,
      )
    } catch (error) {
      if (withPayload) result.release?.()
      this.refuse(peer, call.id, badResponse(error, method.name), method.name)
      return
    }
    if (withPayload && result.release !== undefined) peer.onReleased(result.release)
    this.soon(peer)
  }

  fail(call: ServerCall, error: unknown): void {
    if (error instanceof AssertionFailure) {
      this.#onFatal(error)
      return
    }
    if (this.#settle(call)) this.sendError(call, error)
  }

  item(call: DownloadCall, item: DownloadItem<unknown>): void {
    const peer = call.connection
    const { method } = call
    const before = peer.outbox.bytes
    try {
      peer.outbox.add(
        wire.ITEM,
        0,
        method.contractId,
        method.method.id,
        call.id,
        0,
        0,
        method.item!.encode,
        item.item,
        item.payload,
        this.#limits,
      )
    } catch (error) {
      item.release?.()
      call.close()
      throw badResponse(error, method.name)
    }
    if (item.release !== undefined) peer.onReleased(item.release)
    call.spend(peer.outbox.bytes - before)
    this.soon(peer)
  }

  credit(call: UploadCall, bytes: number): void {
    call.connection.outbox.signal(wire.CREDIT, call.id, bytes)
    this.soon(call.connection)
  }

  arm(call: ServerCall, ms: number): void {
    this.#wheel.set(call, ms)
  }

  disarm(call: ServerCall): void {
    this.#wheel.clear(call)
  }

  /** Ends the bookkeeping of a call; false when nobody waits for its outcome any more. */
  #settle(call: ServerCall): boolean {
    const peer = call.connection
    if (peer.calls.get(call.id) === call) peer.calls.delete(call.id)
    if (call.done) return false
    call.done = true
    this.#wheel.clear(call)
    call.method.seconds.observe((this.#runtime.monotonic() - call.startedMs) / 1000)
    return true
  }

  sendError(call: ServerCall, error: unknown): void {
    this.refuse(call.connection, call.id, error, call.method.name)
  }

  refuse(peer: ServerPeer, callId: number, error: unknown, method: string | undefined): void {
    const code = errorCode(error)
    this.#metrics.errors.with({ method: method ?? 'unknown', code }).add()
    if (code === 'INTERNAL')
      this.#log.error('a call failed by a fault of ours', { method, user: peer.peer.user, error })
    else this.#log.debug('a call failed', { method, code })
    peer.outbox.add(
      wire.REPLY,
      wire.FLAG_ERROR,
      0,
      0,
      callId,
      0,
      0,
      encodeError,
      error,
      undefined,
      wire.MESSAGE_LIMITS,
    )
    this.soon(peer)
  }

  /** Sends what is queued for a peer at the end of the turn, or at once when it is long. */
  soon(peer: ServerPeer): void {
    if (peer.outbox.full) {
      this.flush(peer)
      return
    }
    if (peer.queued) return
    peer.queued = true
    this.#dirty.push(peer)
    if (this.#scheduled) return
    this.#scheduled = true
    this.#runtime.defer(() => this.#flushAll())
  }

  #flushAll(): void {
    this.#scheduled = false
    const dirty = this.#dirty
    this.#dirty = []
    for (const peer of dirty) {
      peer.queued = false
      this.flush(peer)
    }
  }

  flush(peer: ServerPeer): void {
    if (peer.outbox.empty) return
    const { frames, sent } = peer.take()
    if (peer.gone) sent?.()
    else this.#send(peer.peer.id, frames, sent)
  }
}

function badResponse(error: unknown, method: string): AlluxioError {
  const message = error instanceof Error ? error.message : String(error)
  return new AlluxioError('INTERNAL', `${method} answered what cannot be sent: ${message}`, { cause: error })
}
