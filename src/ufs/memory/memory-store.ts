/** A store in memory with a real store's behaviour: for the simulation and for tests that need no server. */
import { AlluxioError, type Runtime, sleep } from '../../core/index.ts'
import type {
  UfsCapabilities,
  UfsChanges,
  UfsChangesOptions,
  UfsCreateOptions,
  UfsListOptions,
  UfsPage,
  UfsReadOptions,
  UfsSpace,
  UfsStatus,
  UfsWriter,
  UnderStore,
} from '../store.ts'
import { childOf, compareUtf8, nameOf, parentOf } from '../uri.ts'
import type { MemoryFile, MemoryNode, MemoryTree } from './memory-tree.ts'

export interface MemoryStoreOptions {
  /** Uniform delay of every call, milliseconds. @default none */
  readonly latencyMs?: readonly [least: number, most: number]
  /** Bytes of a chunk of a read. @default 1 MiB */
  readonly chunkBytes?: number
  /** What `space` answers as the total; writes beyond it fail with RESOURCE_EXHAUSTED. @default no limit */
  readonly capacityBytes?: number
  readonly scheme?: string
}

const CAPABILITIES: UfsCapabilities = {
  atomicRename: true,
  directoryRename: true,
  directories: true,
  etag: true,
  conditionalCreate: true,
  objectMetadata: true,
  posix: true,
  space: true,
  orderedList: true,
  bestRangeBytes: 2 ** 20,
  bestRangeParallelism: 4,
}

export class MemoryStore implements UnderStore {
  readonly scheme: string
  readonly capabilities = CAPABILITIES
  readonly #options: MemoryStoreOptions
  readonly #runtime: Runtime
  readonly #tree: MemoryTree

  constructor(
    options: MemoryStoreOptions,
    modules: { readonly runtime: Runtime; readonly tree: MemoryTree },
  ) {
    this.scheme = options.scheme ?? 'mem'
    this.#options = options
    this.#runtime = modules.runtime
    this.#tree = modules.tree
  }

  async *open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array> {
    await this.#delay(options.signal)
    const file = this.#file(path)
    const fingerprint = fingerprintOf(file)
    if (options.fingerprint !== undefined && options.fingerprint !== fingerprint) {
      throw new AlluxioError('CONFLICT', `${path} has changed in the under-store`, {
        reason: 'SOURCE_CHANGED',
        details: { expected: options.fingerprint, actual: fingerprint },
      })
    }
    options.onFingerprint?.(fingerprint)
    // Bytes of a version are never changed in place, so the reader keeps a consistent one.
    const bytes = file.bytes
    const end = Math.min(bytes.length, options.offset + options.length)
    const step = this.#options.chunkBytes ?? 2 ** 20
    for (let at = options.offset; at < end; at += step) yield bytes.slice(at, Math.min(end, at + step))
  }

  async create(path: string, options: UfsCreateOptions = {}): Promise<UfsWriter> {
    await this.#delay(options.signal)
    this.#checkTarget(path, options)
    const chunks: Uint8Array[] = []
    let open = true
    return {
      write: async (chunk) => {
        if (!open) throw new AlluxioError('INVALID_ARGUMENT', `${path}: the writer is closed`)
        chunks.push(chunk)
      },
      close: async () => {
        if (!open) throw new AlluxioError('INVALID_ARGUMENT', `${path}: the writer is closed`)
        open = false
        await this.#delay(options.signal)
        return this.#put(path, Buffer.concat(chunks), options)
      },
      abort: async () => {
        open = false
        chunks.length = 0
      },
    }
  }

  async status(path: string, signal?: AbortSignal): Promise<UfsStatus> {
    await this.#delay(signal)
    return statusOf(path, this.#tree.node(path))
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsPage> {
    await this.#delay(options.signal)
    const node = this.#tree.node(path)
    if (node.kind === 'file') throw new AlluxioError('NOT_A_DIRECTORY', `${path} is a file`)
    const limit = options.limit ?? 1000
    const entries: UfsStatus[] = []
    const walk = (
      prefix: string,
      at: MemoryNode & { kind: 'directory' },
      after: string[] | undefined,
    ): boolean => {
      const names = [...at.children.keys()].sort(compareUtf8)
      for (const name of names) {
        const order = after === undefined ? 1 : compareUtf8(name, after[0]!)
        if (order < 0) continue
        const child = at.children.get(name)!
        const childPath = childOf(prefix, name)
        if (order > 0) {
          if (entries.length === limit) return false
          entries.push(statusOf(childPath, child))
        }
        if (options.recursive === true && child.kind === 'directory') {
          const rest = order === 0 && after!.length > 1 ? after!.slice(1) : undefined
          if (!walk(childPath, child, rest)) return false
        }
      }
      return true
    }
    const complete = walk(path, node, options.cursor?.split('/'))
    if (complete) return { entries }
    const last = entries.at(-1)!.path
    return { entries, cursor: path === '' ? last : last.slice(path.length + 1) }
  }

  async mkdir(
    path: string,
    options: { mode?: number; owner?: string; group?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.#delay(options.signal)
    const node = this.#tree.find(path)
    if (node?.kind === 'file') throw new AlluxioError('ALREADY_EXISTS', `${path} is a file`)
    this.#tree.directory(path, true, this.#runtime.now(), {
      ...(options.mode === undefined ? {} : { mode: options.mode }),
      ...(options.owner === undefined ? {} : { owner: options.owner }),
      ...(options.group === undefined ? {} : { group: options.group }),
    })
    this.#tree.change(path)
  }

  async delete(path: string, options: { recursive?: boolean; signal?: AbortSignal } = {}): Promise<void> {
    await this.#delay(options.signal)
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const node = this.#tree.node(path)
    if (node.kind === 'directory' && node.children.size > 0 && options.recursive !== true) {
      throw new AlluxioError('DIRECTORY_NOT_EMPTY', `${path} is not empty`)
    }
    this.#tree.directory(parentOf(path), false, 0).children.delete(nameOf(path))
    this.#tree.change(path)
  }

  async rename(src: string, dst: string, signal?: AbortSignal): Promise<void> {
    await this.#delay(signal)
    const node = this.#tree.node(src)
    if (this.#tree.find(dst) !== undefined) throw new AlluxioError('ALREADY_EXISTS', `${dst} exists`)
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `${src} cannot be moved below itself`)
    }
    const target = this.#tree.directory(parentOf(dst), false, this.#runtime.now())
    this.#tree.directory(parentOf(src), false, 0).children.delete(nameOf(src))
    target.children.set(nameOf(dst), node)
    this.#tree.change(src)
    this.#tree.change(dst)
  }

  async changes(path: string, options: UfsChangesOptions = {}): Promise<UfsChanges> {
    await this.#delay(options.signal)
    const cursor = String(this.#tree.nextChange)
    if (options.cursor === undefined) return { paths: [], cursor }
    const all = this.#tree.changesSince(Number(options.cursor))
    if (all === undefined) return { paths: [], cursor, incomplete: true }
    return { paths: all.filter((changed) => isBelow(changed, path) || isBelow(path, changed)), cursor }
  }

  async space(signal?: AbortSignal): Promise<UfsSpace> {
    await this.#delay(signal)
    const usedBytes = this.#tree.totalBytes()
    return { usedBytes, totalBytes: this.#options.capacityBytes ?? 2 ** 50 }
  }

  async setAttributes(
    path: string,
    attributes: { mode?: number; owner?: string; group?: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#delay(signal)
    const node = this.#tree.node(path)
    if (attributes.mode !== undefined) node.mode = attributes.mode
    if (attributes.owner !== undefined) node.owner = attributes.owner
    if (attributes.group !== undefined) node.group = attributes.group
  }

  async close(): Promise<void> {}

  #file(path: string): MemoryFile {
    const node = this.#tree.node(path)
    if (node.kind === 'directory') throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`)
    return node
  }

  #checkTarget(path: string, options: UfsCreateOptions): void {
    if (path === '') throw new AlluxioError('IS_A_DIRECTORY', 'the root of a store is a directory')
    const existing = this.#tree.find(path)
    if (existing?.kind === 'directory') throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`)
    if (existing !== undefined && options.ifAbsent === true) {
      throw new AlluxioError('ALREADY_EXISTS', `${path} exists`)
    }
    if (options.createParents === false) this.#tree.directory(parentOf(path), false, 0)
  }

  #put(path: string, bytes: Uint8Array, options: UfsCreateOptions): UfsStatus {
    this.#checkTarget(path, options)
    const { capacityBytes } = this.#options
    if (capacityBytes !== undefined && this.#tree.totalBytes() + bytes.length > capacityBytes) {
      throw new AlluxioError('RESOURCE_EXHAUSTED', `${path}: the store is full`, { reason: 'ENOSPC' })
    }
    const now = this.#runtime.now()
    const file: MemoryFile = {
      kind: 'file',
      bytes,
      modifiedMs: now,
      version: this.#tree.nextVersion(),
      mode: options.mode ?? 0o644,
      owner: options.owner ?? 'alluxio',
      group: options.group ?? 'alluxio',
      metadata: options.metadata ?? {},
    }
    this.#tree.directory(parentOf(path), true, now).children.set(nameOf(path), file)
    this.#tree.change(path)
    return statusOf(path, file)
  }

  async #delay(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw signal.reason
    if (this.#options.latencyMs === undefined) return
    const [least, most] = this.#options.latencyMs
    await sleep(this.#runtime, least + this.#runtime.random() * (most - least), signal)
  }
}

function fingerprintOf(file: MemoryFile): string {
  return `v${file.version}`
}

function statusOf(path: string, node: MemoryNode): UfsStatus {
  const { modifiedMs, mode, owner, group } = node
  if (node.kind === 'directory') {
    return { path, directory: true, length: 0, modifiedMs, fingerprint: '', mode, owner, group }
  }
  return {
    path,
    directory: false,
    length: node.bytes.length,
    modifiedMs,
    fingerprint: fingerprintOf(node),
    mode,
    owner,
    group,
    metadata: node.metadata,
  }
}

function isBelow(path: string, ancestor: string): boolean {
  return ancestor === '' || path === ancestor || path.startsWith(`${ancestor}/`)
}
