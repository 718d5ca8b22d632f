/** What the store counts. */
import type { Metrics } from '../core/index.ts'
import type { Catalog } from './catalog.ts'

export function storeMetrics(
  metrics: Metrics,
  catalog: Pick<Catalog, 'usage' | 'pins'>,
  oldestCheckAgeMs: () => number,
) {
  const usage = () => catalog.usage()
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
  metrics.observe(
    'alluxio_worker_pinned_blocks_misplaced',
    'Blocks that are not on a medium of their pin.',
    () => [[{}, catalog.pins.misplaced.size]],
  )
  metrics.observe(
    'alluxio_worker_scrub_oldest_check_age_seconds',
    'Age of the oldest check of a block; of blocks not checked since the start, the time since then.',
    () => [[{}, oldestCheckAgeMs() / 1000]],
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
    lost: metrics.counter(
      'alluxio_worker_data_loss_blocks_total',
      'Blocks whose only known copy was damaged: their bytes are lost.',
    ),
    pinnedMoved: metrics.counter(
      'alluxio_worker_pinned_blocks_moved_total',
      'Blocks moved to a medium of their pin.',
    ),
    foldersBack: metrics.counter(
      'alluxio_worker_folders_recovered_total',
      'Failed tier folders that came back into use.',
    ),
    scrubbed: metrics.counter(
      'alluxio_worker_scrubbed_bytes_total',
      'Bytes of sealed blocks verified in the background.',
    ),
    scrubErrors: metrics.counter('alluxio_worker_scrub_errors_total', 'Bad blocks found by the scrubber.'),
  }
}
export type StoreMetrics = ReturnType<typeof storeMetrics>
