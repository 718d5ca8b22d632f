/** Shared Key signatures: "Authorize with Shared Key" in the documentation of Azure Storage, for versions from 2015-02-21. */
import { createHmac } from 'node:crypto'

export interface SharedKeyRequest {
  readonly method: string
  /** Encoded, as it is sent; without a query. */
  readonly path: string
  /** Not encoded. */
  readonly query: Readonly<Record<string, string>>
  /** In lower case, all that are sent but `authorization`. */
  readonly headers: Readonly<Record<string, string>>
}

const SIGNED = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  // `date` stays empty: x-ms-date is sent instead.
  '',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
]

export function stringToSign(account: string, { method, path, query, headers }: SharedKeyRequest): string {
  let text = method
  for (const name of SIGNED) {
    const value = headers[name] ?? ''
    text += `\n${name === 'content-length' && value === '0' ? '' : value}`
  }
  const own = Object.keys(headers).filter((name) => name.startsWith('x-ms-'))
  for (const name of own.sort()) text += `\n${name}:${headers[name]!.trim()}`
  text += `\n/${account}${path}`
  for (const name of Object.keys(query).sort()) text += `\n${name.toLowerCase()}:${query[name]}`
  return text
}

/** Value of the Authorization header; `key` is base64. */
export function sharedKey(account: string, key: string, request: SharedKeyRequest): string {
  const signature = createHmac('sha256', Buffer.from(key, 'base64'))
    .update(stringToSign(account, request), 'utf8')
    .digest('base64')
  return `SharedKey ${account}:${signature}`
}
