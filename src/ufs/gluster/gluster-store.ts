/** Files below a folder of a GlusterFS volume, through libgfapi. */
import { AlluxioError, fromErrno, isAlluxioError, type Log, type Runtime } from '../../core/index.ts'
import { type ChunkSource, iterable } from '../layers/around.ts'
import { Owners } from '../local/owners.ts'
import { fingerprintOf } from '../local/reader.ts'
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
import { isTemporary, Leftovers, type TemporaryPlaces, temporaryName } from '../temporary.ts'
import { nameOf, parentOf } from '../uri.ts'
import type { Stat } from './layout.ts'
import { listPage } from './listing.ts'
import type { Asking, OpenFile } from './open-files.ts'
import { below, Places } from './places.ts'
import { GlusterRead } from './reader.ts'
import type { Volume } from './volume.ts'
import { GlusterWriter } from './writer.ts'

export interface GlusterStoreOptions {
  /** Path of the mount's root in the volume, without slashes at its ends. */
  readonly root: string
  /** Whether a write is on the bricks' disks before it is acknowledged. */
  readonly sync: boolean
  /** Age, ms, at which files of killed writers go; 0: never. */
  readonly temporaryAgeMs: number
}

export interface GlusterStoreModules {
  readonly volume: Volume
  readonly runtime: Runtime
  readonly log: Log
  /** Gives the volume back. */
  readonly release: () => Promise<void>
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
  orderedList: false,
  bestRangeBytes: 8 * 2 ** 20,
  bestRangeParallelism: 2,
}
/** The library knows no umask. */
const FILE_MODE = 0o644
const DIRECTORY_MODE = 0o755
const LEADS_NOWHERE: ReadonlySet<string> = new Set(['NOT_FOUND', 'PERMISSION_DENIED', 'NOT_A_DIRECTORY'])
/** Names of a directory that are deleted before more are asked for. */
const DELETE_BATCH = 512

export class GlusterStore implements UnderStore {
  readonly scheme = 'glusterfs'
  readonly capabilities = CAPABILITIES
  readonly #options: GlusterStoreOptions
  readonly #m: GlusterStoreModules
  readonly #volume: Volume
  readonly #places: Places
  readonly #owners = new Owners()
  readonly #leftovers: Leftovers

  constructor(options: GlusterStoreOptions, modules: GlusterStoreModules) {
    this.#options = options
    this.#m = modules
    this.#volume = modules.volume
    this.#places = new Places(options.root, modules)
    const places = temporaryPlaces(modules.volume)
    this.#leftovers = new Leftovers({ maxAgeMs: options.temporaryAgeMs }, { ...modules, places })
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const asking = { path, signal: options.signal }
    return iterable(() => translatedRead(new GlusterRead(options, asking, () => this.#open(asking)), path))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    if (isTemporary(nameOf(path))) {
      throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: such names are for files being written`)
    }
    const [uid, gid] = this.#owners.ids(options.owner, options.group)
    const asking = { path, signal: options.signal }
    return translated('create', path, async () => {
      const started = await this.#begin(options, asking).catch(async (error: unknown) => {
        if (codeOf(error) !== 'ENOENT' || options.createParents === false) throw error
        await this.#make(parentOf(path), DIRECTORY_MODE, asking)
        return this.#begin(options, asking)
      })
      const { sync } = this.#options
      const { touchMs } = this.#leftovers
      return new GlusterWriter({ ...options, ...started, sync, uid, gid, touchMs }, path, {
        runtime: this.#m.runtime,
        volume: this.#volume,
        file: started.file,
        describe: (stat) => this.#describe(path, stat),
        translated: (error) => fromErrno(error, 'create', path),
      })
    })
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    const asking = { path, signal }
    try {
      const place = await this.#places.entry(path, asking)
      const status = await this.#look(place, await this.#volume.lstat(place, asking), asking)
      if (status !== undefined) return status
    } catch (error) {
      const known = fromErrno(error, 'status', path)
      if (known.code !== 'NOT_A_DIRECTORY') throw known
    }
    throw new AlluxioError('NOT_FOUND', `status ${path}: does not exist as a file or directory`, {
      operation: 'status',
    })
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    return translated('list', path, () =>
      listPage(path, options, {
        volume: this.#volume,
        folder: (at, asking) => this.#places.folder(at, asking),
        look: (place, stat, asking) =>
          this.#look(place, stat, asking).catch((error: unknown) => {
            // A link that leads nowhere, out, or in a circle.
            const { code, reason } = fromErrno(error, 'list', asking.path)
            if (LEADS_NOWHERE.has(code) || reason === 'ELOOP') return undefined
            throw error
          }),
        onTemporary: options.sweep === true ? (place) => this.#leftovers.met(place) : undefined,
      }),
    )
  }

  async mkdir(
    path: string,
    options: { mode?: number; owner?: string; group?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { owner, group, mode, signal } = options
    await translated('mkdir', path, () =>
      this.#make(path, mode ?? DIRECTORY_MODE, { path, signal }).then(async (made) => {
        if (made && (owner !== undefined || group !== undefined))
          await this.setAttributes(path, options, signal)
      }),
    )
  }

  async delete(path: string, options: { recursive?: boolean; signal?: AbortSignal } = {}): Promise<void> {
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const asking = { path, signal: options.signal }
    await translated('delete', path, async () => {
      const place = await this.#places.entry(path, asking)
      // A symbolic link itself is removed, never what it points at.
      const stat = await this.#volume.lstat(place, asking)
      if (stat.kind !== 'directory') await this.#volume.unlink(place, asking)
      else if (options.recursive === true) await this.#deleteTree(place, asking)
      else await this.#deleteEmpty(place, asking)
      this.#places.forget()
    })
  }

  async rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `rename ${src} ${dst}: cannot be moved below itself`)
    }
    const asking = { path: src, signal }
    await translated('rename', src, async () => {
      const [from, to] = await Promise.all([
        this.#places.entry(src, asking),
        this.#places.entry(dst, { path: dst, signal }),
      ])
      await this.#volume.lstat(from, asking)
      if (await this.#exists(to, asking)) {
        throw new AlluxioError('ALREADY_EXISTS', `rename ${src} ${dst}: the target exists`)
      }
      await this.#volume.rename(from, to, asking)
      this.#places.forget()
    })
  }

  async space(signal?: AbortSignal): Promise<UfsSpace> {
    return translated('space', '', () => this.#volume.space({ path: '', signal }))
  }

  async setAttributes(
    path: string,
    attributes: { readonly mode?: number; readonly owner?: string; readonly group?: string },
    signal?: AbortSignal,
  ): Promise<void> {
    const [uid, gid] = this.#owners.ids(attributes.owner, attributes.group)
    const asking = { path, signal }
    await translated('setAttributes', path, async () => {
      const entry = await this.#places.entry(path, asking)
      const { kind } = await this.#volume.lstat(entry, asking)
      const place = kind === 'link' ? await this.#places.target(entry, asking) : entry
      if (uid !== -1 || gid !== -1) await this.#volume.chown(place, uid, gid, asking)
      if (attributes.mode !== undefined) await this.#volume.chmod(place, attributes.mode & 0o7777, asking)
    })
  }

  async close(): Promise<void> {
    await this.#leftovers.close()
    await this.#m.release()
  }

  async #open(asking: Asking): Promise<{ readonly stat: Stat; readonly file: OpenFile }> {
    const place = await this.#places.entry(asking.path, asking)
    let opened = await this.#volume.open(place, asking)
    if (opened.stat.kind === 'link') {
      opened = await this.#volume.open(await this.#places.target(place, asking), asking)
    }
    const { stat, file } = opened
    if (file !== undefined) return { stat, file }
    if (stat.kind === 'directory') throw new AlluxioError('IS_A_DIRECTORY', `${asking.path} is a directory`)
    throw new AlluxioError('UNSUPPORTED', `${asking.path} is no regular file`)
  }

  async #look(place: string, stat: Stat, asking: Asking): Promise<UfsStatus | undefined> {
    if (stat.kind === 'file' || stat.kind === 'directory') return this.#describe(asking.path, stat)
    if (stat.kind !== 'link') return undefined
    const real = await this.#volume.lstat(await this.#places.target(place, asking), asking)
    return real.kind === 'file' || real.kind === 'directory' ? this.#describe(asking.path, real) : undefined
  }

  #describe(path: string, stat: Stat): UfsStatus {
    const directory = stat.kind === 'directory'
    return {
      path,
      directory,
      length: directory ? 0 : Number(stat.size),
      modifiedMs: Number(stat.mtimeNs / 1_000_000n),
      fingerprint: directory ? '' : fingerprintOf(stat),
      mode: stat.mode,
      owner: this.#owners.user(stat.uid),
      group: this.#owners.group(stat.gid),
    }
  }

  /** Opens the temporary file beside the target. */
  async #begin(
    options: UfsCreateOptions,
    asking: Asking,
  ): Promise<{ readonly file: OpenFile; readonly temporary: string; readonly target: string }> {
    const folder = await this.#places.folder(parentOf(asking.path), asking)
    const target = below(folder, nameOf(asking.path))
    await this.#checkTarget(target, options, asking)
    const temporary = below(folder, temporaryName(this.#m.runtime))
    const mode = (options.mode ?? FILE_MODE) & 0o7777
    return { file: await this.#volume.create(temporary, mode, asking), temporary, target }
  }

  async #checkTarget(target: string, options: UfsCreateOptions, asking: Asking): Promise<void> {
    const { path } = asking
    const existing = await this.#volume.lstat(target, asking).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (existing === undefined) return
    if (existing.kind === 'directory')
      throw new AlluxioError('IS_A_DIRECTORY', `create ${path}: it is a directory`)
    if (options.ifAbsent === true) throw new AlluxioError('ALREADY_EXISTS', `create ${path}: it exists`)
  }

  /** Whether it was missing. */
  async #make(path: string, mode: number, asking: Asking): Promise<boolean> {
    const place = path === '' ? `/${this.#options.root}` : await this.#entryToMake(path, asking)
    try {
      await this.#volume.mkdir(place, mode, asking)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        if (path === '') await this.#makeRoot(asking)
        else await this.#make(parentOf(path), DIRECTORY_MODE, asking)
        return this.#make(path, mode, asking)
      }
      if (codeOf(error) !== 'EEXIST') throw error
      const status = await this.status(path, asking.signal)
      if (status.directory) return false
      throw new AlluxioError('ALREADY_EXISTS', `mkdir ${path}: a file stands there`, { operation: 'mkdir' })
    }
  }

  async #entryToMake(path: string, asking: Asking): Promise<string> {
    try {
      return await this.#places.entry(path, asking)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#make(parentOf(path), DIRECTORY_MODE, asking)
      return this.#places.entry(path, asking)
    }
  }

  /** The mount's root, with what is above it in the volume. */
  async #makeRoot(asking: Asking): Promise<void> {
    let place = ''
    for (const name of this.#options.root.split('/').slice(0, -1)) {
      place = `${place}/${name}`
      await this.#volume.mkdir(place, DIRECTORY_MODE, asking).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error
      })
    }
  }

  async #exists(place: string, asking: Asking): Promise<boolean> {
    try {
      await this.#volume.lstat(place, asking)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /** Removes a directory in which at most files of broken-off writes are left. */
  async #deleteEmpty(place: string, asking: Asking): Promise<void> {
    try {
      await this.#volume.rmdir(place, asking)
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY') throw error
      const children = await this.#children(place, asking)
      if (!children.every(({ name }) => isTemporary(name))) throw error
      for (const { name } of children) await this.#volume.unlink(below(place, name), asking)
      await this.#volume.rmdir(place, asking)
    }
  }

  async #deleteTree(place: string, asking: Asking): Promise<void> {
    for (;;) {
      const children = await this.#children(place, asking)
      if (children.length === 0) return this.#volume.rmdir(place, asking)
      let next = 0
      const lane = async () => {
        while (next < children.length) {
          const { name, directory } = children[next++]!
          const child = below(place, name)
          const deleting = directory ? this.#deleteTree(child, asking) : this.#volume.unlink(child, asking)
          await deleting.catch((error: unknown) => {
            if (codeOf(error) !== 'ENOENT') throw error
          })
        }
      }
      await Promise.all([lane(), lane()])
    }
  }

  /** The first names of a directory. */
  async #children(
    place: string,
    asking: Asking,
  ): Promise<readonly { readonly name: string; readonly directory: boolean }[]> {
    const directory = await this.#volume.openDirectory(place, asking)
    try {
      const children: { name: string; directory: boolean }[] = []
      while (children.length < DELETE_BATCH) {
        const entry = await directory.next(asking)
        if (entry === undefined) break
        const { name } = entry
        if (name === '.' || name === '..') continue
        if (name === undefined) {
          throw new AlluxioError(
            'UNSUPPORTED',
            `delete ${asking.path}: ${place} has a name that is no UTF-8: remove it by another client`,
            {
              reason: 'NOT_UTF8',
            },
          )
        }
        const stat = entry.stat ?? (await this.#volume.lstat(below(place, name), asking))
        children.push({ name, directory: stat.kind === 'directory' })
      }
      return children
    } finally {
      await directory.close(asking).catch(() => {})
    }
  }
}

function temporaryPlaces(volume: Volume): TemporaryPlaces {
  const asking = (place: string): Asking => ({ path: place })
  const changedMs = async (place: string) => {
    const { mtimeNs, ctimeNs } = await volume.lstat(place, asking(place))
    return Math.max(Number(mtimeNs / 1_000_000n), Number(ctimeNs / 1_000_000n))
  }
  return {
    touchedMs: changedMs,
    async nowMs(place) {
      await volume.mkdir(place, DIRECTORY_MODE, asking(place))
      try {
        return await changedMs(place)
      } finally {
        await volume.rmdir(place, asking(place))
      }
    },
    async remove(place) {
      const { kind } = await volume.lstat(place, asking(place))
      if (kind === 'directory') await volume.rmdir(place, asking(place))
      else await volume.unlink(place, asking(place))
    },
  }
}

function codeOf(error: unknown): string | undefined {
  return isAlluxioError(error) ? undefined : (error as NodeJS.ErrnoException).code
}

async function translated<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw fromErrno(error, operation, path)
  }
}

function translatedRead(read: GlusterRead, path: string): ChunkSource {
  return {
    next: () =>
      read.next().catch((error: unknown) => {
        throw fromErrno(error, 'read', path)
      }),
    return: () => read.return(),
  }
}
