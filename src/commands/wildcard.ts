/** Expands `*` in namespace paths and local paths: in any name, any number of times; `\*` is a star. */
import { readdirSync } from 'node:fs'
import type { FileSystem } from '../client/index.ts'
import { AlluxioError, canonicalPath, isAlluxioError, joinPath } from '../core/index.ts'

type Listings = Pick<FileSystem, 'list'>

const STAR = /(?<!\\)\*/

/** The paths that a pattern names, sorted. A pattern without a star is returned as it is, existing or not. */
export async function expandPaths(fs: Listings, pattern: string): Promise<string[]> {
  if (!STAR.test(pattern)) return [canonicalPath(unstar(pattern))]
  const names = canonicalPath(pattern).split('/').slice(1)
  const expand = async (parent: string, at: number): Promise<string[]> => {
    const name = names[at]
    if (name === undefined) return [parent]
    const last = at === names.length - 1
    if (!STAR.test(name))
      return await expandExact(fs, joinPath(parent, unstar(name)), last, () =>
        expand(joinPath(parent, unstar(name)), at + 1),
      )
    const matcher = nameMatcher(name)
    const found: string[] = []
    for (const child of await children(fs, parent)) {
      if (!matcher.test(child.name) || (!last && !child.folder)) continue
      found.push(...(await expand(joinPath(parent, child.name), at + 1)))
    }
    return found
  }
  const paths = await expand('/', 0)
  if (paths.length === 0)
    throw new AlluxioError('NOT_FOUND', `${pattern} does not exist.`, { details: { path: pattern } })
  return paths.sort()
}

async function expandExact(
  fs: Listings,
  path: string,
  last: boolean,
  descend: () => Promise<string[]>,
): Promise<string[]> {
  if (!last) return await descend()
  // The tail after a star, as in /*/file: only where it exists.
  const slash = path.lastIndexOf('/')
  const siblings = await children(fs, slash === 0 ? '/' : path.slice(0, slash))
  return siblings.some((sibling) => sibling.name === path.slice(slash + 1)) ? [path] : []
}

async function children(fs: Listings, path: string): Promise<{ name: string; folder: boolean }[]> {
  const found: { name: string; folder: boolean }[] = []
  try {
    for await (const child of fs.list(path)) {
      // The listing of a file is the file itself.
      if (child.path !== path) found.push({ name: child.name, folder: child.folder })
    }
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) return []
    throw error
  }
  return found
}

/** The local paths that a pattern names; only its names may have stars, as in the shell. */
export function expandLocalPaths(pattern: string): string[] {
  if (!STAR.test(pattern)) return [unstar(pattern)]
  let paths = [pattern.startsWith('/') ? '/' : '']
  for (const name of pattern.split('/').filter((part) => part !== '')) {
    const join = (parent: string, child: string) =>
      parent === '' || parent === '/' ? `${parent}${child}` : `${parent}/${child}`
    paths = STAR.test(name)
      ? paths.flatMap((parent) =>
          localNames(parent)
            .filter((child) => nameMatcher(name).test(child))
            .map((child) => join(parent, child)),
        )
      : paths.map((parent) => join(parent, unstar(name)))
  }
  if (paths.length === 0)
    throw new AlluxioError('NOT_FOUND', `${pattern} does not exist.`, { details: { path: pattern } })
  return paths.sort()
}

function localNames(folder: string): string[] {
  try {
    return readdirSync(folder === '' ? '.' : folder)
  } catch {
    return [] // not a folder: matches nothing
  }
}

export function nameMatcher(pattern: string): RegExp {
  const parts = pattern.split(STAR).map((part) => unstar(part).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's')
}

function unstar(text: string): string {
  return text.replaceAll('\\*', '*')
}
