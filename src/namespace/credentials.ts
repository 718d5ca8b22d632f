/**
 * Keys of the S3 gateway: who acts as whom, and what checks their signatures. A secret is written down, as signatures of this
 * kind need it, but leaves this file only as the key that is derived from it for one day and region.
 */
import { createHmac } from 'node:crypto'
import { AlluxioError } from '../core/index.ts'
import { type Engine, invalid } from './engine.ts'
import type { Caller } from './types.ts'

const PREFIX = 'credential:'
const RANGE = { start: Buffer.from(PREFIX), end: Buffer.from('credential;') }
const ACCESS_KEY = /^[A-Za-z0-9_./+=-]{3,128}$/
const SECRET = /^[\x21-\x7e]{16,128}$/
const MAX_USER_LENGTH = 256

/** As it is written down. */
interface Row {
  readonly user: string
  readonly secret: string
  readonly createdMs: number
}

export interface Credential {
  readonly accessKeyId: string
  readonly user: string
  readonly createdMs: number
}

export interface CredentialsModules {
  readonly engine: Engine
  /** Runs a change of the namespace to its durable end. */
  readonly change: <T>(name: string, plan: () => T) => Promise<T>
}

export class Credentials {
  readonly #modules: CredentialsModules

  constructor(modules: CredentialsModules) {
    this.#modules = modules
  }

  /** @throws ALREADY_EXISTS, INVALID_ARGUMENT, PERMISSION_DENIED to make a key of another user */
  put(
    { accessKeyId, secretAccessKey, user }: { accessKeyId: string; secretAccessKey: string; user: string },
    caller: Caller,
  ): Promise<void> {
    const { engine, change } = this.#modules
    return change('credential', () => {
      this.#allow(user, caller)
      if (!ACCESS_KEY.test(accessKeyId))
        throw invalid('an access key id has 3 to 128 letters, digits or _ . / + = -')
      if (!SECRET.test(secretAccessKey))
        throw invalid('a secret access key has 16 to 128 printable characters')
      if (user === '' || user.length > MAX_USER_LENGTH) throw invalid('a key belongs to a user: name one')
      const known = this.#find(accessKeyId)
      if (known !== undefined && (known.user !== user || known.secret !== secretAccessKey)) {
        throw new AlluxioError('ALREADY_EXISTS', `the access key ${accessKeyId} exists already`)
      }
      if (known !== undefined) return
      const row: Row = { user, secret: secretAccessKey, createdMs: engine.runtime.now() }
      engine.tree.put('meta', keyOf(accessKeyId), Buffer.from(JSON.stringify(row)))
    })
  }

  list(caller: Caller): Credential[] {
    const { engine } = this.#modules
    const isSuperuser = engine.access.isSuperuser(caller)
    const credentials: Credential[] = []
    for (const { key, value } of engine.tree.store.range('meta', RANGE)) {
      const { user, createdMs }: Row = JSON.parse(value.toString())
      if (!isSuperuser && user !== caller.user) continue
      credentials.push({ accessKeyId: key.toString().slice(PREFIX.length), user, createdMs })
    }
    return credentials
  }

  /** False if there is no such key. @throws PERMISSION_DENIED */
  delete(accessKeyId: string, caller: Caller): Promise<boolean> {
    const { engine, change } = this.#modules
    return change('credential', () => {
      const known = this.#find(accessKeyId)
      // Whoever may not see a key does not learn whether there is one.
      this.#allow(known?.user ?? '', caller)
      if (known === undefined) return false
      engine.tree.remove('meta', keyOf(accessKeyId))
      return true
    })
  }

  /** @throws NOT_FOUND, PERMISSION_DENIED for all but superusers */
  signingKey(
    { accessKeyId, date, region }: { accessKeyId: string; date: string; region: string },
    caller: Caller,
  ): { readonly user: string; readonly key: Buffer } {
    this.#modules.engine.access.administer(caller, 'check signatures of others')
    const known = ACCESS_KEY.test(accessKeyId) ? this.#find(accessKeyId) : undefined
    if (known === undefined) {
      throw new AlluxioError('NOT_FOUND', 'there is no such access key', { reason: 'NO_CREDENTIAL' })
    }
    let key = Buffer.from(`AWS4${known.secret}`)
    for (const part of [date, region, 's3', 'aws4_request'])
      key = createHmac('sha256', key).update(part).digest()
    return { user: known.user, key }
  }

  #allow(user: string, caller: Caller): void {
    if (user !== caller.user) this.#modules.engine.access.administer(caller, 'manage keys of others')
  }

  #find(accessKeyId: string): Row | undefined {
    const value = this.#modules.engine.tree.store.get('meta', keyOf(accessKeyId))
    return value === undefined ? undefined : JSON.parse(value.toString())
  }
}

function keyOf(accessKeyId: string): Buffer {
  return Buffer.from(PREFIX + accessKeyId)
}
