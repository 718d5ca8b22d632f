/** The list of pins as the master sends it. */
import type { FileId } from '../../../core/index.ts'
import type { PinnedFiles } from '../../../store/index.ts'
import { decodeIds } from './block-report.ts'
import type { Command } from './persist.ts'

const ANY_MEDIUM: readonly string[] = []

export function pinnedFiles({ ids, mediaPins = [] }: Pick<Command, 'ids' | 'mediaPins'>): PinnedFiles {
  const files = new Map<FileId, readonly string[]>()
  if (ids !== undefined) for (const id of decodeIds(ids)) files.set(id as FileId, ANY_MEDIUM)
  for (const { media, ids: pinned } of mediaPins) {
    for (const id of decodeIds(pinned)) files.set(id as FileId, media)
  }
  return files
}
