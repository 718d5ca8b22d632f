/** Makes the SDK's client from the options of a mount, and sends its commands with errors translated. */
import { createHash } from 'node:crypto'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import { type Answer, HttpHandler } from '../http-transport/http-handler.ts'
import type { StoreModules, UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import type { Cloud } from './clouds.ts'
import { DialectHandler } from './dialect.ts'
import { fromS3, type S3Place } from './errors.ts'
import { S3Server } from './server.ts'
import type { Credentials } from './signature.ts'
import { SignedRequests } from './signed-requests.ts'

/** The SDK, loaded when the first S3 store is opened. */
export type Sdk = typeof import('@aws-sdk/client-s3')

/** A command of the SDK, seen from outside. */
interface Command<Output> {
  readonly constructor: { readonly name: string }
  resolveMiddleware(...given: never[]): (input: never) => Promise<{ output: Output }>
}

export interface SendOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that the server may be silent. @default the store's stall timeout */
  readonly silenceMs?: number
}

export class S3Connection {
  readonly sdk: Sdk
  readonly bucket: string
  readonly server: S3Server
  readonly #client: S3Client
  readonly #signed: SignedRequests
  readonly #place: S3Place
  readonly #onApiCall: (api: string) => void

  constructor(
    options: S3Place,
    modules: {
      readonly sdk: Sdk
      readonly server: S3Server
      readonly client: S3Client
      readonly signed: SignedRequests
      readonly onApiCall: (api: string) => void
    },
  ) {
    this.sdk = modules.sdk
    this.server = modules.server
    this.bucket = options.bucket
    this.#client = modules.client
    this.#signed = modules.signed
    this.#place = options
    this.#onApiCall = modules.onApiCall
  }

  /** Sends a command; `path` is for the message. @throws AlluxioError */
  async send<Output>(command: Command<Output>, path: string, options: SendOptions = {}): Promise<Output> {
    const api = command.constructor.name.replace(/Command$/, '')
    this.#onApiCall(api)
    const { signal, silenceMs } = options
    return this.#translated(
      `${api} ${path || '/'}`,
      signal,
      () =>
        this.#client.send(command as never, {
          ...(signal === undefined ? {} : { abortSignal: signal }),
          ...(silenceMs === undefined ? {} : { requestTimeout: silenceMs }),
        }) as Promise<Output>,
    )
  }

  /** Asks for an object without the SDK; undefined when only the SDK can: then `sendInstead`. @throws AlluxioError */
  ask(
    method: 'GET' | 'HEAD',
    key: string,
    headers: Readonly<Record<string, string>>,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<Answer | undefined> {
    const api = method === 'GET' ? 'GetObject' : 'HeadObject'
    return this.#translated(`${api} ${path || '/'}`, signal, () =>
      this.#signed.ask(method, api, key, headers, signal),
    )
  }

  async sendInstead<Output>(
    command: Command<Output>,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<Output> {
    const output = await this.send(command, path, { signal })
    this.#signed.bypass()
    return output
  }

  /** Runs a request; `what` is for the message. @throws AlluxioError */
  async #translated<T>(what: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw fromS3(error, what, this.#place, signal)
    }
  }

  close(): void {
    this.#client.destroy()
  }
}

/** `cloud`: one whose options have been turned into those of S3. */
export async function connect(
  bucket: string,
  options: UfsOptions,
  modules: StoreModules,
  cloud?: Cloud,
): Promise<S3Connection> {
  const endpoint = endpointOf(options)
  const sockets = new HttpHandler(
    {
      connections: setting(options, OPTIONS.UFS_S3_CONNECTIONS)!,
      stallMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
    },
    modules,
  )
  const pathStyle = setting(options, OPTIONS.UFS_S3_PATH_STYLE)
  const forcePathStyle = pathStyle === 'true' || (pathStyle === 'auto' && endpoint !== '')
  const given = credentials(options, modules)
  const dialect = cloud?.dialect
  const handler =
    cloud?.dialect === undefined ? sockets : spoken(cloud, bucket, options, given, { ...modules, sockets })
  const config = await clientConfig(options, modules, endpoint)
  const sdk = await import('@aws-sdk/client-s3')
  const client = new sdk.S3Client({
    ...config,
    ...signing(given, dialect !== undefined || setting(options, OPTIONS.UFS_S3_ANONYMOUS) === true),
    forcePathStyle,
    requestHandler: handler as unknown as NonNullable<S3ClientConfig['requestHandler']>,
  })
  if (!signsPayload(options, endpoint)) leavePayloadUnsigned(client)
  const { onApiCall, runtime } = modules
  const kind = cloud?.kind ?? setting(options, OPTIONS.UFS_S3_SERVER)!
  const server = new S3Server({ kind, checksum: setting(options, OPTIONS.UFS_S3_CHECKSUM)! }, modules)
  server.watch(client)
  if (kind === 'cos' || kind === 'obs') sumDeletes(client)
  // A dialect signs by itself.
  const anonymous = dialect !== undefined || setting(options, OPTIONS.UFS_S3_ANONYMOUS)!
  const signed = new SignedRequests(
    { bucket, endpoint, pathStyle: forcePathStyle, anonymous },
    { client, handler, runtime, onApiCall },
  )
  const keyOptions =
    cloud === undefined ? {} : { keyOptions: { access: cloud.accessKey.key, secret: cloud.secretKey.key } }
  return new S3Connection({ bucket, endpoint, ...keyOptions }, { sdk, server, client, signed, onApiCall })
}

async function clientConfig(
  options: UfsOptions,
  modules: StoreModules,
  endpoint: string,
): Promise<S3ClientConfig> {
  const region = setting(options, OPTIONS.UFS_S3_REGION)
  const profile = setting(options, OPTIONS.UFS_S3_PROFILE)
  return {
    ...(endpoint === '' ? { followRegionRedirects: true } : { endpoint }),
    // A custom server rarely cares about the region, and the SDK refuses to start without one.
    ...(region !== '' ? { region } : endpoint !== '' ? { region: 'us-east-1' } : {}),
    ...(profile === '' ? {} : { profile }),
    // The layers retry; two loops within each other would multiply.
    maxAttempts: 1,
    // Uploads carry a CRC32C of our own, and readers check the blocks that they cache: no second hash of each byte.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: {
      trace() {},
      debug() {},
      info() {},
      warn: (message: unknown) => modules.log.debug('S3 SDK', { said: String(message) }),
      error: (message: unknown) => modules.log.debug('S3 SDK', { said: String(message) }),
    },
  }
}

/** Undefined: the SDK looks for them. */
function credentials(options: UfsOptions, modules: StoreModules): (() => Credentials) | undefined {
  if (setting(options, OPTIONS.UFS_S3_ANONYMOUS)) return undefined
  const access = setting(options, OPTIONS.UFS_S3_ACCESS_KEY)
  const secret = setting(options, OPTIONS.UFS_S3_SECRET_KEY)
  const token = setting(options, OPTIONS.UFS_S3_SESSION_TOKEN)
  if (access === '' && secret === '') return undefined
  if (access === '' || secret === '') {
    const missing = access === '' ? OPTIONS.UFS_S3_ACCESS_KEY.key : OPTIONS.UFS_S3_SECRET_KEY.key
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${missing} is missing: give both keys, for example ${missing}=env:MY_VARIABLE`,
      {
        reason: 'INVALID_UFS_OPTION',
      },
    )
  }
  const accessKey = modules.secret(OPTIONS.UFS_S3_ACCESS_KEY.key, access!)
  const secretKey = modules.secret(OPTIONS.UFS_S3_SECRET_KEY.key, secret!)
  const sessionToken = token === '' ? undefined : modules.secret(OPTIONS.UFS_S3_SESSION_TOKEN.key, token!)
  // A function, so that no configuration object that someone prints holds the values.
  return () => ({
    accessKeyId: accessKey.reveal(),
    secretAccessKey: secretKey.reveal(),
    ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() }),
  })
}

function signing(given: (() => Credentials) | undefined, elsewhere: boolean): Partial<S3ClientConfig> {
  if (!elsewhere) return given === undefined ? {} : { credentials: async () => given() }
  return {
    credentials: { accessKeyId: 'anonymous', secretAccessKey: 'anonymous' },
    signer: { sign: async (request: never) => request },
  } as Partial<S3ClientConfig>
}

/** The handler that rewords and signs; without keys it is anonymous. */
function spoken(
  cloud: Cloud,
  bucket: string,
  options: UfsOptions,
  given: (() => Credentials) | undefined,
  modules: Pick<StoreModules, 'runtime'> & { readonly sockets: HttpHandler },
): DialectHandler {
  const { runtime, sockets: handler } = modules
  return new DialectHandler(
    cloud.dialect!,
    { bucket, region: setting(options, OPTIONS.UFS_S3_REGION)! },
    {
      handler,
      credentials: given ?? (() => ({ accessKeyId: '', secretAccessKey: '' })),
      bearer: cloud.bearer?.(options, { handler, runtime }),
      now: () => runtime.now(),
    },
  )
}

function endpointOf(options: UfsOptions): string {
  const text = setting(options, OPTIONS.UFS_S3_ENDPOINT)!
  if (text === '') return ''
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${OPTIONS.UFS_S3_ENDPOINT.key}: "${text}" is no URL: write for example http://127.0.0.1:9000 or https://s3.example.org`,
      { reason: 'INVALID_UFS_OPTION' },
    )
  }
  return text.replace(/\/+$/, '')
}

function signsPayload(options: UfsOptions, endpoint: string): boolean {
  const wanted = setting(options, OPTIONS.UFS_S3_PAYLOAD_SIGNING)
  return (
    wanted === 'true' ||
    (wanted === 'auto' && endpoint.startsWith('http:') && endpoint.includes('.amazonaws.com'))
  )
}

/** The signature then covers the headers only, among them the CRC32C of the body, which the server checks. */
function leavePayloadUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request?: { body?: unknown; headers: Record<string, string> } }
      if (
        request?.body instanceof Uint8Array ||
        typeof (request?.body as { pipe?: unknown })?.pipe === 'function'
      ) {
        request!.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      }
      return next(args)
    },
    { step: 'build', name: 'unsignedPayload', priority: 'low' },
  )
}

/** Servers that are older than the SDK's checksums want the MD5 of what is to be deleted. */
function sumDeletes(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as {
        request?: { body?: unknown; query?: Record<string, unknown>; headers: Record<string, string> }
      }
      if (request?.query !== undefined && 'delete' in request.query) {
        for (const name in request.headers) {
          if (/^x-amz-(checksum|sdk-checksum)-/.test(name)) delete request.headers[name]
        }
        request.headers['content-md5'] = createHash('md5')
          .update(request.body as string)
          .digest('base64')
      }
      return next(args)
    },
    { step: 'build', name: 'sumDeletes', priority: 'low' },
  )
}
