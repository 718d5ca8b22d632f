/** One WebHDFS request as it was asked: path, operation and parameters, each decoded once. */
import { AlluxioError, canonicalPath } from '../../core/index.ts'

export const PREFIX = '/webhdfs/v1'

/** @param path of a request's target, still encoded */
export function isOfWebHdfs(path: string): boolean {
  return path.startsWith(PREFIX) && (path.length === PREFIX.length || path[PREFIX.length] === '/')
}

export class HdfsRequest {
  /** Canonical. */
  readonly path: string
  /** Still encoded, as it goes into a redirect. */
  readonly rawPath: string
  /** In capitals. */
  readonly op: string
  readonly #pairs: readonly string[]

  /** @param target of the request line, below PREFIX. @throws INVALID_ARGUMENT for what cannot be decoded */
  constructor(target: string) {
    const question = target.indexOf('?')
    this.rawPath = question === -1 ? target.slice(PREFIX.length) : target.slice(PREFIX.length, question)
    this.path = canonicalPath(decode(this.rawPath) || '/')
    this.#pairs = question === -1 ? [] : parameters(target, question + 1)
    this.op = (this.get('op') ?? '').toUpperCase()
  }

  /** The first value of a parameter; names know no case. */
  get(name: string): string | undefined {
    const pairs = this.#pairs
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1]
    return undefined
  }

  all(name: string): string[] {
    return this.#pairs.filter((_, i) => i % 2 === 1 && this.#pairs[i - 1] === name)
  }

  /** @throws INVALID_ARGUMENT when it is absent or empty */
  required(name: string): string {
    const value = this.get(name)
    if (value === undefined || value === '') throw invalid(name, value, 'it is required')
    return value
  }

  /** A whole number of at least `least`; empty is absent. @throws INVALID_ARGUMENT */
  integer(name: string, least = 0): number | undefined {
    const text = this.get(name)
    if (text === undefined || text === '' || text === 'null') return undefined
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw invalid(name, text, `it must be a whole number of at least ${least}`)
    }
    return value
  }

  boolean(name: string, absent: boolean): boolean {
    const text = this.get(name)?.toLowerCase()
    if (text === undefined || text === '' || text === 'null') return absent
    if (text !== 'true' && text !== 'false') throw invalid(name, text, 'it must be true or false')
    return text === 'true'
  }

  /** Permission bits, written in octal. @throws INVALID_ARGUMENT */
  mode(name: string): number | undefined {
    const text = this.get(name)
    if (text === undefined || text === '' || text === 'null') return undefined
    if (!/^0?[01]?[0-7]{1,3}$/.test(text))
      throw invalid(name, text, 'it must be an octal mode of at most 1777')
    return Number.parseInt(text, 8)
  }

  /** The parameters but those named, encoded anew, each with `&` before it. */
  queryWithout(names: ReadonlySet<string>): string {
    let query = ''
    for (let i = 0; i < this.#pairs.length; i += 2) {
      const name = this.#pairs[i]!
      if (!names.has(name)) query += `&${encodeURIComponent(name)}=${encodeURIComponent(this.#pairs[i + 1]!)}`
    }
    return query
  }
}

/** In the words by which clients of HDFS know a parameter that their server does not. */
export function invalid(name: string, value: string | undefined, why: string): AlluxioError {
  return new AlluxioError(
    'INVALID_ARGUMENT',
    `Invalid value for webhdfs parameter "${name}": ${JSON.stringify(value ?? '')}: ${why}`,
  )
}

function parameters(target: string, from: number): string[] {
  const pairs: string[] = []
  for (let at = from; at <= target.length; ) {
    let end = target.indexOf('&', at)
    if (end === -1) end = target.length
    if (end > at) {
      const equals = target.indexOf('=', at)
      const isBare = equals === -1 || equals > end
      pairs.push(
        formDecode(target.slice(at, isBare ? end : equals)).toLowerCase(),
        isBare ? '' : formDecode(target.slice(equals + 1, end)),
      )
    }
    at = end + 1
  }
  return pairs
}

function formDecode(text: string): string {
  return decode(text.includes('+') ? text.replaceAll('+', ' ') : text)
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new AlluxioError('INVALID_ARGUMENT', `"${text.slice(0, 80)}" is not percent-encoded UTF-8`)
  }
}
