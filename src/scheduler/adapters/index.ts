/** The adapters that come with the system, and those of third parties: one module each (`alluxio.hints.adapters`). */
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AlluxioError, toAlluxioError } from '../../core/index.ts'
import type { HintAdapter } from './adapter.ts'
import { flink } from './flink.ts'
import { kubernetes } from './kubernetes.ts'
import { mesos } from './mesos.ts'
import { hadoop, spark, sparkSubmit } from './spark.ts'
import { trino } from './trino.ts'
import { yarn, yarnService } from './yarn.ts'

const BUILT_IN: readonly HintAdapter[] = [
  hadoop,
  spark,
  sparkSubmit,
  flink,
  yarn,
  yarnService,
  mesos,
  kubernetes,
  trino,
]
const OTHER_NAMES: Readonly<Record<string, string>> = { kubernetes: 'k8s' }

export class Adapters {
  readonly #byName: ReadonlyMap<string, HintAdapter>

  constructor(adapters: readonly HintAdapter[] = BUILT_IN) {
    this.#byName = new Map(adapters.map((adapter) => [adapter.name, adapter]))
  }

  get names(): string[] {
    return [...this.#byName.keys()]
  }

  /** @throws INVALID_ARGUMENT, reason ADAPTER_UNKNOWN */
  of(name: string): HintAdapter {
    const adapter = this.#byName.get(OTHER_NAMES[name] ?? name)
    if (adapter !== undefined) return adapter
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `no adapter is called ${JSON.stringify(name)}: there are ${this.names.join(', ')}`,
      {
        reason: 'ADAPTER_UNKNOWN',
      },
    )
  }
}

/**
 * The adapters that come with the system and those of `name=module`: the name of a package, or a path.
 * @throws INVALID_ARGUMENT, reason ADAPTER_BROKEN, for a module that cannot be loaded or exports no adapter
 */
export async function loadAdapters(specs: readonly string[]): Promise<Adapters> {
  const loaded = await Promise.all(specs.map(load))
  return new Adapters([...BUILT_IN, ...loaded])
}

async function load(spec: string): Promise<HintAdapter> {
  const at = spec.indexOf('=')
  const name = spec.slice(0, at).trim()
  const target = spec.slice(at + 1).trim()
  if (at < 1 || target === '') throw broken(spec, 'write name=module')
  const isPath = target.startsWith('.') || isAbsolute(target)
  let module: Record<string, unknown>
  try {
    module = (await import(isPath ? pathToFileURL(resolve(target)).href : target)) as Record<string, unknown>
  } catch (error) {
    throw broken(spec, toAlluxioError(error).message)
  }
  const adapter = (module.default ?? module.adapter) as Partial<HintAdapter> | undefined
  if (
    typeof adapter?.adapt !== 'function' ||
    (adapter.text !== undefined && typeof adapter.text !== 'function')
  )
    throw broken(spec, 'its default export has no function "adapt"')
  const { summary } = adapter
  return {
    name,
    summary: typeof summary === 'string' ? summary : target,
    adapt: adapter.adapt.bind(adapter),
    ...(adapter.text === undefined ? {} : { text: adapter.text.bind(adapter) }),
  }
}

function broken(spec: string, why: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', `alluxio.hints.adapters: ${spec} is no adapter: ${why}`, {
    reason: 'ADAPTER_BROKEN',
  })
}
