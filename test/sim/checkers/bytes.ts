/** K6: a read gives the bytes that were written, or an error; never others, and never too few. */

import { tagOf } from '../workload/content.ts'
import { describe } from '../workload/history.ts'
import type { Checker } from './outcome.ts'

export const bytesChecker: Checker = ({ history, entries, objects }) => {
  const evidence: string[] = []
  for (const operation of history.operations) {
    const told = operation.told
    if (told?.kind !== 'bytes') continue
    const known = history.lengths.get(tagOf(told.fileLength)) === told.fileLength
    if (told.wrong >= 0 || !known) evidence.push(describe(operation))
  }
  for (const { path, read } of entries)
    if (read !== undefined && 'wrong' in read && read.wrong >= 0)
      evidence.push(`${path} after quiesce: wrong at byte ${read.wrong}`)
  for (const { path, bytes } of objects) {
    const length = history.lengths.get(tagOf(bytes.length))
    if (length !== bytes.length)
      evidence.push(`under-store object ${path}: ${bytes.length} bytes, nobody wrote that`)
  }
  return evidence.length === 0 ? [] : [{ checker: 'K6', message: 'wrong bytes', evidence }]
}
