import { describe, expect, it } from '@jest/globals'
import { AlluxioError, silentLog } from '../core/index.ts'
import type { Client, MasterAdmin, WorkerBlock } from '../rpc/index.ts'
import { isThisHost, namesOfThisHost } from './hosts.ts'
import { ReadTallies, sourceName } from './read-tally.ts'
import { isUnreachable, Workers } from './workers.ts'

const address = (id: number, host: string) => ({ id, host, rpcPort: 1000 + id, webPort: 0, uuid: `u${id}` })

function workersOf(hosts: readonly string[]) {
  const world = { now: 0, listed: 0, connected: [] as number[] }
  const workers = new Workers(
    { specificHost: '', shortCircuit: true },
    {
      admin: {
        workers: async () => {
          world.listed++
          return {
            workers: hosts.map((host, i) => ({
              address: address(i + 1, host),
              state: host === 'lost' ? 'LOST' : 'LIVE',
              tiers: [{ alias: 'MEM', capacityBytes: 100, usedBytes: 10 }],
              blocks: 0,
              heartbeatAgeMs: 0,
              startedMs: 0,
            })),
          }
        },
      } as unknown as Client<typeof MasterAdmin>,
      connect: ({ id }) => {
        world.connected.push(id)
        return {} as Client<typeof WorkerBlock>
      },
      hostNames: new Set(['here']),
      runtime: {
        now: () => world.now,
        monotonic: () => world.now,
        random: () => 0.5,
        after: () => () => {},
        defer: () => {},
        randomBytes: (bytes) => bytes,
      },
      log: silentLog,
    },
  )
  return { world, workers }
}

const gone = new AlluxioError('UNAVAILABLE', 'gone', { reason: 'CONNECTION_LOST' })
const choice = { key: 1, sizeBytes: 1 }

describe('the workers that a client knows', () => {
  it('ranks the live ones, local first, and lists them only now and then', async () => {
    const { world, workers } = workersOf(['there', 'here', 'lost'])
    expect((await workers.rank('LocalFirst', choice)).map(({ id }) => id)).toEqual([2, 1])
    await workers.rank('LocalFirst', choice)
    expect(world.listed).toBe(1)
    world.now += 4_000
    await workers.rank('LocalFirst', choice)
    expect(world.listed).toBe(2)
  })

  it('asks again before it names nobody', async () => {
    const hosts = ['lost']
    const { world, workers } = workersOf(hosts)
    expect(await workers.rank('LocalFirst', choice)).toEqual([])
    hosts.push('here')
    expect((await workers.rank('LocalFirst', choice)).map(({ id }) => id)).toEqual([2])
    await workers.rank('LocalFirst', choice)
    expect(world.listed).toBe(2)
  })

  it('puts the one that does not answer last, for a while', async () => {
    const { world, workers } = workersOf(['there', 'here'])
    const [first] = await workers.rank('LocalFirst', choice)
    workers.failed(first!, gone)
    expect(workers.isShunned(first!)).toBe(true)
    expect((await workers.rank('LocalFirst', choice)).map(({ id }) => id)).toEqual([1, 2])
    world.now += 11_000
    expect((await workers.rank('LocalFirst', choice)).map(({ id }) => id)).toEqual([2, 1])
  })

  it('does not blame a worker for its under-store', async () => {
    const { workers } = workersOf(['here'])
    const [worker] = await workers.rank('LocalFirst', choice)
    workers.failed(worker!, new AlluxioError('UNAVAILABLE', 's3 is down'))
    workers.failed(worker!, new AlluxioError('DATA_LOSS', 'bad page'))
    expect(workers.isShunned(worker!)).toBe(false)
    expect(isUnreachable(new Error('other'))).toBe(false)
  })

  it('connects with the first call, and again when the worker has moved', async () => {
    const { world, workers } = workersOf([])
    workers.learn([address(1, 'a')])
    expect(world.connected).toEqual([])
    void workers.get(1)!.block
    void workers.get(1)!.block
    workers.learn([address(1, 'a')])
    void workers.get(1)!.block
    expect(world.connected).toEqual([1])
    workers.learn([address(1, 'b')])
    void workers.get(1)!.block
    expect(world.connected).toEqual([1, 1])
  })
})

describe('names of this host', () => {
  it('knows loopback in all its forms', () => {
    const names = namesOfThisHost('')
    for (const host of ['localhost', '127.0.0.1', '127.3.2.1', 'LOCALHOST', '::1'])
      expect(isThisHost(host, names)).toBe(true)
    expect(isThisHost('elsewhere.example', names)).toBe(false)
  })

  it('obeys a configured name alone', () => {
    const names = namesOfThisHost('Pod-7')
    expect(isThisHost('pod-7', names)).toBe(true)
    expect(isThisHost('127.0.0.1', names)).toBe(false)
  })
})

describe('the tally of a reader', () => {
  it('counts by source and leaves out what gave nothing', () => {
    const tallies = new ReadTallies()
    tallies.of(sourceName('MEM', true)).bytes += 5
    tallies.of(sourceName('MEM', true)).bytes += 5
    tallies.of(sourceName('SSD', false)).bytes += 1
    tallies.of(sourceName('UFS', true))
    expect(tallies.sources).toEqual({ 'local:MEM': 10, 'remote:SSD': 1 })
  })
})
