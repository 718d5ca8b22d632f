/** One seed from its options to its verdict. */
import { judge, type Violation } from './checkers/index.ts'
import { HostGuard } from './kernel/guard.ts'
import { Kernel } from './kernel/kernel.ts'
import { Trace } from './kernel/trace.ts'
import { type OptionOverrides, optionsOf, type SimOptions } from './options.ts'
import { NOTHING, type Planted, plant, worldFor } from './planted.ts'
import { describe } from './workload/history.ts'
import { World } from './world/world.ts'

export interface RunOptions extends OptionOverrides {
  /** Handed each line of the trace as it happens. */
  readonly trace?: (line: string) => void
  /** Handed each log line of the daemons and clients. */
  readonly log?: (line: string) => void
  readonly planted?: Planted
}

export interface RunResult {
  readonly options: SimOptions
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  /** What clients asked and were told, line by line. */
  readonly history: readonly string[]
  readonly operations: number
  /** Operations that were acknowledged. */
  readonly acknowledged: number
  readonly violations: readonly Violation[]
  /** Daemons that ended by themselves, and why: legal, but worth a look. */
  readonly exits: readonly string[]
  /** Newest lines of the trace. */
  readonly tail: readonly string[]
}

const MAX_EVENTS = 3_000_000

export async function runSeed(seed: number, run: RunOptions = {}): Promise<RunResult> {
  const drawn = optionsOf(seed, run)
  const options = run.planted === undefined ? drawn : worldFor(run.planted, drawn)
  const trace = new Trace({ keep: 300, ...(run.trace && { print: run.trace }) })
  const kernel = new Kernel({ seed, maxEvents: MAX_EVENTS }, { trace })
  const defect = run.planted === undefined ? NOTHING : plant(run.planted, kernel.rng('planted'))
  const world = new World(options, { kernel, plant: defect, ...(run.log && { log: run.log }) })
  const guard = new HostGuard()
  const unhandled = (error: unknown) => kernel.uncaught.push({ node: kernel.current?.name ?? 'world', error })
  process.on('unhandledRejection', unhandled)
  const violations: Violation[] = []
  guard.start()
  try {
    violations.push(...judge(await world.play()))
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    violations.push({ checker: 'world', message: 'the world broke down', evidence: message.split('\n') })
  } finally {
    guard.stop()
    process.off('unhandledRejection', unhandled)
  }
  if (guard.leaks.length > 0)
    violations.push({
      checker: 'host',
      message: 'a host clock, timer or die was used',
      evidence: guard.leaks,
    })
  const { operations } = world.history
  return {
    options,
    hash: trace.hash,
    events: trace.events,
    virtualMs: kernel.nowMs,
    history: operations.map(describe),
    operations: operations.length,
    acknowledged: operations.filter(({ told }) => told !== undefined && !('code' in told)).length,
    violations,
    exits: world.exits,
    tail: trace.tail(),
  }
}

/** What a person needs to know about a failed seed. */
export function report(result: RunResult): string {
  const { options, violations, hash } = result
  return [
    `seed ${options.seed} failed (trace ${hash}, ${result.events} events, ${result.virtualMs.toFixed(0)} virtual ms)`,
    ...violations.flatMap(({ checker, message, evidence }) => [
      `${checker}: ${message}`,
      ...evidence.map((line) => `    ${line}`),
    ]),
    ...result.exits.slice(0, 5).map((why) => `exit: ${why}`),
    `options: ${JSON.stringify(options)}`,
    `replay: npm run sim -- --seed ${options.seed} --trace`,
  ].join('\n')
}
