/** Calls to Kubernetes' API server, as the service account that the process has. */
import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { AlluxioError, type ErrorCode, type Runtime } from '../../core/index.ts'
import type { List, PatchOperation } from './objects.ts'

export interface KubeApiOptions {
  readonly url: URL
  /** Read for each call: its content is renewed from time to time. */
  readonly tokenFile?: string | undefined
  /** Who signs the server's certificate. @default those that Node trusts */
  readonly caFile?: string | undefined
}

const CALL_MS = 15_000
const PAGE = 500
const MAX_ANSWER_BYTES = 64 * 2 ** 20
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  422: 'INVALID_ARGUMENT',
}

export class KubeApi {
  readonly #options: KubeApiOptions
  readonly #runtime: Runtime
  readonly #agent: HttpAgent | HttpsAgent

  /** @throws NOT_FOUND when the CA's file cannot be read */
  constructor(options: KubeApiOptions, { runtime }: { readonly runtime: Runtime }) {
    this.#options = options
    this.#runtime = runtime
    const { url, caFile } = options
    const ca = caFile === undefined ? {} : { ca: fileText(caFile) }
    this.#agent =
      url.protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true, ...ca })
        : new HttpAgent({ keepAlive: true })
  }

  /** All objects of a collection such as `/api/v1/nodes`, in pages. @throws UNAVAILABLE, PERMISSION_DENIED, UNAUTHENTICATED */
  async list<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T[]> {
    const items: T[] = []
    let next = ''
    do {
      const words = new URLSearchParams({
        ...query,
        limit: String(PAGE),
        ...(next === '' ? {} : { continue: next }),
      })
      const page = (await this.#call('GET', `${path}?${words}`)) as List<T>
      items.push(...(page.items ?? []))
      next = page.metadata?.continue ?? ''
    } while (next !== '')
    return items
  }

  /** @throws NOT_FOUND; CONFLICT or INVALID_ARGUMENT when a `test` of the patch fails; as `list` */
  async patch(path: string, operations: readonly PatchOperation[]): Promise<void> {
    await this.#call('PATCH', path, operations)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { url, tokenFile } = this.#options
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const headers = {
      accept: 'application/json',
      ...(tokenFile === undefined ? {} : { authorization: `Bearer ${fileText(tokenFile).trim()}` }),
      ...(bytes === undefined
        ? {}
        : { 'content-type': 'application/json-patch+json', 'content-length': bytes.length }),
    }
    const abort = new AbortController()
    const cancel = this.#runtime.after(CALL_MS, () => abort.abort())
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const send = url.protocol === 'https:' ? httpsRequest : httpRequest
        const options = { method, headers, agent: this.#agent, signal: abort.signal }
        const request = send(new URL(path, url), options, resolve)
        request.on('error', reject)
        request.end(bytes)
      })
      const text = await textOf(response)
      const { statusCode: status = 0 } = response
      if (status >= 200 && status < 300) return JSON.parse(text)
      const what = `Kubernetes answers ${method} ${path.split('?', 1)[0]} with ${status}: ${text.slice(0, 300)}`
      throw new AlluxioError(CODES[status] ?? 'UNAVAILABLE', what)
    } catch (error) {
      if (error instanceof AlluxioError) throw error
      throw new AlluxioError('UNAVAILABLE', `Kubernetes at ${url.host}: ${(error as Error).message}`, {
        cause: error,
      })
    } finally {
      cancel()
    }
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new AlluxioError('UNAVAILABLE', 'an answer of Kubernetes is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new AlluxioError('NOT_FOUND', `${path} cannot be read: ${(error as Error).message}`)
  }
}
