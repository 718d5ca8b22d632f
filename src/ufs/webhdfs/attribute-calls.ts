/**
 * Mode and owner through the npm package `webhdfs`. These two of its calls answer right; the others are not used, for the
 * reasons in docs/decisions. Guards: paths are encoded before they are handed in; what the server said is read from the answer itself,
 * since the package drops the kind of an error, takes one without text for success and can crash the process over one;
 * no proxy of the environment is used; a signal and a limit of silence end a request.
 */
import type { IncomingMessage } from 'node:http'
import type { NameNodeAddress } from './addresses.ts'
import { fromAnswer } from './errors.ts'
import { encodePath, type HdfsCall, type Identity, type NameNodes } from './name-nodes.ts'

type Package = typeof import('webhdfs').default
type Client = ReturnType<Package['createClient']>
type Begin = (client: Client, path: string, done: (error: Error | null) => void) => PackageRequest

/** The part of the package's request (of the npm package `request`) that is used. */
interface PackageRequest {
  on(event: 'complete', listener: (answer: IncomingMessage, body: unknown) => void): void
  abort(): void
}

export class AttributeCalls {
  readonly #nodes: NameNodes
  #package: Promise<Package> | undefined

  constructor(nodes: NameNodes) {
    this.#nodes = nodes
  }

  /** @throws AlluxioError */
  setMode(path: string, mode: number, signal: AbortSignal | undefined): Promise<void> {
    const octal = (mode & 0o1777).toString(8)
    return this.#send('SETPERMISSION', path, signal, (client, at, done) => client.chmod(at, octal, done))
  }

  /** An empty name leaves what is. @throws AlluxioError */
  setOwner(path: string, owner: string, group: string, signal: AbortSignal | undefined): Promise<void> {
    return this.#send('SETOWNER', path, signal, (client, at, done) => client.chown(at, owner, group, done))
  }

  async #send(op: string, path: string, signal: AbortSignal | undefined, begin: Begin): Promise<void> {
    this.#package ??= import('webhdfs').then((loaded) => loaded.default)
    const { createClient } = await this.#package
    const call: HdfsCall = { method: 'PUT', op, path, signal }
    await this.#nodes.attempt(call, (node, identity) => {
      const client = createClient(addressOf(node, identity), this.#requestOptions(node, identity))
      client._parseError = unread
      return settled(call, node, (done) => begin(client, encodePath(path), done))
    })
  }

  #requestOptions(node: NameNodeAddress, identity: Identity): Readonly<Record<string, unknown>> {
    const { transport } = this.#nodes
    return {
      agent: transport.agent(node),
      timeout: transport.stallMs,
      proxy: null,
      ...(identity.token === undefined ? {} : { qs: { delegation: identity.token } }),
    }
  }
}

function addressOf(node: NameNodeAddress, identity: Identity) {
  return {
    protocol: node.secure ? 'https' : 'http',
    host: node.host,
    port: node.port,
    path: node.prefix,
    user: identity.user,
  }
}

/** In place of the package's own reading, which throws in a callback where nobody can catch it. */
function unread(): Error {
  return new Error('refused')
}

function settled(
  call: HdfsCall,
  node: NameNodeAddress,
  begin: (done: (error: Error | null) => void) => PackageRequest,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = call
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      request.abort()
      reject(signal!.reason)
    }
    const request = begin((error) => {
      signal?.removeEventListener('abort', onAbort)
      // What it made of an answer comes just before the answer itself, which counts; without an answer this error does.
      if (error) queueMicrotask(() => reject(error))
    })
    signal?.addEventListener('abort', onAbort, { once: true })
    request.on('complete', ({ statusCode = 0 }, body) => {
      signal?.removeEventListener('abort', onAbort)
      if (statusCode >= 200 && statusCode < 300) return resolve()
      const text = typeof body === 'string' ? body : JSON.stringify(body ?? '')
      reject(fromAnswer(statusCode, text, `${call.op} ${call.path}`, node.text))
    })
  })
}
