/** The stores that a plug-in has opened, on its own side of the thread: each message becomes a call, each answer a message. */
import { resolveSecret } from '../../core/config/index.ts'
import { AlluxioError, type Log, type LogLevel, systemRuntime } from '../../core/index.ts'
import { cancelled, RetryPolicy } from '../layers/retry-policy.ts'
import type { StoreModules, UfsFactory } from '../registry.ts'
import { layerSettings } from '../settings.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { checkedFactory, checkedPage, checkedStatus, checkedStore, declaredCapabilities } from './checks.ts'
import {
  type ForeignError,
  type FromThread,
  foreignError,
  jsonOf,
  type OpenedStore,
  type ToThread,
  WINDOW_BYTES,
} from './messages.ts'
import { ThreadWriter } from './thread-writer.ts'

type Post = (message: FromThread) => void
/** What is answered with a result or an error. */
type Call = Exclude<ToThread, { kind: 'ping' | 'cancel' | 'grant' | 'write' }>
type Message<K extends ToThread['kind']> = Extract<ToThread, { kind: K }>

export class ThreadStores {
  readonly #factory: UfsFactory
  readonly #post: Post
  readonly #stores = new Map<number, UnderStore>()
  readonly #writers = new Map<number, ThreadWriter>()
  readonly #reads = new Map<number, Read>()
  /** Requests by store that the daemon has not been told of. */
  readonly #requests = new Map<number, string[]>()
  /** By the number of the call. */
  readonly #running = new Map<number, AbortController>()

  /** @throws INVALID_ARGUMENT when the module exports no factory */
  constructor(exported: unknown, post: Post) {
    this.#factory = checkedFactory(exported)
    this.#post = post
  }

  get schemes(): readonly string[] {
    return this.#factory.schemes.map(String)
  }

  receive(message: ToThread): void {
    const { kind } = message
    if (kind === 'grant') this.#reads.get(message.id)?.grant(message.bytes)
    else if (kind === 'write') this.#writers.get(message.writer)?.write(message.chunk)
    else if (kind === 'cancel') {
      this.#reads.get(message.id)?.leave()
      this.#running.get(message.id)?.abort(cancelled(undefined, 'call', ''))
    } else if (kind !== 'ping') this.#answer(message)
  }

  /** Runs a call and posts what becomes of it; never throws. */
  #answer(message: Call): void {
    const { id } = message
    const controller = new AbortController()
    this.#running.set(id, controller)
    this.#run(message, controller.signal)
      .then(
        (value): FromThread => ({ kind: 'result', id, value }),
        (error: unknown): FromThread => ({ kind: 'error', id, error: foreignError(error) }),
      )
      .then((answer) => {
        this.#tellRequests()
        this.#post(answer)
      })
      .catch((error: unknown) => this.#post({ kind: 'error', id, error: foreignError(error) }))
      .finally(() => this.#running.delete(id))
  }

  /** Before an answer, so that it is counted when the caller has it. */
  #tellRequests(): void {
    for (const [store, names] of this.#requests) this.#post({ kind: 'api', store, names })
    this.#requests.clear()
  }

  async #run(message: Call, signal: AbortSignal): Promise<unknown> {
    switch (message.kind) {
      case 'open':
        return this.#open(message)
      case 'call':
        return this.#call(message, signal)
      case 'read':
        return this.#read(message, signal)
      case 'create':
        return this.#create(message, signal)
      case 'end':
        return this.#end(message)
      case 'close':
        return this.#close(message.store)
    }
  }

  async #open({ id, scheme, uri, options }: Message<'open'>): Promise<OpenedStore> {
    if (!this.#factory.schemes.includes(scheme)) {
      throw new AlluxioError('INVALID_ARGUMENT', `serves ${this.#factory.schemes.join(', ')}, not ${scheme}`)
    }
    const opened: unknown = await this.#factory.open(uri, options, this.#modules(id, options))
    const store = checkedStore(opened)
    if (this.#running.get(id)?.signal.aborted) {
      await store.close()
      throw cancelled(undefined, 'open', uri.text)
    }
    this.#stores.set(id, store)
    return { scheme, capabilities: declaredCapabilities(store) }
  }

  #modules(store: number, options: Readonly<Record<string, string>>): StoreModules {
    const log = threadLog(store, this.#post)
    return {
      runtime: systemRuntime,
      log,
      retry: new RetryPolicy(layerSettings(options).retry, { runtime: systemRuntime, log }),
      onApiCall: (api) => {
        const names = this.#requests.get(store)
        if (names === undefined) this.#requests.set(store, [String(api)])
        else names.push(String(api))
      },
      secret: (key, text) => {
        const secret = resolveSecret(key, text)
        this.#post({ kind: 'secret', store, key, value: secret.reveal() })
        return secret
      },
    }
  }

  async #call({ store, method, args }: Message<'call'>, signal: AbortSignal): Promise<unknown> {
    const target = this.#store(store)
    const [first, second] = args as [never, never]
    switch (method) {
      case 'status':
        return checkedStatus(await target.status(first, signal), 'status')
      case 'list':
        return checkedPage(await target.list(first, { ...(second as object), signal }))
      case 'mkdir':
        await target.mkdir(first, { ...(second as object), signal })
        return undefined
      case 'delete':
        await target.delete(first, { ...(second as object), signal })
        return undefined
      case 'rename':
        await target.rename(first, second, signal)
        return undefined
      case 'setAttributes':
        await target.setAttributes(first, second, signal)
        return undefined
      case 'space': {
        const { totalBytes, usedBytes } = await target.space(signal)
        return { totalBytes: Number(totalBytes), usedBytes: Number(usedBytes) }
      }
    }
  }

  async #read(message: Message<'read'>, signal: AbortSignal): Promise<void> {
    const { id, store, path, offset, length, fingerprint } = message
    const read = new Read()
    this.#reads.set(id, read)
    try {
      await read.pump(
        this.#store(store),
        path,
        {
          offset,
          length,
          ...(fingerprint === undefined ? {} : { fingerprint }),
          onFingerprint: (value) => this.#post({ kind: 'fingerprint', id, value: String(value) }),
          signal,
        },
        (chunk) => this.#post({ kind: 'chunk', id, chunk }),
      )
    } finally {
      this.#reads.delete(id)
    }
  }

  async #create({ id, store, path, options }: Message<'create'>, signal: AbortSignal): Promise<void> {
    const writer = await this.#store(store).create(path, { ...options, signal })
    if (signal.aborted) {
      await writer.abort()
      throw cancelled(signal, 'create', path)
    }
    const tell = {
      taken: (bytes: number) => this.#post({ kind: 'taken', writer: id, bytes }),
      failed: (error: ForeignError) => this.#post({ kind: 'failed', writer: id, error }),
    }
    this.#writers.set(id, new ThreadWriter(writer, tell))
  }

  async #end({ writer: id, how }: Message<'end'>): Promise<unknown> {
    const writer = this.#writers.get(id)
    if (writer === undefined) throw new AlluxioError('CONFLICT', 'this file is not being written')
    if (how === 'abort') {
      this.#writers.delete(id)
      return writer.abort()
    }
    const status = await writer.close()
    this.#writers.delete(id)
    return checkedStatus(status, 'close')
  }

  async #close(id: number): Promise<void> {
    const store = this.#stores.get(id)
    this.#stores.delete(id)
    await store?.close()
  }

  #store(id: number): UnderStore {
    const store = this.#stores.get(id)
    if (store === undefined) throw new AlluxioError('UNAVAILABLE', 'the store is closed')
    return store
  }
}

/** One read: takes chunks from the store as far as the daemon has room. */
class Read {
  #room = WINDOW_BYTES
  #left = false
  #wake: (() => void) | undefined

  grant(bytes: number): void {
    this.#room += bytes
    this.#wake?.()
  }

  leave(): void {
    this.#left = true
    this.#wake?.()
  }

  async pump(
    store: UnderStore,
    path: string,
    options: UfsReadOptions,
    take: (chunk: Uint8Array) => void,
  ): Promise<void> {
    for await (const chunk of store.open(path, options)) {
      if (this.#left) return
      if (!(chunk instanceof Uint8Array)) {
        throw new AlluxioError('INTERNAL', `open ${path} gave a ${typeof chunk} instead of bytes`)
      }
      if (chunk.length === 0) continue
      this.#room -= chunk.length
      take(chunk)
      while (this.#room <= 0 && !this.#left) await this.#granted()
    }
  }

  #granted(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function threadLog(store: number, post: Post, more: object = {}): Log {
  const write = (level: LogLevel) => (message: string, fields?: object) =>
    post({
      kind: 'log',
      store,
      level,
      message: String(message),
      fields: jsonOf({ ...more, ...plain(fields) }),
    })
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => threadLog(store, post, { ...more, ...fields }),
  }
}

/** Errors have no fields of their own in JSON. */
function plain(fields: object = {}): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? { message: value.message, stack: value.stack } : value,
    ]),
  )
}
