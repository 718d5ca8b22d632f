/** One request and its answer, as the operations see them: who asks is known, and for what. */
import type { ServerResponse } from 'node:http'
import type { FileSystem } from '../../client/index.ts'
import type { S3Request } from './request.ts'
import type { Payload } from './signature.ts'
import { document } from './xml.ts'

export interface Exchange {
  readonly request: S3Request
  readonly response: ServerResponse
  readonly requestId: string
  /** Name of the user, and the namespace as this user may see it. */
  readonly user: string
  readonly fs: FileSystem
  readonly payload: Payload
}

/** Names and values in turn: what Node writes without looking at it again. */
export type Headers = string[]

export function headersOf({ requestId }: Exchange): Headers {
  return ['x-amz-request-id', requestId, 'server', 'Alluxio']
}

export function answerEmpty(exchange: Exchange, status: number, more: Headers = []): void {
  const headers = headersOf(exchange)
  headers.push(...more)
  if (status !== 204 && status !== 304) headers.push('content-length', '0')
  exchange.response.writeHead(status, headers)
  exchange.response.end()
}

export function answerXml(exchange: Exchange, root: string, inner: string, more: Headers = []): void {
  const body = Buffer.from(document(root, inner))
  const headers = headersOf(exchange)
  headers.push('content-type', 'application/xml', 'content-length', String(body.length), ...more)
  exchange.response.writeHead(200, headers)
  exchange.response.end(body)
}

export function iso(ms: number): string {
  return new Date(ms).toISOString()
}
