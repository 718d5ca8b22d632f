/**
 * The WebHDFS gateway: the metadata half of the protocol, which sends clients to a worker near them for bytes. Owns parsing,
 * authentication, routing and the protocol's own answers; what operations do stands in `reads.ts`, `changes.ts`, `attributes.ts`,
 * the bytes in `data.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admin, FileStatus, GatewayKeys } from '../../client/index.ts'
import {
  AlluxioError,
  type Counter,
  type Family,
  isAlluxioError,
  type Log,
  type Metrics,
  type Runtime,
  toAlluxioError,
} from '../../core/index.ts'
import type { Adapters } from '../../scheduler/index.ts'
import type { Users } from '../users.ts'
import * as attributes from './attributes.ts'
import { BlockTokens, TOKEN_PARAMETER } from './block-token.ts'
import { Callers, type CallersOptions } from './callers.ts'
import * as changes from './changes.ts'
import { createOptions, DataHalf, hostOf, rangeOf } from './data.ts'
import { DataWorkers } from './data-workers.ts'
import { DelegationTokens } from './delegation-tokens.ts'
import * as delegations from './delegations.ts'
import { hints, Loads, pin, unpin } from './job-inputs.ts'
import { listLocated, openFile } from './open-file.ts'
import { type HdfsCall, type Operation, sendFailure, sendJson } from './operation.ts'
import { PromisedFiles } from './promised-files.ts'
import * as reads from './reads.ts'
import { grantedOperation, REPLACED_PARAMETER, replacedText } from './replaced-file.ts'
import { HdfsRequest, isOfWebHdfs, PREFIX } from './request.ts'
import { Rewrites, type RewritesOptions } from './rewrites.ts'
import { placesIn } from './statuses.ts'

export interface WebHdfsOptions extends CallersOptions, RewritesOptions {
  readonly blockSizeBytes: number
  /** Of this gateway, for callers that do not say how they know it. */
  readonly hostname: string
}

export interface WebHdfsModules {
  readonly users: Users
  readonly keys: GatewayKeys
  /** As the user that this program runs as. */
  readonly admin: Admin
  /** Of hints. */
  readonly adapters: Adapters
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

/** What a redirect does not repeat: who asks is in its token. */
const NOT_PASSED_ON = new Set([
  'user.name',
  'doas',
  'delegation',
  'noredirect',
  'excludedatanodes',
  TOKEN_PARAMETER,
  REPLACED_PARAMETER,
])

export class WebHdfsGateway {
  readonly #modules: WebHdfsModules
  readonly #hostname: string
  readonly #workers: DataWorkers
  readonly #blockTokens: BlockTokens
  readonly #delegations: DelegationTokens
  readonly #callers: Callers
  readonly #rewrites: Rewrites
  readonly #data: DataHalf
  readonly #promised: PromisedFiles
  /** By method, then operation. */
  readonly #operations: Readonly<Record<string, ReadonlyMap<string, Counted>>>
  readonly #failures: Family<Counter>

  constructor(options: WebHdfsOptions, modules: WebHdfsModules) {
    const { keys, runtime } = modules
    this.#modules = modules
    this.#hostname = options.hostname
    this.#workers = new DataWorkers(modules)
    this.#blockTokens = new BlockTokens({ key: () => keys.key(), runtime })
    this.#delegations = new DelegationTokens({ keys, runtime })
    this.#callers = new Callers(options, this.#delegations)
    this.#rewrites = new Rewrites(options, modules)
    this.#data = new DataHalf({ ...modules, tokens: this.#blockTokens, rewrites: this.#rewrites })
    this.#promised = new PromisedFiles(modules)
    const { metrics } = modules
    this.#failures = metrics.counters(
      'alluxio_proxy_webhdfs_failures_total',
      'WebHDFS requests refused or failed, by code',
    )
    const requests = metrics.counters(
      'alluxio_proxy_webhdfs_requests_total',
      'WebHDFS requests, by operation',
    )
    this.#operations = this.#table(options, requests)
  }

  /** Serves a request if its path is of this protocol. */
  readonly route = (request: IncomingMessage, response: ServerResponse, path: string): boolean => {
    if (!isOfWebHdfs(path)) return false
    void this.#serve(request, response)
    return true
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let asked: HdfsRequest | undefined
    try {
      asked = new HdfsRequest(request.url!)
      if (asked.get(TOKEN_PARAMETER) !== undefined) return await this.#data.serve(asked, request, response)
      const away = this.#modules.users.reachMaster()
      if (away !== undefined) await away
      const found = this.#callers.of(request, asked)
      const caller = found instanceof Promise ? await found : found
      const operation = this.#operations[request.method ?? '']?.get(asked.op)
      if (operation === undefined) throw this.#unknown(request, asked)
      operation.count.add()
      const { user } = caller
      const json = await operation.run({
        ...{ asked, user, caller, request, response },
        fs: this.#modules.users.as(user),
      })
      if (json !== undefined) sendJson(response, json)
    } catch (error) {
      this.#failed(error, asked)
      sendFailure(request, response, error)
    }
  }

  #failed(error: unknown, asked: HdfsRequest | undefined): void {
    const fields = { op: asked?.op, path: asked?.path, error }
    const { code } = toAlluxioError(error)
    this.#failures.with({ code }).add()
    if (code === 'INTERNAL') this.#modules.log.error('WebHDFS', fields)
    else this.#modules.log.debug('WebHDFS', fields)
  }

  /** The words by which clients know that they have to do without an operation. */
  #unknown({ method }: IncomingMessage, { op }: HdfsRequest): AlluxioError {
    const kind = { GET: 'Get', PUT: 'Put', POST: 'Post', DELETE: 'Delete' }[method ?? ''] ?? 'Http'
    return new AlluxioError(
      'INVALID_ARGUMENT',
      `Invalid value for webhdfs parameter "op": No enum constant org.apache.hadoop.hdfs.web.resources.${kind}OpParam.Op.${op.slice(0, 80)}`,
    )
  }

  #table(
    options: WebHdfsOptions,
    requests: Family<Counter>,
  ): Readonly<Record<string, ReadonlyMap<string, Counted>>> {
    const { aclChange } = attributes
    const get: Record<string, Operation> = {
      OPEN: this.#open,
      GETFILECHECKSUM: this.#open,
      OPENFILE: openFile(this.#blockTokens),
      GETFILESTATUS: reads.getFileStatus,
      GETFILELINKSTATUS: reads.getFileStatus,
      LISTSTATUS: reads.listStatus,
      LISTSTATUS_BATCH: reads.listStatusBatch,
      LISTLOCATED: listLocated(this.#workers),
      GETCONTENTSUMMARY: reads.getContentSummary,
      GETQUOTAUSAGE: reads.getQuotaUsage,
      GETHOMEDIRECTORY: reads.getHomeDirectory,
      GETTRASHROOT: reads.getTrashRoot,
      GETTRASHROOTS: reads.getTrashRoots,
      GETSERVERDEFAULTS: reads.serverDefaults(options.blockSizeBytes),
      GETSTATUS: reads.getStatus,
      CHECKACCESS: reads.checkAccess,
      GETFILEBLOCKLOCATIONS: reads.blockLocations(this.#workers, 'hosts'),
      GET_BLOCK_LOCATIONS: reads.blockLocations(this.#workers, 'nodes'),
      GETACLSTATUS: reads.getAclStatus,
      GETXATTRS: attributes.getXAttrs,
      LISTXATTRS: attributes.listXAttrs,
      GETALLSTORAGEPOLICY: reads.getAllStoragePolicy,
      GETSTORAGEPOLICY: reads.getStoragePolicy,
      GETDELEGATIONTOKEN: delegations.issue(this.#delegations, 'one'),
      GETDELEGATIONTOKENS: delegations.issue(this.#delegations, 'list'),
    }
    const put: Record<string, Operation> = {
      CREATE: this.#create,
      MKDIRS: changes.mkdirs,
      RENAME: changes.rename,
      SETPERMISSION: this.#promised.whenThere(changes.setPermission),
      SETOWNER: changes.setOwner,
      SETTIMES: changes.setTimes,
      SETREPLICATION: changes.setReplication,
      MODIFYACLENTRIES: aclChange('MODIFY', true),
      REMOVEACLENTRIES: aclChange('REMOVE', true),
      REMOVEDEFAULTACL: aclChange('REMOVE_DEFAULT', false),
      REMOVEACL: aclChange('REMOVE_ALL', false),
      SETACL: aclChange('SET', true),
      SETXATTR: attributes.setXAttr,
      REMOVEXATTR: attributes.removeXAttr,
      LOAD: new Loads(this.#modules).load,
      PIN: pin,
      UNPIN: unpin,
      RENEWDELEGATIONTOKEN: delegations.renew(this.#delegations),
      CANCELDELEGATIONTOKEN: delegations.cancel(this.#delegations),
    }
    const post = {
      APPEND: this.#append,
      TRUNCATE: this.#rewrites.truncate,
      CONCAT: this.#rewrites.concat,
      HINTS: hints(this.#modules.adapters, this.#modules.runtime),
    }
    return {
      GET: counted(get, REFUSED_GET, requests),
      PUT: counted(put, REFUSED_PUT, requests),
      POST: counted(post, REFUSED_POST, requests),
      DELETE: counted({ DELETE: changes.remove }, ['DELETESNAPSHOT'], requests),
    }
  }

  /** To the worker on the caller's host, else to one that has the first byte asked for, else here. */
  readonly #open: Operation = async (call) => {
    const { fs, asked } = call
    const refreshed = this.#workers.refresh()
    const { length, folder } = await fs.getStatus(asked.path)
    if (folder) {
      throw new AlluxioError('IS_A_DIRECTORY', `Path is not a file: ${asked.path}`)
    }
    const { start } = rangeOf(asked, length)
    await refreshed
    const excluded = excludedOf(asked)
    let worker = this.#workers.near(call.request.socket.remoteAddress ?? '', excluded)
    if (worker === undefined) {
      const places = start < length ? placesIn(await fs.blockPlaces(asked.path), start, 1) : []
      worker = this.#workers.holder(places, excluded)
    }
    return this.#redirect(call, worker)
  }

  /** What will fail for certain fails here, before a byte of the body is sent. */
  readonly #create: Operation = async (call) => {
    const { fs, asked } = call
    const { overwrite, createParent } = createOptions(asked)
    const refreshed = this.#workers.refresh()
    const existing = await fs.getStatus(asked.path).catch((error: unknown) => {
      if (isAlluxioError(error, 'NOT_FOUND')) return undefined
      throw error
    })
    if (existing !== undefined && (existing.folder || !overwrite)) {
      const why = existing.folder ? ' as a directory' : ''
      throw new AlluxioError('ALREADY_EXISTS', `${asked.path} already exists${why}`)
    }
    if (existing === undefined && !createParent)
      await fs.getStatus(asked.path.slice(0, asked.path.lastIndexOf('/')) || '/')
    await refreshed
    if (existing === undefined) this.#promised.promise(asked.path)
    return this.#redirect(call, this.#anyNear(call), existing)
  }

  readonly #append: Operation = async (call) => {
    const refreshed = this.#workers.refresh()
    const { folder } = await call.fs.getStatus(call.asked.path)
    if (folder) {
      throw new AlluxioError('IS_A_DIRECTORY', `Path is not a file: ${call.asked.path}`)
    }
    await refreshed
    return this.#redirect(call, this.#anyNear(call))
  }

  #anyNear({ asked, request }: HdfsCall) {
    const excluded = excludedOf(asked)
    return (
      this.#workers.near(request.socket.remoteAddress ?? '', excluded) ?? this.#workers.holder([], excluded)
    )
  }

  async #redirect(
    { asked, user, request, response }: HdfsCall,
    worker: { readonly host: string; readonly webPort: number } | undefined,
    replaces?: FileStatus,
  ): Promise<string | undefined> {
    const { op, path } = asked
    const host = worker === undefined ? hostOf(request, this.#hostname) : `${worker.host}:${worker.webPort}`
    const replaced = replaces === undefined ? undefined : replacedText(replaces)
    const token = await this.#blockTokens.issue({ op: grantedOperation(op, replaced), path, user })
    const more = replaced === undefined ? '' : `&${REPLACED_PARAMETER}=${replaced}`
    const query = `?op=${op}${asked.queryWithout(WITHOUT_OP)}${more}&${TOKEN_PARAMETER}=${token}`
    const location = `http://${host}${PREFIX}${encodePath(path)}${query}`
    if (asked.boolean('noredirect', false)) return JSON.stringify({ Location: location })
    response.writeHead(307, {
      Location: location,
      'Content-Type': 'application/octet-stream',
      'Content-Length': 0,
    })
    response.end()
    return undefined
  }
}

const WITHOUT_OP = new Set([...NOT_PASSED_ON, 'op'])

function excludedOf(asked: HdfsRequest): ReadonlySet<string> {
  const text = asked.get('excludedatanodes')
  return text === undefined || text === '' ? NONE : new Set(text.split(','))
}
const NONE: ReadonlySet<string> = new Set()

function encodePath(path: string): string {
  return /^[\w./~-]*$/.test(path) ? path : path.split('/').map(encodeURIComponent).join('/')
}

/** What HDFS has and a cache of other stores has not. */
const REFUSED_GET = [
  'GETSNAPSHOTDIFF',
  'GETSNAPSHOTDIFFLISTING',
  'GETSNAPSHOTTABLEDIRECTORYLIST',
  'GETSNAPSHOTLIST',
  'GETLINKTARGET',
  'GETECPOLICY',
  'GETECPOLICIES',
  'GETECCODECS',
]
const REFUSED_PUT = [
  'ALLOWSNAPSHOT',
  'DISALLOWSNAPSHOT',
  'CREATESNAPSHOT',
  'RENAMESNAPSHOT',
  'CREATESYMLINK',
  'SETQUOTA',
  'SETQUOTABYSTORAGETYPE',
  'SETSTORAGEPOLICY',
  'SATISFYSTORAGEPOLICY',
  'ENABLEECPOLICY',
  'DISABLEECPOLICY',
  'SETECPOLICY',
]
const REFUSED_POST = ['UNSETSTORAGEPOLICY', 'UNSETECPOLICY']

interface Counted {
  readonly run: Operation
  readonly count: Counter
}

function counted(
  operations: Readonly<Record<string, Operation>>,
  refused: readonly string[],
  requests: Family<Counter>,
): ReadonlyMap<string, Counted> {
  const table = new Map<string, Counted>()
  for (const [op, run] of Object.entries(operations)) table.set(op, { run, count: requests.with({ op }) })
  const count = requests.with({ op: 'unsupported' })
  for (const op of refused) {
    const run: Operation = async () => {
      throw new AlluxioError('UNSUPPORTED', `${op} is not supported by Alluxio`)
    }
    table.set(op, { run, count })
  }
  return table
}
