/** Listings of directories with 1,000 and 10,000 children, one at a time and 16 at once. */
import type { Bench, Contender } from '../bench.ts'

export async function list(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters()
  const contenders = await bench.contenders(sides)
  for (const size of [1000, 10_000]) {
    const dir = await directoryOf(bench, contenders, size)
    for (const threads of [1, 16])
      await bench.rounds(async (_round, keep) => {
        const values = { op: 'list', threads, seconds: bench.scaled(30) / 10, dir, expect: size }
        await bench.measure(`list ${size}@${threads}`, contenders, '/s', 'load', values, keep)
      })
  }
}

/** A directory with `size` empty files. */
export async function directoryOf(
  bench: Bench,
  contenders: readonly Contender[],
  size: number,
): Promise<string> {
  const dir = `/list/${size}`
  await bench.each(contenders, 'layout', { dir, threads: 1 })
  await bench.each(contenders, 'load', { op: 'create', threads: 1, per: size, dir })
  return `${dir}/c0`
}
