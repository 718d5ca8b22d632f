/**
 * The metadata of one file or directory as bytes: what the metastore holds, what the wire carries, what a client reads
 * lazily. A fixed little-endian header is followed by owner, group and a MessagePack tail of what is rare, so a listing
 * is copied from the store to the client without being decoded (docs/decisions/0001).
 *
 * | offset | type | field |
 * | --- | --- | --- |
 * | 0 | u8 | layout version (1) |
 * | 1 | u8 | kind: 0 file, 1 directory |
 * | 2 | u16 | flags |
 * | 4 | u16 | mode |
 * | 6 | u8 | persistence state |
 * | 7 | u8 | TTL action |
 * | 8 | f64 | file id |
 * | 16 | f64 | length, bytes |
 * | 24 | f64 | last modification, ms |
 * | 32 | f64 | creation, ms |
 * | 40 | f64 | last access, ms |
 * | 48 | f64 | TTL, ms from creation; -1 none |
 * | 56 | u32 | block size, bytes |
 * | 60 | u32 | mount id |
 * | 64 | i16 | least replicas |
 * | 66 | i16 | most replicas; -1 any number |
 * | 68 | u16 | owner length, bytes |
 * | 70 | u16 | group length, bytes |
 * | 72 | u32 | tail length, bytes |
 * | 76 | u32 | when the under-store was last asked, seconds since the epoch |
 * | 80 | … | owner, group (UTF-8), tail (MessagePack map) |
 */
import { Packr } from 'msgpackr'
import { AlluxioError } from './errors.ts'
import type { FileId, MountId } from './ids.ts'

export const RECORD_HEADER_BYTES = 80
const VERSION = 1

export const PERSISTENCE_STATES = ['NOT_PERSISTED', 'TO_BE_PERSISTED', 'PERSISTED', 'LOST'] as const
export type PersistenceState = (typeof PERSISTENCE_STATES)[number]
export const TTL_ACTIONS = ['DELETE', 'FREE', 'DELETE_ALLUXIO'] as const
export type TtlAction = (typeof TTL_ACTIONS)[number]

export const FLAG_COMPLETED = 1
export const FLAG_PINNED = 2
/** The directory's children in the under-store are all known. */
export const FLAG_CHILDREN_LOADED = 4
export const FLAG_MOUNT_POINT = 8
export const FLAG_CACHEABLE = 16
/** The last sync with the under-store failed; what is shown may be old. */
export const FLAG_STALE = 32
/** The tail has an access list: the mode's group bits are its mask. */
export const FLAG_ACL = 64
/** The tail has a list that new children get. */
export const FLAG_DEFAULT_ACL = 128

/** What of an access list the mode does not say; bits as in a mode. See acl.ts. */
export interface TailAcl {
  /** Owning group. */
  readonly g: number
  /** Named users, named groups. */
  readonly u?: Readonly<Record<string, number>>
  readonly n?: Readonly<Record<string, number>>
  /** Of a default list: owner, other, mask. */
  readonly o?: number
  readonly t?: number
  readonly m?: number
}

/** What few inodes have. Unknown keys are kept. */
export interface RecordTail {
  /** Fingerprint of the under-store object (etag, or length and mtime). */
  readonly fp?: string
  /** Media that a pin asks for. */
  readonly media?: readonly string[]
  readonly xattr?: Readonly<Record<string, Uint8Array>>
  /** Write type that a file still being written was created with. */
  readonly wt?: string
  readonly acl?: TailAcl
  readonly dacl?: TailAcl
  readonly [key: string]: unknown
}

export interface FileRecord {
  readonly directory: boolean
  readonly flags: number
  readonly mode: number
  readonly persistence: PersistenceState
  readonly ttlAction: TtlAction
  readonly id: FileId
  readonly length: number
  readonly modifiedMs: number
  readonly createdMs: number
  readonly accessedMs: number
  readonly ttlMs: number
  readonly blockSizeBytes: number
  readonly mountId: MountId
  readonly replicationMin: number
  readonly replicationMax: number
  readonly owner: string
  readonly group: string
  readonly syncedSeconds: number
  readonly tail: RecordTail
}

const packr = new Packr({ useRecords: false, mapsAsObjects: true })
const EMPTY_TAIL: RecordTail = Object.freeze({})

export function encodeRecord(record: FileRecord): Buffer {
  const tail = isEmpty(record.tail) ? undefined : packr.pack(record.tail)
  const ownerBytes = Buffer.byteLength(record.owner)
  const groupBytes = Buffer.byteLength(record.group)
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES + ownerBytes + groupBytes + (tail?.length ?? 0))
  bytes[0] = VERSION
  bytes[1] = record.directory ? 1 : 0
  bytes.writeUInt16LE(record.flags, 2)
  bytes.writeUInt16LE(record.mode, 4)
  bytes[6] = PERSISTENCE_STATES.indexOf(record.persistence)
  bytes[7] = TTL_ACTIONS.indexOf(record.ttlAction)
  bytes.writeDoubleLE(record.id, 8)
  bytes.writeDoubleLE(record.length, 16)
  bytes.writeDoubleLE(record.modifiedMs, 24)
  bytes.writeDoubleLE(record.createdMs, 32)
  bytes.writeDoubleLE(record.accessedMs, 40)
  bytes.writeDoubleLE(record.ttlMs, 48)
  bytes.writeUInt32LE(record.blockSizeBytes, 56)
  bytes.writeUInt32LE(record.mountId, 60)
  bytes.writeInt16LE(record.replicationMin, 64)
  bytes.writeInt16LE(record.replicationMax, 66)
  bytes.writeUInt16LE(ownerBytes, 68)
  bytes.writeUInt16LE(groupBytes, 70)
  bytes.writeUInt32LE(tail?.length ?? 0, 72)
  bytes.writeUInt32LE(record.syncedSeconds, 76)
  bytes.write(record.owner, RECORD_HEADER_BYTES)
  bytes.write(record.group, RECORD_HEADER_BYTES + ownerBytes)
  tail?.copy(bytes, RECORD_HEADER_BYTES + ownerBytes + groupBytes)
  return bytes
}

function isEmpty(tail: RecordTail): boolean {
  for (const _ in tail) return false
  return true
}

/** Reads a record's fields from its bytes when they are asked for; nothing is decoded up front. */
export class RecordView implements FileRecord {
  readonly bytes: Buffer
  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
  get directory(): boolean {
    return this.bytes[1] === 1
  }
  get flags(): number {
    return this.bytes.readUInt16LE(2)
  }
  get mode(): number {
    return this.bytes.readUInt16LE(4)
  }
  get persistence(): PersistenceState {
    return PERSISTENCE_STATES[this.bytes[6]!]!
  }
  get ttlAction(): TtlAction {
    return TTL_ACTIONS[this.bytes[7]!]!
  }
  get id(): FileId {
    return this.bytes.readDoubleLE(8) as FileId
  }
  get length(): number {
    return this.bytes.readDoubleLE(16)
  }
  get modifiedMs(): number {
    return this.bytes.readDoubleLE(24)
  }
  get createdMs(): number {
    return this.bytes.readDoubleLE(32)
  }
  get accessedMs(): number {
    return this.bytes.readDoubleLE(40)
  }
  get ttlMs(): number {
    return this.bytes.readDoubleLE(48)
  }
  get blockSizeBytes(): number {
    return this.bytes.readUInt32LE(56)
  }
  get mountId(): MountId {
    return this.bytes.readUInt32LE(60) as MountId
  }
  get replicationMin(): number {
    return this.bytes.readInt16LE(64)
  }
  get replicationMax(): number {
    return this.bytes.readInt16LE(66)
  }
  get syncedSeconds(): number {
    return this.bytes.readUInt32LE(76)
  }
  get owner(): string {
    return this.bytes.toString('utf8', RECORD_HEADER_BYTES, this.#groupStart)
  }
  get group(): string {
    return this.bytes.toString('utf8', this.#groupStart, this.#tailStart)
  }
  get tail(): RecordTail {
    const length = this.bytes.readUInt32LE(72)
    if (length === 0) return EMPTY_TAIL
    return packr.unpack(this.bytes.subarray(this.#tailStart, this.#tailStart + length)) as RecordTail
  }
  get #groupStart(): number {
    return RECORD_HEADER_BYTES + this.bytes.readUInt16LE(68)
  }
  get #tailStart(): number {
    return this.#groupStart + this.bytes.readUInt16LE(70)
  }
}

/** @throws DATA_LOSS if the bytes are no record of a known layout. */
export function viewRecord(bytes: Buffer): RecordView {
  if (bytes.length < RECORD_HEADER_BYTES || bytes[0] !== VERSION) {
    throw new AlluxioError(
      'DATA_LOSS',
      `not a file record: ${bytes.length} bytes, layout version ${bytes[0]}`,
    )
  }
  return new RecordView(bytes)
}

/** A plain copy with some fields replaced, ready to be encoded. */
export function withFields(record: FileRecord, changes: Partial<FileRecord>): FileRecord {
  return {
    directory: record.directory,
    flags: record.flags,
    mode: record.mode,
    persistence: record.persistence,
    ttlAction: record.ttlAction,
    id: record.id,
    length: record.length,
    modifiedMs: record.modifiedMs,
    createdMs: record.createdMs,
    accessedMs: record.accessedMs,
    ttlMs: record.ttlMs,
    blockSizeBytes: record.blockSizeBytes,
    mountId: record.mountId,
    replicationMin: record.replicationMin,
    replicationMax: record.replicationMax,
    owner: record.owner,
    group: record.group,
    syncedSeconds: record.syncedSeconds,
    tail: record.tail,
    ...changes,
  }
}

/**
 * An entry of a page, as the wire carries it: `[u16 name length][u32 record length][f64 bytes cached][f64 bytes cached in
 * the top tier][name][record]`, little-endian, one after another.
 */
export const ENTRY_HEADER_BYTES = 22

export function entryBytes(nameBytes: number, recordBytes: number): number {
  return ENTRY_HEADER_BYTES + nameBytes + recordBytes
}

/** Writes one entry at `offset` and returns the offset behind it. `name` is UTF-8 bytes. */
export function writeEntry(
  page: Buffer,
  offset: number,
  name: Uint8Array,
  record: Uint8Array,
  cached: number,
  inMemory: number,
): number {
  writeEntryHeader(page, offset, name.length, record.length, cached, inMemory)
  page.set(name, offset + ENTRY_HEADER_BYTES)
  page.set(record, offset + ENTRY_HEADER_BYTES + name.length)
  return offset + ENTRY_HEADER_BYTES + name.length + record.length
}

/** The fixed part of an entry, for callers that copy name and record behind it themselves. */
export function writeEntryHeader(
  page: Buffer,
  offset: number,
  nameBytes: number,
  recordBytes: number,
  cached: number,
  inMemory: number,
): void {
  page.writeUInt16LE(nameBytes, offset)
  page.writeUInt32LE(recordBytes, offset + 2)
  page.writeDoubleLE(cached, offset + 6)
  page.writeDoubleLE(inMemory, offset + 14)
}

export interface Entry {
  readonly name: string
  readonly record: RecordView
  readonly cachedBytes: number
  readonly inMemoryBytes: number
}

/** Entries of a page, in order. @throws DATA_LOSS if the page is cut short. */
export function readEntries(page: Buffer): Entry[] {
  const entries: Entry[] = []
  let offset = 0
  while (offset < page.length) {
    const nameLength = page.readUInt16LE(offset)
    const recordLength = page.readUInt32LE(offset + 2)
    const nameStart = offset + ENTRY_HEADER_BYTES
    const end = nameStart + nameLength + recordLength
    if (end > page.length) throw new AlluxioError('DATA_LOSS', 'a listing page is cut short')
    entries.push({
      name: page.toString('utf8', nameStart, nameStart + nameLength),
      record: viewRecord(page.subarray(nameStart + nameLength, end)),
      cachedBytes: page.readDoubleLE(offset + 6),
      inMemoryBytes: page.readDoubleLE(offset + 14),
    })
    offset = end
  }
  return entries
}
