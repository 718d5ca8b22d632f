import type { BlockPlace, FileStatus, FileSystem } from '../../client/index.ts'
import { blockCount } from '../../core/index.ts'
import { AlluxioCommand, Args, Flags } from '../command.ts'
import { usageError } from '../failure.ts'

export class Stat extends AlluxioCommand {
  static override summary = 'Show everything that is known of a path.'
  static override description =
    'Formats of -f: %N name, %z bytes, %u owner, %g group, %i file id, %y modification time (UTC), %Y the same in milliseconds since the epoch, %b number of blocks (NA for a directory).'
  static override usage = 'fs stat [-f <format>] <path> ... or fs stat [-f <format>] --file-id <file-id>'
  static override shape = 'list' as const
  static override args = {
    path: Args.string({
      description: 'path in the namespace; * matches any part of a name',
      multiple: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    format: Flags.string({ char: 'f', summary: 'print in this form instead' }),
    'file-id': Flags.string({ summary: 'name the file by its id', helpValue: '<file-id>' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Stat)
    const id = flags['file-id']
    const paths = args.path ?? []
    if ((id === undefined) === (paths.length === 0)) {
      throw usageError('stat takes paths or one --file-id', [`Usage: alluxio ${Stat.usage}`])
    }
    if (id !== undefined) {
      const fileId = Number(id)
      if (!Number.isSafeInteger(fileId) || fileId < 0) throw usageError(`"${id}" is not a file id`)
      await this.withFileSystem(async (fs) => this.#print(fs, await fs.getStatusById(fileId), flags.format))
      return
    }
    await this.forEachPath(paths, async (fs, path) => this.#print(fs, await fs.getStatus(path), flags.format))
  }

  async #print(fs: FileSystem, status: FileStatus, format: string | undefined): Promise<void> {
    if (format !== undefined && this.output.json === 'off') {
      const text = formatStatus(status, format)
      this.output.emit(
        () => ({}),
        () => text,
      )
      return
    }
    const blocks = status.folder ? [] : await fs.blockPlaces(status.path)
    this.output.emit(
      () => ({ ...status.toJSON(), fileBlockInfos: blocks }),
      () => describe(status, blocks),
    )
  }
}

function describe(status: FileStatus, blocks: readonly BlockPlace[]): string {
  const facts = Object.entries(status.toJSON()).map(([key, value]) => `${key}=${text(value)}`)
  const info = `FileInfo{${facts.join(', ')}}`
  if (status.folder) return `${status.path} is a directory path.\n${info}`
  const lines = [`${status.path} is a file path.`, info]
  if (blocks.length === 0) lines.push('This file does not contain any blocks.')
  else lines.push('Containing the following blocks: ')
  for (const { blockId, offset, length, locations } of blocks) {
    const places = locations.map(
      ({ workerId, host, tier }) => `BlockLocation{workerId=${workerId}, host=${host}, tierAlias=${tier}}`,
    )
    lines.push(
      `FileBlockInfo{blockId=${blockId}, offset=${offset}, length=${length}, locations=[${places.join(', ')}]}`,
    )
  }
  return lines.join('\n')
}

function text(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}

/** Fills in upstream's `%` letters. @throws INVALID_ARGUMENT for another letter */
export function formatStatus(status: FileStatus, format: string): string {
  return format.replace(/%(.?)/gs, (_, letter: string) => {
    switch (letter) {
      case 'N':
        return status.name
      case 'z':
        return status.folder ? 'NA' : String(status.length)
      case 'u':
        return status.owner
      case 'g':
        return status.group
      case 'i':
        return String(status.fileId)
      case 'y':
        return new Date(status.lastModificationTimeMs).toISOString().slice(0, 19).replace('T', ' ')
      case 'Y':
        return String(status.lastModificationTimeMs)
      case 'b':
        return status.folder ? 'NA' : String(blockCount(status.length, status.blockSizeBytes))
      default:
        throw usageError(`Unknown format specifier %${letter}`, ['Known: %N %z %u %g %i %y %Y %b'])
    }
  })
}
