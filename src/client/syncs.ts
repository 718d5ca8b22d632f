/** Syncs of the namespace with its under-stores: jobs of the master that a client begins and watches. */
import { AlluxioError, canonicalPath, type ErrorCode } from '../core/index.ts'
import type { Client, Infer, MasterSync, SyncJobInfo } from '../rpc/index.ts'
import type { SyncProgress, Syncs } from './types.ts'

type Master = Client<typeof MasterSync>
type Job = Infer<typeof SyncJobInfo>

/** How long one call waits for the end: also how often progress is told. */
const WAIT_MS = 500

export function syncsOf(master: Master): Syncs {
  return {
    async run(path, options = {}) {
      const { recursive = true, force = true, dry = false, signal } = options
      signal?.throwIfAborted()
      const { job } = await master.begin({ path: canonicalPath(path), recursive, force, dry })
      try {
        return await watched(master, job.id, options)
      } catch (error) {
        if (signal?.aborted) await master.cancel({ id: job.id }).catch(() => {})
        throw error
      }
    },
    want: async (path) => {
      await master.want({ path: canonicalPath(path) })
    },
    start: async (path) => (await master.start({ path: canonicalPath(path) })).changed,
    stop: async (path) => (await master.stop({ path: canonicalPath(path) })).changed,
    paths: async () => (await master.paths({})).paths,
    all: async () => (await master.jobs({})).jobs.map(progressOf),
  }
}

async function watched(
  master: Master,
  id: number,
  { signal, onProgress, onInconsistent }: NonNullable<Parameters<Syncs['run']>[1]>,
): Promise<SyncProgress> {
  for (let from = 0; ; ) {
    const { job, paths } = await master.progress(
      { id, waitMs: WAIT_MS, from },
      signal === undefined ? undefined : { signal },
    )
    signal?.throwIfAborted()
    for (const path of paths) onInconsistent?.(path)
    from += paths.length
    onProgress?.(progressOf(job))
    if (job.endedMs === 0 || paths.length > 0) continue
    if (job.errorCode === undefined) return progressOf(job)
    throw new AlluxioError(job.errorCode as ErrorCode, job.errorMessage ?? 'the sync failed', {
      details: { path: job.path },
    })
  }
}

function progressOf(job: Job): SyncProgress {
  const { id, path, state, startedMs, endedMs } = job
  const { pages, entries, added, updated, removed, passed, inconsistent } = job
  return {
    id,
    path,
    state,
    startedMs,
    endedMs,
    pages,
    entries,
    added,
    updated,
    removed,
    passed,
    inconsistent,
  }
}
