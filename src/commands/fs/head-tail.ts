import type { FileReader } from '../../client/index.ts'
import { parseBytes } from '../../core/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { usageError } from '../failure.ts'
import { content, readRange } from './cat.ts'

const FLAGS = { bytes: Flags.string({ char: 'c', default: '1KB', summary: 'number of bytes (1024, 4KB)' }) }

abstract class PartOfFile extends AlluxioCommand {
  protected async print(
    paths: readonly string[],
    count: string,
    range: (length: number, bytes: number) => [start: number, end: number],
  ): Promise<void> {
    const bytes = parseBytes(count)
    if (bytes <= 0) throw usageError('specified bytes must be > 0', ['Write for example: -c 4KB'])
    await this.forEachPath(paths, async (fs, path) => {
      const reader = await fs.open(path)
      try {
        const [start, end] = range(reader.length, bytes)
        await this.#printRange(path, reader, start, end)
      } finally {
        await reader.close()
      }
    })
  }

  async #printRange(path: string, reader: FileReader, start: number, end: number): Promise<void> {
    if (this.output.json === 'off') {
      for await (const chunk of reader.stream({ start, end })) this.output.bytes(chunk)
      return
    }
    const bytes = await readRange(reader, start, end)
    this.output.emit(
      () => content(path, reader.length, start, bytes),
      () => undefined,
    )
  }
}

export class Head extends PartOfFile {
  static override summary = 'Print the first bytes of files (1 KB by default).'
  static override usage = 'fs head [-c <bytes>] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = FLAGS

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Head)
    await this.print(args.path, flags.bytes, (length, bytes) => [0, Math.min(length, bytes)])
  }
}

export class Tail extends PartOfFile {
  static override summary = 'Print the last bytes of files (1 KB by default).'
  static override usage = 'fs tail [-c <bytes>] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = FLAGS

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Tail)
    await this.print(args.path, flags.bytes, (length, bytes) => [Math.max(0, length - bytes), length])
  }
}
