/** What the data half counts, at a worker and at the gateway. */
import type { Counter, ErrorCode, Family, Histogram, Metrics, Runtime } from '../../core/index.ts'

export const DATA_OPERATIONS = ['OPEN', 'CREATE', 'APPEND', 'GETFILECHECKSUM'] as const
type DataOperation = (typeof DATA_OPERATIONS)[number]

interface OfOperation {
  readonly requests: Counter
  readonly bytes: Counter
  readonly seconds: Histogram
}

export class DataMetrics {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #byOperation: ReadonlyMap<string, OfOperation>
  readonly #failures: Family<Counter>

  constructor({
    metrics,
    runtime,
  }: { readonly metrics: Metrics; readonly runtime: Pick<Runtime, 'monotonic'> }) {
    this.#runtime = runtime
    const requests = metrics.counters(
      'alluxio_webhdfs_data_requests_total',
      'Requests of the data half of WebHDFS, by operation.',
    )
    const bytes = metrics.counters(
      'alluxio_webhdfs_data_bytes_total',
      'Bytes that the data half sent (OPEN) or received (CREATE, APPEND) in requests that succeeded, by operation.',
    )
    const seconds = metrics.histograms(
      'alluxio_webhdfs_data_seconds',
      'Time from the head of a request to the end of its answer, by operation; a client that is slow counts.',
    )
    this.#failures = metrics.counters(
      'alluxio_webhdfs_data_failures_total',
      'Requests of the data half that were refused or failed, by code.',
    )
    const of = (op: DataOperation): [string, OfOperation] => [
      op,
      { requests: requests.with({ op }), bytes: bytes.with({ op }), seconds: seconds.with({ op }) },
    ]
    this.#byOperation = new Map(DATA_OPERATIONS.map(of))
  }

  /** Runs a request, which resolves with the number of its bytes. Of operations that there are not, only the failure counts. */
  async counted(op: string, serve: () => Promise<number>): Promise<void> {
    const of = this.#byOperation.get(op)
    const startedMs = this.#runtime.monotonic()
    of?.requests.add()
    try {
      const bytes = await serve()
      of?.bytes.add(bytes)
    } finally {
      of?.seconds.observe((this.#runtime.monotonic() - startedMs) / 1000)
    }
  }

  failed(code: ErrorCode): void {
    this.#failures.with({ code }).add()
  }
}
