/** Brings the tiers of this machine up: what the configuration says, on the folders and memory that are there. */
import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import type { BlockDisk } from '../../arrow/index.ts'
import type { Config } from '../../core/config/index.ts'
import type { Log } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import type { TierOptions } from '../../store/index.ts'
import type { WorkerIdentity } from './identity.ts'
import { type Machine, tiersOf } from './tier-options.ts'

/** The tiers, and the identity that remembers the quotas which were derived from the machine. */
export async function openTiers(
  config: Config,
  identity: WorkerIdentity,
  { disk, log }: { readonly disk: BlockDisk; readonly log: Log },
): Promise<{ identity: WorkerIdentity; tiers: TierOptions[] }> {
  const derived: Record<string, number> = {}
  const machine: Machine = {
    memoryBytes: totalmem(),
    uid: process.getuid?.() ?? 0,
    freeBytes: (folder) => disk.space(existingAncestor(folder)).freeBytes,
    formerQuota: (folder) => identity.quotas?.[folder],
  }
  const tiers = tiersOf(config, config.get(o.WORKER_RPC_PORT), machine)
  for (const [level, tier] of tiers.entries()) {
    if (config.getAt(o.TIER_QUOTAS, level) !== undefined) continue
    for (const { path, quotaBytes } of tier.folders) derived[path] = quotaBytes
  }
  for (const { alias, folders } of tiers) log.info('tier', { alias, folders })
  return { identity: { ...identity, quotas: derived }, tiers }
}

function existingAncestor(folder: string): string {
  let path = folder
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path)
  return path
}
