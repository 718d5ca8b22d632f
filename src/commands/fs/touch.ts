import { AlluxioCommand, Args } from '../command.ts'

export class Touch extends AlluxioCommand {
  static override summary = 'Make empty files, also in the under-store.'
  static override usage = 'fs touch <path> ...'
  static override shape = 'list' as const
  static override args = {
    path: Args.string({ description: 'file to make', required: true, multiple: true, ignoreStdin: true }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(Touch)
    await this.forEachPath(
      args.path.map((path) => path.replaceAll('*', '\\*')),
      async (fs, path) => {
        const writer = await fs.create(path, { recursive: true, writeType: 'CACHE_THROUGH' })
        await writer.close()
        this.output.emit(
          () => ({ path, created: true }),
          () => `${path} has been created`,
        )
      },
    )
  }
}
