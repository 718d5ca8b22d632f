import { describe, expect, test } from '@jest/globals'
import { Lanes, Threads } from './threads.ts'

/** Time that a test moves by hand. */
class Clock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly fn: () => void }>()
  monotonic = () => this.#now
  after = (ms: number, fn: () => void) => {
    const timer = { at: this.#now + ms, fn }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }
  pass(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now) continue
      this.#timers.delete(timer)
      timer.fn()
    }
  }
}

/** A volume whose calls come back when the test says so. */
function volume(name: string, threads: Threads) {
  const lanes = new Lanes(name, threads)
  const running: ((error: unknown, result: string) => void)[] = []
  const late: string[] = []
  const call = (what: string, options: { signal?: AbortSignal; patient?: boolean } = {}) =>
    lanes.run<string>({ what, deadlineMs: 1000, onLate: (result) => late.push(result), ...options }, (done) =>
      running.push(done),
    )
  return { lanes, running, late, call }
}

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error: { code?: string; reason?: string }) => error.reason ?? error.code,
  )

describe('threads of libgfapi', () => {
  test('a volume has two at once, all together three, in order', async () => {
    const threads = new Threads({ runtime: new Clock() })
    const [a, b] = [volume('a', threads), volume('b', threads)]
    const calls = [a.call('1'), a.call('2'), a.call('3'), b.call('4'), b.call('5')]
    expect([a.running.length, b.running.length]).toEqual([2, 1])
    a.running[0]!(undefined, 'one')
    expect([a.running.length, b.running.length]).toEqual([3, 1])
    for (const done of a.running.slice(1)) done(undefined, 'more')
    b.running[0]!(undefined, 'four')
    b.running[1]!(undefined, 'five')
    expect(await Promise.all(calls)).toEqual(['one', 'more', 'more', 'four', 'five'])
  })

  test('calls past the deadline are answered; with both threads held the volume refuses, another goes on', async () => {
    const clock = new Clock()
    const threads = new Threads({ runtime: clock })
    const [gone, well] = [volume('gone', threads), volume('well', threads)]
    const stuck = [gone.call('open x'), gone.call('stat y')].map(outcome)
    const waiting = outcome(gone.call('stat z'))
    const closing = gone.call('close', { patient: true })
    clock.pass(1000)
    expect(await Promise.all([...stuck, waiting])).toEqual(['TIMEOUT', 'TIMEOUT', 'CALLS_STUCK'])
    clock.pass(4000)
    await expect(gone.call('more')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/gone has not answered open x for 5 s, stat y for 5 s/),
    })
    const other = well.call('fine')
    well.running[0]!(undefined, 'served')
    expect(await other).toBe('served')

    // One comes back late: what it opened is handed on to be closed, and the thread takes what waits.
    gone.running[0]!(undefined, 'a file')
    expect(gone.late).toEqual(['a file'])
    gone.running[2]!(undefined, 'closed')
    expect(await closing).toBe('closed')
    const again = gone.call('again')
    gone.running[3]!(undefined, 'healed')
    expect(await again).toBe('healed')
    gone.running[1]!(new Error('late failure'), '')
    expect([gone.lanes.stuck, gone.lanes.running]).toEqual([0, 0])
  })

  test('an abort answers at once, whether the call waits or runs, and leaves no thread behind', async () => {
    const threads = new Threads({ runtime: new Clock() })
    const one = volume('one', threads)
    const abort = new AbortController()
    const { signal } = abort
    const calls = [one.call('1', { signal }), one.call('2'), one.call('3', { signal })].map(outcome)
    abort.abort()
    expect(await Promise.all([calls[0], calls[2]])).toEqual(['CANCELLED', 'CANCELLED'])
    expect(await outcome(one.call('4', { signal }))).toBe('CANCELLED')
    one.running[0]!(undefined, 'late')
    one.running[1]!(undefined, 'two')
    expect(await calls[1]).toBe('two')
    expect([one.late, one.running.length, one.lanes.running]).toEqual([['late'], 2, 0])
  })
})
