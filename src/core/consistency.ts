/**
 * Contracts on how old what is shown of an under-store may be, by path. What each means for whoever reads, and what it
 * costs, stands in docs/reference/consistency.md.
 */
import { AlluxioError } from './errors.ts'
import { parseDuration } from './units.ts'

/** Key of a path's contract, in path configuration and among the options of a mount. */
export const CONSISTENCY_KEY = 'alluxio.user.file.consistency'
/** Upstream's key, which is a contract too: -1 none, 0 validate-on-open and each look, else a ttl. */
export const SYNC_INTERVAL_KEY = 'alluxio.user.file.metadata.sync.interval'

/** Ages in milliseconds above which the under-store is asked: -1 never, 0 always. */
export interface Consistency {
  readonly name: string
  /** Before a file is opened. */
  readonly openMs: number
  /** Before status and listings are shown. */
  readonly lookMs: number
  /** Longest that a name which the store did not have is taken to be absent; -1: as long as the master's configuration says. */
  readonly absentMs: number
  /** Whether status and listings are refused, too, when the store does not answer; else they are shown, marked stale. */
  readonly strict: boolean
}

const IMMUTABLE: Consistency = { name: 'immutable', openMs: -1, lookMs: -1, absentMs: -1, strict: false }
const ON_OPEN: Consistency = { name: 'validate-on-open', openMs: 0, lookMs: -1, absentMs: 0, strict: false }
const STRICT: Consistency = { name: 'strict', openMs: 0, lookMs: 0, absentMs: 0, strict: true }

/** `immutable`, `ttl(10s)`, `validate-on-open`, `strict`. @throws INVALID_ARGUMENT */
export function parseConsistency(text: string): Consistency {
  const word = text.trim().toLowerCase()
  if (word === 'immutable') return IMMUTABLE
  if (word === 'validate-on-open') return ON_OPEN
  if (word === 'strict') return STRICT
  const ttl = /^ttl\(([^)]*)\)$/.exec(word)
  const ms = ttl === null ? Number.NaN : durationOf(ttl[1]!)
  if (!(ms > 0)) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${CONSISTENCY_KEY}: "${text}" is not one of immutable, ttl(10s), validate-on-open, strict`,
    )
  }
  return ttlContract(ms, `ttl(${ttl![1]!.trim()})`)
}

/** What upstream's interval asks for; undefined for -1, which asks for nothing. @throws INVALID_ARGUMENT */
export function consistencyOfInterval(text: string): Consistency | undefined {
  const ms = parseDuration(text)
  if (ms < 0) return undefined
  return ms === 0
    ? { ...STRICT, name: `${SYNC_INTERVAL_KEY}=0`, strict: false }
    : ttlContract(ms, `ttl(${text})`)
}

function ttlContract(ms: number, name: string): Consistency {
  return { name, openMs: ms, lookMs: ms, absentMs: ms, strict: false }
}

function durationOf(text: string): number {
  try {
    return parseDuration(text)
  } catch {
    return Number.NaN
  }
}

/** The shorter of two ages, where -1 is never. */
export function stricterMs(a: number, b: number): number {
  if (a < 0) return b
  return b < 0 ? a : Math.min(a, b)
}
