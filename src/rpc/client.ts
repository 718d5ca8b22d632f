/**
 * A connection to one server and the typed clients of its contracts. Calls that one turn of the event loop makes go out
 * as one message; a call that is alone goes out at once.
 *
 * A session ends when the transport says so, or after heartbeats went unanswered. Then idempotent calls wait for the next
 * session until their deadline and are sent again, as `repeats.ts` paces it; everything else fails with UNAVAILABLE.
 */
import { AlluxioError, type Cancel, isAlluxioError, type Log, type Runtime } from '../core/index.ts'
import { type ClientCall, DownloadCall, UnaryCall, UploadCall } from './client-call.ts'
import * as wire from './codec.ts'
import type { Client, Contract } from './contract.ts'
import { decodeError } from './error-body.ts'
import {
  type ClientHello,
  type ContractVersion,
  clientHello,
  type ServerHello,
  serverHello,
  versionOf,
} from './hello.ts'
import { Reader } from './message-pack.ts'
import { Repeats } from './repeats.ts'
import type { Connection, Transport } from './transport/transport.ts'
import { type CallStarter, typedClient } from './typed-client.ts'
import { Wheel } from './wheel.ts'

export interface RpcConnectionOptions {
  /** `tcp://HOST:PORT`. */
  readonly address: string
  readonly user: string
  /** This host as locality knows it. */
  readonly host: string
  /** Names the client in the server's logs; unique for a process. */
  readonly clientId: string
  /** What is at the address, for messages to people, such as `master`. @default server */
  readonly peer?: string
  /** Milliseconds that calls wait for a session before they fail with UNAVAILABLE. @default 5000 */
  readonly connectTimeoutMs?: number
  /** Milliseconds of silence before a heartbeat. @default 2000 */
  readonly heartbeatMs?: number
  /** Heartbeats without answer after which the session is given up. @default 4 */
  readonly heartbeatMisses?: number
  /** Bytes that one download may receive ahead of its consumer: what hides the latency of granting more. @default 16 MiB */
  readonly windowBytes?: number
  /** Calls that are alone wait for the end of the turn as well: others may come from other sockets. @default false */
  readonly gathers?: boolean
}

export interface RpcConnectionModules {
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
}

/** Connects in the background; calls wait for the session. */
export function connectRpc(options: RpcConnectionOptions, modules: RpcConnectionModules): RpcConnection {
  return new RpcConnection(options, modules)
}

const SLAB_BYTES = 64 * 1024
/** Milliseconds of a session after which its end is a new trouble, not more of the old one. */
const CALM_MS = 10_000

export class RpcConnection implements CallStarter {
  readonly windowBytes: number
  readonly #options: Required<RpcConnectionOptions>
  readonly #runtime: Runtime
  readonly #log: Log
  readonly #transport: Connection
  readonly #wheel: Wheel
  readonly #outbox = new wire.Outbox(SLAB_BYTES)
  readonly #inbox = new wire.Inbox(wire.MESSAGE_LIMITS)
  readonly #reader = new Reader()
  readonly #calls = new Map<number, ClientCall>()
  readonly #repeats: Repeats<ClientCall>
  readonly #contracts = new Map<number, ContractVersion>()
  readonly #clients = new Map<Contract, unknown>()
  #limits = wire.MESSAGE_LIMITS
  #uploadWindowBytes = 0
  #nextId = 1
  /** Messages that came in this session. */
  #received = 0
  #heard = true
  #misses = 0
  /** The transport has a session. */
  #up = false
  /** The server has answered our hello. */
  #welcome = false
  #welcomeMs = 0
  #refusal: AlluxioError | undefined
  #trouble = 'nobody has answered'
  #scheduled = false
  #closed = false
  #stopHeartbeat: Cancel = () => {}
  /** Who waits for a session, see `reach`. */
  readonly #reaching = new Set<() => void>()

  constructor(options: RpcConnectionOptions, modules: RpcConnectionModules) {
    this.#options = {
      peer: 'server',
      connectTimeoutMs: 5000,
      heartbeatMs: 2000,
      heartbeatMisses: 4,
      windowBytes: 16 * 2 ** 20,
      gathers: false,
      ...options,
    }
    this.windowBytes = this.#options.windowBytes
    this.#runtime = modules.runtime
    this.#log = modules.log
    this.#wheel = new Wheel({}, modules)
    this.#repeats = new Repeats({}, { runtime: modules.runtime, send: (call) => this.#send(call) })
    this.#transport = modules.transport.connect(options.address, (frames) => this.#receive(frames), {
      up: () => this.#onUp(),
      down: (reason) => {
        const wait = this.#lost(reason)
        if (wait > 0) this.#transport.reset(wait)
      },
      trouble: (reason) => {
        this.#trouble = reason
      },
    })
    this.#beat()
  }

  get address(): string {
    return this.#options.address
  }

  /** Whether a session stands and the server has accepted it. */
  get connected(): boolean {
    return this.#welcome
  }

  /** Undefined while a session stands; else resolves when one does. @throws UNAVAILABLE reason NOT_REACHABLE after `ms` */
  reach(ms: number): Promise<void> | undefined {
    // A server that refuses us answers each call by itself.
    if (this.#welcome || this.#refusal !== undefined) return undefined
    return new Promise((resolve, reject) => {
      const settle = () => {
        cancel()
        this.#reaching.delete(settle)
        if (this.#welcome || this.#refusal !== undefined) resolve()
        else reject(this.#unreachable('waiting'))
      }
      const cancel = this.#runtime.after(ms, settle, true)
      this.#reaching.add(settle)
      if (this.#closed) settle()
    })
  }

  /** The typed client of a contract. */
  client<C extends Contract>(contract: C): Client<C> {
    let client = this.#clients.get(contract)
    if (client === undefined) {
      client = typedClient(contract, this)
      this.#clients.set(contract, client)
      this.#contracts.set(contract.id, versionOf(contract))
      if (this.#up) this.#hello()
    }
    return client as Client<C>
  }

  /** Fails what is open with CANCELLED and says goodbye. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stopHeartbeat()
    this.#repeats.clear()
    const error = new AlluxioError('CANCELLED', `the connection to ${this.#options.address} was closed`)
    for (const call of [...this.#calls.values()]) this.#finish(call, error)
    for (const settle of [...this.#reaching]) settle()
    this.#wheel.stop()
    if (this.#up) {
      this.#outbox.signal(wire.GOODBYE, 0, 0)
      this.#flush()
    }
    await this.#transport.close()
  }

  start(call: ClientCall): void {
    if (!call.watch()) return
    if (this.#closed || this.#refusal !== undefined) {
      call.done = true
      call.unwatch()
      call.fail(this.#refusal ?? new AlluxioError('CANCELLED', 'the connection was closed'))
      return
    }
    do {
      call.id = this.#nextId
      this.#nextId = (this.#nextId + 1) >>> 0
    } while (this.#calls.has(call.id))
    this.#calls.set(call.id, call)
    if (call instanceof UnaryCall && call.deadlineMs > 0) {
      call.expiresMs = this.#runtime.monotonic() + call.deadlineMs
    }
    if (this.#up) this.#send(call)
    if (!call.done) this.#setDeadline(call)
  }

  /** A call waits for its own deadline, and while there is no session not longer than the connection may take. */
  #setDeadline(call: ClientCall): void {
    if (this.#welcome && call.expiresMs === Number.POSITIVE_INFINITY) return
    let ms = call.expiresMs === Number.POSITIVE_INFINITY ? call.expiresMs : call.deadlineMs
    if (!this.#welcome) ms = Math.min(ms, this.#options.connectTimeoutMs)
    this.#wheel.set(call, ms)
  }

  #send(call: ClientCall): void {
    const { method } = call
    let deadlineMs = call.deadlineMs
    if (call.sent && call.expiresMs !== Number.POSITIVE_INFINITY) {
      deadlineMs = Math.max(1, Math.floor(call.expiresMs - this.#runtime.monotonic()))
    }
    try {
      this.#outbox.add(
        wire.CALL,
        0,
        method.contractId,
        method.method.id,
        call.id,
        deadlineMs,
        call.firstCredit,
        method.request.encode,
        call.request,
        call.payload,
        this.#limits,
      )
    } catch (error) {
      this.#finish(call, error)
      return
    }
    call.sent = true
    if (this.#welcome && call instanceof UploadCall) call.grant(this.#uploadWindowBytes)
    this.#soon()
  }

  #onUp(): void {
    this.#up = true
    this.#received = 0
    this.#heard = true
    this.#misses = 0
    this.#refusal = undefined
    this.#outbox.clear()
    this.#hello()
    for (const call of [...this.#calls.values()]) {
      if (call.sent) this.#repeats.add(call)
      else this.#send(call)
    }
  }

  #hello(): void {
    const { user, host, clientId } = this.#options
    const hello: ClientHello = { user, host, clientId, contracts: [...this.#contracts.values()] }
    this.#outbox.add(wire.HELLO, 0, 0, 0, 0, 0, 0, clientHello.encode, hello, undefined, wire.MESSAGE_LIMITS)
    this.#soon()
  }

  #receive(frames: Uint8Array[]): void {
    if (!this.#up || this.#closed) return
    this.#received = (this.#received + 1) >>> 0
    this.#heard = true
    const inbox = this.#inbox
    try {
      inbox.open(frames)
      while (inbox.next()) this.#dispatch()
    } catch (error) {
      if (!isAlluxioError(error)) throw error
      this.#log.warn('a server sent what is not of this protocol', { address: this.#options.address, error })
      this.#trouble = error.message
      this.#abandon(error.message)
    } finally {
      inbox.close()
    }
  }

  #dispatch(): void {
    const inbox = this.#inbox
    switch (inbox.kind) {
      case wire.HELLO:
        this.#welcomed()
        return
      case wire.GOODBYE:
        this.#abandon('the server ended the session')
        return
      case wire.PONG:
        return
      case wire.PING:
        this.#outbox.signal(wire.PONG, 0, 0)
        this.#soon()
        return
    }
    const call = this.#calls.get(inbox.callId)
    // What comes for a call that has ended here meanwhile is of no use.
    if (call === undefined) return
    if (inbox.kind === wire.REPLY) this.#reply(call)
    else if (inbox.kind === wire.ITEM && call instanceof DownloadCall) this.#itemCame(call)
    else if (inbox.kind === wire.CREDIT && call instanceof UploadCall) call.grant(inbox.credit)
    else throw new AlluxioError('INVALID_ARGUMENT', `a head of kind ${inbox.kind} has no place here`)
  }

  #reply(call: ClientCall): void {
    const inbox = this.#inbox
    const { name, response } = call.method
    if ((inbox.flags & wire.FLAG_ERROR) !== 0) {
      const error = decodeError(inbox.body(this.#reader), name)
      // Refused before it began: it may wait for the server that comes after this one.
      if (error.reason === 'SHUTTING_DOWN' && call.repeatable) {
        this.#postpone(call)
        return
      }
      if (error.reason === 'TOO_MANY_CALLS' && call.repeatable) {
        this.#repeats.failed()
        this.#repeats.add(call)
        return
      }
      this.#finish(call, error)
      return
    }
    let value: unknown
    if (response !== undefined) {
      try {
        value = response.decode(inbox.body(this.#reader))
      } catch (error) {
        this.#finish(call, error)
        return
      }
      if (inbox.payload !== undefined) (value as { payload?: Uint8Array }).payload = inbox.payload
    }
    this.#end(call)
    this.#repeats.succeeded()
    call.succeed(value)
  }

  #itemCame(call: DownloadCall): void {
    const inbox = this.#inbox
    let item: unknown
    try {
      item = call.method.item!.decode(inbox.body(this.#reader))
    } catch (error) {
      this.cancel(call, error)
      return
    }
    call.push(inbox.payload === undefined ? { item } : { item, payload: inbox.payload }, inbox.bodyBytes)
  }

  #welcomed(): void {
    const inbox = this.#inbox
    if ((inbox.flags & wire.FLAG_ERROR) !== 0) {
      this.#refused(decodeError(inbox.body(this.#reader), 'hello'))
      return
    }
    const hello = serverHello.decode(inbox.body(this.#reader)) as ServerHello
    serverHello.check(hello)
    if (this.#welcome) return
    this.#welcome = true
    this.#welcomeMs = this.#runtime.monotonic()
    this.#uploadWindowBytes = hello.windowBytes
    this.#limits = { ...wire.MESSAGE_LIMITS, bodyBytes: hello.bodyBytes, payloadBytes: hello.payloadBytes }
    const now = this.#runtime.monotonic()
    for (const call of this.#calls.values()) {
      this.#wheel.clear(call)
      if (call.expiresMs === Number.POSITIVE_INFINITY) call.restart()
      else this.#wheel.set(call, Math.max(0, call.expiresMs - now))
      if (call instanceof UploadCall && call.sent) call.grant(hello.windowBytes)
    }
    for (const settle of [...this.#reaching]) settle()
  }

  #refused(error: AlluxioError): void {
    if (error.code === 'UNAVAILABLE' || error.code === 'RESOURCE_EXHAUSTED') {
      this.#abandon(error.message)
      return
    }
    const refusal = new AlluxioError(error.code, `${this.#options.address}: ${error.message}`, {
      ...(error.reason === undefined ? {} : { reason: error.reason }),
      details: error.details,
    })
    this.#refusal = refusal
    for (const call of [...this.#calls.values()]) this.#finish(call, refusal)
    for (const settle of [...this.#reaching]) settle()
  }

  /** Gives the session up from this side. */
  #abandon(reason: string): void {
    if (this.#closed) return
    const wait = this.#up ? this.#lost(reason) : this.#repeats.failed()
    this.#transport.reset(wait)
  }

  /** Returns the milliseconds that the next session should be away. */
  #lost(reason: string): number {
    const now = this.#runtime.monotonic()
    if (this.#welcome && now - this.#welcomeMs > CALM_MS) this.#repeats.calm()
    this.#up = false
    this.#welcome = false
    this.#trouble = reason
    this.#outbox.clear()
    this.#repeats.clear()
    if (this.#closed) return 0
    this.#log.debug('the session was lost', { address: this.#options.address, reason })
    for (const call of [...this.#calls.values()]) {
      if (call.repeatable || !call.sent) this.#postpone(call)
      else {
        this.#finish(
          call,
          new AlluxioError(
            'UNAVAILABLE',
            `${call.method.name}: the ${this.#options.peer} at ${this.#options.address} went away (${reason}); whether it was done is not known`,
            { reason: 'CONNECTION_LOST' },
          ),
        )
      }
    }
    return this.#repeats.failed()
  }

  /** Keeps a call for the next session, as long as that may take. */
  #postpone(call: ClientCall): void {
    this.#wheel.clear(call)
    const left = call.expiresMs - this.#runtime.monotonic()
    this.#wheel.set(call, Math.max(0, Math.min(left, this.#options.connectTimeoutMs)))
  }

  expired(call: ClientCall): void {
    const { address, peer } = this.#options
    const { name } = call.method
    // A unary call without a deadline only ever waits for a session.
    if (!this.#welcome || (call instanceof UnaryCall && call.expiresMs === Number.POSITIVE_INFINITY)) {
      this.cancel(call, this.#unreachable(name))
      return
    }
    const left = call.expiresMs - this.#runtime.monotonic()
    if (left > 0 && left < Number.POSITIVE_INFINITY) {
      this.#wheel.set(call, left)
      return
    }
    this.cancel(
      call,
      new AlluxioError(
        'TIMEOUT',
        `${name}: the ${peer} at ${address} did not answer within ${call.deadlineMs} ms`,
        {
          details: { address },
        },
      ),
    )
  }

  #unreachable(what: string): AlluxioError {
    const { address, peer } = this.#options
    return new AlluxioError(
      'UNAVAILABLE',
      `${what}: no ${peer} answers at ${address} (${this.#trouble}): start it, or check the address in the configuration`,
      { reason: 'NOT_REACHABLE', details: { address } },
    )
  }

  cancel(call: ClientCall, error: unknown): void {
    if (call.done) return
    if (this.#up && call.sent) {
      this.#outbox.signal(wire.CANCEL, call.id, 0)
      this.#soon()
    }
    this.#finish(call, error)
  }

  credit(call: ClientCall, bytes: number): void {
    if (!this.#up) return
    this.#outbox.signal(wire.CREDIT, call.id, bytes)
    this.#soon()
  }

  item(call: UploadCall, item: unknown, payload: Uint8Array | undefined): void {
    const before = this.#outbox.bytes
    const { method } = call
    this.#outbox.add(
      wire.ITEM,
      0,
      method.contractId,
      method.method.id,
      call.id,
      0,
      0,
      method.item!.encode,
      item,
      payload,
      this.#limits,
    )
    call.spend(this.#outbox.bytes - before)
    this.#soon(false)
  }

  end(call: UploadCall): void {
    this.#outbox.signal(wire.END, call.id, 0)
    this.#soon()
  }

  arm(call: ClientCall, ms: number): void {
    if (!this.#welcome) return
    this.#wheel.clear(call)
    this.#wheel.set(call, ms)
  }

  disarm(call: ClientCall): void {
    if (this.#welcome) this.#wheel.clear(call)
  }

  #finish(call: ClientCall, error: unknown): void {
    this.#end(call)
    call.fail(error)
  }

  #end(call: ClientCall): void {
    call.done = true
    call.unwatch()
    this.#wheel.clear(call)
    this.#calls.delete(call.id)
  }

  /** A call that is alone is sent when the present code has run; several, and small items, wait for the end of the turn. */
  #soon(alone = this.#calls.size <= 1 && !this.#options.gathers): void {
    if (this.#outbox.full) {
      this.#flush()
      return
    }
    if (this.#scheduled) return
    this.#scheduled = true
    if (alone) queueMicrotask(this.#flushScheduled)
    else this.#runtime.defer(this.#flushScheduled)
  }

  readonly #flushScheduled = (): void => {
    this.#scheduled = false
    this.#flush()
  }

  #flush(): void {
    if (this.#outbox.empty || !this.#up) return
    this.#transport.send(this.#outbox.take(this.#received))
  }

  /** Heartbeats: a miss is counted once an interval, so a process that was stopped itself does not blame its peer. */
  #beat(): void {
    this.#stopHeartbeat = this.#runtime.after(
      this.#options.heartbeatMs,
      () => {
        if (this.#closed) return
        if (this.#up) this.#checkHeard()
        this.#beat()
      },
      true,
    )
  }

  #checkHeard(): void {
    if (this.#heard) this.#misses = 0
    else if (++this.#misses > this.#options.heartbeatMisses) {
      this.#abandon(`${this.#misses} heartbeats went unanswered`)
      return
    }
    this.#heard = false
    this.#outbox.signal(wire.PING, 0, 0)
    this.#soon()
  }
}
