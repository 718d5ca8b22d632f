/**
 * One plug-in of this process: its thread is started when a store of it is opened, started again after it died, ever later,
 * and cut off when it dies too often. It ends with its last store.
 */
import { AlluxioError, type Log, type Runtime, sleep } from '../../core/index.ts'
import { RETRIES_EXHAUSTED } from '../layers/retry-policy.ts'
import { Session } from './session.ts'

export interface PlugInLimits {
  /** Milliseconds that the module may take to load, and to open a store. */
  readonly timeoutMs: number
  /** Heap of the thread, and most bytes of buffers that it may hold. */
  readonly memoryBytes: number
  /** Milliseconds without a sign of life after which the thread is ended. */
  readonly silentMs: number
  /** Deaths within `failureWindowMs` after which it is not started again. */
  readonly failuresMost: number
  readonly failureWindowMs: number
}

/** Where a plug-in is, as it is on the disk now. */
export interface Place {
  /** URL of its module. */
  readonly url: string
  /** Changes when it is installed again. */
  readonly stamp: string
}

export interface PlugInOptions extends PlugInLimits {
  /** How errors name it. */
  readonly title: string
  /** @throws NOT_FOUND */
  readonly locate: () => Place
}

const BACKOFF_BASE_MS = 100
const BACKOFF_CAP_MS = 10_000

export class PlugIn {
  readonly #options: PlugInOptions
  readonly #modules: { readonly runtime: Runtime; readonly log: Log }
  readonly #place: Place
  #session: Promise<Session> | undefined
  #stores = 0
  /** When its thread died, on the monotonic clock. */
  #deaths: number[] = []
  #cutOff: { readonly error: AlluxioError; readonly stamp: string } | undefined

  /** @throws NOT_FOUND */
  constructor(options: PlugInOptions, modules: { readonly runtime: Runtime; readonly log: Log }) {
    this.#options = options
    this.#modules = modules
    this.#place = options.locate()
  }

  get title(): string {
    return this.#options.title
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs
  }

  /** What it was when it was first asked for. */
  get stamp(): string {
    return this.#place.stamp
  }

  /** Its running thread, which is started if there is none. @throws UNAVAILABLE, reason UFS_PLUGIN_CUT_OFF; what loading threw */
  session(): Promise<Session> {
    try {
      this.#checkCutOff()
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#session !== undefined) return this.#session
    const starting = this.#start()
    this.#session = starting
    starting.catch(() => {
      if (this.#session === starting) this.#session = undefined
    })
    return starting
  }

  retain(): void {
    this.#stores++
  }

  release(): void {
    this.#stores--
    if (this.#stores > 0) return
    const ending = this.#session
    this.#session = undefined
    ending?.then(
      (session) => session.stop(),
      () => {},
    )
  }

  async #start(): Promise<Session> {
    const { runtime, log } = this.#modules
    const waitMs = this.#waitMs()
    if (waitMs > 0) await sleep(runtime, waitMs)
    let died = false
    const onDeath = (error: AlluxioError) => {
      died = true
      this.#died(error)
    }
    try {
      return await Session.start(
        { ...this.#options, url: this.#options.locate().url },
        { runtime, log, onDeath },
      )
    } catch (error) {
      if (!died) this.#died(error)
      throw error
    }
  }

  #died(error: unknown): void {
    const { runtime, log } = this.#modules
    const now = runtime.monotonic()
    const { failureWindowMs, failuresMost } = this.#options
    this.#deaths = [...this.#deaths.filter((at) => now - at < failureWindowMs), now]
    this.#session = undefined
    log.warn('a store plug-in failed', { plugIn: this.title, failures: this.#deaths.length, error })
    if (this.#deaths.length >= failuresMost)
      this.#cutOff = { error: this.#refusal(error), stamp: this.#stampNow() }
  }

  #refusal(last: unknown): AlluxioError {
    const { failureWindowMs } = this.#options
    return new AlluxioError(
      'UNAVAILABLE',
      `${this.title} was cut off: it failed ${this.#deaths.length} times within ${failureWindowMs / 1000} s, at last: ` +
        `${last instanceof Error ? last.message : String(last)}. Install it again, or restart this process`,
      {
        reason: 'UFS_PLUGIN_CUT_OFF',
        operation: 'ufs.open',
        details: { [RETRIES_EXHAUSTED]: true },
        cause: last,
      },
    )
  }

  #checkCutOff(): void {
    if (this.#cutOff === undefined) return
    if (this.#cutOff.stamp === this.#stampNow()) throw this.#cutOff.error
    this.#cutOff = undefined
    this.#deaths = []
  }

  #waitMs(): number {
    const last = this.#deaths.at(-1)
    if (last === undefined) return 0
    const pauseMs = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (this.#deaths.length - 1))
    return last + pauseMs - this.#modules.runtime.monotonic()
  }

  #stampNow(): string {
    try {
      return this.#options.locate().stamp
    } catch {
      return '' // uninstalled
    }
  }
}
