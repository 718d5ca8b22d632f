import type { FileStatus } from '../../client/index.ts'
import { PERMISSION_ENABLED } from '../../core/options/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { formatDate, formatMode, sizeText } from '../format.ts'

const SORTS: Readonly<Record<string, (a: FileStatus, b: FileStatus) => number>> = {
  creationTime: (a, b) => a.creationTimeMs - b.creationTimeMs,
  inMemoryPercentage: (a, b) => a.inMemoryPercentage - b.inMemoryPercentage,
  lastAccessTime: (a, b) => a.lastAccessTimeMs - b.lastAccessTimeMs,
  lastModificationTime: (a, b) => a.lastModificationTimeMs - b.lastModificationTimeMs,
  name: (a, b) => byText(a.name, b.name),
  path: (a, b) => byText(a.path, b.path),
  size: (a, b) => a.length - b.length,
}
const TIMESTAMPS = {
  creationTime: (status: FileStatus) => status.creationTimeMs,
  lastAccessTime: (status: FileStatus) => status.lastAccessTimeMs,
  lastModificationTime: (status: FileStatus) => status.lastModificationTimeMs,
} as const

export class Ls extends AlluxioCommand {
  static override summary = 'List files and directories.'
  static override description =
    'Permission, owner, group, size (bytes of a file, number of children of a directory), persistence state, time, percentage in Alluxio (DIR for a directory) and path. (stale) behind a path: its last sync with the under-store failed, what is shown may be old. + behind the permission: see getfacl.'
  static override usage =
    'fs ls [-d|-f|-p|-R/--recursive|-h|--sort=option|--timestamp=option|-r|-m/--omit-mount-info] <path> ...'
  static override examples = ["alluxio fs ls -R '/data/2014*'", 'alluxio fs ls --sort=size -r /']
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = {
    directory: Flags.boolean({ char: 'd', summary: 'list directories as plain files' }),
    force: Flags.boolean({ char: 'f', summary: 'load the metadata of the children from the under-store' }),
    pinned: Flags.boolean({ char: 'p', summary: 'list pinned files only' }),
    recursive: Flags.boolean({ char: 'R', summary: 'list subdirectories too' }),
    human: Flags.boolean({ char: 'h', summary: 'sizes such as 1.50KB' }),
    sort: Flags.string({ options: Object.keys(SORTS), summary: 'order by this field' }),
    timestamp: Flags.string({
      options: Object.keys(TIMESTAMPS),
      default: 'lastModificationTime',
      summary: 'the time to show',
    }),
    reverse: Flags.boolean({ char: 'r', summary: 'reverse the order' }),
    'omit-mount-info': Flags.boolean({ char: 'm', summary: 'accepted for compatibility' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Ls)
    const acl = this.configuration.get(PERMISSION_ENABLED)
    const time = TIMESTAMPS[flags.timestamp as keyof typeof TIMESTAMPS]
    const print = (status: FileStatus): void => {
      if (flags.pinned && !status.pinned) return
      this.output.emit(
        () => status.toJSON(),
        () => lsLine(status, time(status), { acl, human: flags.human }),
      )
    }
    await this.forEachPath(args.path, async (fs, path) => {
      if (flags.directory) return print(await fs.getStatus(path, flags.force ? { syncIntervalMs: 0 } : {}))
      const listing = fs.list(path, {
        recursive: flags.recursive,
        ...(flags.force ? { loadMetadata: 'ALWAYS' as const, syncIntervalMs: 0 } : {}),
      })
      if (flags.sort === undefined && !flags.reverse) {
        for await (const child of listing) print(child)
        return
      }
      const all: FileStatus[] = []
      for await (const child of listing) all.push(child)
      all.sort(SORTS[flags.sort ?? 'path'])
      if (flags.reverse) all.reverse()
      for (const child of all) print(child)
    })
  }
}

/** A line of upstream's form; without permission checks the first three columns are left out. */
export function lsLine(
  status: FileStatus,
  timeMs: number,
  { acl, human }: { readonly acl: boolean; readonly human: boolean },
): string {
  const who = acl
    ? `${formatMode(status.mode, status.folder)}${status.extendedAcl ? '+' : ''}`.padEnd(12) +
      status.owner.padEnd(15) +
      status.group.padEnd(15)
    : ''
  const size = status.folder ? String(status.length) : sizeText(status.length, human)
  const inAlluxio = status.folder ? 'DIR' : `${status.inAlluxioPercentage}%`
  return (
    who +
    size.padStart(15) +
    status.persistenceState.padStart(16) +
    formatDate(timeMs).padStart(24) +
    inAlluxio.padStart(5) +
    ` ${status.path.padEnd(5)}${status.stale ? ' (stale)' : ''}`
  )
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
