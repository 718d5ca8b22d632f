/** Files and directories of a volume that are open. */
import { DIRENT_BYTES, type DirectoryEntry, direntOf, STAT_BYTES, type Stat, statOf } from './layout.ts'
import type { Argument, FunctionName } from './library.ts'

/** For whom a call is made: its path for messages, and until when. */
export interface Asking {
  readonly path: string
  readonly signal?: AbortSignal | undefined
}

/** (uid_t) -1: leaves an owner as it is. */
const SAME = 0xffff_ffff

/** Makes calls in the threads of the volume, or at once. */
export interface Caller {
  call(name: FunctionName, args: readonly Argument[], asking: Asking): Promise<unknown>
  now(name: FunctionName, ...args: Argument[]): unknown
}

export class OpenFile {
  readonly #fd: bigint
  readonly #caller: Caller

  constructor(fd: bigint, caller: Caller) {
    this.#fd = fd
    this.#caller = caller
  }

  /** Bytes read into `target`; 0 at the end. */
  async read(target: Uint8Array, offset: number, asking: Asking): Promise<number> {
    return Number(
      await this.#caller.call('glfs_pread', [this.#fd, target, target.length, offset, 0, null], asking),
    )
  }

  /** Bytes taken. */
  async write(bytes: Uint8Array, offset: number, asking: Asking): Promise<number> {
    const args = [this.#fd, bytes, bytes.length, offset, 0, null, null]
    return Number(await this.#caller.call('glfs_pwrite', args, asking))
  }

  async chmod(mode: number, asking: Asking): Promise<void> {
    await this.#caller.call('glfs_fchmod', [this.#fd, mode], asking)
  }

  async chown(uid: number, gid: number, asking: Asking): Promise<void> {
    await this.#caller.call('glfs_fchown', [this.#fd, ownerId(uid), ownerId(gid)], asking)
  }

  async sync(asking: Asking): Promise<void> {
    await this.#caller.call('glfs_fdatasync', [this.#fd, null, null], asking)
  }

  /** Once. Bytes that the library still held are with the bricks when it resolves. */
  async close(asking: Asking): Promise<void> {
    await this.#caller.call('glfs_close', [this.#fd], asking)
  }
}

export interface ListedEntry extends DirectoryEntry {
  /** Undefined where the bricks did not tell: ask for it. */
  readonly stat: Stat | undefined
}

export class OpenDirectory {
  readonly #fd: bigint
  readonly #caller: Caller
  readonly #stat = Buffer.alloc(STAT_BYTES)
  readonly #entry = Buffer.alloc(DIRENT_BYTES)
  readonly #result = Buffer.alloc(8)

  constructor(fd: bigint, caller: Caller) {
    this.#fd = fd
    this.#caller = caller
  }

  /** `next` of the entry behind which the listing goes on; 0 is the beginning. */
  seek(offset: bigint): void {
    this.#caller.now('glfs_seekdir', this.#fd, offset)
  }

  /** Undefined at the end. The library fetches many at once: most calls ask no brick. */
  async next(asking: Asking): Promise<ListedEntry | undefined> {
    this.#stat.fill(0)
    const args = [this.#fd, this.#stat, this.#entry, this.#result]
    await this.#caller.call('glfs_readdirplus_r', args, asking)
    if (this.#result.readBigUInt64LE(0) === 0n) return undefined
    return { ...direntOf(this.#entry), stat: statOf(this.#stat) }
  }

  async close(asking: Asking): Promise<void> {
    await this.#caller.call('glfs_closedir', [this.#fd], asking)
  }
}

/** -1 leaves it as it is. */
export function ownerId(given: number): number {
  return given === -1 ? SAME : given
}
