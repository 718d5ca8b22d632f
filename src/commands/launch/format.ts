import { isatty } from 'node:tty'
import { AlluxioError } from '../../core/index.ts'
import { DATA } from '../../core/options/index.ts'
import { format, refuseUnderDaemons, whatFormatDeletes } from '../../daemon/launch/index.ts'
import { AlluxioCommand, Flags } from '../command.ts'
import { ask } from './question.ts'

export class FormatCommand extends AlluxioCommand {
  static override summary =
    'Make a new, empty cluster: deletes its metadata and cached blocks, never under-stores.'
  static override description =
    'Refuses while a daemon runs. What exists is deleted only after a confirmation or with --yes.'
  static override usage = 'format [-s] [--yes]'
  static override flags = {
    absent: Flags.boolean({ char: 's', summary: 'only if there is nothing yet; else do nothing' }),
    yes: Flags.boolean({ char: 'y', summary: 'delete what exists without asking' }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(FormatCommand)
    const data = this.configuration.get(DATA)
    const { folders: doomed } = whatFormatDeletes(this.configuration)
    if (doomed.length > 0 && flags.absent) {
      this.output.emit(
        () => ({ data, formatted: false, deleted: [] }),
        () => `${data} is formatted already`,
      )
      return
    }
    refuseUnderDaemons(this.configuration)
    if (doomed.length > 0 && !flags.yes) await this.#confirm(doomed)
    format(this.configuration)
    this.output.emit(
      () => ({ data, formatted: true, deleted: doomed }),
      () => [...doomed.map((folder) => `Emptied ${folder}`), `Formatting complete: ${data}`].join('\n'),
    )
  }

  async #confirm(doomed: readonly string[]): Promise<void> {
    const what = `format deletes all metadata and cached blocks in\n  ${doomed.join('\n  ')}`
    const refusal = new AlluxioError('CONFLICT', `${what}\nand nobody has confirmed that`, {
      reason: 'NOT_CONFIRMED',
      details: { folders: doomed, suggestions: ['To delete them: alluxio format --yes'] },
    })
    if (!isatty(0) || !isatty(2) || this.output.json !== 'off') throw refusal
    const answer = await ask(
      this.invocation,
      `${what}\nFiles that are only in Alluxio are lost. Type "format" to go on: `,
    )
    if (answer !== 'format') throw new AlluxioError('CANCELLED', 'nothing was deleted')
  }
}
