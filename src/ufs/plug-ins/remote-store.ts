/** A store that lives in the thread of its plug-in. When the thread has died, the next call opens the store in a new one. */
import { AlluxioError, assert, isAlluxioError, toAlluxioError } from '../../core/index.ts'
import { iterable } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { StoreModules, UfsOptions } from '../registry.ts'
import type {
  UfsCapabilities,
  UfsCreateOptions,
  UfsListOptions,
  UfsPage,
  UfsReadOptions,
  UfsSpace,
  UfsStatus,
  UfsWriter,
  UnderStore,
} from '../store.ts'
import type { UfsUri } from '../uri.ts'
import type { OpenedStore, PlainMethod } from './messages.ts'
import type { PlugIn } from './plug-in.ts'
import { RemoteRead } from './remote-read.ts'
import { RemoteWriter } from './remote-writer.ts'
import type { Session } from './session.ts'

/** Milliseconds that a store may take to close before it is left to its thread. */
const CLOSE_MS = 5000

export interface RemoteStoreOptions {
  readonly scheme: string
  readonly uri: UfsUri
  readonly options: UfsOptions
}

/** A store within one life of the thread. */
export interface Opened {
  readonly session: Session
  /** Number of the store. */
  readonly store: number
}

export class RemoteStore implements UnderStore {
  readonly scheme: string
  readonly #plugIn: PlugIn
  readonly #options: RemoteStoreOptions
  readonly #modules: StoreModules
  #capabilities: UfsCapabilities | undefined
  #opened: Opened | undefined
  #opening: Promise<Opened> | undefined
  #closed = false

  private constructor(plugIn: PlugIn, options: RemoteStoreOptions, modules: StoreModules) {
    this.scheme = options.scheme
    this.#plugIn = plugIn
    this.#options = options
    this.#modules = modules
  }

  /** @throws INVALID_ARGUMENT or TIMEOUT, reason UFS_MODULE; UNAVAILABLE, reason UFS_PLUGIN_…; the code that the store chose */
  static async open(
    plugIn: PlugIn,
    options: RemoteStoreOptions,
    modules: StoreModules,
  ): Promise<RemoteStore> {
    const store = new RemoteStore(plugIn, options, modules)
    plugIn.retain()
    try {
      await store.at()
      return store
    } catch (error) {
      plugIn.release()
      throw error
    }
  }

  get capabilities(): UfsCapabilities {
    assert(this.#capabilities !== undefined, 'a store is used after it was opened')
    return this.#capabilities
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    return iterable(() => new RemoteRead(path, options, this))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    const { signal, ...rest } = options
    const { session, store } = await this.#ready(signal, 'create', path)
    const id = session.newId()
    await session.call({ kind: 'create', id, store, path, options: rest }, signal, () => {
      // It came too late: nobody will write to it.
      void session.call({ kind: 'end', id: session.newId(), writer: id, how: 'abort' }).catch(() => {})
    })
    return new RemoteWriter(session, id)
  }

  status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    return this.#call('status', [path], path, signal)
  }

  list(path: string, { signal, ...options }: UfsListOptions = {}): Promise<UfsPage> {
    return this.#call('list', [path, options], path, signal)
  }

  mkdir(path: string, { signal, ...options }: Parameters<UnderStore['mkdir']>[1] = {}): Promise<void> {
    return this.#call('mkdir', [path, options], path, signal)
  }

  delete(path: string, { signal, ...options }: Parameters<UnderStore['delete']>[1] = {}): Promise<void> {
    return this.#call('delete', [path, options], path, signal)
  }

  rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    return this.#call('rename', [src, dst], src, signal)
  }

  space(signal?: AbortSignal): Promise<UfsSpace> {
    return this.#call('space', [], '', signal)
  }

  setAttributes(
    path: string,
    attributes: { readonly mode?: number; readonly owner?: string; readonly group?: string },
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#call('setAttributes', [path, attributes], path, signal)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const opened = this.#opened
    try {
      if (opened?.session.alive) await this.#leave(opened)
    } finally {
      this.#plugIn.release()
    }
  }

  /** The store in the thread that runs now. */
  async at(): Promise<Opened> {
    if (this.#opened?.session.alive) return this.#opened
    if (this.#closed) throw new AlluxioError('UNAVAILABLE', 'the store is closed')
    this.#opening ??= this.#openAgain().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openAgain(): Promise<Opened> {
    const session = await this.#plugIn.session()
    const store = session.newId()
    session.storeModules(store, this.#modules)
    try {
      const { capabilities } = await this.#limited(session, store)
      this.#capabilities ??= capabilities
    } catch (error) {
      session.storeModules(store, undefined)
      throw error
    }
    this.#opened = { session, store }
    return this.#opened
  }

  async #limited(session: Session, id: number): Promise<OpenedStore> {
    const { scheme, uri, options } = this.#options
    const { title, timeoutMs } = this.#plugIn
    const limit = new AbortController()
    const cancel = this.#modules.runtime.after(timeoutMs, () => {
      limit.abort(
        new AlluxioError('TIMEOUT', `${title} did not open ${uri.text} within ${timeoutMs / 1000} s`, {
          reason: 'UFS_MODULE',
        }),
      )
    })
    const closeLate = () =>
      void session.call({ kind: 'close', id: session.newId(), store: id }).catch(() => {})
    try {
      return await session.call(
        { kind: 'open', id, scheme, uri, options: { ...options } },
        limit.signal,
        closeLate,
      )
    } catch (error) {
      throw openFailure(title, uri, error)
    } finally {
      cancel()
    }
  }

  async #ready(signal: AbortSignal | undefined, operation: string, path: string): Promise<Opened> {
    if (signal?.aborted) throw cancelled(signal, operation, path)
    const opened = this.#opened?.session.alive ? this.#opened : await this.at()
    if (signal?.aborted) throw cancelled(signal, operation, path)
    return opened
  }

  async #call<T>(
    method: PlainMethod,
    args: readonly unknown[],
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { session, store } = await this.#ready(signal, method, path)
    return session.call({ kind: 'call', id: session.newId(), store, method, args }, signal)
  }

  async #leave({ session, store }: Opened): Promise<void> {
    const limit = new AbortController()
    const cancel = this.#modules.runtime.after(CLOSE_MS, () => limit.abort(), true)
    try {
      await session.call({ kind: 'close', id: session.newId(), store }, limit.signal)
    } catch (error) {
      this.#modules.log.debug('a store of a plug-in did not close', { plugIn: this.#plugIn.title, error })
    } finally {
      cancel()
      session.storeModules(store, undefined)
    }
  }
}

/** A code that the store chose is its word to the caller, such as for wrong credentials. */
function openFailure(title: string, uri: UfsUri, error: unknown): AlluxioError {
  const { code, message, reason } = toAlluxioError(error)
  if (isAlluxioError(error) && (reason === 'UFS_MODULE' || reason?.startsWith('UFS_PLUGIN'))) return error
  return new AlluxioError(
    code === 'INTERNAL' ? 'INVALID_ARGUMENT' : code,
    `${title} failed to open ${uri.text}: ${message}`,
    { reason: 'UFS_MODULE', operation: 'ufs.open', cause: error },
  )
}
