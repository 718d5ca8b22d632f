import { availableParallelism } from 'node:os'
import type { FileStatus, FileSystem } from '../../client/index.ts'
import { sleep, systemRuntime } from '../../core/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { Progress } from '../progress.ts'
import { eachLimited } from './transfer.ts'

const CHUNK_BYTES = 4 * 2 ** 20
/** Longest wait for the report of a worker: some of its heartbeats. */
const REPORT_MS = 3_000
const POLL_MS = 20

export class LoadCommand extends AlluxioCommand {
  static override summary = 'Bring files into Alluxio.'
  static override usage = 'fs load [--local] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = { local: Flags.boolean({ summary: 'to a worker on this host' }) }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(LoadCommand)
    const progress = Progress.of(this.invocation, 'Loading')
    const { signal } = this.invocation
    await this.forEachPath(args.path, async (fs, path) => {
      let last: string | undefined
      const load = async (status: FileStatus): Promise<void> => {
        const already = status.inAlluxioPercentage === 100
        if (!already) {
          progress.expect(status.length)
          await readThrough(fs, status, flags.local, signal, progress)
          last = status.path
        }
        progress.clear()
        this.output.emit(
          () => ({ path: status.path, bytes: status.length, loaded: !already }),
          () => `${status.path} ${already ? 'already in Alluxio fully' : 'loaded'}`,
        )
      }
      await eachLimited(filesBelow(fs, await fs.getStatus(path)), availableParallelism() * 2, load)
      if (last !== undefined) await known(fs, last, signal)
    })
  }
}

/** Workers tell the master of new blocks in their heartbeats, in order: when it knows the last file, it knows all. */
async function known(fs: FileSystem, path: string, signal: AbortSignal): Promise<void> {
  const deadline = systemRuntime.monotonic() + REPORT_MS
  while ((await fs.getStatus(path)).inAlluxioPercentage < 100 && systemRuntime.monotonic() < deadline) {
    await sleep(systemRuntime, POLL_MS, signal)
  }
}

export async function* filesBelow(fs: FileSystem, status: FileStatus): AsyncGenerator<FileStatus> {
  if (!status.folder) return yield status
  for await (const child of fs.list(status.path, { recursive: true })) if (!child.folder) yield child
}

async function readThrough(
  fs: FileSystem,
  status: FileStatus,
  local: boolean,
  signal: AbortSignal,
  progress: Progress,
): Promise<void> {
  const reader = await fs.open(status.path, {
    readType: 'CACHE',
    signal,
    ...(local ? { policy: 'LocalFirst' as const } : {}),
  })
  try {
    for await (const chunk of reader.stream({ chunkBytes: CHUNK_BYTES, signal })) progress.add(chunk.length)
  } finally {
    await reader.close()
  }
}
