/** What daemons of a test counted. */
import type { Daemon } from './cluster.ts'

/** Value of the counters whose names end so, summed over daemons; `label` is the value of a label, such as `master.fs.open`. */
export async function counted(daemons: readonly Daemon[], name: string, label?: string): Promise<number> {
  const texts = await Promise.all(
    daemons.map(async ({ webPort }) => (await fetch(`http://127.0.0.1:${webPort}/metrics`)).text()),
  )
  let sum = 0
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [, found, value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? []
    if (found?.endsWith(name) && (label === undefined || line.includes(`="${label}"`))) sum += Number(value)
  }
  return sum
}

type Counter = readonly [daemons: readonly Daemon[], name: string, label?: string | undefined]

/** How much counters grow while something is done. */
export async function growth(counters: readonly Counter[], work: () => Promise<unknown>): Promise<number[]> {
  const values = () => Promise.all(counters.map((counter) => counted(...counter)))
  const before = await values()
  await work()
  return (await values()).map((value, i) => value - before[i]!)
}
