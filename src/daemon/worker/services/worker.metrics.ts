/** What a worker's services count; what the block store moves, it counts itself. */
import type { Counter, Metrics } from '../../../core/index.ts'
import type { BlockStore } from '../../../store/index.ts'

export class WorkerMetrics {
  readonly localOpens: Counter
  readonly persisted: Counter
  readonly ufsWritten: Counter
  readonly heartbeats: Counter
  readonly registrations: Counter
  readonly taskFailures: Counter

  constructor(metrics: Metrics) {
    this.localOpens = metrics.counter(
      'alluxio_worker_local_opens_total',
      'Block files opened by readers on this host.',
    )
    this.persisted = metrics.counter(
      'alluxio_worker_persisted_files_total',
      'Files that asynchronous persists wrote, or found written.',
    )
    this.ufsWritten = metrics.counter(
      'alluxio_worker_ufs_written_bytes_total',
      'Bytes that clients wrote through to under-stores.',
    )
    this.heartbeats = metrics.counter(
      'alluxio_worker_heartbeats_total',
      'Heartbeats that the master answered.',
    )
    this.registrations = metrics.counter('alluxio_worker_registrations_total', 'Registrations with a master.')
    this.taskFailures = metrics.counter(
      'alluxio_worker_task_failures_total',
      'Commands of the master that failed.',
    )
  }
}

/** Gauges that are read when they are asked for. */
export function observeStore(metrics: Metrics, store: BlockStore): void {
  metrics.observe('alluxio_worker_blocks', 'Sealed blocks.', () => [[{}, store.blocks]])
  metrics.observe('alluxio_worker_open_transfers', 'Reads and writes in progress.', () => [
    [{}, store.inProgress],
  ])
}
