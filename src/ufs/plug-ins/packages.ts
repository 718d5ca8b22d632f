/** Packages of npm on the disk: where they are, what they say of themselves, and which file they begin with. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import type { Place } from './plug-in.ts'

/** What `package.json` of a plug-in says. */
export interface PlugInPackage {
  readonly name: string
  readonly version: string
  readonly schemes: readonly string[]
  /** Folder of the package. */
  readonly path: string
}

/** The folder of a package, seen from another folder: Node.js resolves only for the module that imports. */
export function packageFolder(from: string, name: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const home = join(folder, 'node_modules', name)
    if (existsSync(join(home, 'package.json'))) return home
    if (folder === dirname(folder)) return undefined
  }
}

export function packagePlace(home: string): Place {
  const { exports, main } = description(home)
  const entry = join(home, exportedFile(exports) ?? (typeof main === 'string' ? main : 'index.js'))
  return { url: pathToFileURL(entry).href, stamp: `${stampOf(join(home, 'package.json'))} ${stampOf(entry)}` }
}

export function filePlace(file: string): Place {
  return { url: pathToFileURL(file).href, stamp: stampOf(file) }
}

/**
 * The package as a store plug-in.
 * @throws INVALID_ARGUMENT when its package.json does not say that it is one
 */
export function plugInPackage(home: string): PlugInPackage {
  const { name, version, alluxio } = description(home)
  const { ufs } = (alluxio ?? {}) as { readonly ufs?: { readonly schemes?: unknown } }
  const schemes: unknown = ufs?.schemes
  const good =
    Array.isArray(schemes) &&
    schemes.length > 0 &&
    schemes.every((scheme) => /^[a-z][a-z0-9+.-]*$/.test(scheme))
  if (!good) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${String(name)} is no store plug-in: its package.json needs "alluxio": { "ufs": { "schemes": ["…"] } }, in small letters`,
      { reason: 'UFS_MODULE' },
    )
  }
  return { name: String(name), version: String(version ?? ''), schemes: schemes as string[], path: home }
}

/** What is installed in the folder of extensions, each package in a folder of its own with what it depends on. */
export function installedFolders(extensions: string): { readonly name: string; readonly home: string }[] {
  let folders: string[]
  try {
    folders = readdirSync(extensions)
  } catch {
    return [] // nothing was ever installed
  }
  return folders
    .filter((folder) => !folder.startsWith('.'))
    .map((folder) => {
      const name = folder.replace('+', '/')
      return { name, home: join(extensions, folder, 'node_modules', name) }
    })
    .filter(({ home }) => existsSync(join(home, 'package.json')))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The folder of an extension; npm's names have no plus sign. */
export function extensionFolder(extensions: string, name: string): string {
  return join(extensions, name.replace('/', '+'))
}

function description(home: string): Record<string, unknown> {
  const file = join(home, 'package.json')
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new AlluxioError('INVALID_ARGUMENT', `${file} is no JSON: ${error.message}`, {
        reason: 'UFS_MODULE',
      })
    }
    throw fromErrno(error, 'read', file)
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

/** Changes with the file; '' while there is none. */
function stampOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.ino}:${stats.size}:${stats.mtimeMs}`
}
