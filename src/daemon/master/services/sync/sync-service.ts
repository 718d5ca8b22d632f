/** What clients ask about syncs (MasterSync). */
import { canonicalPath } from '../../../../core/index.ts'
import type { Namespace } from '../../../../namespace/index.ts'
import type { Call, Handlers, Infer, MasterSync, SyncJobInfo } from '../../../../rpc/index.ts'
import type { Callers } from '../callers.ts'
import type { MetadataLoader } from '../metadata-loader.ts'
import type { ActiveSync } from './active-sync.ts'
import type { SyncJob, SyncJobs } from './sync-jobs.ts'
import type { SyncTimes } from './sync-times.ts'

type Service = Handlers<typeof MasterSync>

export interface SyncServiceModules {
  readonly namespace: Namespace
  readonly loader: MetadataLoader
  readonly callers: Callers
  readonly jobs: SyncJobs
  readonly active: ActiveSync
  readonly times: SyncTimes
}

/** Longest that an answer waits for the end of a sync. */
const MAX_WAIT_MS = 20_000
const PATHS_PER_ANSWER = 1000

export class SyncService implements Service {
  readonly #modules: SyncServiceModules

  constructor(modules: SyncServiceModules) {
    this.#modules = modules
  }

  readonly begin: Service['begin'] = async ({ path: given, recursive, force, dry }, call) => {
    const path = canonicalPath(given)
    await this.#checkVisible(path, call)
    return { job: infoOf(this.#modules.jobs.begin({ path, recursive, force, dry })) }
  }

  readonly progress: Service['progress'] = async ({ id, waitMs, from }) => {
    const { jobs } = this.#modules
    const job = await jobs.wait(id, Math.min(waitMs, MAX_WAIT_MS))
    return { job: infoOf(job), paths: [...jobs.paths(id, from, PATHS_PER_ANSWER)] }
  }

  readonly cancel: Service['cancel'] = ({ id }) => {
    this.#modules.jobs.cancel(id)
    return {}
  }

  readonly jobs: Service['jobs'] = () => ({ jobs: this.#modules.jobs.all().map(infoOf) })

  readonly want: Service['want'] = async ({ path: given }, call) => {
    const path = canonicalPath(given)
    await this.#checkVisible(path, call)
    this.#modules.times.want(path)
    return {}
  }

  readonly start: Service['start'] = async ({ path: given }, call) => {
    const path = canonicalPath(given)
    await this.#checkVisible(path, call)
    this.#modules.namespace.checks.write(path, this.#modules.callers.of(call.peer.user))
    return { changed: await this.#modules.active.add(path) }
  }

  readonly stop: Service['stop'] = async ({ path: given }, call) => {
    const path = canonicalPath(given)
    const { namespace, callers, active } = this.#modules
    // What has gone meanwhile is everybody's to stop.
    if (namespace.inode(path) !== undefined) namespace.checks.write(path, callers.of(call.peer.user))
    return { changed: await active.remove(path) }
  }

  readonly paths: Service['paths'] = () => ({
    paths: this.#modules.active.list().map(({ error, ...course }) => ({
      ...course,
      ...(error === undefined ? {} : { error }),
    })),
  })

  /** @throws NOT_FOUND, PERMISSION_DENIED */
  async #checkVisible(path: string, call: Call): Promise<void> {
    const { namespace, loader, callers } = this.#modules
    if (namespace.inode(path) === undefined) await loader.find(path)
    await namespace.status(path, callers.of(call.peer.user))
  }
}

function infoOf(job: SyncJob): Infer<typeof SyncJobInfo> {
  const { id, path, recursive, force, dry, state, startedMs, endedMs } = job
  const { pages, entries, added, updated, removed, passed, inconsistent, error } = job
  return {
    ...{ id, path, recursive, force, dry, state, startedMs, endedMs },
    ...{ pages, entries, added, updated, removed, passed, inconsistent },
    ...(error === undefined ? {} : { errorCode: error.code, errorMessage: error.message }),
  }
}
