/** Bytes: sequential and random reads, mapped views, reads from another worker, writes; on 4 KiB and on huge pages. */
import { execFileSync } from 'node:child_process'
import type { Bench, Medium } from '../bench.ts'
import { warmMemory } from '../machine.ts'

const MIB = 2 ** 20
const PATH = '/io/file'
/** As on another host: no short circuit, every byte through the worker's socket. */
const REMOTE = { 'alluxio.user.short.circuit.enabled': 'false' }

export async function io(bench: Bench): Promise<void> {
  for (const medium of bench.media()) await onMedium(bench, medium)
}

async function onMedium(bench: Bench, medium: Medium): Promise<void> {
  const { sides, stop } = await bench.clusters(medium.folders)
  const contenders = await bench.contenders(sides)
  const bytes = bench.scaled(1024) * MIB
  await bench.each(contenders, 'mkdir', { path: '/io' })
  for (const type of ['CACHE_THROUGH', 'MUST_CACHE'])
    await bench.rounds(async (_round, keep) => {
      for (const contender of contenders) {
        await bench.each([contender], 'rm', { path: PATH })
        await bench.settle()
        // Once for the tier and once for the page cache of the under-store.
        warmMemory(medium.folders[contender.side.name], type === 'CACHE_THROUGH' ? 2 * bytes : bytes)
        const values = { path: PATH, bytes, buf: MIB, type }
        await bench.measure(`write ${type} ${medium.name}@1`, [contender], 'GB/s', 'write', values, keep)
      }
    })
  for (const threads of [1, 4])
    await bench.rounds(async (_round, keep) => {
      const values = { path: PATH, threads, buf: MIB }
      await bench.measure(`read ${medium.name}@${threads}`, contenders, 'GB/s', 'read', values, keep)
      if (threads > 1) return
      const ours = contenders.filter(({ side }) => side.name === 'ours')
      for (const use of ['copy', 'touch'])
        await bench.measure(`map ${use} ${medium.name}@1`, ours, 'GB/s', 'map', { path: PATH, use }, keep)
      if (keep) limits(bench, medium)
    })
  for (const threads of [1, 4, 16])
    await bench.rounds(async (_round, keep) => {
      const values = { op: 'pread', path: PATH, bytes, size: 4096, threads, seconds: bench.scaled(20) / 10 }
      await bench.measure(`pread 4k ${medium.name}@${threads}`, contenders, '/s', 'load', values, keep)
    })
  const remote = await bench.contenders(sides, { properties: REMOTE })
  for (const threads of [1, 4])
    await bench.rounds(async (_round, keep) => {
      const values = { path: PATH, threads, buf: MIB }
      await bench.measure(`remote read ${medium.name}@${threads}`, remote, 'GB/s', 'read', values, keep)
    })
  for (const { driver } of [...contenders, ...remote]) await driver.close()
  await stop()
}

/** What the machine itself does, measured in the same minutes. */
function limits(bench: Bench, medium: Medium): void {
  const lines = execFileSync(bench.native('memcpy'), [medium.folders.ours], { encoding: 'utf8' })
    .trim()
    .split('\n')
  for (const [name, rate, cpu] of lines.map((line) => line.split(' '))) {
    const cell = name === 'write' ? `raw write ${medium.name}` : `memcpy ${name}`
    bench.report.add(cell, 'machine', 'GB/s', { value: Number(rate), cpu: Number(cpu) })
  }
}
