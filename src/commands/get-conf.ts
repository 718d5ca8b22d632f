import { type Config, declaredOptions, editDistance } from '../core/config/index.ts'
import { parseBytes, parseDuration } from '../core/index.ts'
import '../core/options/index.ts'
import { AlluxioCommand, Args, Flags } from './command.ts'
import { usageError } from './failure.ts'

const UNITS: Readonly<Record<string, { readonly of: 'bytes' | 'duration'; readonly size: number }>> = {
  B: { of: 'bytes', size: 1 },
  KB: { of: 'bytes', size: 2 ** 10 },
  MB: { of: 'bytes', size: 2 ** 20 },
  GB: { of: 'bytes', size: 2 ** 30 },
  TB: { of: 'bytes', size: 2 ** 40 },
  PB: { of: 'bytes', size: 2 ** 50 },
  MS: { of: 'duration', size: 1 },
  S: { of: 'duration', size: 1e3 },
  M: { of: 'duration', size: 6e4 },
  H: { of: 'duration', size: 3.6e6 },
  D: { of: 'duration', size: 8.64e7 },
}

interface Value {
  readonly key: string
  readonly value: string
  readonly source: string
}

export class GetConf extends AlluxioCommand {
  static override summary = 'Print the configuration, or the value of one key.'
  static override description = 'A key that is valid but not set prints an empty line.'
  static override usage = 'getConf [--master] [--source] [--unit <unit>] [key]'
  static override shape = 'list' as const
  static override args = {
    key: Args.string({ description: 'for example alluxio.master.rpc.port', ignoreStdin: true }),
  }
  static override flags = {
    master: Flags.boolean({ summary: 'the configuration that the master runs with' }),
    source: Flags.boolean({ summary: 'also where the value comes from' }),
    unit: Flags.string({
      summary: `convert to a unit: ${Object.keys(UNITS).join(', ')}`,
      options: Object.keys(UNITS),
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(GetConf)
    const config = this.configuration
    const values = flags.master ? await this.#ofMaster() : fromConfig(config)
    if (args.key === undefined) {
      for (const value of values) {
        const { key, source } = value
        this.output.emit(
          () => value,
          () => `${key}=${value.value}${flags.source ? ` (${source})` : ''}`,
        )
      }
      return
    }
    const found = values.find(({ key }) => key === args.key) ?? unset(config, args.key)
    const text = flags.unit === undefined ? found.value : convert(found, flags.unit)
    this.output.emit(
      () => ({ ...found, value: text }),
      () => (flags.source ? `${text} (${found.source})` : text),
    )
  }

  async #ofMaster(): Promise<readonly Value[]> {
    let values: readonly Value[] = []
    await this.withFileSystem(async (fs) => {
      values = await fs.admin.configuration()
    })
    return values
  }
}

function fromConfig(config: Config): Value[] {
  return config.keys().map((key) => {
    const secret = declaredOptions().get(key)?.secret === true
    const value = config.text(key) ?? ''
    return { key, value: secret && value !== '' ? '******' : value, source: config.source(key).source }
  })
}

/** A key of a numbered family that nobody set, such as `…level7.alias`. */
function unset(config: Config, key: string): Value {
  const value = config.text(key)
  if (value !== undefined) return { key, value, source: config.source(key).source }
  const nearest = [...declaredOptions().keys()]
    .map((candidate) => ({ candidate, distance: editDistance(key, candidate, 8) }))
    .filter(({ distance }) => distance < 8)
    .sort((a, b) => a.distance - b.distance)[0]
  throw usageError(
    `${key} is not a valid configuration key`,
    nearest === undefined ? ['All keys: alluxio getConf'] : [`Did you mean ${nearest.candidate}?`],
  )
}

function convert({ key, value }: Value, unitName: string): string {
  const unit = UNITS[unitName]!
  if (value === '') return value
  const amount = unit.of === 'bytes' ? parseBytes(value) : parseDuration(value)
  const type = declaredOptions().get(key)?.type
  if (type !== undefined && type !== unit.of && type !== 'int')
    throw usageError(`${key} is not a quantity in ${unitName}`)
  return String(Math.trunc(amount / unit.size))
}
