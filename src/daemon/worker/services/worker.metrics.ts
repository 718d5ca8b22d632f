/** What a worker counts. Base units; one family a fact, with the tier or source as label. */
import type { Counter, Family, Metrics } from '../../../core/index.ts'
import type { BlockStore } from '../../../store/index.ts'

export class WorkerMetrics {
  readonly localOpens: Counter
  readonly persisted: Counter
  readonly ufsWritten: Counter
  readonly heartbeats: Counter
  readonly registrations: Counter
  readonly #read: Family<Counter>
  readonly #written: Family<Counter>

  constructor(metrics: Metrics) {
    this.#read = metrics.counters(
      'alluxio_worker_read_bytes_total',
      'Bytes sent to readers, by where they came from.',
    )
    this.#written = metrics.counters('alluxio_worker_written_bytes_total', 'Bytes of new blocks, by tier.')
    this.localOpens = metrics.counter(
      'alluxio_worker_local_opens_total',
      'Block files opened by readers on this host.',
    )
    this.persisted = metrics.counter(
      'alluxio_worker_persisted_files_total',
      'Files written to their under-store later.',
    )
    this.ufsWritten = metrics.counter(
      'alluxio_worker_ufs_written_bytes_total',
      'Bytes written to under-stores.',
    )
    this.heartbeats = metrics.counter(
      'alluxio_worker_heartbeats_total',
      'Heartbeats that the master answered.',
    )
    this.registrations = metrics.counter('alluxio_worker_registrations_total', 'Registrations with a master.')
  }

  read(from: string, bytes: number): void {
    this.#read.with({ source: from }).add(bytes)
  }
  written(tier: string, bytes: number): void {
    this.#written.with({ tier }).add(bytes)
  }
}

/** Gauges that are read when they are asked for. */
export function observeStore(metrics: Metrics, store: BlockStore): void {
  metrics.observe('alluxio_worker_tier_used_bytes', 'Bytes used in a tier.', () =>
    store.usage().map((tier) => [{ tier: tier.alias }, tier.usedBytes] as const),
  )
  metrics.observe('alluxio_worker_tier_capacity_bytes', 'Quota of a tier.', () =>
    store.usage().map((tier) => [{ tier: tier.alias }, tier.capacityBytes] as const),
  )
  metrics.observe('alluxio_worker_blocks', 'Sealed blocks.', () => [[{}, store.blocks]])
  metrics.observe('alluxio_worker_open_transfers', 'Reads and writes in progress.', () => [
    [{}, store.inProgress],
  ])
  metrics.observe(
    'alluxio_worker_quarantined_blocks',
    'Blocks put aside because their bytes were bad.',
    () => [[{}, store.quarantined]],
  )
}
