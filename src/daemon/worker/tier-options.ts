/** The tiers of a worker out of its configuration, with defaults that suit a machine nobody has looked at. */
import { join } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, parseBytes } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import type { TierFolderOptions, TierOptions } from '../../store/index.ts'

/** What the defaults depend on. */
export interface Machine {
  readonly memoryBytes: number
  /** Free bytes of the file system that holds, or will hold, a folder. */
  freeBytes(folder: string): number
  /** The quota that a folder was given by default before. */
  formerQuota(folder: string): number | undefined
  readonly uid: number
}

const ALIASES = ['MEM', 'SSD', 'HDD'] as const
export const MEMORY_ALIAS = 'MEM'

/**
 * Tiers, fastest first.
 * @param port RPC port of the worker: two workers of one machine must not share a folder in memory
 * @throws INVALID_ARGUMENT for quotas that are none
 */
export function tiersOf(config: Config, port: number, machine: Machine): TierOptions[] {
  const levels = config.get(o.TIER_LEVELS)
  return Array.from({ length: levels }, (_, level) => tierOf(config, level, port, machine))
}

function tierOf(config: Config, level: number, port: number, machine: Machine): TierOptions {
  const alias = config.getAt(o.TIER_ALIAS, level) ?? ALIASES[level] ?? `TIER${level}`
  const paths = config.getAt(o.TIER_PATHS, level) ?? [defaultFolder(config, alias, port, machine)]
  const media = config.getAt(o.TIER_MEDIA, level) ?? [alias]
  const quotas = config.getAt(o.TIER_QUOTAS, level)
  const folders = paths.map((path, i): TierFolderOptions => {
    const quota = quotas?.[Math.min(i, quotas.length - 1)]
    return {
      path,
      medium: media[Math.min(i, media.length - 1)] ?? alias,
      quotaBytes:
        quota === undefined
          ? defaultQuota(config, alias, path, paths.length, machine)
          : quotaOf(quota, level),
    }
  })
  return { alias, folders, durable: alias !== MEMORY_ALIAS }
}

function defaultFolder(config: Config, alias: string, port: number, machine: Machine): string {
  return alias === MEMORY_ALIAS
    ? `/dev/shm/alluxio-${machine.uid}-${port}`
    : join(config.get(o.DATA), 'tiers', alias)
}

/** Memory: a quarter of it, at most half of what is free. Disks: half of what is free, shared by the tier's folders. */
function defaultQuota(
  config: Config,
  alias: string,
  path: string,
  folders: number,
  machine: Machine,
): number {
  const former = machine.formerQuota(path)
  if (former !== undefined && !(alias === MEMORY_ALIAS && config.isSet(o.WORKER_RAMDISK_SIZE))) return former
  if (alias !== MEMORY_ALIAS) return Math.floor(machine.freeBytes(path) / 2 / folders)
  const configured = config.isSet(o.WORKER_RAMDISK_SIZE) ? config.get(o.WORKER_RAMDISK_SIZE) : undefined
  const bytes = configured ?? Math.min(machine.memoryBytes / 4, machine.freeBytes(path) / 2)
  return Math.floor(bytes / folders)
}

function quotaOf(text: string, level: number): number {
  const bytes = parseBytes(text)
  if (bytes > 0) return bytes
  throw new AlluxioError('INVALID_ARGUMENT', `the quota ${text} of tier ${level} leaves no room for blocks`)
}
