/** Random operations against a model: bytes are right, accounting equals what the folders hold, nothing promised is lost. */
import { readdirSync, statSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type FileId, fileOfBlock, isAlluxioError } from '../../../src/core/index.ts'
import type { BlockStore } from '../../../src/store/index.ts'
import {
  block,
  openStore,
  pattern,
  readAll,
  request,
  Source,
  temporaryFolder,
} from '../../support/block-store.ts'

const EXTENT = 65_536
const KIB = 1024
const LENGTHS = [100, 5000, 60_000, 70_000, 3 * EXTENT, 5 * EXTENT + 1000]
const FILES = 12
const lengthOf = (n: number) => LENGTHS[n % LENGTHS.length]!

type Op =
  | { readonly op: 'write'; readonly n: number; readonly sole: boolean; readonly stream: boolean }
  | {
      readonly op: 'read'
      readonly n: number
      readonly from: number
      readonly share: number
      readonly cache: boolean
      readonly promote: boolean
      readonly sequential: boolean
    }
  | { readonly op: 'abort' | 'remove' | 'persist' | 'pin' | 'load'; readonly n: number }
  | { readonly op: 'restart' }

const n = fc.nat(FILES - 1)
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('write' as const), n, sole: fc.boolean(), stream: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ op: fc.constant('read' as const), n, from: fc.double({ min: 0, max: 1, noNaN: true }) },
      ...{ share: fc.double({ min: 0, max: 1, noNaN: true }), cache: fc.boolean(), promote: fc.boolean() },
      sequential: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('abort', 'remove', 'persist', 'pin', 'load'), n }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'restart' as const }) },
)

/** Bytes on the disk of one folder, as the store accounts them. */
function onDisk(path: string): { bytes: number; blocks: number; names: string[] } {
  const names = readdirSync(path).filter((name) => name !== 'quarantine')
  const groups = new Map<string, number>()
  for (const name of names) {
    const stem = name.replace(/\..*/, '')
    const stat = statSync(`${path}/${name}`)
    const bytes = name.endsWith('.arrow') ? Math.ceil(stat.size / 4096) * 4096 : stat.blocks * 512
    groups.set(stem, (groups.get(stem) ?? 0) + bytes)
  }
  return { bytes: [...groups.values()].reduce((a, b) => a + b, 0), blocks: groups.size, names }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function accounted(store: BlockStore): boolean {
  return store.usage().every(({ folders }) =>
    folders.every(({ path, usedBytes, blocks }) => {
      const disk = onDisk(path)
      return disk.bytes === usedBytes && disk.blocks === blocks
    }),
  )
}

async function settle(store: BlockStore): Promise<void> {
  for (let i = 0; i < 5000 && store.inProgress > 0; i++) await pause(1)
  await pause(5)
}

test.each(['LRU', 'LRFU', 'S3FIFO'])(
  'random operations, %s',
  async (eviction) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(op, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 300, max: 900 }),
        fc.constantFrom('MaxFree', 'RoundRobin', 'Greedy'),
        async (ops, quotaKib, allocation) => {
          using folder = temporaryFolder('/dev/shm')
          const paths = ['MEM', 'SSD1', 'SSD2'].map((name) => `${folder.path}/${name}`)
          const options = {
            ...{ eviction, allocation, extentBytes: EXTENT },
            tiers: [
              { alias: 'MEM', folders: [{ path: paths[0]!, quotaBytes: quotaKib * KIB }] },
              {
                alias: 'SSD',
                folders: paths.slice(1).map((path) => ({ path, quotaBytes: quotaKib * KIB })),
              },
            ],
          }
          let { store } = await openStore(options)
          /** Blocks that must be here: sole copies. */
          const soles = new Set<number>()
          const reported = new Map<number, number>()
          const sources = Array.from(
            { length: FILES },
            (_, i) => new Source(block(i + 1), lengthOf(i), 10_000),
          )
          const drain = () => {
            const { removed, added } = store.changes()
            for (const id of removed) expect(reported.delete(id) || true).toBe(true)
            for (const { id, tier } of added) reported.set(id, tier)
          }
          const apply = async (step: Op): Promise<void> => {
            if (step.op === 'restart') {
              await store.stop()
              store = (await openStore(options)).store
              reported.clear()
              return
            }
            const id = block(step.n + 1)
            const length = lengthOf(step.n)
            const fetch = sources[step.n]!.fetch
            const bytes = pattern(id, length)
            if (step.op === 'write') {
              if (step.stream) {
                const writer = await store.write(id, { sizeHint: 1000, soleCopy: step.sole })
                try {
                  for (let at = 0; at < length; at += 30_000)
                    await writer.append(bytes.subarray(at, at + 30_000))
                } catch (error) {
                  await writer.abort()
                  throw error
                }
                await writer.commit()
              } else await store.writeSmall(id, bytes, { soleCopy: step.sole })
              if (step.sole) soles.add(step.n)
            } else if (step.op === 'read') {
              const offset = Math.floor(step.from * length)
              const size = Math.floor(step.share * (length - offset))
              const { cache, promote, sequential } = step
              const wish = { offset, length: size, cache, promote, sequential, fetch, rangeBytes: 2 * EXTENT }
              const read = await readAll(store, request(id, length, wish))
              expect(read.bytes.equals(bytes.subarray(offset, offset + size))).toBe(true)
              const again = await store.readAt(request(id, length, wish))
              expect(Buffer.compare(again.bytes, bytes.subarray(offset, offset + size))).toBe(0)
            } else if (step.op === 'abort') {
              const writer = await store.write(id, { sizeHint: length, soleCopy: true })
              await writer.append(bytes.subarray(0, length >> 1))
              await writer.abort()
            } else if (step.op === 'remove') {
              await store.remove([id])
              soles.delete(step.n)
            } else if (step.op === 'persist') {
              store.markPersisted(fileOfBlock(id) as FileId)
              soles.delete(step.n)
            } else if (step.op === 'pin') store.setPinned(new Map([[fileOfBlock(id), []]]))
            else await store.load(request(id, length, { fetch }))
          }
          const expected = new Set(['ALREADY_EXISTS', 'RESOURCE_EXHAUSTED'])
          const pairs = Array.from({ length: Math.ceil(ops.length / 2) }, (_, i) =>
            ops.slice(2 * i, 2 * i + 2),
          )
          for (const pair of pairs) {
            const together = pair.every(({ op: kind }) => kind !== 'restart')
            const runs = together
              ? [Promise.allSettled(pair.map(apply))]
              : pair.map((step) => () => apply(step))
            for (const run of runs) {
              const results = typeof run === 'function' ? await Promise.allSettled([run()]) : await run
              for (const result of results) {
                if (result.status === 'fulfilled') continue
                if (!isAlluxioError(result.reason) || !expected.has(result.reason.code)) throw result.reason
              }
            }
            await settle(store)
            // Promotions go on after the reads that asked for them.
            for (let i = 0; i < 400 && !accounted(store); i++) await pause(5)
            drain()
            for (const [tier, { folders, usedBytes, capacityBytes }] of store.usage().entries()) {
              expect(usedBytes).toBeLessThanOrEqual(capacityBytes)
              for (const { path, usedBytes: used, blocks } of folders) {
                const disk = onDisk(path)
                expect({ tier, used, blocks }).toEqual({ tier, used: disk.bytes, blocks: disk.blocks })
                expect(disk.names.filter((name) => name.startsWith('tmp_'))).toEqual([])
              }
            }
            const listed = new Map(
              [...store.blockPages(5)].flat().map(({ id, tier }) => [id as number, tier]),
            )
            expect(reported).toEqual(listed)
            for (const sole of soles) expect(store.place(block(sole + 1))).toBeDefined()
          }
          await store.stop()
        },
      ),
      { numRuns: 25 },
    )
  },
  120_000,
)
