import { parseDuration, type TtlAction } from '../../core/index.ts'
import { AlluxioCommand, Args, Flags, PATH } from '../command.ts'
import { usageError } from '../failure.ts'

export class SetTtl extends AlluxioCommand {
  static override summary =
    'Let a path expire: it is deleted (also in the under-store) or freed after a time.'
  static override usage = 'fs setTtl [--action delete|free] <path> <time to live>'
  static override examples = ['alluxio fs setTtl --action free /data/day1 1d']
  static override shape = 'list' as const
  static override args = {
    ...PATH,
    ttl: Args.string({
      description: 'milliseconds, or with a unit: 30s, 10min, 2h, 1d',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    action: Flags.string({
      default: 'delete',
      summary: 'what happens then: delete (also under-store data) or free',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SetTtl)
    const ttlAction = flags.action.toUpperCase()
    if (ttlAction !== 'DELETE' && ttlAction !== 'FREE') {
      throw usageError(`TTL action should be delete OR free, not ${flags.action}`)
    }
    const ttlMs = parseDuration(args.ttl)
    if (ttlMs < 0)
      throw usageError(`${args.ttl} is not valid time`, ['To remove a TTL: alluxio fs unsetTtl <path>'])
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { ttlMs, ttlAction: ttlAction as TtlAction, recursive: true })
      this.output.emit(
        () => ({ path, ttl: ttlMs, ttlAction }),
        () =>
          `TTL of path '${path}' was successfully set to ${ttlMs} milliseconds, with expiry action set to ${ttlAction}`,
      )
    })
  }
}

export class UnsetTtl extends AlluxioCommand {
  static override summary = 'Let a path stay for ever again.'
  static override usage = 'fs unsetTtl <path>'
  static override shape = 'list' as const
  static override args = PATH

  override async run(): Promise<void> {
    const { args } = await this.parse(UnsetTtl)
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { ttlMs: -1, recursive: true })
      this.output.emit(
        () => ({ path, ttl: -1 }),
        () => `TTL of file '${path}' was successfully removed.`,
      )
    })
  }
}
