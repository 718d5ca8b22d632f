/** What every operation of the gateway is given, and how its answer goes out. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileSystem } from '../../client/index.ts'
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { Caller } from './callers.ts'
import { failureOf } from './failures.ts'
import type { HdfsRequest } from './request.ts'

export interface HdfsCall {
  readonly asked: HdfsRequest
  readonly user: string
  /** How the user is known. */
  readonly caller: Caller
  /** Acts as the user. */
  readonly fs: FileSystem
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Answers by itself, or resolves with the JSON of the answer; '' for one without a body. */
export type Operation = (call: HdfsCall) => Promise<string | undefined>

export const BOOLEAN = { true: '{"boolean":true}', false: '{"boolean":false}' } as const

export function booleanJson(value: boolean): string {
  return value ? BOOLEAN.true : BOOLEAN.false
}

export function sendJson(response: ServerResponse, body: string): void {
  response.writeHead(200, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'X-Content-Type-Options',
    'nosniff',
  ])
  response.end(body)
}

/** If the head has gone out already the answer is cut off. */
export function sendFailure(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, body } = failureOf(request.method === 'GET' ? asAbsent(error) : error)
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'X-Content-Type-Options': 'nosniff',
    // What is left of a body would otherwise have to be read to its end.
    ...(request.readableEnded || hasNoBody(request) ? {} : { Connection: 'close' }),
  })
  response.end(body)
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0'
}

/** Whoever looks for a name below a file, or reads a directory, is told that there is no such file: so clients find out what exists. */
function asAbsent(error: unknown): unknown {
  if (!isAlluxioError(error, 'NOT_A_DIRECTORY') && !isAlluxioError(error, 'IS_A_DIRECTORY')) return error
  return new AlluxioError('NOT_FOUND', error.message, { cause: error, details: error.details })
}
