/** The user's shell as a whole process: wall clock and CPU of it and of the servers meanwhile. */
import { execFileSync, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { Meter } from '../machine.ts'
import type { Side } from '../side.ts'

const MUST_CACHE = { 'alluxio.user.file.writetype.default': 'MUST_CACHE' }
const GIB = 2 ** 30

export async function cli(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters()
  const bytes = bench.scaled(GIB)
  const source = join('/dev/shm', `alluxio-bench-${process.pid}.bin`)
  execFileSync('sh', ['-c', `head -c ${bytes} /dev/urandom > ${source}`])
  bench.onEnd(() => rmSync(source, { force: true }))
  for (const side of sides) run(side, ['fs', 'mkdir', '/directory'])
  for (let i = 0; i < 3; i++)
    await bench.rounds(async (_round, keep) => {
      for (const side of sides) measure(bench, 'fs ls', side, ['fs', 'ls', '/'], keep)
    })
  await bench.rounds(async (round, keep) => {
    for (const side of sides) {
      if (round > 0) run(side, ['fs', 'rm', '/1g'])
      await bench.settle()
      measure(bench, 'fs copyFromLocal 1GiB', side, ['fs', 'copyFromLocal', source, '/1g'], keep)
      measure(bench, 'fs cat 1GiB', side, ['fs', 'cat', '/1g'], keep, bytes)
    }
  })
}

interface Run {
  readonly wall: number
  readonly cpu: number
  /** Bytes of standard output. */
  readonly output: number
}

/** By bash's `time`, whose CPU is that of the one process and exact to the millisecond; its output is read by `wc`. */
function run(side: Side, args: readonly string[]): Run {
  const script = `TIMEFORMAT='@%3R %3U %3S'; { time "$@" 2>/dev/null; } | wc -c`
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-o', 'pipefail', '-c', script, 'bash', ...side.shell(args, MUST_CACHE)],
    {
      encoding: 'utf8',
    },
  )
  const [, wall, user, system] = /@([\d.]+) ([\d.]+) ([\d.]+)/.exec(stderr) ?? []
  if (wall === undefined) throw new Error(`${side.name} ${args.join(' ')}: ${stderr}`)
  return { wall: Number(wall), cpu: Number(user) + Number(system), output: Number(stdout) }
}

function measure(
  bench: Bench,
  cell: string,
  side: Side,
  args: readonly string[],
  keep: boolean,
  bytes?: number,
): void {
  const meter = new Meter(side.pids)
  const { wall, cpu, output } = run(side, args)
  const servers = meter.read()
  if (bytes !== undefined && output !== bytes)
    throw new Error(`${side.name} ${cell}: ${output} of ${bytes} bytes`)
  if (keep) bench.report.add(cell, side.name, 's', { value: wall, cpu: cpu + servers.cpu })
}
