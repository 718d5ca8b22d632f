import { describe, expect, test } from '@jest/globals'
import { sleep } from '../../../src/core/index.ts'
import { Kernel } from './kernel.ts'
import { Rng } from './rng.ts'
import { Trace } from './trace.ts'

function world(seed = 1): Kernel {
  return new Kernel({ seed, maxEvents: 100_000 }, { trace: new Trace({ keep: 1000 }) })
}

describe('the simulated event loop', () => {
  test('plays timers in order of time, then of asking', async () => {
    const kernel = world()
    const { runtime } = kernel.boot('n')
    const seen: string[] = []
    runtime.after(20, () => seen.push('late'))
    runtime.after(10, () => seen.push('first'))
    runtime.after(10, () => seen.push('second'))
    const cancel = runtime.after(15, () => seen.push('never'))
    cancel()
    await kernel.run(1000)
    expect(seen).toEqual(['first', 'second', 'late'])
    expect(kernel.nowMs).toBe(1000)
  })

  test('lets promise chains come to rest before the next event', async () => {
    const kernel = world()
    const { runtime } = kernel.boot('n')
    const seen: string[] = []
    runtime.after(5, async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve()
      seen.push('chain')
    })
    runtime.after(5, () => seen.push('next'))
    await kernel.run(10)
    expect(seen).toEqual(['chain', 'next'])
  })

  test('a dead node runs nothing, a paused one later', async () => {
    const kernel = world()
    const dead = kernel.boot('dead')
    const paused = kernel.boot('paused')
    const seen: number[] = []
    dead.runtime.after(10, () => seen.push(-1))
    paused.runtime.after(10, () => seen.push(kernel.nowMs))
    paused.pause(50)
    dead.kill()
    dead.runtime.defer(() => seen.push(-2))
    await kernel.run(100)
    expect(seen).toEqual([50])
  })

  test('a throw out of a callback is kept as a finding', async () => {
    const kernel = world()
    kernel.boot('n').runtime.after(1, () => {
      throw new RangeError('boom')
    })
    await kernel.run(5)
    expect(kernel.uncaught).toEqual([{ node: 'n', error: new RangeError('boom') }])
  })

  test('a world that never rests is given up', async () => {
    const kernel = world()
    const { runtime } = kernel.boot('n')
    const again = () => runtime.defer(again)
    again()
    await expect(kernel.run(10)).rejects.toThrow('without an end')
  })

  test('the same seed gives the same trace, another seed another', async () => {
    const play = async (seed: number) => {
      const kernel = world(seed)
      const nodes = [kernel.boot('a'), kernel.boot('b')]
      for (const { runtime } of nodes) {
        const loop = async () => {
          for (let i = 0; i < 20; i++) await sleep(runtime, runtime.random() * 10)
        }
        void loop()
      }
      await kernel.run(1000)
      return kernel.trace.hash
    }
    expect(await play(7)).toBe(await play(7))
    expect(await play(7)).not.toBe(await play(8))
  })
})

describe('the generator', () => {
  test('forked streams are independent and repeatable', () => {
    const draw = (label: string) => {
      const rng = new Rng(3, label)
      return Array.from({ length: 8 }, () => rng.uint32())
    }
    expect(draw('x')).toEqual(draw('x'))
    expect(draw('x')).not.toEqual(draw('y'))
  })

  test('is uniform enough to draw faults from', () => {
    const rng = new Rng(5)
    const buckets = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) buckets[rng.int(0, 9)]! += 1
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })
})
