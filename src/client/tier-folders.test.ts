import { describe, expect, it } from '@jest/globals'
import { AlluxioError, silentLog } from '../core/index.ts'
import { TierFolders } from './tier-folders.ts'
import type { KnownWorker } from './workers.ts'

const MEM = [
  { tier: 'MEM', path: '/m1', trustSeal: true },
  { tier: 'MEM', path: '/m2', trustSeal: true },
]
const SSD = { tier: 'SSD', path: '/s', trustSeal: false }
const block = { id: 7, length: 100, tier: 'MEM', soleCopy: false }

function world() {
  const state = {
    now: 0,
    timers: [] as (() => void)[],
    asked: 0,
    folders: [...MEM, SSD] as typeof MEM | undefined,
    down: false,
    opened: [] as (readonly number[])[],
  }
  const worker = {
    id: 1,
    block: {
      info: async () => {
        state.asked++
        if (state.down) throw new AlluxioError('UNAVAILABLE', 'gone')
        return { folders: state.folders }
      },
      opened: async ({ blockIds }: { blockIds: readonly number[] }) => {
        state.opened.push(blockIds)
        return {}
      },
    },
  } as unknown as KnownWorker
  const runtime = {
    now: () => state.now,
    monotonic: () => state.now,
    random: () => 0.5,
    after: (_ms: number, fn: () => void) => {
      state.timers.push(fn)
      return () => {}
    },
    defer: () => {},
    randomBytes: (bytes: Uint8Array) => bytes,
  }
  return { state, worker, folders: new TierFolders({ runtime, log: silentLog }) }
}

describe('tier folders of workers', () => {
  it('name the likeliest file first, of the folders of the tier', async () => {
    const { worker, folders } = world()
    expect(await folders.find(worker, block)).toEqual({
      paths: ['/m1/b7_100.arrow', '/m2/b7_100.arrow', '/m1/b7_100.sole.arrow', '/m2/b7_100.sole.arrow'],
      trustSeal: true,
    })
    // Known by now: no promise.
    expect(folders.find(worker, { ...block, tier: 'SSD', soleCopy: true })).toEqual({
      paths: ['/s/b7_100.sole.arrow', '/s/b7_100.arrow'],
      trustSeal: false,
    })
    expect(folders.find(worker, { ...block, tier: 'HDD' })).toBeUndefined()
  })

  it('are asked for now and then, and what is known is used meanwhile', async () => {
    const { state, worker, folders } = world()
    await Promise.all([folders.find(worker, block), folders.find(worker, block)])
    folders.find(worker, block)
    expect(state.asked).toBe(1)
    state.now += 6_000
    state.folders = MEM.slice(1)
    expect(folders.find(worker, block)).not.toBeInstanceOf(Promise)
    await new Promise(setImmediate)
    expect(state.asked).toBe(2)
    expect(await folders.find(worker, block)).toMatchObject({ paths: { length: 2 } })
  })

  it('are not known of a worker that does not tell them, and not asked for again at once', async () => {
    for (const away of [{ down: true }, { folders: undefined }]) {
      const { state, worker, folders } = world()
      Object.assign(state, away)
      expect(await folders.find(worker, block)).toBeUndefined()
      expect(folders.find(worker, block)).toBeUndefined()
      expect(state.asked).toBe(1)
    }
  })

  it('report what was told, many blocks at a time', async () => {
    const { state, worker, folders } = world()
    for (let id = 0; id < 1500; id++) await folders.find(worker, { ...block, id })
    expect(state.opened.map(({ length }) => length)).toEqual([1000])
    for (const timer of state.timers.splice(0)) timer()
    expect(state.opened.map(({ length }) => length)).toEqual([1000, 500])
    for (const timer of state.timers.splice(0)) timer()
    expect(state.opened).toHaveLength(2)
  })
})
