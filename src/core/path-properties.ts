/** Configuration by path: for each key the longest path that sets it wins. */
import { isWithin } from './paths.ts'

export interface PathProperties {
  /** Canonical. */
  readonly path: string
  readonly properties: Readonly<Record<string, string>>
}

/** What of some entries applies to a path. */
export function propertiesFor(
  entries: readonly PathProperties[],
  path: string,
): Readonly<Record<string, string>> {
  const above = entries
    .filter((entry) => isWithin(path, entry.path))
    .sort((a, b) => a.path.length - b.path.length)
  return Object.assign({}, ...above.map(({ properties }) => properties))
}
