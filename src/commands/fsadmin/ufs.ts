import type { FileSystem } from '../../client/index.ts'
import { formatBytes } from '../../core/index.ts'
import { AlluxioCommand } from '../command.ts'
import { percent } from '../format.ts'
import type { Output } from '../output.ts'

export class ReportUfs extends AlluxioCommand {
  static override summary = 'List the mounted under-stores with their space.'
  static override usage = 'fsadmin report ufs'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(ReportUfs)
    await this.withFileSystem(async (fs) => {
      this.output.line('Alluxio under storage system information:')
      await printUfs(this.output, fs)
    })
  }
}

/** The form of `fs mount` without arguments too. */
export async function printUfs(output: Output, fs: FileSystem): Promise<void> {
  const mounts = await fs.admin.ufs()
  const uriWidth = Math.max(0, ...mounts.map(({ uri }) => uri.length))
  const pathWidth = Math.max(0, ...mounts.map(({ path }) => path.length))
  for (const mount of mounts) {
    const { uri, path, scheme, capacityBytes, usedBytes, readOnly, shared, options } = mount
    output.emit(
      () => mount,
      () => {
        const used =
          formatBytes(usedBytes) +
          (capacityBytes > 0 && usedBytes >= 0 ? `(${percent(usedBytes, capacityBytes)}%)` : '')
        const properties = Object.entries(options).map(([key, value]) => `${key}=${value}`)
        return (
          `${uri.padEnd(uriWidth)} on ${path.padEnd(pathWidth)} (${scheme}, capacity=${formatBytes(capacityBytes)}, used=${used}, ` +
          `${readOnly ? '' : 'not '}read-only, ${shared ? '' : 'not '}shared, properties={${properties.join(', ')}})`
        )
      },
    )
  }
}
