/**
 * The S3 gateway: reads a request, finds out who signed it, and only then what it asks for. Whatever goes wrong is answered in
 * the words of S3.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Counter, canonicalPath, type Log, type Metrics, type Runtime } from '../../core/index.ts'
import type { Users } from '../users.ts'
import { Buckets } from './buckets.ts'
import { type S3Error, toS3Error } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { Keys } from './keys.ts'
import { ListObjects } from './list-objects.ts'
import { Md5Thread } from './md5.ts'
import { Multipart } from './multipart.ts'
import { ObjectCopies } from './object-copies.ts'
import { ObjectDeletes } from './object-deletes.ts'
import { ObjectReads } from './object-reads.ts'
import { ObjectWrites } from './object-writes.ts'
import { Readers } from './readers.ts'
import { readRequest, type S3Request } from './request.ts'
import { handlerOf, type Operations, operationOf } from './routes.ts'
import { type Identity, Signatures } from './signature.ts'
import { SigningKeys, type SigningKeysModules } from './signing-keys.ts'
import { Tagging } from './tagging.ts'
import { element, XML_HEAD } from './xml.ts'

export interface S3GatewayOptions {
  /** Path of the folder whose folders are buckets. */
  readonly root: string
  /** Names below which `bucket.name` is a bucket's own host. */
  readonly domains: readonly string[]
  /** The only region that signatures may name; '' for any. */
  readonly region: string
  /** How long a multipart upload may go on, ms. */
  readonly uploadMaxAgeMs: number
  /** Of new files. */
  readonly blockSizeBytes: number
  /** Length up to which the entity tag of an upload is its MD5, bytes. */
  readonly maxMd5Bytes: number
}

export interface S3GatewayModules {
  readonly users: Users
  /** As a superuser. */
  readonly credentials: SigningKeysModules['credentials']
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

/** Time that a refused client has to stop sending. */
const LINGER_MS = 3_000

export class S3Gateway {
  readonly name = 's3-gateway'
  readonly #options: S3GatewayOptions
  readonly #modules: S3GatewayModules
  readonly #signatures: Signatures
  readonly #operations: Operations
  readonly #readers: Readers
  readonly #md5s = new Md5Thread()
  readonly #requests
  readonly #counters = new Map<string, Counter>()
  readonly #idPrefix: string
  #requestsSeen = 0

  constructor(options: S3GatewayOptions, modules: S3GatewayModules) {
    this.#options = options
    this.#modules = modules
    const { runtime, credentials, metrics, log } = modules
    const signingKeys = new SigningKeys({}, { credentials, runtime })
    this.#signatures = new Signatures({ region: options.region }, { keys: signingKeys, runtime })
    this.#readers = new Readers({}, { runtime, log })
    this.#operations = operationsOf(options, runtime, this.#readers, this.#md5s)
    this.#requests = metrics.counters(
      'alluxio_proxy_s3_requests_total',
      'Requests of the S3 gateway by operation and status',
    )
    this.#idPrefix = Buffer.from(runtime.randomBytes(new Uint8Array(5)))
      .toString('hex')
      .toUpperCase()
  }

  start(): void {
    this.#readers.start()
  }

  async stop(): Promise<void> {
    this.#readers.stop()
    await this.#md5s.stop()
  }

  /** Answers a request. */
  readonly handle = (message: IncomingMessage, response: ServerResponse): void => {
    const requestId = this.#idPrefix + (++this.#requestsSeen).toString(16).toUpperCase().padStart(6, '0')
    let request: S3Request
    let operation = 'Unsigned'
    const failed = (thrown: unknown) => this.#refuse(message, response, requestId, operation, thrown)
    try {
      request = readRequest(message, this.#options.domains)
      const serve = (known: Identity) => {
        operation = operationOf(request)
        return this.#serve(request, response, requestId, operation, known)
      }
      const away = this.#modules.users.reachMaster()
      const verify = () => this.#signatures.verify(request)
      const identity = away === undefined ? verify() : away.then(verify)
      const served = identity instanceof Promise ? identity.then(serve) : serve(identity)
      served.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }

  async #serve(
    request: S3Request,
    response: ServerResponse,
    requestId: string,
    operation: string,
    { user, payload }: Identity,
  ): Promise<void> {
    const fs = this.#modules.users.as(user)
    const exchange: Exchange = { request, response, requestId, user, fs, payload }
    await handlerOf(this.#operations, operation)(exchange)
    this.#count(operation, response.statusCode)
  }

  #refuse(
    message: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    operation: string,
    thrown: unknown,
  ): void {
    const error = toS3Error(thrown)
    this.#count(operation, error.status)
    if (error.code === 'InternalError') {
      this.#modules.log.error('s3 request failed', { requestId, operation, error: thrown })
    }
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const headers = ['x-amz-request-id', requestId, 'server', 'Alluxio']
    for (const [name, value] of Object.entries(error.headers)) headers.push(name, value)
    if (error.status === 503) headers.push('retry-after', '1')
    const isCut = !message.complete
    if (isCut) headers.push('connection', 'close')
    const body =
      message.method === 'HEAD' || error.status === 304 ? undefined : errorXml(error, message, requestId)
    headers.push('content-type', 'application/xml', 'content-length', String(body?.length ?? 0))
    response.writeHead(error.status, headers)
    if (isCut) this.#linger(message, response, body)
    else response.end(body)
  }

  /** A connection that is closed upon bytes nobody reads is reset, and its client may never see why: they are read for a while. */
  #linger(message: IncomingMessage, response: ServerResponse, body: Buffer | undefined): void {
    if (body === undefined) response.flushHeaders()
    else response.write(body)
    const end = () => {
      cancel()
      response.end()
    }
    const cancel = this.#modules.runtime.after(LINGER_MS, end, true)
    message.on('end', end).on('close', end).resume()
  }

  #count(operation: string, status: number): void {
    // Labels as text cost more than all else that is counted here.
    const name = `${operation} ${status}`
    let counter = this.#counters.get(name)
    if (counter === undefined) {
      counter = this.#requests.with({ operation, status: String(status) })
      this.#counters.set(name, counter)
    }
    counter.add()
  }
}

function errorXml(error: S3Error, message: IncomingMessage, requestId: string): Buffer {
  let inner = element('Code', error.code) + element('Message', error.message)
  for (const [name, value] of Object.entries(error.details)) inner += element(name, value)
  const resource = (message.url ?? '').split('?', 1)[0]!
  inner += element('Resource', resource) + element('RequestId', requestId) + element('HostId', 'alluxio')
  return Buffer.from(`${XML_HEAD}<Error>${inner}</Error>`)
}

function operationsOf(
  options: S3GatewayOptions,
  runtime: Runtime,
  readers: Readers,
  md5s: Md5Thread,
): Operations {
  const keys = new Keys(canonicalPath(options.root))
  const buckets = new Buckets({ keys, runtime })
  const reads = new ObjectReads({ keys, readers, buckets })
  const writes = new ObjectWrites(options, { keys, buckets, runtime, md5s })
  const copies = new ObjectCopies({ keys, reads, writes })
  const deletes = new ObjectDeletes({ keys, buckets, runtime })
  const multipart = new Multipart(
    { maxAgeMs: options.uploadMaxAgeMs, blockSizeBytes: options.blockSizeBytes },
    { keys, writes, copies, buckets, readers, runtime, md5s },
  )
  const tagging = new Tagging({ keys, reads, runtime })
  return {
    buckets,
    objects: new ListObjects({ keys, buckets }),
    reads,
    writes,
    copies,
    deletes,
    multipart,
    tagging,
  }
}
