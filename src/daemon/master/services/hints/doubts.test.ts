import { describe, expect, test } from '@jest/globals'
import { ALICE, BOB, makeWorld, ROOT } from '../../../../../test/support/namespace.ts'
import { blockIdOf, type Runtime, silentLog, systemRuntime } from '../../../../core/index.ts'
import { type Worker, type WorkerCommand, WorkerRegistry } from '../worker-registry.ts'
import { Doubts } from './doubts.ts'

const PATIENCE_MS = 100
const NOTHING = new Uint8Array(0)
const uuids = ['one', 'two']

/** `/d` is readable by alice only; `f0` to `f1999` have one block each, which both workers hold. */
async function world() {
  let clock = 1000
  let timer: (() => void) | undefined
  const runtime: Runtime = {
    ...systemRuntime,
    monotonic: () => clock,
    after: (_, fn) => {
      timer = fn
      return () => {}
    },
  }
  const { namespace, blocks } = await makeWorld()
  await namespace.mkdir(
    { path: '/d', recursive: true, allowExists: true, persisted: true, mode: 0o700 },
    ROOT,
  )
  await namespace.setAttribute({ path: '/d', owner: 'alice' } as never, ROOT)
  const entries = Array.from({ length: 2000 }, (_, i) => ({
    ...{ name: `f${i}`, directory: false, length: 10, modifiedMs: 1, fingerprint: 'x' },
    ...{ owner: 'alice', group: 'staff', mode: 0o600 },
  }))
  await namespace.load({ path: '/d', entries, blockSizeBytes: 64, coverage: 'all', listedMs: 1 })
  const workers = new WorkerRegistry({ timeoutMs: 1e9 }, { runtime, log: silentLog, onLost: () => {} })
  const register = (uuid: string) => {
    const worker = workers.register({ uuid, host: uuid, rpcPort: 1, webPort: 1, tiers: [] })
    worker.registering = false
    return worker
  }
  const [one, two] = uuids.map(register) as [Worker, Worker]
  const block = (i: number) => blockIdOf(namespace.inode(`/d/f${i}`)!.record.id, 0)
  for (let i = 0; i < 2000; i++) for (const { address } of [one, two]) blocks.add(address.id, block(i), 0)
  const commands: WorkerCommand[] = []
  const listen = async (worker: Worker) => {
    for await (const command of workers.commands(worker.session, new AbortController().signal))
      commands.push(command)
  }
  void listen(one)
  return {
    ...{ blocks, one, two, block, register, commands },
    doubts: new Doubts({ patienceMs: PATIENCE_MS }, { namespace, blocks, workers, runtime, log: silentLog }),
    doubtOf: (i: number, worker = one) => ({ blockId: block(i), workerId: worker.address.id }),
    holders: (i: number) => blocks.locations(block(i)).map(({ workerId }) => workerId),
    pass: (ms: number) => {
      clock += ms
      const due = timer
      timer = undefined
      due?.()
    },
    entry: (i: number) => {
      const bytes = Buffer.alloc(9)
      bytes.writeDoubleLE(block(i))
      return bytes
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('doubts of readers', () => {
  test('the worker is asked once, and what it says counts', async () => {
    const { doubts, doubtOf, commands, block, entry, one, two, holders, pass } = await world()
    await doubts.report([doubtOf(0), doubtOf(1)], ALICE)
    await doubts.report([doubtOf(1), doubtOf(0)], ALICE)
    await turn()
    expect(commands.map(({ kind }) => kind)).toEqual(['CHECK'])
    expect([...new Float64Array(Uint8Array.from(commands[0]!.ids!).buffer)]).toEqual([block(0), block(1)])
    // It holds the first one and says nothing about the second.
    doubts.told(one.address.id, NOTHING, entry(0))
    expect(holders(1)).toHaveLength(2)
    pass(PATIENCE_MS + 1)
    expect(holders(0)).toHaveLength(2)
    expect(holders(1)).toEqual([two.address.id])
    await doubts.report([doubtOf(0)], ALICE)
    await turn()
    expect(commands).toHaveLength(2)
  })

  test('one that registered anew has named what it holds', async () => {
    const { doubts, doubtOf, register, holders, pass } = await world()
    await doubts.report([doubtOf(5)], ALICE)
    register('one')
    pass(PATIENCE_MS + 1)
    expect(holders(5)).toHaveLength(2)
  })

  test('nobody is asked for who may not read, nor about what nobody says', async () => {
    const { doubts, doubtOf, blocks, one, block, commands, pass, holders } = await world()
    await doubts.report([doubtOf(0)], BOB)
    blocks.remove(one.address.id, block(3))
    await doubts.report(
      [doubtOf(3), { blockId: 12345, workerId: one.address.id }, { blockId: block(0), workerId: 1 }],
      ALICE,
    )
    await turn()
    expect(commands).toEqual([])
    pass(PATIENCE_MS + 1)
    expect(holders(0)).toHaveLength(2)
  })

  test('a flood asks a worker about so many blocks only', async () => {
    const { doubts, doubtOf, commands } = await world()
    for (let at = 0; at < 2000; at += 100)
      await doubts.report(
        Array.from({ length: 100 }, (_, i) => doubtOf(at + i)),
        ALICE,
      )
    await turn()
    expect(commands.reduce((sum, { ids }) => sum + ids!.length / 8, 0)).toBe(1000)
  })
})
