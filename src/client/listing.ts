/** Listings as async iterators: the next page is asked for while the caller works on this one. */
import { AlluxioError, isAlluxioError, parentPath } from '../core/index.ts'
import type { Client, MasterFs } from '../rpc/index.ts'
import { statusesOfPage } from './file-status.ts'
import type { FileStatus, ListOptions } from './types.ts'

const PAGE_ENTRIES = 1000

interface Page {
  readonly statuses: readonly FileStatus[]
  readonly cursor: string | undefined
}

/** A directory whose listing is under way. */
interface Level {
  readonly path: string
  statuses: readonly FileStatus[]
  index: number
  next: Promise<Page> | undefined
  /** Entries that are still wanted. */
  left: number
}

/** Entries of a directory in name order; of a file, that file. Recursive: depth first, parents before children. */
export async function* listEntries(
  fs: Client<typeof MasterFs>,
  path: string,
  options: ListOptions,
): AsyncGenerator<FileStatus> {
  // A stack of our own: nested generators would pass each entry through every level above it.
  const levels: Level[] = [open(fs, path, options, options.startAfter)]
  for (let level = levels[0]; level !== undefined; level = levels.at(-1)) {
    const status = level.statuses[level.index]
    if (status === undefined) {
      if (level.next === undefined) levels.pop()
      else await turnPage(fs, level, options, levels.length > 1)
      options.signal?.throwIfAborted()
      continue
    }
    level.index++
    yield status
    if (options.recursive === true && status.folder && status.path !== level.path) {
      levels.push(open(fs, status.path, options))
    }
  }
}

function open(fs: Client<typeof MasterFs>, path: string, options: ListOptions, startAfter?: string): Level {
  const left = options.limit ?? Number.POSITIVE_INFINITY
  return { path, statuses: [], index: 0, next: fetchPage(fs, path, options, startAfter, left), left }
}

/** `below`: a directory under the one asked for, which another client may delete meanwhile. */
async function turnPage(
  fs: Client<typeof MasterFs>,
  level: Level,
  options: ListOptions,
  below: boolean,
): Promise<void> {
  try {
    const page = await level.next!
    level.statuses = page.statuses
    level.left -= page.statuses.length
    const isLast = page.cursor === undefined || level.left <= 0
    level.next = isLast ? undefined : fetchPage(fs, level.path, options, page.cursor, level.left)
    // A caller that stops early leaves this page unread; its failure must not count as unhandled.
    level.next?.catch(() => {})
  } catch (error) {
    if (!below || !isAlluxioError(error, 'NOT_FOUND')) throw error
    level.statuses = []
    level.next = undefined
  }
  level.index = 0
}

async function fetchPage(
  fs: Client<typeof MasterFs>,
  path: string,
  options: ListOptions,
  cursor: string | undefined,
  left: number,
): Promise<Page> {
  const limit = Math.min(left, options.pageSize ?? PAGE_ENTRIES)
  if (!Number.isInteger(limit) || limit < 1) {
    throw new AlluxioError('INVALID_ARGUMENT', `pageSize ${limit} is not a positive whole number`)
  }
  const reply = await fs.list(
    {
      path,
      limit,
      ...(cursor === undefined ? {} : { cursor }),
      ...(options.syncIntervalMs === undefined ? {} : { syncIntervalMs: options.syncIntervalMs }),
      ...(options.loadMetadata === undefined ? {} : { loadMetadata: options.loadMetadata }),
    },
    options.signal === undefined ? undefined : { signal: options.signal },
  )
  // A file is listed as itself.
  const directory = reply.file === true ? parentPath(path) : path
  return { statuses: statusesOfPage(directory, reply.page, reply.stale), cursor: reply.cursor }
}
