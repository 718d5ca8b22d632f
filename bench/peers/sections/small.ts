/** Small files: write, and open, read and close. */
import type { Bench } from '../bench.ts'

const TOTAL = { 1: 500, 16: 4000 } as const

export async function small(bench: Bench): Promise<void> {
  const { sides } = await bench.clusters()
  const contenders = await bench.contenders(sides)
  for (const threads of [1, 16] as const) {
    const per = Math.ceil(bench.scaled(TOTAL[threads]) / threads)
    await bench.rounds(async (round, keep) => {
      const dir = `/small/${threads}-${round}`
      await bench.each(contenders, 'mkdir', { path: dir })
      const values = { threads, per, dir, size: 4096 }
      await bench.measure(
        `write 4k files@${threads}`,
        contenders,
        '/s',
        'load',
        { op: 'writeSmall', ...values },
        keep,
      )
      await bench.measure(
        `read 4k files@${threads}`,
        contenders,
        '/s',
        'load',
        { op: 'readSmall', ...values },
        keep,
      )
      await bench.each(contenders, 'rm', { path: dir })
      await bench.settle()
    })
  }
}
