import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Runtime, systemRuntime } from '../core/index.ts'
import { Wheel, WheelEntry } from './wheel.ts'

/** A clock that stands until it is moved, with the timers that are due on the way. */
class Clock {
  now = 1000.5
  readonly timers = new Set<{ at: number; fn: () => void }>()
  fired = 0
  readonly runtime: Runtime = {
    ...systemRuntime,
    monotonic: () => this.now,
    after: (ms, fn) => {
      const timer = { at: this.now + ms, fn }
      this.timers.add(timer)
      return () => this.timers.delete(timer)
    },
  }
  advance(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.timers.delete(next)
      this.now = Math.max(this.now, next.at)
      this.fired++
      next.fn()
    }
    this.now = end
  }
}

class Entry extends WheelEntry {
  readonly expired: number[] = []
  readonly #clock: Clock
  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }
  expire(): void {
    this.expired.push(this.#clock.now)
  }
}

describe('wheel', () => {
  it('expires each entry once, never early and within two ticks, whatever else is set and cleared', () => {
    const plan = fc.array(
      fc.record({ setAt: fc.nat(20_000), ms: fc.nat(40_000), clearAfter: fc.option(fc.nat(40_000)) }),
      { minLength: 1, maxLength: 60 },
    )
    fc.assert(
      fc.property(plan, (plans) => {
        const clock = new Clock()
        const started = clock.now
        const wheel = new Wheel({ tickMs: 16 }, { runtime: clock.runtime })
        const entries = plans.map(() => new Entry(clock))
        const steps = plans
          .flatMap(({ setAt, ms, clearAfter }, i) => [
            { at: setAt, do: () => wheel.set(entries[i]!, ms) },
            ...(clearAfter === null ? [] : [{ at: setAt + clearAfter, do: () => wheel.clear(entries[i]!) }]),
          ])
          .sort((a, b) => a.at - b.at)
        for (const step of steps) {
          clock.advance(started + step.at - clock.now)
          step.do()
        }
        clock.advance(100_000)
        for (const [i, { setAt, ms, clearAfter }] of plans.entries()) {
          const { expired } = entries[i]!
          if (clearAfter !== null && clearAfter <= ms) expect(expired).toEqual([])
          else if (clearAfter === null || clearAfter > ms + 40) {
            expect(expired).toHaveLength(1)
            const late = expired[0]! - (started + setAt + ms)
            expect(late).toBeGreaterThanOrEqual(0)
            expect(late).toBeLessThanOrEqual(40)
          }
        }
        expect(clock.timers.size).toBeLessThanOrEqual(1)
      }),
      { numRuns: 200 },
    )
  })

  it('wakes seldom: once for many entries that are cleared in time', () => {
    const clock = new Clock()
    const wheel = new Wheel({}, { runtime: clock.runtime })
    for (let i = 0; i < 10_000; i++) {
      const entry = new Entry(clock)
      wheel.set(entry, 5000)
      wheel.clear(entry)
      clock.advance(1)
    }
    expect(clock.fired).toBeLessThan(10)
  })

  it('lets an entry be set again when it expires', () => {
    const clock = new Clock()
    const wheel = new Wheel({}, { runtime: clock.runtime })
    const entry = new (class extends Entry {
      override expire(): void {
        super.expire()
        if (this.expired.length < 5) wheel.set(this, 1000)
      }
    })(clock)
    wheel.set(entry, 1000)
    clock.advance(20_000)
    expect(entry.expired).toHaveLength(5)
  })

  it('that is stopped expires nothing', () => {
    const clock = new Clock()
    const wheel = new Wheel({}, { runtime: clock.runtime })
    const entry = new Entry(clock)
    wheel.set(entry, 100)
    wheel.stop()
    clock.advance(1000)
    expect(entry.expired).toEqual([])
  })
})
