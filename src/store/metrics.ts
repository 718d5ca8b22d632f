/** What the store counts. */
import type { Metrics } from '../core/index.ts'
import type { TierUse } from './types.ts'

export function storeMetrics(metrics: Metrics, usage: () => readonly TierUse[]) {
  metrics.observe('alluxio_worker_tier_capacity_bytes', 'Quota of a tier.', () =>
    usage().map((tier) => [{ tier: tier.alias }, tier.capacityBytes] as const),
  )
  metrics.observe('alluxio_worker_tier_used_bytes', 'Bytes used and reserved in a tier.', () =>
    usage().map((tier) => [{ tier: tier.alias }, tier.usedBytes] as const),
  )
  metrics.observe('alluxio_worker_folders_failed', 'Tier folders out of use.', () =>
    usage().map(
      (tier) =>
        [{ tier: tier.alias }, tier.folders.filter(({ failure }) => failure !== undefined).length] as const,
    ),
  )
  return {
    readBytes: metrics.counters(
      'alluxio_worker_read_bytes_total',
      'Bytes served, by where they came from: a tier, or UFS.',
    ),
    writtenBytes: metrics.counter(
      'alluxio_worker_written_bytes_total',
      'Bytes of blocks written by clients.',
    ),
    fetchedBytes: metrics.counter('alluxio_worker_fetched_bytes_total', 'Bytes fetched from under-stores.'),
    fetches: metrics.counter('alluxio_worker_fetches_total', 'Ranged requests to under-stores.'),
    evicted: metrics.counters(
      'alluxio_worker_blocks_evicted_total',
      'Blocks deleted to make space, by tier.',
    ),
    demoted: metrics.counters('alluxio_worker_blocks_demoted_total', 'Blocks moved down, by tier they left.'),
    promoted: metrics.counters('alluxio_worker_blocks_promoted_total', 'Blocks moved up, by tier they left.'),
    quarantined: metrics.counter(
      'alluxio_worker_blocks_quarantined_total',
      'Blocks moved aside because their bytes were bad.',
    ),
  }
}
export type StoreMetrics = ReturnType<typeof storeMetrics>
