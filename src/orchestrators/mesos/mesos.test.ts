import { describe, expect, test } from '@jest/globals'
import type { PathHint } from '../../client/index.ts'
import { systemRuntime } from '../../core/index.ts'
import { Agents } from './agents.ts'
import { InputTasks } from './input-tasks.ts'
import type { Resource } from './scheduler-api.ts'
import { TaskRoom } from './task-room.ts'

const launchOf = (path: string, hint?: PathHint) => ({
  ...{ path, agentId: 'a1', host: 'h1', score: 1, waitedMs: 5 },
  hint,
})
const status = (id: string, state: string, reason?: string) => ({
  task_id: { value: id },
  state,
  ...(reason === undefined ? {} : { reason }),
})

describe('tasks of inputs', () => {
  test('what Mesos lost is begun again, three times; what failed by itself is not', () => {
    const tasks = new InputTasks(['/a', '/b'])
    expect(tasks.launch(launchOf('/a'))).toBe('0-1')
    expect(tasks.launch(launchOf('/b'))).toBe('1-1')
    expect(tasks.pending).toEqual([])
    expect(tasks.update(status('0-1', 'TASK_RUNNING'))).toBe(false)
    expect(tasks.update(status('0-1', 'TASK_LOST'))).toBe(true)
    // A late word of the former task changes nothing.
    expect(tasks.update(status('0-1', 'TASK_FINISHED'))).toBe(false)
    expect(tasks.pending).toEqual(['/a'])
    tasks.launch(launchOf('/a'))
    tasks.update(status('0-2', 'TASK_FAILED', 'REASON_AGENT_RESTARTED'))
    expect(tasks.launch(launchOf('/a'))).toBe('0-3')
    tasks.update(status('0-3', 'TASK_LOST'))
    tasks.update(status('1-1', 'TASK_FAILED', 'REASON_COMMAND_EXECUTOR_FAILED'))
    expect(tasks.all).toMatchObject([
      { path: '/a', state: 'FAILED', attempts: 3 },
      { path: '/b', state: 'FAILED', attempts: 1 },
    ])
    expect(tasks.isOver).toBe(true)
  })

  test('another process goes on: what is over stays so, what ran is awaited', () => {
    const tasks = new InputTasks(['/a', '/b', '/c'])
    for (const path of ['/a', '/b']) tasks.launch(launchOf(path))
    tasks.update(status('0-1', 'TASK_FINISHED'))
    const saved = JSON.parse(JSON.stringify({ frameworkId: 'f', tasks: tasks.all }))
    const next = new InputTasks(['/a', '/b', '/c', '/d'], saved)
    expect(next.running.map(({ path }) => path)).toEqual(['/b'])
    expect(next.pending).toEqual(['/c', '/d'])
    next.abandon()
    expect(next.launch(launchOf('/b'))).toBe('1-2')
  })

  test('how well an input was placed', () => {
    const host = (name: string, bytes: number) => ({
      ...{ host: name, score: 1, load: 0, confidence: 1, reason: '' },
      bytes: { MEM: 0, SSD: bytes, HDD: 0 },
    })
    const hint = (cold: boolean, ...hosts: PathHint['hosts']): PathHint => ({
      ...{ path: '/a', length: 1, blocks: [] },
      ...{ cold, hosts },
    })
    const placed = (of: PathHint | undefined) => {
      const tasks = new InputTasks(['/a'])
      tasks.launch(launchOf('/a', of))
      return tasks.all[0]!.placement
    }
    expect(placed(hint(false, host('H1', 1)))).toBe('LOCAL')
    expect(placed(hint(false, host('h2', 1), host('h1', 0)))).toBe('REMOTE')
    expect(placed(hint(true, host('h1', 0)))).toBe('COLD')
    expect(placed(hint(true, host('h2', 0), host('h1', 0)))).toBe('REMOTE')
    expect(placed(undefined)).toBe('UNKNOWN')
  })
})

test('room for tasks: each takes from one reservation, and nothing that can be taken back', () => {
  const scalar = (name: string, value: number, more: Partial<Resource> = {}): Resource => ({
    ...{ name, type: 'SCALAR', scalar: { value } },
    ...more,
  })
  const reservations = [{ type: 'STATIC', role: 'alluxio' }]
  const resources = [
    ...[scalar('cpus', 2), scalar('mem', 300)],
    ...[scalar('cpus', 1, { reservations }), scalar('mem', 100, { reservations })],
    ...[scalar('cpus', 8, { revocable: {} }), scalar('mem', 800, { disk: {} })],
    { name: 'ports', type: 'RANGES' },
  ]
  const offer = { id: { value: 'o' }, agent_id: { value: 'a' }, hostname: 'h', resources }
  const room = new TaskRoom(offer, { cpus: 1, memoryMb: 100 })
  expect(room.slots).toBe(3)
  expect(room.take()).toEqual([scalar('cpus', 1), scalar('mem', 100)])
  room.take()
  expect(room.take()).toEqual([scalar('cpus', 1, { reservations }), scalar('mem', 100, { reservations })])
  expect(room.slots).toBe(0)
  expect(new TaskRoom(offer, { cpus: 0.1, memoryMb: 400 }).slots).toBe(0)
})

test('agents leave for near maintenance, by inverse offers and drains', () => {
  let now = 1_000_000
  const agents = new Agents({ ...systemRuntime, now: () => now, monotonic: () => now })
  const offer = { id: { value: 'o' }, agent_id: { value: 'a' }, hostname: 'h', resources: [] }
  const span = (startMs: number, durationMs: number) => ({
    start: { nanoseconds: (now + startMs) * 1e6 },
    duration: { nanoseconds: durationMs * 1e6 },
  })
  expect(agents.isLeaving({ ...offer, unavailability: span(60_000, 60_000) })).toBe(true)
  expect(agents.isLeaving({ ...offer, unavailability: span(86_400_000, 60_000) })).toBe(false)
  expect(agents.isLeaving({ ...offer, unavailability: span(-60_000, 30_000) })).toBe(false)
  agents.leaving({ value: 'a' }, span(60_000, 60_000))
  expect(agents.isLeaving(offer)).toBe(true)
  now += 700_000
  expect(agents.isLeaving(offer)).toBe(false)
  const agent_info = {
    id: { value: 'a' },
    hostname: 'h',
    domain: { fault_domain: { region: { name: 'r1' } } },
  }
  agents.known({ agent_info, drain_info: {} })
  expect(agents.isLeaving(offer)).toBe(true)
  expect(agents.regions).toEqual([])
  agents.offered({ ...offer, hostname: 'g', domain: { fault_domain: { region: { name: 'r2' } } } })
  expect(agents.regions).toHaveLength(2)
})
