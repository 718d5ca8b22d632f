/**
 * GET and HEAD without the SDK's pipeline, which costs 0.5 ms of CPU a request: this is the path of every cold read and every
 * validation. Where a bucket is, its region and the credentials come from the SDK; what only the SDK mends (a redirect
 * to another region, a clock that is wrong) is asked again through it.
 */
import type { S3Client } from '@aws-sdk/client-s3'
import type { Runtime } from '../../core/index.ts'
import { type Answer, encode, type HttpHandler } from '../http-transport/http-handler.ts'
import { Signer } from './signature.ts'

export interface SignedRequestsOptions {
  readonly bucket: string
  readonly endpoint: string
  readonly pathStyle: boolean
  readonly anonymous: boolean
}

export interface SignedRequestsModules {
  readonly client: S3Client
  readonly handler: Pick<HttpHandler, 'ask'>
  readonly runtime: Pick<Runtime, 'now'>
  readonly onApiCall: (api: string) => void
}

interface Place {
  readonly url: URL
  /** Path of the bucket without a slash at its end. */
  readonly path: string
  readonly signer: Signer
}

/** Refusals that mean what they say. The others may be about how it was asked. */
const FINAL = new Set([404, 405, 412, 416, 429])

export class SignedRequests {
  readonly #options: SignedRequestsOptions
  readonly #m: SignedRequestsModules
  #place: Place | undefined
  #bypassed = false

  constructor(options: SignedRequestsOptions, modules: SignedRequestsModules) {
    this.#options = options
    this.#m = modules
  }

  /** The SDK succeeded where this way was refused or not open: no need to try it each time. */
  bypass(): void {
    this.#bypassed = true
  }

  /** A success; undefined when the SDK has to ask. @throws what the handler throws, or a refusal in the form of the SDK's */
  async ask(
    method: 'GET' | 'HEAD',
    api: string,
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Answer | undefined> {
    const { client, handler, runtime, onApiCall } = this.#m
    const place = this.#place ?? (this.#bypassed ? undefined : await this.#locate())
    if (place === undefined || this.#bypassed) return undefined
    const { url, signer } = place
    const path = `${place.path}/${key.split('/').map(encode).join('/')}`
    const given = { method, host: url.host, path, headers }
    const signed = this.#options.anonymous
      ? { host: url.host, ...headers }
      : signer.sign(given, await client.config.credentials(), runtime.now())
    onApiCall(api)
    const request = {
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      method,
      path,
      headers: signed,
    }
    const answer = await handler.ask(request, signal === undefined ? {} : { abortSignal: signal })
    if (answer.statusCode < 300) return answer
    if (FINAL.has(answer.statusCode) || answer.statusCode >= 500) throw refusal(answer)
    return undefined
  }

  /** Where the SDK would send requests for the bucket; undefined when it signs them in a way that is not known here. */
  async #locate(): Promise<Place | undefined> {
    const { bucket, endpoint, pathStyle } = this.#options
    const { config } = this.#m.client
    try {
      const { url, properties } = config.endpointProvider({
        Bucket: bucket,
        Region: await config.region(),
        ForcePathStyle: pathStyle,
        UseFIPS: await config.useFipsEndpoint(),
        UseDualStack: await config.useDualstackEndpoint(),
        Accelerate: false,
        UseArnRegion: false,
        DisableMultiRegionAccessPoints: false,
        ...(endpoint === '' ? {} : { Endpoint: endpoint }),
      })
      const scheme = (properties?.authSchemes as { name: string; signingRegion?: string }[] | undefined)?.[0]
      if (scheme?.name !== 'sigv4' || scheme.signingRegion === undefined) return undefined
      this.#place = { url, path: url.pathname.replace(/\/$/, ''), signer: new Signer(scheme.signingRegion) }
      return this.#place
    } catch {
      // No region, a bucket that rules forbid: the SDK's own attempt says so.
      return undefined
    }
  }
}

/** In the form of the SDK's errors, which one place translates. */
function refusal({ statusCode, headers, text }: Answer): Error {
  const xml = text === undefined ? '' : Buffer.from(text).toString('utf8')
  const code =
    /<Code>([^<]+)<\/Code>/.exec(xml)?.[1] ?? (statusCode === 404 ? 'NotFound' : `Http${statusCode}`)
  const message = /<Message>([^<]*)<\/Message>/.exec(xml)?.[1] ?? ''
  const requestId = headers['x-amz-request-id']
  return Object.assign(new Error(message), {
    name: code,
    $metadata: { httpStatusCode: statusCode, ...(requestId === undefined ? {} : { requestId }) },
    $response: { statusCode, headers },
  })
}
