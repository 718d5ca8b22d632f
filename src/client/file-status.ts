/** Metadata of a path as a view over the listing entry's bytes: a field is decoded when it is asked for. */
import {
  AlluxioError,
  accessAclOf,
  aclEntries,
  baseName,
  defaultAclOf,
  type Entry,
  type FileId,
  FLAG_ACL,
  FLAG_CACHEABLE,
  FLAG_COMPLETED,
  FLAG_MOUNT_POINT,
  FLAG_PINNED,
  FLAG_STALE,
  joinPath,
  type PersistenceState,
  type RecordView,
  readEntries,
  type TtlAction,
} from '../core/index.ts'
import type { FileStatus } from './types.ts'

export class EntryStatus implements FileStatus {
  readonly path: string
  readonly #entry: Entry
  readonly #record: RecordView
  readonly #stale: boolean

  /** @param stale the last sync of what it was listed in failed */
  constructor(path: string, entry: Entry, stale = false) {
    this.path = path
    this.#entry = entry
    this.#record = entry.record
    this.#stale = stale
  }

  get name(): string {
    return baseName(this.path)
  }
  get fileId(): FileId {
    return this.#record.id
  }
  get folder(): boolean {
    return this.#record.directory
  }
  get length(): number {
    return this.#record.length
  }
  get blockSizeBytes(): number {
    return this.#record.blockSizeBytes
  }
  get completed(): boolean {
    return this.#flag(FLAG_COMPLETED)
  }
  get pinned(): boolean {
    return this.#flag(FLAG_PINNED)
  }
  get cacheable(): boolean {
    return this.#flag(FLAG_CACHEABLE)
  }
  get mountPoint(): boolean {
    return this.#flag(FLAG_MOUNT_POINT)
  }
  get stale(): boolean {
    return this.#stale || this.#flag(FLAG_STALE)
  }
  get persisted(): boolean {
    return this.#record.persistence === 'PERSISTED'
  }
  get persistenceState(): PersistenceState {
    return this.#record.persistence
  }
  get creationTimeMs(): number {
    return this.#record.createdMs
  }
  get lastModificationTimeMs(): number {
    return this.#record.modifiedMs
  }
  get lastAccessTimeMs(): number {
    return this.#record.accessedMs
  }
  get ttl(): number {
    return this.#record.ttlMs
  }
  get ttlAction(): TtlAction {
    return this.#record.ttlAction
  }
  get owner(): string {
    return this.#record.owner
  }
  get group(): string {
    return this.#record.group
  }
  get mode(): number {
    return this.#record.mode
  }
  get mountId(): number {
    return this.#record.mountId
  }
  get replicationMin(): number {
    return this.#record.replicationMin
  }
  get replicationMax(): number {
    return this.#record.replicationMax
  }
  get mediumTypes(): readonly string[] {
    return this.#record.tail.media ?? []
  }
  get ufsFingerprint(): string {
    return this.#record.tail.fp ?? ''
  }
  get xattr(): Readonly<Record<string, Uint8Array>> {
    return this.#record.tail.xattr ?? {}
  }
  get acl(): readonly string[] {
    return aclEntries(accessAclOf(this.#record))
  }
  get defaultAcl(): readonly string[] {
    const list = defaultAclOf(this.#record)
    return list === undefined ? [] : aclEntries(list, 'default:')
  }
  get extendedAcl(): boolean {
    return this.#flag(FLAG_ACL)
  }
  get cachedBytes(): number {
    return this.#entry.cachedBytes
  }
  get inMemoryBytes(): number {
    return this.#entry.inMemoryBytes
  }
  get inAlluxioPercentage(): number {
    return percentage(this.#entry.cachedBytes, this.length)
  }
  get inMemoryPercentage(): number {
    return percentage(this.#entry.inMemoryBytes, this.length)
  }

  toJSON(): Record<string, unknown> {
    const plain: Record<string, unknown> = {}
    for (const field of FIELDS) plain[field] = this[field]
    return plain
  }

  #flag(flag: number): boolean {
    return (this.#record.flags & flag) !== 0
  }
}

const FIELDS = [
  'fileId',
  'name',
  'path',
  'folder',
  'length',
  'blockSizeBytes',
  'completed',
  'pinned',
  'cacheable',
  'mountPoint',
  'persisted',
  'persistenceState',
  'stale',
  'creationTimeMs',
  'lastModificationTimeMs',
  'lastAccessTimeMs',
  'ttl',
  'ttlAction',
  'owner',
  'group',
  'mode',
  'mountId',
  'replicationMin',
  'replicationMax',
  'mediumTypes',
  'ufsFingerprint',
  'acl',
  'defaultAcl',
  'xattr',
  'cachedBytes',
  'inMemoryBytes',
  'inAlluxioPercentage',
  'inMemoryPercentage',
] as const satisfies readonly (keyof FileStatus)[]

/** Whole percent, rounded down, so that 100 means all of it. */
function percentage(part: number, whole: number): number {
  return whole === 0 ? 100 : Math.min(100, Math.floor((part * 100) / whole))
}

/** The status in a reply that carries one entry. @throws DATA_LOSS when the reply carries none */
export function statusOfEntry(path: string, bytes: Uint8Array): EntryStatus {
  const [entry] = readEntries(asBuffer(bytes))
  if (entry === undefined) throw new AlluxioError('DATA_LOSS', `the master's reply on ${path} has no entry`)
  return new EntryStatus(path, entry)
}

/** The statuses of a listing page of `directory`; a page of a file has that file alone, under its own path. */
export function statusesOfPage(directory: string, page: Uint8Array, stale = false): EntryStatus[] {
  return readEntries(asBuffer(page)).map(
    (entry) => new EntryStatus(entry.name === '' ? directory : joinPath(directory, entry.name), entry, stale),
  )
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
