import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isFinishedCopy, sameBytes } from './ufs-create.ts'

async function* chunks(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const cut of cuts) {
    yield bytes.subarray(at, at + cut)
    at = Math.min(bytes.length, at + cut)
  }
  yield bytes.subarray(at)
}

describe('an object that is there already', () => {
  const cuts = fc.array(fc.nat(20), { maxLength: 8 })

  it('is the same however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), cuts, cuts, async (bytes, a, b) => {
        expect(await sameBytes(chunks(bytes, a), chunks(bytes, b))).toBe(true)
      }),
    )
  })

  it('is another when one byte differs, or one is longer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        cuts,
        cuts,
        fc.nat(),
        async (bytes, a, b, n) => {
          const other = Uint8Array.from(bytes)
          other[n % bytes.length]! ^= 1
          expect(await sameBytes(chunks(bytes, a), chunks(other, b))).toBe(false)
          expect(await sameBytes(chunks(bytes, a), chunks(bytes.subarray(1), b))).toBe(false)
        },
      ),
    )
  })

  const file = { fileId: 7, clusterId: 'c', mode: 0o644, owner: '', group: '', length: 3 }
  const found = { path: 'f', directory: false, length: 3, modifiedMs: 0, fingerprint: 'x' }
  const never = () => Promise.reject(new Error('asked for bytes'))

  it('is judged by its file id, where the store keeps one', async () => {
    const mine = { ...found, metadata: { 'alluxio-file-id': 'c/7' } }
    expect(await isFinishedCopy(mine, file, never)).toBe(true)
    expect(await isFinishedCopy({ ...found, metadata: { 'alluxio-file-id': 'd/7' } }, file, never)).toBe(
      false,
    )
    expect(await isFinishedCopy({ ...mine, length: 4 }, file, never)).toBe(false)
  })

  it('is judged by its bytes, where not', async () => {
    expect(await isFinishedCopy(found, file, async () => true)).toBe(true)
    expect(await isFinishedCopy(found, file, async () => false)).toBe(false)
    expect(await isFinishedCopy({ ...found, directory: true }, file, never)).toBe(false)
  })
})
