import type { StoreChange } from '../../client/index.ts'
import { AlluxioCommand } from '../command.ts'
import { formatDate } from '../format.ts'

export class ReportChanges extends AlluxioCommand {
  static override summary = 'List the renames, deletes and other changes of under-stores that are under way.'
  static override description =
    'They go on when whoever asked for them has left, and after a restart of the master.'
  static override usage = 'fsadmin report changes'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(ReportChanges)
    await this.withFileSystem(async (fs) => {
      const changes = await fs.admin.storeChanges()
      if (changes.length === 0) this.output.line('No change of an under-store is under way.')
      for (const change of changes) {
        this.output.emit(
          () => change,
          () => lineOf(change),
        )
      }
    })
  }
}

function lineOf({ op, paths, uri, startedMs, moved, waitsFor }: StoreChange): string {
  return [
    `${op} ${paths.join(' to ')} in ${uri}, since ${formatDate(startedMs)}`,
    ...(moved === undefined ? [] : [`${moved} objects moved`]),
    ...(waitsFor === undefined ? [] : [`waits for the store: ${waitsFor}`]),
  ].join(', ')
}
