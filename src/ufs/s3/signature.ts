/** AWS Signature Version 4 of requests without a body. */
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface BodylessRequest {
  readonly method: string
  readonly host: string
  /** Encoded, as it is sent; without a query. */
  readonly path: string
  /** Further headers in lower case, all of them before "x" in the alphabet and after "host", in order. */
  readonly headers: Readonly<Record<string, string>>
}

const EMPTY_SHA256 = hash('sha256', '')
const SERVICE = 's3'

export class Signer {
  readonly #region: string
  /** The key of a day costs four hashes and serves all requests of that day; as a KeyObject it is not imported for each (8 us). */
  #key: KeyObject | undefined
  #keyOf = ''
  #second = -1
  #time = ''

  constructor(region: string) {
    this.#region = region
  }

  /** The headers to send, signature included. */
  sign(request: BodylessRequest, credentials: Credentials, nowMs: number): Record<string, string> {
    const { method, host, path } = request
    const time = this.#timeOf(nowMs)
    const day = time.slice(0, 8)
    const headers: Record<string, string> = {
      host,
      ...request.headers,
      'x-amz-content-sha256': EMPTY_SHA256,
      'x-amz-date': time,
    }
    if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken
    const names = Object.keys(headers).join(';')
    let canonical = `${method}\n${path}\n\n`
    for (const name in headers) canonical += `${name}:${headers[name]}\n`
    canonical += `\n${names}\n${EMPTY_SHA256}`
    const scope = `${day}/${this.#region}/${SERVICE}/aws4_request`
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical)}`
    const signature = createHmac('sha256', this.#keyFor(day, credentials.secretAccessKey))
      .update(text)
      .digest('hex')
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
    return headers
  }

  /** As 20261122T062000Z. */
  #timeOf(nowMs: number): string {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#time = `${new Date(second * 1000).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
    }
    return this.#time
  }

  #keyFor(day: string, secret: string): KeyObject {
    const of = `${day} ${secret}`
    if (this.#key === undefined || this.#keyOf !== of) {
      let key: Buffer | string = `AWS4${secret}`
      for (const part of [day, this.#region, SERVICE, 'aws4_request'])
        key = createHmac('sha256', key).update(part).digest()
      this.#key = createSecretKey(key as Buffer)
      this.#keyOf = of
    }
    return this.#key
  }
}
