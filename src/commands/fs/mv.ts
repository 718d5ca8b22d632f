import { canonicalPath } from '../../core/index.ts'
import { AlluxioCommand, Args } from '../command.ts'

export class Mv extends AlluxioCommand {
  static override summary = 'Rename a file or directory (within one mount).'
  static override usage = 'fs mv <src> <dst>'
  static override args = {
    src: Args.string({ description: 'what is there', required: true, ignoreStdin: true }),
    dst: Args.string({ description: 'its new path', required: true, ignoreStdin: true }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(Mv)
    const [src, dst] = [canonicalPath(args.src), canonicalPath(args.dst)]
    await this.withFileSystem(async (fs) => {
      await this.untilInterrupted(`move ${src}`, fs.rename(src, dst))
      this.output.emit(
        () => ({ src, dst, renamed: true }),
        () => `Renamed ${src} to ${dst}`,
      )
    })
  }
}
