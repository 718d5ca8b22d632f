/**
 * Installs packages of npm as extensions of this host. Each has a folder of its own below `alluxio.extensions.dir`, with its own
 * package.json, lock and dependencies, so that none disturbs another; it is made beside, judged, and renamed into its place.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, type Log, type Runtime, toAlluxioError } from '../../core/index.ts'
import { EXTENSIONS_DIR } from '../../core/options/ufs.options.ts'
import { plugInLimits } from './catalogue.ts'
import { npmInstall } from './npm.ts'
import {
  extensionFolder,
  installedFolders,
  type PlugInPackage,
  packagePlace,
  plugInPackage,
} from './packages.ts'
import type { PlugInLimits } from './plug-in.ts'
import { Session } from './session.ts'

export type Extension = PlugInPackage

export interface ExtensionState extends Extension {
  /** Why it cannot be used; undefined when it loads. */
  readonly error?: AlluxioError
}

export interface ExtensionsModules {
  readonly runtime: Runtime
  readonly log: Log
  /** Schemes that need no extension. */
  readonly builtIn: readonly string[]
}

export class Extensions {
  readonly #folder: string
  readonly #limits: PlugInLimits
  readonly #modules: ExtensionsModules

  constructor(config: Config, modules: ExtensionsModules) {
    this.#folder = config.get(EXTENSIONS_DIR)
    this.#limits = plugInLimits(config)
    this.#modules = modules
  }

  /**
   * Installs a package by its name, or from a folder or tarball. One of the same name is replaced.
   * @param options.force takes over schemes of built-in stores
   * @throws INVALID_ARGUMENT when it is no store plug-in or does not load; CONFLICT when it claims a scheme that is taken
   */
  async install(
    source: string,
    options: { readonly registry?: string; readonly force?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Extension> {
    await mkdir(this.#folder, { recursive: true })
    const draft = join(this.#folder, `.draft-${randomUUID()}`)
    await mkdir(draft)
    try {
      await writeFile(join(draft, 'package.json'), `${JSON.stringify({ private: true })}\n`)
      await npmInstall(await sourceSpec(source), { folder: draft, ...options })
      const name = await installedName(draft)
      const found = plugInPackage(join(draft, 'node_modules', name))
      this.#checkSchemes(found, options.force === true)
      await this.#checkLoads(found)
      const folder = extensionFolder(this.#folder, name)
      await this.#remove(folder)
      await rename(draft, folder)
      return { ...found, path: join(folder, 'node_modules', name) }
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }

  /** @throws NOT_FOUND */
  async uninstall(name: string): Promise<void> {
    const folder = extensionFolder(this.#folder, name)
    if (!installedFolders(this.#folder).some((installed) => installed.name === name)) {
      const names = installedFolders(this.#folder).map((installed) => installed.name)
      throw new AlluxioError('NOT_FOUND', `no extension is called ${name}`, {
        details: {
          suggestions: [names.length === 0 ? 'None is installed.' : `Installed: ${names.join(', ')}`],
        },
      })
    }
    await this.#remove(folder)
  }

  /** Every extension, loaded in a thread to see whether it can be. */
  async *list(): AsyncGenerator<ExtensionState> {
    for (const { name, home } of installedFolders(this.#folder)) {
      let found: Extension = { name, version: '', schemes: [], path: home }
      try {
        found = plugInPackage(home)
        await this.#checkLoads(found)
        yield found
      } catch (error) {
        yield { ...found, error: toAlluxioError(error) }
      }
    }
  }

  #checkSchemes({ name, schemes }: Extension, force: boolean): void {
    for (const { name: other, home } of installedFolders(this.#folder)) {
      if (other === name) continue
      const taken = schemesOf(home).filter((scheme) => schemes.includes(scheme))
      if (taken.length > 0) {
        throw new AlluxioError('CONFLICT', `${name} claims ${shown(taken)}, which ${other} serves`, {
          reason: 'UFS_SCHEME_TAKEN',
          details: { suggestions: [`Take that one out first: alluxio extensions uninstall ${other}`] },
        })
      }
    }
    const ours = schemes.filter((scheme) => this.#modules.builtIn.includes(scheme))
    if (ours.length > 0 && !force) {
      throw new AlluxioError('CONFLICT', `${name} claims ${shown(ours)}, which Alluxio itself serves`, {
        reason: 'UFS_SCHEME_TAKEN',
        details: { suggestions: ['Write --force if it is to take its place.'] },
      })
    }
  }

  async #checkLoads({ name, schemes, path }: Extension): Promise<void> {
    const { runtime, log } = this.#modules
    const options = { ...this.#limits, title: `plug-in "${name}"`, url: packagePlace(path).url }
    const session = await Session.start(options, { runtime, log, onDeath: () => {} })
    const missing = schemes.filter((scheme) => !session.schemes.includes(scheme))
    session.stop()
    if (missing.length === 0) return
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${name} says in its package.json that it serves ${shown(missing)}, but its module does not`,
      { reason: 'UFS_MODULE' },
    )
  }

  /** Renamed first: a daemon that looks meanwhile sees all of it or nothing. */
  async #remove(folder: string): Promise<void> {
    if (!existsSync(folder)) return
    const old = join(this.#folder, `.old-${randomUUID()}`)
    await rename(folder, old)
    await rm(old, { recursive: true, force: true })
  }
}

/** What npm is to install. A path is one when it exists or looks like one. */
async function sourceSpec(source: string): Promise<string> {
  const path = resolve(source)
  const found = await stat(path).catch(() => undefined)
  const looksLocal = /^(\.{0,2}\/|file:)/.test(source) || /\.(tgz|tar\.gz|tar)$/.test(source)
  if (found !== undefined && (looksLocal || found.isDirectory())) return `file:${path}`
  if (looksLocal)
    throw new AlluxioError('NOT_FOUND', `${path} does not exist: name a folder or a tarball of a package`)
  if (/^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~][\w.~-]*(@[\w.^~<>=*+-]+)?$/.test(source)) return source
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `"${source}" is neither a package (name or name@version), a folder nor a tarball`,
    {
      reason: 'USAGE',
    },
  )
}

async function installedName(draft: string): Promise<string> {
  const { dependencies = {} } = JSON.parse(await readFile(join(draft, 'package.json'), 'utf8')) as {
    readonly dependencies?: Readonly<Record<string, string>>
  }
  const [name] = Object.keys(dependencies)
  if (name === undefined) throw new AlluxioError('INVALID_ARGUMENT', 'npm installed no package')
  return name
}

function schemesOf(home: string): readonly string[] {
  try {
    return plugInPackage(home).schemes
  } catch {
    return [] // it serves nothing
  }
}

function shown(schemes: readonly string[]): string {
  return schemes.map((scheme) => `${scheme}://`).join(', ')
}
