import { describe, expect, it } from '@jest/globals'
import { AlluxioError, type BlockId, systemRuntime } from '../../../core/index.ts'
import type { BlockStore, LoadRequest } from '../../../store/index.ts'
import { Loads, type LoadsModules } from './loads.ts'

const MIB = 2 ** 20

/** Loads that begin when they are let, end when told, and are counted. */
function world() {
  const begun: { request: LoadRequest; end: () => void; fail: (error: unknown) => void }[] = []
  const sealed = new Set<number>()
  const store = {
    place: (id: BlockId) => (sealed.has(id) ? { tier: 0, length: MIB } : undefined),
    load: (request: LoadRequest) =>
      new Promise<void>((resolve, reject) => {
        const end = () => {
          request.onProgress?.(request.blockLength)
          resolve()
        }
        begun.push({ request, end, fail: reject })
        request.signal?.addEventListener('abort', () => reject(request.signal?.reason))
      }),
  }
  let reports = 0
  const modules = {
    store: store as unknown as BlockStore,
    mounts: {},
    peer: () => ({}),
    reported: async () => void reports++,
    runtime: systemRuntime,
  } as unknown as LoadsModules
  return { loads: new Loads(modules), begun, sealed, reports: () => reports }
}
const request = (blockId: number, blockLength = MIB) => ({ blockId, blockLength, fileOffset: 0 })
const turn = () => new Promise((resolve) => setTimeout(resolve, 1))
async function all(items: AsyncIterable<{ item: { bytes: number } }>): Promise<number> {
  let last = 0
  for await (const { item } of items) last = item.bytes
  return last
}

describe('loads', () => {
  it('end when the master knows, with all bytes told', async () => {
    const { loads, begun, reports } = world()
    const load = all(loads.load(request(1), new AbortController().signal))
    await turn()
    begun[0]!.end()
    expect(await load).toBe(MIB)
    expect(reports()).toBe(1)
  })

  it('of what is here cost nothing', async () => {
    const { loads, begun, sealed } = world()
    sealed.add(1)
    expect(await all(loads.load(request(1), new AbortController().signal))).toBe(0)
    expect(begun).toHaveLength(0)
  })

  it('are bounded in number and in bytes, and a failure or a caller who leaves gives its turn on', async () => {
    const { loads, begun } = world()
    const stop = new AbortController()
    const ids = Array.from({ length: 100 }, (_, i) => i + 1)
    const runs = ids.map((id) => all(loads.load(request(id, 4096), stop.signal)))
    await turn()
    expect(begun).toHaveLength(64)
    begun[0]!.end()
    begun[1]!.fail(new AlluxioError('UNAVAILABLE', 'no source'))
    await turn()
    expect(begun).toHaveLength(66)
    await expect(runs[1]).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    stop.abort(new AlluxioError('CANCELLED', 'enough'))
    const ended = await Promise.allSettled(runs)
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(99)
    expect(begun).toHaveLength(66)
    const large = Array.from({ length: 10 }, (_, i) =>
      all(loads.load(request(1000 + i, 100 * MIB), new AbortController().signal)),
    )
    await turn()
    expect(begun).toHaveLength(68)
    for (let i = 66; i < 76; i++) {
      begun[i]!.end()
      await turn()
    }
    expect(await Promise.all(large)).toEqual(Array(10).fill(100 * MIB))
  })

  it('are cancelled when their stream is', async () => {
    const { loads, begun } = world()
    for await (const _ of loads.load(request(1), new AbortController().signal)) break
    await turn()
    expect(begun[0]!.request.signal?.aborted).toBe(true)
  })
})
