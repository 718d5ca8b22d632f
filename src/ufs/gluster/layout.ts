/** Where libgfapi's structures (those of glibc with 64-bit offsets) keep what is used of them. */
import { AlluxioError } from '../../core/index.ts'

/** Offsets in `struct stat`: only mode, links and owners stand elsewhere on the other processors. */
const BY_ARCHITECTURE: Readonly<Record<string, { readonly mode: number; readonly uid: number }>> = {
  x64: { mode: 24, uid: 28 },
  arm64: { mode: 16, uid: 24 },
  riscv64: { mode: 16, uid: 24 },
}
const SIZE = 48
const MODIFIED = 88
const CHANGED = 104
/** More than any architecture's struct has. */
export const STAT_BYTES = 256
export const STATVFS_BYTES = 256
export const DIRENT_BYTES = 1024

const S_IFMT = 0o170000
const S_IFREG = 0o100000
const S_IFDIR = 0o040000
const S_IFLNK = 0o120000

export interface Stat {
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: bigint
  readonly mtimeNs: bigint
  /** Of the last change of content, mode, owner or name. */
  readonly ctimeNs: bigint
}

/** The `struct stat` at the beginning of `bytes`; undefined where the library left it empty. */
export function statOf(bytes: Buffer): Stat | undefined {
  const at = BY_ARCHITECTURE[process.arch]
  if (at === undefined) {
    throw new AlluxioError(
      'UNSUPPORTED',
      `the structures of libgfapi are not known on ${process.arch}: mount the volume and name the folder by alluxio.underfs.glusterfs.mount`,
      { reason: 'UNKNOWN_ARCHITECTURE' },
    )
  }
  const mode = bytes.readUInt32LE(at.mode)
  if (mode === 0) return undefined
  const type = mode & S_IFMT
  return {
    kind: type === S_IFREG ? 'file' : type === S_IFDIR ? 'directory' : type === S_IFLNK ? 'link' : 'other',
    mode: mode & 0o7777,
    uid: bytes.readUInt32LE(at.uid),
    gid: bytes.readUInt32LE(at.uid + 4),
    size: bytes.readBigInt64LE(SIZE),
    mtimeNs: timeAt(bytes, MODIFIED),
    ctimeNs: timeAt(bytes, CHANGED),
  }
}

function timeAt(bytes: Buffer, at: number): bigint {
  return bytes.readBigInt64LE(at) * 1_000_000_000n + bytes.readBigInt64LE(at + 8)
}

export interface DirectoryEntry {
  /** Undefined when it is no UTF-8: such a name cannot be told. */
  readonly name: string | undefined
  /** Where the listing goes on behind this entry. */
  readonly next: bigint
}

const D_OFF = 8
const D_NAME = 19
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function direntOf(bytes: Buffer): DirectoryEntry {
  const name = bytes.subarray(D_NAME, bytes.indexOf(0, D_NAME))
  return { name: textOf(name), next: bytes.readBigInt64LE(D_OFF) }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch {
    return undefined
  }
}

/** Bytes in all and in use, from a `struct statvfs`. */
export function spaceOf(bytes: Buffer): { readonly totalBytes: number; readonly usedBytes: number } {
  const [fragment, blocks, free] = [8, 16, 24].map((at) => Number(bytes.readBigUInt64LE(at)))
  return { totalBytes: fragment! * blocks!, usedBytes: fragment! * (blocks! - free!) }
}
