/** Brings the tiers of this machine up: what the configuration says, on the folders and memory that are there. */
import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import type { BlockDisk } from '../../arrow/index.ts'
import type { Config } from '../../core/config/index.ts'
import type { Log } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import { mountRamdisk, type TierOptions } from '../../store/index.ts'
import type { WorkerIdentity } from './identity.ts'
import { type Machine, MEMORY_ALIAS, tiersOf } from './tier-options.ts'

/** The tiers, and the identity that remembers the quotas which were derived from the machine. */
export async function openTiers(
  config: Config,
  identity: WorkerIdentity,
  { disk, log, mount }: { readonly disk: BlockDisk; readonly log: Log; readonly mount: boolean },
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
  if (mount) await mountMemory(config, tiers, log)
  return { identity: { ...identity, quotas: derived }, tiers }
}

function existingAncestor(folder: string): string {
  let path = folder
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path)
  return path
}

/** Memory folders become file systems of their own with huge pages where that is allowed; what was not is remarked on. */
async function mountMemory(config: Config, tiers: readonly TierOptions[], log: Log): Promise<void> {
  const mode = config.get(o.WORKER_RAMDISK_MODE)
  for (const { path, quotaBytes } of tiers.flatMap(({ alias, folders }) =>
    alias === MEMORY_ALIAS ? folders : [],
  )) {
    const { kind, hugePages, remark } = await mountRamdisk({ path, sizeBytes: quotaBytes, mode })
    log.info('ramdisk', { path, kind, hugePages, remark })
  }
}
