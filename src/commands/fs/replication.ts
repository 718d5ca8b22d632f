import { AlluxioCommand, Flags, PATH } from '../command.ts'
import { usageError } from '../failure.ts'

export class SetReplication extends AlluxioCommand {
  static override summary = 'Say how many replicas of a file there should be at least and at most.'
  static override usage = 'fs setReplication [-R/--recursive] [--max <num> | --min <num>] <path>'
  static override shape = 'list' as const
  static override args = PATH
  static override flags = {
    recursive: Flags.boolean({ char: 'R', summary: 'all files below a directory' }),
    max: Flags.integer({ min: -1, max: 32_767, summary: 'most replicas; -1: any number' }),
    min: Flags.integer({ min: 0, max: 32_767, summary: 'least replicas' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SetReplication)
    const { max, min, recursive } = flags
    if (max === undefined && min === undefined) {
      throw usageError("At least one option of '--max' or '--min' must be specified")
    }
    if (max !== undefined && min !== undefined && max >= 0 && max < min) {
      throw usageError(`Invalid values for '--max' and '--min': at most ${max} and at least ${min}`)
    }
    const fields = {
      ...(max === undefined ? {} : { replicationMax: max }),
      ...(min === undefined ? {} : { replicationMin: min }),
    }
    await this.forEachPath([args.path], async (fs, path) => {
      if (!recursive && (await fs.getStatus(path)).folder)
        throw usageError(`${path} is a directory: use -R to change all files below it`)
      await fs.setAttribute(path, { ...fields, recursive })
      this.output.emit(
        () => ({ path, ...fields }),
        () =>
          [
            `Changed the replication level of ${path}`,
            ...(max === undefined ? [] : [`replicationMax was set to ${max}`]),
            ...(min === undefined ? [] : [`replicationMin was set to ${min}`]),
          ].join('\n'),
      )
    })
  }
}
