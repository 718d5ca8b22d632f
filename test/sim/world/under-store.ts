/**
 * An under-store as one process reaches it over a network: every call travels there, takes effect, and the answer travels
 * back. The request lives on when its caller dies; a failed call may have taken effect or not, and nobody can tell.
 */
import { AlluxioError, type Log } from '../../../src/core/index.ts'
import { openStore } from '../../../src/ufs/index.ts'
import type {
  UfsCreateOptions,
  UfsPage,
  UfsReadOptions,
  UfsSpace,
  UfsStatus,
  UfsWriter,
  UnderStore,
} from '../../../src/ufs/store.ts'
import type { SimNode } from '../kernel/kernel.ts'
import type { Rng } from '../kernel/rng.ts'
import type { UfsOptions } from '../options.ts'

/** The store's side, shared by all processes. */
export interface StoreServer {
  readonly store: UnderStore
  readonly options: UfsOptions
  readonly rng: Rng
  /** Turned off when the world is healed. */
  faulty: boolean
}

/** The store as a daemon opens it: in the product's own layers (retry, timeout, …). */
export function openRemoteStore(server: StoreServer, node: SimNode, log: Log): Promise<UnderStore> {
  const factory = { schemes: ['mem'], open: async () => new RemoteStore(server, node) }
  return openStore('mem://root', {}, { runtime: node.runtime, log, factories: [factory] })
}

class RemoteStore implements UnderStore {
  readonly #server: StoreServer
  readonly #node: SimNode

  constructor(server: StoreServer, node: SimNode) {
    this.#server = server
    this.#node = node
  }

  get scheme(): string {
    return this.#server.store.scheme
  }

  get capabilities(): UnderStore['capabilities'] {
    return this.#server.store.capabilities
  }

  async *open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const { signal, ...rest } = options
    const chunks = await this.#call(`open ${path}`, signal, async () => {
      const read: Uint8Array[] = []
      for await (const chunk of this.#server.store.open(path, rest)) read.push(chunk)
      return read
    })
    for (const chunk of chunks) {
      await this.#travel(this.#node, signal)
      yield chunk
    }
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    const { signal, ...rest } = options
    const { store } = this.#server
    const chunks: Uint8Array[] = []
    await this.#travel(this.#node, signal)
    return {
      write: async (chunk) => {
        chunks.push(chunk)
        await this.#travel(this.#node, signal)
      },
      close: () =>
        this.#call(`put ${path}`, signal, async () => {
          const writer = await store.create(path, rest)
          for (const chunk of chunks) await writer.write(chunk)
          return writer.close()
        }),
      abort: async () => {
        chunks.length = 0
      },
    }
  }

  status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    return this.#call(`status ${path}`, signal, () => this.#server.store.status(path))
  }

  list(path: string, options: Parameters<UnderStore['list']>[1] = {}): Promise<UfsPage> {
    const { signal, ...rest } = options
    return this.#call(`list ${path}`, signal, () => this.#server.store.list(path, rest))
  }

  mkdir(path: string, options: Parameters<UnderStore['mkdir']>[1] = {}): Promise<void> {
    const { signal, ...rest } = options
    return this.#call(`mkdir ${path}`, signal, () => this.#server.store.mkdir(path, rest))
  }

  delete(path: string, options: Parameters<UnderStore['delete']>[1] = {}): Promise<void> {
    const { signal, ...rest } = options
    return this.#call(`delete ${path}`, signal, () => this.#server.store.delete(path, rest))
  }

  rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    return this.#call(`rename ${src} ${dst}`, signal, () => this.#server.store.rename(src, dst))
  }

  space(signal?: AbortSignal): Promise<UfsSpace> {
    return this.#call('space', signal, () => this.#server.store.space())
  }

  setAttributes(
    path: string,
    attributes: Parameters<UnderStore['setAttributes']>[1],
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#call(`attributes ${path}`, signal, () => this.#server.store.setAttributes(path, attributes))
  }

  async close(): Promise<void> {}

  async #call<T>(what: string, signal: AbortSignal | undefined, effect: () => Promise<T>): Promise<T> {
    const { rng, options } = this.#server
    const fate =
      this.#server.faulty && rng.chance(options.failure ?? 0) ? rng.pick(['before', 'after']) : 'none'
    if (!this.#node.alive) return new Promise(() => {})
    try {
      await this.#travel(undefined, signal)
    } catch (error) {
      // Given up by its caller: the request may have been done all the same.
      if (rng.chance(0.5)) await settled(effect())
      throw error
    }
    this.#node.kernel.note('ufs', what, `${this.#node.name} ${fate}`)
    if (fate === 'before') return this.#fail(what, signal)
    const outcome = await settled(effect())
    if (fate === 'after') return this.#fail(what, signal)
    await this.#travel(this.#node, signal)
    return outcome()
  }

  async #fail(what: string, signal: AbortSignal | undefined): Promise<never> {
    await this.#travel(this.#node, signal)
    throw new AlluxioError('UNAVAILABLE', `${what}: the store did not answer`, { reason: 'SIMULATED' })
  }

  /** One way over the wire; with a node the arrival is an event of that node, which a dead one never sees. */
  #travel(node: SimNode | undefined, signal: AbortSignal | undefined): Promise<void> {
    const { rng, options } = this.#server
    const slow = this.#server.faulty && rng.chance(options.slow ?? 0)
    const ms = slow ? options.slowMs : rng.exponential(options.delayMs / 2)
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = this.#node.kernel.schedule(node, ms * 1000, 'ufs', () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
}

/** The outcome as a function that returns or throws it. */
async function settled<T>(promise: Promise<T>): Promise<() => T> {
  try {
    const value = await promise
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}
