/**
 * A delegation token: read by its reference, renewed before it expires where that is allowed to us, and read again when it is
 * refused, since whoever is responsible for it may have put a new one there.
 */
import { isAlluxioError, type Log, type Runtime, type Secret } from '../../core/index.ts'

export interface DelegationTokenModules {
  readonly runtime: Runtime
  readonly log: Log
  /** Reads the token where its reference points, now. */
  readonly read: () => Secret
  /** Asks for more time; resolves with the new end, milliseconds since the epoch. */
  readonly renew: (token: string) => Promise<number>
}

/** The first renewal tells how long the token lives; the others follow after three quarters of it. */
const SHARE = 0.75

export class DelegationToken {
  readonly #modules: DelegationTokenModules
  #secret: Secret
  /** Milliseconds since the epoch; infinite when renewing is not for us. */
  #renewAt = 0
  #renewing: Promise<boolean> | undefined

  constructor(modules: DelegationTokenModules) {
    this.#modules = modules
    this.#secret = modules.read()
  }

  /** The token to send now. When a renewal is due it is begun, and nobody waits for it. */
  use(): string {
    if (this.#modules.runtime.now() >= this.#renewAt) void this.#renew()
    return this.#secret.reveal()
  }

  /** After `refused` was refused: whether there is hope for one more try. */
  async replace(refused: string): Promise<boolean> {
    if (this.#secret.reveal() !== refused) return true
    const fresh = this.#modules.read()
    if (fresh.reveal() !== refused) {
      this.#secret = fresh
      this.#renewAt = 0
      return true
    }
    return this.#renew()
  }

  #renew(): Promise<boolean> {
    this.#renewing ??= this.#attempt().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #attempt(): Promise<boolean> {
    const { runtime, log, renew } = this.#modules
    // Whoever comes while this is under way does not begin another one.
    this.#renewAt = Number.POSITIVE_INFINITY
    try {
      const expiresAt = await renew(this.#secret.reveal())
      const now = runtime.now()
      this.#renewAt = now + Math.max(1000, (expiresAt - now) * SHARE)
      return true
    } catch (error) {
      const passing = isAlluxioError(error, 'UNAVAILABLE') || isAlluxioError(error, 'TIMEOUT')
      if (passing) this.#renewAt = runtime.now() + 60_000
      log.debug('the delegation token is not renewed here', { passing, error })
      return false
    }
  }
}
