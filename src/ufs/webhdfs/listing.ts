/**
 * Listings, page by page. HDFS pages by name (LISTSTATUS_BATCH, as many entries as `dfs.ls.limit` says), so a cursor is the last
 * path that was listed, with a slash behind a directory whose content comes next; it holds whatever is added or deleted meanwhile.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { UfsListOptions, UfsPage, UfsStatus } from '../store.ts'
import { isTemporary } from '../temporary.ts'
import { childOf } from '../uri.ts'
import { malformed } from './errors.ts'
import { type FileStatus, statusOf } from './file-status.ts'
import type { NameNodes } from './name-nodes.ts'

interface Batch {
  readonly files: readonly FileStatus[]
  readonly more: boolean
}

export class Listing {
  readonly #nodes: NameNodes
  readonly #placeOf: (path: string) => string

  constructor(nodes: NameNodes, placeOf: (path: string) => string) {
    this.#nodes = nodes
    this.#placeOf = placeOf
  }

  /** @throws NOT_FOUND, NOT_A_DIRECTORY */
  async page(
    path: string,
    options: UfsListOptions,
    onTemporary: ((path: string) => void) | undefined,
  ): Promise<UfsPage> {
    const batch = (at: string, after: string) => this.batch(at, after, options.signal)
    const walk = new Walk(options.limit ?? 1000, batch, onTemporary)
    const complete =
      options.recursive === true
        ? await walk.tree(path, options.cursor)
        : await walk.children(path, options.cursor ?? '')
    if (complete) return { entries: walk.entries }
    const last = walk.entries.at(-1)!
    const relative = path === '' ? last.path : last.path.slice(path.length + 1)
    return {
      entries: walk.entries,
      cursor: options.recursive === true && last.directory ? `${relative}/` : relative,
    }
  }

  /** The names that follow `after` in the server's order. */
  async batch(path: string, after: string, signal: AbortSignal | undefined): Promise<Batch> {
    // In small letters: a NameNode decodes the values of a query with capitals in its names twice.
    const query = after === '' ? {} : { startafter: after }
    const answer = (await this.#nodes.call({
      method: 'GET',
      op: 'LISTSTATUS_BATCH',
      path: this.#placeOf(path),
      query,
      signal,
    })) as
      | {
          DirectoryListing?: {
            remainingEntries?: number
            partialListing?: { FileStatuses?: { FileStatus?: readonly FileStatus[] } }
          }
        }
      | undefined
    const listing = answer?.DirectoryListing
    const files = listing?.partialListing?.FileStatuses?.FileStatus
    if (!Array.isArray(files)) {
      throw malformed(`LISTSTATUS_BATCH ${path}`, 'the NameNode', JSON.stringify(answer ?? ''))
    }
    // A file is listed as itself, without a name.
    if (files.length === 1 && files[0]!.pathSuffix === '') {
      throw new AlluxioError('NOT_A_DIRECTORY', `list ${path}: it is a file`)
    }
    if (after !== '' && files.some(({ pathSuffix }) => pathSuffix === after)) {
      throw new AlluxioError('UNSUPPORTED', `list ${path}: the server does not page its listings`)
    }
    return { files, more: (listing?.remainingEntries ?? 0) > 0 && files.length > 0 }
  }
}

class Walk {
  readonly entries: UfsStatus[] = []
  readonly #limit: number
  readonly #batch: (path: string, after: string) => Promise<Batch>
  readonly #onTemporary: ((path: string) => void) | undefined

  constructor(
    limit: number,
    batch: (path: string, after: string) => Promise<Batch>,
    onTemporary: ((path: string) => void) | undefined,
  ) {
    this.#limit = limit
    this.#batch = batch
    this.#onTemporary = onTemporary
  }

  /** Adds what follows `after`; whether that was all. */
  async children(path: string, after: string): Promise<boolean> {
    return this.#each(path, after, () => true)
  }

  /** Depth first, a directory before its content; goes on behind `cursor`. */
  async tree(path: string, cursor: string | undefined): Promise<boolean> {
    if (cursor === undefined) return this.#below(path, '')
    const names = cursor.split('/')
    // Behind `a/b/` comes the content of a/b, then what follows b in a, then what follows a.
    for (let depth = names.length; depth > 0; depth--) {
      const at = names.slice(0, depth - 1).reduce(childOf, path)
      if (!(await this.#below(at, names[depth - 1]!, at !== path))) return false
    }
    return true
  }

  async #below(path: string, after: string, mayBeGone = false): Promise<boolean> {
    try {
      return await this.#each(path, after, (entry) => !entry.directory || this.#below(entry.path, '', true))
    } catch (error) {
      // A directory that went away since it was listed has nothing to add.
      if (mayBeGone && (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')))
        return true
      throw error
    }
  }

  async #each(
    path: string,
    after: string,
    then: (entry: UfsStatus) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    for (let from = after; ; ) {
      const { files, more } = await this.#batch(path, from)
      for (const file of files) {
        if (file.type === 'SYMLINK') continue
        if (isTemporary(file.pathSuffix)) {
          this.#onTemporary?.(childOf(path, file.pathSuffix))
          continue
        }
        if (this.entries.length === this.#limit) return false
        const entry = statusOf(childOf(path, file.pathSuffix), file)
        this.entries.push(entry)
        const below = then(entry)
        if (below === false || (below !== true && !(await below))) return false
      }
      if (!more) return true
      from = files.at(-1)!.pathSuffix
    }
  }
}
