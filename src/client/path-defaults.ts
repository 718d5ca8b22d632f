/**
 * The configuration that operators gave to paths (`fsadmin pathConf`), in place of the client's own. Fetched when first
 * needed and again, in the background, when it has grown old; what a call says itself always wins.
 */
import type { Option } from '../core/config/index.ts'
import {
  CONSISTENCY_KEY,
  isAlluxioError,
  isWithin,
  type Log,
  type PathProperties,
  propertiesFor,
  type Runtime,
  SYNC_INTERVAL_KEY,
} from '../core/index.ts'
import type { Client, MasterFs } from '../rpc/index.ts'

export interface PathDefaultsOptions {
  /** Age above which it is fetched again, ms. */
  readonly maxAgeMs: number
}

export interface PathDefaultsModules {
  readonly fs: Client<typeof MasterFs>
  readonly runtime: Runtime
  readonly log: Log
}

type Properties = Readonly<Record<string, string>>

const NOTHING: Properties = Object.freeze({})

export class PathDefaults {
  readonly #options: PathDefaultsOptions
  readonly #modules: PathDefaultsModules
  #entries: readonly PathProperties[] = []
  /** Mounts with a contract of their own. */
  #contracts: readonly string[] = []
  #fetchedMs = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined

  constructor(options: PathDefaultsOptions, modules: PathDefaultsModules) {
    this.#options = options
    this.#modules = modules
  }

  /** What applies to a path. @throws (the first time) what keeps the master from answering */
  of(path: string): Properties | Promise<Properties> {
    if (this.#fetchedMs === Number.NEGATIVE_INFINITY) return this.#fetch().then(() => this.#known(path))
    if (this.#modules.runtime.monotonic() - this.#fetchedMs > this.#options.maxAgeMs) {
      this.#fetch().catch((error: unknown) => {
        this.#modules.log.debug('path configuration not fetched', { error })
      })
    }
    return this.#known(path)
  }

  /** Whether the master itself checks the path with its store as often as was asked for, so that no default of ours does. */
  isChecked(path: string): boolean {
    const properties = this.#known(path)
    if (CONSISTENCY_KEY in properties || SYNC_INTERVAL_KEY in properties) return true
    return this.#contracts.some((mount) => isWithin(path, mount))
  }

  #known(path: string): Properties {
    return this.#entries.length === 0 ? NOTHING : propertiesFor(this.#entries, path)
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#modules.fs
      .pathConf({})
      .catch((error: unknown) => {
        // A master of an earlier release has none.
        if (isAlluxioError(error, 'UNSUPPORTED')) return { entries: [], contracts: [] }
        throw error
      })
      .then(({ entries, contracts = [] }) => {
        this.#entries = entries
        this.#contracts = contracts
        this.#fetchedMs = this.#modules.runtime.monotonic()
      })
      .finally(() => {
        this.#fetching = undefined
      })
    return this.#fetching
  }
}

/** The value of an option for a path, else the client's own. @throws INVALID_ARGUMENT for a value that this client cannot read */
export function pathDefault<T>(properties: Properties, option: Option<T>, own: T): T {
  const text = properties[option.key]
  return text === undefined ? own : option.parse(text)
}
