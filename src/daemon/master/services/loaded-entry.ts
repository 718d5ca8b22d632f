import type { LoadedEntry } from '../../../namespace/index.ts'
import type { UfsStatus } from '../../../ufs/index.ts'

/** What the namespace takes over of an entry that a store has. */
export function loadedEntry(status: UfsStatus, name: string): LoadedEntry {
  const { directory, length, modifiedMs, fingerprint, mode, owner, group } = status
  return {
    name,
    directory,
    length,
    modifiedMs,
    fingerprint,
    ...(mode === undefined ? {} : { mode }),
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
  }
}
