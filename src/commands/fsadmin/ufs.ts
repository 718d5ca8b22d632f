import type { FileSystem } from '../../client/index.ts'
import { formatBytes } from '../../core/index.ts'
import { AlluxioCommand, Args, Flags } from '../command.ts'
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

const MODES = ['noAccess', 'readOnly', 'readWrite'] as const

export class Ufs extends AlluxioCommand {
  static override summary = 'Put an under-store into maintenance, or end that.'
  static override description =
    'noAccess: the store is not asked for anything; readOnly: nothing is changed in it. What is cached is served, asynchronous persists wait; whatever else needs the store is refused. The mode holds for all mounts of the URI or below it, also later ones, and is kept over restarts.'
  static override usage = 'fsadmin ufs (--mode <noAccess|readOnly|readWrite>|--clean) <ufsURI>'
  static override args = {
    ufsURI: Args.string({
      description: 'URI of the store, or of a folder in it',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    mode: Flags.string({
      options: [...MODES],
      exactlyOne: ['mode', 'clean'],
      summary: 'what may be asked of it',
    }),
    clean: Flags.boolean({
      summary:
        'delete what killed writers left there (Swift: segments without a manifest); not while it is readWrite',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Ufs)
    const mode = flags.mode as (typeof MODES)[number]
    await this.withFileSystem(async (fs) => {
      if (flags.clean) {
        const cleaned = await fs.admin.cleanUfs(args.ufsURI)
        this.output.emit(
          () => ({ uri: args.ufsURI, ...cleaned }),
          () => `Deleted ${cleaned.objects} objects of ${formatBytes(cleaned.bytes)}`,
        )
        return
      }
      const mounts = await fs.admin.setUfsMode(args.ufsURI, mode)
      this.output.emit(
        () => ({ uri: args.ufsURI, mode, mounts }),
        () => 'Ufs mode updated',
      )
    })
  }
}

/** The form of `fs mount` without arguments too. */
export async function printUfs(output: Output, fs: FileSystem): Promise<void> {
  const mounts = await fs.admin.ufs()
  const uriWidth = Math.max(0, ...mounts.map(({ uri }) => uri.length))
  const pathWidth = Math.max(0, ...mounts.map(({ path }) => path.length))
  for (const mount of mounts) {
    const { uri, path, scheme, capacityBytes, usedBytes, readOnly, shared, options, mode } = mount
    output.emit(
      () => mount,
      () => {
        const used =
          formatBytes(usedBytes) +
          (capacityBytes > 0 && usedBytes >= 0 ? `(${percent(usedBytes, capacityBytes)}%)` : '')
        const properties = Object.entries(options).map(([key, value]) => `${key}=${value}`)
        return (
          `${uri.padEnd(uriWidth)} on ${path.padEnd(pathWidth)} (${scheme}, capacity=${formatBytes(capacityBytes)}, used=${used}, ` +
          `${readOnly ? '' : 'not '}read-only, ${shared ? '' : 'not '}shared, properties={${properties.join(', ')}}${mode === undefined ? '' : `, mode=${mode}`})`
        )
      },
    )
  }
}
