/** Requests to an S3 server as bytes of our own making: signed as they should be, or in some way not. */
import { createHash, createHmac } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { FileSystem } from '../../../../src/client/index.ts'

export interface Key {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Of an error document. */
  readonly code: string
}

export interface Call {
  readonly method?: string
  /** Escaped as it is to be sent. */
  readonly path: string
  /** Name and value, escaped, in the order in which they are sent. */
  readonly query?: readonly (readonly [string, string])[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** Of x-amz-content-sha256. @default the digest of the body */
  readonly payload?: string
  readonly timeMs?: number
  readonly region?: string
  readonly service?: string
  /** Changes what was signed before it is sent. */
  readonly spoil?: (sent: { headers: Record<string, string>; path: string }) => void
  /** Headers that are sent and not signed. */
  readonly unsigned?: Readonly<Record<string, string>>
}

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex')
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest()

export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

export function signingKey(secret: string, date: string, region = 'us-east-1', service = 's3'): Buffer {
  return [date, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`))
}

export class S3Caller {
  readonly endpoint: URL
  readonly key: Key

  constructor(endpoint: string, key: Key) {
    this.endpoint = new URL(endpoint)
    this.key = key
  }

  /** The headers of a signed request, and what its chunks are signed with. */
  sign(call: Call): { headers: Record<string, string>; time: string; scope: string; signature: string } {
    const { method = 'GET', path, query = [], headers = {}, body = '', timeMs = Date.now() } = call
    const time = timeText(timeMs)
    const payload = call.payload ?? sha256(body)
    const all: Record<string, string> = {
      host: this.endpoint.host,
      'x-amz-date': time,
      'x-amz-content-sha256': payload,
      ...headers,
    }
    const names = Object.keys(all).sort()
    const canonical = `${method}\n${path}\n${queryText(query, true)}\n${names.map((name) => `${name}:${all[name]!.trim()}\n`).join('')}\n${names.join(';')}\n${payload}`
    const { scope, signature } = this.#signature(canonical, time, call)
    const authorization = `AWS4-HMAC-SHA256 Credential=${this.key.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    return { headers: { ...all, authorization }, time, scope, signature }
  }

  call(call: Call): Promise<Answer> {
    const { headers } = this.sign(call)
    const sent = { headers: { ...headers, ...call.unsigned }, path: call.path }
    call.spoil?.(sent)
    return this.send(call, sent.headers, sent.path + question(call.query ?? []))
  }

  /** A URL's path and query with which anybody may call. */
  presign(call: Call, expires: string | number, more: Readonly<Record<string, string>> = {}): string {
    const { method = 'GET', path, query = [], timeMs = Date.now() } = call
    const time = timeText(timeMs)
    const scope = `${time.slice(0, 8)}/${call.region ?? 'us-east-1'}/${call.service ?? 's3'}/aws4_request`
    const parameters: [string, string][] = [
      ...query.map(([name, value]) => [name, value] as [string, string]),
      ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
      ['X-Amz-Credential', encodeURIComponent(`${this.key.accessKeyId}/${scope}`)],
      ['X-Amz-Date', time],
      ['X-Amz-Expires', String(expires)],
      ['X-Amz-SignedHeaders', 'host'],
      ...Object.entries(more),
    ]
    const canonical = `${method}\n${path}\n${queryText(parameters, true)}\nhost:${this.endpoint.host}\n\nhost\nUNSIGNED-PAYLOAD`
    const { signature } = this.#signature(canonical, time, call)
    return `${path}?${queryText(parameters, false)}&X-Amz-Signature=${signature}`
  }

  /** Sends what is given, whatever it is. */
  send(
    { method = 'GET', body }: Pick<Call, 'method' | 'body'>,
    headers: Readonly<Record<string, string | readonly string[]>>,
    target: string,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.endpoint
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const request = httpRequest(
        { hostname, port, method, path: target, headers: { ...length, ...headers } as never, agent: false },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('error', reject)
          response.on('end', () => {
            const bytes = Buffer.concat(parts)
            const code = /<Code>([^<]*)<\/Code>/.exec(bytes.toString('latin1'))?.[1] ?? ''
            resolve({ status: response.statusCode!, headers: response.headers, body: bytes, code })
          })
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  }

  #signature(canonical: string, time: string, call: Call): { scope: string; signature: string } {
    const { region = 'us-east-1', service = 's3' } = call
    const date = time.slice(0, 8)
    const scope = `${date}/${region}/${service}/aws4_request`
    const key = signingKey(this.key.secretAccessKey, date, region, service)
    const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`).toString('hex')
    return { scope, signature }
  }
}

function question(query: readonly (readonly [string, string])[]): string {
  return query.length === 0 ? '' : `?${queryText(query, false)}`
}

function queryText(query: readonly (readonly [string, string])[], sorted: boolean): string {
  const pairs = query.map(([name, value]) => `${name}=${value}`)
  return (sorted ? pairs.sort() : pairs).join('&')
}

const EMPTY = sha256('')

/** A body in signed chunks; `spoil` changes the bytes of a chunk, or of what is around it, when they are signed already. */
export function signedChunks(
  caller: S3Caller,
  signed: { readonly time: string; readonly scope: string; readonly signature: string },
  chunks: readonly Buffer[],
  trailer?: Readonly<Record<string, string>>,
): Buffer {
  const [date, region] = signed.scope.split('/') as [string, string]
  const key = signingKey(caller.key.secretAccessKey, date, region)
  const parts: Buffer[] = []
  let previous = signed.signature
  for (const chunk of [...chunks, Buffer.alloc(0)]) {
    const head = `AWS4-HMAC-SHA256-PAYLOAD\n${signed.time}\n${signed.scope}\n${previous}\n${EMPTY}\n${sha256(chunk)}`
    previous = hmac(key, head).toString('hex')
    parts.push(Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`), chunk)
    if (chunk.length > 0 || trailer === undefined) parts.push(Buffer.from('\r\n'))
  }
  if (trailer === undefined) return Buffer.concat(parts)
  const text = Object.entries(trailer)
    .map(([name, value]) => `${name}:${value}\n`)
    .join('')
  const toSign = `AWS4-HMAC-SHA256-TRAILER\n${signed.time}\n${signed.scope}\n${previous}\n${sha256(text)}`
  const signature = hmac(key, toSign).toString('hex')
  parts.push(Buffer.from(`${text.replaceAll('\n', '\r\n')}x-amz-trailer-signature:${signature}\r\n\r\n`))
  return Buffer.concat(parts)
}

/** A body in chunks that nothing signs. */
export function plainChunks(chunks: readonly Buffer[], trailer: Readonly<Record<string, string>>): Buffer {
  const parts = chunks.flatMap((chunk) => [
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from('\r\n'),
  ])
  const text = Object.entries(trailer)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')
  return Buffer.concat([...parts, Buffer.from(`0\r\n${text}\r\n`)])
}

/** A key of a user of the cluster. */
export async function keyOf(fs: FileSystem, user: string): Promise<Key> {
  const accessKeyId = `AK${user.toUpperCase()}${Date.now().toString(36).toUpperCase()}`
  const secretAccessKey = createHash('sha256').update(`${user}${Math.random()}`).digest('hex').slice(0, 40)
  await fs.admin.credentials.put({ accessKeyId, secretAccessKey, user })
  return { accessKeyId, secretAccessKey }
}
