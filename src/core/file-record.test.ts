import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import {
  encodeRecord,
  entryBytes,
  type FileRecord,
  PERSISTENCE_STATES,
  readEntries,
  TTL_ACTIONS,
  viewRecord,
  withFields,
  writeEntry,
} from './file-record.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const whole = (max: number) => fc.integer({ min: 0, max })
const records = fc.record({
  directory: fc.boolean(),
  flags: whole(0xffff),
  mode: whole(0o7777),
  persistence: fc.constantFrom(...PERSISTENCE_STATES),
  ttlAction: fc.constantFrom(...TTL_ACTIONS),
  id: whole(2 ** 33 - 1),
  length: whole(Number.MAX_SAFE_INTEGER),
  modifiedMs: whole(2 ** 45),
  createdMs: whole(2 ** 45),
  accessedMs: whole(2 ** 45),
  ttlMs: fc.integer({ min: -1, max: 2 ** 45 }),
  blockSizeBytes: whole(2 ** 32 - 1),
  mountId: whole(2 ** 32 - 1),
  replicationMin: whole(1000),
  replicationMax: fc.integer({ min: -1, max: 1000 }),
  owner: text,
  group: text,
  syncedSeconds: whole(2 ** 32 - 1),
  tail: fc.oneof(
    fc.constant({}),
    fc.record({ fp: fc.string(), media: fc.array(fc.string(), { maxLength: 3 }) }),
  ),
}) as unknown as fc.Arbitrary<FileRecord>

describe('file records', () => {
  test('what is encoded is read back, field by field', () => {
    fc.assert(
      fc.property(records, (record) =>
        expect(withFields(viewRecord(encodeRecord(record)), {})).toEqual(record),
      ),
    )
  })

  test('a page of entries is read back in order; a cut one is refused', () => {
    const name = text.filter((s) => s !== '')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, records, whole(1e9), whole(1e9)), { minLength: 1, maxLength: 10 }),
        (entries) => {
          const parts = entries.map(([name, record, cached, memory]) => ({
            name: Buffer.from(name),
            record: encodeRecord(record),
            cached,
            memory,
          }))
          const page = Buffer.alloc(
            parts.reduce((sum, { name, record }) => sum + entryBytes(name.length, record.length), 0),
          )
          let offset = 0
          for (const { name, record, cached, memory } of parts)
            offset = writeEntry(page, offset, name, record, cached, memory)
          expect(offset).toBe(page.length)
          expect(
            readEntries(page).map(({ name, cachedBytes, inMemoryBytes, record }) => [
              name,
              withFields(record, {}),
              cachedBytes,
              inMemoryBytes,
            ]),
          ).toEqual(entries)
          expect(() => readEntries(page.subarray(0, page.length - 1))).toThrow(
            expect.objectContaining({ code: 'DATA_LOSS' }),
          )
        },
      ),
      { numRuns: 50 },
    )
  })

  test('bytes of another layout are refused', () => {
    expect(() => viewRecord(Buffer.alloc(10))).toThrow(expect.objectContaining({ code: 'DATA_LOSS' }))
    expect(() => viewRecord(Buffer.alloc(200, 9))).toThrow('layout version 9')
  })
})
