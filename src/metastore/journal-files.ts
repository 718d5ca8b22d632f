/**
 * A journal's segments as two preallocated files beside the tables. They are written through (O_DSYNC): one call of the system makes
 * a batch durable, and because their blocks were written before, no metadata of the file system has to change.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  write,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { AlluxioError, fromErrno } from '../core/index.ts'
import { type JournalDevice, SEGMENTS } from './journal.ts'

const FILE = 'journal'
const SEGMENT_BYTES = 16 * 2 ** 20
const ZEROS_BYTES = 2 ** 20

export class JournalFiles implements JournalDevice {
  readonly segmentBytes = SEGMENT_BYTES
  readonly #folder: string
  readonly #files: number[] = []

  /**
   * Opens the segments; makes them for tables that are new.
   * @throws RESOURCE_EXHAUSTED if the disk is full, DATA_LOSS reason JOURNAL_DAMAGED if one is missing beside older tables
   */
  constructor(folder: string, newTables: boolean) {
    this.#folder = folder
    try {
      for (let i = 0; i < SEGMENTS; i++) this.#files.push(openSegment(pathOf(folder, i), newTables))
      syncFolder(folder)
    } catch (error) {
      this.#close()
      throw error instanceof AlluxioError ? error : fromErrno(error, 'open the journal', folder)
    }
  }

  read(segment: number): Buffer {
    const bytes = readFileSync(pathOf(this.#folder, segment))
    if (bytes.length === SEGMENT_BYTES) return bytes
    throw damaged(
      `${pathOf(this.#folder, segment)} has ${bytes.length} bytes, not ${SEGMENT_BYTES}: it was cut, restore a backup`,
    )
  }

  write(segment: number, offset: number, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      write(this.#files[segment]!, bytes, 0, bytes.length, offset, (error, written) => {
        if (error !== null) reject(fromErrno(error, 'write', pathOf(this.#folder, segment)))
        else if (written !== bytes.length)
          reject(new AlluxioError('DATA_LOSS', `the journal took ${written} of ${bytes.length} bytes`))
        else resolve()
      })
    })
  }

  async close(): Promise<void> {
    this.#close()
  }

  #close(): void {
    for (const fd of this.#files.splice(0)) closeSync(fd)
  }
}

function pathOf(folder: string, segment: number): string {
  return join(folder, `${FILE}.${segment}`)
}

function openSegment(path: string, newTables: boolean): number {
  const flags = constants.O_RDWR | constants.O_DSYNC
  try {
    return openSync(path, flags)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    if (!newTables)
      throw damaged(
        `${path} is missing: it may hold what was acknowledged last, put it back or restore a backup`,
      )
  }
  // Whole before it has its name: a segment that is cut is damage, never the trace of a crash.
  const draft = `${path}.new`
  const fd = openSync(draft, 'w', 0o600)
  try {
    const zeros = Buffer.alloc(ZEROS_BYTES)
    for (let at = 0; at < SEGMENT_BYTES; at += ZEROS_BYTES) writeSync(fd, zeros, 0, ZEROS_BYTES, at)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, path)
  return openSync(path, flags)
}

function damaged(message: string): AlluxioError {
  return new AlluxioError('DATA_LOSS', message, { reason: 'JOURNAL_DAMAGED' })
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
