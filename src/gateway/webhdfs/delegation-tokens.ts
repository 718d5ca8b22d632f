/**
 * Delegation tokens: whoever has one acts as its owner until it ends, is cancelled or is not renewed. In Hadoop's own layout, so that
 * its clients carry and renew them; signed with a key of the cluster and booked at the master, so that any proxy knows all of them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Delegation, GatewayKeys } from '../../client/index.ts'
import { AlluxioError, type Runtime } from '../../core/index.ts'
import { WritableReader, WritableWriter } from './writable.ts'

export interface DelegationTokensModules {
  readonly keys: GatewayKeys
  readonly runtime: Runtime
}

const KIND = 'WEBHDFS delegation'
const KEY_ID = 1
/** How long a token is believed without asking the master again: a cancelled one may work for so long. */
const BELIEVED_MS = 3_000
const MAX_BELIEVED = 1_000
const MAX_TOKEN_LENGTH = 4096

interface Parsed {
  readonly identifier: Buffer
  readonly password: Buffer
  readonly sequence: number
}

export class DelegationTokens {
  readonly #modules: DelegationTokensModules
  readonly #believed = new Map<string, { readonly token: Delegation; readonly untilMs: number }>()

  constructor(modules: DelegationTokensModules) {
    this.#modules = modules
  }

  /** A new token as clients carry it. */
  async issue(owner: string, renewer: string, realUser: string): Promise<string> {
    const { keys } = this.#modules
    const identifier = identifierOf(await keys.delegate(owner, renewer, realUser))
    return new WritableWriter()
      .bytes(identifier)
      .bytes(await this.#sign(identifier))
      .text(KIND)
      .text('')
      .end()
      .toString('base64url')
  }

  /** @throws UNAUTHENTICATED, reason INVALID_TOKEN */
  async verify(text: string): Promise<Delegation> {
    const { runtime, keys } = this.#modules
    const known = this.#believed.get(text)
    if (known !== undefined && known.untilMs > runtime.monotonic() && known.token.endsMs > runtime.now())
      return known.token
    const { sequence } = await this.#open(text)
    const token = await keys.delegation(sequence)
    if (token === undefined) throw invalidToken('it was cancelled or has ended')
    if (this.#believed.size >= MAX_BELIEVED) this.#believed.clear()
    this.#believed.set(text, { token, untilMs: runtime.monotonic() + BELIEVED_MS })
    return token
  }

  /** When it ends now, ms. @throws PERMISSION_DENIED for others than its renewer */
  async renew(text: string, user: string): Promise<number> {
    const { sequence } = await this.#open(text)
    return this.#modules.keys.renew(sequence, user)
  }

  async cancel(text: string, user: string): Promise<void> {
    const { sequence } = await this.#open(text)
    this.#believed.delete(text)
    await this.#modules.keys.cancel(sequence, user)
  }

  async #open(text: string): Promise<Parsed> {
    const parsed = parse(text)
    const own = await this.#sign(parsed.identifier)
    if (own.length !== parsed.password.length || !timingSafeEqual(own, parsed.password))
      throw invalidToken('it was not issued by this cluster')
    return parsed
  }

  async #sign(identifier: Buffer): Promise<Buffer> {
    const key = createHmac('sha256', await this.#modules.keys.key())
      .update('webhdfs delegation token')
      .digest()
    return createHmac('sha256', key).update(identifier).digest()
  }
}

function identifierOf({ sequence, owner, renewer, realUser, issuedMs, maxMs }: Delegation): Buffer {
  return new WritableWriter()
    .byte(0)
    .text(owner)
    .text(renewer)
    .text(realUser)
    .integer(issuedMs)
    .integer(maxMs)
    .integer(sequence)
    .integer(KEY_ID)
    .end()
}

function parse(text: string): Parsed {
  if (text.length > MAX_TOKEN_LENGTH) throw invalidToken('it is too long')
  try {
    const token = new WritableReader(Buffer.from(text, 'base64url'))
    const identifier = token.bytes()
    const password = token.bytes()
    const fields = new WritableReader(identifier)
    fields.byte()
    for (let i = 0; i < 3; i++) fields.text()
    fields.integer()
    fields.integer()
    return { identifier, password, sequence: fields.integer() }
  } catch {
    throw invalidToken('it cannot be read')
  }
}

/** In the words in which Hadoop's client looks for it. */
function invalidToken(why: string): AlluxioError {
  return new AlluxioError(
    'UNAUTHENTICATED',
    `Failed to obtain user group information: org.apache.hadoop.security.token.SecretManager$InvalidToken: the delegation token is not valid: ${why}`,
    { reason: 'INVALID_TOKEN' },
  )
}
