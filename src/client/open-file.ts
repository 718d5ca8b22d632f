/** What an open file knows: its metadata and, block by block, where the bytes are. */
import { assert, blockCount, blockIdOf, blockLength, type FileId } from '../core/index.ts'
import type { ReadType } from '../core/options/index.ts'
import type { BlockInfo, Client, Infer, MasterFs, UfsSource } from '../rpc/index.ts'
import type { EntryStatus } from './file-status.ts'
import { statusOfEntry } from './file-status.ts'
import type { LocalBlock } from './local-block.ts'
import type { ReadTally } from './read-tally.ts'
import type { Workers } from './workers.ts'

export type Source = Infer<typeof UfsSource>
type Locations = Infer<typeof BlockInfo>['locations']

/** Blocks asked for at once when a file has more than `open` tells. */
const BLOCKS_PER_CALL = 1000

/** One block of an open file, with what was learnt of it while reading. */
export interface FileBlock {
  readonly id: number
  readonly index: number
  /** Offset in the file and length, bytes. */
  readonly offset: number
  readonly length: number
  locations: Locations
  /** The block's tier file, when it is open here. */
  local: LocalBlock | undefined
  /** A small block's bytes, when they were read as a whole. */
  resident: Uint8Array | undefined
  residentTally: ReadTally | undefined
  /** Whether the tier file was asked for, in vain or because it turned out bad. */
  localTried: boolean
  /** Bytes read through workers since then: a block read whole may have been sealed on this host meanwhile. */
  throughBytes: number
}

export class OpenFile {
  readonly path: string
  readonly status: EntryStatus
  readonly source: Source | undefined
  readonly readType: ReadType
  readonly #fs: Client<typeof MasterFs>
  readonly #workers: Workers
  readonly #blocks: (FileBlock | undefined)[] = []
  readonly #fileId: FileId
  readonly #length: number
  readonly #blockSizeBytes: number

  private constructor(
    path: string,
    answer: Infer<(typeof MasterFs)['methods']['open']['response']>,
    readType: ReadType,
    modules: { readonly fs: Client<typeof MasterFs>; readonly workers: Workers },
  ) {
    this.path = path
    this.status = statusOfEntry(path, answer.entry)
    this.source = answer.source
    this.readType = readType
    this.#fs = modules.fs
    this.#workers = modules.workers
    this.#fileId = this.status.fileId
    this.#length = this.status.length
    this.#blockSizeBytes = this.status.blockSizeBytes
    modules.workers.learn(answer.workers)
    for (const [index, { locations }] of answer.blocks.entries())
      this.#blocks[index] = this.#make(index, locations)
  }

  /** One round trip. @throws NOT_FOUND, IS_A_DIRECTORY, PERMISSION_DENIED, CONFLICT for a file still being written */
  static async open(
    path: string,
    options: { readonly readType: ReadType; readonly syncIntervalMs?: number; readonly signal?: AbortSignal },
    modules: { readonly fs: Client<typeof MasterFs>; readonly workers: Workers },
  ): Promise<OpenFile> {
    const { readType, syncIntervalMs, signal } = options
    const answer = await modules.fs.open(
      syncIntervalMs === undefined ? { path } : { path, syncIntervalMs },
      signal === undefined ? undefined : { signal },
    )
    return new OpenFile(path, answer, readType, modules)
  }

  get length(): number {
    return this.#length
  }
  get blockSizeBytes(): number {
    return this.#blockSizeBytes
  }
  get blockCount(): number {
    return this.#length === 0 ? 0 : blockCount(this.#length, this.#blockSizeBytes)
  }

  /** A block whose places are known already. */
  known(index: number): FileBlock | undefined {
    return this.#blocks[index]
  }

  block(index: number): FileBlock | Promise<FileBlock> {
    return this.#blocks[index] ?? this.#fetch(index)
  }

  /** Asks the master again where a block is. */
  async refresh(block: FileBlock): Promise<void> {
    const { blocks, workers } = await this.#fs.blocks({ fileId: this.#fileId, from: block.index, limit: 1 })
    this.#workers.learn(workers)
    if (blocks[0] !== undefined) block.locations = blocks[0].locations
  }

  /** Whether the file is still what it was when it was opened, after its source was looked at again. */
  async isUnchanged(): Promise<boolean> {
    const answer = await this.#fs.open({ path: this.path, syncIntervalMs: 0 })
    const now = statusOfEntry(this.path, answer.entry)
    return (
      now.fileId === this.#fileId &&
      now.length === this.#length &&
      answer.source?.fingerprint === this.source?.fingerprint
    )
  }

  async #fetch(index: number): Promise<FileBlock> {
    assert(index >= 0 && index < this.blockCount, `block ${index} of ${this.blockCount}`)
    const from = index - (index % BLOCKS_PER_CALL)
    const { blocks, workers } = await this.#fs.blocks({ fileId: this.#fileId, from, limit: BLOCKS_PER_CALL })
    this.#workers.learn(workers)
    for (const [i, { locations }] of blocks.entries())
      this.#blocks[from + i] ??= this.#make(from + i, locations)
    const block = this.#blocks[index] ?? this.#make(index, [])
    this.#blocks[index] = block
    return block
  }

  #make(index: number, locations: Locations): FileBlock {
    return {
      id: blockIdOf(this.#fileId, index),
      index,
      offset: index * this.#blockSizeBytes,
      length: blockLength(this.#length, this.#blockSizeBytes, index),
      locations,
      local: undefined,
      resident: undefined,
      residentTally: undefined,
      localTried: false,
      throughBytes: 0,
    }
  }
}
