/** Makes the folders of a new cluster, and removes what an old one left: metadata and cached blocks, never under-stores. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import { DAEMONS, daemonFacts } from './facts.ts'
import { runningProcess } from './pid-file.ts'

export interface Formatting {
  readonly metastore: string
  readonly workerFolders: readonly string[]
}

/** The folders that hold something and would be emptied. */
export function whatFormatDeletes(config: Config): Formatting {
  const metastore = resolve(config.get(o.MASTER_METASTORE_DIR))
  return {
    metastore: holdsSomething(metastore) ? metastore : '',
    workerFolders: workerFolders(config).filter(holdsSomething),
  }
}

/** @throws CONFLICT while a daemon of this data folder runs */
export function format(config: Config): Formatting {
  for (const name of DAEMONS) {
    const running = runningProcess(daemonFacts(config, name).pidFile)
    if (running === undefined) continue
    throw new AlluxioError(
      'CONFLICT',
      `the ${name} runs (pid ${running.pid}): its data cannot be formatted under it`,
      {
        reason: 'DAEMON_RUNS',
        details: { suggestions: ['Stop it first: alluxio stop'] },
      },
    )
  }
  const metastore = resolve(config.get(o.MASTER_METASTORE_DIR))
  const folders = workerFolders(config)
  try {
    for (const folder of [metastore, ...folders]) empty(folder)
    for (const folder of [resolve(config.get(o.DATA)), metastore, resolve(config.get(o.LOGS_DIR))]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
    const root = config.get(o.ROOT_UFS).replace(/^file:\/\//, '')
    if (root.startsWith('/')) mkdirSync(root, { recursive: true })
  } catch (error) {
    throw fromErrno(error, 'format', resolve(config.get(o.DATA)))
  }
  return { metastore, workerFolders: folders }
}

/** Folders that belong to the worker alone: its tiers and its identity. */
function workerFolders(config: Config): string[] {
  const data = resolve(config.get(o.DATA))
  const port = config.get(o.WORKER_RPC_PORT)
  const tiers: string[] = []
  for (let level = 0; level < config.get(o.TIER_LEVELS); level++) {
    const given = config.getAt(o.TIER_PATHS, level)
    tiers.push(...(given ?? []))
  }
  return [
    ...tiers,
    `/dev/shm/alluxio-${process.getuid?.() ?? 0}-${port}`,
    join(data, 'tiers'),
    join(data, 'worker'),
  ]
}

function holdsSomething(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).length > 0
}

/** The folder itself stays: it may be a mount point. */
function empty(folder: string): void {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
}
