import { createHash } from 'node:crypto'
import { AlluxioCommand, PATHS } from '../command.ts'
import { Progress } from '../progress.ts'

export class Checksum extends AlluxioCommand {
  static override summary = 'Print the MD5 checksum of files.'
  static override usage = 'fs checksum <path> ...'
  static override shape = 'list' as const
  static override args = PATHS

  override async run(): Promise<void> {
    const { args } = await this.parse(Checksum)
    const progress = Progress.of(this.invocation, 'Reading')
    await this.forEachPath(args.path, async (fs, path) => {
      const reader = await fs.open(path)
      const hash = createHash('md5')
      try {
        progress.expect(reader.length)
        for await (const chunk of reader.stream()) {
          hash.update(chunk)
          progress.add(chunk.length)
        }
      } finally {
        await reader.close()
        progress.clear()
      }
      const md5 = hash.digest('hex')
      this.output.emit(
        () => ({ path, md5 }),
        () => `md5sum: ${md5}\n`,
      )
    })
  }
}
