/**
 * The under-store interface. A store is about ten methods over paths below its mount root; retry, timeout, limits,
 * metrics and faults are layers round it (`layers/`), never a base class. Every store passes `contract-suite/`.
 *
 * Paths have no leading slash; the root is ''. Names are any UTF-8 without NUL and slash.
 * Errors are AlluxioErrors: NOT_FOUND, ALREADY_EXISTS, CONFLICT (a precondition failed), PERMISSION_DENIED,
 * UNAUTHENTICATED, RESOURCE_EXHAUSTED (full, throttled), UNAVAILABLE, TIMEOUT, UNSUPPORTED.
 */
export interface UfsCapabilities {
  /** `rename` of a file is one atomic step. */
  readonly atomicRename: boolean
  /** Whole directories rename in one atomic step. */
  readonly directoryRename: boolean
  /** Directories exist by themselves (else they are key prefixes or marker objects). */
  readonly directories: boolean
  /** Fingerprints are etags or versions (else length and modification time). */
  readonly etag: boolean
  /** `create` honours `ifAbsent` atomically. */
  readonly conditionalCreate: boolean
  /** Objects keep `metadata` given at create. */
  readonly objectMetadata: boolean
  /** Mode, owner and group can be set and read. */
  readonly posix: boolean
  /** `space` knows real figures. */
  readonly space: boolean
  /**
   * Listings are in UTF-8 byte order of the names. An object store lists in the order of its keys, where a directory
   * counts with its slash (`a-b` before `a/`), and says false.
   */
  readonly orderedList: boolean
  /** Nothing can be written: mounts of it have to be read-only. @default false */
  readonly readOnly?: boolean
  /** Names that the store cannot hold; creating one is INVALID_ARGUMENT. @default none */
  readonly refusedNames?: RegExp
  /** Range size in bytes and number of ranges at once that read one large file fastest. */
  readonly bestRangeBytes: number
  readonly bestRangeParallelism: number
}

export interface UfsStatus {
  /** Path below the mount root. */
  readonly path: string
  readonly directory: boolean
  readonly length: number
  /** Milliseconds since the epoch; 0 when the store does not know (prefixes). */
  readonly modifiedMs: number
  /** Version of the content: etag, or `length:mtime`. '' for directories. */
  readonly fingerprint: string
  readonly mode?: number
  readonly owner?: string
  readonly group?: string
  readonly metadata?: Readonly<Record<string, string>>
}

export interface UfsReadOptions {
  readonly offset: number
  /** Bytes; reading beyond the end yields fewer. */
  readonly length: number
  /** Fails with CONFLICT, reason SOURCE_CHANGED, when the object has another fingerprint. */
  readonly fingerprint?: string
  /** Told once, before the first chunk, which version is being read, so that a broken read resumes in the same one. */
  readonly onFingerprint?: (fingerprint: string) => void
  readonly signal?: AbortSignal
}

export interface UfsCreateOptions {
  /** Fails with ALREADY_EXISTS when the path exists (atomically where `conditionalCreate`). @default false: replaces */
  readonly ifAbsent?: boolean
  /** Makes missing parents where `directories`; false: NOT_FOUND there. @default true */
  readonly createParents?: boolean
  /** Expected length in bytes, if known: picks part sizes. */
  readonly sizeHint?: number
  readonly mode?: number
  readonly owner?: string
  readonly group?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A file being written; nothing of it is visible before `close`, and nothing stays after `abort`. */
export interface UfsWriter {
  /** Resolves when more may be written. `chunk` must not change until `close` resolves. */
  write(chunk: Uint8Array): Promise<void>
  close(): Promise<UfsStatus>
  abort(): Promise<void>
}

export interface UfsPage {
  readonly entries: readonly UfsStatus[]
  /** Where the next page begins; absent on the last one. */
  readonly cursor?: string
}

export interface UfsListOptions {
  /** @default 1000 */
  readonly limit?: number
  readonly cursor?: string
  /** All descendants instead of the direct children. @default false */
  readonly recursive?: boolean
  /** What killed writers left in the directories that are listed may go, if it is old enough. @default false */
  readonly sweep?: boolean
  readonly signal?: AbortSignal
}

export interface UfsChangesOptions {
  /** Where the answer before ended; absent: only the cursor of now is wanted. */
  readonly cursor?: string
  readonly signal?: AbortSignal
}

export interface UfsChanges {
  /** Paths below the mount root that came, changed or went; any order, repeats allowed. */
  readonly paths: readonly string[]
  readonly cursor: string
  /** Some are missing, since the cursor is too old or they were too many: everything has to be compared. */
  readonly incomplete?: boolean
}

export interface UfsMoveOptions {
  /** Where the call before ended. */
  readonly cursor?: string
  /** Objects that stay where they are, by their path below the mount root. */
  readonly stays?: (path: string) => boolean
  readonly signal?: AbortSignal
}

export interface UfsMoved {
  /** Objects that this call has moved. */
  readonly objects: number
  /** Where the next call goes on; absent at the end of the listing. */
  readonly cursor?: string
}

/** What was deleted. */
export interface UfsCleaned {
  readonly objects: number
  readonly bytes: number
}

export interface UfsSpace {
  readonly totalBytes: number
  readonly usedBytes: number
}

/** A part of a file and the hosts that hold it. */
export interface UfsBlockLocation {
  readonly offset: number
  readonly length: number
  readonly hosts: readonly string[]
}

/** What the store itself computes of a file's content; two are comparable if their algorithms are the same. */
export interface UfsChecksum {
  readonly algorithm: string
  readonly hex: string
}

export interface UnderStore {
  /** Scheme of its URIs, such as `s3`. */
  readonly scheme: string
  readonly capabilities: UfsCapabilities
  /** A range as chunks in order. Each is the reader's: its memory, as far as it was handed out, never changes again. */
  open(path: string, options: UfsReadOptions): AsyncIterable<Uint8Array>
  create(path: string, options?: UfsCreateOptions): Promise<UfsWriter>
  status(path: string, signal?: AbortSignal): Promise<UfsStatus>
  /** Children of a directory; an object store answers an empty page for a prefix that nothing has. @throws NOT_FOUND */
  list(path: string, options?: UfsListOptions): Promise<UfsPage>
  /** Makes a directory and its parents; one that exists is no error. */
  mkdir(
    path: string,
    options?: {
      readonly mode?: number
      readonly owner?: string
      readonly group?: string
      readonly signal?: AbortSignal
    },
  ): Promise<void>
  /** Deletes a file, or a directory (with `recursive` all below). What does not exist is NOT_FOUND. */
  delete(
    path: string,
    options?: { readonly recursive?: boolean; readonly signal?: AbortSignal },
  ): Promise<void>
  /** Moves a file or directory; the target must not exist. */
  rename(src: string, dst: string, signal?: AbortSignal): Promise<void>
  /**
   * Optional, for stores that keep a log of changes: what changed below a path since a cursor. Once that is compared, the
   * namespace shows all that the store had when the cursor was given.
   */
  changes?(path: string, options?: UfsChangesOptions): Promise<UfsChanges>
  /**
   * Optional, for stores whose `rename` of a directory is a copy and a delete of each object: moves one page of what is below
   * `src`, replacing what stands at its place below `dst`. It may be called again from the start at any time: what was moved
   * is not seen again. One that fails leaves each object whole at one of its places, or both.
   */
  moveObjects?(src: string, dst: string, options?: UfsMoveOptions): Promise<UfsMoved>
  /**
   * Optional, for stores whose killed writers leave what no listing shows: deletes it when it is older than
   * `alluxio.underfs.temporary.max.age`. Nobody may write, move or delete there meanwhile, in the whole account.
   * @throws CONFLICT when somebody did so, before anything is deleted
   */
  clean?(signal?: AbortSignal): Promise<UfsCleaned>
  space(signal?: AbortSignal): Promise<UfsSpace>
  /** Changes mode, owner, group or times where `posix`; else UNSUPPORTED. */
  setAttributes(
    path: string,
    attributes: { readonly mode?: number; readonly owner?: string; readonly group?: string },
    signal?: AbortSignal,
  ): Promise<void>
  /** Where the blocks of a range lie, in order; absent where a store does not know. @default range the whole file */
  blockLocations?(
    path: string,
    range?: { readonly offset?: number; readonly length?: number; readonly signal?: AbortSignal },
  ): Promise<readonly UfsBlockLocation[]>
  /** Absent where a store has none. */
  checksum?(path: string, signal?: AbortSignal): Promise<UfsChecksum>
  close(): Promise<void>
}
