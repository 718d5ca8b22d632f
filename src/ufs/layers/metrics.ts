/** Counts what is asked of a store: operations (each attempt), requests to its server, errors by code, bytes, latency. */
import {
  type Counter,
  errorCode,
  type Family,
  type Histogram,
  type Metrics,
  type Runtime,
} from '../../core/index.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { around, type ChunkSource, iterable, type UfsOperation, writerAround } from './around.ts'

interface Families {
  readonly operations: Family<Counter>
  readonly apiCalls: Family<Counter>
  readonly errors: Family<Counter>
  readonly retries: Family<Counter>
  readonly readBytes: Family<Counter>
  readonly writtenBytes: Family<Counter>
  readonly seconds: Family<Histogram>
}

/** The families are declared once a registry, however many stores report to it. */
const declared = new WeakMap<Metrics, Families>()

function families(metrics: Metrics): Families {
  const known = declared.get(metrics)
  if (known !== undefined) return known
  const made: Families = {
    operations: metrics.counters('alluxio_ufs_operations_total', 'Attempts of operations on under-stores.'),
    apiCalls: metrics.counters(
      'alluxio_ufs_api_calls_total',
      'Requests sent to the servers of under-stores.',
    ),
    errors: metrics.counters('alluxio_ufs_errors_total', 'Failed attempts by error code.'),
    retries: metrics.counters('alluxio_ufs_retries_total', 'Attempts after the first.'),
    readBytes: metrics.counters('alluxio_ufs_read_bytes_total', 'Bytes read from under-stores.'),
    writtenBytes: metrics.counters('alluxio_ufs_written_bytes_total', 'Bytes written to under-stores.'),
    seconds: metrics.histograms(
      'alluxio_ufs_operation_seconds',
      'Time of an attempt; of a read, until its first bytes.',
    ),
  }
  declared.set(metrics, made)
  return made
}

interface OperationMetrics {
  readonly count: Counter
  readonly seconds: Histogram
}

export class UfsMetrics {
  readonly #families: Families
  readonly #ufs: string
  readonly readBytes: Counter
  readonly writtenBytes: Counter
  readonly #operations = new Map<string, OperationMetrics>()
  readonly #apis = new Map<string, Counter>()

  private constructor(metrics: Families, ufs: string) {
    this.#families = metrics
    this.#ufs = ufs
    this.readBytes = metrics.readBytes.with({ ufs })
    this.writtenBytes = metrics.writtenBytes.with({ ufs })
  }

  static of(metrics: Metrics, ufs: string): UfsMetrics {
    return new UfsMetrics(families(metrics), ufs)
  }

  operation(operation: string): OperationMetrics {
    let known = this.#operations.get(operation)
    if (known === undefined) {
      const labels = { ufs: this.#ufs, operation }
      known = {
        count: this.#families.operations.with(labels),
        seconds: this.#families.seconds.with(labels),
      }
      this.#operations.set(operation, known)
    }
    return known
  }

  called(api: string): void {
    let counter = this.#apis.get(api)
    if (counter === undefined) {
      counter = this.#families.apiCalls.with({ ufs: this.#ufs, api })
      this.#apis.set(api, counter)
    }
    counter.value++
  }

  retried(operation: string): void {
    this.#families.retries.with({ ufs: this.#ufs, operation }).add()
  }

  failed(operation: string, error: unknown): void {
    this.#families.errors.with({ ufs: this.#ufs, operation, code: errorCode(error) }).add()
  }
}

export function metricsLayer(store: UnderStore, metrics: UfsMetrics, runtime: Runtime): UnderStore {
  const timed = async <T>(operation: string, run: () => Promise<T>): Promise<T> => {
    const { count, seconds } = metrics.operation(operation)
    count.value++
    const start = runtime.monotonic()
    try {
      const result = await run()
      seconds.observe((runtime.monotonic() - start) / 1000)
      return result
    } catch (error) {
      metrics.failed(operation, error)
      throw error
    }
  }
  return around(store, {
    call: (call, run) =>
      // A create is counted when it ends: the start of one moves nothing yet.
      call.operation === 'create' ? run(call.signal) : timed(call.operation, () => run(call.signal)),
    read: (path, options, open) => iterable(() => new CountedRead(path, options, open, metrics, runtime)),
    write: (_path, writer) =>
      writerAround(writer, async (kind, bytes, run) => {
        if (kind === 'close') return timed('create' satisfies UfsOperation, run)
        const result = await run()
        if (kind === 'write') metrics.writtenBytes.value += bytes
        return result
      }),
  })
}

class CountedRead implements ChunkSource {
  readonly #inner: AsyncIterator<Uint8Array>
  readonly #metrics: UfsMetrics
  readonly #runtime: Runtime
  readonly #start: number
  #first = true

  constructor(
    path: string,
    options: UfsReadOptions,
    open: UnderStore['open'],
    metrics: UfsMetrics,
    runtime: Runtime,
  ) {
    metrics.operation('open').count.value++
    this.#metrics = metrics
    this.#runtime = runtime
    this.#start = runtime.monotonic()
    this.#inner = open(path, options)[Symbol.asyncIterator]()
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const result = await this.#inner.next()
      if (this.#first) {
        this.#first = false
        this.#metrics.operation('open').seconds.observe((this.#runtime.monotonic() - this.#start) / 1000)
      }
      if (result.done !== true) this.#metrics.readBytes.value += result.value.length
      return result
    } catch (error) {
      this.#metrics.failed('open', error)
      throw error
    }
  }

  async return(): Promise<void> {
    await this.#inner.return?.()
  }
}
