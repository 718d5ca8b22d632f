import { describe, expect, test } from '@jest/globals'
import { silentLog } from './log.ts'
import { systemRuntime } from './runtime.ts'
import { type Component, recurring, Supervisor } from './supervisor.ts'

const modules = { runtime: systemRuntime, log: silentLog }

function recorder() {
  const events: string[] = []
  const component = (name: string, more: Partial<Component> = {}): Component => ({
    name,
    start: () => void events.push(`start ${name}`),
    stop: () => void events.push(`stop ${name}`),
    ...more,
  })
  return { events, component }
}

describe('Supervisor', () => {
  test('starts in order and stops in reverse, once', async () => {
    const { events, component } = recorder()
    const supervisor = new Supervisor([component('a'), component('b')], modules)
    await supervisor.start()
    expect(supervisor.state).toBe('serving')
    await Promise.all([supervisor.stop(), supervisor.stop()])
    expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a'])
    expect(supervisor.state).toBe('stopped')
    await supervisor.ended
  })

  test('a component that cannot start takes the started ones down, and its error is the answer', async () => {
    const { events, component } = recorder()
    const broken = component('b', {
      start() {
        throw new TypeError('no port')
      },
    })
    const supervisor = new Supervisor([component('a'), broken, component('c')], modules)
    await expect(supervisor.start()).rejects.toThrow('no port')
    await expect(supervisor.ended).rejects.toThrow('no port')
    expect(events).toEqual(['start a', 'stop b', 'stop a'])
    expect(supervisor.state).toBe('failed')
  })

  test('a component that fails while serving ends the daemon; one that hangs in stop is passed over', async () => {
    const { events, component } = recorder()
    let fail: (error: unknown) => void = () => {}
    const failing = component('a', {
      start: (_signal, f) => {
        fail = f
      },
    })
    const hanging = component('b', { stop: () => new Promise(() => {}), stopDeadlineMs: 20 })
    const supervisor = new Supervisor([failing, hanging], modules)
    await supervisor.start()
    fail(new TypeError('gone'))
    await expect(supervisor.ended).rejects.toThrow('gone')
    expect(events).toEqual(['start b', 'stop a'])
  })
})

test('a recurring component runs again after a fault, never twice at once, and not after its stop', async () => {
  let running = 0
  let runs = 0
  const enough = Promise.withResolvers<void>()
  const component = recurring(
    'beat',
    1,
    async () => {
      expect(++running).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 3))
      running--
      if (++runs === 3) enough.resolve()
      throw new TypeError('again and again')
    },
    modules,
  )
  const supervisor = new Supervisor([component], modules)
  await supervisor.start()
  await enough.promise
  await supervisor.stop()
  const ran = runs
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(runs).toBeLessThanOrEqual(ran + 1)
})
