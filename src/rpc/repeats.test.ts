import { describe, expect, test } from '@jest/globals'
import { Kernel } from '../../test/sim/kernel/kernel.ts'
import { Trace } from '../../test/sim/kernel/trace.ts'
import { Repeats, type RepeatsOptions } from './repeats.ts'

/** Repeats on the simulated clock, with the times at which calls went. */
function world(options: RepeatsOptions = {}, seed = 1) {
  const kernel = new Kernel({ seed, maxEvents: 100_000 }, { trace: new Trace({ keep: 0 }) })
  const sent: { readonly id: number; readonly atMs: number }[] = []
  const repeats = new Repeats<{ id: number; done: boolean }>(options, {
    runtime: kernel.boot('client').runtime,
    send: ({ id }) => sent.push({ id, atMs: kernel.nowMs }),
  })
  const add = (from: number, to: number) => {
    const calls = Array.from({ length: to - from }, (_, i) => ({ id: from + i, done: false }))
    for (const call of calls) repeats.add(call)
    return calls
  }
  return { kernel, repeats, sent, add, at: (ms: number) => kernel.run(ms) }
}

test('without a failure a call goes at once', () => {
  const { add, sent } = world()
  add(0, 1)
  expect(sent).toEqual([{ id: 0, atMs: 0 }])
})

describe('after failures', () => {
  test('calls wait a random time whose ceiling doubles up to the cap, and starts anew with an answer', async () => {
    const ceilings = Array.from({ length: 8 }, () => 0)
    for (let seed = 1; seed <= 200; seed++) {
      const { kernel, repeats } = world({ baseMs: 50, capMs: 2000 }, seed)
      for (let n = 0; n < ceilings.length; n++) {
        const wait = repeats.failed()
        ceilings[n] = Math.max(ceilings[n]!, wait)
        await kernel.run(kernel.nowMs + wait + 0.001)
      }
      repeats.succeeded()
      expect(repeats.failed()).toBeLessThanOrEqual(50)
    }
    for (const [n, bound] of [50, 100, 200, 400, 800, 1600, 2000, 2000].entries()) {
      expect(ceilings[n]).toBeLessThanOrEqual(bound)
      expect(ceilings[n]).toBeGreaterThan(bound * 0.9)
    }
  })

  test('a thousand failures within one wait are one', async () => {
    const { repeats, at } = world({ baseMs: 50 })
    const wait = repeats.failed()
    for (let i = 0; i < 1000; i++) expect(repeats.failed()).toBe(wait)
    await at(wait + 0.001)
    expect(repeats.failed()).toBeLessThanOrEqual(100)
  })

  test('calls go when the wait is over, not before, and not when they are done or the session is gone', async () => {
    const { repeats, add, sent, at } = world({ baseMs: 1000 })
    const wait = repeats.failed()
    const [, second] = add(0, 3)
    second!.done = true
    await at(wait - 1)
    expect(sent).toEqual([])
    await at(wait + 1)
    expect(sent.map(({ id }) => id)).toEqual([0, 2])
    repeats.failed()
    add(3, 5)
    repeats.clear()
    await at(10_000)
    expect(sent).toHaveLength(2)
  })
})

describe('the budget', () => {
  test('a server that does not answer is sent the burst, then the trickle', async () => {
    const { add, sent, at } = world({ burst: 100, perSecond: 10 })
    add(0, 1000)
    expect(sent).toHaveLength(100)
    await at(10_000)
    expect(sent.length).toBeGreaterThanOrEqual(195)
    expect(sent.length).toBeLessThanOrEqual(201)
    expect(sent.map(({ id }) => id)).toEqual(sent.map((_, i) => i))
  })

  test('a server that answers is sent the rest as fast as it answers', async () => {
    const { add, sent, at, repeats } = world({ burst: 100, perSecond: 10 })
    add(0, 1000)
    for (let answered = 0; answered < 900; answered++) repeats.succeeded()
    expect(sent).toHaveLength(1000)
    expect(sent.every(({ atMs }) => atMs === 0)).toBe(true)
    await at(1)
  })

  test('calls that end meanwhile cost nothing', async () => {
    const { add, sent, at } = world({ burst: 10, perSecond: 1 })
    for (const call of add(0, 1000)) call.done = call.id < 999
    await at(3000)
    expect(sent.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 999])
  })
})
