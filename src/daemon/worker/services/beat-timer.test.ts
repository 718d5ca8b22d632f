import { beforeEach, describe, expect, it } from '@jest/globals'
import { BeatTimer } from './beat-timer.ts'

/** Time that passes when told to. */
class Clock {
  now = 0
  readonly #timers = new Set<{ at: number; fn: () => void }>()

  readonly after = (ms: number, fn: () => void) => {
    const timer = { at: this.now + ms, fn }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  async pass(ms: number): Promise<void> {
    const until = this.now + ms
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.now = next.at
      this.#timers.delete(next)
      next.fn()
      for (let i = 0; i < 4; i++) await Promise.resolve()
    }
    this.now = until
  }

  get armed(): number {
    return this.#timers.size
  }
}

describe('when heartbeats are due', () => {
  let clock: Clock
  let timer: BeatTimer
  let beats: number[]
  let patient = false
  const stop = new AbortController()

  beforeEach(() => {
    clock = new Clock()
    timer = new BeatTimer({ intervalMs: 1000, delayMs: 25 }, { runtime: clock })
    beats = []
    patient = false
    const run = async () => {
      while (!stop.signal.aborted) {
        await timer.due(stop.signal, patient)
        beats.push(clock.now)
      }
    }
    void run()
  })

  it('keeps its interval when nothing changes', async () => {
    await clock.pass(3500)
    expect(beats).toEqual([1000, 2000, 3000])
  })

  it('is soon after a change, and counts the interval from there', async () => {
    await clock.pass(400)
    timer.changed()
    await clock.pass(1500)
    expect(beats).toEqual([425, 1425])
  })

  it('makes one heartbeat of a storm, and bounds a lasting one', async () => {
    for (let i = 0; i < 10_000; i++) timer.changed()
    await clock.pass(24)
    for (let i = 0; i < 10_000; i++) timer.changed()
    await clock.pass(1)
    expect(beats).toEqual([25])
    for (let i = 0; i < 1000; i++) {
      timer.changed()
      await clock.pass(1)
    }
    expect(beats.length).toBeLessThanOrEqual(1 + 40)
    expect(clock.armed).toBe(1)
  })

  it('does not hurry to a master that does not answer, and loses nothing by it', async () => {
    patient = true
    await clock.pass(1000)
    timer.changed()
    await clock.pass(999)
    expect(beats).toEqual([1000])
    patient = false
    await clock.pass(1)
    timer.changed()
    await clock.pass(25)
    expect(beats).toEqual([1000, 2000, 2025])
  })
})
