/** K2: what was acknowledged is there after recovery, and readable as its write type promised. */
import type { Checker, FinalEntry } from './outcome.ts'

export const recoveryChecker: Checker = ({ kept, entries, cacheLost, quiet }) => {
  if (!quiet) return []
  const byPath = new Map<string, FinalEntry>(entries.map((entry) => [entry.path, entry]))
  const evidence: string[] = []
  for (const { path, length, writeType } of kept) {
    const entry = byPath.get(path)
    const promised = writeType === 'THROUGH' || writeType === 'CACHE_THROUGH' || !cacheLost
    if (entry === undefined) evidence.push(`${path} (${writeType}, ${length} bytes) is gone`)
    else if (!entry.completed || entry.length !== length)
      evidence.push(
        `${path} (${writeType}): completed ${entry.completed}, ${entry.length} bytes instead of ${length}`,
      )
    else if (promised && (entry.read === undefined || 'error' in entry.read))
      evidence.push(
        `${path} (${writeType}, ${entry.persistence}) cannot be read: ${JSON.stringify(entry.read)}`,
      )
  }
  return evidence.length === 0 ? [] : [{ checker: 'K2', message: 'acknowledged files are lost', evidence }]
}
