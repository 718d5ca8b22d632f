/**
 * The simulation from the command line.
 *
 *   npm run sim -- --seed N [--trace] [--log] [--history] [--ops N] [--planted NAME]   replays one seed
 *   npm run sim -- --seconds 600 [--from N]                                hunts over fresh seeds
 */
import { parseArgs } from 'node:util'
import { PLANTED, type Planted } from './planted.ts'
import { report, runSeed } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    from: { type: 'string' },
    ops: { type: 'string' },
    history: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    planted: { type: 'string' },
  },
})

const print = (line: string) => process.stdout.write(`${line}\n`)

async function replay(seed: number): Promise<boolean> {
  const planted = PLANTED.find((name) => name === values.planted) as Planted | undefined
  const result = await runSeed(seed, {
    ...(values.ops !== undefined && { ops: Number(values.ops) }),
    ...(values.trace && { trace: print }),
    ...(values.log && { log: print }),
    ...(planted !== undefined && { planted }),
  })
  print(`options: ${JSON.stringify(result.options)}`)
  const { hash, events, virtualMs, operations, acknowledged } = result
  print(
    `trace ${hash}: ${events} events, ${(virtualMs / 1000).toFixed(1)} virtual s, ${acknowledged} of ${operations} operations acknowledged`,
  )
  if (values.history) for (const line of result.history) print(line)
  if (result.violations.length > 0) print(report(result))
  return result.violations.length === 0
}

/** Seeds until the time is over; prints each that fails. */
async function hunt(seconds: number): Promise<boolean> {
  const end = performance.now() + seconds * 1000
  const first = values.from === undefined ? Date.now() % 2 ** 31 : Number(values.from)
  let failed = 0
  let played = 0
  for (let seed = first; performance.now() < end; seed++) {
    const result = await runSeed(seed)
    played++
    if (result.violations.length === 0) continue
    failed++
    print(report(result))
  }
  print(`${played} seeds from ${first}, ${failed} failed`)
  return failed === 0
}

const good =
  values.seed === undefined ? await hunt(Number(values.seconds ?? 60)) : await replay(Number(values.seed))
process.exitCode = good ? 0 : 1
