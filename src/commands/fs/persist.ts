import { type FileSystem, filesBelow } from '../../client/index.ts'
import { AlluxioError, eachLimited, parseDuration, sleep, systemRuntime } from '../../core/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { usageError } from '../failure.ts'

const POLL_MS = 100

export class Persist extends AlluxioCommand {
  static override summary =
    'Write files that are only in Alluxio to their under-store, and wait until they are there.'
  static override usage =
    'fs persist [-p|--parallelism <#>] [-t|--timeout <milliseconds>] [-w|--wait <milliseconds>] <path> [<path> ...]'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = {
    parallelism: Flags.integer({ char: 'p', default: 4, min: 1, max: 1000, summary: 'files at once' }),
    timeout: Flags.string({ char: 't', default: '20min', summary: 'longest wait for one file' }),
    wait: Flags.string({ char: 'w', default: '0', summary: 'wait before the first file' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Persist)
    const [timeoutMs, waitMs] = [parseDuration(flags.timeout), parseDuration(flags.wait)]
    if (waitMs < 0 || timeoutMs <= waitMs) {
      throw usageError(
        'Persistence initial wait time should be smaller than persist timeout and bigger than zero',
      )
    }
    const { signal } = this.invocation
    await sleep(systemRuntime, waitMs, signal)
    await this.forEachPath(args.path, async (fs, path) => {
      await eachLimited(filesBelow(fs, path), flags.parallelism, async (status) => {
        if (!status.persisted) await persistFile(fs, status.path, timeoutMs, signal)
        this.output.emit(
          () => ({ path: status.path, bytes: status.length, persisted: true, already: status.persisted }),
          () => `persisted file ${status.path} with size ${status.length}`,
        )
      })
    })
  }
}

async function persistFile(
  fs: FileSystem,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = systemRuntime.monotonic() + timeoutMs
  await fs.persist(path)
  while (!(await fs.getStatus(path)).persisted) {
    if (systemRuntime.monotonic() > deadline) {
      throw new AlluxioError(
        'TIMEOUT',
        `Timed out waiting for file to be persisted: ${path}; it stays queued`,
        { details: { path } },
      )
    }
    await sleep(systemRuntime, POLL_MS, signal)
  }
}
