/** Descendants of a directory, page by page: depth first, in name order, parents before children. */
import { pathNames, RecordView } from '../core/index.ts'
import { childPath } from './create.ts'
import { ID_BYTES, idKey, keyAfter } from './keys.ts'
import type { Place, Tree } from './tree.ts'

export interface Step {
  readonly path: string
  readonly place: Place & { readonly record: Buffer }
}

/** A directory on the way, and the child behind which the walk goes on. */
interface Level {
  readonly id: number
  readonly path: string
  after: string | undefined
}

const PAGE = 256

/**
 * Up to `limit` inodes behind `cursor` (the path that the page before ended with), beginning with the path itself. What is deleted
 * meanwhile is passed over; what is renamed may be met twice or not at all.
 */
export function walk(
  tree: Tree,
  path: string,
  options: { readonly limit: number; readonly cursor?: string | undefined },
): { readonly steps: Step[]; readonly cursor?: string } {
  const steps: Step[] = []
  const levels: Level[] = []
  if (options.cursor === undefined) {
    const place = path === '/' || tree.directory(parentOf(path)) !== undefined ? tree.place(path) : undefined
    if (place?.record === undefined) return { steps }
    steps.push({ path, place: place as Step['place'] })
    if (place.record[1] === 1) levels.push({ id: new RecordView(place.record).id, path, after: undefined })
  } else resume(tree, path, options.cursor, levels)
  while (levels.length > 0 && steps.length < options.limit) advance(tree, levels, steps, options.limit)
  const last = steps[steps.length - 1]
  return levels.length === 0 || last === undefined ? { steps } : { steps, cursor: last.path }
}

/** The levels between the walk's root and the cursor, as far as they still exist. */
function resume(tree: Tree, path: string, cursor: string, levels: Level[]): void {
  const names = pathNames(cursor).slice(pathNames(path).length)
  let at = path
  for (let i = 0; i <= names.length; i++) {
    const directory = isDirectory(tree, at) ? tree.directory(at) : undefined
    if (directory === undefined) return
    levels.push({ id: directory.id, path: at, after: names[i] })
    if (i < names.length) at = childPath(at, names[i]!)
  }
}

function isDirectory(tree: Tree, path: string): boolean {
  if (path === '/') return true
  const parent = tree.directory(parentOf(path))
  return parent !== undefined && tree.place(path).record?.[1] === 1
}

function advance(tree: Tree, levels: Level[], steps: Step[], limit: number): void {
  const level = levels[levels.length - 1]!
  const start = level.after === undefined ? idKey(level.id) : keyAfter(level.id, level.after)
  const wanted = Math.min(PAGE, limit - steps.length)
  const parent = tree.directory(level.path)
  if (parent === undefined) {
    levels.pop()
    return
  }
  let rows = 0
  for (const { key, value } of tree.store.range('inode', {
    start,
    end: idKey(level.id + 1),
    limit: wanted,
  })) {
    rows++
    const name = key.toString('utf8', ID_BYTES)
    const path = childPath(level.path, name)
    level.after = name
    steps.push({ path, place: { parent, name, key, record: value } })
    if (value[1] === 1) {
      levels.push({ id: new RecordView(value).id, path, after: undefined })
      return
    }
  }
  if (rows < wanted) levels.pop()
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}
