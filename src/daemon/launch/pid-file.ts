/** Pid files that name a process, not only its number. */
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { AlluxioError, fromErrno } from '../../core/index.ts'

export interface ProcessNote {
  readonly pid: number
  /** When the process began, in the system's own words. */
  readonly born: string
  /** Milliseconds since the epoch. */
  readonly startedMs: number
  /** Where it listens: another configuration may be in force when it is looked for. */
  readonly rpcPort: number
  readonly webPort: number
}

const ATTEMPTS = 5

/**
 * Writes the pid file of this process; the function returned takes it away again.
 * @throws CONFLICT, reason ALREADY_RUNNING, while the process that it names lives
 */
export function claimPidFile(
  file: string,
  facts: Pick<ProcessNote, 'startedMs' | 'rpcPort' | 'webPort'>,
): () => void {
  const note: ProcessNote = { pid: process.pid, born: bornAt(process.pid) ?? '', ...facts }
  const draft = `${file}.${process.pid}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(draft, `${JSON.stringify(note)}\n`)
  } catch (error) {
    throw fromErrno(error, 'write pid file', file)
  }
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        linkSync(draft, file) // fails when it exists, and is never seen half written
        return () => {
          if (readNote(file)?.pid === process.pid) rmSync(file, { force: true })
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fromErrno(error, 'write pid file', file)
      }
      const other = runningProcess(file)
      if (other !== undefined) {
        throw new AlluxioError('CONFLICT', `already running, pid ${other.pid} (${file})`, {
          reason: 'ALREADY_RUNNING',
          details: { pid: other.pid, suggestions: ['See it: alluxio status', 'Stop it: alluxio stop'] },
        })
      }
      rmSync(file, { force: true })
    }
  } finally {
    rmSync(draft, { force: true })
  }
  throw new AlluxioError('CONFLICT', `the pid file ${file} changes hands: try again`)
}

/** The process that the file names, if it is still the same one. */
export function runningProcess(file: string): ProcessNote | undefined {
  const note = readNote(file)
  return note !== undefined && bornAt(note.pid) === note.born ? note : undefined
}

export function readNote(file: string): ProcessNote | undefined {
  try {
    const note = JSON.parse(readFileSync(file, 'utf8')) as Partial<ProcessNote> | null
    if (!Number.isSafeInteger(note?.pid) || note!.pid! <= 1 || typeof note?.born !== 'string')
      return undefined
    const { startedMs, rpcPort, webPort } = note
    return {
      pid: note.pid!,
      born: note.born,
      startedMs: Number(startedMs) || 0,
      rpcPort: Number(rpcPort) || 0,
      webPort: Number(webPort) || 0,
    }
  } catch {
    return undefined // absent, or cut short by a crash of its writer: names nobody
  }
}

/** When a process began, or undefined when it does not live (a zombie does not). Differs for each bearer of a pid. */
export function bornAt(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The name in parentheses may hold anything; after it come state and, as field 22 of all, the start in clock ticks.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined
      return `${bootId()}:${fields[19]}`
    } catch {
      return undefined
    }
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
