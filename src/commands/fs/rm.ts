import { AlluxioError } from '../../core/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'

export class Rm extends AlluxioCommand {
  static override summary = 'Remove files, and directories with -R.'
  static override usage = 'fs rm [-R/-r/--recursive] [-U] [--alluxioOnly] [-m/--deleteMountPoint] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = {
    recursive: Flags.boolean({ char: 'R', charAliases: ['r'], summary: 'remove directories and all below' }),
    unchecked: Flags.boolean({ char: 'U', summary: 'without checking that the under-store is in step' }),
    alluxioOnly: Flags.boolean({ summary: 'leave the data in the under-store' }),
    deleteMountPoint: Flags.boolean({ char: 'm', summary: 'also mount points below' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Rm)
    await this.forEachPath(args.path, async (fs, path) => {
      if (!flags.recursive && (await fs.getStatus(path)).folder) {
        throw new AlluxioError(
          'IS_A_DIRECTORY',
          `${path} is a directory, to remove it, please use "rm -R/-r/--recursive <path>"`,
          { details: { path } },
        )
      }
      const { recursive, unchecked, alluxioOnly, deleteMountPoint } = flags
      const options = { recursive, unchecked, alluxioOnly, deleteMountPoint }
      await this.untilInterrupted(`remove ${path}`, fs.delete(path, options))
      this.output.emit(
        () => ({ path, removed: true, alluxioOnly }),
        () => `${path} has been removed${alluxioOnly ? ' only from Alluxio space' : ''}`,
      )
    })
  }
}
