/** Files under a folder of this host (or of a file system mounted on it). */
import { type BigIntStats, lstat as lstatCallback } from 'node:fs'
import {
  chmod,
  chown,
  type FileHandle,
  lstat,
  mkdir,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises'
import { AlluxioError, fromErrno, isAlluxioError, type Log, type Runtime } from '../../core/index.ts'
import { iterable } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type {
  UfsCapabilities,
  UfsCreateOptions,
  UfsListOptions,
  UfsPage,
  UfsReadOptions,
  UfsSpace,
  UfsStatus,
  UfsWriter,
  UnderStore,
} from '../store.ts'
import { isTemporary, Leftovers } from '../temporary.ts'
import { childOf, nameOf, parentOf } from '../uri.ts'
import { Containment } from './containment.ts'
import { Listing } from './listing.ts'
import { Owners } from './owners.ts'
import { fingerprintOf, LocalRead } from './reader.ts'
import { LocalWriter } from './writer.ts'

export interface LocalStoreOptions {
  /** Absolute folder. */
  readonly root: string
  /** Whether a write is on the disk before it is acknowledged. */
  readonly sync: boolean
  /** Age, ms, at which files of killed writers go; 0: never. */
  readonly temporaryAgeMs: number
}

const CAPABILITIES: UfsCapabilities = {
  atomicRename: true,
  directoryRename: true,
  directories: true,
  etag: false,
  conditionalCreate: true,
  objectMetadata: false,
  posix: true,
  space: true,
  orderedList: true,
  bestRangeBytes: 8 * 2 ** 20,
  bestRangeParallelism: 2,
}
/** Entries of a page that are looked at together. */
const STATUS_BATCH = 64

export class LocalStore implements UnderStore {
  readonly scheme = 'file'
  readonly capabilities = CAPABILITIES
  readonly #options: LocalStoreOptions
  readonly #runtime: Runtime
  readonly #log: Log
  readonly #containment: Containment
  readonly #listing: Listing
  readonly #owners = new Owners()
  readonly #leftovers: Leftovers

  constructor(options: LocalStoreOptions, modules: { readonly runtime: Runtime; readonly log: Log }) {
    this.#options = options
    this.#runtime = modules.runtime
    this.#log = modules.log
    this.#containment = new Containment(options.root)
    this.#listing = new Listing(modules.runtime)
    const places = { touchedMs, nowMs, remove }
    this.#leftovers = new Leftovers({ maxAgeMs: options.temporaryAgeMs }, { ...modules, places })
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    return iterable(() => new LocalRead(path, options, this.#containment))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    const parent = parentOf(path)
    const folder = await this.#containment.folder(parent, 'create', path).catch(async (error: unknown) => {
      if (!isAlluxioError(error, 'NOT_FOUND') || options.createParents === false) throw error
      await this.#containment.make(parent, undefined)
      return this.#containment.folder(parent, 'create', path)
    })
    await this.#checkTarget(`${folder}/${nameOf(path)}`, path, options)
    return LocalWriter.start(
      {
        ...options,
        path,
        folder,
        name: nameOf(path),
        sync: this.#options.sync,
        touchMs: this.#leftovers.touchMs,
      },
      {
        runtime: this.#runtime,
        dress: (file) => this.#dress(file, options),
        describe: async (file) => this.#describe(path, await file.stat({ bigint: true })),
      },
    )
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    if (signal?.aborted) throw cancelled(signal, 'status', path)
    try {
      if (path === '') return this.#describe('', await stat(this.#options.root, { bigint: true }))
      // Both at once: what lstat saw is used only if its folder turns out to be inside.
      const [stats] = await Promise.all([
        lstat(this.#containment.named(path), { bigint: true }),
        this.#containment.folder(parentOf(path), 'status', path),
      ])
      const status = await this.#entry(path, this.#containment.named(path), stats)
      if (status !== undefined) return status
    } catch (error) {
      const translated = fromErrno(error, 'status', path)
      if (translated.code !== 'NOT_A_DIRECTORY') throw translated
    }
    throw new AlluxioError('NOT_FOUND', `status ${path}: does not exist as a file or directory`, {
      operation: 'status',
    })
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    const limit = options.limit ?? 1000
    const page: UfsStatus[] = []
    try {
      const folder = await this.#containment.folder(path, 'list')
      const after = options.cursor === undefined ? [] : options.cursor.split('/')
      const complete = await this.#walk(path, folder, after, limit, options, page)
      if (complete) return { entries: page }
    } catch (error) {
      throw fromErrno(error, 'list', path)
    }
    const last = page.at(-1)!.path
    return { entries: page, cursor: path === '' ? last : last.slice(path.length + 1) }
  }

  async mkdir(
    path: string,
    options: { mode?: number; owner?: string; group?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    const made = await this.#containment.make(path, options.mode)
    if (!made) return
    const { owner, group, mode } = options
    if (owner === undefined && group === undefined && mode === undefined) return
    await this.setAttributes(path, options)
  }

  async delete(path: string, options: { recursive?: boolean; signal?: AbortSignal } = {}): Promise<void> {
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const place = await this.#containment.entry(path, 'delete')
    try {
      // A symbolic link itself is removed, never what it points at.
      const stats = await lstat(place)
      if (!stats.isDirectory()) await unlink(place)
      // A persist may be putting a file there meanwhile, which goes as well.
      else if (options.recursive === true)
        await rm(place, { recursive: true, maxRetries: 10, retryDelay: 10 })
      else await this.#removeEmpty(place)
    } catch (error) {
      throw fromErrno(error, 'delete', path)
    }
  }

  async rename(src: string, dst: string, _signal?: AbortSignal): Promise<void> {
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `rename ${src} ${dst}: cannot be moved below itself`)
    }
    const [from, to] = await Promise.all([
      this.#containment.entry(src, 'rename'),
      this.#containment.entry(dst, 'rename'),
    ])
    try {
      await lstat(from)
      if (await exists(to)) {
        throw new AlluxioError('ALREADY_EXISTS', `rename ${src} ${dst}: the target exists`)
      }
      await rename(from, to)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EXDEV') {
        throw new AlluxioError('UNSUPPORTED', `rename ${src} ${dst}: they lie on different file systems`, {
          reason: 'EXDEV',
          cause: error,
        })
      }
      throw fromErrno(error, 'rename', src)
    }
  }

  async space(_signal?: AbortSignal): Promise<UfsSpace> {
    try {
      const { bsize, blocks, bfree } = await statfs(this.#options.root)
      return { totalBytes: bsize * blocks, usedBytes: bsize * (blocks - bfree) }
    } catch (error) {
      throw fromErrno(error, 'space', this.#options.root)
    }
  }

  async setAttributes(
    path: string,
    attributes: { readonly mode?: number; readonly owner?: string; readonly group?: string },
    _signal?: AbortSignal,
  ): Promise<void> {
    const [uid, gid] = this.#owners.ids(attributes.owner, attributes.group)
    try {
      const place = await this.#containment.target(
        await this.#containment.entry(path, 'setAttributes'),
        path,
        'setAttributes',
      )
      if (uid !== -1 || gid !== -1) await chown(place, uid, gid)
      if (attributes.mode !== undefined) await chmod(place, attributes.mode & 0o7777)
    } catch (error) {
      throw fromErrno(error, 'setAttributes', path)
    }
  }

  close(): Promise<void> {
    return this.#leftovers.close()
  }

  /** Fills `page`; says whether the listing is complete. Depth first, a directory before what is in it. */
  async #walk(
    path: string,
    folder: string,
    after: readonly string[],
    limit: number,
    options: UfsListOptions,
    page: UfsStatus[],
  ): Promise<boolean> {
    const [from, ...deeper] = after
    if (options.recursive === true && deeper.length > 0) {
      const below = await this.#containment.folder(childOf(path, from!), 'list').catch(() => undefined)
      const known =
        below === undefined || (await this.#walk(childOf(path, from!), below, deeper, limit, options, page))
      if (!known) return false
    } else if (options.recursive === true && from !== undefined) {
      if (!(await this.#descend(childOf(path, from), limit, options, page))) return false
    }
    const met = options.sweep === true ? (place: string) => this.#leftovers.met(place) : undefined
    for await (const names of this.#listing.names(folder, from ?? '', met)) {
      for (let at = 0; at < names.length; at += STATUS_BATCH) {
        if (options.signal?.aborted) throw cancelled(options.signal, 'list', path)
        const batch = names.slice(at, at + STATUS_BATCH)
        if (!(await this.#take(path, folder, batch, limit, options, page))) return false
      }
    }
    return true
  }

  async #descend(path: string, limit: number, options: UfsListOptions, page: UfsStatus[]): Promise<boolean> {
    let folder: string
    try {
      folder = await this.#containment.folder(path, 'list')
      // A linked directory is an entry, but not gone into: it may lead back up, round and round.
      const place = await this.#containment.entry(path, 'list')
      if (folder !== place || !(await lstat(folder)).isDirectory()) return true
    } catch {
      // It went away, or lost its permissions, since it was listed.
      return true
    }
    return this.#walk(path, folder, [], limit, options, page)
  }

  /** Adds the entries of some names to the page; false when it is full and more is to come. */
  async #take(
    path: string,
    folder: string,
    names: readonly string[],
    limit: number,
    options: UfsListOptions,
    page: UfsStatus[],
  ): Promise<boolean> {
    const found = await lstatAll(folder === '/' ? '' : folder, names)
    for (const [i, name] of names.entries()) {
      const stats = found[i]
      if (stats === undefined) continue
      const listed = this.#listed(childOf(path, name), `${folder === '/' ? '' : folder}/${name}`, stats)
      const status = listed instanceof Promise ? await listed : listed
      if (status === undefined) continue
      if (page.length === limit) return false
      page.push(status)
      const deeper = options.recursive === true && status.directory
      if (deeper && !(await this.#descend(status.path, limit, options, page))) return false
    }
    return true
  }

  /** Undefined for what is no file or directory, or leads outside; a promise only where a link has to be followed. */
  #listed(
    path: string,
    place: string,
    stats: BigIntStats,
  ): UfsStatus | Promise<UfsStatus | undefined> | undefined {
    if (!stats.isSymbolicLink()) {
      return stats.isFile() || stats.isDirectory() ? this.#describe(path, stats) : undefined
    }
    return this.#entry(path, place, stats).catch((error: unknown) => {
      const { code } = fromErrno(error, 'list', path)
      if (code !== 'NOT_FOUND') this.#log.debug('entry left out of a listing', { path, error })
      return undefined
    })
  }

  async #entry(path: string, place: string, stats: BigIntStats): Promise<UfsStatus | undefined> {
    if (stats.isFile() || stats.isDirectory()) return this.#describe(path, stats)
    if (!stats.isSymbolicLink()) return undefined
    const target = await this.#containment.target(place, path, 'status')
    const real = await stat(target, { bigint: true })
    return real.isFile() || real.isDirectory() ? this.#describe(path, real) : undefined
  }

  #describe(path: string, stats: BigIntStats): UfsStatus {
    const directory = stats.isDirectory()
    return {
      path,
      directory,
      length: directory ? 0 : Number(stats.size),
      modifiedMs: Number(stats.mtimeNs / 1_000_000n),
      fingerprint: directory ? '' : fingerprintOf(stats),
      mode: Number(stats.mode) & 0o7777,
      owner: this.#owners.user(Number(stats.uid)),
      group: this.#owners.group(Number(stats.gid)),
    }
  }

  async #checkTarget(place: string, path: string, options: UfsCreateOptions): Promise<void> {
    if (isTemporary(nameOf(path))) {
      throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: such names are for files being written`)
    }
    const existing = await lstat(place).catch(() => undefined)
    if (existing === undefined) return
    if (existing.isDirectory()) throw new AlluxioError('IS_A_DIRECTORY', `create ${path}: it is a directory`)
    if (options.ifAbsent === true) throw new AlluxioError('ALREADY_EXISTS', `create ${path}: it exists`)
  }

  async #dress(file: FileHandle, options: UfsCreateOptions): Promise<void> {
    const [uid, gid] = this.#owners.ids(options.owner, options.group)
    if (uid !== -1 || gid !== -1) await file.chown(uid, gid)
    if (options.mode !== undefined) await file.chmod(options.mode & 0o7777)
  }

  /** Removes a directory in which at most files of broken-off writes are left. */
  async #removeEmpty(place: string): Promise<void> {
    try {
      await rmdir(place)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
      const names = await readdir(place)
      if (!names.every(isTemporary)) throw error
      await Promise.all(names.map((name) => rm(`${place}/${name}`, { force: true })))
      await rmdir(place)
    }
  }
}

/** Of a file or folder itself: a change of mode or name is none of its content, but a sign of life. */
async function touchedMs(place: string): Promise<number> {
  const { mtimeMs, ctimeMs } = await lstat(place)
  return Math.max(mtimeMs, ctimeMs)
}

async function nowMs(place: string): Promise<number> {
  await mkdir(place)
  try {
    return (await lstat(place)).ctimeMs
  } finally {
    await rmdir(place)
  }
}

async function remove(place: string): Promise<void> {
  if ((await lstat(place)).isDirectory()) await rmdir(place)
  else await unlink(place)
}

async function exists(place: string): Promise<boolean> {
  try {
    await lstat(place)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** The status of each name, undefined where it went away; one callback a name instead of a chain of promises. */
function lstatAll(folder: string, names: readonly string[]): Promise<(BigIntStats | undefined)[]> {
  return new Promise((resolve) => {
    const found: (BigIntStats | undefined)[] = new Array(names.length)
    let left = names.length
    if (left === 0) resolve(found)
    for (const [i, name] of names.entries()) {
      lstatCallback(`${folder}/${name}`, { bigint: true }, (error, stats) => {
        if (error === null) found[i] = stats
        if (--left === 0) resolve(found)
      })
    }
  })
}
