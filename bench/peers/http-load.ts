/** HTTP load from outside: wrk for rates, curl for single streams; and requests that an S3 gateway takes. */
import { execFileSync } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'

export interface Target {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Rate {
  readonly requests: number
  readonly bytes: number
  readonly secs: number
  readonly p50us: number
  readonly p99us: number
  readonly errors: number
}

/** `seconds` of GETs by so many connections that stay open. */
export function wrk({ url, headers = {} }: Target, connections: number, seconds: number): Rate {
  const given = Object.entries(headers).flatMap(([key, value]) => ['-H', `${key}: ${value}`])
  const args = [
    `-t${Math.min(2, connections)}`,
    `-c${connections}`,
    `-d${seconds}s`,
    '--latency',
    ...given,
    url,
  ]
  const text = execFileSync('wrk', args, { encoding: 'utf8' })
  const [, count, took, read] = /(\d+) requests in ([\d.]+\w+), ([\d.]+\w+) read/.exec(text)!
  const percentile = (p: number) => microseconds(new RegExp(`${p}%\\s+([\\d.]+\\w+)`).exec(text)![1]!)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0)
  const broken =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? []
  return {
    requests: Number(count),
    bytes: bytesOf(read!),
    secs: microseconds(took!) / 1e6,
    p50us: percentile(50),
    p99us: percentile(99),
    errors: refused + broken.reduce((sum, n) => sum + Number(n), 0),
  }
}

/** Bytes a second of one GET. @throws when it is refused or ends early */
export function download(target: Target): number {
  return Number(curl(target, ['-o', '/dev/null', '-w', '%{speed_download}']))
}

/** Bytes a second of one PUT of a file. @throws when it is refused */
export function upload(target: Target, file: string): number {
  return Number(curl(target, ['-o', '/dev/null', '-w', '%{speed_upload}', '-T', file]))
}

function curl({ url, headers = {} }: Target, args: readonly string[]): string {
  const given = Object.entries(headers).flatMap(([key, value]) => ['-H', `${key}: ${value}`])
  return execFileSync('curl', ['-sSfL', ...given, ...args, url], { encoding: 'utf8' })
}

const UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 6e7 }
const SIZES: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }

function microseconds(text: string): number {
  const [, number, unit] = /^([\d.]+)([a-z]+)$/.exec(text)!
  return Number(number) * UNITS[unit!]!
}

function bytesOf(text: string): number {
  const [, number, unit] = /^([\d.]+)([A-Z]+)$/.exec(text)!
  return Number(number) * SIZES[unit!]!
}

export interface S3Key {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A URL that carries its signature (AWS Signature Version 4, query form) for a day; the path must need no escapes. */
export function presigned(method: 'GET' | 'PUT', endpoint: string, path: string, key: S3Key): Target {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`
  const { host } = new URL(endpoint)
  const query = new URLSearchParams({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${key.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': '86400',
    'X-Amz-SignedHeaders': 'host',
  })
  const canonical = [method, path, query.toString(), `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join(
    '\n',
  )
  const digest = createHash('sha256').update(canonical).digest('hex')
  const hmac = (secret: string | Buffer, text: string) => createHmac('sha256', secret).update(text).digest()
  const signing = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${key.secretAccessKey}`)
  const signature = hmac(signing, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`).toString('hex')
  return { url: `${endpoint}${path}?${query}&X-Amz-Signature=${signature}` }
}
