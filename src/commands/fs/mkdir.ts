import { AlluxioCommand, Args } from '../command.ts'

export class Mkdir extends AlluxioCommand {
  static override summary = 'Make directories and the parents that they need.'
  static override usage = 'fs mkdir <path1> [path2] ... [pathn]'
  static override shape = 'list' as const
  static override args = {
    path: Args.string({
      description: 'directory to make',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(Mkdir)
    await this.forEachPath(
      args.path.map((path) => path.replaceAll('*', '\\*')),
      async (fs, path) => {
        await fs.mkdir(path, { recursive: true })
        this.output.emit(
          () => ({ path, created: true }),
          () => `Successfully created directory ${path}`,
        )
      },
    )
  }
}
