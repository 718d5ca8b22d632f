/** Namespaces of growing size: memory and disk an inode, rates at each size, and the restart with a million files. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Bench, Contender } from '../bench.ts'
import { memoryBytes } from '../machine.ts'
import type { Side } from '../side.ts'

const MILLION = 1_000_000
/** Divides every size evenly. */
const THREADS = 50
const PROBES = 64_000

interface Footprint {
  readonly heap: number
  readonly anonymous: number
  readonly disk: number
}

export async function inodes(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters(undefined, { masterHeap: '4g' })
  let contenders = await bench.contenders(sides)
  const empty = new Map<Side, Footprint>()
  for (const { side } of contenders) empty.set(side, await footprint(side))
  const million = bench.scaled(MILLION)
  const largest = Math.max(bench.scaled(bench.options.inodes), million)
  let filled = 0
  for (const size of [...new Set([10_000, million, largest])].sort((a, b) => a - b)) {
    // Upstream keeps its namespace in the heap and needs minutes for each million: it stops there.
    if (size > million) contenders = contenders.filter(({ side }) => side.name === 'ours')
    await fill(bench, contenders, filled, size)
    filled = size
    for (const { side } of contenders) await weigh(bench, side, empty.get(side)!, size, size === largest)
    await probe(bench, contenders, size, size === largest)
    if (size === million) for (const contender of contenders) await restart(bench, contender)
  }
}

/** Empty complete files, 1,000 to a directory. */
async function fill(bench: Bench, contenders: readonly Contender[], from: number, to: number): Promise<void> {
  // Orders of at most a million keep the arrays of latencies small.
  for (let at = from; at < to; at += MILLION) {
    const per = Math.floor((Math.min(to, at + MILLION) - at) / THREADS)
    const values = { op: 'fill', threads: THREADS, per, from: at, dir: '/fill' }
    await bench.measure(`fill to ${Math.min(to, at + MILLION)}`, contenders, '/s', 'load', values)
  }
}

async function footprint(side: Side): Promise<Footprint> {
  const disk = side.metadata
    .filter((folder) => existsSync(folder))
    .reduce(
      (sum, folder) =>
        sum + Number(execFileSync('du', ['-s', '-B1', folder], { encoding: 'utf8' }).split('\t')[0]),
      0,
    )
  return { heap: await side.heapBytes(), anonymous: memoryBytes(side.masterPid, 'RssAnon'), disk }
}

async function weigh(
  bench: Bench,
  side: Side,
  empty: Footprint,
  size: number,
  largest: boolean,
): Promise<void> {
  const now = await footprint(side)
  const each = (what: string, value: number) => {
    bench.report.add(`${what} an inode at ${size}`, side.name, 'bytes', { value })
    // The figures are judged at the largest namespace that each side has been filled to.
    if (largest || (side.name === 'alluxio' && size >= MILLION))
      bench.report.add(`${what} an inode`, side.name, 'bytes', { value })
  }
  each('heap bytes', (now.heap - empty.heap) / size)
  each('anonymous bytes', (now.anonymous - empty.anonymous) / size)
  each('disk bytes', (now.disk - empty.disk) / size)
}

async function probe(
  bench: Bench,
  contenders: readonly Contender[],
  size: number,
  largest: boolean,
): Promise<void> {
  const per = Math.ceil(bench.scaled(PROBES) / 64)
  const suffix = largest ? 'full' : String(size)
  await bench.rounds(async (round, keep) => {
    const stat = { op: 'statFill', threads: 64, per, files: size, dir: '/fill' }
    await bench.measure(`stat@64 ${suffix}`, contenders, '/s', 'load', stat, keep)
    const dir = `/probe/${size}-${round}`
    await bench.each(contenders, 'layout', { dir, threads: 64 })
    await bench.measure(
      `create@64 ${suffix}`,
      contenders,
      '/s',
      'load',
      { op: 'create', threads: 64, per, dir },
      keep,
    )
    await bench.each(contenders, 'rm', { path: dir })
    const list = { op: 'list', threads: 1, seconds: bench.scaled(30) / 10, dir: '/fill/d0', expect: 1000 }
    await bench.measure(`list 1000@1 ${suffix}`, contenders, '/s', 'load', list, keep)
  })
}

async function restart(bench: Bench, { side, driver }: Contender): Promise<void> {
  for (let i = 0; i < (bench.options.quick ? 1 : 2); i++) {
    const ready = () =>
      driver.order('load', { op: 'statFill', threads: 1, per: 1, files: 1000, dir: '/fill' })
    bench.report.add('restart 1M files', side.name, 's', { value: await side.restart(ready) })
  }
}
