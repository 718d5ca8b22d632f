/**
 * Metrics registry with the Prometheus text exposition format 0.0.4. Names are `alluxio_<daemon>_<noun>_<unit>`, base
 * units, `_total` on counters.
 */
import { AlluxioError } from './errors.ts'

export type Labels = Readonly<Record<string, string>>

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  samples(): Iterable<readonly [suffix: string, labels: string, value: number]>
}

export class Counter {
  value = 0
  add(n = 1): void {
    this.value += n
  }
}

export class Gauge {
  value = 0
  set(n: number): void {
    this.value = n
  }
  add(n: number): void {
    this.value += n
  }
}

/** Seconds, from 50 us to 30 s. */
export const LATENCY_BUCKETS = [
  5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

export class Histogram {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  sum = 0
  count = 0

  constructor(bounds: readonly number[] = LATENCY_BUCKETS) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    let i = 0
    while (i < this.bounds.length && value > this.bounds[i]!) i++
    this.counts[i]!++
    this.sum += value
    this.count++
  }

  /** Upper bound of the bucket that holds quantile `q`; NaN when empty. */
  quantile(q: number): number {
    let seen = 0
    for (let i = 0; i < this.counts.length; i++) {
      seen += this.counts[i]!
      if (this.count > 0 && seen >= q * this.count) return this.bounds[i] ?? Number.POSITIVE_INFINITY
    }
    return Number.NaN
  }
}

/** A metric with labels: one child a combination, made on first use. */
export class Family<T> {
  readonly #children = new Map<string, T>()
  readonly #make: () => T
  constructor(make: () => T) {
    this.#make = make
  }
  with(labels: Labels): T {
    const key = labelText(labels)
    const known = this.#children.get(key)
    if (known !== undefined) return known
    const child = this.#make()
    this.#children.set(key, child)
    return child
  }
  entries(): IterableIterator<[string, T]> {
    return this.#children.entries()
  }
}

export class Metrics {
  readonly #metrics = new Map<string, Metric>()

  counter(name: string, help: string): Counter {
    return this.counters(name, help).with({})
  }
  counters(name: string, help: string): Family<Counter> {
    return this.#family(name, help, 'counter', () => new Counter())
  }
  gauge(name: string, help: string): Gauge {
    return this.gauges(name, help).with({})
  }
  gauges(name: string, help: string): Family<Gauge> {
    return this.#family(name, help, 'gauge', () => new Gauge())
  }
  /** A gauge that is read when it is asked for. */
  observe(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void {
    this.#register({
      name,
      help,
      type: 'gauge',
      *samples() {
        for (const [labels, value] of read()) yield ['', labelText(labels), value] as const
      },
    })
  }
  histogram(name: string, help: string, bounds?: readonly number[]): Histogram {
    return this.histograms(name, help, bounds).with({})
  }
  histograms(name: string, help: string, bounds?: readonly number[]): Family<Histogram> {
    const family = new Family(() => new Histogram(bounds))
    this.#register({
      name,
      help,
      type: 'histogram',
      *samples() {
        for (const [labels, h] of family.entries()) yield* histogramSamples(labels, h)
      },
    })
    return family
  }

  /** Prometheus text exposition. */
  text(): string {
    const lines: string[] = []
    for (const metric of this.#metrics.values()) {
      lines.push(`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`)
      for (const [suffix, labels, value] of metric.samples()) {
        lines.push(`${metric.name}${suffix}${labels === '' ? '' : `{${labels}}`} ${formatValue(value)}`)
      }
    }
    return `${lines.join('\n')}\n`
  }

  /** Flat values for `fsadmin report metrics` and JSON: name with labels -> value. */
  values(): Record<string, number> {
    const values: Record<string, number> = {}
    for (const metric of this.#metrics.values()) {
      for (const [suffix, labels, value] of metric.samples()) {
        if (suffix !== '_bucket')
          values[`${metric.name}${suffix}${labels === '' ? '' : `{${labels}}`}`] = value
      }
    }
    return values
  }

  #family<T extends { value: number }>(
    name: string,
    help: string,
    type: 'counter' | 'gauge',
    make: () => T,
  ): Family<T> {
    const family = new Family(make)
    this.#register({
      name,
      help,
      type,
      *samples() {
        for (const [labels, child] of family.entries()) yield ['', labels, child.value] as const
      },
    })
    return family
  }

  #register(metric: Metric): void {
    if (this.#metrics.has(metric.name))
      throw new AlluxioError('INTERNAL', `metric ${metric.name} is declared twice`)
    this.#metrics.set(metric.name, metric)
  }
}

function* histogramSamples(labels: string, h: Histogram): Iterable<readonly [string, string, number]> {
  let cumulative = 0
  const comma = labels === '' ? '' : ','
  for (const [i, bound] of h.bounds.entries()) {
    cumulative += h.counts[i]!
    yield ['_bucket', `${labels}${comma}le="${bound}"`, cumulative]
  }
  yield ['_bucket', `${labels}${comma}le="+Inf"`, h.count]
  yield ['_sum', labels, h.sum]
  yield ['_count', labels, h.count]
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',')
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
