/** Metadata: one client with 1, 16 and 64 calls in flight; and 64 client processes with one each. */
import type { Bench, Contender } from '../bench.ts'
import type { Driver } from '../driver.ts'
import { Meter } from '../machine.ts'
import type { Side } from '../side.ts'

const OPERATIONS = ['create', 'mkdir', 'getStatus', 'rename', 'delete'] as const
/** Enough for the 10 ms ticks of CPU accounting to be a fine grain on the faster side too. */
const TOTAL = { 1: 2_000, 16: 16_000, 64: 32_000 } as const
/** getStatus is cheap: several passes over the files. */
const PASSES = 3

export async function meta(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters()
  const contenders = await bench.contenders(sides)
  for (const threads of [1, 16, 64] as const) {
    const files = Math.ceil(bench.scaled(TOTAL[threads]) / threads)
    await bench.rounds(async (round, keep) => {
      const dir = `/bench/${threads}-${round}`
      await bench.each(contenders, 'layout', { dir, threads })
      for (const op of OPERATIONS) {
        const per = op === 'getStatus' ? files * PASSES : files
        await bench.measure(
          `${op}@${threads}`,
          contenders,
          '/s',
          'load',
          { op, threads, per, files, dir },
          keep,
        )
      }
      await bench.each(contenders, 'rm', { path: dir })
    })
  }
}

const PROCESSES = 64

export async function clients(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters()
  const files = bench.scaled(500)
  for (const side of sides) {
    const drivers = await startAll(bench, side)
    await bench.rounds(async (round, keep) => {
      const dir = (client: number) => `/bench/clients-${round}/${client}`
      await everyOne(drivers, 'layout', (client) => ({ dir: dir(client), threads: 1 }))
      for (const op of OPERATIONS) {
        const per = op === 'getStatus' ? files * PASSES : files
        await measureAll(bench, `${op}@${PROCESSES} processes`, side, drivers, keep, (client) => ({
          op,
          threads: 1,
          per,
          files,
          dir: dir(client),
        }))
      }
    })
    // So many processes do not fit twice beside one another: this section alternates by side, not by round.
    await Promise.all(drivers.map((driver) => driver.close()))
  }
}

async function startAll(bench: Bench, side: Side): Promise<Driver[]> {
  const drivers: Driver[] = []
  for (let i = 0; i < PROCESSES; i += 8) {
    const started = await Promise.all(Array.from({ length: 8 }, () => side.driver({ light: true })))
    for (const driver of started) bench.onEnd(() => driver.close())
    drivers.push(...started)
  }
  return drivers
}

type ValuesOf = (client: number) => Record<string, string | number>

function everyOne(drivers: readonly Driver[], verb: string, values: ValuesOf) {
  return Promise.all(drivers.map((driver, client) => driver.order(verb, values(client))))
}

async function measureAll(
  bench: Bench,
  cell: string,
  side: Contender['side'],
  drivers: readonly Driver[],
  keep: boolean,
  values: ValuesOf,
): Promise<void> {
  const meter = new Meter([...side.pids, ...drivers.map((driver) => driver.pid)])
  const replies = await everyOne(drivers, 'load', values)
  const { cpu, others, wall } = meter.read()
  const n = replies.reduce((sum, reply) => sum + reply.n, 0)
  const errors = replies.reduce((sum, reply) => sum + (reply.errors ?? 0), 0)
  const p50us = replies.map((reply) => reply.p50us!).sort((a, b) => a - b)[PROCESSES >> 1]!
  if (errors > 0)
    bench.report.note(`${side.name} ${cell}: ${errors} failed: ${replies.find((r) => r.error)?.error}`)
  if (keep) bench.report.add(cell, side.name, '/s', { value: n / wall, cpu: cpu / n, others, p50us, errors })
}
