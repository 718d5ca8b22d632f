import type { SyncProgress } from '../../client/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { EntryCount } from './entry-count.ts'

export class LoadMetadata extends AlluxioCommand {
  static override summary = 'Bring what the under-store has into the namespace, without its bytes.'
  static override description =
    'Without -F only what was never listed is; with it everything is compared, and what has changed or gone in the store changes or goes here.'
  static override usage = 'fs loadMetadata [-R] [-F] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = {
    recursive: Flags.boolean({ char: 'R', summary: 'everything below, with the stores mounted there' }),
    force: Flags.boolean({ char: 'F', summary: 'compare what was listed before as well' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(LoadMetadata)
    const { recursive = false, force = false } = flags
    const { signal } = this.invocation
    await this.forEachPath(args.path, async (fs, path) => {
      const count = EntryCount.of(this.invocation, `Loading metadata of ${path}`)
      const progress = await fs.syncs
        .run(path, { recursive, force, signal, onProgress: count.show })
        .finally(() => count.clear())
      this.output.emit(
        () => ({ path, ...figures(progress) }),
        () => `Loaded metadata of ${path}: ${words(progress)}`,
      )
    })
  }
}

function figures({ entries, pages, added, updated, removed, startedMs, endedMs }: SyncProgress) {
  return { entries, pages, added, updated, removed, ms: endedMs - startedMs }
}

function words({ entries, added, updated, removed }: SyncProgress): string {
  return `${entries} entries, ${added} added, ${updated} updated, ${removed} removed`
}
