import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { BlockId } from '../../../core/index.ts'
import { BlockReport, decodeIds, encodePlaces } from './block-report.ts'

/** What the master makes of a delta. */
function apply(known: Map<number, number>, delta: { removed: Uint8Array; added: Uint8Array }): void {
  for (const id of decodeIds(delta.removed)) known.delete(id)
  const view = Buffer.from(delta.added)
  for (let at = 0; at < view.length; at += 9) known.set(view.readDoubleLE(at), view.readUInt8(at + 8))
}

describe('the report of blocks', () => {
  it('brings the master to what is here, whichever heartbeats get lost', () => {
    const step = fc.record({
      removed: fc.array(fc.integer({ min: 0, max: 5 })),
      added: fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.nat(3))),
      arrives: fc.boolean(),
      answered: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const report = new BlockReport()
        const here = new Map<number, number>()
        const known = new Map<number, number>()
        for (const { removed, added, arrives, answered } of [
          ...steps,
          { removed: [], added: [], arrives: true, answered: true },
        ]) {
          for (const id of removed) here.delete(id)
          for (const [id, tier] of added) here.set(id, tier)
          report.merge({
            removed: removed as BlockId[],
            added: added.map(([id, tier]) => ({ id: id as BlockId, tier })),
            lost: [],
          })
          if (arrives) apply(known, report.encode())
          if (arrives && answered) report.acknowledged()
        }
        expect(known).toEqual(here)
        expect(report.empty).toBe(true)
      }),
    )
  })

  it('carries ids beyond 32 bits', () => {
    const id = 2 ** 52 + 1
    const bytes = encodePlaces([{ id, tier: 7 }])
    expect([bytes.length, bytes.readDoubleLE(0), bytes[8]]).toEqual([9, id, 7])
    expect(decodeIds(bytes.subarray(0, 8))).toEqual([id])
  })

  it('tells of lost blocks until it was answered', () => {
    const report = new BlockReport()
    report.merge({ removed: [7 as BlockId], added: [], lost: [7 as BlockId] })
    report.merge({ removed: [], added: [], lost: [] })
    expect(decodeIds(report.encode().lost!)).toEqual([7])
    report.restart({ removed: [8 as BlockId], added: [], lost: [8 as BlockId] })
    expect(decodeIds(report.encode().lost!)).toEqual([7, 8])
    expect(report.encode().removed).toHaveLength(0)
    report.acknowledged()
    expect(report.encode().lost).toBeUndefined()
  })
})
