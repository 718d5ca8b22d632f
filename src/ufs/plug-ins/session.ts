/**
 * One running thread of a plug-in, seen from the daemon: calls go in, answers come out, and when the thread dies, hangs or
 * grows, it is ended and every call in flight fails with an error that names the plug-in.
 */
import { Worker } from 'node:worker_threads'
import { AlluxioError, type Cancel, type Log, type Runtime, toAlluxioError } from '../../core/index.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { StoreModules } from '../registry.ts'
import { type FromThread, THREAD_MARK, type ThreadData, type ToThread, thrownError } from './messages.ts'
import type { PlugInLimits } from './plug-in.ts'

export interface SessionOptions extends PlugInLimits {
  /** How errors name the plug-in. */
  readonly title: string
  /** URL of its module. */
  readonly url: string
}

export interface SessionModules {
  readonly runtime: Runtime
  readonly log: Log
  /** Told once, when the thread ends other than by `stop`. */
  readonly onDeath: (error: AlluxioError) => void
}

/** Who waits for the answers to one call. */
export interface Receiver {
  result(value: unknown): void
  error(error: Error): void
  chunk?(chunk: Uint8Array): void
  fingerprint?(value: string): void
}

/** Who waits for news of a file that is being written. */
export interface WriterReceiver {
  taken(bytes: number): void
  failed(error: Error): void
}

/** Milliseconds between two looks at the thread. */
const LOOK_MS = 1000
/** Looks in a row that find too much memory held: one alone may see what the next collection frees. */
const LOOKS_TOO_LARGE = 3
/** Milliseconds between two looks at the heap of the thread, and its size at both, of what it may be, at which the thread is ended. */
const HEAP_LOOK_MS = 100
const HEAP_TOO_LARGE = 1.5
/** Where V8 itself ends it, or the whole process if collections find nothing: to be reached only if nobody looked in time. */
const HEAP_LIMIT = 3
/** Calls that were given up long ago and have not ended: more of them are a leak. */
const MOST_GIVEN_UP = 16
/** Lines a look that the plug-in's own output may fill. */
const LINES_PER_LOOK = 20

export class Session {
  readonly #options: SessionOptions
  readonly #modules: SessionModules
  readonly #worker: Worker
  readonly #receivers = new Map<number, Receiver>()
  readonly #writers = new Map<number, WriterReceiver>()
  readonly #stores = new Map<number, StoreModules>()
  /** When each call was given up that has not ended since. */
  readonly #givenUp = new Map<number, number>()
  readonly #loaded = Promise.withResolvers<void>()
  #schemes: readonly string[] = []
  #death: AlluxioError | undefined
  #next = 1
  #cancelLook: Cancel = () => {}
  #cancelHeapLook: Cancel = () => {}
  #unanswered = 0
  #tooLarge = 0
  #lines = 0

  private constructor(threadUrl: string, options: SessionOptions, modules: SessionModules) {
    this.#options = options
    this.#modules = modules
    const workerData: ThreadData = { mark: THREAD_MARK, url: options.url }
    this.#worker = new Worker(new URL(threadUrl), {
      workerData,
      name: options.title,
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil((HEAP_LIMIT * options.memoryBytes) / 2 ** 20) },
    })
    this.#worker.on('message', (message: FromThread) => this.#receive(message))
    this.#worker.on('error', (error) => this.#died(error))
    this.#worker.on('exit', (status) =>
      this.#end('UFS_PLUGIN_DIED', `ended its thread with status ${status}`),
    )
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.on('data', (chunk: Buffer) => this.#said(chunk))
    }
    this.#look()
    this.#lookAtHeap(0)
  }

  /** Resolves when the module is loaded. @throws what loading it threw; TIMEOUT */
  static async start(options: SessionOptions, modules: SessionModules): Promise<Session> {
    const { THREAD_URL } = await import('./thread.ts')
    const session = new Session(THREAD_URL, options, modules)
    const cancel = modules.runtime.after(options.timeoutMs, () => {
      session.#loaded.reject(
        new AlluxioError('TIMEOUT', `${options.title} did not load within ${options.timeoutMs / 1000} s`, {
          reason: 'UFS_MODULE',
        }),
      )
    })
    try {
      await session.#loaded.promise
      session.#refer()
      return session
    } catch (error) {
      session.stop()
      throw error
    } finally {
      cancel()
    }
  }

  get schemes(): readonly string[] {
    return this.#schemes
  }

  get alive(): boolean {
    return this.#death === undefined
  }

  newId(): number {
    return this.#next++
  }

  /** @throws why the thread is gone */
  post(message: ToThread, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#death !== undefined) throw this.#death
    this.#worker.postMessage(message, transfer)
  }

  /** One call with one answer. Given up, what still comes is handed to `onLate`. */
  call<T>(
    message: ToThread & { readonly id: number },
    signal?: AbortSignal,
    onLate: (value: T) => void = () => {},
  ): Promise<T> {
    if (signal?.aborted) return Promise.reject(cancelled(signal, message.kind, ''))
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.giveUp(message.id, (value) => onLate(value as T))
        reject(cancelled(signal, message.kind, ''))
      }
      const settled = () => signal?.removeEventListener('abort', onAbort)
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        this.expect(message.id, {
          result(value) {
            settled()
            resolve(value as T)
          },
          error(error) {
            settled()
            reject(error)
          },
        })
        this.post(message)
      } catch (error) {
        this.forget(message.id)
        settled()
        reject(error)
      }
    })
  }

  expect(id: number, receiver: Receiver): void {
    this.#receivers.set(id, receiver)
    this.#refer()
  }

  forget(id: number): void {
    this.#receivers.delete(id)
    this.#givenUp.delete(id)
    this.#refer()
  }

  /** Tells the thread that nobody waits for a call any more. */
  giveUp(id: number, onLate: (value: unknown) => void = () => {}): void {
    if (this.#death !== undefined || !this.#receivers.has(id)) return
    this.#receivers.set(id, { result: onLate, error() {} })
    this.#givenUp.set(id, this.#modules.runtime.monotonic())
    this.post({ kind: 'cancel', id })
  }

  writing(id: number, receiver: WriterReceiver): void {
    this.#writers.set(id, receiver)
  }

  written(id: number): void {
    this.#writers.delete(id)
  }

  /** Whose log, secrets and counters the store's are. */
  storeModules(id: number, modules: StoreModules | undefined): void {
    if (modules === undefined) this.#stores.delete(id)
    else this.#stores.set(id, modules)
  }

  /** Ends the thread; what is in flight fails. */
  stop(): void {
    this.#finish(
      new AlluxioError('UNAVAILABLE', `${this.#options.title} was stopped`, { reason: 'UFS_PLUGIN_STOPPED' }),
    )
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'chunk':
        this.#receivers.get(message.id)?.chunk?.(message.chunk)
        break
      case 'result':
        this.#settle(message.id)?.result(message.value)
        break
      case 'error':
        this.#settle(message.id)?.error(thrownError(message.error))
        break
      case 'fingerprint':
        this.#receivers.get(message.id)?.fingerprint?.(message.value)
        break
      case 'taken':
        this.#writers.get(message.writer)?.taken(message.bytes)
        break
      case 'failed':
        this.#writers.get(message.writer)?.failed(thrownError(message.error))
        break
      case 'pong':
        this.#answered(message.bufferBytes)
        break
      case 'loaded':
        this.#schemes = message.schemes
        this.#loaded.resolve()
        break
      case 'refused':
        this.#loaded.reject(loadFailure(this.#options.title, thrownError(message.error)))
        break
      default:
        this.#tell(message)
    }
  }

  #settle(id: number): Receiver | undefined {
    const receiver = this.#receivers.get(id)
    this.forget(id)
    return receiver
  }

  /** What a store says besides its answers. */
  #tell(message: Extract<FromThread, { kind: 'log' | 'api' | 'secret' }>): void {
    const modules = this.#stores.get(message.store)
    if (modules === undefined) return
    if (message.kind === 'log') {
      modules.log[message.level](message.message, JSON.parse(message.fields) as Record<string, unknown>)
    } else if (message.kind === 'api') {
      for (const name of message.names) modules.onApiCall(name)
    } else {
      // Known here too, so that the layer round the store keeps it out of its errors.
      modules.secret(message.key, message.value)
    }
  }

  /** Asks for a sign of life; the timer is counted, not the clock, so that a process that slept blames nobody. */
  #look(): void {
    const { runtime } = this.#modules
    this.#cancelLook = runtime.after(
      LOOK_MS,
      () => {
        // What the thread has sent meanwhile is read first.
        runtime.defer(() => {
          if (this.#death !== undefined) return
          this.#lines = 0
          const silentMs = this.#unanswered * LOOK_MS
          const since = runtime.monotonic() - this.#options.silentMs
          const stuck = [...this.#givenUp.values()].filter((at) => at < since).length
          if (silentMs >= this.#options.silentMs) {
            this.#end('UFS_PLUGIN_HUNG', `did not answer for ${silentMs / 1000} s`)
          } else if (stuck >= MOST_GIVEN_UP) {
            this.#end('UFS_PLUGIN_HUNG', `never ended ${stuck} calls that were given up`)
          } else {
            this.#unanswered++
            this.post({ kind: 'ping' })
            this.#look()
          }
        })
      },
      true,
    )
  }

  /** Works in a thread that is in a loop, too. `before`: its size at the look before this one, bytes. */
  #lookAtHeap(before: number): void {
    const limit = HEAP_TOO_LARGE * this.#options.memoryBytes
    this.#cancelHeapLook = this.#modules.runtime.after(
      HEAP_LOOK_MS,
      () => {
        const asked = this.#worker.getHeapStatistics().then(({ used_heap_size: used }) => used)
        // A thread that is only beginning, or has ended, has no heap.
        void asked
          .catch(() => 0)
          .then((used) => {
            if (this.#death !== undefined) return
            if (Math.min(before, used) > limit) this.#outOfMemory()
            else this.#lookAtHeap(used)
          })
      },
      true,
    )
  }

  #outOfMemory(): void {
    const limit = Math.ceil(this.#options.memoryBytes / 2 ** 20)
    this.#end('UFS_PLUGIN_MEMORY', `used up its memory of ${limit} MB`)
  }

  #answered(bufferBytes: number): void {
    this.#unanswered = 0
    this.#tooLarge = bufferBytes > this.#options.memoryBytes ? this.#tooLarge + 1 : 0
    if (this.#tooLarge >= LOOKS_TOO_LARGE) {
      this.#end('UFS_PLUGIN_MEMORY', `holds ${Math.round(bufferBytes / 2 ** 20)} MB of buffers`)
    }
  }

  #died(thrown: unknown): void {
    // Anything can be thrown, and an error of another thread is no instance of this one's.
    const { code, message = String(thrown) } = (thrown ?? {}) as Partial<NodeJS.ErrnoException>
    if (code === 'ERR_WORKER_OUT_OF_MEMORY') this.#outOfMemory()
    else this.#end('UFS_PLUGIN_DIED', `threw outside of any call: ${message}`, thrown)
  }

  #end(reason: string, what: string, cause?: unknown): void {
    if (this.#death !== undefined) return
    const error = new AlluxioError('UNAVAILABLE', `${this.#options.title} ${what}; its thread was ended`, {
      reason,
      cause,
    })
    this.#finish(error)
    this.#modules.onDeath(error)
  }

  #finish(error: AlluxioError): void {
    if (this.#death !== undefined) return
    this.#death = error
    this.#cancelLook()
    this.#cancelHeapLook()
    void this.#worker.terminate()
    this.#worker.unref()
    this.#loaded.promise.catch(() => {})
    this.#loaded.reject(error)
    for (const receiver of this.#receivers.values()) receiver.error(error)
    for (const writer of this.#writers.values()) writer.failed(error)
    this.#receivers.clear()
    this.#writers.clear()
    this.#stores.clear()
  }

  /** The thread keeps the process alive only while somebody waits for it. */
  #refer(): void {
    if (this.#receivers.size > 0) this.#worker.ref()
    else this.#worker.unref()
  }

  #said(chunk: Buffer): void {
    if (this.#lines++ >= LINES_PER_LOOK) return
    this.#modules.log.info('a plug-in wrote', {
      plugIn: this.#options.title,
      text: chunk.toString('utf8', 0, 1000),
    })
  }
}

function loadFailure(title: string, error: Error): AlluxioError {
  const { code, message } = toAlluxioError(error)
  return new AlluxioError(
    code === 'INTERNAL' ? 'INVALID_ARGUMENT' : code,
    `${title} failed to load: ${message}`,
    {
      reason: 'UFS_MODULE',
      operation: 'ufs.open',
      cause: error,
    },
  )
}
