/** GET and HEAD of a web server's pages and files: redirects followed with bounds, credentials kept to their origin. */
import type { IncomingMessage } from 'node:http'
import { AlluxioError } from '../../core/index.ts'
import { Body } from '../http-transport/body.ts'
import { type Answer, encode, type HttpHandler } from '../http-transport/http-handler.ts'
import { meaningOfStatus, refused, unreachable } from './errors.ts'

const MOST_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

export interface WebClientOptions {
  /** The mount's root; its path ends with a slash. */
  readonly root: URL
  /** Value of the Authorization header; '' for none. Asked for each request, so that no object holds it. */
  readonly authorization: () => string
}

export interface WebClientModules {
  readonly handler: HttpHandler
  readonly onApiCall: (api: string) => void
}

export interface WebAnswer extends Answer {
  /** Where the answer came from, redirects followed. */
  readonly url: URL
  /** The server sends who asks for `x` to `x/`: a directory. There is no content then. */
  readonly directory: boolean
}

export interface WebRequest {
  readonly method: 'GET' | 'HEAD'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  /** For messages. */
  readonly path: string
  readonly signal: AbortSignal | undefined
  /** It asks for a page rather than a file. @default false */
  readonly page?: boolean
}

export class WebClient {
  readonly #options: WebClientOptions
  readonly #m: WebClientModules

  constructor(options: WebClientOptions, modules: WebClientModules) {
    this.#options = options
    this.#m = modules
  }

  /** The address of a path below the root. */
  url(path: string): URL {
    return new URL(path.split('/').map(encode).join('/'), this.#options.root)
  }

  /** @throws NOT_FOUND, PERMISSION_DENIED, …; any status that is no success */
  async ask(request: WebRequest): Promise<WebAnswer> {
    const { method, path } = request
    const { root } = this.#options
    const what = `${method} ${path || '/'}`
    let { url } = request
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once(request, url, what)
      if (answer.statusCode < 300) return { ...answer, url, directory: false }
      const { location } = answer.headers
      if (!REDIRECTS.has(answer.statusCode) || location === undefined) {
        const { statusCode: status, headers } = answer
        throw refused({ what, place: root.href, status, headers, meaning: meaning(status) })
      }
      const next = URL.parse(location, url.href)
      if (next === null || !leads(url, next) || redirects === MOST_REDIRECTS) {
        throw new AlluxioError(
          'UNSUPPORTED',
          `${what} in ${root.href}: the server sends on to "${shortened(location)}"${redirects === MOST_REDIRECTS ? ` after ${redirects} other redirects` : ', which is not followed'}`,
          { reason: 'REDIRECT', operation: method },
        )
      }
      if (next.origin === url.origin && next.pathname === `${url.pathname}/` && !url.pathname.endsWith('/')) {
        return { ...answer, url: next, directory: true }
      }
      url = next
    }
  }

  async #once(request: WebRequest, url: URL, what: string): Promise<Answer> {
    const { method, headers, signal, page = false } = request
    const { root, authorization } = this.#options
    const secret = url.origin === root.origin ? authorization() : ''
    const wire = {
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      method,
      path: url.pathname + url.search,
      headers: {
        host: url.host,
        'user-agent': 'alluxio',
        'accept-encoding': 'identity',
        ...headers,
        ...(secret === '' ? {} : { authorization: secret }),
      },
    }
    this.#m.onApiCall(method)
    const options = signal === undefined ? {} : { abortSignal: signal }
    try {
      if (!page) return await this.#m.handler.ask(wire, options)
      // Pages are mostly sent in pieces of no told length, which only the full client understands.
      const { response } = await this.#m.handler.handle(wire, options)
      const { statusCode, headers: answered } = response
      if (statusCode >= 300) response.body.resume()
      return { statusCode, headers: answered, body: Body.of(response.body as IncomingMessage) }
    } catch (error) {
      throw unreachable(error, what, root.href, 'the address of the mount', signal)
    }
  }

  close(): void {
    this.#m.handler.destroy()
  }
}

/** Whether a redirect is followed: to the web, and never from an encrypted connection to a plain one. */
function leads(from: URL, to: URL): boolean {
  if (to.protocol === 'https:') return true
  return to.protocol === 'http:' && from.protocol === 'http:'
}

function meaning(status: number) {
  const known = meaningOfStatus(status)
  if (status === 401)
    return { ...known, advice: 'set alluxio.underfs.http.user and .password, or alluxio.underfs.http.token' }
  if (status === 403) return { ...known, advice: 'the server does not let this user read it' }
  return known
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
