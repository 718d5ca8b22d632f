/**
 * K5: each persisted file is in the under-store once, whole and under its own name, and nothing else is. Where an outcome
 * stayed unknown (a writer died between object and completion) an object without a file is nobody's fault.
 */
import { tagOf } from '../workload/content.ts'
import type { Checker } from './outcome.ts'

export const persistedChecker: Checker = ({ history, entries, objects, quiet }) => {
  if (!quiet) return []
  const evidence: string[] = []
  const excused = new Set<number>()
  for (const { ask, returnedAt } of history.operations)
    if ('tag' in ask && returnedAt === Infinity && ask.kind !== 'expire') excused.add(ask.tag)
  const byPath = new Map(objects.map((object) => [object.path, object]))
  for (const entry of entries) {
    if (entry.folder || !entry.completed || entry.persistence !== 'PERSISTED') continue
    const object = byPath.get(entry.path)
    if (object === undefined) evidence.push(`${entry.path} is PERSISTED and not in the under-store`)
    else if (object.bytes.length !== entry.length)
      evidence.push(`${entry.path}: ${entry.length} bytes, its object has ${object.bytes.length}`)
  }
  const files = new Map(entries.filter((entry) => !entry.folder).map((entry) => [entry.path, entry]))
  for (const { path, bytes } of objects) {
    const owner = files.get(path)
    if (owner !== undefined && owner.length === bytes.length) continue
    if (excused.has(tagOf(bytes.length))) continue
    evidence.push(
      owner === undefined
        ? `object ${path} (${bytes.length} bytes) has no file`
        : `object ${path} has ${bytes.length} bytes, its file (${owner.persistence}) ${owner.length}`,
    )
  }
  return evidence.length === 0
    ? []
    : [{ checker: 'K5', message: 'the under-store does not mirror what is persisted', evidence }]
}
