import { type FileStatus, filesBelow } from '../../client/index.ts'
import { eachLimited } from '../../core/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { Progress } from '../progress.ts'

/** Files at once: the work is the workers', who bound it themselves; each waits some 30 ms until the master knows. */
const PARALLEL_FILES = 128

export class LoadCommand extends AlluxioCommand {
  static override summary = 'Bring files into Alluxio.'
  static override usage = 'fs load [--local] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = {
    local: Flags.boolean({ summary: 'to a worker on this host, even if another worker has the file' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(LoadCommand)
    const progress = Progress.of(this.invocation, 'Loading')
    const { signal } = this.invocation
    const onProgress = (bytes: number) => progress.add(bytes)
    await this.forEachPath(args.path, async (fs, path) => {
      const load = async (status: FileStatus): Promise<void> => {
        const already = !flags.local && status.inAlluxioPercentage === 100
        if (!already) progress.expect(status.length)
        const loaded =
          !already && (await fs.load(status.path, { local: flags.local, signal, onProgress })).loadedBytes > 0
        progress.clear()
        this.output.emit(
          () => ({ path: status.path, bytes: status.length, loaded }),
          () => `${status.path} ${loaded ? 'loaded' : 'already in Alluxio fully'}`,
        )
      }
      await eachLimited(filesBelow(fs, path), PARALLEL_FILES, load)
    })
  }
}
