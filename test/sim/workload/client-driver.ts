/**
 * One client of the world: random file operations from a small set of paths, every answer recorded. It holds a production
 * `FileSystem` and nothing else; when its process dies, whatever it awaited never comes back, and the next life of the
 * client goes on with what is left to do.
 */

import type { FileStatus, FileSystem } from '../../../src/client/types.ts'
import { sleep } from '../../../src/core/index.ts'
import type { WriteType } from '../../../src/core/options/index.ts'
import type { SimNode } from '../kernel/kernel.ts'
import type { Rng } from '../kernel/rng.ts'
import { contentOf, firstWrongByte, lengthOf, MAX_TAGS, tagOf } from './content.ts'
import { type History, type Operation, type Seen, type Told, toldError } from './history.ts'
import { CACHE_ROOT, DIRECTORY_NAMES, FILE_NAMES, KEEP_ROOT, LIN_ROOTS } from './roots.ts'

export interface WorkloadOptions {
  readonly thinkMs: number
  readonly blockSizeBytes: number
}

/** A file that was acknowledged and that nobody may take away. */
export interface Kept {
  readonly path: string
  readonly tag: number
  readonly length: number
  readonly writeType: WriteType
}

const WRITE_TYPES: readonly WriteType[] = ['MUST_CACHE', 'CACHE_THROUGH', 'THROUGH', 'ASYNC_THROUGH']

const WEIGHTS = {
  write: 24,
  keep: 10,
  read: 22,
  stat: 10,
  list: 8,
  rename: 8,
  delete: 10,
  mkdir: 6,
  attribute: 6,
  sync: 5,
} as const

/** What the lives of all clients share. */
export class Workload {
  readonly options: WorkloadOptions
  readonly history: History
  readonly rng: Rng
  readonly kept: Kept[] = []
  #tags = 0

  constructor(options: WorkloadOptions, modules: { readonly history: History; readonly rng: Rng }) {
    this.options = options
    this.history = modules.history
    this.rng = modules.rng
  }

  /** A tag for a new file and its length. */
  newFile(size: number): { tag: number; length: number } {
    const tag = ++this.#tags % MAX_TAGS
    const length = lengthOf(tag, size)
    this.history.lengths.set(tag, length)
    return { tag, length }
  }
}

export class ClientDriver {
  readonly name: string
  readonly #fs: FileSystem
  readonly #node: SimNode
  readonly #workload: Workload
  readonly #rng: Rng

  constructor(modules: {
    readonly fs: FileSystem
    readonly node: SimNode
    readonly workload: Workload
    readonly rng: Rng
  }) {
    this.name = modules.node.name
    this.#fs = modules.fs
    this.#node = modules.node
    this.#workload = modules.workload
    this.#rng = modules.rng
  }

  get #history(): History {
    return this.#workload.history
  }

  /** Does operations for as long as `take` grants one. */
  async run(take: () => boolean): Promise<void> {
    while (take()) {
      await sleep(this.#node.runtime, this.#rng.exponential(this.#workload.options.thinkMs))
      try {
        await this.#one()
      } catch {
        // The history has it; a client's program would go on as well.
      }
    }
  }

  #path(root: string = this.#rng.pick(LIN_ROOTS)): string {
    const name = this.#rng.pick(FILE_NAMES)
    return this.#rng.chance(0.4) ? `${root}/${this.#rng.pick(DIRECTORY_NAMES)}/${name}` : `${root}/${name}`
  }

  #directory(): string {
    return `${this.#rng.pick(LIN_ROOTS)}/${this.#rng.pick(DIRECTORY_NAMES)}`
  }

  #one(): Promise<unknown> {
    const path = this.#path()
    switch (this.#rng.weighted(WEIGHTS)) {
      case 'write':
        return this.#write(path, writeTypeUnder(path, this.#rng.pick(WRITE_TYPES)), this.#rng.chance(0.3))
      case 'keep':
        return this.#keep()
      case 'read':
        return this.#read(this.#rng.chance(0.3) ? this.#anyKept(path) : path)
      case 'stat':
        return this.stat(this.#rng.chance(0.3) ? this.#directory() : path)
      case 'list':
        return this.list(this.#rng.chance(0.6) ? this.#directory() : this.#rng.pick(LIN_ROOTS))
      case 'rename':
        return this.#rename()
      case 'delete':
        return this.#delete(this.#rng.chance(0.3) ? this.#directory() : path)
      case 'mkdir':
        return this.#mkdir(this.#directory())
      case 'attribute':
        return this.#attribute(path)
      case 'sync':
        return this.#sync()
    }
  }

  #anyKept(otherwise: string): string {
    const kept = this.#workload.kept
    return kept.length === 0 ? otherwise : this.#rng.pick(kept).path
  }

  #size(): number {
    const block = this.#workload.options.blockSizeBytes
    return this.#rng.pick([1, 1, block, 3 * block, 5 * block + 4096])
  }

  async #keep(): Promise<void> {
    const writeType = this.#rng.pick(WRITE_TYPES)
    const path = `${KEEP_ROOT}/${this.name}-${this.#history.operations.length}`
    const written = await this.#write(path, writeType, false)
    this.#workload.kept.push({ path, ...written, writeType })
  }

  async #write(
    path: string,
    writeType: WriteType,
    overwrite: boolean,
  ): Promise<{ tag: number; length: number }> {
    const { tag, length } = this.#workload.newFile(this.#size())
    const chunk = this.#rng.pick([512, 4096, 100_000])
    const blockSizeBytes = this.#workload.options.blockSizeBytes
    const ttl = !path.startsWith(KEEP_ROOT) && this.#rng.chance(0.15) ? { ttlMs: this.#rng.int(1, 3000) } : {}
    const create = () => this.#fs.create(path, { writeType, overwrite, blockSizeBytes, ...ttl })
    // From the call on the master may delete the file whenever it finds it expired.
    if (ttl.ttlMs !== undefined) this.#history.call(this.name, { kind: 'expire', path, tag })
    const abandon = this.#history.call(this.name, { kind: 'abandon', path, tag })
    const created = this.#history.operations.length
    const writer = await this.#record({ kind: 'create', path, tag, overwrite }, create).catch(
      (error: unknown) => {
        // Refused for certain: there is nothing to abandon.
        abandon.void = this.#history.operations[created]?.returnedAt !== Number.POSITIVE_INFINITY
        throw error
      },
    )
    try {
      for (let at = 0; at < length; at += chunk)
        await writer.write(contentOf(tag, at, Math.min(chunk, length - at)))
      await this.#record({ kind: 'complete', path, tag, through: writeType !== 'MUST_CACHE' }, () =>
        writer.close(),
      )
    } catch (error) {
      await writer.abort(error)
      throw error
    }
    abandon.void = true
    return { tag, length }
  }

  #record<T>(ask: Operation['ask'], run: () => Promise<T>): Promise<T> {
    return this.#history.record(this.name, ask, run, () => ({ kind: 'ok' }))
  }

  async #read(path: string): Promise<void> {
    const position = this.#rng.chance(0.5) ? 0 : this.#rng.int(0, 3 * this.#workload.options.blockSizeBytes)
    const length = this.#rng.chance(0.5) ? Number.MAX_SAFE_INTEGER : this.#rng.int(1, 5000)
    const readType = this.#rng.pick(['NO_CACHE', 'CACHE', 'CACHE_PROMOTE'] as const)
    await this.read(path, position, length, readType)
  }

  /** Reads a range and judges its bytes against what the file's length says they are. */
  async read(
    path: string,
    offset: number,
    length: number,
    readType: 'NO_CACHE' | 'CACHE' | 'CACHE_PROMOTE' = 'CACHE',
  ): Promise<Told> {
    const ask = { kind: 'read', path, offset, length } as const
    const judge = async (): Promise<Told> => {
      const reader = await this.#fs.open(path, { readType })
      try {
        const count = Math.max(0, Math.min(length, reader.length - offset))
        const buffer = Buffer.alloc(count)
        const got = count === 0 ? 0 : await reader.readInto(offset, buffer)
        const wrong = firstWrongByte(tagOf(reader.length), offset, buffer.subarray(0, got))
        return {
          kind: 'bytes',
          fileLength: reader.length,
          count: got,
          wrong: wrong < 0 && got < count ? offset + got : wrong,
        }
      } catch (error) {
        return { ...toldError(error), kind: 'broken', fileLength: reader.length }
      } finally {
        await reader.close()
      }
    }
    return this.#history.record(this.name, ask, judge, (told) => told)
  }

  stat(path: string): Promise<unknown> {
    const run = () => this.#fs.getStatus(path)
    return this.#history.record(this.name, { kind: 'stat', path }, run, (status) => ({
      kind: 'seen',
      entry: seenOf(status),
    }))
  }

  async list(path: string): Promise<ReadonlyMap<string, Seen>> {
    const run = async () => {
      const entries = new Map<string, Seen>()
      for await (const status of this.#fs.list(path)) entries.set(status.name, seenOf(status))
      return entries
    }
    return this.#history.record(this.name, { kind: 'list', path }, run, (entries) => ({
      kind: 'listed',
      entries,
    }))
  }

  #rename(): Promise<unknown> {
    const root = this.#rng.pick(LIN_ROOTS)
    const folder = this.#rng.chance(0.25)
    const path = folder ? `${root}/${this.#rng.pick(DIRECTORY_NAMES)}` : this.#path(root)
    const to = folder ? `${root}/${this.#rng.pick(DIRECTORY_NAMES)}` : this.#path(root)
    if (path === to) return this.stat(path)
    return this.#record({ kind: 'rename', path, to }, () => this.#fs.rename(path, to))
  }

  #delete(path: string): Promise<unknown> {
    const recursive = this.#rng.chance(0.5)
    return this.#record({ kind: 'delete', path, recursive }, () => this.#fs.delete(path, { recursive }))
  }

  #mkdir(path: string): Promise<unknown> {
    const writeType = writeTypeUnder(path, this.#rng.pick(['MUST_CACHE', 'CACHE_THROUGH'] as const))
    return this.#record({ kind: 'mkdir', path }, () => this.#fs.mkdir(path, { writeType }))
  }

  async #attribute(path: string): Promise<void> {
    switch (this.#rng.pick(['pin', 'unpin', 'free', 'persist'] as const)) {
      case 'pin':
        await this.#touch(path, 'pin', () => this.#fs.setAttribute(path, { pinned: true }))
        return
      case 'unpin':
        await this.#touch(path, 'unpin', () => this.#fs.setAttribute(path, { pinned: false }))
        return
      case 'free':
        await this.#touch(path, 'free', () => this.#fs.free(path))
        return
      case 'persist':
        if (path.startsWith(CACHE_ROOT)) return
        await this.#touch(path, 'persist', () => this.#fs.persist(path))
        return
    }
  }

  /** Nobody else writes to the store: a sync may change nothing that a client sees. */
  #sync(): Promise<unknown> {
    const path = this.#rng.chance(0.4) ? this.#directory() : this.#rng.pick(LIN_ROOTS)
    const [recursive, force] = [this.#rng.chance(0.7), this.#rng.chance(0.8)]
    return this.#touch(path, 'sync', () => this.#fs.syncs.run(path, { recursive, force }))
  }

  #touch(path: string, what: string, run: () => Promise<unknown>): Promise<unknown> {
    return this.#record({ kind: 'touch', path, what }, run)
  }
}

function writeTypeUnder(path: string, writeType: WriteType): WriteType {
  return path.startsWith(CACHE_ROOT) ? 'MUST_CACHE' : writeType
}

function seenOf(status: FileStatus): Seen {
  return { folder: status.folder, completed: status.completed, length: status.folder ? 0 : status.length }
}
