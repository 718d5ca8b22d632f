/** Conditional requests and ranges (RFC 9110, 13 and 14). */
import { S3Error } from './errors.ts'

/** Names of the conditions; those of a copy's source have a prefix. */
export interface ConditionNames {
  readonly match: string
  readonly noneMatch: string
  readonly modifiedSince: string
  readonly unmodifiedSince: string
}

export const PLAIN: ConditionNames = {
  match: 'if-match',
  noneMatch: 'if-none-match',
  modifiedSince: 'if-modified-since',
  unmodifiedSince: 'if-unmodified-since',
}

export const OF_SOURCE: ConditionNames = {
  match: 'x-amz-copy-source-if-match',
  noneMatch: 'x-amz-copy-source-if-none-match',
  modifiedSince: 'x-amz-copy-source-if-modified-since',
  unmodifiedSince: 'x-amz-copy-source-if-unmodified-since',
}

/** Whether one of a list of entity tags is this one, or the list is `*`. */
export function matches(list: string, etag: string): boolean {
  for (const part of list.split(',')) {
    const tag = part.trim().replace(/^W\//, '')
    if (tag === '*' || tag === etag || tag === `"${etag}"`) return true
  }
  return false
}

/** What the conditions of a read come to. */
export function readCondition(
  headers: ReadonlyMap<string, string>,
  names: ConditionNames,
  { etag, modifiedMs }: { readonly etag: string; readonly modifiedMs: number },
): 'go' | 'unmodified' | 'failed' {
  const match = headers.get(names.match)
  if (match !== undefined) {
    if (!matches(match, etag)) return 'failed'
  } else {
    const unmodifiedMs = dateOf(headers.get(names.unmodifiedSince))
    if (unmodifiedMs !== undefined && seconds(modifiedMs) > seconds(unmodifiedMs)) return 'failed'
  }
  const noneMatch = headers.get(names.noneMatch)
  if (noneMatch !== undefined) return matches(noneMatch, etag) ? 'unmodified' : 'go'
  const modifiedSinceMs = dateOf(headers.get(names.modifiedSince))
  return modifiedSinceMs !== undefined && seconds(modifiedMs) <= seconds(modifiedSinceMs)
    ? 'unmodified'
    : 'go'
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

function dateOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** The bytes that are asked for; undefined for all of them: no range, several, or one that is malformed. @throws InvalidRange */
export function rangeOf(
  header: string | undefined,
  length: number,
): { readonly start: number; readonly end: number } | undefined {
  if (header === undefined) return undefined
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim())
  if (match === null) return undefined
  const [first = '', last = ''] = match.slice(1)
  if (first === '' && last === '') return undefined
  if (first === '') {
    const n = Math.min(Number(last), length)
    if (n === 0) throw unsatisfiable(header, length)
    return { start: length - n, end: length }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= length) throw unsatisfiable(header, length)
  return { start, end: last === '' ? length : Math.min(Number(last) + 1, length) }
}

function unsatisfiable(header: string, length: number): S3Error {
  return new S3Error('InvalidRange', undefined, {
    details: { RangeRequested: header, ActualObjectSize: String(length) },
    headers: { 'content-range': `bytes */${length}` },
  })
}
