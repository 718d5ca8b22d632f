/** One seed from its options to its verdict. */
import { judge, type Violation } from './checkers/index.ts'
import { Kernel } from './kernel/kernel.ts'
import { Trace } from './kernel/trace.ts'
import { type OptionOverrides, optionsOf, type SimOptions } from './options.ts'
import { NOTHING, type Planted, plant } from './planted.ts'
import { World } from './world/world.ts'

export interface RunOptions extends OptionOverrides {
  /** Printed line by line as it happens. */
  readonly print?: (line: string) => void
  /** Log lines of the daemons are printed too. */
  readonly log?: boolean
  readonly planted?: Planted
}

export interface RunResult {
  readonly options: SimOptions
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly operations: number
  /** Operations that were acknowledged. */
  readonly acknowledged: number
  readonly violations: readonly Violation[]
  /** Newest lines of the trace. */
  readonly tail: readonly string[]
}

const MAX_EVENTS = 3_000_000

export async function runSeed(seed: number, run: RunOptions = {}): Promise<RunResult> {
  const options = optionsOf(seed, run)
  const trace = new Trace({ keep: 300, ...(run.print && { print: run.print }) })
  const kernel = new Kernel({ seed, maxEvents: MAX_EVENTS }, { trace })
  const defect = run.planted === undefined ? NOTHING : plant(run.planted, kernel.rng('planted'))
  const world = new World(options, { kernel, plant: defect, ...(run.log && run.print && { log: run.print }) })
  let violations: readonly Violation[]
  try {
    violations = judge(await world.play())
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    violations = [{ checker: 'world', message: 'the world broke down', evidence: message.split('\n') }]
  }
  const { operations } = world.history
  return {
    options,
    hash: trace.hash,
    events: trace.events,
    virtualMs: kernel.nowMs,
    operations: operations.length,
    acknowledged: operations.filter(({ told }) => told !== undefined && told.kind !== 'error').length,
    violations,
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
    `options: ${JSON.stringify(options)}`,
    `replay: npm run sim -- --seed ${options.seed} --trace`,
  ].join('\n')
}
