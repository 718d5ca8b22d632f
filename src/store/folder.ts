/**
 * One folder of a tier: its quota, what is used and reserved of it, and the names of its files.
 *
 *     b<block id>_<length>.arrow        a sealed block
 *     b<block id>_<length>.sole.arrow   the same, and no other copy of it is known
 *     b<block id>_<length>.part, .side  a partial block
 *     tmp_<block id>_<number>           being written; removed by recovery
 *     quarantine/                       blocks whose bytes were bad
 *
 * Id and length stand in the name so that recovery needs one listing and opens nothing.
 */

import type { BlockDisk, PartialPaths } from '../arrow/index.ts'
import { type BlockId, blockFileName, type Runtime } from '../core/index.ts'
import type { FolderState } from './types.ts'

export interface FolderOptions {
  readonly tier: number
  readonly index: number
  readonly path: string
  readonly quotaBytes: number
  readonly medium: string
}

export type FileKind = 'sealed' | 'sole' | 'part' | 'side' | 'temporary'

export interface ParsedName {
  readonly kind: FileKind
  readonly id: BlockId
  readonly length: number
}

const NAME = /^b(\d{1,16})_(\d{1,10})\.(arrow|sole\.arrow|part|side)$/
const KINDS: Readonly<Record<string, FileKind>> = {
  arrow: 'sealed',
  'sole.arrow': 'sole',
  part: 'part',
  side: 'side',
}
/** How long an answer of the file system about free space is believed. */
const SPACE_AGE_MS = 200
/** A folder that was full although its quota was not is tried again after this. */
const FULL_MS = 10_000
const ALLOCATION_UNIT = 4096

/** What a file of `bytes` takes on the disk. */
export function allocated(bytes: number): number {
  return Math.ceil(bytes / ALLOCATION_UNIT) * ALLOCATION_UNIT
}

export class Folder implements FolderState {
  readonly tier: number
  readonly index: number
  readonly path: string
  readonly medium: string
  readonly capacityBytes: number
  /** Bytes of blocks and of reservations. */
  usedBytes = 0
  blocks = 0
  /** Why the folder is out of use. */
  failure: string | undefined
  readonly #disk: BlockDisk
  readonly #runtime: Runtime
  #reservedBytes = 0
  #temporaries = 0
  #fullUntil = Number.NEGATIVE_INFINITY
  #diskFree = Number.POSITIVE_INFINITY
  #diskFreeAt = Number.NEGATIVE_INFINITY

  constructor(options: FolderOptions, modules: { readonly disk: BlockDisk; readonly runtime: Runtime }) {
    this.tier = options.tier
    this.index = options.index
    this.path = options.path
    this.medium = options.medium
    this.capacityBytes = options.quotaBytes
    this.#disk = modules.disk
    this.#runtime = modules.runtime
  }

  /** Bytes that may still be reserved: by the quota, and by what the file system really has. */
  get freeBytes(): number {
    if (this.failure !== undefined) return 0
    const now = this.#runtime.monotonic()
    if (now < this.#fullUntil) return 0
    if (now - this.#diskFreeAt > SPACE_AGE_MS) {
      this.#diskFreeAt = now
      try {
        // What is reserved may not be written yet.
        this.#diskFree = this.#disk.space(this.path).freeBytes - this.#reservedBytes
      } catch {
        this.#diskFree = 0
      }
    }
    return Math.max(0, Math.min(this.capacityBytes - this.usedBytes, this.#diskFree))
  }

  /** Space is taken before a byte is written. @returns whether there was enough */
  reserve(bytes: number): boolean {
    if (this.freeBytes < bytes) return false
    this.#reservedBytes += bytes
    this.take(bytes)
    return true
  }

  /** The bytes of a reservation were written as a block, or never. */
  unreserve(bytes: number): void {
    this.#reservedBytes -= bytes
    this.give(bytes)
  }

  /** A block of so many bytes is here. */
  take(bytes: number): void {
    this.usedBytes += bytes
    this.#diskFree -= bytes
  }

  give(bytes: number): void {
    this.usedBytes -= bytes
    this.#diskFree += bytes
  }

  /** The disk said ENOSPC: nothing goes here for a while. */
  markFull(): void {
    this.#fullUntil = this.#runtime.monotonic() + FULL_MS
  }

  /** Blocks were deleted: worth another try. */
  markSpace(): void {
    this.#fullUntil = Number.NEGATIVE_INFINITY
    this.#diskFreeAt = Number.NEGATIVE_INFINITY
  }

  sealedPath(id: BlockId, length: number, soleCopy: boolean): string {
    return `${this.path}/${blockFileName(id, length, soleCopy)}`
  }

  partialPaths(id: BlockId, length: number): PartialPaths {
    const stem = `${this.path}/b${id}_${length}`
    return { data: `${stem}.part`, side: `${stem}.side` }
  }

  temporaryPath(id: number): string {
    return `${this.path}/tmp_${id}_${++this.#temporaries}`
  }

  get quarantinePath(): string {
    return `${this.path}/quarantine`
  }
}

/** What a name in a tier folder means; undefined for what is not ours. */
export function parseName(name: string): ParsedName | undefined {
  if (name.startsWith('tmp_')) return { kind: 'temporary', id: 0 as BlockId, length: 0 }
  const match = NAME.exec(name)
  if (match === null) return undefined
  const id = Number(match[1])
  const length = Number(match[2])
  if (!Number.isSafeInteger(id) || length === 0 || length > 2 ** 32) return undefined
  return { kind: KINDS[match[3]!]!, id: id as BlockId, length }
}
