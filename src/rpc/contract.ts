/**
 * The contract DSL: each method of a service is stated once, here and nowhere else. Client, server interface, validation,
 * lock file and reference docs come from it.
 *
 * On the wire an object is a MessagePack array of its properties in the order of the schema; an optional property that is
 * absent is nil. Within a version properties are only added at the end, and must be optional.
 */
import type { Static, TObject, TSchema } from '@sinclair/typebox'

interface MethodBase {
  /** Number on the wire, unique in its contract, never reused. */
  readonly id: number
  readonly doc: string
  /** Whether the client may send it again after a lost connection without asking. */
  readonly idempotent: boolean
  /**
   * Default deadline in milliseconds; for streams: between two items. 0: none, the call lasts as long as its session, which
   * heartbeats watch over: for work whose end depends on an under-store, which the server bounds itself.
   */
  readonly deadlineMs: number
  readonly request: TObject
}

/** One request, one response. Either may carry one payload frame. */
export interface UnaryMethod extends MethodBase {
  readonly kind: 'unary'
  readonly response: TObject
}

/** One request, a stream of items from server to client; each item may carry one payload frame. */
export interface DownloadMethod extends MethodBase {
  readonly kind: 'download'
  readonly item: TObject
}

/** One request, a stream of items from client to server, one response. */
export interface UploadMethod extends MethodBase {
  readonly kind: 'upload'
  readonly item: TObject
  readonly response: TObject
}

export type Method = UnaryMethod | DownloadMethod | UploadMethod
export type Methods = Readonly<Record<string, Method>>

export interface Contract<M extends Methods = Methods> {
  readonly name: string
  /** Number of the contract on the wire, below 256. */
  readonly id: number
  readonly version: number
  readonly methods: M
}

export function contract<const M extends Methods>(spec: Contract<M>): Contract<M> {
  return spec
}

type Spec<K extends Method['kind']> = Omit<Extract<Method, { kind: K }>, 'kind'>

export function unary<const S extends Spec<'unary'>>(spec: S): S & { readonly kind: 'unary' } {
  return { ...spec, kind: 'unary' }
}
export function download<const S extends Spec<'download'>>(spec: S): S & { readonly kind: 'download' } {
  return { ...spec, kind: 'download' }
}
export function upload<const S extends Spec<'upload'>>(spec: S): S & { readonly kind: 'upload' } {
  return { ...spec, kind: 'upload' }
}

/** The TypeScript type of a schema; `S` is a TypeBox schema. */
export type Infer<S extends TSchema> = Static<S>

/** An item of a stream with the frame that came with it. A received payload is the frame itself, never a copy. */
export interface Item<I> {
  readonly item: I
  readonly payload?: Uint8Array
}

/** A unary response with a payload frame; a handler without payload returns the response alone. */
export class WithPayload<R> {
  readonly response: R
  readonly payload: Uint8Array
  /** Called when the transport no longer needs the payload's memory (a map may be released). */
  readonly release: (() => void) | undefined
  constructor(response: R, payload: Uint8Array, release?: () => void) {
    this.response = response
    this.payload = payload
    this.release = release
  }
}

/** Who calls, as the connection's hello said. */
export interface Peer {
  /** Unique for a connection of the transport. */
  readonly id: string
  readonly user: string
  readonly host: string
  readonly clientId: string
}

/** What a handler knows about the call that it serves. */
export interface Call {
  readonly peer: Peer
  /** Aborts on cancel, deadline, lost peer or shutdown. */
  readonly signal: AbortSignal
  /** The request's payload frame, if one came. */
  readonly payload: Uint8Array | undefined
}

/** What a service implements for a contract. Plain return values take a path without promises. */
export type Handlers<C extends Contract> = {
  readonly [K in keyof C['methods']]: C['methods'][K] extends UnaryMethod
    ? (
        request: Infer<C['methods'][K]['request']>,
        call: Call,
      ) => MaybePromise<Reply<Infer<C['methods'][K]['response']>>>
    : C['methods'][K] extends DownloadMethod
      ? (
          request: Infer<C['methods'][K]['request']>,
          call: Call,
        ) => AsyncIterable<DownloadItem<Infer<C['methods'][K]['item']>>>
      : C['methods'][K] extends UploadMethod
        ? (
            request: Infer<C['methods'][K]['request']>,
            items: AsyncIterable<Item<Infer<C['methods'][K]['item']>>>,
            call: Call,
          ) => Promise<Infer<C['methods'][K]['response']>>
        : never
}
export type MaybePromise<T> = T | Promise<T>
export type Reply<R> = R | WithPayload<R>
/** What a download handler yields. `release` is called when the transport no longer needs the payload's memory. */
export interface DownloadItem<I> extends Item<I> {
  readonly release?: () => void
}

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly deadlineMs?: number
  readonly payload?: Uint8Array
}

/** Client side of an upload. `write` resolves when the item is queued within the peer's credits; the payload's bytes must not change until `finish` resolves. */
export interface UploadStream<I, R> {
  write(item: I, payload?: Uint8Array): Promise<void>
  /** Ends the stream and resolves with the server's response. */
  finish(): Promise<R>
  abort(reason: unknown): void
}

/** What a client gets from a contract. */
export type Client<C extends Contract> = {
  readonly [K in keyof C['methods']]: C['methods'][K] extends UnaryMethod
    ? (
        request: Infer<C['methods'][K]['request']>,
        options?: CallOptions,
      ) => Promise<Infer<C['methods'][K]['response']> & { readonly payload?: Uint8Array }>
    : C['methods'][K] extends DownloadMethod
      ? (
          request: Infer<C['methods'][K]['request']>,
          options?: CallOptions,
        ) => AsyncIterableIterator<Item<Infer<C['methods'][K]['item']>>>
      : C['methods'][K] extends UploadMethod
        ? (
            request: Infer<C['methods'][K]['request']>,
            options?: CallOptions,
          ) => UploadStream<Infer<C['methods'][K]['item']>, Infer<C['methods'][K]['response']>>
        : never
}
