import type { FileSystem, WorkerStatus } from '../../client/index.ts'
import { formatBytes, formatUptime } from '../../core/index.ts'
import { AlluxioCommand } from '../command.ts'
import { formatDate } from '../format.ts'
import { hostOf } from '../fs/leader.ts'
import type { Output } from '../output.ts'

/** Bytes of each tier, in the workers' order of tiers. */
export type TierSums = ReadonlyMap<string, { readonly capacityBytes: bigint; readonly usedBytes: bigint }>

export function tierSums(workers: readonly Pick<WorkerStatus, 'tiers' | 'state'>[]): TierSums {
  const sums = new Map<string, { capacityBytes: bigint; usedBytes: bigint }>()
  for (const worker of workers) {
    if (worker.state !== 'LIVE') continue
    for (const { alias, capacityBytes, usedBytes } of worker.tiers) {
      const sum = sums.get(alias) ?? { capacityBytes: 0n, usedBytes: 0n }
      sums.set(alias, {
        capacityBytes: sum.capacityBytes + BigInt(capacityBytes),
        usedBytes: sum.usedBytes + BigInt(usedBytes),
      })
    }
  }
  return sums
}

export function total(sums: TierSums, field: 'capacityBytes' | 'usedBytes'): bigint {
  return [...sums.values()].reduce((sum, tier) => sum + tier[field], 0n)
}

/** A total and its tiers, indented as upstream does. */
export function sumLines(label: string, sums: TierSums, field: 'capacityBytes' | 'usedBytes'): string[] {
  return [
    `    ${label}: ${formatBytes(total(sums, field))}`,
    ...[...sums].map(([alias, tier]) => `        Tier: ${alias}  Size: ${formatBytes(tier[field])}`),
  ]
}

abstract class Summary extends AlluxioCommand {
  static override summary = 'Show how the cluster fares.'

  protected async report(): Promise<void> {
    await this.withFileSystem((fs) => printSummary(this.output, fs))
  }
}

export class Report extends Summary {
  static override usage = 'fsadmin report [summary|capacity|changes|ufs|metrics]'

  override async run(): Promise<void> {
    await this.parse(Report)
    await this.report()
  }
}

export class ReportSummary extends Summary {
  static override usage = 'fsadmin report summary'

  override async run(): Promise<void> {
    await this.parse(ReportSummary)
    await this.report()
  }
}

async function printSummary(output: Output, fs: FileSystem): Promise<void> {
  const [info, workers] = await Promise.all([fs.admin.info(), fs.admin.workers()])
  const sums = tierSums(workers)
  const live = workers.filter(({ state }) => state === 'LIVE').length
  const free = total(sums, 'capacityBytes') - total(sums, 'usedBytes')
  output.emit(
    () => ({
      ...info,
      masterAddress: `${hostOf(info.address)}:${info.rpcPort}`,
      uptimeMs: info.nowMs - info.startedMs,
      liveWorkers: live,
      lostWorkers: workers.length - live,
      capacityBytes: Number(total(sums, 'capacityBytes')),
      usedBytes: Number(total(sums, 'usedBytes')),
      freeBytes: Number(free),
      tiers: tiersJson(sums),
    }),
    () =>
      [
        'Alluxio cluster summary: ',
        `    Master Address: ${hostOf(info.address)}:${info.rpcPort}`,
        `    Web Port: ${info.webPort}`,
        `    Rpc Port: ${info.rpcPort}`,
        `    Started: ${formatDate(info.startedMs)}`,
        `    Uptime: ${formatUptime(info.nowMs - info.startedMs)}`,
        `    Version: ${info.version}`,
        `    Safe Mode: ${info.safeMode}`,
        '    Zookeeper Enabled: false',
        '    Raft-based Journal: false',
        `    Live Workers: ${live}`,
        `    Lost Workers: ${workers.length - live}`,
        ...sumLines('Total Capacity', sums, 'capacityBytes'),
        ...sumLines('Used Capacity', sums, 'usedBytes'),
        `    Free Capacity: ${formatBytes(free)}`,
      ].join('\n'),
  )
}

export function tiersJson(sums: TierSums): { alias: string; capacityBytes: number; usedBytes: number }[] {
  return [...sums].map(([alias, tier]) => ({
    alias,
    capacityBytes: Number(tier.capacityBytes),
    usedBytes: Number(tier.usedBytes),
  }))
}
