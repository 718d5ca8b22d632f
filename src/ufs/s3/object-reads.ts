/** GET and HEAD of objects: signed here, or through the SDK where that must do it. */
import type { IncomingMessage } from 'node:http'
import { Body } from '../http-transport/body.ts'
import type { GetOptions, ObjectBytes } from '../http-transport/object-read.ts'
import type { S3Connection } from './client.ts'

export interface ObjectHead {
  readonly etag: string | undefined
  readonly length: number
  readonly modifiedMs: number
  readonly metadata: Record<string, string>
}

const META = 'x-amz-meta-'

/** `path` is for messages, here and below. @throws AlluxioError */
export async function getObject(
  connection: S3Connection,
  key: string,
  path: string,
  options: GetOptions,
): Promise<ObjectBytes> {
  const { range, ifMatch, signal } = options
  const headers: Record<string, string> = {}
  if (ifMatch !== undefined) headers['if-match'] = ifMatch
  if (range !== undefined) headers.range = range
  const answer = await connection.ask('GET', key, headers, path, signal)
  if (answer !== undefined) {
    return {
      etag: answer.headers.etag,
      contentRange: answer.headers['content-range'],
      contentLength: numberOf(answer.headers['content-length']),
      partial: answer.statusCode === 206,
      body: answer.body!,
    }
  }
  const command = new connection.sdk.GetObjectCommand({
    Bucket: connection.bucket,
    Key: key,
    ...(range === undefined ? {} : { Range: range }),
    ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
  })
  const output = await connection.sendInstead(command, path, signal)
  return {
    etag: output.ETag,
    contentRange: output.ContentRange,
    contentLength: output.ContentLength,
    partial: output.$metadata.httpStatusCode === 206,
    body: Body.of(output.Body as unknown as IncomingMessage),
  }
}

/** @throws AlluxioError */
export async function headObject(
  connection: S3Connection,
  key: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<ObjectHead> {
  const answer = await connection.ask('HEAD', key, {}, path, signal)
  if (answer !== undefined) return headOf(answer.headers)
  const command = new connection.sdk.HeadObjectCommand({ Bucket: connection.bucket, Key: key })
  const output = await connection.sendInstead(command, path, signal)
  return {
    etag: output.ETag,
    length: output.ContentLength ?? 0,
    modifiedMs: output.LastModified?.getTime() ?? 0,
    metadata: output.Metadata ?? {},
  }
}

function headOf(headers: Readonly<Record<string, string>>): ObjectHead {
  const metadata: Record<string, string> = {}
  for (const name in headers) if (name.startsWith(META)) metadata[name.slice(META.length)] = headers[name]!
  const modifiedMs = Date.parse(headers['last-modified'] ?? '')
  return {
    etag: headers.etag,
    length: numberOf(headers['content-length']) ?? 0,
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
    metadata,
  }
}

function numberOf(header: string | undefined): number | undefined {
  return header === undefined ? undefined : Number(header)
}
