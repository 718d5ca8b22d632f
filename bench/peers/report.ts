/** Samples as JSON lines while they arise; medians, ratios and verdicts as a Markdown table at the end. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Bounds, FIGURES, type Section } from './figures.ts'
import type { SideName } from './side.ts'

export type Unit = '/s' | 'GB/s' | 's' | 'bytes' | 'calls' | 'x'

export interface Sample {
  readonly value: number
  /** CPU seconds of client and servers for one operation or one GB. */
  readonly cpu?: number
  readonly p50us?: number
  readonly p99us?: number
  /** Cores that everything else on the machine kept busy meanwhile. */
  readonly others?: number
  readonly errors?: number
}

interface Series {
  readonly unit: Unit
  readonly samples: Sample[]
}

type Measure = 'value' | 'cpu' | 'p50'
type Verdict = 'pass' | 'short' | 'unmeasured'

export class Report {
  readonly #jsonl: string
  readonly #markdown: string
  readonly #section: Section
  readonly #header: Readonly<Record<string, unknown>>
  readonly #cells = new Map<string, Map<SideName | 'machine', Series>>()
  readonly #notes: string[] = []

  constructor(folder: string, section: Section, header: Readonly<Record<string, unknown>>) {
    const date = String(header.date).slice(0, 10)
    this.#jsonl = `${folder}/${date}-${section}.jsonl`
    this.#markdown = `${folder}/${date}-${section}.md`
    this.#section = section
    this.#header = header
    mkdirSync(dirname(this.#jsonl), { recursive: true })
    writeFileSync(this.#jsonl, `${JSON.stringify({ header })}\n`)
  }

  /** `machine` is for what belongs to neither side, such as memcpy or the raw SDK. */
  add(cell: string, side: SideName | 'machine', unit: Unit, sample: Sample): void {
    const sides = this.#cells.get(cell) ?? new Map<SideName | 'machine', Series>()
    this.#cells.set(cell, sides)
    const series = sides.get(side) ?? { unit, samples: [] }
    sides.set(side, series)
    series.samples.push(sample)
    appendFileSync(this.#jsonl, `${JSON.stringify({ cell, side, unit, ...sample })}\n`)
    process.stderr.write(
      `  ${side.padEnd(8)} ${cell.padEnd(28)} ${show(sample.value, unit)} ${cpuText(sample.cpu, unit)}\n`,
    )
  }

  note(text: string): void {
    this.#notes.push(text)
    appendFileSync(this.#jsonl, `${JSON.stringify({ note: text })}\n`)
    process.stderr.write(`  note: ${text}\n`)
  }

  finish(): string {
    const text = `${[...this.#head(), ...this.#targets(), ...this.#cellsTable(), ...this.#notes.map((n) => `- ${n}`)].join('\n')}\n`
    writeFileSync(this.#markdown, text)
    return text
  }

  #head(): string[] {
    const facts = Object.entries(this.#header).map(([key, value]) => `${key} ${value}`)
    return [`# ${this.#section}: Alluxio 2.9.6 and ours, interleaved`, '', `${facts.join('; ')}.`, '']
  }

  #targets(): string[] {
    const rows = FIGURES.filter((figure) => figure.section === this.#section).flatMap((figure) =>
      Object.entries(figure.cells).flatMap(([cell, bounds]) =>
        (['value', 'cpu', 'p50'] as const)
          .filter((measure) => bounds[measure] !== undefined)
          .map((measure) => this.#row(figure.work, cell, measure, bounds)),
      ),
    )
    return [
      '| work | cell | Alluxio | ours | ratio | target | |',
      '|---|---|---|---|---|---|---|',
      ...rows,
      '',
    ]
  }

  #row(work: string, cell: string, measure: Measure, bounds: Bounds): string {
    const bound = bounds[measure]!
    const theirs = this.#median(cell, 'alluxio', measure)
    const ours = this.#median(cell, 'ours', measure)
    const unit =
      this.#cells.get(cell)?.get('ours')?.unit ?? this.#cells.get(cell)?.get('alluxio')?.unit ?? 'x'
    const text = (v: number | undefined) => (v === undefined ? '' : measureText(v, unit, measure))
    const ratio = ours !== undefined && theirs ? `${(ours / theirs).toFixed(3)}` : ''
    const verdict = this.#judge(bound, ours, theirs)
    const mark = { pass: 'pass', short: '**short**', unmeasured: 'not measured' }[verdict]
    return `| ${work} | ${cell}${measure === 'value' ? '' : `, ${measure}`} | ${text(theirs)} | ${text(ours)} | ${ratio} | ${bound} | ${mark} |`
  }

  #judge(bound: string, ours: number | undefined, theirs: number | undefined): Verdict {
    const [, sign, factor, relative] = /^([<>]=) ([\d.]+)(x| .+)?$/.exec(bound)!
    let reference: number | undefined = 1
    if (relative === 'x') reference = theirs
    else if (relative)
      reference =
        this.#median(relative.trim(), 'ours', 'value') ?? this.#median(relative.trim(), 'machine', 'value')
    if (ours === undefined || reference === undefined) return 'unmeasured'
    const limit = Number(factor) * reference
    return (sign === '>=' ? ours >= limit : ours <= limit) ? 'pass' : 'short'
  }

  #cellsTable(): string[] {
    const rows = [...this.#cells].flatMap(([cell, sides]) =>
      [...sides].map(([side, { unit, samples }]) => {
        const of = (pick: (s: Sample) => number | undefined) => median(samples.map(pick))
        const values = samples.map((s) => s.value)
        const span = `${show(Math.min(...values), unit)} … ${show(Math.max(...values), unit)}`
        const errors = samples.reduce((sum, s) => sum + (s.errors ?? 0), 0)
        const others = of((s) => s.others)?.toFixed(2) ?? ''
        const latency = [of((s) => s.p50us), of((s) => s.p99us)].map((v) => v?.toFixed(0) ?? '').join(' / ')
        return `| ${cell} | ${side} | ${show(median(values)!, unit)} | ${span} | ${samples.length} | ${latency} | ${cpuText(
          of((s) => s.cpu),
          unit,
        )} | ${others} | ${errors || ''} |`
      }),
    )
    const head =
      '| cell | side | median | range | rounds | p50 / p99 us | CPU, client and servers | others, cores | errors |'
    return [head, '|---|---|---|---|---|---|---|---|---|', ...rows, '']
  }

  #median(cell: string, side: SideName | 'machine', measure: Measure): number | undefined {
    const samples = this.#cells.get(cell)?.get(side)?.samples ?? []
    return median(samples.map((s) => (measure === 'p50' ? s.p50us : s[measure])))
  }
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((v) => v !== undefined).sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}

function show(value: number, unit: Unit): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 3
  const number = value.toLocaleString('en', { maximumFractionDigits: digits })
  return `${number}${unit === '/s' ? '/s' : ` ${unit}`}`
}

function measureText(value: number, unit: Unit, measure: Measure): string {
  if (measure === 'value') return show(value, unit)
  return measure === 'cpu' ? cpuText(value, unit) : `${value.toFixed(0)} us`
}

/** Microseconds an operation, or seconds a GB or a run. */
function cpuText(cpu: number | undefined, unit: Unit): string {
  if (cpu === undefined) return ''
  if (unit === '/s') return `${(cpu * 1e6).toFixed(1)} us`
  return unit === 'GB/s' ? `${cpu.toFixed(3)} s/GB` : `${cpu.toFixed(3)} s`
}
