/**
 * The NameNodes of one file system: sends calls to the active one, finds it again after a failover, and signs calls with the
 * user's name or a delegation token. Data goes to DataNodes: `locate` asks where, `open` and `fetch` send the second request.
 */
import type { IncomingMessage } from 'node:http'
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { Body } from '../http-transport/body.ts'
import type { NameNodeAddress } from './addresses.ts'
import { DataNodes } from './data-nodes.ts'
import type { DelegationToken } from './delegation-token.ts'
import { fromAnswer, fromConnection, malformed, NOT_REACHED, STANDBY, TOKEN_REFUSED } from './errors.ts'
import { type Endpoint, type Transport, textOf } from './transport.ts'

type Value = string | number | boolean | undefined

export interface HdfsCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** As WebHDFS names it: `GETFILESTATUS`. */
  readonly op: string
  /** From the root of HDFS, with leading slash, not encoded. */
  readonly path: string
  /** Parameters; undefined ones are left out. */
  readonly query?: Readonly<Record<string, Value>>
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that the server may be silent. @default the stall timeout */
  readonly silenceMs?: number | undefined
}

/** Who calls. Where HDFS is secured, the token counts and the name is ignored; else the name counts. */
export interface Identity {
  readonly user: string
  readonly token?: string
}

/** Where the bytes of a file are to be read or written. */
export interface Location {
  readonly endpoint: Endpoint
  /** Encoded, with the query. */
  readonly path: string
}

export interface NameNodesModules {
  readonly transport: Transport
  readonly onApiCall: (api: string) => void
}

export interface NameNodesOptions {
  /** One, or the members of a pair. */
  readonly addresses: readonly NameNodeAddress[]
  readonly user: string
}

export class NameNodes {
  readonly transport: Transport
  readonly #options: NameNodesOptions
  readonly #onApiCall: (api: string) => void
  readonly #dataNodes = new DataNodes()
  #token: DelegationToken | undefined
  #active = 0

  constructor(options: NameNodesOptions, modules: NameNodesModules) {
    this.#options = options
    this.transport = modules.transport
    this.#onApiCall = modules.onApiCall
  }

  /** From now on calls carry this token instead of the user's name. */
  authenticate(token: DelegationToken): void {
    this.#token = token
  }

  /** Calls with an answer in JSON; undefined where it has none. @throws AlluxioError */
  call(call: HdfsCall): Promise<Readonly<Record<string, unknown>> | undefined> {
    return this.attempt(call, async (node, identity) => {
      const { status, text, at } = await this.#exchange(call, node, identity)
      if (status < 200 || status >= 300) throw fromAnswer(status, text, nameOf(call), at)
      return text === '' ? undefined : parsed(text, nameOf(call), at)
    })
  }

  /** First step of a call about the content of a file: the DataNode to send the second step to. @throws AlluxioError */
  async locate(call: HdfsCall): Promise<Location> {
    const asked = { ...call, query: { ...call.query, noredirect: true } }
    const location = await this.attempt(call, async (node, identity) => {
      const { status, text, at, location } = await this.#exchange(asked, node, identity)
      if (status === 307 && location !== undefined) return locationOf(location, nameOf(call), at)
      if (status < 200 || status >= 300) throw fromAnswer(status, text, nameOf(call), at)
      return locationOf(String(parsed(text, nameOf(call), at).Location), nameOf(call), at)
    })
    // Whoever asks where goes there.
    this.#onApiCall(`${call.op} data`)
    if (call.op === 'OPEN' && this.#token === undefined)
      this.#dataNodes.learn(encodePath(call.path), location)
    return location
  }

  /** Opens a range of a file, where it is short on a DataNode that was named before. @throws AlluxioError */
  async open(call: HdfsCall, offset: number, length: number): Promise<Body> {
    const near =
      this.#token === undefined ? this.#dataNodes.near(encodePath(call.path), offset, length) : undefined
    if (near !== undefined) {
      this.#onApiCall(`${call.op} data`)
      try {
        return await this.#read(call, near)
      } catch (error) {
        if (call.signal?.aborted) throw error
        // Whatever it was, the NameNode knows better.
        this.#dataNodes.failed(near)
      }
    }
    return this.#read(call, await this.locate(call))
  }

  /** Second step of OPEN: the content. @throws AlluxioError */
  async #read(call: HdfsCall, location: Location): Promise<Body> {
    const { method, signal, silenceMs } = call
    const at = placeOf(location)
    try {
      const { status, body, text } = await this.transport.get({ ...location, method, signal, silenceMs })
      if (body === undefined || status < 200 || status >= 300)
        throw fromAnswer(status, text, nameOf(call), at)
      return body
    } catch (error) {
      throw fromConnection(error, nameOf(call), at, signal)
    }
  }

  /** Second step without a body; resolves with the head of a success. @throws AlluxioError */
  async fetch(call: HdfsCall, location: Location): Promise<IncomingMessage> {
    const { method, signal, silenceMs } = call
    const at = placeOf(location)
    try {
      const incoming = await this.transport.ask({ ...location, method, signal, silenceMs })
      const status = incoming.statusCode ?? 0
      if (status >= 200 && status < 300) return incoming
      throw fromAnswer(status, await textOf(incoming), nameOf(call), at)
    } catch (error) {
      throw fromConnection(error, nameOf(call), at, signal)
    }
  }

  /**
   * Runs `run` on the active NameNode; on another one if that is on standby or cannot be reached. A call that may have begun
   * is not repeated here. With a token that is refused and then replaced, once more.
   */
  async attempt<T>(
    call: HdfsCall,
    run: (node: NameNodeAddress, identity: Identity) => Promise<T>,
  ): Promise<T> {
    const identity = this.#identity()
    try {
      return await this.#failingOver(call, identity, run)
    } catch (error) {
      const refused = isAlluxioError(error, 'UNAUTHENTICATED') && error.reason === TOKEN_REFUSED
      if (!refused || identity.token === undefined || !(await this.#token!.replace(identity.token)))
        throw error
      return this.#failingOver(call, this.#identity(), run)
    }
  }

  /** Without a token even if there is one: renewing is refused to tokens. Resolves with the token's new end. */
  async renew(token: string): Promise<number> {
    const call: HdfsCall = { method: 'PUT', op: 'RENEWDELEGATIONTOKEN', path: '/', query: { token } }
    return this.#failingOver(call, { user: this.#options.user }, async (node, identity) => {
      const { status, text, at } = await this.#exchange(call, node, identity)
      if (status !== 200) throw fromAnswer(status, text, nameOf(call), at)
      return Number(parsed(text, nameOf(call), at).long)
    })
  }

  close(): void {
    this.transport.close()
  }

  async #failingOver<T>(
    call: HdfsCall,
    identity: Identity,
    run: (node: NameNodeAddress, identity: Identity) => Promise<T>,
  ): Promise<T> {
    const { addresses } = this.#options
    const first = this.#active
    for (let tried = 1; ; tried++) {
      const at = (first + tried - 1) % addresses.length
      const node = addresses[at]!
      this.#onApiCall(call.op)
      try {
        const result = await run(node, identity)
        this.#active = at
        return result
      } catch (thrown) {
        const error = fromConnection(thrown, nameOf(call), node.text, call.signal)
        const elsewhere = error.reason === STANDBY || NOT_REACHED.has(error.reason ?? '')
        // Whoever gave no answer is not asked first the next time.
        if (elsewhere || !('status' in error.details)) this.#active = (at + 1) % addresses.length
        else this.#active = at
        if (!elsewhere) throw error
        if (tried === addresses.length) throw tried === 1 ? error : this.#noneActive(error)
      }
    }
  }

  #noneActive(last: AlluxioError): AlluxioError {
    const names = this.#options.addresses.map(({ text }) => text).join(', ')
    return new AlluxioError(
      'UNAVAILABLE',
      `none of the NameNodes ${names} is active; the last said: ${last.message}`,
      {
        ...(last.reason === undefined ? {} : { reason: last.reason }),
        details: last.details,
        cause: last,
      },
    )
  }

  async #exchange(call: HdfsCall, node: NameNodeAddress, identity: Identity) {
    const { method, signal, silenceMs } = call
    const path = node.prefix + encodePath(call.path) + queryOf(call, identity)
    const incoming = await this.transport.ask({ endpoint: node, method, path, signal, silenceMs })
    const text = await textOf(incoming)
    return { status: incoming.statusCode ?? 0, text, at: node.text, location: incoming.headers.location }
  }

  #identity(): Identity {
    const { user } = this.#options
    return this.#token === undefined ? { user } : { user, token: this.#token.use() }
  }
}

/** For messages: nothing of the query, which may hold a token. */
export function placeOf({ endpoint }: Location): string {
  return `${endpoint.secure ? 'https' : 'http'}://${endpoint.host}:${endpoint.port}`
}

/** @throws INVALID_ARGUMENT for half of a surrogate pair, which no UTF-8 can carry. */
export function encodePath(path: string): string {
  try {
    return path.split('/').map(encodeURIComponent).join('/')
  } catch (cause) {
    throw new AlluxioError('INVALID_ARGUMENT', 'the path is not well-formed Unicode', {
      reason: 'INVALID_UFS_PATH',
      cause,
    })
  }
}

function nameOf(call: HdfsCall): string {
  return `${call.op} ${call.path}`
}

function queryOf(call: HdfsCall, identity: Identity): string {
  let text = `?op=${call.op}&user.name=${encodeURIComponent(identity.user)}`
  if (identity.token !== undefined) text += `&delegation=${encodeURIComponent(identity.token)}`
  const { query } = call
  for (const name in query) {
    const value = query[name]
    if (value !== undefined) text += `&${name}=${encodeURIComponent(value)}`
  }
  return text
}

function parsed(text: string, what: string, at: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw malformed(what, at, text)
}

function locationOf(text: string, what: string, at: string): Location {
  const match = /^(https?):\/\/(?:\[([^\]]+)\]|([^/:?#]+))(?::(\d+))?(\/.*)$/.exec(text)
  if (match === null) throw malformed(what, at, text)
  const [, scheme, ipv6, name, port, path] = match
  const secure = scheme === 'https'
  const host = (ipv6 ?? name)!
  // Java leaves letters beyond ASCII as they are.
  const encoded = path!.replace(/[^\x21-\x7e]+/g, encodeURIComponent)
  return {
    endpoint: { secure, host, port: port === undefined ? (secure ? 443 : 80) : Number(port) },
    path: encoded,
  }
}
