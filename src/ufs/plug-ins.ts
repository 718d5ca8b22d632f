/**
 * Stores of third parties, by the modules that the configuration names (`alluxio.underfs.modules`). Owns finding and
 * loading such a module and judging what it exports; a module that cannot be loaded, hangs or is no store fails the mounts
 * of its scheme with an error that names it, and nothing else. Modules come from the site's configuration alone: what a
 * client sends with a mount names no code.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Config } from '../core/config/index.ts'
import { AlluxioError, type ErrorCode, type Runtime, toAlluxioError } from '../core/index.ts'
import { DATA, HOME } from '../core/options/cluster.options.ts'
import { EXTENSIONS_DIR, UFS_MODULES, UFS_TIMEOUT } from '../core/options/ufs.options.ts'
import type { StoreModules, UfsFactory, UfsOptions } from './registry.ts'
import type { UfsCapabilities, UnderStore } from './store.ts'
import type { UfsUri } from './uri.ts'

interface StorePlugInsOptions {
  /** Scheme to module: the name of a package, or a path (relative ones begin with a dot). */
  readonly modules: ReadonlyMap<string, string>
  /** Where packages are looked for, in order: each with the `node_modules` of its own and of the folders above. */
  readonly packageFolders: readonly string[]
  /** What relative paths are relative to. */
  readonly pathFolder: string
  /** Milliseconds that a module may take to load, and to open a store. */
  readonly timeoutMs: number
}

export class StorePlugIns {
  readonly #options: StorePlugInsOptions

  constructor(options: StorePlugInsOptions) {
    this.#options = options
  }

  /** @throws INVALID_ARGUMENT when `alluxio.underfs.modules` is not a list of scheme=module */
  static of(config: Config): StorePlugIns {
    return new StorePlugIns({
      modules: parseModules(config.get(UFS_MODULES)),
      packageFolders: [config.get(EXTENSIONS_DIR), config.get(DATA), config.get(HOME), import.meta.dirname],
      pathFolder: config.get(DATA),
      timeoutMs: config.get(UFS_TIMEOUT),
    })
  }

  get schemes(): string[] {
    return [...this.#options.modules.keys()]
  }

  /** The factory of a scheme that a module serves; undefined when none does. */
  factory(scheme: string): UfsFactory | undefined {
    const name = this.#options.modules.get(scheme)
    if (name === undefined) return undefined
    return { schemes: [scheme], open: (...args) => this.#open(new PlugIn(name, scheme), ...args) }
  }

  async #open(plugIn: PlugIn, uri: UfsUri, options: UfsOptions, modules: StoreModules): Promise<UnderStore> {
    const { timeoutMs } = this.#options
    const { runtime } = modules
    const exported = await limited(runtime, timeoutMs, plugIn, 'load', () => this.#import(plugIn))
    const factory = plugIn.factory(exported)
    const store = await limited(
      runtime,
      timeoutMs,
      plugIn,
      `open ${uri.text}`,
      () => factory.open(uri, options, modules),
      (late) => void late?.close?.()?.catch?.(() => {}),
    )
    return plugIn.store(store)
  }

  async #import(plugIn: PlugIn): Promise<unknown> {
    const module: unknown = await import(pathToFileURL(this.#resolve(plugIn)).href)
    return (module as { readonly default?: unknown }).default
  }

  #resolve({ name }: PlugIn): string {
    const { packageFolders, pathFolder } = this.#options
    if (/^\.{0,2}\//.test(name)) return resolve(pathFolder, name)
    for (const folder of packageFolders) {
      const found = packageEntry(folder, name)
      if (found !== undefined) return found
    }
    throw new AlluxioError(
      'NOT_FOUND',
      `no package of that name in ${packageFolders.map((folder) => join(folder, 'node_modules')).join(', ')}`,
    )
  }
}

/** The file that `import` of a package would load, seen from a folder: Node.js resolves only for the module that imports. */
function packageEntry(from: string, name: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const home = join(folder, 'node_modules', name)
    const description = join(home, 'package.json')
    if (existsSync(description)) {
      const { exports, main } = JSON.parse(readFileSync(description, 'utf8')) as Record<string, unknown>
      return join(home, exportedFile(exports) ?? (typeof main === 'string' ? main : 'index.js'))
    }
    if (folder === dirname(folder)) return undefined
  }
}

/** What a field `exports` says of the package itself. */
function exportedFile(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  for (const [key, value] of Object.entries(exports)) {
    if (!['.', 'node', 'import', 'module-sync', 'default'].includes(key)) continue
    const file = exportedFile(value)
    if (file !== undefined) return file
  }
  return undefined
}

/** A module by name, for its errors. */
class PlugIn {
  readonly name: string
  readonly scheme: string

  constructor(name: string, scheme: string) {
    this.name = name
    this.scheme = scheme
  }

  factory(exported: unknown): UfsFactory {
    const factory = exported as Partial<UfsFactory> | null | undefined
    if (typeof factory?.open !== 'function' || !Array.isArray(factory.schemes)) {
      throw this.error(
        'INVALID_ARGUMENT',
        'has no default export of the form { schemes, open(uri, options, modules) }',
      )
    }
    if (!factory.schemes.includes(this.scheme)) {
      throw this.error('INVALID_ARGUMENT', `serves ${factory.schemes.join(', ')}, not ${this.scheme}`)
    }
    return factory as UfsFactory
  }

  store(opened: unknown): UnderStore {
    const store = (opened ?? {}) as Record<string, unknown>
    const capabilities = (store.capabilities ?? {}) as Record<string, unknown>
    const missing = [
      ...METHODS.filter((method) => typeof store[method] !== 'function').map((method) => `${method}()`),
      ...Object.entries(CAPABILITIES)
        .filter(([key, type]) => typeof capabilities[key] !== type)
        .map(([key, type]) => `capabilities.${key} (a ${type})`),
    ]
    if (missing.length > 0)
      throw this.error('INVALID_ARGUMENT', `opened a store that lacks ${missing.join(', ')}`)
    return opened as UnderStore
  }

  error(code: ErrorCode, what: string, cause?: unknown): AlluxioError {
    return new AlluxioError(
      code,
      `module "${this.name}", named by ${UFS_MODULES.key} for ${this.scheme}://, ${what}`,
      { reason: 'UFS_MODULE', operation: 'ufs.open', details: { module: this.name }, cause },
    )
  }
}

const METHODS = [
  'open',
  'create',
  'status',
  'list',
  'mkdir',
  'delete',
  'rename',
  'space',
  'setAttributes',
  'close',
] as const satisfies readonly (keyof UnderStore)[]

const CAPABILITIES: Readonly<Record<keyof UfsCapabilities, 'boolean' | 'number'>> = {
  atomicRename: 'boolean',
  directoryRename: 'boolean',
  directories: 'boolean',
  etag: 'boolean',
  conditionalCreate: 'boolean',
  objectMetadata: 'boolean',
  posix: 'boolean',
  space: 'boolean',
  orderedList: 'boolean',
  bestRangeBytes: 'number',
  bestRangeParallelism: 'number',
}

function parseModules(pairs: readonly string[]): Map<string, string> {
  const modules = new Map<string, string>()
  for (const pair of pairs) {
    const [, scheme, name] = /^([a-z][a-z0-9+.-]*)=(.+)$/.exec(pair) ?? []
    if (scheme === undefined || name === undefined || modules.has(scheme)) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `${UFS_MODULES.key}: "${pair}" ${scheme === undefined ? 'is not scheme=module' : 'names a scheme for the second time'}`,
        { reason: 'INVALID_CONFIGURATION' },
      )
    }
    modules.set(scheme, name.trim())
  }
  return modules
}

/** Runs one step of a module: what it throws names the module, and what takes too long is given up. */
function limited<T>(
  runtime: Runtime,
  ms: number,
  plugIn: PlugIn,
  step: string,
  run: () => Promise<T>,
  onLate: (value: T) => void = () => {},
): Promise<T> {
  return new Promise((fulfil, reject) => {
    let late = false
    const cancel = runtime.after(ms, () => {
      late = true
      reject(plugIn.error('TIMEOUT', `did not ${step} within ${ms / 1000} s`))
    })
    Promise.resolve()
      .then(run)
      .then(
        (value) => {
          cancel()
          if (late) onLate(value)
          else fulfil(value)
        },
        (error: unknown) => {
          cancel()
          const { code, message } = toAlluxioError(error)
          // A code that the store chose is its word to the caller, such as for wrong credentials.
          reject(
            plugIn.error(
              code === 'INTERNAL' ? 'INVALID_ARGUMENT' : code,
              `failed to ${step}: ${message}`,
              error,
            ),
          )
        },
      )
  })
}
