/**
 * The same Spark query on separate hosts (network namespaces whose links are slow): tasks placed by hints, the same by hints
 * that name nobody's hosts, and straight from MinIO. The three take turns in one application; the first round warms up and is left out.
 * Then a scan by Flink with its own assigner of splits, by hints and by wrong names; a file costs its reader 3 s of work besides.
 *
 *   node bench/scenario/hosts.bench.ts [--mib=300] [--rate=100mbit] [--rounds=3]
 *
 * Prints JSON lines: a query or scan each, then medians and what locality saves, of Spark and of Flink. Needs root, iproute2, a JDK,
 * Maven, Python and Go for MinIO.
 */
import { parseArgs } from 'node:util'
import { FlinkSession, remoteFiles } from '../../test/hosts/flink.ts'
import { bytesSent, counted } from '../../test/hosts/session.ts'
import { Site, WORKERS } from '../../test/hosts/site.ts'
import { machineHeader } from '../peers/machine.ts'

const { values: flags } = parseArgs({
  options: {
    mib: { type: 'string', default: '300' },
    rate: { type: 'string', default: '100mbit' },
    rounds: { type: 'string', default: '3' },
  },
})
const FILES_EACH = 4
const fileBytes = Math.floor((Number(flags.mib) * 2 ** 20) / (FILES_EACH * WORKERS.length))
const KINDS = ['hints', 'wrong names', 's3a'] as const
const FLINK_KINDS = ['hints', 'wrong names'] as const

interface Figures {
  readonly seconds: number
  readonly sentBytes: number
}

type Measured = Readonly<Record<string, Figures[]>>

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function medianOf(all: readonly Figures[]): Figures {
  return {
    seconds: median(all.map(({ seconds }) => seconds)),
    sentBytes: median(all.map(({ sentBytes }) => sentBytes)),
  }
}

function ratio(a: number, b: number): number {
  return Number((a / b).toFixed(3))
}

tell({ ...machineHeader('.'), inputBytes: fileBytes * FILES_EACH * WORKERS.length, rate: flags.rate })
await using site = await Site.start({ rate: flags.rate, filesEach: FILES_EACH, fileBytes })
const spark: Measured = { hints: [], 'wrong names': [], s3a: [] }
const session = await site.session()
for (let round = 0; round <= Number(flags.rounds); round++) {
  for (const kind of KINDS) {
    const { seconds, bytes, tasks } = await session.ask(site.query(kind))
    const figures = { seconds: Number(seconds.toFixed(2)), sentBytes: bytesSent(bytes) }
    if (round > 0) spark[kind]!.push(figures)
    const localities = counted(tasks.map(({ locality }) => locality))
    tell({ kind, round, ...figures, localities, links: bytes })
  }
}
await session.end()
const [hints, wrong, s3a] = KINDS.map((kind) => medianOf(spark[kind]!)) as [Figures, Figures, Figures]
tell({
  engine: 'spark',
  ...{ hints, 'wrong names': wrong, s3a },
  bytesOfWrongNames: ratio(hints.sentBytes, wrong.sentBytes),
  bytesOfS3a: ratio(hints.sentBytes, s3a.sentBytes),
  fasterThanWrongNames: ratio(wrong.seconds, hints.seconds),
  fasterThanS3a: ratio(s3a.seconds, hints.seconds),
})

await site.stopSpark()
await using flinkSession = await FlinkSession.start(site)
const flink: Measured = { hints: [], 'wrong names': [] }
for (let round = 0; round <= Number(flags.rounds); round++) {
  for (const by of FLINK_KINDS) {
    const scanned = await flinkSession.scan({ folder: '/data', by, assigner: 'default' })
    const figures = { seconds: scanned.seconds, sentBytes: bytesSent(scanned.bytes) }
    if (round > 0) flink[by]!.push(figures)
    const remote = remoteFiles(scanned)
    tell({ engine: 'flink', kind: by, round, ...figures, remoteFiles: remote, links: scanned.bytes })
  }
}
const [near, blind] = FLINK_KINDS.map((kind) => medianOf(flink[kind]!)) as [Figures, Figures]
tell({
  engine: 'flink',
  ...{ hints: near, 'wrong names': blind },
  bytesOfWrongNames: ratio(near.sentBytes, blind.sentBytes),
})
