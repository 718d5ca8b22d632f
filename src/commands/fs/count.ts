import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { sizeText } from '../format.ts'

const row = (files: string, folders: string, bytes: string): string =>
  files.padEnd(25) + folders.padEnd(25) + bytes.padEnd(15)

export class Count extends AlluxioCommand {
  static override summary = 'Count the files and directories below paths, and their bytes.'
  static override usage = 'fs count [-h] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = { human: Flags.boolean({ char: 'h', summary: 'sizes such as 1.50KB' }) }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Count)
    let headed = false
    await this.forEachPath(args.path, async (fs, path) => {
      const { files, directories, bytes } = await fs.contentSummary(path)
      if (!headed) this.output.line(row('File Count', 'Folder Count', 'Folder Size'))
      headed = true
      this.output.emit(
        () => ({ path, files, folders: directories, bytes }),
        () => row(String(files), String(directories), sizeText(bytes, flags.human)),
      )
    })
  }
}
