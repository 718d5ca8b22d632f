import { describe, expect, test } from '@jest/globals'
import { blockIdOf, type FileId, silentLog, systemRuntime, type WorkerId } from '../../../../core/index.ts'
import { BlockMap } from '../../../../namespace/index.ts'
import { Changes, type ChangesModules } from './changes.ts'

const W = 7 as WorkerId

/** Files of these ids are `/d/ID`, with blocks of 10 bytes; id 99 is somewhere else. */
function world() {
  const blocks = new BlockMap()
  const published: { sequence: number; changes: unknown[] }[] = []
  const publisher = {
    address: 'tcp://127.0.0.1:1',
    wanted: true,
    publish: (_: string, text: string) => published.push(JSON.parse(text) as never),
    close: async () => {},
  }
  const modules = {
    blocks,
    namespace: {
      inodeById: (id: number) => ({ path: id === 99 ? '/e/99' : `/d/${id}`, record: { blockSizeBytes: 10 } }),
    },
    workers: {
      get: (id: number) => (id === W ? { address: { host: 'h' }, tiers: [{ alias: 'SSD' }] } : undefined),
    },
    reads: { readable: () => ({}) },
    transport: { publish: async () => publisher },
    runtime: systemRuntime,
    log: silentLog,
  } as unknown as ChangesModules
  const changes = new Changes({ address: 'tcp://127.0.0.1:0' }, modules)
  const add = (file: number, index = 0) => blocks.add(W, blockIdOf(file as FileId, index), 0)
  return { blocks, changes, published, add }
}

describe('changes of replicas', () => {
  test('a stream hears of its paths only, and of all that came while it was read', async () => {
    const { blocks, changes, add } = world()
    const stop = new AbortController()
    const stream = changes.below(['/d'], { user: 'u', groups: [] }, stop.signal)
    add(1)
    // What was there before is looked up by who is told to.
    expect((await stream.next()).value!.item).toMatchObject({ resync: true, sequence: 1, changes: [] })
    add(99)
    add(2, 3)
    expect((await stream.next()).value!.item.changes).toEqual([
      { path: '/d/2', offset: 30, host: 'h', tier: 'SSD' },
    ])
    const next = stream.next()
    blocks.remove(W, blockIdOf(2 as FileId, 3))
    expect((await next).value!.item).toMatchObject({
      sequence: 4,
      resync: false,
      changes: [{ path: '/d/2', offset: 30, host: 'h', tier: '' }],
    })
    const last = stream.next()
    stop.abort()
    expect((await last).done).toBe(true)
    await changes.stop()
  })

  test('one that lags behind the ring is told to look anew, and goes on from there', async () => {
    const { changes, add } = world()
    const stream = changes.below(['/d'], { user: 'u', groups: [] }, new AbortController().signal)
    await stream.next()
    for (let n = 0; n < 70_000; n++) add(2 + (n >> 4), n & 15)
    expect((await stream.next()).value!.item).toMatchObject({ resync: true, sequence: 70_000, changes: [] })
    add(9000)
    expect((await stream.next()).value!.item).toMatchObject({ resync: false, sequence: 70_001 })
    await stream.return(undefined)
    await changes.stop()
  })

  test('numbers of what is published have no gap, but where changes were lost', async () => {
    const { changes, published, add } = world()
    await changes.start()
    for (let n = 0; n < 9000; n++) add(2 + (n >> 4), n & 15)
    while (published.length === 0 || published.at(-1)!.sequence < 9000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    let known = 0
    for (const { sequence, changes: told } of published) {
      expect(sequence - told.length).toBe(known)
      known = sequence
    }
    expect(published.flatMap((message) => message.changes)).toHaveLength(9000)
    for (let n = 0; n < 70_000; n++) add(2000 + (n >> 4), n & 15)
    while (published.at(-1)!.sequence < 79_000) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(published.at(-1)!.changes).toEqual([])
    await changes.stop()
  })
})
