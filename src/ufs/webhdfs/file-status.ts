/** What WebHDFS tells about a file or directory, as the interface of stores has it. */
import type { UfsStatus } from '../store.ts'

/** The fields of WebHDFS' FileStatus that are used. */
export interface FileStatus {
  readonly pathSuffix: string
  readonly type: 'FILE' | 'DIRECTORY' | 'SYMLINK'
  readonly length: number
  /** Milliseconds since the epoch. */
  readonly modificationTime: number
  /** Octal. */
  readonly permission: string
  readonly owner: string
  readonly group: string
  /** Of the inode, never used again; gateways leave it out. */
  readonly fileId?: number
}

export function statusOf(path: string, file: FileStatus): UfsStatus {
  const directory = file.type === 'DIRECTORY'
  return {
    path,
    directory,
    length: directory ? 0 : file.length,
    modifiedMs: file.modificationTime,
    fingerprint: directory ? '' : `${file.length}:${file.modificationTime}:${file.fileId ?? 0}`,
    mode: Number.parseInt(file.permission, 8),
    owner: file.owner,
    group: file.group,
  }
}

/** The length in a fingerprint; undefined if it is not one of this store. */
export function lengthIn(fingerprint: string): number | undefined {
  const match = /^(\d{1,16}):\d+:\d+$/.exec(fingerprint)
  return match === null ? undefined : Number(match[1])
}
