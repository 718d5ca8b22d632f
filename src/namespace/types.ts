/** The words of the namespace's interface: what callers hand in and what they get back. */
import type {
  AclChange,
  FileId,
  FileRecord,
  MountId,
  PersistenceState,
  RecordView,
  TtlAction,
} from '../core/index.ts'
import type { Intent, IntentId } from './intents.ts'

/** A result that may depend on a batch that is not yet durable: then it is a promise that waits for it. */
export type Settled<T> = T | Promise<T>

/** Who asks. The same object may be handed in again and again; nothing of it is kept. */
export interface Caller {
  readonly user: string
  readonly groups: readonly string[]
}

export interface Mount {
  readonly mountId: MountId
  /** Canonical path of the mount point. */
  readonly path: string
  readonly uri: string
  readonly readOnly: boolean
  readonly shared: boolean
  /** Store options; secrets are references, never values. */
  readonly options: Readonly<Record<string, string>>
  /** Maintenance mode of its store; absent: readWrite. */
  readonly mode?: 'readOnly' | 'noAccess'
}

/** What daemons may ask of an under-store. */
export type UfsMode = 'readWrite' | 'readOnly' | 'noAccess'

/** Where a namespace path lies in an under-store. */
export interface Resolution {
  readonly mount: Mount
  /** Path below the mount's root, without leading slash; '' for the mount point itself. */
  readonly path: string
}

/** A file or directory as it was when it was asked for. */
export interface Inode {
  readonly path: string
  readonly name: string
  readonly parentId: FileId
  readonly record: RecordView
}

export interface Page {
  /** Entries as core/file-record's `writeEntry` lays them out. May be shared between callers: never written. */
  readonly page: Buffer
  /** Name of the last entry if more follow. */
  readonly cursor?: string
}

export interface Summary {
  /** Of the whole subtree; a directory does not count itself. */
  readonly files: number
  readonly directories: number
  readonly bytes: number
  readonly cachedBytes: number
  readonly inMemoryBytes: number
}

interface Command {
  /** 16 bytes that name the command; a repeat returns the first outcome. */
  readonly commandId?: Uint8Array
  /** The intent that this change carries out: it is taken away in the same batch. */
  readonly settles?: IntentId
}

export interface CreateRequest extends Command {
  readonly path: string
  readonly blockSizeBytes: number
  /** Make missing parents. */
  readonly recursive: boolean
  /** Replace a complete file of the same name. */
  readonly overwrite: boolean
  /** Taken as it is; absent: 0666 without the umask. */
  readonly mode?: number
  /** Milliseconds from creation; -1 none. */
  readonly ttlMs?: number
  readonly ttlAction?: TtlAction
  readonly writeType: string
  readonly replicationMin?: number
  readonly replicationMax?: number
  /** The file is empty and complete at once. */
  readonly complete?: boolean
  /** With `complete`: queue its persist (ASYNC_THROUGH). */
  readonly persistAsync?: boolean
  /** With `complete`: version of the empty object that is already in the under-store. */
  readonly fingerprint?: string
}

export interface CreateOutcome {
  readonly inode: Inode
  /** Encoded listing entry. */
  readonly entry: Buffer
  /** The file that was overwritten. Its blocks are dropped by the block map. */
  readonly replaced?: Inode
  /** The overwritten file's object is still in the under-store: the intent to drop it, which came with this change. */
  readonly drop?: Intent
}

export interface CompleteRequest extends Command {
  /** Used for messages; the file is found by its id, so a rename in between does no harm. */
  readonly path: string
  readonly fileId: FileId
  readonly length: number
  /** Version that a through write left in the under-store: the file is then PERSISTED. */
  readonly fingerprint?: string
  readonly persistAsync: boolean
  /** Of a file that was written aside. */
  readonly publish?: Publication
}

/** Where a file that was written aside comes to be, in the step that completes it. A file that is there is replaced. */
export interface Publication {
  readonly path: string
  /** What has to be there: the id of a file, or 0 for nothing. Absent: nothing or any file. */
  readonly expects?: number
  readonly mode?: number
  readonly ttlMs?: number
  readonly ttlAction?: TtlAction
  readonly xattr?: Readonly<Record<string, Uint8Array>>
  /** Owner, group, mode, lists, attributes, pin and time to live are those of the file that is replaced, which its writer may write. */
  readonly keeps?: boolean
  /** The file that was there when this one was begun: what has been changed of it since passes on, if it is there still. */
  readonly follows?: ReplacedFile
}

export interface ReplacedFile {
  readonly fileId: number
  readonly mode: number
  readonly owner: string
  readonly group: string
  readonly accessedMs: number
}

export interface MkdirRequest extends Command {
  readonly path: string
  readonly recursive: boolean
  readonly allowExists: boolean
  readonly mode?: number
  readonly ttlMs?: number
  readonly ttlAction?: TtlAction
  /** Of the directory, in the same step, also of one that is there already. */
  readonly xattr?: Readonly<Record<string, Uint8Array>>
  /** The directory is in the under-store already (a through write). @default false */
  readonly persisted?: boolean
}

export interface RenameRequest extends Command {
  readonly src: string
  readonly dst: string
  /** What is there is replaced in the same step: a file by a file, an empty directory by a directory. */
  readonly overwrite?: boolean
  /** The under-store has moved it already, and the directory that it lies in now is there too. @default false */
  readonly persisted?: boolean
}

export interface DeleteRequest extends Command {
  readonly path: string
  readonly recursive: boolean
  /** What has to be there. */
  readonly expects?: DeleteExpectation
}

export interface DeleteExpectation {
  readonly fileId?: number
  /** Version of its object in the under-store. */
  readonly fingerprint?: string
  /** An extended attribute that it must not have. */
  readonly lacks?: string
}

export interface DeleteOutcome {
  /** What was deleted; undefined for a repeated command, whose first run deleted it. */
  readonly inode: Inode | undefined
  /** Files and directories that went, with the path itself. */
  readonly files: number
  readonly directories: number
}

export interface AttributeRequest extends Command {
  readonly path: string
  readonly recursive: boolean
  readonly mode?: number
  readonly owner?: string
  readonly group?: string
  readonly pinned?: boolean
  readonly media?: readonly string[]
  /** -1 removes it. */
  readonly ttlMs?: number
  readonly ttlAction?: TtlAction
  readonly replicationMin?: number
  readonly replicationMax?: number
  readonly modifiedMs?: number
  readonly accessedMs?: number
  /** null removes an attribute. */
  readonly xattr?: Readonly<Record<string, Uint8Array | null>>
  readonly acl?: AclChange
}

export interface MountRequest extends Command {
  readonly path: string
  readonly uri: string
  readonly readOnly: boolean
  readonly shared: boolean
  readonly options: Readonly<Record<string, string>>
}

/** A child as the under-store lists it. */
export interface LoadedEntry {
  readonly name: string
  readonly directory: boolean
  readonly length: number
  /** 0 when the store does not know. */
  readonly modifiedMs: number
  readonly fingerprint: string
  readonly owner?: string
  readonly group?: string
  readonly mode?: number
}

export interface LoadRequest {
  /** Directory whose children were listed. */
  readonly path: string
  readonly entries: readonly LoadedEntry[]
  /** Block size of new files, bytes. */
  readonly blockSizeBytes: number
  /**
   * What the entries cover: `all` children of the directory, or `some` of them. With `all`, persisted children that are not
   * among them have vanished, are removed, and the directory is marked CHILDREN_LOADED.
   * For a listing that comes in pages see `Namespace.loadEnd`.
   */
  readonly coverage: 'all' | 'some'
  /** When the listing began, ms: children changed after it are left alone. */
  readonly listedMs: number
  /** Children of which more is known than the entries say: they do not vanish. */
  readonly leave?: readonly string[]
}

export interface LoadOutcome {
  readonly added: number
  readonly updated: number
  readonly removed: number
  /** Files whose source changed or vanished: their cached blocks were dropped by the block map. */
  readonly changedFiles: readonly FileId[]
}

/** A file that waits for its asynchronous persist. */
export interface PersistTask {
  readonly fileId: FileId
  readonly path: string
  readonly record: RecordView
}

export interface Expired {
  readonly inode: Inode
  readonly action: TtlAction
}

export interface Pin {
  readonly fileId: FileId
  /** Tier aliases that the pin asks for; empty: any. */
  readonly media: readonly string[]
}

export type { FileRecord, PersistenceState }
