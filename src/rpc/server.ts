/**
 * Serves the handlers of several contracts on one listener. A message of a client is decoded, checked and dispatched call
 * by call; replies that are ready by its end go back as one message, later ones together at the end of the turn.
 */
import {
  AlluxioError,
  type Cancel,
  every,
  isAlluxioError,
  type Log,
  type Metrics,
  type Runtime,
  sleep,
} from '../core/index.ts'
import * as wire from './codec.ts'
import type { Contract, DownloadItem, Handlers } from './contract.ts'
import { encodeError } from './error-body.ts'
import {
  type ClientHello,
  type ContractVersion,
  checkVersions,
  clientHello,
  type ServerHello,
  serverHello,
  versionOf,
} from './hello.ts'
import { Reader } from './message-pack.ts'
import { Replies } from './replies.ts'
import { codecOf } from './schema-codec.ts'
import { DownloadCall, type ServedMethod, ServerCall, UploadCall } from './server-call.ts'
import { ServerMetrics } from './server-metrics.ts'
import { ServerPeer } from './server-peer.ts'
import type { Listener, Transport } from './transport/transport.ts'
import { Wheel } from './wheel.ts'

export interface RpcServerOptions {
  /** The daemon, for metrics' names and messages. @default server */
  readonly name?: string
  /** Calls that one client may have open; more are refused with RESOURCE_EXHAUSTED. @default 20000 */
  readonly maxCallsPerPeer?: number
  /** Clients; more are refused with RESOURCE_EXHAUSTED. @default 20000 */
  readonly maxPeers?: number
  /** Bytes that one client may leave unread before its calls are refused. @default 2 GiB */
  readonly maxUnreadBytes?: number
  /** Bytes of an upload that a client may send ahead of its handler. @default 8 MiB */
  readonly windowBytes?: number
  /** Silence after which a client is held for dead, milliseconds. @default 20000 */
  readonly peerTimeoutMs?: number
  /** Milliseconds that close waits for running calls. @default 2000 */
  readonly drainMs?: number
  readonly limits?: wire.MessageLimits
  /** A broken invariant in a handler. @default throws it to the process from a turn of its own */
  readonly onFatal?: (error: unknown) => void
}

export interface RpcServerModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics?: Metrics
}

const UNKNOWN_PEER = { id: '', user: '', host: '', clientId: '' } as const

export class RpcServer {
  readonly #options: Required<Omit<RpcServerOptions, 'onFatal'>>
  readonly #onFatal: (error: unknown) => void
  readonly #runtime: Runtime
  readonly #log: Log
  readonly #wheel: Wheel
  readonly #served = new Map<number, ServedMethod>()
  readonly #contracts: ContractVersion[] = []
  readonly #peers = new Map<string, ServerPeer>()
  readonly #inbox: wire.Inbox
  readonly #reader = new Reader()
  readonly #serverId: string
  readonly #metrics: ServerMetrics
  readonly #replies: Replies
  #listener: Listener | undefined
  #draining = false
  #closed: Promise<void> | undefined
  #stopSweep: Cancel = () => {}

  constructor(options: RpcServerOptions, modules: RpcServerModules) {
    this.#options = {
      name: options.name ?? 'server',
      maxCallsPerPeer: options.maxCallsPerPeer ?? 20_000,
      maxPeers: options.maxPeers ?? 20_000,
      maxUnreadBytes: options.maxUnreadBytes ?? 2 * 2 ** 30,
      windowBytes: options.windowBytes ?? 8 * 2 ** 20,
      peerTimeoutMs: options.peerTimeoutMs ?? 20_000,
      drainMs: options.drainMs ?? 2000,
      limits: options.limits ?? wire.MESSAGE_LIMITS,
    }
    this.#runtime = modules.runtime
    this.#log = modules.log
    this.#onFatal =
      options.onFatal ??
      ((error) =>
        modules.runtime.defer(() => {
          throw error
        }))
    this.#wheel = new Wheel({}, modules)
    this.#inbox = new wire.Inbox(this.#options.limits)
    this.#serverId = Buffer.from(modules.runtime.randomBytes(new Uint8Array(8))).toString('hex')
    this.#metrics = new ServerMetrics(this.#options.name, modules.metrics, () => this.#peers.size)
    this.#replies = new Replies(this.#options.limits, {
      runtime: modules.runtime,
      log: modules.log,
      metrics: this.#metrics,
      wheel: this.#wheel,
      send: (peer, frames, sent) => this.#listener?.send(peer, frames, sent),
      onFatal: this.#onFatal,
    })
  }

  /** Serves a contract. Before `listen`. @throws INVALID_ARGUMENT when a handler is missing. */
  serve<C extends Contract>(contract: C, handlers: Handlers<C>): void {
    this.#contracts.push(versionOf(contract))
    for (const [key, method] of Object.entries(contract.methods)) {
      const name = `${contract.name}.${key}`
      const handler = (handlers as Record<string, unknown>)[key]
      if (typeof handler !== 'function') {
        throw new AlluxioError('INVALID_ARGUMENT', `${name} has no handler`)
      }
      this.#served.set((contract.id << 16) | method.id, {
        name,
        contractId: contract.id,
        method,
        request: codecOf(method.request, `${name} request`),
        response: method.kind === 'download' ? undefined : codecOf(method.response, `${name} response`),
        item: method.kind === 'unary' ? undefined : codecOf(method.item, `${name} item`),
        handler: handler.bind(handlers) as ServedMethod['handler'],
        ...this.#metrics.of(name),
      })
    }
  }

  /** @throws UNAVAILABLE with reason ADDRESS_IN_USE, INVALID_ARGUMENT for an address that may not be bound. */
  async listen(transport: Transport, address: string): Promise<Listener> {
    this.#listener = await transport.listen(address, (peer, frames) => this.#receive(peer, frames))
    this.#stopSweep = every(
      this.#runtime,
      this.#options.peerTimeoutMs / 4,
      () => this.#sweep(),
      (error) => this.#onFatal(error),
    )
    return this.#listener
  }

  /** The address with the real port. */
  get address(): string {
    return this.#listener?.address ?? ''
  }

  /** Refuses new calls, waits for the running ones at most `drainMs`, tells the clients, and stops listening. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#draining = true
    this.#stopSweep()
    for (let waited = 0; waited < this.#options.drainMs && this.#waitsForCalls(); waited += 20) {
      await sleep(this.#runtime, 20)
    }
    const reason = new AlluxioError('UNAVAILABLE', 'the server is shutting down', { reason: 'SHUTTING_DOWN' })
    for (const peer of [...this.#peers.values()]) {
      for (const call of [...peer.calls.values()]) {
        if (!call.done) this.#replies.sendError(call, reason)
        call.abort(reason)
      }
      peer.outbox.signal(wire.GOODBYE, 0, 0)
      this.#replies.flush(peer)
      peer.gone = true
    }
    this.#peers.clear()
    this.#wheel.stop()
    await this.#listener?.close()
  }

  /** Endless downloads, which carry no deadline, are not waited for. */
  #waitsForCalls(): boolean {
    for (const peer of this.#peers.values()) {
      for (const { done, method } of peer.calls.values())
        if (!done && (method.method.kind !== 'download' || method.method.deadlineMs > 0)) return true
    }
    return false
  }

  #receive(peerId: string, frames: Uint8Array[]): void {
    const inbox = this.#inbox
    try {
      inbox.open(frames)
      let peer = this.#peers.get(peerId)
      if (peer !== undefined) {
        peer.received = (peer.received + 1) >>> 0
        peer.lastHeardMs = this.#runtime.monotonic()
        peer.acknowledge(inbox.acknowledged)
      }
      while (inbox.next()) {
        if (inbox.kind === wire.HELLO) peer = this.#hello(peerId, peer)
        else if (peer === undefined) {
          this.#strange(peerId)
          return
        } else this.#dispatch(peer)
        if (peer === undefined) return
      }
      if (peer !== undefined && !peer.outbox.empty && peer.calls.size === 0) this.#replies.flush(peer)
    } catch (error) {
      if (!isAlluxioError(error)) {
        this.#onFatal(error)
        return
      }
      // Not one of ours, or one of ours gone mad: either way nothing that it says can be answered.
      this.#metrics.malformed.add()
      this.#log.debug('a message was refused', { peer: peerId, error })
    } finally {
      inbox.close()
    }
  }

  /** A client that this process does not know (any more) must start over. */
  #strange(peerId: string): void {
    const outbox = new wire.Outbox(256)
    outbox.signal(wire.GOODBYE, 0, 0)
    this.#listener?.send(peerId, outbox.take(0))
  }

  #hello(peerId: string, known: ServerPeer | undefined): ServerPeer | undefined {
    const now = this.#runtime.monotonic()
    let peer = known
    try {
      const hello = clientHello.decode(this.#inbox.body(this.#reader)) as ClientHello
      clientHello.check(hello)
      checkVersions(hello.contracts, this.#contracts)
      if (known === undefined) peer = this.#admit(peerId, hello, now)
      const reply: ServerHello = {
        serverId: this.#serverId,
        windowBytes: this.#options.windowBytes,
        bodyBytes: this.#options.limits.bodyBytes,
        payloadBytes: this.#options.limits.payloadBytes,
        contracts: this.#contracts,
      }
      peer!.outbox.add(
        wire.HELLO,
        0,
        0,
        0,
        0,
        0,
        0,
        serverHello.encode,
        reply,
        undefined,
        wire.MESSAGE_LIMITS,
      )
      this.#replies.soon(peer!)
      return peer
    } catch (error) {
      this.#log.warn('a client was refused', { peer: peerId, error })
      const to = peer ?? new ServerPeer(UNKNOWN_PEER, now)
      to.outbox.add(
        wire.HELLO,
        wire.FLAG_ERROR,
        0,
        0,
        0,
        0,
        0,
        encodeError,
        error,
        undefined,
        wire.MESSAGE_LIMITS,
      )
      this.#listener?.send(peerId, to.take().frames)
      return peer
    }
  }

  #admit(peerId: string, hello: ClientHello, now: number): ServerPeer {
    if (this.#draining) {
      throw new AlluxioError('UNAVAILABLE', 'the server is shutting down', { reason: 'SHUTTING_DOWN' })
    }
    if (this.#peers.size >= this.#options.maxPeers) {
      throw new AlluxioError(
        'RESOURCE_EXHAUSTED',
        `the server has its ${this.#options.maxPeers} clients already`,
      )
    }
    const { user, host, clientId } = hello
    const peer = new ServerPeer({ id: peerId, user, host, clientId }, now)
    peer.received = 1
    this.#peers.set(peerId, peer)
    return peer
  }

  #dispatch(peer: ServerPeer): void {
    const inbox = this.#inbox
    switch (inbox.kind) {
      case wire.CALL:
        this.#call(peer)
        return
      case wire.ITEM:
        this.#item(peer)
        return
      case wire.END: {
        const call = peer.calls.get(inbox.callId)
        if (call instanceof UploadCall) call.end()
        return
      }
      case wire.CREDIT: {
        const call = peer.calls.get(inbox.callId)
        if (call instanceof DownloadCall) call.grant(inbox.credit)
        return
      }
      case wire.CANCEL:
        this.#cancel(peer)
        return
      case wire.PING:
        peer.outbox.signal(wire.PONG, 0, 0)
        this.#replies.soon(peer)
        return
      case wire.GOODBYE:
        this.#forget(peer, 'the client said goodbye')
        return
      default:
        throw new AlluxioError('INVALID_ARGUMENT', `a client sent a head of kind ${inbox.kind}`, {
          reason: 'MALFORMED',
        })
    }
  }

  #call(peer: ServerPeer): void {
    const inbox = this.#inbox
    const method = this.#served.get((inbox.contract << 16) | inbox.method)
    const startedMs = peer.lastHeardMs
    let request: unknown
    try {
      if (method === undefined) this.#unknownMethod()
      if (this.#draining) {
        throw new AlluxioError('UNAVAILABLE', 'the server is shutting down', { reason: 'SHUTTING_DOWN' })
      }
      if (
        peer.calls.size >= this.#options.maxCallsPerPeer ||
        peer.unacknowledgedBytes > this.#options.maxUnreadBytes
      ) {
        throw new AlluxioError(
          'RESOURCE_EXHAUSTED',
          `too much at once: ${peer.calls.size} open calls and ${peer.unacknowledgedBytes} unread bytes of this client; read replies before calling again`,
          { reason: 'TOO_MANY_CALLS' },
        )
      }
      request = method.request.decode(inbox.body(this.#reader))
      method.request.check(request)
    } catch (error) {
      this.#replies.refuse(peer, inbox.callId, error, method?.name)
      return
    }
    this.#run(peer, method, request, inbox.callId, inbox.payload, inbox.deadlineMs, inbox.credit, startedMs)
  }

  #run(
    peer: ServerPeer,
    method: ServedMethod,
    request: unknown,
    callId: number,
    payload: Buffer | undefined,
    deadlineMs: number,
    credit: number,
    startedMs: number,
  ): void {
    method.calls.add()
    if (method.method.kind === 'unary') {
      const call = new ServerCall(this.#replies, peer, method, callId, startedMs, payload)
      let result: unknown
      try {
        result = method.handler(request, call)
      } catch (error) {
        this.#replies.fail(call, error)
        return
      }
      if (!isPromise(result)) {
        this.#replies.reply(call, result)
        return
      }
      this.#open(call, deadlineMs)
      result.then(
        (value) => this.#replies.reply(call, value),
        (error) => this.#replies.fail(call, error),
      )
    } else if (method.method.kind === 'download') {
      const call = new DownloadCall(this.#replies, peer, method, callId, startedMs, payload)
      this.#open(call, 0)
      let items: AsyncIterable<DownloadItem<unknown>>
      try {
        items = method.handler(request, call) as AsyncIterable<DownloadItem<unknown>>
      } catch (error) {
        this.#replies.fail(call, error)
        return
      }
      void call.run(items, credit, deadlineMs)
    } else {
      const call = new UploadCall(
        this.#replies,
        peer,
        method,
        callId,
        startedMs,
        payload,
        this.#options.windowBytes,
      )
      this.#open(call, 0)
      // The handler is called within a promise chain, so that a throw before its first await is a rejection too.
      Promise.resolve()
        .then(() => method.handler(request, call, call))
        .then(
          (value) => this.#replies.reply(call, value),
          (error) => this.#replies.fail(call, error),
        )
    }
  }

  #open(call: ServerCall, deadlineMs: number): void {
    call.connection.calls.set(call.id, call)
    if (deadlineMs > 0) this.#wheel.set(call, deadlineMs)
  }

  #unknownMethod(): never {
    const { contract, method } = this.#inbox
    const name = this.#contracts.find((c) => c.id === contract)?.name ?? `contract ${contract}`
    throw new AlluxioError('UNSUPPORTED', `${name} has no method ${method} on this server: upgrade it`, {
      reason: 'METHOD_UNKNOWN',
    })
  }

  #item(peer: ServerPeer): void {
    const inbox = this.#inbox
    const call = peer.calls.get(inbox.callId)
    // Items of an upload that was answered or cancelled meanwhile are still on their way: nobody wants them.
    if (!(call instanceof UploadCall) || call.done) return
    try {
      const codec = call.method.item!
      const item = codec.decode(inbox.body(this.#reader))
      codec.check(item)
      call.push(inbox.payload === undefined ? { item } : { item, payload: inbox.payload }, inbox.bodyBytes)
    } catch (error) {
      const reason = error as AlluxioError
      this.#replies.sendError(call, reason)
      call.abort(reason)
    }
  }

  #cancel(peer: ServerPeer): void {
    const call = peer.calls.get(this.#inbox.callId)
    if (call === undefined || call.done) return
    call.abort(new AlluxioError('CANCELLED', `${call.method.name} was cancelled by the client`))
    if (call instanceof DownloadCall) peer.calls.delete(call.id)
  }

  #forget(peer: ServerPeer, why: string): void {
    this.#peers.delete(peer.peer.id)
    peer.gone = true
    peer.abortAll(new AlluxioError('CANCELLED', `${why}: ${peer.peer.clientId} on ${peer.peer.host}`))
  }

  #sweep(): void {
    const now = this.#runtime.monotonic()
    for (const peer of [...this.#peers.values()]) {
      const silentMs = now - peer.lastHeardMs
      if (silentMs > this.#options.peerTimeoutMs) this.#forget(peer, `silent for ${Math.round(silentMs)} ms`)
      else if (peer.outbox.empty) peer.outbox.writer.release()
    }
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}
