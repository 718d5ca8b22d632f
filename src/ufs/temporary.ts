/**
 * Names of files that are being written, in stores that have directories, and what becomes of those whose writer was killed:
 * a listing that meets one has it removed when nobody has touched it for long, by this host's clock and by the store's own.
 * Writers that live touch theirs now and then.
 */
import type { Cancel, Log, Runtime } from '../core/index.ts'

const TEMPORARY = /^\.alluxio-[0-9a-f]{16}\.tmp$/
/** Met since the last sweep; more are met again. */
const MOST = 1000
/** What could not be removed is met by the next listing, too. */
const PAUSE_MS = 60_000
/** Part of the age at which a leftover goes after which a writer touches its file. */
const TOUCHES = 4
const LONGEST_TOUCH_MS = 86_400_000

/** Whether a name is that of a file being written. */
export function isTemporary(name: string): boolean {
  return name.charCodeAt(0) === 46 && TEMPORARY.test(name)
}

export function temporaryName(runtime: Runtime): string {
  return temporaryNameOf(runtime.randomBytes(new Uint8Array(8)))
}

/** @param random of its first 8 bytes */
export function temporaryNameOf(random: Uint8Array): string {
  return `.alluxio-${Buffer.from(random).toString('hex').padEnd(16, '0').slice(0, 16)}.tmp`
}

/** Calls `touch` every so many milliseconds, until it is cancelled. */
export function touching(runtime: Runtime, touchMs: number | undefined, touch: () => Promise<void>): Cancel {
  if (touchMs === undefined) return () => {}
  let cancel: Cancel = () => {}
  const arm = () => {
    const due = () => {
      touch().catch(() => {})
      arm()
    }
    cancel = runtime.after(touchMs, due, true)
  }
  arm()
  return () => cancel()
}

/** What a store is asked about places with a temporary name, in its own words for a place. */
export interface TemporaryPlaces {
  /** When it was last written or changed, ms by the store's clock; undefined while somebody has it open for writing. */
  touchedMs(place: string): Promise<number | undefined>
  /** What the store's clock says, ms, by the time of a directory that is made at the place and taken away again. */
  nowMs(place: string): Promise<number>
  /** A file, or an empty directory. */
  remove(place: string): Promise<void>
}

export interface LeftoversOptions {
  /** Age, ms, at which one goes; 0: never. */
  readonly maxAgeMs: number
}

export interface LeftoversModules {
  readonly runtime: Runtime
  readonly log: Log
  readonly places: TemporaryPlaces
}

export class Leftovers {
  readonly #options: LeftoversOptions
  readonly #modules: LeftoversModules
  readonly #met = new Set<string>()
  #sweeping: Promise<void> = Promise.resolve()
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor(options: LeftoversOptions, modules: LeftoversModules) {
    this.#options = options
    this.#modules = modules
  }

  /** Milliseconds after which a writer has to touch its file; undefined: it need not. */
  get touchMs(): number | undefined {
    const { maxAgeMs } = this.#options
    return maxAgeMs === 0 ? undefined : Math.min(maxAgeMs / TOUCHES, LONGEST_TOUCH_MS)
  }

  /** A listing that may sweep has met a temporary name. */
  met(place: string): void {
    const { runtime } = this.#modules
    if (this.#options.maxAgeMs === 0 || this.#met.size >= MOST) return
    if (runtime.monotonic() < this.#notBeforeMs) return
    this.#met.add(place)
    if (this.#met.size > 1) return
    runtime.defer(() => {
      this.#sweeping = this.#sweep()
    })
  }

  /** Resolves when nothing of it is under way, nor will be. */
  close(): Promise<void> {
    this.#notBeforeMs = Number.POSITIVE_INFINITY
    this.#met.clear()
    return this.#sweeping
  }

  async #sweep(): Promise<void> {
    const { runtime, log } = this.#modules
    if (this.#notBeforeMs === Number.POSITIVE_INFINITY) return
    this.#notBeforeMs = runtime.monotonic() + PAUSE_MS
    const met = [...this.#met]
    this.#met.clear()
    let nowMs: number | undefined
    for (const place of met) {
      try {
        nowMs = await this.#look(place, nowMs)
      } catch (error) {
        log.debug('a leftover of a broken-off write stays', { place, error })
      }
    }
  }

  async #look(place: string, knownMs: number | undefined): Promise<number | undefined> {
    const { runtime, log, places } = this.#modules
    const { maxAgeMs } = this.#options
    const touchedMs = await places.touchedMs(place)
    if (touchedMs === undefined || runtime.now() - touchedMs <= maxAgeMs) return knownMs
    const beside = place.slice(0, place.lastIndexOf('/') + 1)
    const nowMs = knownMs ?? (await places.nowMs(beside + temporaryName(runtime)))
    if (nowMs - touchedMs <= maxAgeMs) return nowMs
    await places.remove(place)
    log.info('a leftover of a broken-off write was removed', { place, touchedMs })
    return nowMs
  }
}
