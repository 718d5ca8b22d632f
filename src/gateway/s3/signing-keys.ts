/** The keys that signatures are checked with, for a few seconds each: a key that was deleted is refused soon after. */
import { createSecretKey, type KeyObject } from 'node:crypto'
import type { Credentials } from '../../client/index.ts'
import { isAlluxioError, type Runtime } from '../../core/index.ts'

export interface SigningKey {
  readonly user: string
  /** Made once: a key given as bytes costs four times the signature. */
  readonly key: KeyObject
}

interface Known {
  /** undefined: there is no such key. */
  readonly key: SigningKey | undefined
  readonly untilMs: number
}

export interface SigningKeysOptions {
  /** How long a key is used without asking again, ms. @default 5 s */
  readonly maxAgeMs?: number
}

export interface SigningKeysModules {
  readonly credentials: Pick<Credentials, 'signingKey'>
  readonly runtime: Pick<Runtime, 'monotonic'>
}

/** Keys remembered at once, made-up ones among them. */
const MAX_KEYS = 10_000

export class SigningKeys {
  readonly #maxAgeMs: number
  readonly #modules: SigningKeysModules
  readonly #known = new Map<string, Known>()
  readonly #asked = new Map<string, Promise<SigningKey | undefined>>()

  constructor({ maxAgeMs = 5_000 }: SigningKeysOptions, modules: SigningKeysModules) {
    this.#maxAgeMs = maxAgeMs
    this.#modules = modules
  }

  /** undefined: there is no such access key. @throws UNAVAILABLE and what else the master answers */
  of(
    accessKeyId: string,
    date: string,
    region: string,
  ): SigningKey | undefined | Promise<SigningKey | undefined> {
    const name = `${accessKeyId}\n${date}\n${region}`
    const known = this.#known.get(name)
    if (known !== undefined && known.untilMs > this.#modules.runtime.monotonic()) return known.key
    const asked = this.#asked.get(name)
    if (asked !== undefined) return asked
    const asking = this.#ask(name, accessKeyId, date, region).finally(() => this.#asked.delete(name))
    this.#asked.set(name, asking)
    return asking
  }

  async #ask(
    name: string,
    accessKeyId: string,
    date: string,
    region: string,
  ): Promise<SigningKey | undefined> {
    const { credentials, runtime } = this.#modules
    let key: SigningKey | undefined
    try {
      const found = await credentials.signingKey(accessKeyId, date, region)
      key = { user: found.user, key: createSecretKey(found.key) }
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND')) throw error
    }
    if (this.#known.size >= MAX_KEYS) this.#known.delete(this.#known.keys().next().value!)
    this.#known.delete(name)
    this.#known.set(name, { key, untilMs: runtime.monotonic() + this.#maxAgeMs })
    return key
  }
}
