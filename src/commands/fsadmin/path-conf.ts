import { canonicalPath, propertiesFor } from '../../core/index.ts'
import { AlluxioCommand, EXACT_PATH, Flags } from '../command.ts'
import { usageError } from '../failure.ts'
import { parsePairs } from '../pairs.ts'

export class PathConfList extends AlluxioCommand {
  static override summary = 'List the paths that have a configuration of their own.'
  static override usage = 'fsadmin pathConf list'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(PathConfList)
    await this.withFileSystem(async (fs) => {
      for (const { path, properties } of await fs.admin.pathConf()) {
        this.output.emit(
          () => ({ path, properties }),
          () => path,
        )
      }
    })
  }
}

export class PathConfShow extends AlluxioCommand {
  static override summary = 'Show the configuration of a path.'
  static override usage = 'fsadmin pathConf show [--all] <path>'
  static override args = EXACT_PATH
  static override flags = {
    all: Flags.boolean({
      summary: 'all that applies to the path: for each key the longest path that sets it',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(PathConfShow)
    const path = canonicalPath(args.path)
    await this.withFileSystem(async (fs) => {
      const entries = await fs.admin.pathConf()
      const own = entries.find((entry) => entry.path === path)?.properties ?? {}
      const properties = flags.all ? propertiesFor(entries, path) : own
      const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`)
      if (lines.length === 0 && this.output.json === 'off') return
      this.output.emit(
        () => ({ path, properties }),
        () => lines.sort().join('\n'),
      )
    })
  }
}

export class PathConfAdd extends AlluxioCommand {
  static override summary = 'Set properties of a path and all below it.'
  static override description =
    'Any key of clients (alluxio.user.…), and alluxio.user.file.consistency: immutable, ttl(10s), validate-on-open or strict, see docs/reference/consistency.md. For each key the longest path that sets it wins. Clients apply a change within alluxio.user.conf.sync.interval, the master at once.'
  static override usage = 'fsadmin pathConf add --property <key=value> [--property <key=value>] <path>'
  static override examples = [
    "alluxio fsadmin pathConf add --property 'alluxio.user.file.consistency=ttl(1min)' /data",
    'alluxio fsadmin pathConf add --property alluxio.user.file.writetype.default=CACHE_THROUGH /out',
  ]
  static override args = EXACT_PATH
  static override flags = {
    property: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      required: true,
      helpValue: '<key=value>',
      summary: 'a property; may be repeated',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(PathConfAdd)
    const path = canonicalPath(args.path)
    const set = parsePairs('--property', flags.property)
    await this.withFileSystem(async (fs) => {
      await fs.admin.setPathConf(path, { set })
      this.output.emit(
        () => ({ path, set }),
        () => `Configured ${path}: ${Object.keys(set).join(', ')}`,
      )
    })
  }
}

export class PathConfRemove extends AlluxioCommand {
  static override summary = 'Remove properties of a path.'
  static override usage = 'fsadmin pathConf remove --keys <key,key> <path>'
  static override args = EXACT_PATH
  static override flags = {
    keys: Flags.string({ required: true, helpValue: '<key,key>', summary: 'the keys, with commas between' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(PathConfRemove)
    const path = canonicalPath(args.path)
    const keys = flags.keys
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== '')
    if (keys.length === 0) throw usageError('--keys names no key')
    await this.withFileSystem(async (fs) => {
      await fs.admin.setPathConf(path, { remove: keys })
      this.output.emit(
        () => ({ path, removed: keys }),
        () => `Removed of ${path}: ${keys.join(', ')}`,
      )
    })
  }
}
