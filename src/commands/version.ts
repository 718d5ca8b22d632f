import { AlluxioCommand, Flags } from './command.ts'

declare const ALLUXIO_VERSION: string
declare const ALLUXIO_REVISION: string

export class Version extends AlluxioCommand {
  static override summary = 'Print the version, with -r the revision that it was built from.'
  static override usage = 'version [-r <length>]'
  static override flags = {
    revision: Flags.integer({
      char: 'r',
      min: 1,
      max: 40,
      summary: 'add this many characters of the revision',
    }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(Version)
    const revision = flags.revision === undefined ? '' : ALLUXIO_REVISION.slice(0, flags.revision)
    this.output.emit(
      () => ({ version: ALLUXIO_VERSION, revision: ALLUXIO_REVISION, node: process.version }),
      () => (revision === '' ? ALLUXIO_VERSION : `${ALLUXIO_VERSION}-${revision}`),
    )
  }
}
