import { AlluxioError } from '../core/index.ts'
import { AlluxioCommand, Args } from './command.ts'

export class BlockInspect extends AlluxioCommand {
  static override summary = 'Print what a block file of a tier is, and whether it is sound.'
  static override usage = 'block inspect <file> ...'
  static override shape = 'list' as const
  static override args = {
    file: Args.string({
      description: 'block file in a tier folder',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(BlockInspect)
    const [{ FileDisk, inspectBlock }, { joinFailures }] = await Promise.all([
      import('../arrow/index.ts'),
      import('./failure.ts'),
    ])
    const disk = new FileDisk()
    const failures: unknown[] = []
    for (const file of args.file) {
      try {
        const facts = await inspectBlock(disk, file)
        this.output.emit(
          () => ({ ...facts, sound: facts.problem === undefined }),
          () =>
            [file, ...Object.entries(facts).map(([name, value]) => `  ${name}: ${printable(value)}`)].join(
              '\n',
            ),
        )
        if (facts.problem !== undefined)
          failures.push(new AlluxioError('DATA_LOSS', `${file}: ${facts.problem}`, { details: { file } }))
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw joinFailures(failures)
  }
}

function printable(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
