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
  readonly signal?: AbortSignal
}

export interface UfsSpace {
  readonly totalBytes: number
  readonly usedBytes: number
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
  space(signal?: AbortSignal): Promise<UfsSpace>
  /** Changes mode, owner, group or times where `posix`; else UNSUPPORTED. */
  setAttributes(
    path: string,
    attributes: { readonly mode?: number; readonly owner?: string; readonly group?: string },
    signal?: AbortSignal,
  ): Promise<void>
  close(): Promise<void>
}
