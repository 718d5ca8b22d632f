import { describe, expect, test } from '@jest/globals'
import type { Admin, BlockPlace, WorkerStatus } from '../../client/index.ts'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { DataWorkers, plainAddress } from './data-workers.ts'

const NONE: ReadonlySet<string> = new Set()

function worker(id: number, host: string, fields: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    address: { id, host, rpcPort: 29999, webPort: 30000 + id, uuid: `w${id}` },
    ...{ state: 'LIVE', tiers: [], blocks: 0, heartbeatAgeMs: 100, startedMs: 0, ...fields },
  }
}

function place(...workers: number[]): BlockPlace {
  const locations = workers.map((workerId) => ({ workerId, host: '', tier: 'MEM' }))
  return { blockId: 1, offset: 0, length: 1, locations }
}

async function known(workers: () => readonly WorkerStatus[]) {
  let nowMs = 10_000
  const runtime = { ...systemRuntime, monotonic: () => nowMs }
  const admin = { workers: async () => workers() } as Partial<Admin> as Admin
  const found = new DataWorkers({ admin, runtime, log: silentLog })
  await found.refresh()
  const later = async (ms: number) => {
    nowMs += ms
    await found.refresh()
  }
  return { found, later }
}

describe('the worker that a client is sent to', () => {
  test('is on its own host, however the address is written', async () => {
    const { found } = await known(() => [
      worker(1, '10.0.0.1'),
      worker(2, '10.0.0.2'),
      worker(3, '127.0.0.1'),
    ])
    for (const [address, id] of [
      ['10.0.0.1', 1],
      ['::ffff:10.0.0.2', 2],
      ['127.0.0.1', 3],
      ['::1', 3],
      ['127.9.9.9', 3],
      ['10.0.0.3', undefined],
      ['', undefined],
    ] as const)
      expect([address, found.near(address, NONE)?.id]).toEqual([address, id])
  })

  test('is one of several on that host in turn', async () => {
    const { found } = await known(() => [worker(1, '10.0.0.1'), worker(2, '10.0.0.1'), worker(3, '10.0.0.2')])
    const ids = Array.from({ length: 4 }, () => found.near('10.0.0.1', NONE)?.id)
    expect(new Set(ids)).toEqual(new Set([1, 2]))
  })

  test('holds the block if none is there, else is any', async () => {
    const { found } = await known(() => [worker(1, '10.0.0.1'), worker(2, '10.0.0.2')])
    expect([found.holder([place(2)], NONE)?.id, found.holder([place(2)], NONE)?.id]).toEqual([2, 2])
    expect([1, 2]).toContain(found.holder([place(9)], NONE)?.id)
    expect([1, 2]).toContain(found.holder([], NONE)?.id)
  })

  test('is none that the client could not reach, nor one that is lost or silent', async () => {
    const { found, later } = await known(() => [
      worker(1, '10.0.0.1'),
      worker(2, '10.0.0.2', { heartbeatAgeMs: 5000 }),
      worker(3, '10.0.0.3', { state: 'LOST' }),
      worker(4, '10.0.0.4'),
    ])
    expect(found.near('10.0.0.2', NONE)).toBeUndefined()
    expect(found.near('10.0.0.3', NONE)).toBeUndefined()
    expect(found.near('10.0.0.1', new Set(['10.0.0.1:30001']))).toBeUndefined()
    expect(found.holder([place(1)], new Set(['10.0.0.1:30001']))?.id).toBe(4)
    expect(found.holder([], new Set(['10.0.0.1', '10.0.0.4']))).toBeUndefined()
    // Addresses of lost ones are still known, for what the block map says of them.
    expect(found.get(3)?.host).toBe('10.0.0.3')
    await later(0)
  })

  test('is a silent one when all are', async () => {
    const { found } = await known(() => [worker(1, '10.0.0.1', { heartbeatAgeMs: 5000 })])
    expect(found.near('10.0.0.1', NONE)?.id).toBe(1)
  })

  test('is known by an old list while the master does not answer', async () => {
    let down = false
    const { found, later } = await known(() => {
      if (down) throw new Error('down')
      return [worker(1, '10.0.0.1')]
    })
    down = true
    await later(60_000)
    expect(found.near('10.0.0.1', NONE)?.id).toBe(1)
  })
})

test('addresses have one form', () => {
  expect(['::ffff:1.2.3.4', '::1', '127.1.2.3', 'fe80::1'].map(plainAddress)).toEqual([
    '1.2.3.4',
    '127.0.0.1',
    '127.0.0.1',
    'fe80::1',
  ])
})
