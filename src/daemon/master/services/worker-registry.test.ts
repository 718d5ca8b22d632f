import { describe, expect, test } from '@jest/globals'
import { type Runtime, silentLog, systemRuntime } from '../../../core/index.ts'
import { type Worker, WorkerRegistry } from './worker-registry.ts'

function registry() {
  let clock = 1000
  const lost: Worker[] = []
  const runtime: Runtime = { ...systemRuntime, now: () => clock, monotonic: () => clock }
  const workers = new WorkerRegistry(
    { timeoutMs: 100 },
    { runtime, log: silentLog, onLost: (worker) => lost.push(worker) },
  )
  const register = (uuid = 'u') => workers.register({ uuid, host: 'h', rpcPort: 1, webPort: 2, tiers: [] })
  return {
    workers,
    lost,
    register,
    pass: (ms: number) => {
      clock += ms
    },
  }
}

describe('WorkerRegistry', () => {
  test('a worker keeps its id over registrations; its old session is refused', () => {
    const { workers, register } = registry()
    const first = register()
    const second = register()
    expect(second.address.id).toBe(first.address.id)
    expect(register('other').address.id).not.toBe(first.address.id)
    expect(() => workers.bySession(first.session)).toThrow('register again')
    expect(workers.bySession(second.session)).toBe(second)
  })

  test('who is not heard of in time is lost once, and must register again', () => {
    const { workers, lost, register, pass } = registry()
    const worker = register()
    pass(90)
    workers.bySession(worker.session)
    pass(90)
    workers.checkLiveness()
    expect(lost).toEqual([])
    pass(20)
    workers.checkLiveness()
    workers.checkLiveness()
    expect(lost).toEqual([worker])
    expect(workers.isLive(worker.address.id)).toBe(false)
    expect(() => workers.bySession(worker.session)).toThrow('register again')
    expect(workers.send(worker.address.id, { kind: 'FREE', taskId: 0 })).toBe(false)
  })

  test('commands arrive in order, also those sent before anybody listened; the stream ends with the session', async () => {
    const { workers, register } = registry()
    const worker = register()
    workers.send(worker.address.id, { kind: 'FREE', taskId: 1 })
    const seen: number[] = []
    const listening = (async () => {
      for await (const { taskId } of workers.commands(worker.session, new AbortController().signal))
        seen.push(taskId)
    })()
    await Promise.resolve()
    workers.send(worker.address.id, { kind: 'FREE', taskId: 2 })
    await new Promise((resolve) => setImmediate(resolve))
    workers.send(worker.address.id, { kind: 'FREE', taskId: 3 })
    await new Promise((resolve) => setImmediate(resolve))
    register()
    await listening
    expect(seen).toEqual([1, 2, 3])
  })
})
