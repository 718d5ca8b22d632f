/**
 * One opening of a folder at a time, on this host: a lock file that names the process. LMDB opened twice in one process, or
 * kept across a fork, is corrupted (trust.md 3.7).
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AlluxioError, fromErrno } from '../core/index.ts'

const FILE = 'process.lock'
const ATTEMPTS = 5

interface Holder {
  readonly pid: number
  /** When the process began, in the system's own words: a pid that was given out again is told apart. */
  readonly started: string
}

/**
 * Takes the folder's lock; the function returned gives it back.
 * @throws CONFLICT, reason ALREADY_RUNNING, when a living process holds it
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, FILE)
  const own = JSON.stringify({ pid: process.pid, started: startOf(process.pid) ?? '' } satisfies Holder)
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, own)
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (tryLink(draft, path)) {
        return () => {
          if (readHolder(path)?.pid === process.pid) rmSync(path, { force: true })
        }
      }
      const holder = readHolder(path)
      if (holder !== undefined && startOf(holder.pid) === holder.started) throw taken(folder, holder.pid)
      removeStale(path, `${draft}.stale`)
    }
  } finally {
    rmSync(draft, { force: true })
  }
  throw new AlluxioError('CONFLICT', `the lock of ${folder} changes hands: try again`)
}

function taken(folder: string, pid: number): AlluxioError {
  const message =
    pid === process.pid
      ? `the metadata store in ${folder} is already open in this process`
      : `already running, pid ${pid}: it holds the metadata store in ${folder}`
  return new AlluxioError('CONFLICT', message, { reason: 'ALREADY_RUNNING', details: { pid, folder } })
}

/** `link` is atomic and fails if the lock exists, and the lock is never seen half written. */
function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw fromErrno(error, 'lock', path)
  }
}

/** Moves a dead process's lock aside; of two that try, one finds it gone and begins again. */
function removeStale(path: string, aside: string): void {
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fromErrno(error, 'unlock', path)
  }
  rmSync(aside, { force: true })
}

function readHolder(path: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder>
    return typeof holder.pid === 'number' && typeof holder.started === 'string'
      ? (holder as Holder)
      : undefined
  } catch {
    return undefined
  }
}

/** Start time of a living process; undefined if there is none. Without /proc: '' for any living one. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie holds nothing any more, and in a container whose init does not reap it stays for ever.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : (fields[19] ?? '')
  } catch {
    try {
      process.kill(pid, 0)
      return ''
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM' ? '' : undefined
    }
  }
}
