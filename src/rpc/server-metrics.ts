/** What a server counts; without a registry it counts for nobody. */
import { type Counter, type Family, type Histogram, Metrics } from '../core/index.ts'

export class ServerMetrics {
  readonly malformed: Counter
  readonly errors: Family<Counter>
  readonly #calls: Family<Counter>
  readonly #seconds: Family<Histogram>

  constructor(daemon: string, metrics: Metrics | undefined, peers: () => number) {
    const registry = metrics ?? new Metrics()
    this.#calls = registry.counters(`alluxio_${daemon}_rpc_calls_total`, 'Calls that came, by method.')
    this.#seconds = registry.histograms(
      `alluxio_${daemon}_rpc_call_seconds`,
      'From the arrival of a call to its reply.',
    )
    this.errors = registry.counters(
      `alluxio_${daemon}_rpc_errors_total`,
      'Calls that failed, by method and code.',
    )
    this.malformed = registry.counter(
      `alluxio_${daemon}_rpc_malformed_messages_total`,
      'Messages that were not of this protocol.',
    )
    registry.observe(`alluxio_${daemon}_rpc_clients`, 'Clients with a session.', () => [[{}, peers()]])
  }

  of(method: string) {
    return { calls: this.#calls.with({ method }), seconds: this.#seconds.with({ method }) }
  }
}
