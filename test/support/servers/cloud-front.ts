/**
 * What Google's and Aliyun's storage are said to do otherwise than S3, in front of an S3 server without signatures: it checks
 * signatures by an implementation of its own, refuses headers of S3, and words the rest as S3. No server of theirs can be had.
 */
import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CloudFront {
  readonly endpoint: string
  /** Requests by method and what makes them special. */
  readonly seen: string[]
  stop(): Promise<void>
}

export interface CloudFrontOptions {
  readonly kind: 'gcs' | 'oss'
  /** Of the S3 server. */
  readonly target: string
  readonly region: string
  readonly secretKey: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** The signature that the request should have. */
function expected(
  { method = '', url = '', headers }: IncomingMessage,
  { kind, region, secretKey }: CloudFrontOptions,
): string {
  const oss = kind === 'oss'
  const own = oss ? 'x-oss-' : 'x-goog-'
  const [path = '', query = ''] = url.split('?')
  const pairs = query === '' ? [] : query.split('&').map((pair) => pair.split('='))
  pairs.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))
  const canonicalQuery = pairs
    .map(([name, value = '']) => (oss && value === '' ? name : `${name}=${value}`))
    .join('&')
  const signed = Object.keys(headers)
    .filter((name) => name.startsWith(own) || /^content-(type|md5)$/.test(name) || (!oss && name === 'host'))
    .sort()
  const lines = signed.map((name) => `${name}:${String(headers[name]).trim()}\n`).join('')
  const payload = String(headers[`${own}content-sha256`])
  const canonical = `${method}\n${path}\n${canonicalQuery}\n${lines}\n${oss ? '' : signed.join(';')}\n${payload}`
  const time = String(headers[`${own}date`])
  const last = oss ? 'aliyun_v4_request' : 'goog4_request'
  const service = oss ? 'oss' : 'storage'
  const scope = `${time.slice(0, 8)}/${region}/${service}/${last}`
  const text = `${oss ? 'OSS4' : 'GOOG4'}-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`
  const hmac = (key: Buffer | string, data: string) => createHmac('sha256', key).update(data).digest()
  const start = `${oss ? 'aliyun_v4' : 'GOOG4'}${secretKey}`
  const key = hmac(hmac(hmac(hmac(start, time.slice(0, 8)), region), service), last)
  return hmac(key, text).toString('hex')
}

/** Headers for the S3 server, or the refusal. */
function translated(
  incoming: IncomingMessage,
  options: CloudFrontOptions,
): { readonly headers: Record<string, string> } | { readonly status: number; readonly code: string } {
  const { kind } = options
  const { headers: given, method, url = '' } = incoming
  const own = kind === 'oss' ? 'x-oss-' : 'x-goog-'
  const names = Object.keys(given)
  if (names.some((name) => name.startsWith('x-amz-'))) return { status: 400, code: 'ExcessHeaderValues' }
  if (!given.authorization?.endsWith(`Signature=${expected(incoming, options)}`)) {
    return { status: 403, code: 'SignatureDoesNotMatch' }
  }
  if (kind === 'oss' && /[?&]delete/.test(url) && given['content-md5'] === undefined) {
    return { status: 400, code: 'MissingArgument' }
  }
  const absent =
    kind === 'oss' ? given['x-oss-forbid-overwrite'] === 'true' : given['x-goog-if-generation-match'] === '0'
  const parts = /[?&](uploads|uploadId)\b/.test(url)
  if (kind === 'gcs') {
    if (parts && absent && method === 'POST' && /uploads/.test(url))
      return { status: 400, code: 'NotImplemented' }
    if (parts && given['x-goog-copy-source'] !== undefined) return { status: 501, code: 'NotImplemented' }
  }
  const headers: Record<string, string> = {}
  for (const name of names) {
    const value = String(given[name])
    if (/^(authorization|if-none-match|accept-encoding|host)$/.test(name)) continue
    if (name === 'x-goog-hash') headers['x-amz-checksum-crc32c'] = value.replace('crc32c=', '')
    else if (name.startsWith(own)) headers[`x-amz-${name.slice(own.length)}`] = value
    else headers[name] = value
  }
  // Google's end of an upload in parts heeds no condition.
  if (absent && !(kind === 'gcs' && parts)) headers['if-none-match'] = '*'
  return { headers }
}

export async function startCloudFront(options: CloudFrontOptions): Promise<CloudFront> {
  const { kind, target } = options
  const own = kind === 'oss' ? 'x-oss-' : 'x-goog-'
  const seen: string[] = []
  const server = createServer((incoming, answer) => {
    const made = translated(incoming, options)
    const refuse = (status: number, code: string) => {
      const text = `<Error><Code>${code}</Code><Message>refused</Message></Error>`
      answer.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length })
      answer.end(incoming.method === 'HEAD' ? undefined : text)
    }
    if ('code' in made) {
      seen.push(`${incoming.method} ${made.code}`)
      incoming.resume()
      return refuse(made.status, made.code)
    }
    if (made.headers['if-none-match'] !== undefined) seen.push(`${incoming.method} conditional`)
    const { hostname, port } = new URL(target)
    const outgoing = send(
      {
        hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        headers: { ...made.headers, host: `${hostname}:${port}` },
      },
      (got) => {
        if (kind === 'oss' && got.statusCode === 412 && made.headers['if-none-match'] !== undefined) {
          got.resume()
          return refuse(409, 'FileAlreadyExists')
        }
        answer.statusCode = got.statusCode ?? 500
        for (const [name, value] of Object.entries(got.headers)) {
          if (value === undefined) continue
          if (kind === 'gcs' && name === 'x-amz-checksum-crc32c')
            answer.setHeader('x-goog-hash', `crc32c=${value}`)
          else answer.setHeader(name.replace(/^x-amz-/, own), value)
        }
        got.pipe(answer)
      },
    )
    outgoing.on('error', () => answer.headersSent || answer.destroy())
    if (incoming.method !== 'POST') return void incoming.pipe(outgoing)
    let document = ''
    incoming.on('data', (chunk: Buffer) => {
      document += chunk.toString()
    })
    incoming.once('end', () => {
      // Whether they would take what is Amazon's is not known: so it must not be sent.
      if (/xmlns|Checksum/.test(document)) {
        seen.push(`POST MalformedXML`)
        outgoing.destroy()
        return refuse(400, 'MalformedXML')
      }
      outgoing.end(document)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
