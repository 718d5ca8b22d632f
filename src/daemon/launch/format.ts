/** Makes the folders of a new cluster, and removes what an old one left: metadata and cached blocks, never under-stores. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import { DAEMONS, daemonFacts } from './facts.ts'
import { runningProcess } from './pid-file.ts'

export interface Formatting {
  /** Folders that hold, or held, metadata or blocks. */
  readonly folders: readonly string[]
}

/** What is ours in a folder; anything else that somebody keeps there stays. */
const METADATA = /^(namespace\.mdb(-lock)?|process\.lock(\..+)?)$/
const BLOCKS = /^(b\d+_\d+(\.sole)?\.arrow|b\d+_\d+\.(part|side)|tmp_.+|quarantine)$/
const IDENTITY = /^worker\.json(\.tmp)?$/

/** The folders in which format would delete something. */
export function whatFormatDeletes(config: Config): Formatting {
  const doomed = ownFolders(config).filter(([folder, ours]) =>
    namesOf(folder).some((name) => ours.test(name)),
  )
  // The identity of a worker alone is no loss to ask about.
  return { folders: doomed.filter(([, ours]) => ours !== IDENTITY).map(([folder]) => folder) }
}

/** @throws CONFLICT while a daemon of this data folder runs */
export function refuseUnderDaemons(config: Config): void {
  for (const name of DAEMONS) {
    const running = runningProcess(daemonFacts(config, name).pidFile)
    if (running === undefined) continue
    throw new AlluxioError(
      'CONFLICT',
      `the ${name} runs (pid ${running.pid}): its data cannot be formatted under it`,
      { reason: 'DAEMON_RUNS', details: { suggestions: ['Stop it first: alluxio stop'] } },
    )
  }
}

/** @throws CONFLICT while a daemon of this data folder runs */
export function format(config: Config): Formatting {
  refuseUnderDaemons(config)
  const before = whatFormatDeletes(config)
  try {
    for (const [folder, ours] of ownFolders(config)) {
      // The folder itself stays: it may be a mount point.
      for (const name of namesOf(folder))
        if (ours.test(name)) rmSync(join(folder, name), { recursive: true, force: true })
    }
    const data = resolve(config.get(o.DATA))
    for (const folder of [
      data,
      resolve(config.get(o.MASTER_METASTORE_DIR)),
      resolve(config.get(o.LOGS_DIR)),
    ]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
    const root = config.get(o.ROOT_UFS).replace(/^file:\/\//, '')
    if (root.startsWith('/')) mkdirSync(root, { recursive: true })
  } catch (error) {
    throw fromErrno(error, 'format', resolve(config.get(o.DATA)))
  }
  return before
}

function ownFolders(config: Config): [folder: string, ours: RegExp][] {
  const data = resolve(config.get(o.DATA))
  const tiers = [
    `/dev/shm/alluxio-${process.getuid?.() ?? 0}-${config.get(o.WORKER_RPC_PORT)}`,
    ...namesOf(join(data, 'tiers')).map((name) => join(data, 'tiers', name)),
  ]
  for (let level = 0; level < config.get(o.TIER_LEVELS); level++)
    tiers.push(...(config.getAt(o.TIER_PATHS, level) ?? []))
  return [
    [resolve(config.get(o.MASTER_METASTORE_DIR)), METADATA],
    [data, IDENTITY],
    ...[...new Set(tiers.map((folder) => resolve(folder)))].map((folder): [string, RegExp] => [
      folder,
      BLOCKS,
    ]),
  ]
}

function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // nothing was ever kept there
  }
}
