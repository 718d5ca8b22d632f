/**
 * Listings page by page. A position is the bricks' own, one for each directory on the way down, so that a page costs what it
 * shows, however large the directory is.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsListOptions, UfsPage, UfsStatus } from '../store.ts'
import { isTemporary } from '../temporary.ts'
import { childOf } from '../uri.ts'
import type { Stat } from './layout.ts'
import type { Asking, ListedEntry, OpenDirectory } from './open-files.ts'
import { below } from './places.ts'
import type { Volume } from './volume.ts'

export interface ListingModules {
  readonly volume: Volume
  /** The place of a directory, with links followed. */
  readonly folder: (path: string, asking: Asking) => Promise<string>
  /** The status of an entry, behind a link if it is one; undefined for what is not shown. */
  readonly look: (place: string, stat: Stat, asking: Asking) => Promise<UfsStatus | undefined>
  /** Told the places of temporary names. */
  readonly onTemporary: ((place: string) => void) | undefined
}

interface Level {
  /** Name below the level above; '' for the listed directory. */
  readonly name: string
  readonly path: string
  offset: bigint
  place: string
  directory: OpenDirectory | undefined
}

/** One page. @throws NOT_FOUND, NOT_A_DIRECTORY */
export async function listPage(
  path: string,
  options: UfsListOptions,
  modules: ListingModules,
): Promise<UfsPage> {
  const levels = levelsOf(path, options.cursor)
  try {
    return await new Page(path, options, modules, levels).fill()
  } finally {
    const asking = { path }
    await Promise.all(levels.map(({ directory }) => directory?.close(asking).catch(() => {})))
  }
}

class Page {
  readonly #options: UfsListOptions
  readonly #m: ListingModules
  readonly #asking: Asking
  readonly #levels: Level[]
  readonly #entries: UfsStatus[] = []

  constructor(path: string, options: UfsListOptions, modules: ListingModules, levels: Level[]) {
    this.#options = options
    this.#m = modules
    this.#asking = { path, signal: options.signal }
    this.#levels = levels
  }

  async fill(): Promise<UfsPage> {
    const { signal, limit = 1000 } = this.#options
    for (;;) {
      if (signal?.aborted) throw cancelled(signal, 'list', this.#asking.path)
      const level = this.#levels.at(-1)
      if (level === undefined) return { entries: this.#entries }
      const entry = (await this.#opened(level)) ? await level.directory!.next(this.#asking) : undefined
      if (entry === undefined) {
        this.#levels.pop()
        await level.directory?.close(this.#asking).catch(() => {})
        continue
      }
      const shown = await this.#shown(level, entry)
      if (shown !== undefined && this.#entries.length === limit) {
        return { entries: this.#entries, cursor: printLevels(this.#levels) }
      }
      level.offset = entry.next
      if (shown === undefined) continue
      const { status, name, linked } = shown
      this.#entries.push(status)
      // A linked directory is an entry, but not gone into: it may lead back up, round and round.
      if (this.#options.recursive === true && status.directory && !linked) {
        const place = below(level.place, name)
        this.#levels.push({ name, path: status.path, offset: 0n, place, directory: undefined })
      }
    }
  }

  /** False when a directory that was listed has gone meanwhile. */
  async #opened(level: Level): Promise<boolean> {
    if (level.directory !== undefined) return true
    const { volume, folder } = this.#m
    try {
      if (level.place === '') level.place = await folder(level.path, this.#asking)
      level.directory = await volume.openDirectory(level.place, this.#asking)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      const gone =
        code === 'ENOENT' ||
        code === 'ENOTDIR' ||
        code === 'EACCES' ||
        isAlluxioError(error, 'PERMISSION_DENIED')
      if (gone && this.#levels.length > 1) return false
      throw error
    }
    if (level.offset !== 0n) level.directory.seek(level.offset)
    return true
  }

  async #shown(level: Level, { name, stat }: ListedEntry): Promise<Shown | undefined> {
    // A name that is no UTF-8 cannot be told to anyone.
    if (name === undefined || name === '.' || name === '..') return undefined
    const path = childOf(level.path, name)
    const place = below(level.place, name)
    if (isTemporary(name)) {
      this.#m.onTemporary?.(place)
      return undefined
    }
    const asking = { path, signal: this.#asking.signal }
    // Of a directory that lies on several bricks the listing may have no status.
    const known = stat ?? (await ifThere(this.#m.volume.lstat(place, asking)))
    if (known === undefined) return undefined
    const status = await this.#m.look(place, known, asking)
    return status === undefined ? undefined : { status, name, linked: known.kind === 'link' }
  }
}

interface Shown {
  readonly status: UfsStatus
  readonly name: string
  readonly linked: boolean
}

async function ifThere(stat: Promise<Stat>): Promise<Stat | undefined> {
  try {
    return await stat
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** As a list of name and offset, from the listed directory downwards. */
function printLevels(levels: readonly Level[]): string {
  return JSON.stringify(levels.map(({ name, offset }) => [name, String(offset)]))
}

function levelsOf(path: string, cursor: string | undefined): Level[] {
  const first = { name: '', path, offset: 0n, place: '', directory: undefined }
  if (cursor === undefined) return [first]
  try {
    let at = path
    const levels = (JSON.parse(cursor) as [string, string][]).map(([name, offset], i): Level => {
      if (i > 0) at = childOf(at, name)
      return { name, path: at, offset: BigInt(offset), place: '', directory: undefined }
    })
    if (levels.length > 0) return levels
  } catch {}
  throw new AlluxioError('INVALID_ARGUMENT', 'the cursor of the listing is not one that this store gave')
}
