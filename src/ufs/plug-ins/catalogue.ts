/** Which plug-in serves a scheme: one that the site's configuration names, else one that is installed. */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { DATA, HOME } from '../../core/options/cluster.options.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import type { StoreModules, UfsFactory } from '../registry.ts'
import { filePlace, installedFolders, packageFolder, packagePlace, plugInPackage } from './packages.ts'
import { type Place, PlugIn, type PlugInLimits } from './plug-in.ts'
import { RemoteStore } from './remote-store.ts'

interface StorePlugInsOptions extends PlugInLimits {
  /** Scheme to module: the name of a package, or a path (relative ones begin with a dot). */
  readonly modules: ReadonlyMap<string, string>
  /** Where packages that the configuration names are looked for, in order: each with the `node_modules` of its own and of the folders above. */
  readonly packageFolders: readonly string[]
  /** What relative paths are relative to. */
  readonly pathFolder: string
  /** Where packages are installed. */
  readonly extensions: string
}

/** A plug-in before it is started. */
interface Source {
  readonly title: string
  readonly locate: () => Place
}

export class StorePlugIns {
  readonly #options: StorePlugInsOptions
  readonly #plugIns = new Map<string, PlugIn>()
  #installed: { readonly stamp: string; readonly homes: ReadonlyMap<string, string> } | undefined

  constructor(options: StorePlugInsOptions) {
    this.#options = options
  }

  /** @throws INVALID_ARGUMENT when `alluxio.underfs.modules` is not a list of scheme=module */
  static of(config: Config): StorePlugIns {
    const extensions = config.get(OPTIONS.EXTENSIONS_DIR)
    return new StorePlugIns({
      ...plugInLimits(config),
      modules: parseModules(config.get(OPTIONS.UFS_MODULES)),
      packageFolders: [extensions, config.get(DATA), config.get(HOME), import.meta.dirname],
      pathFolder: config.get(DATA),
      extensions,
    })
  }

  get schemes(): string[] {
    return [...new Set([...this.#options.modules.keys(), ...this.#installedHomes().keys()])]
  }

  /** The factory of a scheme that a plug-in serves; undefined when none does. What was installed meanwhile counts. */
  factory(scheme: string): UfsFactory | undefined {
    const source = this.#source(scheme)
    if (source === undefined) return undefined
    return {
      schemes: [scheme],
      subject: source.title,
      open: async (uri, options, modules) =>
        RemoteStore.open(this.#plugIn(source, modules), { scheme, uri, options }, modules),
    }
  }

  #source(scheme: string): Source | undefined {
    const name = this.#options.modules.get(scheme)
    if (name !== undefined) {
      return {
        title: `plug-in "${name}", named by ${OPTIONS.UFS_MODULES.key} for ${scheme}://,`,
        locate: () => this.#locate(name),
      }
    }
    const home = this.#installedHomes().get(scheme)
    if (home === undefined) return undefined
    const installed = home.slice(home.lastIndexOf('node_modules/') + 'node_modules/'.length)
    return { title: `plug-in "${installed}"`, locate: () => packagePlace(home) }
  }

  /** The plug-in as it is on the disk now: one that was installed again is another, and what is open stays with the old one. */
  #plugIn(source: Source, { runtime, log }: StoreModules): PlugIn {
    const known = this.#plugIns.get(source.title)
    if (known !== undefined && known.stamp === source.locate().stamp) return known
    const plugIn = new PlugIn({ ...this.#options, ...source }, { runtime, log })
    this.#plugIns.set(source.title, plugIn)
    return plugIn
  }

  #locate(name: string): Place {
    const { packageFolders, pathFolder } = this.#options
    if (/^\.{0,2}\//.test(name)) return filePlace(resolve(pathFolder, name))
    for (const folder of packageFolders) {
      const home = packageFolder(folder, name)
      if (home !== undefined) return packagePlace(home)
    }
    const home = installedFolders(this.#options.extensions).find((installed) => installed.name === name)?.home
    if (home !== undefined) return packagePlace(home)
    throw new AlluxioError(
      'NOT_FOUND',
      `no package of that name in ${packageFolders.map((folder) => join(folder, 'node_modules')).join(', ')}`,
    )
  }

  /** Scheme to package. Looked for again when the folder has changed: installing renames a folder into it. */
  #installedHomes(): ReadonlyMap<string, string> {
    const { extensions } = this.#options
    const stats = statSync(extensions, { throwIfNoEntry: false })
    const stamp = stats === undefined ? '' : `${stats.ino}:${stats.mtimeMs}`
    if (this.#installed?.stamp === stamp) return this.#installed.homes
    const homes = new Map<string, string>()
    for (const { home } of stats === undefined ? [] : installedFolders(extensions)) {
      for (const scheme of schemesOf(home)) if (!homes.has(scheme)) homes.set(scheme, home)
    }
    this.#installed = { stamp, homes }
    return homes
  }
}

export function plugInLimits(config: Config): PlugInLimits {
  return {
    timeoutMs: config.get(OPTIONS.UFS_TIMEOUT),
    memoryBytes: config.get(OPTIONS.UFS_PLUGIN_MEMORY),
    silentMs: config.get(OPTIONS.UFS_PLUGIN_SILENCE),
    failuresMost: config.get(OPTIONS.UFS_PLUGIN_FAILURES),
    failureWindowMs: config.get(OPTIONS.UFS_PLUGIN_WINDOW),
  }
}

/** Packages that are no plug-ins serve nothing; `alluxio extensions ls` tells what is wrong with them. */
function schemesOf(home: string): readonly string[] {
  try {
    return plugInPackage(home).schemes
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    return []
  }
}

function parseModules(pairs: readonly string[]): Map<string, string> {
  const modules = new Map<string, string>()
  for (const pair of pairs) {
    const [, scheme, name] = /^([a-z][a-z0-9+.-]*)=(.+)$/.exec(pair) ?? []
    if (scheme === undefined || name === undefined || modules.has(scheme)) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `${OPTIONS.UFS_MODULES.key}: "${pair}" ${scheme === undefined ? 'is not scheme=module' : 'names a scheme for the second time'}`,
        { reason: 'INVALID_CONFIGURATION' },
      )
    }
    modules.set(scheme, name.trim())
  }
  return modules
}
