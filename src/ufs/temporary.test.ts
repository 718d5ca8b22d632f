import { expect, test } from '@jest/globals'
import { type Runtime, silentLog, systemRuntime } from '../core/index.ts'
import { isTemporary, Leftovers, temporaryName, touching } from './temporary.ts'

const DAY_MS = 86_400_000
const HOST_MS = 1_000 * DAY_MS

/** A store whose clock is off by `skewMs`, with places and the ages that its clock says. */
function storeWith(skewMs: number, ages: Readonly<Record<string, number | undefined>>, maxAgeMs = DAY_MS) {
  const removed: string[] = []
  const probes: string[] = []
  const deferred: (() => void)[] = []
  const runtime: Runtime = { ...systemRuntime, now: () => HOST_MS, defer: (fn) => deferred.push(fn) }
  const nowMs = HOST_MS + skewMs
  const places = {
    touchedMs: async (place: string) => {
      const age = ages[place]
      return age === undefined ? undefined : nowMs - age
    },
    nowMs: async (place: string) => {
      probes.push(place)
      return nowMs
    },
    remove: async (place: string) => {
      removed.push(place)
    },
  }
  const leftovers = new Leftovers({ maxAgeMs }, { runtime, log: silentLog, places })
  const sweep = async () => {
    for (const place of Object.keys(ages)) leftovers.met(place)
    for (const fn of deferred.splice(0)) fn()
    await leftovers.close()
  }
  return { sweep, removed, probes, leftovers, met: deferred }
}

test('goes when it is older than the limit, with one look at the clock of the store for all', async () => {
  const { sweep, removed, probes } = storeWith(0, {
    '/d/a': 2 * DAY_MS,
    '/d/b': DAY_MS / 2,
    '/e/c': 3 * DAY_MS,
  })
  await sweep()
  expect(removed).toEqual(['/d/a', '/e/c'])
  expect(probes).toHaveLength(1)
  expect(isTemporary(probes[0]!.slice('/d/'.length))).toBe(true)
})

test.each([
  ['this host is days ahead', -5 * DAY_MS, 3_600_000],
  ['this host is days behind', 5 * DAY_MS, 2 * DAY_MS],
  ['somebody has it open', 0, undefined],
])(
  'stays while one of the clocks says that it is young, or while it is written: %s',
  async (_, skew, age) => {
    const { sweep, removed } = storeWith(skew, { '/d/a': age })
    await sweep()
    expect(removed).toEqual([])
  },
)

test('stays where nothing is to be swept', async () => {
  const { sweep, removed, leftovers } = storeWith(0, { '/d/a': 9 * DAY_MS }, 0)
  await sweep()
  expect(removed).toEqual([])
  expect(leftovers.touchMs).toBeUndefined()
})

test('is not looked for again at once, whatever the number of listings', async () => {
  const { leftovers, met } = storeWith(0, { '/d/a': 1 })
  leftovers.met('/d/a')
  leftovers.met('/d/b')
  expect(met).toHaveLength(1)
  met[0]!()
  leftovers.met('/d/a')
  expect(met).toHaveLength(1)
})

test('a writer touches its file until it is done', async () => {
  const timers: { ms: number; run: () => void }[] = []
  const runtime: Runtime = {
    ...systemRuntime,
    after: (ms, run) => {
      const timer = { ms, run }
      timers.push(timer)
      return () => timers.splice(timers.indexOf(timer), 1)
    },
  }
  let touched = 0
  const stop = touching(runtime, 1000, async () => {
    touched++
    throw new Error('one that fails does not end it')
  })
  for (let i = 0; i < 3; i++) timers.shift()!.run()
  expect(touched).toBe(3)
  stop()
  expect(timers).toEqual([])
  expect(temporaryName(systemRuntime)).not.toBe(temporaryName(systemRuntime))
})
