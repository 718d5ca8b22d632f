import { AlluxioCommand, Flags, PATHS } from '../command.ts'

export class Free extends AlluxioCommand {
  static override summary = 'Drop the cached copies of files; the under-store keeps them.'
  static override usage = 'fs free [-f] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = { force: Flags.boolean({ char: 'f', summary: 'also pinned files' }) }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Free)
    await this.forEachPath(args.path, async (fs, path) => {
      const freed = await fs.free(path, { recursive: true, forced: flags.force })
      this.output.emit(
        () => ({ path, ...freed }),
        () => `${path} was successfully freed from Alluxio space.`,
      )
    })
  }
}
