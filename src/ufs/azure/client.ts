/** Requests to the blob service: addressed, signed, sent, and their refusals translated. */
import type { Readable } from 'node:stream'
import type { AlluxioError, Runtime } from '../../core/index.ts'
import { type Meaning, meaningOfStatus, refused, unreachable } from '../http/errors.ts'
import { type Answer, ChunkBody, encode, type HttpHandler } from '../http-transport/http-handler.ts'
import { THROTTLED } from '../layers/retry-policy.ts'
import type { Account } from './account.ts'
import { sharedKey } from './signature.ts'

const VERSION = '2021-12-02'

export interface AzureRequest {
  /** Name of the call as the documentation has it, such as `PutBlob`. */
  readonly api: string
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE'
  /** Absent: the container. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  /** For messages. */
  readonly path: string
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that the server may be silent. @default the store's stall timeout */
  readonly silenceMs?: number
}

export interface AzureAnswer {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

const DENIED: Meaning = {
  code: 'PERMISSION_DENIED',
  advice: 'the credentials are known but may not do this: check the permissions of the signature or account',
}
const UNKNOWN: Meaning = {
  code: 'UNAUTHENTICATED',
  advice:
    "set alluxio.underfs.azure.account.key or alluxio.underfs.azure.sas.token, and correct this host's clock if it is wrong",
}
const BY_NAME: Readonly<Record<string, Meaning>> = {
  AuthenticationFailed: UNKNOWN,
  InvalidAuthenticationInfo: UNKNOWN,
  NoAuthenticationInformation: UNKNOWN,
  // An anonymous request is told that nothing is there.
  PublicAccessNotPermitted: UNKNOWN,
  AuthorizationFailure: DENIED,
  AuthorizationPermissionMismatch: DENIED,
  InsufficientAccountPermissions: DENIED,
  AccountIsDisabled: DENIED,
  ContainerNotFound: {
    code: 'NOT_FOUND',
    reason: 'BUCKET_MISSING',
    advice: 'the container does not exist: make it, or correct its name or the account',
  },
  BlobNotFound: { code: 'NOT_FOUND' },
  BlobAlreadyExists: { code: 'CONFLICT', reason: 'BLOB_EXISTS' },
  ConditionNotMet: { code: 'CONFLICT' },
  TargetConditionNotMet: { code: 'CONFLICT' },
  InvalidBlockList: { code: 'CONFLICT', reason: 'BLOCKS_GONE' },
  DirectoryIsNotEmpty: { code: 'DIRECTORY_NOT_EMPTY' },
  InvalidRange: { code: 'OUT_OF_RANGE' },
  ServerBusy: { code: 'RESOURCE_EXHAUSTED', reason: THROTTLED },
  OperationTimedOut: { code: 'UNAVAILABLE' },
  ContainerBeingDeleted: { code: 'UNAVAILABLE' },
  Md5Mismatch: { code: 'UNAVAILABLE', reason: 'CHECKSUM' },
}

export interface AzureClientModules {
  readonly handler: HttpHandler
  readonly runtime: Pick<Runtime, 'now'>
  readonly onApiCall: (api: string) => void
}

export class AzureClient {
  readonly #account: Account
  /** Encoded path of the container. */
  readonly #path: string
  /** For messages. */
  readonly #place: string
  readonly #m: AzureClientModules

  constructor(
    options: { readonly container: string; readonly account: Account },
    modules: AzureClientModules,
  ) {
    this.#account = options.account
    this.#path = `${options.account.endpoint.pathname.replace(/\/$/, '')}/${encode(options.container)}`
    this.#place = `${options.account.endpoint.origin}${this.#path}`
    this.#m = modules
  }

  /** A request whose answer is small. @throws AlluxioError */
  async send(request: AzureRequest): Promise<AzureAnswer> {
    const { api, path, signal, body, silenceMs } = request
    const wire = this.#wire(request)
    this.#m.onApiCall(api)
    try {
      const { response } = await this.#m.handler.handle(
        { ...wire, ...(body === undefined ? {} : { body: new ChunkBody(body) }) },
        {
          ...(signal === undefined ? {} : { abortSignal: signal }),
          ...(silenceMs === undefined ? {} : { requestTimeout: silenceMs }),
        },
      )
      const { statusCode, headers } = response
      const text = await textOf(response.body)
      if (statusCode < 300) return { headers, text }
      throw this.#refusal(request, statusCode, headers, text)
    } catch (error) {
      throw this.#unreachable(error, `${api} ${path || '/'}`, signal)
    }
  }

  /** GET or HEAD of a blob. @throws AlluxioError */
  async ask(request: AzureRequest): Promise<Answer> {
    const { api, path, signal } = request
    const wire = this.#wire(request)
    this.#m.onApiCall(api)
    let answer: Answer
    try {
      answer = await this.#m.handler.ask(wire, signal === undefined ? {} : { abortSignal: signal })
    } catch (error) {
      throw this.#unreachable(error, `${api} ${path || '/'}`, signal)
    }
    const { statusCode, headers, text } = answer
    if (statusCode < 300) return answer
    throw this.#refusal(request, statusCode, headers, text === undefined ? '' : Buffer.from(text).toString())
  }

  /** Address of a blob of this container as the source of a copy. */
  source(key: string): string {
    const url = `${this.#place}/${key.split('/').map(encode).join('/')}`
    const { sas } = this.#account
    return sas === undefined ? url : `${url}?${sas.reveal().replace(/^\?/, '')}`
  }

  close(): void {
    this.#m.handler.destroy()
  }

  #wire({ method, key, query = {}, headers: given = {}, body }: AzureRequest) {
    const { endpoint, name, key: accountKey, sas } = this.#account
    const path = key === undefined ? this.#path : `${this.#path}/${key.split('/').map(encode).join('/')}`
    const length = method === 'PUT' ? bytesOf(body) : undefined
    const headers: Record<string, string> = {
      host: endpoint.host,
      ...(length === undefined ? {} : { 'content-length': String(length) }),
      ...given,
      'x-ms-date': new Date(this.#m.runtime.now()).toUTCString(),
      'x-ms-version': VERSION,
    }
    if (accountKey !== undefined) {
      headers.authorization = sharedKey(name, accountKey.reveal(), { method, path, query, headers })
    }
    const parts = Object.entries(query).map(([one, value]) => `${encode(one)}=${encode(value)}`)
    if (accountKey === undefined && sas !== undefined) parts.push(sas.reveal().replace(/^\?/, ''))
    return {
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      ...(endpoint.port === '' ? {} : { port: Number(endpoint.port) }),
      method,
      path: parts.length === 0 ? path : `${path}?${parts.join('&')}`,
      headers,
    }
  }

  #refusal(
    { api, path }: AzureRequest,
    status: number,
    headers: Readonly<Record<string, string>>,
    text: string,
  ): AlluxioError {
    const name = headers['x-ms-error-code'] ?? /<Code>([^<]+)<\/Code>/.exec(text)?.[1] ?? ''
    const message = /<Message>([^<]*)/.exec(text)?.[1]?.split('\n')[0] ?? ''
    // Azurite gives a wrong signature and a missing permission one name.
    const known = /failed to authenticate/i.test(message) ? UNKNOWN : BY_NAME[name]
    const meaning = known ?? meaningOfStatus(status)
    return refused({
      what: `${api} ${path || '/'}`,
      place: this.#place,
      status,
      headers,
      said: message === '' ? name : `${name}: ${message}`,
      meaning,
    })
  }

  #unreachable(error: unknown, what: string, signal: AbortSignal | undefined): AlluxioError {
    return unreachable(error, what, this.#place, 'alluxio.underfs.azure.endpoint', signal)
  }
}

function bytesOf(chunks: readonly Uint8Array[] = []): number {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.length
  return bytes
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString('utf8')
}
