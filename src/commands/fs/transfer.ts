/** Moves bytes between local files and the namespace: streamed through two buffers, several files at a time. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, type Stats, statSync, writeSync } from 'node:fs'
import { chmod, chown, open, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileStatus, FileSystem } from '../../client/index.ts'
import { AlluxioError, eachLimited, fromErrno, isAlluxioError, joinPath } from '../../core/index.ts'
import type { Progress } from '../progress.ts'

export interface TransferOptions {
  /** Bytes of one read. */
  readonly bufferBytes: number
  /** Files at once. */
  readonly threads: number
  /** Keep mode, owner and group. */
  readonly preserve: boolean
  readonly signal: AbortSignal
  readonly progress: Progress
}

/** A local file or folder to a path. The content of a folder goes to the path itself. */
export async function upload(
  fs: FileSystem,
  local: string,
  path: string,
  options: TransferOptions,
): Promise<void> {
  const files: { local: string; path: string; bytes: number }[] = []
  const collect = async (from: string, to: string): Promise<void> => {
    const found = await localStat(from)
    if (found.isFile()) {
      files.push({ local: from, path: to, bytes: found.size })
      options.progress.expect(found.size)
    } else if (found.isDirectory()) {
      if (to !== '/') await fs.mkdir(to, { recursive: true, allowExists: true })
      for (const name of (await readdir(from)).sort()) await collect(join(from, name), joinPath(to, name))
    } else
      throw new AlluxioError('UNSUPPORTED', `${from} is neither a file nor a folder: it cannot be copied`)
  }
  await collect(local, path)
  await eachLimited(files, options.threads, (file) => uploadFile(fs, file.local, file.path, options))
}

async function uploadFile(
  fs: FileSystem,
  local: string,
  path: string,
  options: TransferOptions,
): Promise<void> {
  const handle = await open(local).catch((error: unknown) => {
    throw fromErrno(error, 'open', local)
  })
  try {
    const facts = await handle.stat()
    const writer = await fs.create(path, options.preserve ? { mode: facts.mode & 0o777 } : {})
    try {
      const bytes = Math.max(1, Math.min(options.bufferBytes, facts.size))
      // One buffer fills while the other is written.
      const buffers = [Buffer.allocUnsafeSlow(bytes), Buffer.allocUnsafeSlow(bytes)] as const
      let at = 0
      let next = handle.read(buffers[0], 0, bytes, 0)
      for (let turn = 0; ; turn++) {
        const { bytesRead } = await next
        if (bytesRead === 0) break
        at += bytesRead
        const filled = buffers[turn % 2 === 0 ? 0 : 1]
        next = handle.read(buffers[turn % 2 === 0 ? 1 : 0], 0, bytes, at)
        options.signal.throwIfAborted()
        await writer.write(bytesRead === bytes ? filled : filled.subarray(0, bytesRead))
        options.progress.add(bytesRead)
      }
    } catch (error) {
      await writer.abort(error).catch(() => {})
      throw error
    }
    await writer.close()
  } finally {
    await handle.close()
  }
}

/** A file or directory of the namespace to a local path; a file appears there whole or not at all. */
export async function download(
  fs: FileSystem,
  status: FileStatus,
  local: string,
  options: TransferOptions,
): Promise<void> {
  if (!status.folder) {
    options.progress.expect(status.length)
    await downloadFile(fs, status, local, options)
    return
  }
  const root = status.path === '/' ? '' : status.path
  mkdirLocal(local)
  const files = async function* (): AsyncGenerator<{ status: FileStatus; local: string }> {
    for await (const child of fs.list(status.path, { recursive: true })) {
      const target = join(local, child.path.slice(root.length + 1))
      if (child.folder) mkdirLocal(target)
      else {
        options.progress.expect(child.length)
        yield { status: child, local: target }
      }
    }
  }
  await eachLimited(files(), options.threads, (file) => downloadFile(fs, file.status, file.local, options))
}

async function downloadFile(
  fs: FileSystem,
  status: FileStatus,
  local: string,
  options: TransferOptions,
): Promise<void> {
  const temporary = join(dirname(local), `.${process.pid}_${status.fileId}_copyToLocal_`)
  const reader = await fs.open(status.path)
  let fd: number | undefined
  try {
    fd = openLocal(temporary)
    for await (const chunk of reader.stream({ chunkBytes: options.bufferBytes, signal: options.signal })) {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
      options.progress.add(chunk.length)
    }
    closeSync(fd)
    fd = undefined
    if (options.preserve) await preserveLocal(temporary, status)
    renameSync(temporary, local)
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    rmSync(temporary, { force: true })
    throw isAlluxioError(error) ? error : fromErrno(error, 'write', local)
  } finally {
    await reader.close()
  }
}

/** Within the namespace: file by file, through this client. */
export async function copyWithin(
  fs: FileSystem,
  status: FileStatus,
  dst: string,
  options: TransferOptions,
): Promise<void> {
  if (!status.folder) {
    options.progress.expect(status.length)
    await copyFile(fs, status, dst, options)
    return
  }
  if (dst === status.path || dst.startsWith(`${status.path === '/' ? '' : status.path}/`)) {
    throw new AlluxioError('INVALID_ARGUMENT', `cannot copy ${status.path} into itself (${dst})`)
  }
  const root = status.path === '/' ? '' : status.path
  await fs.mkdir(dst, { recursive: true, allowExists: true })
  const files = async function* (): AsyncGenerator<{ status: FileStatus; path: string }> {
    for await (const child of fs.list(status.path, { recursive: true })) {
      const path = `${dst === '/' ? '' : dst}${child.path.slice(root.length)}`
      if (child.folder) await fs.mkdir(path, { recursive: true, allowExists: true })
      else {
        options.progress.expect(child.length)
        yield { status: child, path }
      }
    }
  }
  await eachLimited(files(), options.threads, (file) => copyFile(fs, file.status, file.path, options))
}

async function copyFile(
  fs: FileSystem,
  status: FileStatus,
  dst: string,
  options: TransferOptions,
): Promise<void> {
  const reader = await fs.open(status.path)
  try {
    const writer = await fs.create(dst, options.preserve ? { mode: status.mode } : {})
    try {
      for await (const chunk of reader.stream({ chunkBytes: options.bufferBytes, signal: options.signal })) {
        await writer.write(chunk)
        options.progress.add(chunk.length)
      }
    } catch (error) {
      await writer.abort(error).catch(() => {})
      throw error
    }
    await writer.close()
    if (options.preserve) await fs.setAttribute(dst, { owner: status.owner, group: status.group })
  } finally {
    await reader.close()
  }
}

async function localStat(path: string): Promise<Stats> {
  try {
    return await stat(path)
  } catch (error) {
    throw fromErrno(error, 'read', path)
  }
}

function openLocal(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw fromErrno(error, 'create', path)
  }
}

function mkdirLocal(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    throw fromErrno(error, 'mkdir', path)
  }
}

async function preserveLocal(path: string, status: FileStatus): Promise<void> {
  await chmod(path, status.mode & 0o777)
  // Only root may give files away; names that this machine lacks are left as they are.
  if (process.getuid?.() === 0 && status.owner === 'root') await chown(path, 0, 0)
}

export function localIsFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
