/**
 * `node bench/peers/run.ts [section...] [--rounds N] [--quick] [--side alluxio|ours] [--inodes N]`: real Alluxio and ours
 * side by side, the same work in turn. Results go to bench/results (see bench/README.md).
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Bench, type BenchOptions } from './bench.ts'
import { SECTIONS, type Section } from './figures.ts'
import { machineHeader } from './machine.ts'
import { Report } from './report.ts'
import { cli } from './sections/cli.ts'
import { gateways } from './sections/gateways.ts'
import { inodes } from './sections/inodes.ts'
import { io } from './sections/io.ts'
import { list } from './sections/list.ts'
import { clients, meta } from './sections/meta.ts'
import { s3 } from './sections/s3.ts'
import { small } from './sections/small.ts'
import type { SideName } from './side.ts'

const WORK: Readonly<Record<Section, (bench: Bench) => Promise<void>>> = {
  meta,
  clients,
  list,
  io,
  small,
  cli,
  inodes,
  s3,
  gateways,
}
const ROOT = join(import.meta.dirname, '../..')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    side: { type: 'string' },
    inodes: { type: 'string', default: '10000000' },
    out: { type: 'string', default: join(ROOT, 'bench/results') },
  },
})
const unknown = positionals.filter((name) => !(name in WORK))
if (unknown.length > 0) {
  process.stderr.write(`no section ${unknown.join(', ')}; there are ${SECTIONS.join(', ')}\n`)
  process.exit(64)
}
const sides: readonly SideName[] = values.side === undefined ? ['alluxio', 'ours'] : [values.side as SideName]
const options: BenchOptions = {
  rounds: Number(values.rounds),
  quick: values.quick,
  sides,
  inodes: Number(values.inodes),
}

let failed = false
for (const section of positionals.length === 0 ? SECTIONS : (positionals as Section[])) {
  process.stderr.write(`${section}\n`)
  const command = [
    'node bench/peers/run.ts',
    section,
    // Where the results go is of this machine alone.
    ...process.argv
      .slice(2)
      .filter((arg, i, all) => !(arg in WORK) && arg !== '--out' && all[i - 1] !== '--out'),
  ].join(' ')
  const report = new Report(values.out, section, { command: `\`${command}\``, ...machineHeader(ROOT) })
  const bench = new Bench(options, { report })
  const interrupt = () => void bench.end().then(() => process.exit(130))
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    await WORK[section](bench)
  } catch (error) {
    failed = true
    report.note(`section ended early: ${error instanceof Error ? error.stack : error}`)
  } finally {
    await bench.end()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  process.stdout.write(report.finish())
}
process.exitCode = failed ? 1 : 0
