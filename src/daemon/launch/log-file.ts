/** Log files of background daemons. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { fromErrno } from '../../core/index.ts'

const ROTATE_BYTES = 16 * 2 ** 20
const KEEP = 5
const TAIL_BYTES = 64 * 1024

/** Opens the log for appending; one that has grown large becomes `.1`, and older ones move up to `.5`. */
export function openLog(file: string): number {
  try {
    mkdirSync(dirname(file), { recursive: true })
    if (existsSync(file) && statSync(file).size > ROTATE_BYTES) {
      for (let n = KEEP - 1; n > 0; n--) {
        if (existsSync(`${file}.${n}`)) renameSync(`${file}.${n}`, `${file}.${n + 1}`)
      }
      renameSync(file, `${file}.1`)
    }
    return openSync(file, 'a', 0o640)
  } catch (error) {
    throw fromErrno(error, 'open the log', file)
  }
}

/** The last lines of a log from byte `since` on, made readable: `12:00:01 error message {fields}`. */
export function tailLog(file: string, count: number, since = 0): string[] {
  return lastLines(file, since).slice(-count).map(readable)
}

/** What a process has logged lately under this message. */
export function loggedBy(file: string, pid: number, message: string): Record<string, unknown>[] {
  return lastLines(file, 0)
    .filter((line) => line.startsWith('{'))
    .map(parse)
    .filter((entry) => entry?.pid === pid && entry.message === message)
    .map((entry) => entry!)
}

function lastLines(file: string, since: number): string[] {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return []
  }
  try {
    const { size } = fstatSync(fd)
    const start = Math.max(since, size - TAIL_BYTES)
    const bytes = Buffer.alloc(Math.max(0, size - start))
    readSync(fd, bytes, 0, bytes.length, start)
    return bytes.toString('utf8').trimEnd().split('\n')
  } finally {
    closeSync(fd)
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined // cut off by the window, or not ours
  }
}

function readable(line: string): string {
  const entry = line.startsWith('{') ? parse(line) : undefined
  if (entry === undefined) return line
  const { time, level, message, error, ...rest } = entry
  const cause =
    typeof error === 'object' && error !== null && 'message' in error ? `: ${String(error.message)}` : ''
  const facts = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
  return `${String(time).slice(11, 23)} ${String(level)} ${String(message)}${cause}${facts}`
}
