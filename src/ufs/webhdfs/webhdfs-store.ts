/** Files of HDFS below a folder. */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { iterable } from '../layers/around.ts'
import { cancelled, NOT_DONE } from '../layers/retry-policy.ts'
import type { StoreModules } from '../registry.ts'
import type {
  UfsBlockLocation,
  UfsCapabilities,
  UfsChecksum,
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
import { checkStorePath, childOf, nameOf, parentOf } from '../uri.ts'
import { AttributeCalls } from './attribute-calls.ts'
import { malformed } from './errors.ts'
import { type FileStatus, statusOf } from './file-status.ts'
import { Listing } from './listing.ts'
import { blockLocations, fileChecksum, isClosed, space } from './metadata.ts'
import type { NameNodes } from './name-nodes.ts'
import { HdfsRead } from './reader.ts'
import { rename } from './rename.ts'
import { HdfsWriter } from './writer.ts'

const CAPABILITIES: UfsCapabilities = {
  atomicRename: true,
  directoryRename: true,
  directories: true,
  etag: false,
  conditionalCreate: true,
  objectMetadata: false,
  posix: true,
  space: true,
  // HDFS compares names by signed bytes: what is not ASCII comes first.
  orderedList: false,
  refusedNames: /[:\0]/,
  bestRangeBytes: 32 * 2 ** 20,
  bestRangeParallelism: 4,
}
/** Deleting a large tree keeps the NameNode busy before it answers. */
const DELETE_SILENCE_MS = 300_000

export interface WebHdfsStoreOptions {
  /** The folder of the store without leading and trailing slash. */
  readonly root: string
  /** Age, ms, at which files of killed writers go; 0: never. */
  readonly temporaryAgeMs: number
}

export class WebHdfsStore implements UnderStore {
  readonly scheme = 'hdfs'
  readonly capabilities = CAPABILITIES
  readonly #root: string
  readonly #nodes: NameNodes
  readonly #modules: Pick<StoreModules, 'retry' | 'runtime'>
  readonly #attributes: AttributeCalls
  readonly #listing: Listing
  readonly #leftovers: Leftovers

  constructor(
    options: WebHdfsStoreOptions,
    modules: Pick<StoreModules, 'retry' | 'runtime' | 'log'> & { readonly nodes: NameNodes },
  ) {
    this.#root = options.root
    this.#nodes = modules.nodes
    this.#modules = modules
    this.#attributes = new AttributeCalls(modules.nodes)
    this.#listing = new Listing(modules.nodes, (path) => this.#place(path))
    const places = this.#temporaryPlaces()
    this.#leftovers = new Leftovers({ maxAgeMs: options.temporaryAgeMs }, { ...modules, places })
  }

  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    const status = (at: string, signal: AbortSignal | undefined) => this.status(at, signal)
    return iterable(() => new HdfsRead(path, this.#place(path), options, { nodes: this.#nodes, status }))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    const place = this.#place(path)
    const name = nameOf(path)
    if (isTemporary(name)) {
      throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: such names are for files being written`)
    }
    if (CAPABILITIES.refusedNames!.test(name)) {
      throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: HDFS has no names with a colon`, {
        reason: 'NAME_REFUSED',
      })
    }
    const temporary = this.#place(childOf(parentOf(path), temporaryName(this.#modules.runtime)))
    return new HdfsWriter(
      { ...options, path, place, temporary },
      {
        nodes: this.#nodes,
        attributes: this.#attributes,
        retry: this.#modules.retry,
        statusAt: (at, told, signal) => this.#statusAt(at, told, signal),
      },
    )
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    return this.#statusAt(this.#place(path), path, signal)
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    const met = (at: string) => this.#leftovers.met(at)
    return this.#listing.page(path, options, options.sweep === true ? met : undefined)
  }

  async mkdir(
    path: string,
    options: { mode?: number; owner?: string; group?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { mode, owner = '', group = '', signal } = options
    const place = this.#place(path)
    // Only a directory that is made here gets the owner.
    const owned = (owner !== '' || group !== '') && !(await this.#exists(path, signal))
    const permission = mode === undefined ? undefined : (mode & 0o1777).toString(8)
    const answer = await this.#nodes.call({
      method: 'PUT',
      op: 'MKDIRS',
      path: place,
      query: { permission },
      signal,
    })
    if (answer?.boolean !== true)
      throw malformed(`MKDIRS ${place}`, 'the NameNode', JSON.stringify(answer ?? ''))
    if (owned) await this.#attributes.setOwner(place, owner, group, signal)
  }

  async delete(path: string, options: { recursive?: boolean; signal?: AbortSignal } = {}): Promise<void> {
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const { recursive = false, signal } = options
    try {
      await this.#delete(path, recursive, signal)
    } catch (error) {
      if (!isAlluxioError(error, 'DIRECTORY_NOT_EMPTY')) throw error
      // Files of broken-off writes, which nobody sees, do not keep a directory.
      const { files, more } = await this.#listing.batch(path, '', signal)
      if (more || !files.every(({ pathSuffix }) => isTemporary(pathSuffix))) throw error
      for (const { pathSuffix } of files) await this.#delete(childOf(path, pathSuffix), false, signal)
      await this.#delete(path, false, signal)
    }
  }

  async rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `rename ${src} ${dst}: cannot be moved below itself`)
    }
    const move = () => rename(this.#nodes, this.#place(src), this.#place(dst), { replace: false, signal })
    try {
      await move()
    } catch (error) {
      if (!withoutAnswer(error)) throw error
      await this.#settleRename(src, dst, move, error, signal)
    }
  }

  async space(signal?: AbortSignal): Promise<UfsSpace> {
    return space(this.#nodes, this.#place(''), signal)
  }

  async setAttributes(
    path: string,
    attributes: { readonly mode?: number; readonly owner?: string; readonly group?: string },
    signal?: AbortSignal,
  ): Promise<void> {
    const { mode, owner = '', group = '' } = attributes
    const place = this.#place(path)
    if (owner !== '' || group !== '') await this.#attributes.setOwner(place, owner, group, signal)
    if (mode !== undefined) await this.#attributes.setMode(place, mode, signal)
  }

  async blockLocations(
    path: string,
    range: { readonly offset?: number; readonly length?: number; readonly signal?: AbortSignal } = {},
  ): Promise<readonly UfsBlockLocation[]> {
    return blockLocations(this.#nodes, this.#place(path), range)
  }

  async checksum(path: string, signal?: AbortSignal): Promise<UfsChecksum> {
    return fileChecksum(this.#nodes, this.#place(path), signal)
  }

  async close(): Promise<void> {
    await this.#leftovers.close()
    this.#nodes.close()
  }

  #temporaryPlaces(): TemporaryPlaces {
    return {
      // Writing leaves the time as it is until the file is closed, at the latest when the NameNode takes the lease away.
      touchedMs: async (path) => {
        const { directory, modifiedMs } = await this.status(path)
        if (!directory && !(await isClosed(this.#nodes, this.#place(path)))) return undefined
        return modifiedMs
      },
      nowMs: async (path) => {
        await this.mkdir(path)
        try {
          return (await this.status(path)).modifiedMs
        } finally {
          await this.#delete(path, false, undefined)
        }
      },
      remove: (path) => this.#delete(path, false, undefined),
    }
  }

  /** From the root of HDFS. @throws INVALID_ARGUMENT */
  #place(path: string): string {
    checkStorePath(path)
    if (path === '') return `/${this.#root}`
    return this.#root === '' ? `/${path}` : `/${this.#root}/${path}`
  }

  async #statusAt(place: string, path: string, signal: AbortSignal | undefined): Promise<UfsStatus> {
    if (signal?.aborted) throw cancelled(signal, 'status', path)
    try {
      const answer = await this.#nodes.call({ method: 'GET', op: 'GETFILESTATUS', path: place, signal })
      const file = answer?.FileStatus as FileStatus | undefined
      if (typeof file?.length === 'number' && typeof file.permission === 'string') return statusOf(path, file)
      throw malformed(`GETFILESTATUS ${place}`, 'the NameNode', JSON.stringify(answer ?? ''))
    } catch (error) {
      // Nothing is below a file.
      if (!isAlluxioError(error, 'NOT_A_DIRECTORY')) throw error
      throw new AlluxioError('NOT_FOUND', `status ${path}: does not exist`, {
        operation: 'status',
        cause: error,
      })
    }
  }

  /** A rename without an answer is repeated when what is to move can be known again at the target, by its inode. */
  async #settleRename(
    src: string,
    dst: string,
    move: () => Promise<void>,
    lost: unknown,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { retry } = this.#modules
    const inode = await retry
      .run('GETFILESTATUS', src, signal, () => this.#inode(src, signal))
      .catch(() => undefined)
    if (inode === undefined) throw lost
    await retry.run('RENAME', src, signal, async () => {
      try {
        await move()
      } catch (error) {
        if (!isAlluxioError(error, 'NOT_FOUND')) throw error
        const there = await this.#inode(dst, signal).catch(() => undefined)
        if (there !== inode) throw error
      }
    })
  }

  async #inode(path: string, signal: AbortSignal | undefined): Promise<number | undefined> {
    const place = this.#place(path)
    const answer = await this.#nodes.call({ method: 'GET', op: 'GETFILESTATUS', path: place, signal })
    return (answer?.FileStatus as FileStatus | undefined)?.fileId
  }

  async #exists(path: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.status(path, signal)
      return true
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return false
      throw error
    }
  }

  async #delete(path: string, recursive: boolean, signal: AbortSignal | undefined): Promise<void> {
    const answer = await this.#nodes.call({
      method: 'DELETE',
      op: 'DELETE',
      path: this.#place(path),
      query: { recursive },
      signal,
      ...(recursive ? { silenceMs: DELETE_SILENCE_MS } : {}),
    })
    if (answer?.boolean === true) return
    if (answer?.boolean === false) throw new AlluxioError('NOT_FOUND', `delete ${path}: does not exist`)
    throw malformed(`DELETE ${path}`, 'the NameNode', JSON.stringify(answer ?? ''))
  }
}

/** The call may have been done although it failed. */
function withoutAnswer(error: unknown): boolean {
  return (
    (isAlluxioError(error, 'UNAVAILABLE') || isAlluxioError(error, 'TIMEOUT')) &&
    !('status' in error.details) &&
    error.details[NOT_DONE] !== true
  )
}
