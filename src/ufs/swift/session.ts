/** Gets a token and the account's address from TempAuth or Keystone, keeps them, and renews them when they are refused. */
import { AlluxioError, type Secret } from '../../core/index.ts'
import type { HttpHandler, TextAnswer } from '../http-transport/http-handler.ts'
import { CREDENTIALS, malformed, refused, unanswered } from './errors.ts'

export type Credentials =
  | { readonly kind: 'v1'; readonly user: string; readonly password: () => Secret }
  | {
      readonly kind: 'password'
      readonly user: string
      readonly userDomain: string
      readonly project: string
      readonly projectDomain: string
      readonly password: () => Secret
    }
  | { readonly kind: 'application'; readonly id: string; readonly secret: () => Secret }

export interface SessionOptions {
  readonly authUrl: URL
  readonly credentials: Credentials
  /** Region of the catalogue; '' for the first endpoint. */
  readonly region: string
  readonly interface: string
  /** Account's URL instead of the one that comes with the token. */
  readonly storageUrl: URL | undefined
}

export interface Access {
  readonly token: string
  /** Address of the account; its path has no slash at its end. */
  readonly storage: URL
}

interface Endpoint {
  readonly region?: string
  readonly region_id?: string
  readonly interface?: string
  readonly url?: string
}

export class Session {
  readonly #options: SessionOptions
  readonly #handler: HttpHandler
  readonly #onApiCall: (api: string) => void
  #access: Promise<Access> | undefined

  constructor(
    options: SessionOptions,
    modules: { readonly handler: HttpHandler; readonly onApiCall: (api: string) => void },
  ) {
    this.#options = options
    this.#handler = modules.handler
    this.#onApiCall = modules.onApiCall
  }

  /** One authentication for all who ask meanwhile. @throws AlluxioError */
  access(): Promise<Access> {
    if (this.#access !== undefined) return this.#access
    const asked = this.#authenticate()
    this.#access = asked
    asked.catch(() => {
      if (this.#access === asked) this.#access = undefined
    })
    return asked
  }

  /** A new access in place of one that was refused. */
  async renew(refusedAccess: Access): Promise<Access> {
    const current = await this.access()
    if (current !== refusedAccess) return current
    this.#access = undefined
    return this.access()
  }

  async #authenticate(): Promise<Access> {
    const { credentials, storageUrl } = this.#options
    const access = credentials.kind === 'v1' ? await this.#v1(credentials) : await this.#v3(credentials)
    return storageUrl === undefined ? access : { ...access, storage: storageUrl }
  }

  async #v1({ user, password }: Extract<Credentials, { kind: 'v1' }>): Promise<Access> {
    const { authUrl } = this.#options
    const key = password().reveal()
    const { headers } = await this.#ask('GET', authUrl.pathname + authUrl.search, {
      'x-auth-user': user,
      'x-auth-key': key,
      'x-storage-user': user,
      'x-storage-pass': key,
    })
    const token = headers['x-auth-token'] ?? headers['x-storage-token']
    if (token === undefined)
      throw malformed(this.#what(), 'the answer has no token: is this an address of TempAuth?')
    return { token, storage: this.#storage(headers['x-storage-url']) }
  }

  async #v3(credentials: Exclude<Credentials, { kind: 'v1' }>): Promise<Access> {
    const body = Buffer.from(JSON.stringify({ auth: authOf(credentials) }))
    const base = this.#options.authUrl.pathname.replace(/\/+$/, '').replace(/\/auth\/tokens$/, '')
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await this.#ask('POST', `${base}/auth/tokens`, headers, body)
    const token = answer.headers['x-subject-token']
    if (token === undefined)
      throw malformed(this.#what(), 'the answer has no token: is this an address of Keystone v3?')
    return { token, storage: this.#storage(this.#options.storageUrl?.href ?? this.#endpoint(answer.text)) }
  }

  async #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array,
  ): Promise<TextAnswer> {
    const { authUrl } = this.#options
    this.#onApiCall('Authenticate')
    let answer: TextAnswer
    try {
      answer = await this.#handler.exchange({
        ...addressOf(authUrl),
        method,
        path,
        headers: {
          host: authUrl.host,
          ...headers,
          ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        },
        body,
      })
    } catch (error) {
      throw unanswered(this.#what(), error, undefined)
    }
    if (answer.statusCode < 300) return answer
    if (answer.statusCode !== 401) throw refused(this.#what(), answer)
    throw new AlluxioError(
      'UNAUTHENTICATED',
      `${this.#what()} failed: the user, the project or the password is wrong: ${CREDENTIALS}. The answer was 401`,
      { reason: 'HTTP_401', operation: 'Authenticate' },
    )
  }

  /** The account's address among the services that the token opens. */
  #endpoint(text: Uint8Array): string {
    let catalog: readonly { readonly type?: string; readonly endpoints?: readonly Endpoint[] }[]
    try {
      catalog = JSON.parse(Buffer.from(text).toString('utf8')).token.catalog ?? []
    } catch {
      throw malformed(this.#what(), 'the answer is no token in JSON')
    }
    const { region, interface: wanted } = this.#options
    const endpoints = catalog
      .filter(({ type }) => type === 'object-store')
      .flatMap(({ endpoints }) => endpoints ?? [])
    const found = endpoints.find(
      (one) => one.interface === wanted && (region === '' || (one.region_id ?? one.region) === region),
    )
    if (found?.url !== undefined) return found.url
    const known = endpoints.map((one) => `${one.interface} in ${one.region_id ?? one.region}`).join(', ')
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      endpoints.length === 0
        ? `${this.#what()}: the catalogue has no object-store for this project: set fs.swift.tenant, or alluxio.underfs.swift.storage.url`
        : `${this.#what()}: the catalogue has no ${wanted} object-store${region === '' ? '' : ` in region ${region}`}, but ${known}: set fs.swift.region or alluxio.underfs.swift.interface`,
      { reason: 'NO_ENDPOINT' },
    )
  }

  #storage(text: string | undefined): URL {
    const url = URL.parse(text ?? '')
    if (url === null) throw malformed(this.#what(), 'the answer does not tell the address of the account')
    url.pathname = url.pathname.replace(/\/+$/, '')
    return url
  }

  #what(): string {
    return `Authenticate at ${this.#options.authUrl.origin}`
  }
}

export function addressOf(url: URL): { protocol: string; hostname: string; port?: number } {
  const { protocol, hostname, port } = url
  return { protocol, hostname, ...(port === '' ? {} : { port: Number(port) }) }
}

/** The `auth` of the request for a token (Identity API v3). */
function authOf(credentials: Exclude<Credentials, { kind: 'v1' }>): unknown {
  if (credentials.kind === 'application') {
    const { id, secret } = credentials
    return {
      identity: {
        methods: ['application_credential'],
        application_credential: { id, secret: secret().reveal() },
      },
    }
  }
  const { user, userDomain, project, projectDomain, password } = credentials
  return {
    identity: {
      methods: ['password'],
      password: { user: { name: user, domain: { name: userDomain }, password: password().reveal() } },
    },
    scope: { project: { name: project, domain: { name: projectDomain } } },
  }
}
