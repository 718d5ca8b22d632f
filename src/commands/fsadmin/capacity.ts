import type { WorkerStatus } from '../../client/index.ts'
import { formatBytes } from '../../core/index.ts'
import { AlluxioCommand, Flags } from '../command.ts'
import { usageError } from '../failure.ts'
import { percent } from '../format.ts'
import { sumLines, tierSums, tiersJson, total } from './summary.ts'

export class ReportCapacity extends AlluxioCommand {
  static override summary = 'Show the capacity of workers.'
  static override usage = 'fsadmin report capacity [-live|-lost|-workers <worker,worker>]'
  static override singleDash = ['live', 'lost', 'workers']
  static override flags = {
    live: Flags.boolean({ summary: 'live workers only' }),
    lost: Flags.boolean({ summary: 'lost workers only' }),
    workers: Flags.string({ summary: 'these workers only: hosts or host:port, with commas between' }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(ReportCapacity)
    if ([flags.live, flags.lost, flags.workers !== undefined].filter(Boolean).length > 1) {
      throw usageError('Too many arguments passed in.', [`Usage: alluxio ${ReportCapacity.usage}`])
    }
    await this.withFileSystem(async (fs) => {
      const chosen = pick(await fs.admin.workers(), flags)
      const sums = tierSums(chosen)
      const which = flags.live
        ? 'live'
        : flags.lost
          ? 'lost'
          : flags.workers === undefined
            ? 'all'
            : 'specified'
      this.output.emit(
        () => ({
          capacityBytes: Number(total(sums, 'capacityBytes')),
          usedBytes: Number(total(sums, 'usedBytes')),
          tiers: tiersJson(sums),
          workers: chosen,
        }),
        () => (chosen.length === 0 ? 'No workers found.' : report(chosen, which).join('\n')),
      )
    })
  }
}

function pick(
  workers: readonly WorkerStatus[],
  {
    live,
    lost,
    workers: names,
  }: { readonly live: boolean; readonly lost: boolean; readonly workers?: string | undefined },
): readonly WorkerStatus[] {
  if (live) return workers.filter(({ state }) => state === 'LIVE')
  if (lost) return workers.filter(({ state }) => state === 'LOST')
  if (names === undefined) return workers
  const wanted = names.split(',').map((name) => name.trim())
  const nameOf = ({ address }: WorkerStatus): string[] => [address.host, `${address.host}:${address.rpcPort}`]
  const unknown = wanted.filter((name) => !workers.some((worker) => nameOf(worker).includes(name)))
  if (unknown.length > 0) {
    const known = workers.map(({ address }) => `${address.host}:${address.rpcPort}`).join(', ')
    throw usageError(`no worker is named ${unknown.join(', ')}`, [
      `Workers: ${known === '' ? 'none' : known}`,
    ])
  }
  return workers.filter((worker) => nameOf(worker).some((name) => wanted.includes(name)))
}

function report(workers: readonly WorkerStatus[], which: string): string[] {
  const sums = tierSums(workers)
  const used = percent(Number(total(sums, 'usedBytes')), Number(total(sums, 'capacityBytes')))
  const usedPercent = total(sums, 'capacityBytes') === 0n ? 0 : used
  const aliases = [...new Set(workers.flatMap(({ tiers }) => tiers.map(({ alias }) => alias)))]
  const hosts = workers.map(({ address }) => address.host)
  const nameOf = ({ address }: WorkerStatus): string =>
    hosts.filter((host) => host === address.host).length > 1
      ? `${address.host}:${address.rpcPort}`
      : address.host
  const width = Math.max('Worker Name'.length, ...workers.map((worker) => nameOf(worker).length)) + 3
  const row = (
    name: string,
    state: string,
    beat: string,
    storage: string,
    sum: string,
    tiers: readonly string[],
    release: readonly [version: string, revision: string] = ['', ''],
  ): string =>
    `${name.padEnd(width)} ${state.padEnd(8)} ${beat.padEnd(16)} ${storage.padEnd(13)} ${sum.padEnd(16)} ` +
    tiers.map((tier) => tier.padEnd(14)).join('') +
    `${release[0].padEnd(16)} ${release[1]}`.trimEnd()
  const lines = [
    `Capacity information for ${which} workers: `,
    ...sumLines('Total Capacity', sums, 'capacityBytes'),
    ...sumLines('Used Capacity', sums, 'usedBytes'),
    `    Used Percentage: ${usedPercent}%`,
    `    Free Percentage: ${100 - usedPercent}%`,
    '',
    row('Worker Name', 'State', 'Last Heartbeat', 'Storage', 'Total', aliases, ['Version', 'Revision']),
  ]
  for (const worker of workers) {
    const capacity = worker.tiers.reduce((sum, tier) => sum + tier.capacityBytes, 0)
    const inUse = worker.tiers.reduce((sum, tier) => sum + tier.usedBytes, 0)
    const part = (bytes: number, whole: number): string =>
      `${formatBytes(bytes)} (${whole === 0 ? 0 : percent(bytes, whole)}%)`
    const tier = (alias: string) => worker.tiers.find((candidate) => candidate.alias === alias)
    const state = worker.state === 'LIVE' ? 'ACTIVE' : 'LOST'
    const beat = String(Math.round(worker.heartbeatAgeMs / 1000))
    const sizes = aliases.map((alias) =>
      tier(alias) === undefined ? '-' : formatBytes(tier(alias)!.capacityBytes),
    )
    const parts = aliases.map((alias) =>
      tier(alias) === undefined ? '-' : part(tier(alias)!.usedBytes, tier(alias)!.capacityBytes),
    )
    const release = [worker.version || '-', worker.revision || '-'] as const
    lines.push(row(nameOf(worker), state, beat, 'capacity', formatBytes(capacity), sizes, release))
    lines.push(row('', '', '', 'used', part(inUse, capacity), parts))
  }
  return lines
}
