/** Who asks: decided for each request before anything else, and refused in doubt. */
import type { IncomingMessage } from 'node:http'
import { AlluxioError } from '../../core/index.ts'
import { Users } from '../users.ts'
import { isLoopback, plainAddress } from './data-workers.ts'
import type { DelegationTokens } from './delegation-tokens.ts'
import type { HdfsRequest } from './request.ts'

export interface CallersOptions {
  /** Whether `user.name` of callers from other hosts is believed; of those from this host it is. */
  readonly trustUserName: boolean
  /** Who may act for whom: `user:users:addresses`, each of the latter `*` or names with `|` between. */
  readonly proxyUsers: readonly string[]
}

export interface Caller {
  readonly user: string
  /** Who acts for the user, else ''. */
  readonly realUser: string
  readonly byToken: boolean
}

/** As HDFS without security calls who does not say who he is. */
const NOBODY = 'dr.who'

interface ProxyUser {
  readonly user: string
  readonly users: ReadonlySet<string>
  readonly addresses: ReadonlySet<string>
}

export class Callers {
  readonly #trusts: boolean
  readonly #proxyUsers: readonly ProxyUser[]
  readonly #tokens: DelegationTokens

  /** @throws INVALID_ARGUMENT for a list of proxy users that cannot be read */
  constructor({ trustUserName, proxyUsers }: CallersOptions, tokens: DelegationTokens) {
    this.#trusts = trustUserName
    this.#proxyUsers = proxyUsers.map(parseProxyUser)
    this.#tokens = tokens
  }

  /** @throws UNAUTHENTICATED, PERMISSION_DENIED */
  of(request: IncomingMessage, asked: HdfsRequest): Caller | Promise<Caller> {
    const token = asked.get('delegation')
    if (token !== undefined) return this.#byToken(token, asked)
    const address = request.socket.remoteAddress ?? ''
    if (!this.#trusts && !isLoopback(address)) {
      throw new AlluxioError(
        'UNAUTHENTICATED',
        'this gateway believes user.name only from its own host: use a delegation token, or set alluxio.proxy.webhdfs.trust.user.name',
      )
    }
    refuseBrowsers(request)
    const user = named(asked.get('user.name')) ?? NOBODY
    const doAs = named(asked.get('doas'))
    if (doAs === undefined || doAs === user) return { user, realUser: '', byToken: false }
    this.#checkProxyUser(user, doAs, plainAddress(address))
    return { user: doAs, realUser: user, byToken: false }
  }

  async #byToken(text: string, asked: HdfsRequest): Promise<Caller> {
    const { owner, realUser } = await this.#tokens.verify(text)
    for (const name of ['user.name', 'doas']) {
      const given = asked.get(name)
      if (given !== undefined && given !== '' && given !== owner && given !== realUser)
        throw new AlluxioError(
          'PERMISSION_DENIED',
          `${name}=${given}, but the delegation token is of ${owner}`,
        )
    }
    return { user: owner, realUser, byToken: true }
  }

  #checkProxyUser(user: string, doAs: string, address: string): void {
    for (const rule of this.#proxyUsers) {
      if (rule.user === user && allows(rule.users, doAs) && allows(rule.addresses, address)) return
    }
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `user ${user} may not act for ${doAs} from ${address}: alluxio.security.proxyusers does not say so`,
    )
  }
}

/**
 * A page of any site could have its reader's browser ask in the reader's name: scripts and forms of browsers say where they come from.
 */
function refuseBrowsers({ headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site']
  if (headers.origin === undefined && (site === undefined || site === 'none')) return
  throw new AlluxioError('PERMISSION_DENIED', 'this gateway does not answer to pages of web sites')
}

function allows(names: ReadonlySet<string>, name: string): boolean {
  return names.has('*') || names.has(name)
}

function named(name: string | undefined): string | undefined {
  if (name === undefined || name === '') return undefined
  if (Users.isName(name)) return name
  throw new AlluxioError('INVALID_ARGUMENT', `${JSON.stringify(name.slice(0, 80))} is no name of a user`)
}

function parseProxyUser(text: string): ProxyUser {
  const [user = '', users = '', addresses = '', ...rest] = text.split(':')
  if (!Users.isName(user) || users === '' || addresses === '' || rest.length > 0) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `alluxio.security.proxyusers: "${text}" is not user:users:addresses, for example hue:*:10.0.0.5|10.0.0.6`,
    )
  }
  return {
    user,
    users: new Set(users.split('|')),
    addresses: new Set(addresses.split('|').map((a) => (a === '*' ? a : plainAddress(a)))),
  }
}
