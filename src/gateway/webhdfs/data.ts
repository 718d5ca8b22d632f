/**
 * The data half: the bytes of OPEN, CREATE and APPEND, at a worker or at the gateway itself. Whoever comes here was sent by a redirect
 * and has its token; the bytes go through the client library, so any daemon serves any block.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileReader, GatewayKeys } from '../../client/index.ts'
import {
  AlluxioError,
  isAlluxioError,
  type Log,
  type Metrics,
  type Runtime,
  toAlluxioError,
} from '../../core/index.ts'
import { OPEN_FILE_PACE, openAndSend, receiveBody, sendRange } from '../http/body.ts'
import type { Users } from '../users.ts'
import { BlockTokens, TOKEN_PARAMETER } from './block-token.ts'
import { fileChecksumJson } from './checksum.ts'
import { DataMetrics } from './data.metrics.ts'
import { sendFailure, sendJson } from './operation.ts'
import { grantedOperation, REPLACED_PARAMETER, replacedFile } from './replaced-file.ts'
import { HdfsRequest, invalid, isOfWebHdfs } from './request.ts'
import { Rewrites, type RewritesOptions } from './rewrites.ts'

const MAX_CHECKSUMS = 10_000

export interface DataHalfModules {
  readonly users: Users
  readonly tokens: BlockTokens
  readonly rewrites: Rewrites
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

export class DataHalf {
  readonly #modules: DataHalfModules
  readonly #metrics: DataMetrics
  readonly #checksums = new Map<string, string>()
  /** Reads whose bytes the client has not taken yet: most take them from tier files, of which no store knows. */
  openReads = 0
  readonly #readOver = () => {
    this.openReads--
  }

  constructor(modules: DataHalfModules) {
    this.#modules = modules
    this.#metrics = new DataMetrics(modules)
  }

  /** Answers a request, whatever it is. */
  async serve(asked: HdfsRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (asked.op === 'OPEN') {
      this.openReads++
      response.once('close', this.#readOver)
    }
    try {
      const away = this.#modules.users.reachMaster()
      if (away !== undefined) await away
      const granted = grantedOperation(asked.op, asked.get(REPLACED_PARAMETER))
      const user = await this.#modules.tokens.verify(asked.get(TOKEN_PARAMETER), granted, asked.path)
      await this.#metrics.counted(asked.op, () => this.#run(asked, user, request, response))
    } catch (error) {
      this.#failed(error, asked)
      sendFailure(request, response, error)
    }
  }

  /** Resolves with the number of bytes that went one way or the other. */
  async #run(
    asked: HdfsRequest,
    user: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<number> {
    const { op, path } = asked
    if (request.method === 'GET' && op === 'OPEN') {
      let bytes = 0
      const open = () => this.#modules.users.as(user).open(path).catch(ifWritten)
      await openAndSend(response, open, async (reader) => {
        bytes = await this.#send(asked, reader, response)
      })
      return bytes
    }
    if (request.method === 'PUT' && op === 'CREATE') return this.#create(asked, user, request, response)
    if (request.method === 'POST' && op === 'APPEND') return this.#append(asked, user, request, response)
    if (request.method !== 'GET' || op !== 'GETFILECHECKSUM')
      throw invalid('op', op, `${request.method} of data`)
    sendJson(response, await this.#checksum(asked, user))
    return 0
  }

  async #send(asked: HdfsRequest, reader: FileReader | undefined, response: ServerResponse): Promise<number> {
    if (reader === undefined) {
      sendHead(response, 0)
      response.end()
      return 0
    }
    try {
      checkFile(asked, reader.status.fileId)
      const { start, end } = rangeOf(asked, reader.length)
      const head = () => sendHead(response, end - start)
      if (start < end) await sendRange(reader, { start, end }, response, { head })
      else {
        head()
        response.end()
      }
      return Math.max(0, end - start)
    } finally {
      await reader.close()
    }
  }

  /** The file is there when the answer is; a body that is cut off leaves nothing. */
  async #create(
    asked: HdfsRequest,
    user: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<number> {
    const { path } = asked
    const { overwrite, createParent } = createOptions(asked)
    const blockSizeBytes = asked.integer('blocksize', 1)
    const mode = asked.mode('permission') ?? 0o644
    const options = {
      ...{ recursive: createParent, mode },
      ...(blockSizeBytes === undefined ? {} : { blockSizeBytes }),
    }
    const fs = this.#modules.users.as(user)
    // A file that is there stays readable until the new one is whole; a new one is claimed at once.
    const writer = await fs.create(path, options).catch((error: unknown) => {
      if (!overwrite || !isAlluxioError(error, 'ALREADY_EXISTS')) throw error
      return fs.create(path, { ...options, overwrite, staged: true })
    })
    let received: number
    try {
      received = await receiveBody(request, writer, { runtime: this.#modules.runtime, ...OPEN_FILE_PACE })
      const replaced = asked.get(REPLACED_PARAMETER)
      await writer.close(replaced === undefined ? {} : { follows: replacedFile(replaced) })
    } catch (error) {
      await writer.abort(error)
      throw error
    }
    response.writeHead(201, {
      Location: `webhdfs://${hostOf(request)}${asked.rawPath}`,
      'Content-Length': 0,
    })
    response.end()
    return received
  }

  async #append(
    asked: HdfsRequest,
    user: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<number> {
    const received = await this.#modules.rewrites.append(this.#modules.users.as(user), asked.path, request)
    response.writeHead(200, { 'Content-Length': 0 })
    response.end()
    return received
  }

  /** Of a file that is never changed it is computed once. */
  async #checksum(asked: HdfsRequest, user: string): Promise<string> {
    const reader = await this.#modules.users.as(user).open(asked.path)
    try {
      // Of an object that others replaced, the file keeps its id.
      const { fileId, ufsFingerprint, length } = reader.status
      const version = `${fileId} ${length} ${ufsFingerprint}`
      const known = this.#checksums.get(version)
      if (known !== undefined) return known
      const json = await fileChecksumJson(reader)
      if (this.#checksums.size >= MAX_CHECKSUMS) this.#checksums.clear()
      this.#checksums.set(version, json)
      return json
    } finally {
      await reader.close()
    }
  }

  #failed(error: unknown, { op, path }: HdfsRequest): void {
    const { code } = toAlluxioError(error)
    this.#metrics.failed(code)
    if (code === 'INTERNAL') this.#modules.log.error('WebHDFS data', { op, path, error })
    else this.#modules.log.debug('WebHDFS data', { op, path, error })
  }
}

export interface WebHdfsDataModules {
  readonly users: Users
  readonly keys: GatewayKeys
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

/** The data half by itself, as a worker serves it. */
export class WebHdfsData {
  readonly #half: DataHalf

  constructor(options: RewritesOptions, modules: WebHdfsDataModules) {
    const { keys, users, runtime, log, metrics } = modules
    const tokens = new BlockTokens({ key: () => keys.key(), runtime })
    this.#half = new DataHalf({
      users,
      tokens,
      rewrites: new Rewrites(options, modules),
      runtime,
      log,
      metrics,
    })
  }

  /** Reads whose bytes clients have not taken yet. */
  get openReads(): number {
    return this.#half.openReads
  }

  /** Serves a request if its path is of this protocol. */
  readonly route = (request: IncomingMessage, response: ServerResponse, path: string): boolean => {
    if (!isOfWebHdfs(path)) return false
    try {
      void this.#half.serve(new HdfsRequest(request.url!), request, response)
    } catch (error) {
      sendFailure(request, response, error)
    }
    return true
  }
}

function sendHead(response: ServerResponse, length: number): void {
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': length,
    'X-Content-Type-Options': 'nosniff',
  })
}

/** Of a file that is being written nothing can be seen yet: it is empty, as its status says. */
function ifWritten(error: unknown): undefined {
  if (isAlluxioError(error, 'CONFLICT') && error.reason === 'INCOMPLETE') return undefined
  throw error
}

/** A reader that goes on in a file wants no byte of another one that has its path by now. @throws CONFLICT reason REPLACED */
function checkFile(asked: HdfsRequest, fileId: number): void {
  const wanted = asked.integer('fileid')
  if (wanted === undefined || wanted === fileId) return
  throw new AlluxioError('CONFLICT', `${asked.path} is another file by now`, { reason: 'REPLACED' })
}

/** What of a file is asked for. @throws OUT_OF_RANGE for an offset behind its end */
export function rangeOf(
  asked: HdfsRequest,
  fileLength: number,
): { readonly start: number; readonly end: number } {
  const start = asked.integer('offset') ?? 0
  const length = asked.integer('length') ?? Number.POSITIVE_INFINITY
  if (start > fileLength) {
    throw new AlluxioError(
      'OUT_OF_RANGE',
      `Offset=${start} out of the range [0, ${fileLength}); OPEN, path=${asked.path}`,
    )
  }
  return { start, end: Math.min(fileLength, start + length) }
}

export interface CreateWords {
  readonly overwrite: boolean
  readonly createParent: boolean
}

/** `createflag` goes before `overwrite`. */
export function createOptions(asked: HdfsRequest): CreateWords {
  const flags = (asked.get('createflag') ?? '')
    .toUpperCase()
    .split(',')
    .filter((flag) => flag !== '')
  const overwrite = flags.length > 0 ? flags.includes('OVERWRITE') : asked.boolean('overwrite', false)
  return { overwrite, createParent: asked.boolean('createparent', true) }
}

const HOST = /^[A-Za-z0-9.:[\]-]{1,255}$/

/** As the client knows this server, else under the name given; never anything that would not be a host in a URL. */
export function hostOf(request: IncomingMessage, name = '127.0.0.1'): string {
  const { host } = request.headers
  if (host !== undefined && HOST.test(host)) return host
  return `${name.includes(':') ? `[${name}]` : name}:${request.socket.localPort ?? 0}`
}
