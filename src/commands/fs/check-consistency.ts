import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { EntryCount } from './entry-count.ts'

export class CheckConsistency extends AlluxioCommand {
  static override summary = 'Compare files and directories with their under-store.'
  static override description =
    'Names what the namespace has and the store has otherwise or not at all; with -r the store wins, and what only the store has comes in as well. Files that are not persisted yet are left alone.'
  static override usage = 'fs checkConsistency [-r] [-t|--threads <n>] <Alluxio path>'
  static override args = PATHS
  static override shape = 'list' as const
  static override flags = {
    repair: Flags.boolean({ char: 'r', summary: 'take over what the under-store has' }),
    threads: Flags.integer({ char: 't', summary: 'taken for upstream’s sake: the master decides' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CheckConsistency)
    const { signal } = this.invocation
    const { repair = false } = flags
    await this.forEachPath(args.path, async (fs, path) => {
      const count = EntryCount.of(this.invocation, `Checking ${path}`)
      const paths: string[] = []
      const { inconsistent } = await fs.syncs
        .run(path, {
          dry: !repair,
          signal,
          onProgress: count.show,
          onInconsistent: (found) => paths.push(found),
        })
        .finally(() => count.clear())
      const more = inconsistent > paths.length ? `\n… and ${inconsistent - paths.length} more` : ''
      const head = repair
        ? `${path} has: ${inconsistent} inconsistent files.`
        : 'The following files are inconsistent:'
      const lines = repair ? paths.map((one) => `repaired path: ${one}`) : paths
      this.output.emit(
        () => ({ path, inconsistent, repaired: repair, paths }),
        () =>
          inconsistent === 0
            ? `${path} is consistent with the under storage system.`
            : `${[head, ...lines].join('\n')}${more}`,
      )
    })
  }
}
