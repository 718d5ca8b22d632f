/**
 * Short tokens that a redirect carries, so that who serves the data half need not believe a stranger's `user.name`: signed with a key that
 * only daemons of the cluster have, for one path, operation and user, and for a minute.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { AlluxioError, type Runtime } from '../../core/index.ts'

/** Its parameter in the redirect. */
export const TOKEN_PARAMETER = 'alluxio.token'
const LIFETIME_MS = 60_000
const SIGNATURE_BYTES = 20

export interface BlockTokensModules {
  /** The cluster's key. */
  readonly key: () => Promise<Uint8Array>
  readonly runtime: Runtime
}

/** What a token allows. */
export interface Grant {
  readonly op: string
  readonly path: string
  readonly user: string
}

export class BlockTokens {
  readonly #modules: BlockTokensModules
  #own: Buffer | undefined

  constructor(modules: BlockTokensModules) {
    this.#modules = modules
  }

  /** @throws UNAVAILABLE while the master has not told the key */
  async issue(grant: Grant): Promise<string> {
    const key = this.#own ?? (await this.#derive())
    const claims = `${(this.#modules.runtime.now() + LIFETIME_MS).toString(36)}.${Buffer.from(grant.user).toString('base64url')}`
    return `${claims}.${sign(key, claims, grant.op, grant.path).toString('base64url')}`
  }

  /** The user that a token speaks for. @throws PERMISSION_DENIED reason INVALID_TOKEN for any other path or operation, or too late */
  async verify(token: string | undefined, op: string, path: string): Promise<string> {
    const key = this.#own ?? (await this.#derive())
    const [ends = '', user = '', signature = '', more] = (token ?? '').split('.')
    const given = Buffer.from(signature, 'base64url')
    const own = sign(key, `${ends}.${user}`, op, path)
    if (more !== undefined || given.length !== own.length || !timingSafeEqual(given, own)) {
      throw refused(`${op} of ${path} needs the token of a redirect: ask the gateway first`)
    }
    if (Number.parseInt(ends, 36) < this.#modules.runtime.now())
      throw refused(`the redirect for ${op} of ${path} is more than a minute old: ask the gateway again`)
    return Buffer.from(user, 'base64url').toString()
  }

  async #derive(): Promise<Buffer> {
    const key = await this.#modules.key()
    this.#own = createHmac('sha256', key).update('webhdfs block token').digest()
    return this.#own
  }
}

function sign(key: Buffer, claims: string, op: string, path: string): Buffer {
  // Of these only the path can have any character, and it comes last.
  return createHmac('sha256', key).update(`${claims} ${op} ${path}`).digest().subarray(0, SIGNATURE_BYTES)
}

function refused(message: string): AlluxioError {
  return new AlluxioError('PERMISSION_DENIED', message, { reason: 'BLOCK_TOKEN' })
}
