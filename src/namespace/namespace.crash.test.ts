/** Crashes between commit and flush: what was acknowledged survives, and what survives is a prefix of what was done. */
import { expect, test } from '@jest/globals'
import { fastRuntime, makeWorld, ROOT } from '../../test/support/namespace.ts'
import type { Runtime } from '../core/index.ts'

/** Seeded world in which a flush takes a random number of turns, so that a crash meets every state of the group commit. */
function slowRuntime(seed: number): Runtime {
  const fast = fastRuntime(seed)
  return {
    ...fast,
    after(ms, fn, unref) {
      if (unref === true) return () => {}
      let cancelled = false
      let turns = 1 + Math.floor(fast.random() * 40)
      const turn = () => {
        if (cancelled) return
        if (--turns > 0) queueMicrotask(turn)
        else fn()
      }
      queueMicrotask(turn)
      void ms
      return () => {
        cancelled = true
      }
    },
  }
}

test.each(Array.from({ length: 60 }, (_, i) => i + 1))('seed %i', async (seed) => {
  const runtime = slowRuntime(seed)
  const world = await makeWorld({}, runtime)
  const dice = fastRuntime(seed * 7919).random
  /** State after each operation, by number: the tree must equal one of them. */
  const states: string[] = [tree(world)]
  let acknowledged = 0
  let done = 0
  for (let round = 0; round < 4; round++) {
    const operations = 1 + Math.floor(dice() * 25)
    for (let i = 0; i < operations; i++) {
      const number = ++done
      operate(world, number, dice).then(
        () => {
          acknowledged = Math.max(acknowledged, number)
        },
        () => {},
      )
      states.push(tree(world))
      for (let turns = Math.floor(dice() * 12); turns > 0; turns--) await Promise.resolve()
    }
    await world.crash()
    const survivor = tree(world)
    const at = states.lastIndexOf(survivor)
    expect(at).toBeGreaterThanOrEqual(0)
    expect(at).toBeGreaterThanOrEqual(acknowledged)
    expect(world.namespace.totals().files).toBe(
      survivor.split('\n').filter((line) => line.endsWith(' f')).length,
    )
    // The next round goes on from what survived.
    states.length = 0
    states.length = done
    states.fill('')
    states.push(survivor)
  }
})

type World = Awaited<ReturnType<typeof makeWorld>>

async function operate({ namespace }: World, n: number, dice: () => number): Promise<void> {
  const directory = `/d${Math.floor(dice() * 3)}`
  const other = `/d${Math.floor(dice() * 3)}/m${n}`
  const kind = dice()
  const existing = namespace
    .walk('/', { limit: 100 })
    .inodes.filter((inode) => inode.path.split('/').length === 3)
  const victim = existing[Math.floor(dice() * existing.length)]
  if (kind < 0.2 && victim !== undefined && namespace.inode(other.slice(0, 3)) !== undefined) {
    await namespace.rename({ src: victim.path, dst: other }, ROOT)
  } else if (kind < 0.3 && namespace.inode(directory) !== undefined) {
    await namespace.delete({ path: directory, recursive: true }, ROOT)
  } else {
    const request = { path: `${directory}/f${n}`, blockSizeBytes: 1024, recursive: true, overwrite: false }
    await namespace.create({ ...request, writeType: 'MUST_CACHE', complete: true }, ROOT)
  }
}

function tree({ namespace }: World): string {
  return namespace
    .walk('/', { limit: 10_000 })
    .inodes.map((inode) => `${inode.path} ${inode.record.directory ? 'd' : 'f'}`)
    .join('\n')
}
