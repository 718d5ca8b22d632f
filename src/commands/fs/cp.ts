import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FileStatus, FileSystem } from '../../client/index.ts'
import {
  AlluxioError,
  baseName,
  canonicalPath,
  isAlluxioError,
  joinPath,
  parseBytes,
} from '../../core/index.ts'
import { AlluxioCommand, Args, Flags } from '../command.ts'
import { usageError } from '../failure.ts'
import { Progress } from '../progress.ts'
import { expandLocalPaths, expandPaths } from '../wildcard.ts'
import { copyWithin, download, localIsFolder, type TransferOptions, upload } from './transfer.ts'

const THREADS_MAX = 64
const SIZES = {
  thread: Flags.integer({
    min: 1,
    max: THREADS_MAX,
    summary: 'files at once (default: twice the processors)',
  }),
  buffersize: Flags.string({ helpValue: '<bytes>', summary: 'bytes of one read (default 8MB)' }),
}

abstract class Copying extends AlluxioCommand {
  protected async uploadAll(source: string, target: string, options: TransferOptions): Promise<void> {
    const sources = expandLocalPaths(source)
    await this.withFileSystem(async (fs) => {
      const dst = canonicalPath(target)
      const into = await statusOf(fs, dst)
      if (sources.length > 1 && into !== undefined && !into.folder) throw notAFolder(dst)
      for (const local of sources) {
        const inside = into?.folder === true && !localIsFolder(local)
        const to = inside || sources.length > 1 ? joinPath(dst, basename(resolve(local))) : dst
        await upload(fs, local, to, options)
        this.copied(local, to, options)
      }
    })
  }

  protected async downloadAll(source: string, target: string, options: TransferOptions): Promise<void> {
    await this.withFileSystem(async (fs) => {
      const paths = await expandPaths(fs, source)
      const folder = localIsFolder(target)
      if (paths.length > 1 && !folder) {
        throw new AlluxioError(
          'NOT_A_DIRECTORY',
          `${target} is not a folder, but ${paths.length} paths are copied there`,
        )
      }
      for (const path of paths) {
        const status = await fs.getStatus(path)
        const to = folder && !(status.folder && paths.length === 1) ? join(target, baseName(path)) : target
        await download(fs, status, to, options)
        this.copied(path, to, options)
      }
    })
  }

  protected copied(src: string, dst: string, options: TransferOptions): void {
    options.progress.clear()
    this.output.emit(
      () => ({ src, dst, copied: true }),
      () => `Copied ${src} to ${dst}`,
    )
    this.output.flush()
  }

  protected transfer(flags: {
    readonly thread?: number | undefined
    readonly buffersize?: string | undefined
    readonly preserve?: boolean
  }): TransferOptions {
    const bufferBytes = flags.buffersize === undefined ? 8 * 2 ** 20 : parseBytes(flags.buffersize)
    if (bufferBytes <= 0 || bufferBytes > 2 ** 30) throw usageError('buffersize must be > 0 and at most 1GB')
    return {
      bufferBytes,
      threads: flags.thread ?? Math.min(THREADS_MAX, availableParallelism() * 2),
      preserve: flags.preserve ?? false,
      signal: this.invocation.signal,
      progress: Progress.of(this.invocation, 'Copying'),
    }
  }
}

export class CopyFromLocal extends Copying {
  static override summary = 'Copy a local file or folder into the namespace.'
  static override description =
    'The content of a folder goes to the destination itself. A file goes into a destination that is a directory.'
  static override usage = 'fs copyFromLocal [--thread <num>] [--buffersize <bytes>] <src> <remoteDst>'
  static override shape = 'list' as const
  static override args = {
    src: Args.string({
      description: 'local file or folder; * matches any part of a name',
      required: true,
      ignoreStdin: true,
    }),
    remoteDst: Args.string({ description: 'path in the namespace', required: true, ignoreStdin: true }),
  }
  static override flags = SIZES

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CopyFromLocal)
    await this.uploadAll(localPath(args.src), args.remoteDst, this.transfer(flags))
  }
}

export class CopyToLocal extends Copying {
  static override summary = 'Copy a file or directory of the namespace to the local file system.'
  static override usage = 'fs copyToLocal [--buffersize <bytes>] <src> <localDst>'
  static override shape = 'list' as const
  static override args = {
    src: Args.string({
      description: 'path in the namespace; * matches any part of a name',
      required: true,
      ignoreStdin: true,
    }),
    localDst: Args.string({ description: 'local file or folder', required: true, ignoreStdin: true }),
  }
  static override flags = SIZES

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CopyToLocal)
    await this.downloadAll(args.src, localPath(args.localDst), this.transfer(flags))
  }
}

export class Cp extends Copying {
  static override summary = 'Copy within the namespace, or between it and local files (file://).'
  static override usage =
    'fs cp [-R/-r/--recursive] [--thread <num>] [--buffersize <bytes>] [--preserve] <src> <dst>'
  static override examples = ['alluxio fs cp -R /data /backup', 'alluxio fs cp file:///etc/hosts /hosts']
  static override shape = 'list' as const
  static override args = {
    src: Args.string({ description: 'path, or file:///folder/file', required: true, ignoreStdin: true }),
    dst: Args.string({ description: 'path, or file:///folder/file', required: true, ignoreStdin: true }),
  }
  static override flags = {
    recursive: Flags.boolean({ char: 'R', charAliases: ['r'], summary: 'copy directories and all below' }),
    preserve: Flags.boolean({ char: 'p', summary: 'keep mode, owner and group' }),
    ...SIZES,
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Cp)
    const [from, to] = [isLocal(args.src), isLocal(args.dst)]
    if (from && to) {
      throw usageError('Schemes must be either file or alluxio, and at most one file scheme is allowed.')
    }
    const options = this.transfer(flags)
    if (from) {
      const local = localPath(args.src)
      if (!flags.recursive && localIsFolder(local)) throw needsRecursion(local)
      await this.uploadAll(local, args.dst, options)
    } else if (to) await this.downloadAll(args.src, localPath(args.dst), options)
    else await this.#within(args.src, args.dst, flags.recursive, options)
  }

  async #within(source: string, target: string, recursive: boolean, options: TransferOptions): Promise<void> {
    const dst = canonicalPath(target)
    await this.withFileSystem(async (fs) => {
      const paths = await expandPaths(fs, source)
      const into = await statusOf(fs, dst)
      if (paths.length > 1 && into?.folder !== true) throw notAFolder(dst)
      for (const path of paths) {
        const status = await fs.getStatus(path)
        if (status.folder && !recursive) throw needsRecursion(path)
        const to = into?.folder === true && path !== '/' ? joinPath(dst, baseName(path)) : dst
        await copyWithin(fs, status, to, options)
        this.copied(path, to, options)
      }
    })
  }
}

async function statusOf(fs: FileSystem, path: string): Promise<FileStatus | undefined> {
  try {
    return await fs.getStatus(path)
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

function isLocal(uri: string): boolean {
  return uri.startsWith('file:')
}

function localPath(uri: string): string {
  return uri.startsWith('file://') ? fileURLToPath(encodeStars(uri)) : uri.replace(/^file:/, '')
}

/** Names with % and # are names, not escapes. */
function encodeStars(uri: string): string {
  return uri.replace(/[%#?]/g, (character) => encodeURIComponent(character))
}

function needsRecursion(path: string): AlluxioError {
  return new AlluxioError(
    'IS_A_DIRECTORY',
    `${path} is a directory, to copy it please use "cp -R/-r/--recursive <src> <dst>"`,
  )
}

function notAFolder(path: string): AlluxioError {
  return new AlluxioError('NOT_A_DIRECTORY', `${path} is not a directory, but several paths are copied there`)
}
