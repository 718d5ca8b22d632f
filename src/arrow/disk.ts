/**
 * The disk as block files need it: a port with a real implementation (`file-disk.ts`) and one in memory for the simulation.
 * Synchronous calls are for memory file systems and for metadata; bytes on real disks go through the promises. All errors
 * are AlluxioErrors whose reason is the POSIX name (ENOSPC, EIO, ENOENT, …).
 */
export interface FileFacts {
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch, with fractions. */
  readonly mtimeMs: number
  /** Bytes that the file takes on its disk: less than `size` for a sparse file. */
  readonly allocatedBytes: number
}

export interface BlockFile {
  readonly path: string
  facts(): FileFacts
  /** Fills `buffer` from `position`; fewer bytes only at the end of the file. */
  readSync(buffer: Uint8Array, position: number): number
  read(buffer: Uint8Array, position: number): Promise<number>
  writeSync(bytes: Uint8Array, position: number): void
  /** `bytes` must not change until it resolves. */
  write(bytes: Uint8Array, position: number): Promise<void>
  setModified(ms: number): void
  resize(size: number): void
  /** What was written is on stable storage. Never to be retried after a failure. */
  sync(): Promise<void>
  /** The first `size` bytes as memory that stays valid while it is referenced; undefined where the disk cannot. */
  map(size: number): Uint8Array | undefined
  close(): void
}

export interface BlockDisk {
  /** 16 hex digits that change with every boot of the machine; zeros when unknown. */
  readonly bootTag: string
  /** `read` opens for reading; `create` makes or empties a file; `update` opens one to change it. */
  open(path: string, mode: 'read' | 'create' | 'update'): BlockFile
  facts(path: string): FileFacts
  /** Replaces what stands at `to`. */
  rename(from: string, to: string): void
  /** A file that does not exist is no error. */
  remove(path: string): Promise<void>
  /** The same at once, for small files where a turn in the thread pool costs more than the deletion. */
  removeNow?(path: string): void
  makeFolder(path: string): void
  /** Names in a folder, in batches. */
  list(folder: string): AsyncIterable<readonly string[]>
  /** Names in the folder are on stable storage. */
  syncFolder(folder: string): Promise<void>
  space(folder: string): { readonly totalBytes: number; readonly freeBytes: number }
}
