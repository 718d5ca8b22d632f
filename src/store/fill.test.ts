import { expect, test } from '@jest/globals'
import { Metrics } from '../core/index.ts'
import { Fill, type FillSource } from './fill.ts'
import { storeMetrics } from './metrics.ts'
import { Pins } from './pins.ts'
import type { BlockFetch } from './types.ts'

const EXTENT = 64 * 1024
const METRICS = storeMetrics(new Metrics(), { usage: () => [], pins: new Pins() }, () => 0)

function filling(length: number, fetch: BlockFetch) {
  const written = new Map<number, Uint8Array>()
  const world = { gate: Promise.resolve(), written, fetches: 0 }
  const sink = {
    has: (extent: number) => written.has(extent),
    read: (offset: number, bytes: number) => {
      const pages = written.get(Math.floor(offset / EXTENT))!
      return { bytes: pages.subarray(offset % EXTENT, (offset % EXTENT) + bytes), from: 'MEM' }
    },
    write: async (extent: number, pages: Uint8Array) => {
      await world.gate
      written.set(extent, pages)
      return true
    },
  }
  const modules = { sink, metrics: METRICS, idle: () => {} }
  const fill = new Fill({ length, extentBytes: EXTENT }, modules)
  const source: FillSource = {
    rangeBytes: 1e9,
    rangeParallelism: 1,
    fetch: (offset, bytes, signal) => {
      world.fetches++
      return fetch(offset, bytes, signal)
    },
  }
  return { ...world, world, fill, source }
}

const noise = (bytes: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 255))

test('a source that reads into memory of its own, bit by bit, has nothing copied', async () => {
  const object = noise(2 * EXTENT + 5000)
  const memory = Buffer.allocUnsafeSlow(object.length + 10_000)
  const { fill, source, written } = filling(object.length, async function* () {
    for (let at = 0; at < object.length; at += 7001) {
      const part = object.subarray(at, at + 7001)
      memory.set(part, at)
      yield memory.subarray(at, at + part.length)
    }
  })
  fill.start(0, 3, source)
  await fill.settled()
  for (const extent of [0, 1]) {
    expect(written.get(extent)!.buffer).toBe(memory.buffer)
    expect(object.subarray(extent * EXTENT, (extent + 1) * EXTENT).equals(written.get(extent)!)).toBe(true)
  }
  // The end is no whole page: what stands behind it in the source's memory is not its padding.
  const last = Buffer.from(written.get(2)!)
  expect(last.length).toBe(8192)
  expect(last.subarray(0, 5000).equals(object.subarray(2 * EXTENT))).toBe(true)
  expect(last.subarray(5000).every((byte) => byte === 0)).toBe(true)
})

test('a source that goes on elsewhere is copied, and nothing is written into its memory', async () => {
  const object = noise(EXTENT)
  const first = Buffer.alloc(2 * EXTENT, 170)
  const { fill, source, written } = filling(object.length, async function* () {
    first.set(object.subarray(0, 1000))
    yield first.subarray(0, 1000)
    yield Buffer.from(object.subarray(1000, 30_000))
    yield Buffer.from(object.subarray(30_000))
  })
  fill.start(0, 1, source)
  await fill.settled()
  expect(object.equals(written.get(0)!)).toBe(true)
  expect(first.subarray(1000).every((byte) => byte === 170)).toBe(true)
})

test('a reader that leaves with its bytes does not cancel what is being written, which serves the next one', async () => {
  const object = noise(EXTENT)
  let aborted = false
  const made = filling(object.length, async function* (_offset, _length, signal) {
    signal.addEventListener('abort', () => {
      aborted = true
    })
    yield object
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  made.world.gate = promise
  made.fill.start(0, 1, made.source)
  for (let reader = 0; reader < 2; reader++) {
    const piece = await made.fill.piece(0, EXTENT, undefined)
    expect(Buffer.from(piece!.bytes).equals(object)).toBe(true)
    expect(made.fill.lacks(0)).toBe(false)
  }
  resolve()
  await made.fill.settled()
  expect(made.world.fetches).toBe(1)
  expect(aborted).toBe(false)
  expect((await made.fill.piece(0, EXTENT, undefined))?.from).toBe('MEM')
})
